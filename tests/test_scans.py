"""Scanned pages: when a page is read by OCR, where the words of a line stand, what shapes its pixels make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from finlmm_parsers.primitives import PagePrimitives, Raster, Shape, Word
from finlmm_parsers.scan_shapes import shapes_of_picture
from finlmm_parsers.scan_words import words_of_lines
from finlmm_parsers.scans import covered_share, is_garbage, needs_reading, read_scan
from PIL import Image, ImageDraw, ImageFont

from finlmm_core.domain import Box
from finlmm_core.plugins.bases import OcrEngine, OcrLine

WIDTH, HEIGHT = 612.0, 792.0
POINTS = 0.5  # a pixel's length in the pictures below
PROSE = "Revenue for the year rose because demand grew in all regions and prices held up well. " * 5


def page_of(text: str = "", rasters: Sequence[Box] = (), shapes: int = 0) -> PagePrimitives:
    words = [Word(word, 10.0, 10.0, 20.0, 20.0, 10.0) for word in text.split()]
    painted = [Shape(10, 10, 20, 20, 8, True, 0, None)] * shapes
    pictures = [Raster(*box, 100, 100, str(index)) for index, box in enumerate(rasters)]
    return PagePrimitives(1, WIDTH, HEIGHT, words, painted, pictures)


def font(size: int) -> Any:
    return ImageFont.load_default(size)


# ----------------------------------------------------------------------------------------- which pages are read


def test_a_page_that_is_one_picture_is_read() -> None:
    assert needs_reading(page_of(rasters=[Box(0, 0, WIDTH, HEIGHT)]))


def test_a_stamp_over_a_scan_does_not_hide_that_it_must_be_read() -> None:
    assert needs_reading(page_of("Case 2:18-cv-12857 Filed 09/13/18 Page 13 of 16", [Box(0, 0, WIDTH, HEIGHT)]))


def test_a_scan_in_strips_is_one_picture() -> None:
    strips = [Box(0, 99.0 * strip, WIDTH, 99.0 * strip + 99) for strip in range(8)]
    assert covered_share(page_of(rasters=strips).rasters, WIDTH, HEIGHT) == 1.0
    assert needs_reading(page_of(rasters=strips))


def test_letters_drawn_as_outlines_are_read() -> None:
    assert needs_reading(page_of(shapes=800))


@pytest.mark.parametrize("pictures", [[], [Box(0, 0, WIDTH, HEIGHT)], [Box(100, 100, 400, 300)]])
def test_a_page_with_prose_is_not_read_whatever_is_behind_it(pictures: list[Box]) -> None:
    assert not needs_reading(page_of(PROSE, pictures))


def test_an_empty_page_and_a_page_with_a_small_picture_are_not_read() -> None:
    assert not needs_reading(page_of())
    assert not needs_reading(page_of("Annual report", [Box(100, 100, 200, 200)]))


@pytest.mark.parametrize(
    "text",
    ["\ue001\ue002\ue003" * 60, "\ufffd" * 80, "\x01\x02\x05" * 40, "".join(chr(ord(c) - 29) for c in PROSE)],
    ids=["private use", "replacement", "control", "shifted letters"],
)
def test_a_text_layer_that_means_nothing_is_garbage(text: str) -> None:
    assert is_garbage(text.split(" "))


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "公司二〇二一年营业收入同比增长百分之十三。" * 10,
        "1,250 (700) 550 12.5% $ 3,100 " * 20,
        "Net sales 2021 2020",
        "",
    ],
    ids=["English", "Chinese", "numbers", "short", "empty"],
)
def test_real_text_is_no_garbage(text: str) -> None:
    assert not is_garbage(text.split(" "))


# ----------------------------------------------------------------------------------------- words of a line


def drawn_line(text: str, background: int = 255, ink: int = 0) -> tuple[Any, OcrLine, list[tuple[float, float]]]:
    """Draw a line; return the picture, the line as an engine would give it, and where each word really is."""
    image = Image.new("L", (900, 80), background)
    draw = ImageDraw.Draw(image)
    left = 40.0
    truth = []
    for word in text.split():
        draw.text((left, 25), word, fill=ink, font=font(24))
        box = draw.textbbox((left, 25), word, font=font(24))
        truth.append((box[0], box[2]))
        left += draw.textlength(word + " ", font=font(24))
    line = OcrLine(text, Box(truth[0][0] - 8, 16, truth[-1][1] + 8, 64), 0.99)
    return np.asarray(image), line, truth


@pytest.mark.parametrize(
    "text", ["Total operating expenses were 1,250 million", "illicit fill will still", "a b c d", "2019 2020 2021 2022"]
)
@pytest.mark.parametrize("colours", [(255, 0), (40, 250)], ids=["dark on light", "light on dark"])
def test_words_of_a_line_stand_where_they_were_drawn(text: str, colours: tuple[int, int]) -> None:
    grey, line, truth = drawn_line(text, *colours)
    words = words_of_lines([line], grey, POINTS)
    assert [word.text for word in words] == text.split()
    for word, (start, end) in zip(words, truth, strict=True):
        assert abs(word.x0 - start * POINTS) <= 2 and abs(word.x1 - end * POINTS) <= 2
        assert 8 <= word.size <= 16


def test_a_rule_under_a_line_and_the_next_line_are_not_its_letters() -> None:
    grey, line, _ = drawn_line("Total current assets")
    grey = grey.copy()
    grey[60:62, :] = 0
    word = words_of_lines([line], grey, POINTS)[0]
    assert word.y1 <= 30 and word.y1 - word.y0 <= 16


# ----------------------------------------------------------------------------------------- shapes of a picture


def test_bars_of_a_picture_become_rectangles_on_one_baseline() -> None:
    image = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(image)
    tops = (400, 300, 220, 150)
    for place, top in enumerate(tops):
        draw.rectangle((100 + 150 * place, top, 179 + 150 * place, 499), fill=(30, 90, 180))
    draw.line((60, 500, 760, 500), fill="black", width=2)
    shapes, photographs = shapes_of_picture(jpeg(image), [], POINTS)
    bars = sorted((shape for shape in shapes if shape.y1 - shape.y0 > 30), key=lambda shape: shape.x0)
    assert photographs == [] and len(bars) == len(tops)
    assert len({bar.y1 for bar in bars}) == 1 and len({round(bar.x1 - bar.x0, 1) for bar in bars}) == 1
    for bar, top in zip(bars, tops, strict=True):
        assert not bar.curved and bar.fill is not None and abs(bar.y0 - top * POINTS) <= 2
    assert any(shape.x1 - shape.x0 > 340 and shape.y1 - shape.y0 < 4 for shape in shapes), "the axis is one line"


def test_a_pie_becomes_curved_patches_and_a_curve_a_stroke() -> None:
    image = Image.new("RGB", (900, 500), "white")
    draw = ImageDraw.Draw(image)
    colours = ((200, 60, 40), (60, 160, 80), (40, 80, 200))
    for place, colour in enumerate(colours):
        draw.pieslice((60, 60, 420, 420), 120 * place, 120 * place + 120, fill=colour)
    points = [(500 + 4 * step, 250 + 120 * np.sin(step / 12)) for step in range(90)]
    draw.line(points, fill=(90, 20, 120), width=3)
    shapes, _ = shapes_of_picture(jpeg(image), [], POINTS)
    sectors = [shape for shape in shapes if shape.curved and shape.fill is not None and shape.x1 < 220]
    assert len(sectors) == 3
    curves = [shape for shape in shapes if shape.stroke is not None and shape.x0 > 240]
    assert curves and max(curve.x1 - curve.x0 for curve in curves) > 150


def test_words_are_wiped_and_the_bands_and_rules_behind_them_go_on() -> None:
    image = Image.new("RGB", (800, 300), "white")
    draw = ImageDraw.Draw(image)
    words = []
    for row in range(5):
        top = 40 + 40 * row
        if row % 2:
            draw.rectangle((50, top, 749, top + 39), fill=(205, 225, 250))
        for column, text in enumerate(("Operating income", "1,250", "1,100")):
            place = (70 + 280 * column, top + 8)
            draw.text(place, text, fill="black", font=font(20))
            x0, y0, x1, y1 = draw.textbbox(place, text, font=font(20))
            words.append(Word(text, x0 * POINTS, y0 * POINTS, x1 * POINTS, y1 * POINTS, 10))
    shapes, photographs = shapes_of_picture(jpeg(image), words, POINTS)
    assert photographs == []
    bands = [shape for shape in shapes if shape.x1 - shape.x0 > 340]
    assert len(bands) == 2 and not any(shape.curved for shape in shapes)


def test_a_photograph_is_told_from_a_drawing() -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    image = Image.new("RGB", (800, 600), "white")
    image.paste(Image.fromarray(noise).resize((300, 240), Image.Resampling.BICUBIC), (100, 100))
    ImageDraw.Draw(image).rectangle((500, 100, 600, 340), fill=(30, 90, 180))
    shapes, photographs = shapes_of_picture(jpeg(image), [], POINTS)
    assert len(photographs) == 1 and photographs[0].box.iou(Box(50, 50, 200, 170)) > 0.8
    assert any(shape.box.iou(Box(250, 50, 300, 170)) > 0.9 for shape in shapes)


def jpeg(image: Any) -> Any:
    """Return the pixels as a scanner or an export to pictures leaves them."""
    import io

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return np.asarray(Image.open(buffer).convert("RGB"))


# ----------------------------------------------------------------------------------------- the page


class OneLineEngine(OcrEngine):
    """Stands for an engine: reads the same line in every picture and counts how often it is asked."""

    name = "one-line"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []

    def read(self, images: Sequence[Any]) -> list[list[OcrLine]]:
        self.asked += [image.size for image in images]
        return [[OcrLine("Filed 2021", Box(100, 100, 300, 140), 0.9)] for _ in images]


class WhitePages:
    """Renders white pages."""

    def render(self, number: int, box: Box | None, dpi: float) -> Any:
        assert box is None
        return Image.new("RGB", (round(WIDTH * dpi / 72), round(HEIGHT * dpi / 72)), "white")


def test_a_page_is_rendered_and_read_once_at_a_bounded_size() -> None:
    engine = OneLineEngine()
    page = read_scan(page_of(rasters=[Box(0, 0, WIDTH, HEIGHT)]), WhitePages(), engine)
    assert len(engine.asked) == 1 and max(engine.asked[0]) <= 1610
    assert page.text_source == "ocr" and [word.text for word in page.words] == ["Filed", "2021"]
    assert page.rasters == [] and (page.width, page.height) == (WIDTH, HEIGHT)


def test_words_of_a_good_layer_are_kept_where_ocr_reads_them_again() -> None:
    points = HEIGHT / 1600
    stamp = Word("Filed", 100 * points, 100 * points, 190 * points, 140 * points, 12)
    page = page_of(rasters=[Box(0, 0, WIDTH, HEIGHT)])
    page.words.append(stamp)
    texts = [word.text for word in read_scan(page, WhitePages(), OneLineEngine()).words]
    assert texts == ["Filed", "2021"]
