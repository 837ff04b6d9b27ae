"""Drafts of table questions: which rows and columns, which program, which real mistakes."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations, pairwise

from finlmm_core.domain import QuestionType
from finlmm_core.quantities import round_half_up
from finlmm_generators.grid import Cell, Column, Grid, Row
from finlmm_generators.labels import clean

ARITHMETIC = QuestionType.ARITHMETIC_REASONING
STATISTICS = QuestionType.STATISTICS_REASONING
NAMES = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Draft:
    """A question before it has words and options.

    ``cells`` are bound to the names a, b, c ... of the program in order. ``answer`` is 'amount', 'percent', 'points',
    'ratio', 'count', 'ordinal', 'row' or 'period'; for the last two the program gives the place of the winning cell.
    """

    template: str
    type: QuestionType
    rows: tuple[Row, ...]  # in the order of the wording's slots
    columns: tuple[Column, ...]  # earlier first
    cells: tuple[Cell, ...]
    program: str
    answer: str
    mistakes: tuple[tuple[str, str], ...] = ()  # name of the mistake, program over the same names
    total: Row | None = None
    limit: Decimal | None = None
    pool: tuple[Row, ...] = field(default=())  # rows that a reader could take by mistake

    @property
    def key(self) -> tuple[object, ...]:
        return self.template, tuple(row.index for row in self.rows), tuple(column.index for column in self.columns)


_REVENUE = re.compile(
    r"\A(?:total\s+)?(?:net\s+)?(?:revenues?|sales|net sales|turnover|operating revenues?)(?:,?\s+net)?\Z|\A(?:营业(?:总)?收入|主营业务收入|收入合计|收入)\Z",
    re.IGNORECASE,
)
_PROFIT = re.compile(
    r"\A(?:gross\s+(?:profit|margin)|operating\s+(?:income|profit)|income\s+from\s+operations|net\s+(?:income|earnings|profit)|ebitda?|adjusted\s+ebitda|"
    r"profit\s+(?:before\s+tax|for\s+the\s+(?:year|period))|segment\s+(?:profit|income))\Z|\A(?:毛利润?|营业利润|净利润|利润总额|归母净利润|归属于母公司(?:股东|所有者)的净利润|EBITDA)\Z",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"beginning|opening|balances?,? (?:at|as of) january 1|at january 1|january 1\Z|期初|年初", re.IGNORECASE
)
_BALANCE_ROW = re.compile(
    r"beginning|ending|end of|balance|at (?:december|june|march|september)|期初|期末|余额", re.IGNORECASE
)


# Rows that are no items beside others: balances of a roll-forward, what is taken off.
_UNLIKE = re.compile(rf"{_BALANCE_ROW.pattern}|accumulated|allowance|reserve|累计折旧|准备", re.IGNORECASE)


def _has(row: Row, *columns: Column) -> bool:
    return all(column.index in row.cells for column in columns)


def _cells(row: Row, columns: list[Column] | tuple[Column, ...]) -> tuple[Cell, ...]:
    return tuple(row.cells[column.index] for column in columns)


def _solid(cell: Cell, digits: int = 20) -> bool:
    """Whether the printed number is precise enough for a base: at least so many units of its last digit, positive."""
    return cell.value > 0 and cell.value.scaleb(cell.number.decimals) >= digits


_FLOW = re.compile(
    r"revenue|sales|income|profit|earnings|expense|cost|cash (?:provided|used|flow)|payment|purchases|proceeds|expenditure|depreciation|amortization|dividends|"
    r"provision|charge|spending|contribution|repurchase|issuance|loss|fees|interest|tax(?:es)? paid|收入|利润|成本|费用|支出|开支|折旧|摊销|现金流|销售|股利|分红",
    re.IGNORECASE,
)
_STOCK = re.compile(
    r"(?<![a-z])(?:(?:non-?)?(?:current )?assets?|liabilit\w+|debt|receivables?|payables?|inventor\w+|equity|goodwill|balances?|obligations?|allowances?|"
    r"equivalents|property|accumulated|deferred|per share|margins?|rates?|outstanding|backlog|financial position)(?![a-z])|"
    r"资产|负债|应收|应付|存货|权益|余额|借款|率|每股",
    re.IGNORECASE,
)


def _flow(row: Row, grid: Grid) -> bool:
    """Whether amounts of several periods may be added up: something that happens over time, not what is there at a date."""
    if _STOCK.search(row.label) or _STOCK.search(row.group):
        return False
    title = f"{grid.table.title} {grid.figure.caption}"
    if _STOCK.search(title) and not re.search(r"income|operations|cash flow|expense|利润|现金流", title, re.IGNORECASE):
        return False
    return bool(_FLOW.search(row.label) or _FLOW.search(title))


_SIGNED = re.compile(r"income|profit|earnings|loss|cash|net|result|利润|损益|现金|净", re.IGNORECASE)


def _deduction(row: Row, columns: list[Column]) -> bool:
    """Whether a row is printed negative throughout because it is taken off: its change would be read both ways."""
    cells = [row.cells[column.index] for column in columns if column.index in row.cells]
    return all(cell.value <= 0 for cell in cells) and not _SIGNED.search(row.label)


def _thin(cells: tuple[Cell, ...]) -> bool:
    """Whether all numbers are single digits, which too many places print to tell where they come from."""
    return all(abs(cell.value.scaleb(cell.number.decimals)) < 10 for cell in cells)


def _money(row: Row, grid: Grid) -> bool:
    """Whether amounts of the row have a known unit, so that a sum or a difference can be written with it."""
    if row.kind == "amount":
        # Without a word on the scale a bare '$ 970' may be millions: only a unit that is printed, or cents, settle it.
        said = bool(grid.units.text) and grid.units.currency is not None
        if grid.units.scale == 1 and row.units.scale == 1 and not said and row.decimals < 2:
            return False
        return any(units.currency is not None for units in (grid.units, row.units))
    return row.kind == "per_share" and grid.units.currency is not None


def drafts_of(grid: Grid) -> Iterator[Draft]:
    """Yield every question that the grid carries, in a fixed order."""
    # An opening balance is the closing one of the period before: its change between columns says nothing of them.
    rows = [row for row in grid.rows if row.unique and row.kind != "unclear" and not _OPENING.search(row.label)]
    for columns in grid.series:
        pool = tuple(row for row in rows if sum(_has(row, column) for column in columns) >= 2)
        for row in pool:
            yield from _over_time(grid, row, columns, pool)
        yield from _groups_over_time(grid, columns, pool)
    for column in grid.columns:
        pool = tuple(row for row in rows if _has(row, column))
        yield from _in_column(grid, column, pool)
    yield from _totals(grid)
    yield from _margins(grid, rows)


def _pairs(columns: list[Column], row: Row) -> list[tuple[Column, Column]]:
    """Return pairs of periods, the newest neighbours first, then the two ends."""
    held = [column for column in columns if _has(row, column)]
    pairs = [(held[i - 1], held[i]) for i in range(len(held) - 1, 0, -1)]
    if len(held) > 2:
        pairs.append((held[0], held[-1]))
    return pairs[:4]


def _over_time(grid: Grid, row: Row, columns: list[Column], pool: tuple[Row, ...]) -> Iterator[Draft]:
    if _deduction(row, columns):
        return
    for earlier, later in _pairs(columns, row):
        old, new = row.cells[earlier.index], row.cells[later.index]
        if old.value == new.value or _thin((old, new)):
            continue
        pair = (earlier, later)
        if row.kind == "percent":
            yield Draft(
                "point_change", ARITHMETIC, (row,), pair, (new, old), "a - b", "points",
                (("swapped operands", "b - a"), ("percent instead of points", "(a - b) / b * 100"), ("sum", "a + b"), ("average", "(a + b) / 2")),
                pool=pool,
            )  # fmt: skip
            continue
        if _money(row, grid):
            yield Draft(
                "change", ARITHMETIC, (row,), pair, (new, old), "a - b", "amount",
                (("swapped operands", "b - a"), ("sum instead of difference", "a + b"), ("average", "(a + b) / 2"), ("later value only", "a")),
                pool=pool,
            )  # fmt: skip
        if _solid(old) and new.value > 0 and abs(new.value / old.value - 1) <= 3:
            yield Draft(
                "growth_rate", ARITHMETIC, (row,), pair, (new, old), "(a - b) / b * 100", "percent",
                (("wrong base", "(a - b) / a * 100"), ("swapped operands", "(b - a) / b * 100"), ("swapped periods", "(b - a) / a * 100"),
                 ("ratio of the two", "b / a * 100"), ("ratio taken for growth", "a / b * 100"), ("average base", "(a - b) / ((a + b) / 2) * 100")),
                pool=pool,
            )  # fmt: skip
    held = [column for column in columns if _has(row, column)]
    cells = _cells(row, held)
    flows = all(column.period is not None and column.period.kind != "day" for column in held)
    if len(held) >= 3:
        names = NAMES[: len(held)]
        joined = ", ".join(names)
        consecutive = [column.period.year for column in held if column.period is not None]
        yearly = all(column.period is not None and column.period.kind in ("year", "day") for column in held)
        gap = consecutive[-1] - consecutive[0]
        if row.kind == "percent" or _money(row, grid):
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
        overall = cells[-1].value / cells[0].value if steady and _solid(cells[0]) else Decimal(0)
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
        and _flow(row, grid)
        and _money(row, grid)
        and row.kind == "amount"
        and not _BALANCE_ROW.search(row.label)
    ):
        chosen = held[-3:]
        names = NAMES[: len(chosen)]
        chosen_cells = _cells(row, chosen)
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


def _runs(rows: tuple[Row, ...]) -> list[list[Row]]:
    """Return runs of comparable rows: one after the other, same section, same kind, same decimals, no totals."""
    runs: list[list[Row]] = []
    for row in rows:
        fits = (
            runs
            and runs[-1]
            and runs[-1][-1].group == row.group
            and runs[-1][-1].kind == row.kind
            and runs[-1][-1].decimals == row.decimals
            and row.index - runs[-1][-1].index <= 2
        )
        if row.total:
            runs.append([])
        elif fits:
            runs[-1].append(row)
        else:
            runs.append([row])
    return [run for run in runs if len(run) >= 2]


def _comparable(grid: Grid, pool: tuple[Row, ...]) -> tuple[list[list[Row]], int]:
    """Return the parts of verified totals, then runs of rows that belong to none of them; and how many are the former."""
    held = {row.index for row in pool}
    title = clean(grid.table.title).lower()
    groups = [
        [part for part in found.parts if part.index in held and part.unique and not part.total] for found in grid.sums
    ]
    taken = {row.index for group in groups for row in group} | {found.total.index for found in grid.sums}
    runs = _runs(tuple(row for row in pool if row.index not in taken))

    def plain(listed: list[list[Row]]) -> list[list[Row]]:
        without = [[r for r in group if not _UNLIKE.search(r.label) and r.label.lower() != title] for group in listed]
        return [group for group in without if len(group) >= 2]

    parts = plain(groups)
    return parts + plain(runs), len(parts)


def _groups_over_time(grid: Grid, columns: list[Column], pool: tuple[Row, ...]) -> Iterator[Draft]:
    for group in _comparable(grid, pool)[0]:
        for earlier, later in (pair for pair in list(pairwise(columns))[-2:]):
            held = [
                row for row in group
                if row.kind in ("amount", "count") and _has(row, earlier, later)
                and row.cells[earlier.index].value > 0 and row.cells[later.index].value > 0
            ]  # fmt: skip
            solid = [row for row in held if _solid(row.cells[earlier.index]) and row.cells[later.index].value > 0]
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


def _in_column(grid: Grid, column: Column, pool: tuple[Row, ...]) -> Iterator[Draft]:
    if column.role == "percent":
        pool = ()
    groups, verified = _comparable(grid, pool)
    for group_number, group in enumerate(groups):
        held = [row for row in group if row.kind in ("amount", "count", "percent") and _has(row, column)]
        if _thin(tuple(row.cells[column.index] for row in held)):
            continue
        values = {row.index: row.cells[column.index].value for row in held}
        positive = [row for row in held if values[row.index] > 0]
        spoken = [row for row in positive if _money(row, grid)]
        for first, second in list(combinations(spoken, 2))[:5]:
            high, low = (first, second) if values[first.index] >= values[second.index] else (second, first)
            if values[high.index] == values[low.index] or values[high.index] > 20 * values[low.index]:
                continue
            cells = (high.cells[column.index], low.cells[column.index])
            yield Draft(
                "difference_rows", ARITHMETIC, (high, low), (column,), cells, "a - b", "amount",
                (("sum instead of difference", "a + b"), ("first row only", "a"), ("second row only", "b"), ("average", "(a + b) / 2")), pool=tuple(held),
            )  # fmt: skip
        for first, second in list(combinations([row for row in positive if row.kind != "percent"], 2))[:5]:
            high, low = (first, second) if values[first.index] >= values[second.index] else (second, first)
            cells = (high.cells[column.index], low.cells[column.index])
            if _solid(cells[1]) and Decimal("1.05") < cells[0].value / cells[1].value < 30:
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
        if any(_REVENUE.match(row.label) or _PROFIT.match(row.label) for row in group):
            continue  # lines of an income statement follow from each other: their order says nothing
        if any(cell.number.unit == "percent" and cell.value >= 100 for row in held for cell in row.cells.values()):
            continue
        yield from _statistics_in_column(grid, column, held, spoken)


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


def _totals(grid: Grid) -> Iterator[Draft]:
    by_index = {column.index: column for column in grid.columns}
    for found in grid.sums:
        total, parts = found.total, [part for part in found.parts if part.unique and not part.total]
        if not total.unique or total.kind not in ("amount", "count"):
            continue
        # A roll-forward adds up as well, but its opening balance is no part of the closing one.
        if any(_BALANCE_ROW.search(row.label) for row in (total, *found.parts)):
            continue
        shares: dict[int, list[Row]] = {}
        for j, column in by_index.items():
            if column.role == "percent" or j not in total.cells or not _solid(total.cells[j], 50):
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


def _margins(grid: Grid, rows: list[Row]) -> Iterator[Draft]:
    revenues = [row for row in rows if row.kind == "amount" and _REVENUE.match(row.label)]
    profits = [row for row in rows if row.kind == "amount" and _PROFIT.match(row.label)]
    if len(revenues) != 1:
        return
    revenue = revenues[0]
    for profit in profits:
        for column in grid.columns:
            if column.role == "percent" or not _has(profit, column) or not _has(revenue, column):
                continue
            cells = (profit.cells[column.index], revenue.cells[column.index])
            if not (_solid(cells[1], 50) and Decimal(0) < cells[0].value < cells[1].value):
                continue
            yield Draft(
                "margin", ARITHMETIC, (profit, revenue), (column,), cells, "a / b * 100", "share",
                (("over the costs", "a / (b - a) * 100"), ("cost share", "(b - a) / b * 100"), ("added to the base", "a / (a + b) * 100")),
                pool=tuple(row for row in rows if row.kind == "amount"),
            )  # fmt: skip


def decimals_for(draft: Draft, value: Decimal) -> int:
    """Return how many decimals the answer is asked with."""
    printed = max(cell.number.decimals for cell in draft.cells)
    if draft.answer in ("percent", "share"):
        return 1 if abs(value) >= 1 else 2
    if draft.answer == "points":
        return printed if draft.template in ("point_change", "range") else (1 if abs(value) >= 1 else 2)
    if draft.answer == "ratio":
        return 2
    if draft.answer in ("count", "ordinal", "row", "period"):
        return 0
    if draft.template in ("average", "median"):
        exact = round_half_up(value, printed) == value
        return printed if exact else min(printed + 1, max(printed, 2))
    return printed
