"""Pages without a text layer that can be used: scans, decks of page pictures, fonts whose codes say nothing.

Such a page is rendered once, read once by the OCR engine, and taken apart into words, shapes and photographs as if it
had been drawn: from there on it goes the way of all pages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from finlmm_core.domain import Box
from finlmm_core.plugins.bases import OcrEngine
from finlmm_parsers.primitives import PagePrimitives, Raster, Shape, Word

if TYPE_CHECKING:
    from PIL.Image import Image

#: A text layer of fewer characters than this on a page that is mostly pictures is a stamp, a title or a page number.
FEW_CHARACTERS = 250
#: Pictures that cover so much of a page may be the page.
PICTURE_SHARE = 0.6
#: Painted shapes on a page without text from which on its letters are taken to be outlines.
MANY_OUTLINES = 150
#: Private-use, replacement and control characters.
_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
_LATIN = re.compile("[A-Za-z]")
#: The letters that are most frequent in languages written with Latin letters, and the share of all letters, about .65
#: in English and .31 where letters are drawn by lot, below which a text is in no language.
_FREQUENT = "etaoinsrETAOINSR"
FREQUENT_SHARE = 0.4
#: Share of unreadable characters from which on a text layer is of no use.
UNREADABLE_SHARE = 0.3
#: A page picture's longer side, in pixels: 10-point letters on A4 are then 19 pixels high, which OCR reads well.
LONGER_SIDE = 1600


class Renders(Protocol):
    """What a page picture is made with; pages are counted from 1."""

    def render(self, number: int, box: Box | None, dpi: float) -> Image: ...


def needs_reading(page: PagePrimitives) -> bool:
    """Tell whether a page's own text layer cannot be used, so that the page must be read by OCR."""
    characters = sum(len(word.text) for word in page.words)
    if characters and is_garbage([word.text for word in page.words]):
        return True
    if characters >= FEW_CHARACTERS:
        return False
    covered = covered_share(page.rasters, page.width, page.height)
    if covered < PICTURE_SHARE:
        return characters < 20 and len(page.shapes) >= MANY_OUTLINES
    # Words spread over a picture behind the page are a designed page; a stamp or a title stands in one place.
    return True


def is_garbage(texts: Sequence[str]) -> bool:
    """Tell whether a text layer is mostly characters that mean nothing.

    Fonts without a table of characters give private-use or replacement characters, or glyph numbers that come out as
    control characters, or letters shifted along the alphabet, in which no language is written.
    """
    text = "".join(texts)
    if len(text) < 20:
        return False
    if not text.isascii() and len(_UNREADABLE.findall(text)) >= UNREADABLE_SHARE * len(text):
        return True
    frequent = sum(text.count(letter) for letter in _FREQUENT)
    if frequent >= FREQUENT_SHARE * len(text):  # of nearly all pages this is enough to know
        return False
    if len(_UNREADABLE.findall(text)) >= UNREADABLE_SHARE * len(text):
        return True
    letters = len(_LATIN.findall(text))
    return letters >= max(200, 0.5 * len(text)) and frequent < FREQUENT_SHARE * letters


def covered_share(rasters: Sequence[Raster], width: float, height: float) -> float:
    """Return the share of the page, 0 to 1, that pictures cover (tiles and strips counted together)."""
    if not rasters:
        return 0.0
    steps = 40
    covered = np.zeros((steps, steps), dtype=bool)
    for raster in rasters:
        left, right = round(raster.x0 / width * steps), round(raster.x1 / width * steps)
        top, bottom = round(raster.y0 / height * steps), round(raster.y1 / height * steps)
        covered[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return float(covered.mean())


def read_scan(page: PagePrimitives, source: Renders, ocr: OcrEngine) -> PagePrimitives:
    """Return the page as OCR and its pixels tell it.

    Words of the page's own layer stay where OCR has no better (a stamp over a scan is exact); unreadable ones go.

    Args:
        page: what is painted on the page; only its size, and its words where they can be used, count.
        source: renders the page, once.
        ocr: reads the picture, once.
    """
    from finlmm_parsers.scan_shapes import shapes_of_picture
    from finlmm_parsers.scan_skew import straightened
    from finlmm_parsers.scan_words import words_of_lines

    image = straightened(source.render(page.number, None, LONGER_SIDE * 72.0 / max(page.width, page.height)))
    points = page.width / image.width
    pixels = np.asarray(image.convert("RGB"))
    read = words_of_lines(ocr.read([image])[0], np.asarray(image.convert("L")), points)
    own = [] if is_garbage([word.text for word in page.words]) else page.words
    words = own + [word for word in read if not any(_same_spot(word, other) for other in own)]
    shapes, photographs = shapes_of_picture(pixels, words, points)
    return PagePrimitives(page.number, page.width, page.height, words, _without_frame(shapes, page), photographs, "ocr")


def _same_spot(word: Word, other: Word) -> bool:
    box, held = word.box, other.box
    return held.overlap(box) > 0.4 * min(box.area, held.area)


def _without_frame(shapes: Sequence[Shape], page: PagePrimitives) -> list[Shape]:
    """Leave out the dark rims that scanners put around a page."""
    edge = 3.0

    def at_rim(shape: Shape) -> bool:
        thin = min(shape.x1 - shape.x0, shape.y1 - shape.y0) < 12.0
        beside = shape.x0 <= edge or shape.y0 <= edge or shape.x1 >= page.width - edge or shape.y1 >= page.height - edge
        long = max((shape.x1 - shape.x0) / page.width, (shape.y1 - shape.y0) / page.height) > 0.4
        return thin and beside and long

    return [shape for shape in shapes if not at_rim(shape)]
