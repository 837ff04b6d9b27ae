"""Drafts about how rows develop over periods: change, growth, averages, peaks, and who grew more."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations, pairwise

from finlmm_generators.drafts import (
    ARITHMETIC,
    BALANCE_ROW,
    NAMES,
    STATISTICS,
    Draft,
    cells_of,
    comparable,
    has_all,
    is_deduction,
    is_flow,
    is_money,
    is_solid,
    is_thin,
)
from finlmm_generators.grid import Column, Grid, Row


def _pairs(columns: list[Column], row: Row) -> list[tuple[Column, Column]]:
    """Return pairs of periods, the newest neighbours first, then the two ends."""
    held = [column for column in columns if has_all(row, column)]
    pairs = [(held[i - 1], held[i]) for i in range(len(held) - 1, 0, -1)]
    if len(held) > 2:
        pairs.append((held[0], held[-1]))
    return pairs[:4]


def over_time(grid: Grid, row: Row, columns: list[Column], pool: tuple[Row, ...]) -> Iterator[Draft]:
    if is_deduction(row, columns):
        return
    for earlier, later in _pairs(columns, row):
        old, new = row.cells[earlier.index], row.cells[later.index]
        if old.value == new.value or is_thin((old, new)):
            continue
        pair = (earlier, later)
        if row.kind == "percent":
            yield Draft(
                "point_change", ARITHMETIC, (row,), pair, (new, old), "a - b", "points",
                (("swapped operands", "b - a"), ("percent instead of points", "(a - b) / b * 100"), ("sum", "a + b"), ("average", "(a + b) / 2")),
                pool=pool,
            )  # fmt: skip
            continue
        if is_money(row, grid):
            yield Draft(
                "change", ARITHMETIC, (row,), pair, (new, old), "a - b", "amount",
                (("swapped operands", "b - a"), ("sum instead of difference", "a + b"), ("average", "(a + b) / 2"), ("later value only", "a")),
                pool=pool,
            )  # fmt: skip
        if is_solid(old) and new.value > 0 and abs(new.value / old.value - 1) <= 3:
            yield Draft(
                "growth_rate", ARITHMETIC, (row,), pair, (new, old), "(a - b) / b * 100", "percent",
                (("wrong base", "(a - b) / a * 100"), ("swapped operands", "(b - a) / b * 100"), ("swapped periods", "(b - a) / a * 100"),
                 ("ratio of the two", "b / a * 100"), ("ratio taken for growth", "a / b * 100"), ("average base", "(a - b) / ((a + b) / 2) * 100")),
                pool=pool,
            )  # fmt: skip
    held = [column for column in columns if has_all(row, column)]
    cells = cells_of(row, held)
    flows = all(column.period is not None and column.period.kind != "day" for column in held)
    if len(held) >= 3:
        names = NAMES[: len(held)]
        joined = ", ".join(names)
        consecutive = [column.period.year for column in held if column.period is not None]
        yearly = all(column.period is not None and column.period.kind in ("year", "day") for column in held)
        gap = consecutive[-1] - consecutive[0]
        if row.kind == "percent" or is_money(row, grid):
            answer = "rate" if row.kind == "percent" else "amount"
            trend = (("one period left out", f"mean({', '.join(names[1:])})"), ("last period left out", f"mean({', '.join(names[:-1])})"),
                     ("ends only", f"({names[0]} + {names[-1]}) / 2"), ("median", f"median({joined})"), ("wrong divisor", f"sum({joined}) / {len(names) + 1}"))  # fmt: skip
            if len({cell.value for cell in cells}) > 1:
                yield Draft(
                    "average", STATISTICS, (row,), tuple(held), cells, f"mean({joined})", answer, trend, pool=pool
                )
                spread = (("ends only", f"abs({names[-1]} - {names[0]})"), ("last two periods", f"abs({names[-1]} - {names[-2]})"),
                          ("first two periods", f"abs({names[1]} - {names[0]})"), ("maximum", f"max({joined})"), ("to the mean", f"max({joined}) - mean({joined})"))  # fmt: skip
                yield Draft(
                    "range", STATISTICS, (row,), tuple(held), cells, f"max({joined}) - min({joined})",
                    "points" if row.kind == "percent" else "amount", spread, pool=pool,
                )  # fmt: skip
        steady = yearly and gap >= 2 and gap == len(held) - 1 and row.kind != "percent"
        overall = cells[-1].value / cells[0].value if steady and is_solid(cells[0]) else Decimal(0)
        if Decimal("0.2") < overall < 5 and overall != 1:
            yield Draft(
                "cagr", ARITHMETIC, (row,), (held[0], held[-1]), (cells[-1], cells[0]), f"((a / b) ** (1 / {gap}) - 1) * 100", "percent",
                (("one year too many", f"((a / b) ** (1 / {gap + 1}) - 1) * 100"), ("simple average of the total growth", f"(a - b) / b * 100 / {gap}"),
                 ("total growth", "(a - b) / b * 100"), ("one year too few", f"((a / b) ** (1 / {gap - 1}) - 1) * 100"),
                 ("swapped operands", f"((b / a) ** (1 / {gap}) - 1) * 100"), ("divided by the number of columns", f"(a - b) / b * 100 / {gap + 1}")),
                pool=pool,
            )  # fmt: skip
        if len(held) >= 4 and len({cell.value for cell in cells}) == len(cells):
            for template, function in (("peak_period", "argmax"), ("low_period", "argmin")):
                yield Draft(template, STATISTICS, (row,), tuple(held), cells, f"{function}({joined})", "period")
    years = [column.period.year for column in held[-3:] if column.period is not None]
    in_line = flows and (len(set(years)) == 1 or years == list(range(years[0], years[0] + len(years))))
    if (
        len(held) >= 2
        and in_line
        and is_flow(row, grid)
        and is_money(row, grid)
        and row.kind == "amount"
        and not BALANCE_ROW.search(row.label)
    ):
        chosen = held[-3:]
        names = NAMES[: len(chosen)]
        chosen_cells = cells_of(row, chosen)
        if all(cell.value != 0 for cell in chosen_cells) and len({cell.value > 0 for cell in chosen_cells}) == 1:
            total = f"sum({', '.join(names)})"
            left_out = (
                []
                if len(names) == 2
                else [("one period left out", f"sum({', '.join(n for n in names if n != name)})") for name in names]
            )
            yield Draft(
                "sum_periods", ARITHMETIC, (row,), tuple(chosen), chosen_cells, total, "amount",
                (*left_out, ("one period twice", f"{total} + {names[0]}"), ("one period twice", f"{total} + {names[-1]}"),
                 ("last period subtracted", f"{total} - 2 * {names[-1]}")),
                pool=pool,
            )  # fmt: skip


def groups_over_time(grid: Grid, columns: list[Column], pool: tuple[Row, ...]) -> Iterator[Draft]:
    for group in comparable(grid, pool)[0]:
        for earlier, later in (pair for pair in list(pairwise(columns))[-2:]):
            held = [
                row for row in group
                if row.kind in ("amount", "count") and has_all(row, earlier, later)
                and row.cells[earlier.index].value > 0 and row.cells[later.index].value > 0
            ]  # fmt: skip
            solid = [row for row in held if is_solid(row.cells[earlier.index]) and row.cells[later.index].value > 0]
            solid = [
                row for row in solid if abs(row.cells[later.index].value / row.cells[earlier.index].value - 1) <= 3
            ]
            growth = {row.index: row.cells[later.index].value / row.cells[earlier.index].value for row in solid}
            for first, second in list(combinations(solid, 2))[:6]:
                high, low = (first, second) if growth[first.index] >= growth[second.index] else (second, first)
                if growth[high.index] - growth[low.index] < Decimal("0.01"):
                    continue
                cells = (
                    high.cells[later.index],
                    high.cells[earlier.index],
                    low.cells[later.index],
                    low.cells[earlier.index],
                )
                yield Draft(
                    "growth_gap", ARITHMETIC, (high, low), (earlier, later), cells, "(a - b) / b * 100 - (c - d) / d * 100", "points",
                    (("wrong base", "(a - b) / a * 100 - (c - d) / c * 100"), ("growth of the first only", "(a - b) / b * 100"),
                     ("growth of the second only", "(c - d) / d * 100"), ("sum of the growth rates", "(a - b) / b * 100 + (c - d) / d * 100"),
                     ("growth of the difference", "((a - c) - (b - d)) / abs(b - d) * 100" if cells[1].value != cells[3].value else "(a - b) / d * 100")),
                    pool=tuple(solid),
                )  # fmt: skip
            if len(held) >= 4:
                for start in range(0, len(held) - 3, 4):
                    four = held[start : start + 4]
                    yield from _four_over_time(four, earlier, later, growth)
                listed = held[:6]
                risen = [(row.cells[later.index], row.cells[earlier.index]) for row in listed]
                compared = tuple(cell for pair in risen for cell in pair)
                if all(a.value != b.value for a, b in risen):
                    terms = ", ".join(f"{NAMES[2 * i]} > {NAMES[2 * i + 1]}" for i in range(len(risen)))
                    yield Draft(
                        "count_risen", STATISTICS, tuple(listed), (earlier, later), compared, f"count({terms})", "count"
                    )


def _four_over_time(four: list[Row], earlier: Column, later: Column, growth: dict[int, Decimal]) -> Iterator[Draft]:
    cells = tuple(cell for row in four for cell in (row.cells[later.index], row.cells[earlier.index]))
    changes = [row.cells[later.index].value - row.cells[earlier.index].value for row in four]
    terms = [f"{NAMES[2 * i]} - {NAMES[2 * i + 1]}" for i in range(4)]
    if max(changes) > 0 and changes.count(max(changes)) == 1:
        yield Draft(
            "largest_increase", STATISTICS, tuple(four), (earlier, later), cells, f"argmax({', '.join(terms)})", "row"
        )
    if all(row.index in growth for row in four):
        rates = sorted((growth[row.index] for row in four), reverse=True)
        if rates[0] - rates[1] > Decimal("0.005"):
            ratios = ", ".join(f"{NAMES[2 * i]} / {NAMES[2 * i + 1]}" for i in range(4))
            yield Draft("fastest_growth", STATISTICS, tuple(four), (earlier, later), cells, f"argmax({ratios})", "row")
