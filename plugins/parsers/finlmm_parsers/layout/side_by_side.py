"""Parting tables that stand side by side and share their baselines."""

from __future__ import annotations

from finlmm_parsers.layout.gather import Draft
from finlmm_parsers.layout.rows import Row, part_row
from finlmm_parsers.layout.rules import Ruling
from finlmm_parsers.layout.types import Line


def find_gutter(draft: Draft, rows: list[Row], ruling: Ruling) -> float | None:
    """Return the x at which a gathered table is two tables side by side, or None.

    The right table begins with labels of its own between value columns; a text column inside one table looks the
    same, so either the headings must repeat on both sides, or rules and shading must all stop at the gutter.
    """
    data = [rows[p] for p in draft.members]
    stray = _stray_edge(draft, data, rows) or _stray_labels(draft, data, rows)
    if stray is not None:
        return stray
    inner = [t for row in data for t in row.texts if t.x0 > draft.left]
    if len(inner) < 0.4 * len(data) or len(draft.columns) < 2:
        return None
    for stub in _left_edges(inner):
        if len(stub) < 0.4 * len(data):
            continue
        x0, x1 = min(t.x0 for t in stub), max(t.x1 for t in stub)
        before = [c for c in draft.columns if c[1] < x0]
        after = [c for c in draft.columns if c[0] > x0 and c[1] > x1]
        if not before or not after or any(c[0] < x0 < c[1] for c in draft.columns):
            continue
        rows_right = [row for row in data if any(v.x0 > x1 for v in row.values)]
        with_label = sum(1 for row in rows_right if any(t.x0 >= x0 - 1 and t.x1 <= x1 + 1 for t in row.texts))
        if with_label < 0.9 * len(rows_right):
            continue  # totals without a label of their own: the labels on the left name these rows as well
        gutter = (max(c[1] for c in before) + x0) / 2
        if _heads_repeat(draft, rows, gutter) or _rules_stop(draft, rows, ruling, gutter):
            return gutter
    return None


def _stray_edge(draft: Draft, data: list[Row], rows: list[Row]) -> float | None:
    """Return an x right of all values beyond which stand only a few texts: these belong to what is beside the table."""
    if len(data) < 3:
        return None
    right = max(c[1] for c in draft.columns if c[4] > 1 or len(data) < 4)
    size = data[0].size
    strays = [t for row in data for t in row.texts if t.x0 > right + 1.2 * size]
    rows_with = sum(1 for row in data if any(t.x0 > right + 1.2 * size for t in row.texts))
    if not strays or 3 * rows_with > len(data):
        return None
    for position in range(max(0, draft.members[0] - 6), draft.members[0]):
        row = rows[position]
        if row.x1 > right + 1.2 * size and any(
            draft.left - size < line.x0 and line.x1 < right + size for line in row.lines
        ):
            return None  # the text column has a heading among those of the values
    return right + 0.6 * size


def _stray_labels(draft: Draft, data: list[Row], rows: list[Row]) -> float | None:
    """Return an x left of the row labels beyond which stand only a few texts far off: what is beside the table."""
    if len(data) < 3:
        return None
    groups = _left_edges([t for row in data for t in row.texts if t.x1 < draft.left])
    if len(groups) < 2:
        return None
    stub = groups[-1]
    edge, size = min(t.x0 for t in stub), data[0].size
    rows_with = sum(1 for row in data if row.x0 < edge - 1)
    beyond = max(t.x1 for group in groups[:-1] for t in group)
    if len(stub) < 0.6 * len(data) or 2 * rows_with > len(data) or edge - beyond < 3 * size:
        return None
    for position in range(max(0, draft.members[0] - 6), draft.members[0]):
        row = rows[position]
        first = row.lines[0]
        if (
            first.x0 < beyond
            and first.x1 - first.x0 < 12 * first.size
            and any(draft.left - size < line.x0 and line.x1 < draft.x1 + size for line in row.lines)
        ):
            return None  # the text column has a heading among those of the values
    return edge - 0.5 * size


def _left_edges(texts: list[Line]) -> list[list[Line]]:
    """Group text cells into columns by the intervals that they cover together."""
    groups: list[list[Line]] = []
    right = -1e9
    for text in sorted(texts, key=lambda t: t.x0):
        if groups and text.x0 < right:
            groups[-1].append(text)
        else:
            groups.append([text])
            right = -1e9
        right = max(right, text.x1)
    return groups


def _heads_repeat(draft: Draft, rows: list[Row], gutter: float) -> bool:
    first = draft.members[0]
    for position in range(max(0, first - 4), first + 1):
        row = rows[position]
        if row.x0 > gutter or row.x1 < gutter:
            continue
        left = [w.text for line in row.lines for w in line.words if w.x1 < gutter and w.x0 > draft.left - 30]
        right = [w.text for line in row.lines for w in line.words if w.x0 > gutter]
        left = left[-len(right) :]
        tail = [w for w in right if w in left]
        if len(left) >= 2 and len(tail) >= 2 and left[-2:] == right[-2:] and (position < first or row.years):
            return True
    return False


def _rules_stop(draft: Draft, rows: list[Row], ruling: Ruling, gutter: float) -> bool:
    top, bottom = rows[draft.members[0]].y0 - 30, rows[draft.last].y1 + 6
    left = right = 0
    for x0, y0, x1, y1 in [r[:4] for r in ruling.horizontal] + [b[:4] for b in ruling.bands]:
        if y0 < top or y1 > bottom or x1 < draft.x0 or x0 > draft.x1:
            continue
        if x0 < gutter - 3 and x1 > gutter + 3:
            return False
        if x1 <= gutter + 3 and x1 - x0 > 0.6 * (gutter - draft.x0):
            left += 1
        elif x0 >= gutter - 3 and x1 - x0 > 0.6 * (draft.x1 - gutter):
            right += 1
    return left >= 2 and right >= 2


def part_rows(rows: list[Row], draft: Draft, gutter: float) -> list[Row]:
    """Return the rows of the page with those of the draft, and the headings above it, parted at the gutter."""
    first, last = draft.members[0], draft.last
    start = first
    while start > 0 and first - start < 6 and rows[start].y0 - rows[start - 1].y1 < 2.5 * rows[start].size:
        start -= 1
    parted: list[Row] = []
    for position, row in enumerate(rows):
        if start <= position <= last + 2 and row.x0 < gutter < row.x1:
            parted.extend(part_row(row, gutter))
        else:
            parted.append(row)
    return parted
