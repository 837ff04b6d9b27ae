"""A table understood: which columns are periods, which rows are numeric series, and of what unit."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from finlmm_core.domain import Box, Figure, Language, Table
from finlmm_core.quantities import Number, Period, Units, find_periods, parse_number, parse_period, parse_units
from finlmm_generators.labels import clean, clean_title, is_generic, is_nonsense

RowKind = Literal["amount", "percent", "per_share", "count", "unclear"]
ColumnRole = Literal["period", "category", "change", "note", "percent", "empty"]

_CHANGE = re.compile(
    r"(?<![a-z])(?:chang(?:e|es)|change[sd]?|variance|var\.?|increase|decrease|inc\.?|growth|grew|chg|vs\.?|versus|yoy|y/y|qoq|"
    r"better|worse|favou?rable|difference)(?![a-z])|同比|环比|增减|变动|增长|增速|增幅|变化|较",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"\A(?:notes?|ref\.?|references?|page|footnotes?|exhibit|item|no\.?|附注|注释|序号|页码?|备注)\b|附注|注释",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%|(?<![a-z])(?:percent|percentage|pct)(?![a-z])|占比|比重|比例|百分比", re.IGNORECASE)
_RATE = re.compile(
    r"(?<![a-z])(?:rates?|margins?|ratios?|yields?|turnover|multiple|return on|roe|roa|roic|days|times|years?|p/e|ev/|index|coverage|leverage|"
    r"price|prices|life|term|maturity|score|rating|duration|volatility)(?![a-z])|p/[ebs](?![a-z])|率|倍|周期|天数|年限|价格|均价|单价|指数|评级|市盈|市净|(?<![a-z])p[ebs](?![a-z])",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(
    r"(?:as\s+(?:of|at)\s+|at\s+)?(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?\s+\d{1,2},?\Z|\d{1,2}\s+(?:january|february|march|april|may|june|july|"
    r"august|september|october|november|december)\Z",
    re.IGNORECASE,
)
_MOVEMENT = re.compile(
    r"(?:percent(?:age)?|%)\s*(?:change|increase|growth|of\s+change)|(?<![a-z])change\Z|versus|year-over-year|同比|环比|增减",
    re.IGNORECASE,
)
# Columns of rates, terms and prices beside columns of amounts: their figures have a unit of their own.
_NOT_AMOUNT = re.compile(
    r"(?<![a-z])(?:years?|months?|days|term|life|maturity|maturities|price|rates?|ratio|yield|per share|average|shares?|number|units?|options?|awards?|multiple)(?![a-z])|"
    r"每股|价格|均价|利率|年限|期限|股数|数量|倍",
    re.IGNORECASE,
)
_PER_SHARE = re.compile(
    r"per\s+(?:common\s+|ordinary\s+|class\s+\w\s+|diluted\s+|basic\s+)*(?:share|ads|unit)|(?<![a-z])eps(?![a-z])|每股|per\s+\w+\s+share",
    re.IGNORECASE,
)
_SHARES = re.compile(r"(?<![a-z])shares?(?![a-z])|股数|股本总数|股份数", re.IGNORECASE)
_COUNT = re.compile(
    r"number of|(?<![a-z])(?:employees|headcount|stores|restaurants|customers|users|accounts|subscribers|properties|units|vehicles|countries|"
    r"locations|aircraft|members|transactions|volumes?|barrels|tonnes|tons|mwh|gwh|mw|square|options|awards|rsus|warrants)(?![a-z])|"
    r"人数|员工|门店|数量|家数|户数|销量|产量|产能|出货量|万片|台数|面积",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"(?<![a-z])(?:sub-?)?totals?(?![a-z])|合计|小计|总计|总额", re.IGNORECASE)
_BALANCE = re.compile(r"balance sheet|financial position|资产负债|as of|(?<![a-z])at\s", re.IGNORECASE)


NO_UNITS = Units()
_UNIT_IN_LABEL = re.compile(
    r"[\s,]*[(（](?:in\s+)?[^()（）]{0,30}(?:millions?|thousands?|billions?|亿|万|百万|千元|元|%|percent)[^()（）]{0,12}[)）]\Z",
    re.IGNORECASE,
)


def _bare(label: str) -> str:
    """Return the label without a unit in parentheses at its end."""
    return _UNIT_IN_LABEL.sub("", label) or label


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


def _column(index: int, heading: str, cells: list[str]) -> Column:
    cleaned = clean(heading)
    numbers = [n for n in map(parse_number, cells) if n is not None]
    units = parse_units(heading)
    if not numbers:
        return Column(index, cleaned, "empty")
    periods = find_periods(heading)
    period = parse_period(heading)
    rest = cleaned
    for found in periods:
        rest = rest.replace(found.text, " ")
    rest = re.sub(
        r"\(?\s*(?:in\s+)?(?:millions?|thousands?|billions?|unaudited|audited|restated|actual)\s*\)?",
        " ",
        rest,
        flags=re.IGNORECASE,
    )
    if units.text:
        rest = rest.replace(units.text, " ")
    rest = re.sub(r"[$€£¥]?['’`]?000s?\b|[$€£¥]\s?(?:mn|bn|m|k)\b", " ", rest)
    rest = re.sub(
        r"(?<![a-z])(?:as of|as at|at|for the|fiscal|years?|ended|ending|december 31,?|[$€£¥%])(?![a-z])",
        " ",
        rest,
        flags=re.IGNORECASE,
    )
    rest = clean(re.sub(r"[\s,()（）:：/$'’]+", " ", rest))
    rest = rest if sum(character.isalpha() for character in rest) >= 2 else ""
    if _NOTE.search(cleaned):
        return Column(index, cleaned, "note")
    if _CHANGE.search(cleaned) or len(periods) > 1:
        return Column(index, cleaned, "change", period, rest, units)
    percents = sum(n.percent for n in numbers)
    if period is not None and rest and _NOT_AMOUNT.search(rest):
        return Column(index, cleaned, "empty")
    if period is not None:
        role: ColumnRole = "percent" if _PERCENT.search(cleaned) and rest else "period"
        return Column(index, cleaned, role, period, rest, units)
    if period is None and (
        _MONTH_DAY.match(cleaned) or sum(c.isdigit() for c in cleaned) > sum(c.isalpha() for c in cleaned)
    ):
        return Column(index, cleaned, "empty")  # a date without its year, or a cell taken for a heading
    if not cleaned or (period is None and _NOT_AMOUNT.search(cleaned)):
        return Column(index, cleaned, "empty")
    if _PERCENT.search(cleaned) or percents == len(numbers):
        return Column(index, cleaned, "percent", None, rest, units)
    return Column(index, cleaned, "category", None, rest, units)


_ENDED = re.compile(
    r"(?:(?:three|six|nine|twelve|\d{1,2})\s+(?:months?|weeks?)|(?:fiscal\s+)?years?|quarters?)\s+end(?:ed|ing)",
    re.IGNORECASE,
)


def _spans_not_dates(columns: list[Column], table: Table) -> list[Column]:
    """Return the columns with dates read as ends of years or quarters where the corner of the table says so."""
    said = _ENDED.search(f"{table.header[0]} {table.unit or ''}" if table.header else "")
    if said is None:
        return columns
    changed = []
    for column in columns:
        period = column.period
        if column.role == "period" and period is not None and period.kind == "day":
            span = parse_period(f"{said.group()} {period.text}")
            if span is not None and span.kind != "day":
                column = replace(column, period=span)
        changed.append(column)
    return changed


def _row_kind(label: str, group: str, numbers: list[Number], table_units: Units) -> RowKind:
    both = f"{group} {label}"
    percents = sum(n.unit == "percent" for n in numbers)
    if percents == len(numbers):
        return "percent"
    if percents or any(n.unit for n in numbers) or _MOVEMENT.search(label):
        return "unclear"
    if _PER_SHARE.search(both):
        # Nobody earns thousands a share: two lines were read as one.
        return "unclear" if any(abs(n.value) >= 1000 and n.decimals == 0 for n in numbers) else "per_share"
    if _PERCENT.search(both):
        return "percent" if _PERCENT.search(label) else "unclear"
    if table_units.unit == "percent":
        return "percent"
    if _SHARES.search(both) or _COUNT.search(both):
        # 'Proceeds from sale of shares' is money: a currency sign decides.
        return "amount" if any(n.currency for n in numbers) else "count"
    if re.match(r"(?:basic|diluted|基本|稀释)", label, re.IGNORECASE):
        return "per_share" if all(n.decimals >= 2 for n in numbers) else "count"
    if _RATE.search(label):
        return (
            "amount"
            if any(n.currency for n in numbers) and not re.search(r"price|价", label, re.IGNORECASE)
            else "unclear"
        )
    if table_units.unit:
        return "count"
    return "amount"


def _transpose(table: Table) -> Table | None:
    """Return the table with rows and columns exchanged where its rows are periods and its columns are not."""
    labels = [parse_period(row[0]) if row else None for row in table.rows]
    named = [label for label in labels if label is not None]
    if len(named) < 2 or len(named) < 0.6 * len(table.rows) or len({p.key for p in named}) < len(named):
        return None
    if sum(parse_period(heading) is not None for heading in table.header[1:]) > 0:
        return None
    keep = [i for i, label in enumerate(labels) if label is not None]
    return table.model_copy(
        update={
            "header": ("", *(table.rows[i][0] for i in keep)),
            "rows": tuple((heading, *(table.rows[i][j] for i in keep)) for j, heading in enumerate(table.header) if j),
            "cell_boxes": tuple(
                (
                    (table.header_boxes[j] if len(table.header_boxes) > j else None),
                    *(table.cell_boxes[i][j] for i in keep),
                )
                for j in range(len(table.header))
                if j
            ),
            "header_boxes": (),
            "row_groups": (),
        }
    )


def read_grid(table: Table, figure: Figure, language: Language, report_title: str | None = None) -> Grid:
    """Understand a table; rows and columns that are no numeric series are left out.

    Args:
        table: as parsed.
        figure: where it stands.
        language: of the report.
        report_title: the report's own title, which a table on its first page may have been given as heading.
    """
    if table.title and report_title and _same_words(table.title, report_title):
        table = table.model_copy(update={"title": ""})
    turned = _transpose(table)
    source = turned if turned is not None else table
    table_units = _table_units(table)
    columns = []
    for j in range(1, len(source.header)):
        columns.append(_column(j, source.header[j], [row[j] for row in source.rows if len(row) > j]))
    columns = _spans_not_dates(columns, source)
    headings = [column.heading.lower() for column in columns if column.role != "empty"]
    usable = {
        column.index
        for column in columns
        if column.role in ("period", "category", "percent") and headings.count(column.heading.lower()) == 1
    }
    rows: list[Row] = []
    for i, texts in enumerate(source.rows):
        label = clean(texts[0]) if texts else ""
        group = _section(source.row_groups[i]) if i < len(source.row_groups) else ""
        cells: dict[int, Cell] = {}
        broken = False
        for j in range(1, len(texts)):
            number = parse_number(texts[j])
            if number is None:
                # A cell with words or two numbers means that the row was not cut into cells rightly.
                broken = broken or (j in usable and sum(c.isdigit() for c in texts[j]) > 0)
                continue
            if j in usable:
                box = source.cell_boxes[i][j] if i < len(source.cell_boxes) and j < len(source.cell_boxes[i]) else None
                cells[j] = Cell(i, j, number, texts[j], box)
        # 'As at 1 April 2020' is a line of a roll-forward: it names a date and no item.
        dated = turned is None and any(period.kind == "day" for period in find_periods(label))
        dated = dated or bool(_MONTH_DAY.match(label))
        if not label or is_nonsense(label) or not cells or broken or dated:
            continue
        kind = _row_kind(label, group, [cell.number for cell in cells.values()], table_units)
        inside = _UNIT_IN_LABEL.search(label)
        units = parse_units(inside.group()) if inside else Units()
        if inside and units.text:
            label = label[: inside.start()].strip() or label
        rows.append(Row(i, label, group, kind, cells, total=bool(_TOTAL.search(label)), units=units))
    if sum(bool(re.search(r"\bindex\b|指数", row.label, re.IGNORECASE)) for row in rows) >= 2:
        rows = [replace(row, kind="unclear") for row in rows]  # index values of a performance graph
    rows = _without_share_lines(rows)
    if _states_percent(rows, source):
        rows = [replace(row, kind="percent") if row.kind == "amount" else row for row in rows]
    labels = [_bare(clean(row[0])) if row else "" for row in source.rows]
    rows = _marked_unique(rows, labels, titled=bool(clean_title(table.title, language)))
    grid_columns = tuple(column for column in columns if column.index in usable)
    grid = Grid(table, figure, language, grid_columns, tuple(rows), (), table_units, turned is not None)
    return Grid(
        table, figure, language, grid_columns, tuple(rows), tuple(find_sums(grid)), table_units, turned is not None
    )


def _section(text: str) -> str:
    """Return a section's label as rows are told by it, '' where it is a sentence or a broken line."""
    group = clean(re.sub(r"\A\s*(?:\(\d{1,2}\)|\d{1,2}[.)])\s*", "", text))
    return "" if len(group) > 60 or is_nonsense(group) else group


