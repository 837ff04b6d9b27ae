"""Pages of words laid out by hand, for tests of layout analysis: what stands where is the test's to say."""

from __future__ import annotations

from finlmm_parsers.primitives import PagePrimitives, Raster, Shape, Word
from reportlab.pdfbase.pdfmetrics import stringWidth

ASCENT, DESCENT = 0.75, 0.23  # of the font size, as Helvetica has


class Sheet:
    """A page that is written on line by line; y is the baseline, in points from the top."""

    def __init__(self, width: float = 612, height: float = 792, number: int = 1) -> None:
        self.number, self.width, self.height = number, width, height
        self.words: list[Word] = []
        self.shapes: list[Shape] = []
        self.rasters: list[Raster] = []

    def text(self, x: float, y: float, text: str, size: float = 9, bold: bool = False, align: str = "left") -> Sheet:
        """Write a line of words; ``x`` is its left, middle or right as ``align`` says."""
        words = [(part, self.measure(part, size, bold)) for part in text.split(" ")]
        space = self.measure(" ", size, bold)
        total = sum(width for _, width in words) + space * (len(words) - 1)
        x -= {"left": 0.0, "center": total / 2, "right": total}[align]
        for part, width in words:
            if part:
                self.words.append(Word(part, x, y - ASCENT * size, x + width, y + DESCENT * size, size, bold))
            x += width + space
        return self

    def row(self, y: float, label: str, values: list[str], right: list[float], x: float = 50, **style: object) -> Sheet:
        """Write a label and right-aligned values; a value ``"$ 12"`` puts the sign 34 points before the right edge."""
        self.text(x, y, label, **style)  # type: ignore[arg-type]
        for value, edge in zip(values, right, strict=True):
            if value.startswith("$ "):
                self.text(edge - 44, y, "$", **style)  # type: ignore[arg-type]
                value = value[2:]
            if value:
                # a closing parenthesis hangs out of the column, as in filings
                hang = self.measure(")", 9, False) if value.endswith(")") else 0.0
                self.text(edge + hang, y, value, align="right", **style)  # type: ignore[arg-type]
        return self

    def rule(self, x0: float, x1: float, y: float) -> Sheet:
        """Draw a thin horizontal line."""
        self.shapes.append(Shape(x0, y, x1, y + 0.5, 5, False, 0, None, 0.0))
        return self

    def band(self, x0: float, y0: float, x1: float, y1: float, fill: int = 0xCCEEFF) -> Sheet:
        """Shade a rectangle."""
        self.shapes.append(Shape(x0, y0, x1, y1, 5, False, fill, None, 0.0))
        return self

    def prose(self, x: float, y: float, width: float, text: str, size: float = 9, leading: float = 1.25) -> float:
        """Write a paragraph broken to a width; return the baseline of the line after it."""
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and self.measure(longer, size, False) > width:
                self.text(x, y, line, size)
                y += leading * size
                line = word
            else:
                line = longer
        if line:
            self.text(x, y, line, size)
            y += leading * size
        return y

    @staticmethod
    def measure(text: str, size: float, bold: bool) -> float:
        """Return how wide a text is set, Chinese characters one em each."""
        font = "Helvetica-Bold" if bold else "Helvetica"
        return sum(size if ord(c) > 0x2E7F else stringWidth(c, font, size) for c in text)

    @property
    def page(self) -> PagePrimitives:
        return PagePrimitives(self.number, self.width, self.height, self.words, self.shapes, self.rasters)


PROSE = (
    "Net revenue increased in both segments because demand for storage recovered in the second half of the year and "
    "prices held up better than expected, while the cost of materials fell. Management expects this to continue, "
    "though currency movements and the timing of large projects may change the picture from quarter to quarter. "
)
