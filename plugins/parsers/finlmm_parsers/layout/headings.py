"""Column headings: which columns a heading stands over, and the flattened heading of each column."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import NamedTuple

from finlmm_core.domain import Box
from finlmm_core.quantities import Units, parse_units
from finlmm_parsers.layout.rows import Row
from finlmm_parsers.layout.rules import Ruling
from finlmm_parsers.layout.text import join_lines, join_words
from finlmm_parsers.layout.types import Column
from finlmm_parsers.layout.values import is_year
from finlmm_parsers.primitives import Word

_UNIT_AFTER_TITLE = re.compile(r"^(?P<title>[^()（）]{2,}?)\s*[(（](?P<unit>.+)[)）]$")
_CURRENCY_LABEL = re.compile(r"(?:币种|幣種|货币|貨幣)\s*[:：]\s*\w{1,4}")  # names what the unit's currency is anyway
# what a note begins with that tells of units before its parenthesis ("Amounts in (thousands)", "单位（万元）")
_UNIT_WORD = re.compile(
    r"^\s*(?:units?|amounts?|figures?|values?|expressed|stated|all|in|单位|單位|金额|金額|货币|币种)(?![a-z])", re.I
)


class Piece(NamedTuple):
    """A run of heading words that names one column or spans several."""

    words: tuple[Word, ...]
    first: int
    last: int

    @property
    def box(self) -> Box:
        return Box.around(w.box for w in self.words)


def read_headings(
    head: list[Row], columns: list[Column], ruling: Ruling
) -> tuple[tuple[str, ...], tuple[Box | None, ...]]:
    """Return heading and box of each column; spanning headings come first in every column that they span."""
    pieces: list[list[Piece]] = []
    below = [""] * len(columns)  # what the rows further down say of each column
    under: list[Piece] = []
    prefixes: dict[int, str] = {}
    for row in reversed(head):
        placed = _row_pieces(row, columns, ruling, below, under)
        under = placed
        pieces.insert(0, placed)
        for piece in placed:
            text = join_words(list(piece.words))
            if not is_unit_note(text):
                for index in range(piece.first, piece.last + 1):
                    below[index] = f"{text} {below[index]}".strip()
        _share_prefix(placed, prefixes)
    texts: list[str] = []
    boxes: list[Box | None] = []
    for index in range(len(columns)):
        over = [piece for row in pieces for piece in row if piece.first <= index <= piece.last]
        told = [text for piece in over if not _is_unit(text := join_words(list(piece.words)), piece)]
        texts.append(join_lines([prefixes[index], *told] if index in prefixes else told))
        own = [piece.box for piece in over]
        boxes.append(Box.around(own).rounded() if own else None)
    return tuple(texts), tuple(boxes)


def _share_prefix(pieces: list[Piece], prefixes: dict[int, str]) -> None:
    """Note what a row says once for all its periods: "Years ended December 31, 2022", "2021", "2020"."""
    for k, piece in enumerate(pieces):
        following = pieces[k + 1 :]
        if (
            piece.first > 0
            and len(piece.words) > 1
            and is_year(piece.words[-1].text)
            and any(c.isalpha() for c in piece.words[0].text)
            and following
            and all(len(p.words) == 1 and is_year(p.words[0].text) for p in following)
        ):
            for other in following:
                prefixes[other.first] = join_words(list(piece.words[:-1]))


def _is_unit(text: str, piece: Piece) -> bool:
    """Tell whether a heading over several columns is the table's unit ("(in millions)"), which names no column."""
    return piece.last > piece.first and is_unit_note(text)


@lru_cache(maxsize=4096)
def read_units(text: str) -> Units:
    """``parse_units``, remembered: headings and notes of a report are much alike."""
    return parse_units(text)


@lru_cache(maxsize=4096)
def is_unit_note(text: str) -> bool:
    """Tell whether a text is nothing but a unit: "(in millions)", "人民币百万元", "€ million".

    A title with its unit in parentheses ("Summary of results (in millions)") is none, however short.
    """
    if len(text) > 60:
        return False
    found = read_units(text)
    if has_unit_behind(text):
        return False
    return (found.scale != 1 or found.currency is not None) and len(found.text) >= 0.6 * len(
        _CURRENCY_LABEL.sub("", text).strip("()（） ")
    )


def has_unit_behind(text: str) -> bool:
    """Tell whether a text is a title with its unit in parentheses behind it."""
    if text[-1:] not in (")", "）"):
        return False
    match = _UNIT_AFTER_TITLE.match(text)
    if match is None or _UNIT_WORD.match(match["title"]):
        return False
    before, behind = read_units(match["title"]), read_units(match["unit"])
    return before.scale == 1 and before.currency is None and (behind.scale != 1 or behind.currency is not None)


