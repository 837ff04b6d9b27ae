"""A page under construction: drawing operations that are recorded, measured and played to a reportlab canvas.

Coordinates are points with the origin top left and y downwards. Every drawing method returns the box of its ink, so
that truth is measured where it is made. Recording first makes it possible to draw one page twice: into a report, or
alone to be turned into a scan.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from finlmm_core.domain import Box
from finlmm_core.synth.fonts import text_width

Color = tuple[float, float, float]

#: Glyphs that reach below the base line.
_DESCENDING = frozenset("gjpqy,;()[]Q$/|_@")
_TALL = frozenset("bdfhkltiABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()[]$%£€/&'!?§#|")


def is_cjk(char: str) -> bool:
    """Whether a character takes the full square of a CJK font."""
    return "\u2e80" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef" or "\u3000" <= char <= "\u303f"


def ink_box(x0: float, baseline: float, width: float, text: str, size: float) -> Box:
    """Return the ink of a line of text, from the heights that its glyphs have in common fonts."""
    if any(is_cjk(char) for char in text):
        return Box(x0, baseline - 0.86 * size, x0 + width, baseline + 0.12 * size)
    above = 0.72 if any(char in _TALL for char in text) else 0.53
    below = 0.2 if any(char in _DESCENDING for char in text) else 0.01
    return Box(x0, baseline - above * size, x0 + width, baseline + below * size)


class Sheet:
    """One page: a size in points and the list of what is painted on it, in order."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.operations: list[Callable[[Any], None]] = []

    def play(self, canvas: Any) -> None:
        """Paint everything on a reportlab canvas whose page has this sheet's size."""
        for operation in self.operations:
            operation(canvas)

    def text(
        self,
        x: float,
        baseline: float,
        text: str,
        font: str,
        size: float,
        color: Color = (0.0, 0.0, 0.0),
        align: str = "left",
        word_space: float = 0.0,
    ) -> Box:
        """Write one line; ``x`` is its left edge, right edge or middle as ``align`` says."""
        width = text_width(text, font, size) + word_space * text.count(" ")
        left = x if align == "left" else x - width if align == "right" else x - width / 2
        height = self.height

        def draw(canvas: Any) -> None:
            canvas.setFillColorRGB(*color)
            canvas.setFont(font, size)
            canvas.drawString(left, height - baseline, text, wordSpace=word_space)

        self.operations.append(draw)
        return ink_box(left, baseline, width, text, size)

    def rect(self, box: Box, fill: Color | None = None, stroke: Color | None = None, line_width: float = 0.5) -> Box:
        """Paint a rectangle."""
        height = self.height

        def draw(canvas: Any) -> None:
            if fill is not None:
                canvas.setFillColorRGB(*fill)
            if stroke is not None:
                canvas.setStrokeColorRGB(*stroke)
                canvas.setLineWidth(line_width)
            canvas.rect(
                box.x0,
                height - box.y1,
                box.width,
                box.height,
                stroke=int(stroke is not None),
                fill=int(fill is not None),
            )

        self.operations.append(draw)
        return box

    def line(
        self, x0: float, y0: float, x1: float, y1: float, color: Color = (0, 0, 0), line_width: float = 0.5
    ) -> Box:
        """Paint a straight line."""
        height = self.height

        def draw(canvas: Any) -> None:
            canvas.setStrokeColorRGB(*color)
            canvas.setLineWidth(line_width)
            canvas.line(x0, height - y0, x1, height - y1)

        self.operations.append(draw)
        half = line_width / 2
        return Box(min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half)

    def polygon(self, points: Sequence[tuple[float, float]], fill: Color) -> Box:
        """Paint a filled polygon."""
        height = self.height
        corners = [(x, height - y) for x, y in points]

        def draw(canvas: Any) -> None:
            canvas.setFillColorRGB(*fill)
            path = canvas.beginPath()
            path.moveTo(*corners[0])
            for corner in corners[1:]:
                path.lineTo(*corner)
            path.close()
            canvas.drawPath(path, stroke=0, fill=1)

        self.operations.append(draw)
        return Box(
            min(x for x, _ in points), min(y for _, y in points), max(x for x, _ in points), max(y for _, y in points)
        )

    def circle(self, x: float, y: float, radius: float, fill: Color) -> Box:
        """Paint a filled circle."""
        height = self.height

        def draw(canvas: Any) -> None:
            canvas.setFillColorRGB(*fill)
            canvas.circle(x, height - y, radius, stroke=0, fill=1)

        self.operations.append(draw)
        return Box(x - radius, y - radius, x + radius, y + radius)

    def image(self, box: Box, encoded: bytes, mask: bool = False) -> Box:
        """Paint an encoded picture (PNG or JPEG) into a box."""
        height = self.height

        def draw(canvas: Any) -> None:
            from reportlab.lib.utils import ImageReader

            reader = ImageReader(io.BytesIO(encoded))
            canvas.drawImage(reader, box.x0, height - box.y1, box.width, box.height, mask="auto" if mask else None)

        self.operations.append(draw)
        return box

    def paint(self, operation: Callable[[Any], None]) -> None:
        """Record an operation that draws on the canvas by itself (origin bottom left, as reportlab has it)."""
        self.operations.append(operation)
