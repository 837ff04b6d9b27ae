"""Which text names which bars or points: category labels under and beside them, headings above columns of bars."""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set

from finlmm_core.domain import Box
from finlmm_core.quantities import parse_number, parse_period
from finlmm_parsers.chart_labels import Chart, Piece, goes_on, is_unit, joined
from finlmm_parsers.layout.text import join_words


def categories_below(
    chart: Chart, plot: Box, spans: Sequence[tuple[float, float]], taken: Set[int]
) -> tuple[list[Piece], list[str]] | None:
    """Return the label under each of the given stretches of the horizontal axis, and the headings under those.

    Args:
        chart: the chart.
        plot: around the marks.
        spans: left and right end of each category's marks, left to right.
        taken: words that are known to be something else.
    """
    centres = [(low + high) / 2 for low, high in spans]
    pitch = min(b - a for a, b in itertools.pairwise(centres))
    found: list[list[Piece]] = [[] for _ in centres]
    groups = [""] * len(centres)
    bottom = 0.0
    edges = (centres[0] - 0.6 * pitch, centres[-1] + 0.6 * pitch)
    for row in _rows_under(chart, plot, edges, taken):
        first = chart.words[row[0]]
        texts = _at_centres(chart, row, centres, pitch)
        if not bottom:
            if all(_is_tick(chart, index, centres, pitch) for index in row):
                continue
            if texts is None or not all(texts):
                return None
        else:
            top = min(chart.words[index].y0 for index in row)
            above = chart.words[found[0][-1].words[0]]
            if top - bottom > 1.2 * first.size or (texts is not None and not any(texts)):
                break
            over = _over_groups(chart, row, spans) if texts is None or not all(texts) else None
            if over is not None:
                groups = over
                break
            alike = first.bold == above.bold and abs(first.size - above.size) < 0.3
            whole = texts is not None and all(texts)
            if texts is None or top - bottom > (0.9 if whole else 0.4) * first.size or not (whole or alike):
                # what stands there may tell categories apart; dates need no telling
                dated = all(parse_period(joined(pieces).text) is not None for pieces in found)
                if len(_runs(chart, row)) > 1 and not dated:
                    return None
                break
            if all(text is None or _is_value(text) for text in texts):
                break
        for index, piece in enumerate(texts or ()):
            if piece is not None:
                found[index].append(piece)
        bottom = max(chart.words[index].y1 for index in row)
    if not all(found):
        return None
    return [joined(pieces) for pieces in found], groups


def _is_value(piece: Piece) -> bool:
    return parse_number(piece.text) is not None and parse_period(piece.text) is None


def _is_tick(chart: Chart, index: int, centres: Sequence[float], pitch: float) -> bool:
    """Tell a number of the value axis, which stands beside the first category or the last."""
    word = chart.words[index]
    middle = (word.x0 + word.x1) / 2
    return not centres[0] - 0.2 * pitch < middle < centres[-1] + 0.2 * pitch and parse_number(word.text) is not None


def _rows_under(chart: Chart, plot: Box, edges: tuple[float, float], taken: Set[int]) -> list[list[int]]:
    """Return the printed rows under the marks and between two edges, top to bottom: indices of upright words."""
    words = [
        index
        for index, word in enumerate(chart.words)
        if index not in taken
        and word.upright
        and (word.y0 + word.y1) / 2 > plot.y1 + 0.2 * word.size
        and edges[0] < (word.x0 + word.x1) / 2 < edges[1]
    ]
    words.sort(key=lambda index: (chart.words[index].y0 + chart.words[index].y1, chart.words[index].x0))
    rows: list[list[int]] = []
    for index in words:
        word = chart.words[index]
        if rows:
            first = chart.words[rows[-1][0]]
            if abs((word.y0 + word.y1) / 2 - (first.y0 + first.y1) / 2) < 0.35 * first.size:
                rows[-1].append(index)
                continue
        rows.append([index])
    for row in rows:
        row.sort(key=lambda index: chart.words[index].x0)
    return rows


def _piece(chart: Chart, run: Sequence[int]) -> Piece:
    words = [chart.words[index] for index in run]
    return Piece(join_words(words), Box.around(word.box for word in words), words[0].size, words[0].bold, tuple(run))


