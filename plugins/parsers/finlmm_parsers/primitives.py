"""What a PDF library has to tell of a page before layout analysis can begin.

Both parsers fill these; everything above them (lines, blocks, tables, charts, captions, cleaning) is shared and knows
no PDF library. Coordinates are PDF points, origin top left of the page as shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from finlmm_core.domain import Box, TextSource

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Word(NamedTuple):
    """A run of characters without white space (a CJK run counts as one word).

    The box spans the font's whole height (ascent to descent), so that words of one line have equal tops and bottoms
    whatever their letters are. Size and weight are those of the first character.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float  # font size in points as shown
    bold: bool = False
    upright: bool = True  # False where the writing does not run left to right as shown (a turned axis label)

    @property
    def box(self) -> Box:
        return Box(self.x0, self.y0, self.x1, self.y1)


class Shape(NamedTuple):
    """One painted path: its bounds, what it is made of, and its colours as 0xRRGGBB (None where not painted).

    A filled path of several upright rectangles and nothing else comes as one shape a rectangle.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    segments: int  # number of path segments; a rectangle has 4 or 5
    curved: bool  # has a Bezier segment
    fill: int | None
    stroke: int | None
    line_width: float = 0.0
    diagonal: bool = False  # an unfilled path with a straight segment that is neither horizontal nor vertical

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
    problem: str = ""  # why the page could be read in part only

    @cached_property
    def word_boxes(self) -> NDArray[np.float64]:
        """The boxes of ``words`` as rows x0, y0, x1, y1, for geometry without Python loops."""
        return _boxes(self.words, 1)

    @cached_property
    def shape_boxes(self) -> NDArray[np.float64]:
        """The boxes of ``shapes`` as rows x0, y0, x1, y1."""
        return _boxes(self.shapes, 0)


def _boxes(items: Sequence[tuple[Any, ...]], first: int) -> NDArray[np.float64]:
    if not items:
        return np.empty((0, 4))
    return np.array([item[first : first + 4] for item in items], dtype=np.float64)
