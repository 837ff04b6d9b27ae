"""Whether another table of the same report would answer a question too, or answer it differently."""

from __future__ import annotations

import re
from decimal import Decimal

from finlmm_generators.drafts import Draft
from finlmm_generators.grid import Column, Grid, Row
from finlmm_generators.naming import table_title

Key = tuple[str, str]


def _label(text: str) -> str:
    return re.sub(r"\Atotal (?=\w)", "", re.sub(r"[\W_]+", " ", text.lower()).strip())


def _heading(column: Column) -> str:
    return column.period.key if column.period is not None else _label(column.heading)


class CellIndex:
    """All cells of a report by row label and column, to find what is printed twice."""

    def __init__(self, grids: list[Grid]) -> None:
        self._tables: dict[str, dict[Key, set[Decimal]]] = {}
        self._titles: dict[str, str] = {}
        self._holders: dict[Key, list[str]] = {}
        for grid in grids:
            cells = self._tables.setdefault(grid.table.figure_id, {})
            self._titles[grid.table.figure_id] = _label(table_title(grid))
            headings = {column.index: _heading(column) for column in grid.columns}
            for row in grid.rows:
                for j, cell in row.cells.items():
                    key = (_label(row.label), headings[j])
                    if key not in cells:
                        self._holders.setdefault(key, []).append(grid.table.figure_id)
                    cells.setdefault(key, set()).add(cell.value)

    def elsewhere(self, grid: Grid, draft: Draft, title: str, told: list[Row]) -> str | None:
        """Return why the question is not about this table alone, or None.

        Args:
            grid: the table.
            draft: the question.
            title: the table's title as the question says it, '' where it names the rows told instead.
            told: rows that the question names where there is no title.

        ``answered_by_other_table``: another one prints all the same numbers under the same names.
        ``labels_repeated_elsewhere``: another one has the same names with other numbers, and no title tells them apart.
        """
        rows = {row.index: row for row in grid.rows}
        columns = {column.index: column for column in grid.columns}
        wanted = [((_label(rows[c.row].label), _heading(columns[c.column])), c.value) for c in draft.cells]
        own = grid.table.figure_id
        for holder in self._holders.get(wanted[0][0], []):
            if holder == own:
                continue
            cells = self._tables[holder]
            if not all(key in cells for key, _ in wanted):
                continue
            if all(value in cells[key] for key, value in wanted):
                return "answered_by_other_table"
            if title:
                same = _label(title) == self._titles[holder]
            else:
                labels = {label for label, _ in cells}
                same = all(_label(row.label) in labels for row in told)
            if same:
                return "labels_repeated_elsewhere"
        return None
