"""Running heads, running feet and page numbers: what a document repeats at the edges of its pages."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Sequence

from finlmm_core.domain import Block, Page

_EDGE = 0.14  # share of the page's height at the top and the bottom that is searched
_DIGITS = re.compile(r"\d+")
_ROMAN_END = re.compile(r"\b[ivxlc]{1,6}$")
_SPACE = re.compile(r"\s+")
_PAGE_NUMBER = re.compile(
    r"^(?:page|p\.|第)?\s*[-–—|·]?\s*(?:[A-Z]{1,2}-)?(?:\d{1,4}|[ivxlc]{1,6})\s*(?:(?:of|/|／|共)\s*\d{1,4})?\s*[-–—|·]?\s*(?:页)?$",
    re.IGNORECASE,
)


def find_running(pages: Sequence[Page]) -> list[frozenset[int]]:
    """Return for each page the indices of its blocks that are running heads, running feet or page numbers.

    A block at the edge of the page is one where the same words (numbers aside) stand at the same height on at least
    three pages that are not far apart, or on both pages of a pair of short documents; a page number is a lone number
    at the edge that grows with the page.
    """
    repeated: dict[tuple[str, int], list[int]] = defaultdict(list)
    numbers: dict[tuple[int, int], list[int]] = defaultdict(list)
    edge: list[list[tuple[int, str, int]]] = []
    for position, page in enumerate(pages):
        found = []
        extent = _extent(page)
        for index, block in enumerate(page.blocks):
            zone = _zone(block, page, extent)
            if zone is None or len(block.text) > 200:
                continue
            key = _normal(block.text)
            found.append((index, key, zone))
            if key and any(c.isalpha() for c in key):
                repeated[key, zone].append(position)
            number = _page_number(block.text)
            if number is not None:
                numbers[zone, number - position].append(position)
        edge.append(found)
    enough = 3 if len(pages) > 4 else 2
    heads = {key for key, where in repeated.items() if len(set(where)) >= enough and _close(where)}
    counted = {key for key, where in numbers.items() if len(set(where)) >= enough}
    result: list[frozenset[int]] = []
    for position, page in enumerate(pages):
        drop = set()
        for index, key, zone in edge[position]:
            number = _page_number(page.blocks[index].text)
            near = (
                any((key, z) in heads and _furthest(page.blocks[index], page) for z in (zone - 1, zone, zone + 1))
                or (key, zone) in heads
            )
            if near or (number is not None and ((zone, number - position) in counted or _outermost(index, page))):
                drop.add(index)
        result.append(frozenset(drop))
    return result


def _extent(page: Page) -> tuple[float, float]:
    """Return where the writing of a page begins and ends, in points from the top."""
    return min((b.box.y0 for b in page.blocks), default=0.0), max((b.box.y1 for b in page.blocks), default=0.0)


def _zone(block: Block, page: Page, extent: tuple[float, float]) -> int | None:
    """Return the height at which an edge block stands, in steps of 6 points: positive from the top, negative below.

    Pages that were printed from a web page have their foot right under their text: the last line of a page is at its
    edge wherever it stands.
    """
    if block.box.y1 < _EDGE * page.height:
        return 1 + int(block.box.y0 // 6)
    if block.box.y0 > (1 - _EDGE) * page.height:
        return -1 - int((page.height - block.box.y1) // 6)
    if block.box.y1 > extent[1] - 8:
        return -1000
    return 1000 if block.box.y0 < extent[0] + 8 else None


def _normal(text: str) -> str:
    return _ROMAN_END.sub("#", _SPACE.sub(" ", _DIGITS.sub("#", text)).strip().lower())


def _page_number(text: str) -> int | None:
    text = text.strip()
    if len(text) > 20 or not _PAGE_NUMBER.match(text):
        return None
    digits = _DIGITS.search(text)
    return int(digits.group()) if digits else 0


def _close(positions: list[int]) -> bool:
    """Tell whether at least two of the pages are neighbours or next but one (left and right pages)."""
    ordered = sorted(set(positions))
    return any(b - a <= 2 for a, b in itertools.pairwise(ordered))


def _furthest(block: Block, page: Page) -> bool:
    return block.box.y1 < 0.09 * page.height or block.box.y0 > 0.91 * page.height


def _outermost(index: int, page: Page) -> bool:
    """Tell whether nothing but the page's edge lies beyond a lone number."""
    block = page.blocks[index]
    if not _furthest(block, page):
        return False
    top = block.box.y1 < page.height / 2
    for other, text in enumerate(page.blocks):
        if other == index:
            continue
        if (text.box.y1 < block.box.y0) if top else (text.box.y0 > block.box.y1):
            return False
    return True
