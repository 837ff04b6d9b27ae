"""Names of series: legends with their colours, text written in the colour of what it names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set

from finlmm_core.quantities import parse_number, parse_period
from finlmm_parsers.chart_labels import Chart, Piece, joined
from finlmm_parsers.chart_marks import is_white
from finlmm_parsers.primitives import Shape

#: Signs that legends use for a swatch where it is written and not drawn.
_SWATCH_SIGNS = frozenset("■□▪▫●○•◆◇▲△▼")
#: Two colours whose channels differ by no more than this are one (a swatch's edge pixels are mixed with the paper).
SAME_COLOUR = 10


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
    largest = max((piece.size for piece in pieces), default=0.0)
    entries: list[tuple[int, Piece]] = []
    swatches: set[int] = set()
    for index, shape in enumerate(chart.shapes):
        colour = shape.fill if shape.fill is not None and not is_white(shape.fill) else shape.stroke
        width, height = shape.x1 - shape.x0, shape.y1 - shape.y0
        if colour is None or (width < 2.5 and height < 2.5) or width > 4.5 * largest or height > 1.6 * largest:
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