def _same_words(title: str, report_title: str) -> bool:
    """Whether a table's title only repeats the report's."""
    own, whole = (re.sub(r"\W+", "", text).lower() for text in (title, report_title))
    return len(own) > 8 and (own in whole or whole in own)


def _without_share_lines(rows: list[Row]) -> list[Row]:
    """Return the rows with amounts that stand between numbers of shares taken for unclear: 'Dilution from options'."""
    changed = []
    for place, row in enumerate(rows):
        beside = [rows[i] for i in (place - 1, place + 1) if 0 <= i < len(rows)]
        bare = not any(cell.number.currency for cell in row.cells.values())
        if row.kind == "amount" and bare and any(r.kind == "count" and _SHARES.search(r.label) for r in beside):
            row = replace(row, kind="unclear")
        changed.append(row)
    return changed


def _states_percent(rows: list[Row], table: Table) -> bool:
    """Whether a table of rates prints its percent sign only in the first and last row, as a tax reconciliation does."""
    marked = [row for row in rows if row.kind == "percent"]
    plain = [row for row in rows if row.kind == "amount"]
    if not marked or not plain or marked[0].index > plain[0].index:
        return False
    if any(number.currency for row in table.rows for number in map(parse_number, row[1:]) if number is not None):
        return False
    return all(abs(cell.value) < 100 and cell.number.decimals > 0 for row in plain for cell in row.cells.values())


