"""What is written in a chart, told apart: printed values, legends with their colours, everything else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box
from finlmm_core.quantities import parse_number, parse_period, parse_units
from finlmm_parsers.chart_marks import is_white
from finlmm_parsers.layout.text import join_lines, join_words
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives, Shape, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Signs that legends use for a swatch where it is written and not drawn.
_SWATCH_SIGNS = frozenset("■□▪▫●○•◆◇▲△▼")
_CURRENCY_SIGN = re.compile(r"\A(?:[A-Z]{0,3}[$€£¥₩₹￥]|RMB|CNY|HK\$)\Z")
#: Two colours whose channels differ by no more than this are one (a swatch's edge pixels are mixed with the paper).
SAME_COLOUR = 10


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


# --------------------------------------------------------------------------------------------------------- legends


def same_colour(first: int, second: int, tolerance: int = SAME_COLOUR) -> bool:
    """Tell whether two colours as 0xRRGGBB differ by no more than so much in any channel."""
    return all(abs((first >> shift & 255) - (second >> shift & 255)) <= tolerance for shift in (16, 8, 0))


def is_swatch(shape: Shape, pieces: Sequence[Piece]) -> Piece | None:
    """Return the text that a small shape explains: it starts right beside it, in its line, and is no
    number but a year."""
    width, height = shape.x1 - shape.x0, shape.y1 - shape.y0
    middle = (shape.y0 + shape.y1) / 2
    best: Piece | None = None
    for piece in pieces:
        size = piece.size
        if height > 1.6 * size or width > 4.5 * size or (width > 1.6 * size and height > size):
            continue
        start = piece.box.x0
        if not (-0.5 <= start - shape.x1 <= 1.6 * size) or abs(middle - piece.y) > 0.45 * size:
            continue
        named = parse_number(piece.text) is None or parse_period(piece.text) is not None
        if named and (best is None or start < best.box.x0):
            best = piece
    return best


def find_legend(chart: Chart) -> tuple[list[tuple[int, Piece]], set[int]]:
    """Return the legend as (colour, name) and the indices of shapes that are its swatches.

    Swatches are small shapes right before a text, or signs such as ■ in the text, whose colour is read from the pixels.
    """
    if chart.legend is None:
        chart.legend = _find_legend(chart)
    return chart.legend


def _find_legend(chart: Chart) -> tuple[list[tuple[int, Piece]], set[int]]:
    signs = {index for index, word in enumerate(chart.words) if word.text in _SWATCH_SIGNS}
    # a swatch stands before each text: cut lines there, so that a name ends where the next swatch starts
    starts = [
        (shape.x0, shape.y0, shape.x1, shape.y1)
        for shape in chart.shapes
        if shape.x1 - shape.x0 < 40 and shape.y1 - shape.y0 < 20
    ]
    pieces = _cut_at(chart, chart.pieces(without=signs), starts)
    entries: list[tuple[int, Piece]] = []
    swatches: set[int] = set()
    for index, shape in enumerate(chart.shapes):
        colour = shape.fill if shape.fill is not None and not is_white(shape.fill) else shape.stroke
        if colour is None or (shape.x1 - shape.x0 < 2.5 and shape.y1 - shape.y0 < 2.5):
            continue
        piece = is_swatch(shape, pieces)
        if piece is not None:
            swatches.add(index)
            if not any(known is piece and same_colour(other, colour) for other, known in entries):
                entries.append((colour, piece))
    if signs and chart.pixels is not None:
        for index in sorted(signs):
            word = chart.words[index]
            following = [
                piece
                for piece in pieces
                if -0.5 <= piece.box.x0 - word.x1 <= 1.2 * word.size and abs(piece.y - (word.y0 + word.y1) / 2) < 3.0
            ]
            colour = chart.pixels.ink(word.box)
            if following and colour is not None:
                entries.append((colour, min(following, key=lambda piece: piece.box.x0)))
    return entries, swatches


def _cut_at(chart: Chart, pieces: list[Piece], starts: list[tuple[float, float, float, float]]) -> list[Piece]:
    """Cut runs of words where a small shape stands between two words."""
    result = []
    for piece in pieces:
        here = [box for box in starts if piece.box.x0 < box[0] < piece.box.x1 and box[1] < piece.y < box[3]]
        if not here or len(piece.words) < 2:
            result.append(piece)
            continue
        run: list[int] = []
        for index in piece.words:
            word = chart.words[index]
            if run and any(chart.words[run[-1]].x1 - 1 <= box[0] and box[2] <= word.x0 + 1 for box in here):
                result += chart.piece(run)
                run = []
            run.append(index)
        result += chart.piece(run)
    return result


def names_by_colour(chart: Chart, colours: Sequence[int], used: Set[int]) -> dict[int, Piece] | None:
    """Return the name that each colour has in the legend, or in text written in that colour; None where one has none.

    Args:
        chart: the chart.
        colours: of the marks.
        used: indices of words that are known to be something else.
    """
    entries, _ = find_legend(chart)
    names: dict[int, Piece] = {}
    for colour in colours:
        fitting = [(other, piece) for other, piece in entries if same_colour(other, colour)]
        texts = {piece.text for _, piece in fitting}
        if len(texts) == 1:
            names[colour] = fitting[0][1]
    if len(names) == len(colours):
        return names if len({piece.text for piece in names.values()}) == len(colours) else None
    if names or entries or chart.pixels is None:
        return None
    return _written_in_colour(chart, colours, used)


def _written_in_colour(chart: Chart, colours: Sequence[int], used: Set[int]) -> dict[int, Piece] | None:
    """Return for each colour the one run of text that is written in it; None where one has none or two."""
    assert chart.pixels is not None
    if any(_is_grey(colour) for colour in colours):
        return None
    blocks: dict[int, list[list[int]]] = {colour: [] for colour in colours}
    for row in chart.rows:
        own: dict[int, list[int]] = {}
        for index in row:
            word = chart.words[index]
            if index in used or not word.upright or not any(character.isalpha() for character in word.text):
                continue
            ink = chart.pixels.ink(word.box)
            if ink is None:
                continue
            fitting = [colour for colour in colours if same_colour(ink, colour, 16)]
            if fitting:
                nearest = min(fitting, key=lambda colour: _distance(ink, colour))
                own.setdefault(nearest, []).append(index)
        for colour, run in own.items():
            blocks[colour].append(run)
    names = {}
    for colour, rows in blocks.items():
        pieces = [piece for run in rows for piece in chart.piece(run)]
        if not pieces or not _is_one_block(pieces):
            return None
        names[colour] = joined(pieces)
    return names if len({piece.text for piece in names.values()}) == len(colours) else None


def _distance(first: int, second: int) -> int:
    return max(abs((first >> shift & 255) - (second >> shift & 255)) for shift in (16, 8, 0))


def _is_grey(colour: int) -> bool:
    channels = (colour >> 16, colour >> 8 & 255, colour & 255)
    return max(channels) - min(channels) < 16


def _is_one_block(pieces: Sequence[Piece]) -> bool:
    ordered = sorted(pieces, key=lambda piece: piece.box.y0)
    for above, below in itertools.pairwise(ordered):
        overlap = min(above.box.x1, below.box.x1) - max(above.box.x0, below.box.x0)
        if below.box.y0 - above.box.y1 > 0.7 * below.size or overlap <= 0 or below.y - above.y < 0.5 * below.size:
            return False
    return True


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
