"""What is in a chart, taken apart: words in lines, shapes, pixels, and the numbers that may be its values."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box
from finlmm_core.quantities import parse_number, parse_units
from finlmm_parsers.chart_marks import is_white
from finlmm_parsers.layout.text import join_lines, join_words
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives, Shape, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CURRENCY_SIGN = re.compile(r"\A(?:[A-Z]{0,3}[$€£¥₩₹￥]|RMB|CNY|HK\$)\Z")


@dataclass(slots=True)
class Label:
    """A printed number: its words (indices), how it is written, and what it says (scale words applied)."""

    words: tuple[int, ...]
    text: str
    box: Box
    value: float
    step: float  # one unit of the last printed digit
    percent: bool
    size: float

    @property
    def x(self) -> float:
        return (self.box.x0 + self.box.x1) / 2

    @property
    def y(self) -> float:
        return (self.box.y0 + self.box.y1) / 2


@dataclass(slots=True)
class Piece:
    """A run of words of one printed line."""

    text: str
    box: Box
    size: float
    bold: bool
    words: tuple[int, ...] = ()

    @property
    def x(self) -> float:
        return (self.box.x0 + self.box.x1) / 2

    @property
    def y(self) -> float:
        return (self.box.y0 + self.box.y1) / 2


@dataclass(slots=True)
class ChartPixels:
    """The rendered chart: pixels (height, width, 3) and the box in points that they show."""

    pixels: NDArray[np.uint8]
    box: Box

    def at(self, box: Box) -> NDArray[np.uint8]:
        """Return the pixels of a box; empty where it lies outside."""
        height, width = self.pixels.shape[:2]
        across, down = width / self.box.width, height / self.box.height
        x0 = max(0, round((box.x0 - self.box.x0) * across))
        x1 = min(width, round((box.x1 - self.box.x0) * across))
        y0 = max(0, round((box.y0 - self.box.y0) * down))
        y1 = min(height, round((box.y1 - self.box.y0) * down))
        return self.pixels[y0 : max(y0, y1), x0 : max(x0, x1)]

    def ink(self, box: Box) -> int | None:
        """Return the colour of what is written in a box: the commonest one far from its commonest (the paper's)."""
        pixels = self.at(box).reshape(-1, 3).astype(np.int64)
        if len(pixels) < 12:
            return None
        codes = pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2]
        values, counts = np.unique(codes, return_counts=True)
        paper = int(values[np.argmax(counts)])
        channels = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1)
        ground = np.array([paper >> 16, paper >> 8 & 255, paper & 255])
        far = np.abs(channels - ground).max(axis=1)
        if far.max() < 24:
            return None
        inked = far >= 0.85 * far.max()  # letters are thin: most of their pixels are mixed with the paper
        best = np.argmax(np.where(inked, counts, 0))
        return int(values[best])


@dataclass(slots=True)
class Chart:
    """A chart region taken apart; coordinates in points."""

    page: PagePrimitives
    box: Box
    words: list[Word]
    rows: list[list[int]]  # printed lines as indices into words, left to right
    shapes: list[Shape]  # painted shapes inside, without what is white
    labels: list[Label]
    pixels: ChartPixels | None
    caption: str = ""
    legend: tuple[list[tuple[int, Piece]], set[int]] | None = None  # found once

    def pieces(self, without: Set[int] = frozenset()) -> list[Piece]:
        """Return the upright text as runs of words, cut at words that are left out and at gaps wider than a letter."""
        found: list[Piece] = []
        for row in self.rows:
            run: list[int] = []
            for index in row:
                word = self.words[index]
                if index in without or not word.upright:
                    found += self.piece(run)
                    run = []
                    continue
                if run and word.x0 - self.words[run[-1]].x1 > 1.1 * word.size:
                    found += self.piece(run)
                    run = []
                run.append(index)
            found += self.piece(run)
        return found

    def piece(self, run: Sequence[int]) -> list[Piece]:
        """Return a run of words of one line as a piece, [] for none; notes' raised numbers are left out."""
        run = _without_marks(self.words, run)
        if not run:
            return []
        words = [self.words[index] for index in run]
        longest = max(words, key=lambda word: len(word.text))
        return [
            Piece(join_words(words), Box.around(word.box for word in words), longest.size, longest.bold, tuple(run))
        ]


