"""Finding tables: rows of values that line up in columns, with the headings above them and the rules around them.

The finder starts from what a statement cannot do without, numbers that line up under one another beside labels, and
uses rules and shading only to set the limits. So tables without any rule are found as well, and pages without aligned
numbers cost next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from finlmm_core.domain import Box
from finlmm_parsers.layout.cells import read_cells
from finlmm_parsers.layout.rows import Row, make_rows
from finlmm_parsers.layout.rules import Ruling, find_ruling
from finlmm_parsers.layout.types import Line, TableRegion
from finlmm_parsers.layout.values import Value
from finlmm_parsers.primitives import PagePrimitives

_ALIGN = 3.5  # points; values of one column share their right edge or their middle within this


@dataclass
class Draft:
    """A table while it is being gathered: positions into the list of rows, and the columns seen so far."""

    members: list[int] = field(default_factory=list)
    columns: list[list[float]] = field(default_factory=list)  # [x0, x1, right edge of the last value]
    x0: float = 1e9
    x1: float = -1e9
    last: int = -1

    def add(self, position: int, row: Row) -> None:
        self.members.append(position)
        self.last = position
        self.x0, self.x1 = min(self.x0, row.x0), max(self.x1, row.x1)
        for value in row.values:
            for column in self.columns:
                if _aligned(value, column):
                    column[0], column[1] = min(column[0], value.x0), max(column[1], value.x1)
                    column[2] = value.x1
                    break
            else:
                self.columns.append([value.x0, value.x1, value.x1])


def _aligned(value: Value, column: list[float]) -> bool:
    if value.x1 < column[0] or value.x0 > column[1]:
        return False
    return abs(value.x1 - column[2]) <= _ALIGN + 5 or abs(value.x0 + value.x1 - column[0] - column[1]) <= 2 * _ALIGN


def find_tables(page: PagePrimitives, lines: list[Line]) -> list[TableRegion]:
    """Return the tables of a page, top to bottom, with their cells."""
    rows = make_rows(lines)
    if sum(1 for row in rows if row.is_data) < 1:
        return []
    ruling = find_ruling(page)
    drafts = _gather(rows)
    tables: list[TableRegion] = []
    for draft in drafts:
        table = _finish(draft, rows, ruling)
        if table is not None:
            tables.append(table)
    tables.sort(key=lambda t: (t.box.y0, t.box.x0))
    return tables


def _gather(rows: list[Row]) -> list[Draft]:
    done: list[Draft] = []
    current: list[Draft] = []
    for position, row in enumerate(rows):
        if row.values and not row.years and (row.is_data or current):
            for draft in current:
                if _continues(draft, rows, position):
                    draft.add(position, row)
                    break
            else:
                if row.is_data:
                    draft = Draft()
                    draft.add(position, row)
                    current.append(draft)
            continue
        still = []
        for draft in current:
            if _ends(draft, rows, position):
                done.append(draft)
            else:
                still.append(draft)
        current = still
    return done + current


def _continues(draft: Draft, rows: list[Row], position: int) -> bool:
    row, last = rows[position], rows[draft.last]
    if row.index == last.index:
        return False
    between = sum(1 for p in range(draft.last + 1, position) if rows[p].x0 < draft.x1 and rows[p].x1 > draft.x0)
    gap = row.y0 - last.y1
    limit = (2.6 + 1.6 * between) * row.size
    if gap > limit:
        return False
    return any(_aligned(v, c) for v in row.values for c in draft.columns)


def _ends(draft: Draft, rows: list[Row], position: int) -> bool:
    """Tell whether a row without data ends a table: prose across its columns, or the headings of another table."""
    row = rows[position]
    if row.y0 - rows[draft.last].y1 > 12 * row.size:
        return True
    if row.x1 < draft.x0 or row.x0 > draft.x1 or row.index == rows[draft.last].index:
        return False
    left = min(c[0] for c in draft.columns)
    if row.years and len(row.values) > 1:
        return True
    last = max(draft.columns, key=lambda c: c[1])
    for text in row.texts:
        if text.x0 < left and text.x1 > (last[0] + last[1]) / 2:
            return True
    over = [t for t in row.texts if t.x0 > left - 2 * row.size and t.x1 <= draft.x1 + 2 * row.size]
    return bool(over) and len(over) == len(row.texts) and not row.values


def _finish(draft: Draft, rows: list[Row], ruling: Ruling) -> TableRegion | None:
    members = draft.members
    columns = [c for c in draft.columns]
    if len(members) < 2 and len(columns) < 3:
        return None
    first, last = members[0], members[-1]
    left = min(c[0] for c in columns)
    top = first
    taken: list[int] = []
    pending: list[int] = []
    below = rows[first]
    for position in range(first - 1, max(-1, first - 14), -1):
        row = rows[position]
        if row.x1 < draft.x0 - 20 or row.x0 > draft.x1 + 20:
            continue
        gap = below.y0 - row.y1
        if gap > 1.7 * max(row.size, below.size):
            break
        if any(t.x0 < left - 2 and t.x1 > left + 0.35 * (draft.x1 - left) for t in row.texts):
            break
        if row.values and not row.years and not (len(row.values) >= 2 and not row.texts):
            break
        over = row.values or any(t.x1 > left for t in row.texts)
        if over:
            taken += [*pending, position]
            pending = []
            top = position
        else:
            pending.append(position)
        below = row
    inside = [rows[p] for p in range(top, last + 1) if rows[p].x0 < draft.x1 + 20 and rows[p].x1 > draft.x0 - 20]
    head = [r for r in inside if r.index < rows[first].index and r.index >= rows[top].index]
    body = [r for r in inside if r.index >= rows[first].index]
    box = Box.around([Box(r.x0, r.y0, r.x1, r.y1) for r in inside])
    box = _with_ruling(box, ruling, rows[first].size)
    return read_cells(box.rounded(), head, body, ruling)


def _with_ruling(box: Box, ruling: Ruling, size: float) -> Box:
    x0, y0, x1, y1 = box
    for rule in ruling.horizontal:
        if rule.y0 < box.y0 - 1.0 * size or rule.y1 > box.y1 + 1.0 * size:
            continue
        if rule.x0 < box.x1 and rule.x1 > box.x0:
            x0, x1 = min(x0, rule.x0), max(x1, rule.x1)
            y0, y1 = min(y0, rule.y0), max(y1, rule.y1)
    for band in ruling.bands:
        if band.y1 - band.y0 > 6 * size or band.y0 < box.y0 - 1.0 * size or band.y1 > box.y1 + 1.0 * size:
            continue
        if band.x0 < box.x1 and band.x1 > box.x0:
            x0, x1 = min(x0, band.x0), max(x1, band.x1)
            y0, y1 = min(y0, band.y0), max(y1, band.y1)
    return Box(x0, y0, x1, y1)
