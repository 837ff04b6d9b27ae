"""Words to lines: rows of one baseline over the page, parted where a gap is as wide as a column gap."""

from __future__ import annotations

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
        for i in range(1, len(row)):
            before, word = row[i - 1], row[i]
            gap = word[1] - before[3]
            if (gap > _GAP * min(before[5], word[5]) and gap > 2.0) or gap < -2.0 * word[5]:
                lines.append(_line(row[start:i], index))
                start = i
        lines.append(_line(row[start:], index))
    lines.extend(_line([word], len(rows) + k) for k, word in enumerate(turned))
    return lines


def _line(words: list[Word], index: int) -> Line:
    return Line(words, index, join_words(words))


def find_rows(words: list[Word]) -> list[list[Word]]:
    """Return the words of each printed row, top to bottom; each row is sorted left to right.

    A word joins a row when the two overlap vertically by more than half of the lower of them. The row's extent is that
    of its tallest word, so a row never creeps down the page, and a footnote mark joins the line that it hangs on.
    """
    heights_ok = [w for w in words if w.y1 > w.y0 and w.text]
    heights_ok.sort(key=lambda w: (w[2] + w[4], w[1]))
    rows: list[list[Word]] = []
    extents: list[tuple[float, float]] = []
    for word in heights_ok:
        y0, y1 = word[2], word[4]
        height = y1 - y0
        best, best_overlap = -1, 0.0
        # rows are found in order of their middles, so only the last few can still take a word
        for k in range(len(rows) - 1, max(-1, len(rows) - 5), -1):
            top, bottom = extents[k]
            overlap = min(y1, bottom) - max(y0, top)
            low, high = (height, bottom - top) if height < bottom - top else (bottom - top, height)
            if overlap > 0.5 * low and low > _HEIGHT_RATIO * high and overlap / low > best_overlap:
                best, best_overlap = k, overlap / low
        if best < 0:
            rows.append([word])
            extents.append((y0, y1))
            continue
        rows[best].append(word)
        top, bottom = extents[best]
        if height > bottom - top:
            extents[best] = (y0, y1)
    order = sorted(range(len(rows)), key=lambda k: extents[k][0] + extents[k][1])
    result = []
    for k in order:
        row = rows[k]
        row.sort(key=lambda w: w[1])
        result.append(row)
    return result


def is_wide_script(line: Line) -> bool:
    """Tell whether most characters of the line are Chinese, so that it is counted in characters and not in words."""
    text = line.text
    wide = sum(1 for c in text if is_cjk(c))
    return wide * 3 > len(text)
