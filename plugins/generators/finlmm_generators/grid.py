"""A table understood: its periods, its numeric rows, and which of them add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from finlmm_core.domain import Box, Figure, Language, Table
from finlmm_core.quantities import Number, Period, Units, parse_number
from finlmm_generators.labels import is_generic

RowKind = Literal["amount", "percent", "per_share", "count", "unclear"]
ColumnRole = Literal["period", "category", "change", "note", "percent", "empty"]
NO_UNITS = Units()


@dataclass(frozen=True)
class Column:
    """A column of numbers: where it stands, what its heading says."""

    index: int
    heading: str
    role: ColumnRole
    period: Period | None = None
    rest: str = ""  # what the heading says beside the period ('Operating income' of 'Operating income 2021')
    units: Units = NO_UNITS


@dataclass(frozen=True)
class Cell:
    """A number in the grid with where it came from."""

    row: int
    column: int
    number: Number
    text: str
    box: Box | None

    @property
    def value(self) -> Decimal:
        return self.number.value


@dataclass(frozen=True)
class Row:
    """A row of numbers with a complete name."""

    index: int
    label: str  # cleaned
    group: str  # cleaned section label, '' where none
    kind: RowKind
    cells: dict[int, Cell] = field(default_factory=dict)  # by column index
    total: bool = False
    units: Units = NO_UNITS  # what the label itself says: 'Sales (millions)'
    unique: bool = True  # no other row has the same label and group
    label_unique: bool = True

    @property
    def name(self) -> str:
        """The label, with its section where the label alone does not say which row is meant."""
        short = (
            len(self.label.split()) <= 2 and self.label.isascii() and len(self.group.split()) <= 5 and not self.total
        )
        telling = not self.label_unique or is_generic(self.label) or short
        repeats = self.group.lower() in self.label.lower() or self.label.lower() in self.group.lower()
        return f"{self.label} ({self.group})" if self.group and telling and not repeats else self.label

    @property
    def decimals(self) -> int:
        return max((cell.number.decimals for cell in self.cells.values()), default=0)


@dataclass(frozen=True)
class Sum:
    """A row that the rows above it add up to, checked in every column."""

    total: Row
    parts: tuple[Row, ...]


@dataclass(frozen=True)
class Grid:
    """The numeric rows and columns of a table."""

    table: Table
    figure: Figure
    language: Language
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sums: tuple[Sum, ...]
    units: Units
    transposed: bool = False

    @property
    def series(self) -> list[list[Column]]:
        """Columns of one kind of period and one meaning, in the order of time; each list has two or more."""
        groups: dict[tuple[str, str], list[Column]] = {}
        for column in self.columns:
            if column.role == "period" and column.period is not None:
                groups.setdefault((column.rest.lower(), column.period.kind), []).append(column)
        result = []
        for listed in groups.values():
            keys = [column.period.key for column in listed if column.period]
            if len(listed) >= 2 and len(set(keys)) == len(keys):
                result.append(sorted(listed, key=lambda column: period_order(column.period)))
        return result


def period_order(period: Period | None) -> tuple[int, str]:
    """Order periods by time."""
    assert period is not None
    return period.year, period.key


def find_sums(grid: Grid) -> list[Sum]:
    """Return the rows that are the sum of the run of rows above them, within rounding, in every column.

    Two columns (or three parts) have to agree, so that a chance match is not taken for a total.
    """
    sums: list[Sum] = []
    rows = grid.rows
    totals: set[int] = set()
    for t, total in enumerate(rows):
        if total.kind not in ("amount", "count") or not total.cells:
            continue
        for first in range(t - 2, max(-1, t - 16), -1):
            parts = [row for row in rows[first:t] if row.index not in totals or row is rows[first]]
            parts = [row for row in parts if row.kind == total.kind]
            if len(parts) < 2:
                continue
            if (
                _adds_up(total, parts)
                and (len(total.cells) >= 2 or len(parts) >= 3)
                and _rows_between(grid, parts, total)
            ):
                sums.append(Sum(total, tuple(parts)))
                totals.add(total.index)
                break
    return sums


def _rows_between(grid: Grid, parts: list[Row], total: Row) -> bool:
    """Whether every printed row with numbers from the first part to the total is a part (or an earlier total)."""
    known = {row.index for row in grid.rows}
    for i in range(parts[0].index, total.index):
        if (
            i not in known
            and not grid.transposed
            and any(parse_number(text) is not None for text in grid.table.rows[i][1:])
        ):
            return False
    return True


def _adds_up(total: Row, parts: list[Row]) -> bool:
    for j, cell in total.cells.items():
        values = [part.cells[j].value for part in parts if j in part.cells]
        if not values:
            return False
        step = Decimal(1).scaleb(-cell.number.decimals)
        if abs(sum(values, Decimal(0)) - cell.value) > step * Decimal(len(values)) / 2 or cell.value == 0:
            return False
        if sum(value != 0 for value in values) < 2:
            return False
    return True
