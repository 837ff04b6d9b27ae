"""What a PDF library has to tell of a page before layout analysis can begin.

Both parsers fill these; everything above them (lines, blocks, tables, charts, captions, cleaning) is shared and knows
no PDF library. Coordinates are PDF points, origin top left of the page as shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from finlmm_core.domain import Box, TextSource


class Word(NamedTuple):
    """A run of characters without white space (a CJK run counts as one word), in one font size."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float  # font size in points as shown
    bold: bool = False

    @property
    def box(self) -> Box:
        return Box(self.x0, self.y0, self.x1, self.y1)


class Shape(NamedTuple):
    """One painted path: its bounds, what it is made of, and its colours as 0xRRGGBB (None where not painted)."""

    x0: float
    y0: float
    x1: float
    y1: float
    segments: int  # number of path segments; a rectangle has 4 or 5
    curved: bool  # has a Bezier segment
    fill: int | None
    stroke: int | None
    line_width: float = 0.0

    @property
    def box(self) -> Box:
        return Box(self.x0, self.y0, self.x1, self.y1)


class Raster(NamedTuple):
    """One painted picture: where it stands, its size in pixels, and a hash that tells repeated pictures."""

    x0: float
    y0: float
    x1: float
    y1: float
    pixel_width: int
    pixel_height: int
    digest: str

    @property
    def box(self) -> Box:
        return Box(self.x0, self.y0, self.x1, self.y1)


@dataclass
class PagePrimitives:
    """Everything painted on one page, in painting order."""

    number: int  # counted from 1
    width: float
    height: float
    words: list[Word] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    rasters: list[Raster] = field(default_factory=list)
    text_source: Literal["layer", "ocr", "none"] | TextSource = "layer"