def _without_marks(words: Sequence[Word], run: Sequence[int]) -> Sequence[int]:
    """Leave out raised numbers of notes: shorter than 0.8 of the word before and set higher."""
    kept: list[int] = []
    for index in run:
        word = words[index]
        if kept and word.text.strip("(),*").isdigit() and len(word.text) <= 3:
            before = words[kept[-1]]
            if word.size < 0.8 * before.size and word.y1 < before.y1 - 0.1 * before.size:
                continue
        kept.append(index)
    return kept


def open_chart(
    page: PagePrimitives, lines: Sequence[Line], box: Box, pixels: ChartPixels | None, caption: str
) -> Chart:
    """Gather what lies in a chart's region."""
    inside = box.grown(2.0)
    words: list[Word] = []
    rows: list[list[int]] = []
    for line in lines:
        if line.y0 > inside.y1 or line.y1 < inside.y0 or line.x0 > inside.x1 or line.x1 < inside.x0:
            continue
        row = []
        for word in line.words:
            x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
            if inside.x0 <= x <= inside.x1 and inside.y0 <= y <= inside.y1:
                row.append(len(words))
                words.append(word)
        if row:
            rows.append(row)
    shapes = []
    boxes = page.shape_boxes
    if len(boxes):
        within = (
            (boxes[:, 0] >= inside.x0)
            & (boxes[:, 1] >= inside.y0)
            & (boxes[:, 2] <= inside.x1)
            & (boxes[:, 3] <= inside.y1)
        )
        shapes = [page.shapes[index] for index in np.flatnonzero(within)]
        shapes = [shape for shape in shapes if shape.stroke is not None or not is_white(shape.fill)]
    chart = Chart(page, box, words, rows, shapes, [], pixels, caption)
    chart.labels = _labels(chart)
    return chart


def _labels(chart: Chart) -> list[Label]:
    """Return each number that stands for itself: a word, with a currency or percent sign in a word beside it."""
    found = []
    for row in chart.rows:
        position = 0
        while position < len(row):
            taken = 1
            word = chart.words[row[position]]
            texts = [word.text]
            if _CURRENCY_SIGN.match(word.text) and position + 1 < len(row):
                texts.append(chart.words[row[position + 1]].text)
                taken = 2
            if position + taken < len(row) and chart.words[row[position + taken]].text in ("%", "％"):
                texts.append("%")
                taken += 1
            text = " ".join(texts)
            if taken == 2 and texts[0][-1] in "$€£¥₩₹￥":
                text = "".join(texts)
            number = parse_number(text) if any(character.isdigit() for character in text) else None
            if number is not None and word.upright:
                indices = tuple(row[position : position + taken])
                box = Box.around(chart.words[index].box for index in indices)
                step = float(Decimal(1).scaleb(-number.decimals)) * number.scale
                found.append(Label(indices, text, box, float(number.plain), step, number.percent, word.size))
                position += taken
            else:
                position += 1
    return found


def goes_on(below: Piece, above: Piece) -> bool:
    """Tell whether a line goes on the text of the line above it: same writing, right below, one over the other."""
    if abs(below.size - above.size) > 0.6 or below.bold != above.bold:
        return False
    overlap = min(above.box.x1, below.box.x1) - max(above.box.x0, below.box.x0)
    gap = below.box.y0 - above.box.y1
    return -0.6 * below.size < gap < 0.6 * below.size and overlap > 0 and below.y - above.y > 0.5 * below.size


def joined(pieces: Sequence[Piece]) -> Piece:
    """Return the lines of one text, top to bottom, as one."""
    ordered = sorted(pieces, key=lambda piece: (piece.box.y0, piece.box.x0))

    return Piece(
        join_lines([piece.text for piece in ordered]),
        Box.around(piece.box for piece in ordered),
        ordered[0].size,
        ordered[0].bold,
        tuple(index for piece in ordered for index in piece.words),
    )


def is_unit(text: str) -> bool:
    """Tell a line that says in what the values are given and nothing else."""
    units = parse_units(text)
    rest = text.replace(units.text, "") if units.text else text
    return sum(character.isalpha() for character in rest) <= 3