def _row_pieces(row: Row, columns: list[Column], ruling: Ruling, below: list[str], under: list[Piece]) -> list[Piece]:
    runs: list[list[Word]] = []
    for value in row.values:
        runs.append(list(value.words))
    for line in row.texts:
        runs.extend(_split(line.words, columns))
    runs.sort(key=lambda words: words[0].x0)
    placed: list[Piece] = []
    sure: list[bool] = []  # whether a rule, a grid or the row below tells the columns for sure
    for words in runs:
        piece = _in_grid(words, columns, ruling) or _over_rule(words, runs, columns, ruling) or _as_below(words, under)
        sure.append(piece is not None)
        placed.append(piece or _place(words, columns))
    return _spread(placed, sure, columns, below)


def _in_grid(words: list[Word], columns: list[Column], ruling: Ruling) -> Piece | None:
    """Return the heading with the columns of the grid cell that it stands in, None where no grid is drawn."""
    x0, x1 = words[0].x0, max(w.x1 for w in words)
    middle = (words[0].y0 + words[0].y1) / 2
    left = right = None
    for rule in ruling.vertical:
        if rule.y0 <= middle <= rule.y1:
            x = (rule.x0 + rule.x1) / 2
            if x <= x0 + 1:
                left = x if left is None else max(left, x)
            elif x >= x1 - 1:
                right = x if right is None else min(right, x)
    if left is None or right is None:
        return None
    inside = [i for i, c in enumerate(columns) if left <= c.middle <= right]
    return Piece(tuple(words), inside[0], inside[-1]) if inside else None


def _over_rule(words: list[Word], runs: list[list[Word]], columns: list[Column], ruling: Ruling) -> Piece | None:
    """Return the heading with the columns that the rule under it spans, None where it has no rule of its own."""
    x0, x1 = words[0].x0, max(w.x1 for w in words)
    y1 = max(w.y1 for w in words)
    size = words[0].size
    for rule in ruling.horizontal:
        if rule.y0 > y1 + 0.6 * size:
            break
        if rule.y1 < y1 - 0.3 * size or rule.x0 > x0 + 2 or rule.x1 < x1 - 2:
            continue
        spanned = [i for i, c in enumerate(columns) if rule.x0 - 2 <= c.middle <= rule.x1 + 2]
        if len(spanned) < 2 or spanned[0] == 0:
            continue
        if sum(1 for run in runs if rule.x0 - 2 <= run[0].x0 and run[-1].x1 <= rule.x1 + 2) > 1:
            continue  # a rule under several headings is a line of the grid
        if abs((x0 + x1) / 2 - (rule.x0 + rule.x1) / 2) < max(6.0, 0.12 * (rule.x1 - rule.x0)):
            return Piece(tuple(words), spanned[0], spanned[-1])
    return None


def _as_below(words: list[Word], under: list[Piece]) -> Piece | None:
    """Return the heading as the first line of a spanning heading that goes on in the row below."""
    x1 = max(w.x1 for w in words)
    middle = (words[0].x0 + x1) / 2
    for piece in under:
        box = piece.box
        if x1 - words[0].x0 > 1.6 * box.width:
            continue  # a heading over several spanning headings is wider than the one in their middle
        if piece.last > piece.first > 0 and abs((box.x0 + box.x1) / 2 - middle) < 3 and box.y0 - words[0].y1 < 4:
            return Piece(tuple(words), piece.first, piece.last)
    return None


def _split(words: list[Word], columns: list[Column]) -> list[list[Word]]:
    """Part a line where a gap wider than a space falls between two columns."""
    runs = [[words[0]]]
    for before, word in itertools.pairwise(words):
        gap = word.x0 - before.x1
        if gap > 0.42 * word.size and _between(before.x1, word.x0, columns):
            runs.append([word])
        else:
            runs[-1].append(word)
    return runs


def _between(x0: float, x1: float, columns: list[Column]) -> bool:
    for left, right in itertools.pairwise(columns):
        middle = (left.x1 + right.x0) / 2
        if x0 - 6 <= middle <= x1 + 6 or (x0 < right.x0 and x1 > left.x1 and x0 >= left.middle and x1 <= right.middle):
            return True
    return False


def _place(words: list[Word], columns: list[Column]) -> Piece:
    """Return the heading with the columns that it overlaps, or the nearest one."""
    x0, x1 = words[0].x0, max(w.x1 for w in words)
    under = [i for i, c in enumerate(columns) if x0 - 1 <= c.middle <= x1 + 1]
    if len(under) == 1 and under[0] > 0:
        return Piece(tuple(words), under[0], under[0])
    overlapped = [
        i
        for i, c in enumerate(columns)
        if min(x1, c.x1) - max(x0, c.x0) > 0.3 * min(x1 - x0, c.x1 - c.x0) or (x0 <= c.x0 and x1 >= c.x1)
    ]
    if overlapped and overlapped[0] == 0 and len(overlapped) > 1:
        # a heading never spans the stub and values: it belongs where most of it lies
        stub = min(x1, columns[0].x1) - x0
        overlapped = [0] if stub > 0.5 * (x1 - x0) else overlapped[1:]
    if not overlapped:
        middle = (x0 + x1) / 2
        overlapped = [min(range(len(columns)), key=lambda i: _distance(middle, columns[i]))]
    return Piece(tuple(words), overlapped[0], overlapped[-1])