def _at_centres(chart: Chart, row: Sequence[int], centres: Sequence[float], pitch: float) -> list[Piece | None] | None:
    """Share a row's words out among category centres; None where a text is off every centre."""
    runs: list[list[int]] = [[] for _ in centres]
    for index in _near_centres(chart, row, centres, pitch):
        word = chart.words[index]
        middle = (word.x0 + word.x1) / 2
        nearest = min(range(len(centres)), key=lambda k: abs(centres[k] - middle))
        runs[nearest].append(index)
    texts: list[Piece | None] = []
    for run, centre in zip(runs, centres, strict=True):
        if not run:
            texts.append(None)
            continue
        piece = _piece(chart, run)
        gaps = [chart.words[b].x0 - chart.words[a].x1 for a, b in itertools.pairwise(run)]
        if abs(piece.x - centre) > max(0.16 * pitch, 0.4 * piece.size) or max(gaps, default=0.0) > 1.2 * piece.size:
            return None
        if piece.box.width > 1.2 * pitch:
            return None
        texts.append(piece)
    return texts


def _near_centres(chart: Chart, row: Sequence[int], centres: Sequence[float], pitch: float) -> list[int]:
    """Leave out texts that stand where there is no bar, as 'N/A' does."""
    kept: list[int] = []
    run: list[int] = []
    for index, following in itertools.zip_longest(row, row[1:]):
        run.append(index)
        if following is None or chart.words[following].x0 - chart.words[index].x1 > 0.6 * chart.words[index].size:
            middle = (chart.words[run[0]].x0 + chart.words[run[-1]].x1) / 2
            if len(run) > 1 or min(abs(centre - middle) for centre in centres) <= 0.6 * pitch:
                kept += run
            run = []
    return kept


def _runs(chart: Chart, row: Sequence[int]) -> list[list[int]]:
    """Part a row where gaps are wider than a letter."""
    runs: list[list[int]] = []
    for index in row:
        word = chart.words[index]
        if runs and word.x0 - chart.words[runs[-1][-1]].x1 <= 1.2 * word.size:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _over_groups(chart: Chart, row: Sequence[int], spans: Sequence[tuple[float, float]]) -> list[str] | None:
    """Return for each category the heading of its group, where a row's texts are centred under groups of categories."""
    pieces = [_piece(chart, run) for run in _runs(chart, row)]
    if len(pieces) < 2 or any(parse_number(piece.text) is not None for piece in pieces):
        return None
    owners = []
    for low, high in spans:
        middle = (low + high) / 2
        owners.append(min(range(len(pieces)), key=lambda k: abs(pieces[k].x - middle)))
    within: list[float] = []
    between: list[float] = []
    for (a, first), (b, second) in itertools.pairwise(zip(spans, owners, strict=True)):
        (within if first == second else between).append(b[0] - a[1])
    if not within or not between or max(within) >= min(between) - 1.0:
        return None
    for k, piece in enumerate(pieces):
        own = [span for span, owner in zip(spans, owners, strict=True) if owner == k]
        if len(own) < 2 or abs((own[0][0] + own[-1][1]) / 2 - piece.x) > 0.2 * (own[-1][1] - own[0][0]):
            return None
    return [pieces[owner].text for owner in owners]


# ---------------------------------------------------------------------------------------------------------- beside


def categories_left(
    chart: Chart, plot: Box, spans: Sequence[tuple[float, float]], taken: Set[int]
) -> tuple[list[Piece], list[str]] | None:
    """Return the label left of each row of bars, and for each row the heading that it stands under.

    Args:
        chart: the chart.
        plot: around the marks.
        spans: top and bottom of each row's bars, from the top.
        taken: words that are known to be something else.
    """
    top, bottom = spans[0][0], spans[-1][1]
    pitch = min((b[0] + b[1]) / 2 - (a[0] + a[1]) / 2 for a, b in itertools.pairwise(spans))
    left = [
        piece
        for piece in chart.pieces(without=taken)
        if piece.box.x1 <= plot.x0 + 3 and top - pitch < piece.y < bottom + 0.5 * pitch
    ]
    centres = [(low + high) / 2 for low, high in spans]
    labels: list[Piece] = []
    rest: list[Piece] = list(left)
    for centre in centres:
        near = [piece for piece in rest if abs(piece.y - centre) <= 0.75 * pitch]
        block = _centred(near, centre)
        if block is None:
            return None
        labels.append(joined(block))
        rest = [piece for piece in rest if piece not in block]
    # labels end at one place, begin at one place, or are centred; words of another column do neither
    ends = [max(abs(piece.box.x1 - labels[0].box.x1) for piece in labels)]
    ends.append(max(abs(piece.box.x0 - labels[0].box.x0) for piece in labels))
    ends.append(max(abs(piece.x - labels[0].x) for piece in labels))
    if min(ends) > 0.7 * labels[0].size:
        return None
    rest = [piece for piece in rest if not is_unit(piece.text)]
    groups = _groups(rest, centres, pitch, labels)
    return None if groups is None else (labels, groups)


