"""What the stages of layout analysis hand to each other, and their signatures.

The order, page by page (``assemble.py`` is the caller)::

    lines.find_lines(page: PagePrimitives) -> list[Line]
    tables.find_tables(page: PagePrimitives, lines: list[Line]) -> list[TableRegion]
    regions.find_figures(page, lines, tables) -> list[FigureRegion]
    captions.link_captions(page, lines, boxes: list[tuple[Box, FigureKind]]) -> list[Caption | None]  # one a box
    blocks.find_blocks(page, lines, taken: list[Box]) -> list[Block]       # domain.Block, reading order, text that
                                                                           # lies in no taken box (captions are
                                                                           # blocks of kind caption)
and once a document, when only the finished ``domain.Page`` objects are left in memory::

    running.find_running(pages: Sequence[domain.Page]) -> list[frozenset[int]]  # for each page the indices of blocks
                                                                                # that are running heads or feet
    meta.read_meta(pages: Sequence[domain.Page], source: str) -> domain.DocumentMeta

Budget for lines, tables, captions and blocks together: 3 ms of CPU a page on average (``parse.ratio`` <= 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from finlmm_core.domain import Box, FigureKind
from finlmm_parsers.primitives import Word


def _length(word: Word) -> int:
    return len(word[0])


class Line:
    """Words that a reader reads as one line without a jump: cells of a table row or of two columns are lines apart."""

    __slots__ = ("bold", "row", "size", "text", "upright", "words", "x0", "x1", "y0", "y1")

    def __init__(self, words: list[Word], row: int, text: str) -> None:
        self.words = words
        self.row = row  # lines of one printed row share it
        self.text = text
        first = words[0]
        if len(words) == 1:
            self.x0, self.y0, self.x1, self.y1 = first[1:5]
            longest = first
        else:
            self.x0 = first[1]
            _, _, tops, rights, bottoms, _, _, _ = zip(*words, strict=True)
            self.y0 = min(tops)
            self.x1 = max(rights)
            self.y1 = max(bottoms)
            last = words[-1]
            if first[5] == last[5] and first[6] == last[6]:
                longest = first
            else:
                longest = max(words, key=_length)
        self.size = longest[5]  # font size in points as shown
        self.bold = longest[6]
        self.upright = first[7]

    @property
    def box(self) -> Box:
        return Box(self.x0, self.y0, self.x1, self.y1)


@dataclass(slots=True)
class TableRegion:
    """A table on a page. ``box`` is tight around its ink: heading rows, body, rules; not the caption, not notes.

    The fields below ``box`` mean what the same fields of ``domain.Table`` mean.
    """

    box: Box
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cell_boxes: tuple[tuple[Box | None, ...], ...]
    header_boxes: tuple[Box | None, ...] = ()
    row_groups: tuple[str, ...] = ()
    title: str = ""
    unit: str | None = None
    scale: int = 1
    currency: str | None = None


@dataclass(slots=True)
class FigureRegion:
    """A chart or an informative image on a page, labels, legend and its own title included."""

    box: Box
    kind: FigureKind
    source: Literal["vector", "raster", "scan"]
    rasters: list[int] = field(default_factory=list)  # indices into the page's rasters that it is made of


class Caption(NamedTuple):
    """The words that name a figure and where they stand."""

    text: str
    box: Box


@dataclass
class Column:
    """Extent of a column's body cells; ``stub`` and text columns are left aligned, value columns mostly right."""

    x0: float
    x1: float
    text: bool = False

    @property
    def middle(self) -> float:
        return (self.x0 + self.x1) / 2
