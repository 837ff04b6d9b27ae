"""Words to lines: rows of one baseline over the page, parted where a gap is as wide as a column gap."""

from __future__ import annotations

from operator import itemgetter

from finlmm_parsers.layout.text import is_cjk, join_words
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives, Word

# A gap wider than this share of the font size parts two lines. Justified English prose stretches its spaces to about
# 0.8 em; the gutter of a two-column page and the gaps between table cells are wider than one em.
_GAP = 0.95
# Words whose heights differ more than this do not share a baseline row (a drop capital beside running text).
_HEIGHT_RATIO = 0.45


def find_lines(page: PagePrimitives) -> list[Line]:
    """Return the lines of a page, rows top to bottom, left to right within a row.

    Turned words (labels of vertical axes) come last, each a line and a row of its own.
    """
    lines: list[Line] = []
    words = page.words
    turned = [w for w in words if not w.upright]
    if turned:
        words = [w for w in words if w.upright]
    rows = find_rows(words)
    for index, row in enumerate(rows):
        start = 0
        right, size = row[0][3], row[0][5]
        for i, word in enumerate(row):  # every word of every page: no calls in here
            gap = word[1] - right
            if gap > 2.0:
                parted = gap > _GAP * (size if size < word[5] else word[5])
            else:
                parted = gap < -2.0 * word[5] and i > 0
            if parted:
                lines.append(_line(row[start:i], index))
                start = i
            right, size = word[3], word[5]
        lines.append(_line(row[start:] if start else row, index))
    lines.extend(_line([word], len(rows) + k) for k, word in enumerate(turned))
    return lines


def _line(words: list[Word], index: int) -> Line:
    return Line(words, index, join_words(words))


def find_rows(words: list[Word]) -> list[list[Word]]:
    """Return the words of each printed row, top to bottom; each row is sorted left to right.

    A word joins a row when the two overlap vertically by more than half of the lower of them. The row's extent is that
    of its tallest word, so a row never creeps down the page, and a footnote mark joins the line that it hangs on.
    """
    runs = _runs(words)
    runs.sort(key=_middle)
    rows: list[list[Word]] = []
    extents: list[tuple[float, float]] = []
    for y0, y1, run in runs:
        height = y1 - y0
        best, best_overlap = -1, 0.5
        # rows are found in order of their middles, so only the last few can still take a word
        for k in range(len(rows) - 1, max(-1, len(rows) - 5), -1):
            top, bottom = extents[k]
            if top >= y1 or bottom <= y0:
                continue
            overlap = (y1 if y1 < bottom else bottom) - (y0 if y0 > top else top)
            low, high = (height, bottom - top) if height < bottom - top else (bottom - top, height)
            if overlap > best_overlap * low and low > _HEIGHT_RATIO * high:
                best, best_overlap = k, overlap / low
        if best < 0:
            rows.append(run)
            extents.append((y0, y1))
            continue
        rows[best].extend(run)
        top, bottom = extents[best]
        if height > bottom - top:
            extents[best] = (y0, y1)
    order = sorted(range(len(rows)), key=lambda k: extents[k][0] + extents[k][1])
    result = []
    for k in order:
        row = rows[k]
        row.sort(key=_left)
        result.append(row)
    return result


_left = itemgetter(1)


def _middle(run: tuple[float, float, list[Word]]) -> tuple[float, float]:
    return run[0] + run[1], run[2][0][1]


def _runs(words: list[Word]) -> list[tuple[float, float, list[Word]]]:
    """Return words that follow each other in the file at one height, so that rows are sought for few items."""
    runs: list[tuple[float, float, list[Word]]] = []
    top = bottom = -1e9
    current: list[Word] = []
    for word in words:
        y0, y1 = word[2], word[4]
        if -0.05 < y0 - top < 0.05 and -0.05 < y1 - bottom < 0.05:
            current.append(word)
        elif y1 > y0 and word[0]:
            current = [word]
            top, bottom = y0, y1
            runs.append((y0, y1, current))
    return runs


def is_wide_script(line: Line) -> bool:
    """Tell whether most characters of the line are Chinese, so that it is counted in characters and not in words."""
    text = line.text
    wide = sum(1 for c in text if is_cjk(c))
    return wide * 3 > len(text)
