"""Gathering rows of values into tables: what lines up, and what ends a table."""

from __future__ import annotations

from dataclasses import dataclass, field

from finlmm_parsers.layout.rows import Row
from finlmm_parsers.layout.rules import Ruling
from finlmm_parsers.layout.values import Value

_ALIGN = 3.5  # points; values of one column share their right edge or their middle within about this


@dataclass
class Draft:
    """A table while it is being gathered: positions into the list of rows, and the columns seen so far."""

    members: list[int] = field(default_factory=list)
    columns: list[list[float]] = field(
        default_factory=list
    )  # [x0, x1, right edge and digits' edge of the last value, count, years among them]
    x0: float = 1e9
    x1: float = -1e9
    last: int = -1
    stub_right: float = -1e9

    @property
    def left(self) -> float:
        """Where the value columns begin; a first column of years only is the stub."""
        columns = [c for c in self.columns if c[5] < c[4]] or self.columns
        return min(c[0] for c in columns)

    @property
    def pitch(self) -> float:
        """Mean distance of the value columns, in points."""
        edges = sorted(c[1] for c in self.columns)
        return (edges[-1] - edges[0]) / (len(edges) - 1) if len(edges) > 1 else 0.0

    def add(self, position: int, row: Row) -> None:
        self.members.append(position)
        self.last = position
        self.x0, self.x1 = min(self.x0, row.x0), max(self.x1, row.x1)
        if row.texts and row.values and row.texts[0].x1 < row.values[0].x0:
            self.stub_right = max(self.stub_right, row.texts[0].x1)
        for value in row.values:
            for column in self.columns:
                if _aligned(value, column):
                    column[0], column[1] = min(column[0], value.x0), max(column[1], value.x1)
                    column[2], column[3] = value.x1, value.edge
                    column[4] += 1
                    column[5] += value.year
                    break
            else:
                self.columns.append([value.x0, value.x1, value.x1, value.edge, 1, int(value.year)])


def _aligned(value: Value, column: list[float]) -> bool:
    if value.x1 < column[0] - 1 or value.x0 > column[1] + 1:
        return False
    return (
        abs(value.edge - column[3]) <= _ALIGN
        or abs(value.x1 - column[2]) <= _ALIGN
        or abs(value.x0 + value.x1 - column[0] - column[1]) <= 2 * _ALIGN
    )


def gather(rows: list[Row], ruling: Ruling) -> list[Draft]:
    """Return the tables of a page as lists of rows that hold values."""
    done: list[Draft] = []
    current: list[Draft] = []
    for position, row in enumerate(rows):
        if row.values and not row.years:
            for draft in current:
                if _continues(draft, rows, position):
                    draft.add(position, row)
                    break
            else:
                if row.is_data:
                    still = []
                    for draft in current:
                        if row.index != rows[draft.last].index and row.x0 < draft.x1 and row.x1 > draft.x0:
                            done.append(draft)
                        else:
                            still.append(draft)
                    draft = Draft()
                    draft.add(position, row)
                    current = [*still, draft]
            continue
        still = []
        for draft in current:
            if _ends(draft, rows, position, ruling):
                done.append(draft)
            else:
                still.append(draft)
        current = still
    return done + current


def _continues(draft: Draft, rows: list[Row], position: int) -> bool:
    row, last = rows[position], rows[draft.last]
    if row.index == last.index:
        return False
    between = [rows[p] for p in range(draft.last + 1, position) if rows[p].x0 < draft.x1 and rows[p].x1 > draft.x0 - 40]
    bottom = last.y1
    for middle in between:
        if middle.y0 - bottom > 3.0 * row.size:
            return False
        bottom = max(bottom, middle.y1)
    if row.y0 - bottom > 3.0 * row.size:
        return False
    matched = sum(1 for v in row.values if any(_aligned(v, c) for c in draft.columns))
    if row.is_data:
        return 2 * matched >= len(row.values)
    return matched > 0


def _ends(draft: Draft, rows: list[Row], position: int, ruling: Ruling) -> bool:
    """Tell whether a row without data ends a table: prose across its columns, or the headings of another table."""
    row, last = rows[position], rows[draft.last]
    if row.y0 - last.y1 > 14 * row.size:
        return True
    if row.x1 < draft.x0 or row.x0 > draft.x1 or row.index == last.index:
        return False
    left = draft.left
    if row.years and len(row.values) > 1:
        return True
    right_most = max(draft.columns, key=lambda c: c[1])
    near = rows[position - 1] if position else row
    blank = row.y0 - near.y1 > 0.8 * row.size
    for text in row.texts:
        if text.x0 >= left:
            continue
        if text.x1 > (right_most[0] + right_most[1]) / 2:
            return True
        if text.x1 > left + 4 and (blank or _closed(last, row, draft, ruling)):
            return True
    if row.values:
        return False
    # words where the rows above have numbers: the headings of the next table
    return any(
        text.x0 >= draft.stub_right - 2 and any(text.x0 < c[1] and text.x1 > c[0] for c in draft.columns)
        for text in row.texts
    )


def _closed(last: Row, row: Row, draft: Draft, ruling: Ruling) -> bool:
    """Tell whether a rule under the values closes the table between two rows."""
    for rule in ruling.horizontal:
        if rule.y0 > row.y0 + 1:
            break
        if rule.y1 >= last.y1 - 2 and rule.x0 < draft.x1 - 5 and rule.x1 > draft.x1 - 15:
            return True
    return False
