"""All drafts that a table carries."""

from __future__ import annotations

from collections.abc import Iterator

from finlmm_generators.drafts import OPENING, Draft, has_all
from finlmm_generators.grid import Grid
from finlmm_generators.over_time import groups_over_time, over_time
from finlmm_generators.within_column import in_column, margins, shares_of_totals


def drafts_of(grid: Grid) -> Iterator[Draft]:
    """Yield every question that the grid carries, in a fixed order."""
    # An opening balance is the closing one of the period before: its change between columns says nothing of them.
    rows = [row for row in grid.rows if row.unique and row.kind != "unclear" and not OPENING.search(row.label)]
    for columns in grid.series:
        pool = tuple(row for row in rows if sum(has_all(row, column) for column in columns) >= 2)
        for row in pool:
            yield from over_time(grid, row, columns, pool)
        yield from groups_over_time(grid, columns, pool)
    for column in grid.columns:
        pool = tuple(row for row in rows if has_all(row, column))
        yield from in_column(grid, column, pool)
    yield from shares_of_totals(grid)
    yield from margins(grid, rows)