def _marked_unique(rows: list[Row], all_labels: list[str], titled: bool) -> list[Row]:
    result = []
    lowered = [label.lower() for label in all_labels]
    for row in rows:
        same_label = lowered.count(row.label.lower())
        same_both = sum(
            other.label.lower() == row.label.lower() and other.group.lower() == row.group.lower() for other in rows
        )
        unnamed = is_generic(row.label) and not row.group and not titled
        # A section that only repeats the label does not tell two rows of that label apart.
        telling = bool(row.group) and row.label.lower() not in row.group.lower()
        unique = (same_label == 1 or (same_both == 1 and telling)) and not unnamed
        result.append(replace(row, unique=unique, label_unique=same_label == 1))
    return result


def _table_units(table: Table) -> Units:
    """Return the table's units: what the parser found, else what title and corner cell say."""
    spoken = parse_units(table.unit or "")
    if not spoken.text:
        spoken = parse_units(f"{table.title} {table.header[0] if table.header else ''}")
    signs = [n.currency for row in table.rows for n in map(parse_number, row[1:]) if n is not None and n.currency]
    currency = table.currency or spoken.currency or (signs[0] if signs and len(set(signs)) == 1 else None)
    scale = table.scale if table.scale != 1 else spoken.scale
    text = spoken.text if spoken.currency or spoken.scale != 1 else ""
    return Units(scale, currency, spoken.unit if scale == 1 and currency is None else None, text)


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
