"""What every OCR engine must do. Plugin authors subclass :class:`OcrContract` and say how their engine is made."""

from __future__ import annotations

from collections import Counter

import pytest
from PIL import Image, ImageDraw, ImageFont

from finlmm_core.plugins.bases import OcrEngine, OcrLine

ROWS = (("Revenue", "1,944", "1,732"), ("Costs", "(612)", "(598)"), ("Profit", "1,332", "1,134"))


def table_picture(size: int = 28, mode: str = "RGB") -> Image.Image:
    """Return a drawn table of ROWS on white, about 16 times as wide as its print is high."""
    picture = Image.new("RGB", (size * 20, size * 8), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size)
    for row, cells in enumerate(ROWS):
        for column, text in enumerate(cells):
            draw.text((size + column * size * 7, size + row * size * 2), text, fill="black", font=font)
    return picture.convert(mode)


def characters(lines: list[OcrLine]) -> Counter[str]:
    """Return the counted characters of the lines without spaces."""
    return Counter(char for line in lines for char in line.text if not char.isspace())


class OcrContract:
    """Subclass, define the fixture ``engine``, and pytest runs these tests on it."""

    @pytest.fixture
    def engine(self) -> OcrEngine:
        raise NotImplementedError("define a fixture 'engine' that returns the engine under test")

    #: Share of the printed characters that must be read.
    read_at_least = 0.9

    def test_works_here(self, engine: OcrEngine) -> None:
        engine.check()

    def test_reads_printed_text(self, engine: OcrEngine) -> None:
        lines = engine.read([table_picture()])[0]
        printed = Counter(char for row in ROWS for cell in row for char in cell)
        assert (characters(lines) & printed).total() >= self.read_at_least * printed.total()

    def test_answers_every_image_in_order(self, engine: OcrEngine) -> None:
        blank = Image.new("RGB", (200, 100), "white")
        answers = engine.read([blank, table_picture(), blank])
        assert [bool(lines) for lines in answers] == [False, True, False]
        assert engine.read([]) == []

    @pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
    def test_takes_any_mode(self, engine: OcrEngine, mode: str) -> None:
        assert characters(engine.read([table_picture(mode=mode)])[0]).total() > 10

    def test_transparent_is_white(self, engine: OcrEngine) -> None:
        clear = Image.new("RGBA", (560, 120), (0, 0, 0, 0))
        draw = ImageDraw.Draw(clear)
        draw.text((20, 30), "Revenue 1,944", fill=(0, 0, 0, 255), font=ImageFont.load_default(36))
        assert characters(engine.read([clear])[0]).total() >= 8

    def test_boxes_are_pixels_of_the_given_image(self, engine: OcrEngine) -> None:
        for size in (14, 60):  # small print is enlarged, large print is shrunk: boxes must come back
            picture = table_picture(size)
            lines = engine.read([picture])[0]
            assert lines
            for line in lines:
                assert 0 <= line.box.x0 < line.box.x1 <= picture.width
                assert 0 <= line.box.y0 < line.box.y1 <= picture.height
                assert 0 <= line.confidence <= 1
                assert line.text == line.text.strip() != ""
            label = next(line for line in lines if "even" in line.text.lower())
            assert abs(label.box.x0 - size) < size and abs(label.box.y0 - size) < size

    def test_lines_are_in_reading_order(self, engine: OcrEngine) -> None:
        text = " ".join(line.text for line in engine.read([table_picture()])[0]).lower()
        places = [text.find(word) for word in ("even", "ost", "ofit")]
        assert -1 not in places
        assert places == sorted(places)

    def test_same_image_same_lines(self, engine: OcrEngine) -> None:
        assert engine.read([table_picture()]) == engine.read([table_picture()])

    def test_tiny_images_have_no_text(self, engine: OcrEngine) -> None:
        assert engine.read([Image.new("RGB", (1, 1)), Image.new("L", (3, 400))]) == [[], []]
