"""Drafts of table questions: what one holds, and the conditions that rows and numbers must meet."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

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


REVENUE = re.compile(
    r"\A(?:total\s+)?(?:net\s+)?(?:revenues?|sales|net sales|turnover|operating revenues?)(?:,?\s+net)?\Z|\A(?:营业(?:总)?收入|主营业务收入|收入合计|收入)\Z",
    re.IGNORECASE,
)
PROFIT = re.compile(
    r"\A(?:gross\s+(?:profit|margin)|operating\s+(?:income|profit)|income\s+from\s+operations|net\s+(?:income|earnings|profit)|ebitda?|adjusted\s+ebitda|"
    r"profit\s+(?:before\s+tax|for\s+the\s+(?:year|period))|segment\s+(?:profit|income))\Z|\A(?:毛利润?|营业利润|净利润|利润总额|归母净利润|归属于母公司(?:股东|所有者)的净利润|EBITDA)\Z",
    re.IGNORECASE,
)
OPENING = re.compile(
    r"beginning|opening|balances?,? (?:at|as of) january 1|at january 1|january 1\Z|期初|年初", re.IGNORECASE
)
BALANCE_ROW = re.compile(
    r"beginning|ending|end of|balance|at (?:december|june|march|september)|"
    r"\A(?:same|prior|current|previous) (?:period|year|quarter)\b|期初|期末|余额",
    re.IGNORECASE,
)
# Rows that are no items beside others: balances of a roll-forward, what is taken off.
UNLIKE = re.compile(rf"{BALANCE_ROW.pattern}|accumulated|allowance|reserve|累计折旧|准备", re.IGNORECASE)


def has_all(row: Row, *columns: Column) -> bool:
    return all(column.index in row.cells for column in columns)


def cells_of(row: Row, columns: list[Column] | tuple[Column, ...]) -> tuple[Cell, ...]:
    return tuple(row.cells[column.index] for column in columns)


def is_solid(cell: Cell, digits: int = 20) -> bool:
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


def is_flow(row: Row, grid: Grid) -> bool:
    """Whether amounts of several periods may be added up: something that happens over time, not what is there at a date."""
    if _STOCK.search(row.label) or _STOCK.search(row.group):
        return False
    title = f"{grid.table.title} {grid.figure.caption}"
    if _STOCK.search(title) and not re.search(r"income|operations|cash flow|expense|利润|现金流", title, re.IGNORECASE):
        return False
    return bool(_FLOW.search(row.label) or _FLOW.search(title))


_SIGNED = re.compile(r"income|profit|earnings|loss|cash|net|result|利润|损益|现金|净", re.IGNORECASE)


def is_deduction(row: Row, columns: list[Column]) -> bool:
    """Whether a row is printed negative throughout because it is taken off: its change would be read both ways."""
    cells = [row.cells[column.index] for column in columns if column.index in row.cells]
    return all(cell.value <= 0 for cell in cells) and not _SIGNED.search(row.label)


def is_thin(cells: tuple[Cell, ...]) -> bool:
    """Whether all numbers are single digits, which too many places print to tell where they come from."""
    return all(abs(cell.value.scaleb(cell.number.decimals)) < 10 for cell in cells)


def is_money(row: Row, grid: Grid) -> bool:
    """Whether amounts of the row have a known unit, so that a sum or a difference can be written with it."""
    if row.kind == "amount":
        # Without a word on the scale a bare '$ 970' may be millions: only a unit that is printed, or cents, settle it.
        said = bool(grid.units.text) and grid.units.currency is not None
        if grid.units.scale == 1 and row.units.scale == 1 and not said and row.decimals < 2:
            return False
        return any(units.currency is not None for units in (grid.units, row.units))
    return row.kind == "per_share" and grid.units.currency is not None


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


_LESS = re.compile(r"\s*(?:less|deduct|minus|减)\s*[:：]", re.IGNORECASE)


def comparable(grid: Grid, pool: tuple[Row, ...]) -> tuple[list[list[Row]], int]:
    """Return the parts of verified totals, then runs of rows that belong to none of them; and how many are the former."""
    held = {row.index for row in pool}
    title = clean(grid.table.title).lower()
    groups = [
        [part for part in found.parts if part.index in held and part.unique and not part.total] for found in grid.sums
    ]
    taken = {row.index for group in groups for row in group} | {found.total.index for found in grid.sums}
    runs = _runs(tuple(row for row in pool if row.index not in taken))

    def _taken_off(row: Row) -> bool:
        return not grid.transposed and bool(_LESS.match(grid.table.rows[row.index][0]))

    def plain(listed: list[list[Row]]) -> list[list[Row]]:
        without = [
            [r for r in group if not UNLIKE.search(r.label) and r.label.lower() != title and not _taken_off(r)]
            for group in listed
        ]
        return [group for group in without if len(group) >= 2]

    parts = plain(groups)
    return parts + plain(runs), len(parts)


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