def _distance(x: float, column: Column) -> float:
    if column.x0 <= x <= column.x1:
        return 0.0
    return min(abs(x - column.x0), abs(x - column.x1))


def _spread(pieces: list[Piece], ruled: list[bool], columns: list[Column], below: list[str]) -> list[Piece]:
    """Widen spanning headings to the columns that they are centred over and that nothing else in their row names.

    A heading right over the middle of one column may still span its neighbours ("Year Ended December 31," over three
    years): it does where the headings below are all periods, or come again under other spanning headings.
    """
    shared = _shared_out(pieces, columns, below)
    if shared is not None:
        return shared
    result = list(pieces)
    pitch = (
        (columns[-1].x1 - columns[1].x1) / (len(columns) - 2) if len(columns) > 2 else columns[-1].x1 - columns[0].x1
    )
    for k, piece in enumerate(pieces):
        if piece.first == 0 or ruled[k] or (len(piece.words) == 1 and is_year(piece.words[0].text)):
            continue
        box = piece.box
        middle = (box.x0 + box.x1) / 2
        low = max(max((p.last + 1 for p in result[:k]), default=1), 1)
        high = min((p.first - 1 for p in pieces[k + 1 :]), default=len(columns) - 1)
        first, last = piece.first, piece.last
        best: tuple[int, int, int, int] | None = None
        for a in range(low, last + 1):
            for b in range(max(a + 1, first), high + 1):
                error = _error(columns, a, b, middle, pitch)
                if error < max(6.0, 0.35 * pitch) and _alike(below[a : b + 1], below):
                    found = (int(error / max(2.0, 0.15 * pitch)), a - b, a, b)
                    best = found if best is None or found < best else best
        if best is not None:
            result[k] = Piece(piece.words, best[2], best[3])
            continue
        own = first == last and (
            abs(box.x1 - columns[first].x1) < 4 or columns[first].x0 - 2 < middle < columns[first].x1 + 2
        )
        if own or first < last:
            continue
        error = abs((columns[first].x0 + columns[last].x1) / 2 - middle)
        for a, b in ((first - 1, last), (first, last + 1)):
            if a >= low and b <= high:
                e = abs((columns[a].x0 + columns[b].x1) / 2 - middle)
                if e < error - 2:
                    error, result[k] = e, Piece(piece.words, a, b)
    return result


def _error(columns: list[Column], a: int, b: int, middle: float, pitch: float) -> float:
    """Return how far a heading's middle is from the middle of columns a to b.

    The middle of the cells' ink or of the cells themselves counts, whichever is nearer: right-aligned cells reach
    from the column before to their ink's right edge.
    """
    ink = abs((columns[a].x0 + columns[b].x1) / 2 - middle)
    start = columns[a - 1].x1 if a > 1 else max(columns[0].x1, columns[a].x1 - pitch)
    return min(ink, abs((min(start, columns[a].x0) + columns[b].x1) / 2 - middle))


def _shared_out(pieces: list[Piece], columns: list[Column], below: list[str]) -> list[Piece] | None:
    """Return the headings with columns shared out among them, where each then covers the same headings below.

    The columns are all from some column to the last; those before it (notes, maturity) have no spanning heading.
    """
    spanning = [p for p in pieces if p.first > 0]
    count = len(spanning)
    if count < 2:
        return None
    pitch = (columns[-1].x1 - columns[1].x1) / max(1, len(columns) - 2)
    for start in range(1, len(columns) - count):
        each, left = divmod(len(columns) - start, count)
        if left or each < 2:
            continue
        groups = [below[start + k * each : start + (k + 1) * each] for k in range(count)]
        if not all(groups[0]) or any(group != groups[0] for group in groups[1:]):
            continue
        result = [p for p in pieces if p.first == 0]
        for k, piece in enumerate(spanning):
            first, last = start + k * each, start + (k + 1) * each - 1
            box = piece.box
            error = min(
                _error(columns, first, last, (box.x0 + box.x1) / 2, pitch),
                abs(box.x1 - columns[last].x1) if box.width > 0.6 * pitch else 1e9,
            )
            if piece.last < first or piece.first > last or error > max(6.0, 0.3 * pitch):
                break
            result.append(Piece(piece.words, first, last))
        else:
            return result
    return None


# '2021', 'FY21', 'Q3', '1H', "Dec 28", '3 months', '21/20'; no 'Level 2'
_PERIOD = re.compile(
    r"(?:19|20)\d\d|(?<![A-Za-z])(?:FY|CY|[QH])\s?['’]?\d|\d\s?[QHE](?![A-Za-z])|\d['’/]\d|['’]\d\d"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s?\d|\d\s?(?:months?|weeks?|年|月|季|个月)",
    re.IGNORECASE,
)


def _alike(group: list[str], everything: list[str]) -> bool:
    """Tell whether headings look like what one spanning heading covers: all periods, or words that come again."""
    if not all(group):
        return False
    if all(_PERIOD.search(text) for text in group):
        return True
    return all(everything.count(text) > 1 for text in group)
