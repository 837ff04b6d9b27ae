"""Drafts about one column: rows against each other, shares of verified totals, margins."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations, pairwise

from finlmm_generators.drafts import (
    ARITHMETIC,
    BALANCE_ROW,
    NAMES,
    PROFIT,
    REVENUE,
    STATISTICS,
    Draft,
    comparable,
    has_all,
    is_money,
    is_solid,
    is_thin,
)
from finlmm_generators.grid import Cell, Column, Grid, Row

_ADJUSTED = re.compile(
    r"adjusted|adjustments?\b|non-?gaap|underlying|excluding|normali[sz]ed|reconcil|core earnings|经调整|扣非|调整后|剔除",
    re.IGNORECASE,
)
_EARNED = re.compile(
    r"\A(?:total )?(?:(?:net|gross|operating|comprehensive|pre-?tax|segment) )*(?:income|profit|earnings|loss|margin|ebitda?)\b(?! tax)|"
    r"(?:net|operating|gross) (?:income|profit|earnings|loss|margin)|(?:income|profit|earnings|loss) (?:before|from|after|attributable)|利润|收益",
    re.IGNORECASE,
)


def in_column(grid: Grid, column: Column, pool: tuple[Row, ...]) -> Iterator[Draft]:
    if column.role == "percent":
        pool = ()
    groups, verified = comparable(grid, pool)
    for group_number, group in enumerate(groups):
        held = [row for row in group if row.kind in ("amount", "count", "percent") and has_all(row, column)]
        if is_thin(tuple(row.cells[column.index] for row in held)):
            continue
        values = {row.index: row.cells[column.index].value for row in held}
        positive = [row for row in held if values[row.index] > 0]
        spoken = [row for row in positive if is_money(row, grid)]
        for first, second in [pair for pair in combinations(spoken, 2) if not _bridged(grid, pair)][:5]:
            high, low = (first, second) if values[first.index] >= values[second.index] else (second, first)
            if values[high.index] == values[low.index] or values[high.index] > 20 * values[low.index]:
                continue
            cells = (high.cells[column.index], low.cells[column.index])
            yield Draft(
                "difference_rows", ARITHMETIC, (high, low), (column,), cells, "a - b", "amount",
                (("sum instead of difference", "a + b"), ("first row only", "a"), ("second row only", "b"), ("average", "(a + b) / 2")), pool=tuple(held),
            )  # fmt: skip
        amounts = [row for row in positive if row.kind != "percent"]
        for first, second in [pair for pair in combinations(amounts, 2) if not _bridged(grid, pair)][:5]:
            high, low = (first, second) if values[first.index] >= values[second.index] else (second, first)
            cells = (high.cells[column.index], low.cells[column.index])
            if is_solid(cells[1]) and Decimal("1.05") < cells[0].value / cells[1].value < 30:
                yield Draft(
                    "ratio", ARITHMETIC, (high, low), (column,), cells, "a / b", "ratio",
                    (("swapped operands", "b / a"), ("share of the sum", "a / (a + b)"), ("difference over the base", "(a - b) / b"), ("sum over the base", "(a + b) / b")),
                    pool=tuple(positive),
                )  # fmt: skip
        if len(spoken) >= 3 and group_number < verified:
            for size in (3, 4):
                for start in range(0, len(spoken) - size + 1, size):
                    some = spoken[start : start + size]
                    names = NAMES[:size]
                    total = f"sum({', '.join(names)})"
                    left_out = [
                        ("one row left out", f"sum({', '.join(n for n in names if n != name)})") for name in names
                    ]
                    yield Draft(
                        "sum_rows", ARITHMETIC, tuple(some), (column,), tuple(row.cells[column.index] for row in some), total, "amount",
                        (*left_out, ("one row twice", f"{total} + {names[0]}"), ("one row subtracted", f"{total} - 2 * {names[-1]}")), pool=tuple(spoken),
                    )  # fmt: skip
        if (
            group_number >= verified
            and positive
            and max(values.values()) > sum(values[row.index] for row in positive) / 2
        ):
            continue  # it may be a total that was not printed as one
        if group_number >= verified and _holds_a_sum([row.cells[column.index] for row in held]):
            continue
        if any(REVENUE.match(row.label) or PROFIT.match(row.label) for row in group):
            continue  # lines of an income statement follow from each other: their order says nothing
        if any(cell.number.unit == "percent" and cell.value >= 100 for row in held for cell in row.cells.values()):
            continue
        yield from _statistics_in_column(grid, column, held, spoken)


def _bridged(grid: Grid, pair: tuple[Row, Row]) -> bool:
    """Whether a reconciliation leads from one of the rows to its adjusted self by way of the other, an adjustment."""
    earned = sum(bool(_EARNED.search(row.label)) for row in pair)
    return earned == 1 and any(_ADJUSTED.search(row.label) for row in grid.rows)


def _holds_a_sum(cells: list[Cell]) -> bool:
    """Whether one of the numbers is the sum of two or more that stand together before it: a subtotal among items."""
    for last in range(2, len(cells)):
        total = Decimal(0)
        for first in range(last - 1, -1, -1):
            total += cells[first].value
            step = Decimal(1).scaleb(-cells[last].number.decimals)
            if last - first >= 2 and abs(total - cells[last].value) <= step * (last - first) / 2:
                return True
    return False


def _statistics_in_column(grid: Grid, column: Column, held: list[Row], spoken: list[Row]) -> Iterator[Draft]:
    def cells_of(rows: list[Row]) -> tuple[Cell, ...]:
        return tuple(row.cells[column.index] for row in rows)

    def distinct(rows: list[Row]) -> bool:
        return len({cell.value for cell in cells_of(rows)}) == len(rows)

    # A deduction among gains would be smallest, or last in rank, by its sign alone.
    held = [row for row in held if row.cells[column.index].value > 0]
    for start in range(0, len(held) - 3, 4):
        four = held[start : start + 4]
        if distinct(four):
            joined = ", ".join(NAMES[:4])
            yield Draft("largest", STATISTICS, tuple(four), (column,), cells_of(four), f"argmax({joined})", "row")
            if all(cell.value > 0 for cell in cells_of(four)):
                yield Draft("smallest", STATISTICS, tuple(four), (column,), cells_of(four), f"argmin({joined})", "row")
    listed = held[:6]
    if len(listed) >= 4 and distinct(listed):
        for row in (listed[1], listed[-1]):
            others = ", ".join(NAMES[: len(listed)])
            yield Draft(
                "rank", STATISTICS, (row, *listed), (column,), cells_of(listed), f"rank({NAMES[listed.index(row)]}, {others})", "ordinal"
            )  # fmt: skip
    if len(spoken[:7]) >= 5:
        some = spoken[: 5 if len(spoken) < 7 else 7]
        if distinct(some):
            joined = ", ".join(NAMES[: len(some)])
            yield Draft(
                "median", STATISTICS, tuple(some), (column,), cells_of(some), f"median({joined})", "amount",
                (("mean", f"mean({joined})"), ("maximum", f"max({joined})"), ("middle of the printed order", NAMES[len(some) // 2]),
                 ("middle of the ends", f"(max({joined}) + min({joined})) / 2"), *((("another item", name)) for name in NAMES[: len(some)])),
            )  # fmt: skip
    if len(spoken) >= 4:
        some = spoken[:6]
        limit = _threshold([cell.value for cell in cells_of(some)])
        if limit is not None:
            terms = ", ".join(f"{name} > {limit}" for name in NAMES[: len(some)])
            yield Draft(
                "count_above",
                STATISTICS,
                tuple(some),
                (column,),
                cells_of(some),
                f"count({terms})",
                "count",
                limit=limit,
            )


def _threshold(values: list[Decimal]) -> Decimal | None:
    """Return a round number in the widest relative gap between the middle values; None where there is none."""
    ordered = sorted(values)
    gaps = [
        (ordered[i + 1] / ordered[i], i)
        for i in range(0, len(ordered) - 1)
        if ordered[i] > 0 and ordered[i + 1] > ordered[i]
    ]
    for _, i in sorted(gaps, key=lambda gap: (-gap[0], gap[1])):
        low, high = ordered[i], ordered[i + 1]
        for factor in (
            Decimal(1),
            Decimal(2),
            Decimal(5),
            Decimal("2.5"),
            Decimal("1.5"),
            Decimal(3),
            Decimal(4),
            Decimal(7),
        ):
            power = Decimal(1).scaleb((high / factor).adjusted())
            limit = (factor * power).normalize()
            if low * Decimal("1.02") < limit < high * Decimal("0.98"):
                return Decimal(f"{limit:f}")
    return None


def shares_of_totals(grid: Grid) -> Iterator[Draft]:
    by_index = {column.index: column for column in grid.columns}
    for found in grid.sums:
        total, parts = found.total, [part for part in found.parts if part.unique and not part.total]
        if not total.unique or total.kind not in ("amount", "count"):
            continue
        # A roll-forward adds up as well, but its opening balance is no part of the closing one.
        if any(BALANCE_ROW.search(row.label) for row in (total, *found.parts)):
            continue
        # Nor is a measure part of its adjusted self: a reconciliation adds up without being made of parts.
        if any(_ADJUSTED.search(row.label) for row in (total, *found.parts)):
            continue
        if _EARNED.search(total.label) and any(_EARNED.search(part.label) for part in found.parts):
            continue
        shares: dict[int, list[Row]] = {}
        for j, column in by_index.items():
            if column.role == "percent" or j not in total.cells or not is_solid(total.cells[j], 50):
                continue
            # A share of a total only makes sense where no part is negative.
            if any(part.cells[j].value < 0 for part in found.parts if j in part.cells):
                continue
            whole = total.cells[j]
            shares[j] = [
                part
                for part in parts
                if j in part.cells and Decimal("0.01") < part.cells[j].value / whole.value < Decimal("0.97")
            ]
            for part in shares[j]:
                cell = part.cells[j]
                yield Draft(
                    "share_of_total", ARITHMETIC, (part,), (column,), (cell, whole), "a / b * 100", "share",
                    (("share of the others", "a / (b - a) * 100"), ("what is left", "(b - a) / b * 100"), ("added to the total", "a / (a + b) * 100")),
                    total=total, pool=tuple(parts),
                )  # fmt: skip
            listed = [part for part in found.parts if j in part.cells]
            if len(listed) >= 4 and len(listed) <= 20 and all(part.unique for part in listed):
                values = [part.cells[j].value for part in listed]
                if values.count(max(values)) == 1:
                    yield Draft(
                        "largest_part", STATISTICS, tuple(listed), (column,), tuple(part.cells[j] for part in listed),
                        f"argmax({', '.join(NAMES[: len(listed)])})", "row", total=total,
                    )  # fmt: skip
        for columns in grid.series:
            for earlier, later in list(pairwise(columns))[-2:]:
                if earlier.index not in shares or later.index not in shares:
                    continue
                for part in shares[later.index]:
                    if part not in shares[earlier.index]:
                        continue
                    cells = (
                        part.cells[later.index],
                        total.cells[later.index],
                        part.cells[earlier.index],
                        total.cells[earlier.index],
                    )
                    yield Draft(
                        "share_change", ARITHMETIC, (part,), (earlier, later), cells, "a / b * 100 - c / d * 100", "points",
                        (("swapped operands", "c / d * 100 - a / b * 100"), ("growth instead of points", "(a / b - c / d) / (c / d) * 100"),
                         ("later total for both", "(a - c) / b * 100"), ("earlier total for both", "(a - c) / d * 100"), ("growth of the row", "(a - c) / c * 100")),
                        total=total, pool=tuple(parts),
                    )  # fmt: skip


def margins(grid: Grid, rows: list[Row]) -> Iterator[Draft]:
    revenues = [row for row in rows if row.kind == "amount" and REVENUE.match(row.label)]
    profits = [row for row in rows if row.kind == "amount" and PROFIT.match(row.label)]
    if len(revenues) != 1:
        return
    revenue = revenues[0]
    for profit in profits:
        for column in grid.columns:
            if column.role == "percent" or not has_all(profit, column) or not has_all(revenue, column):
                continue
            cells = (profit.cells[column.index], revenue.cells[column.index])
            if not (is_solid(cells[1], 50) and Decimal(0) < cells[0].value < cells[1].value):
                continue
            yield Draft(
                "margin", ARITHMETIC, (profit, revenue), (column,), cells, "a / b * 100", "share",
                (("over the costs", "a / (b - a) * 100"), ("cost share", "(b - a) / b * 100"), ("added to the base", "a / (a + b) * 100")),
                pool=tuple(row for row in rows if row.kind == "amount"),
            )  # fmt: skip