def _centred(near: Sequence[Piece], centre: float) -> list[Piece] | None:
    """Return the lines that together stand at the height of a row: the largest run of close lines centred on it."""
    if not near:
        return None
    rows: list[list[Piece]] = []
    for piece in sorted(near, key=lambda piece: (piece.y, piece.box.x0)):
        if rows and abs(rows[-1][0].y - piece.y) < 0.4 * piece.size:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    column = [max(row, key=lambda piece: piece.box.x1) for row in rows]  # what stands next to the bars
    best: list[Piece] | None = None
    for start in range(len(column)):
        for stop in range(start + 1, len(column) + 1):
            run = column[start:stop]
            if any(b.box.y0 - a.box.y1 > 0.5 * b.size for a, b in itertools.pairwise(run)):
                break
            if abs((run[0].y + run[-1].y) / 2 - centre) <= 0.3 * run[0].size and (best is None or len(run) > len(best)):
                best = run
    return best


def _groups(rest: Sequence[Piece], centres: Sequence[float], pitch: float, labels: Sequence[Piece]) -> list[str] | None:
    """Return each row's heading: the last text before it that is no row's label, until rows stand further apart."""
    groups: list[str] = []
    current = ""
    for index, centre in enumerate(centres):
        before = centres[index - 1] if index else centre - pitch
        own = [
            piece
            for piece in rest
            if (before + 0.25 * pitch if index else centre - 1.2 * pitch) < piece.y <= centre + 0.25 * pitch
        ]
        if any(parse_number(piece.text) is not None for piece in own):
            return None
        if own:
            current = joined(own).text
        elif index and centre - before > 1.3 * pitch:
            current = ""
        groups.append(current)
    # one heading over the first row and none below is the chart's title, or a heading of the axis
    return groups if len({group for group in groups if group}) > 1 or not groups[0] else [""] * len(groups)


def headings_above(
    chart: Chart, plot: Box, stretches: Sequence[tuple[float, float]], taken: Set[int]
) -> list[Piece] | None:
    """Return the heading above each column of bars: the lines right above that start with it or are centred on it.

    Args:
        chart: the chart.
        plot: around the marks.
        stretches: base and furthest end of each column, left to right.
        taken: words that are known to be something else.
    """
    pieces = [piece for piece in chart.pieces(without=taken) if piece.y < plot.y0 and parse_number(piece.text) is None]
    blocks: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.box.y0, piece.box.x0)):
        home = next((block for block in blocks if goes_on(piece, block[-1])), None)
        if home is not None:
            home.append(piece)
        else:
            blocks.append([piece])
    found: list[list[Piece]] = [[] for _ in stretches]
    for block in blocks:
        box = Box.around(piece.box for piece in block)
        size = block[0].size
        if plot.y0 - box.y1 > 2.5 * size:
            continue
        owners = []
        for k, (low, high) in enumerate(stretches):
            stop = stretches[k + 1][0] if k + 1 < len(stretches) else chart.box.x1 + 2
            starts = any(abs(piece.box.x0 - low) <= 0.5 * size for piece in block)
            centred = abs((box.x0 + box.x1) / 2 - (low + high) / 2) <= 0.5 * size
            if (starts or centred) and box.x1 <= stop and box.x0 >= low - 2.0 * size:
                owners.append(k)
        if len(owners) == 1:
            found[owners[0]] += block
        elif owners:
            return None
    if not all(found):
        return None
    names = [joined(listed) for listed in found]
    return names if len({name.text for name in names}) == len(names) else None
