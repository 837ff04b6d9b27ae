"""What a row's label says of its numbers: amounts, percentages, amounts a share, counts; and which rows can be told apart."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

import re
from dataclasses import replace

from finlmm_core.domain import Table
from finlmm_core.quantities import Number, Units, parse_number
from finlmm_generators.grid import Row, RowKind
from finlmm_generators.labels import clean, is_generic, is_nonsense

_PERCENT = re.compile(r"%|(?<![a-z])(?:percent|percentage|pct)(?![a-z])|占比|比重|比例|百分比", re.IGNORECASE)
_RATE = re.compile(
    r"(?<![a-z])(?:rates?|margins?|ratios?|yields?|turnover|multiple|return on|roe|roa|roic|days|times|years?|p/e|ev/|index|coverage|leverage|"
    r"price|prices|life|term|maturity|score|rating|duration|volatility)(?![a-z])|p/[ebs](?![a-z])|率|倍|周期|天数|年限|价格|均价|单价|指数|评级|市盈|市净|(?<![a-z])p[ebs](?![a-z])",
    re.IGNORECASE,
)
_MOVEMENT = re.compile(
    r"(?:percent(?:age)?|%)\s*(?:change|increase|growth|of\s+change)|(?<![a-z])change\Z|versus|year-over-year|同比|环比|增减",
    re.IGNORECASE,
)
_PER_SHARE = re.compile(
    r"per\s+(?:common\s+|ordinary\s+|class\s+\w\s+|diluted\s+|basic\s+)*(?:share|ads|unit)|(?<![a-z])eps(?![a-z])|每股|per\s+\w+\s+share",
    re.IGNORECASE,
)
_EPS_PART = re.compile(r"\b(?:eps|earnings per share)\W{0,3}(?:numerator|denominator)", re.IGNORECASE)
_SHARES = re.compile(
    r"(?<![a-z])shares?(?![a-z])|anti-?dilutive|(?:stock|share) equivalents|股数|股本总数|股份数", re.IGNORECASE
)
_COUNT = re.compile(
    r"number of|(?<![a-z])(?:employees|headcount|stores|restaurants|customers|users|accounts|subscribers|properties|units|vehicles|countries|"
    r"locations|aircraft|members|transactions|volumes?|barrels|tonnes|tons|mwh|gwh|mw|square|options|awards|rsus|warrants)(?![a-z])|"
    r"人数|员工|门店|数量|家数|户数|销量|产量|产能|出货量|万片|台数|面积",
    re.IGNORECASE,
)
UNIT_IN_LABEL = re.compile(
    r"[\s,]*[(（](?:in\s+)?[^()（）]{0,30}(?:millions?|thousands?|billions?|亿|万|百万|千元|元|%|percent)[^()（）]{0,12}[)）]\Z",
    re.IGNORECASE,
)


def without_unit(label: str) -> str:
    """Return the label without a unit in parentheses at its end."""
    return UNIT_IN_LABEL.sub("", label) or label


def row_kind(label: str, group: str, numbers: list[Number], table_units: Units) -> RowKind:
    both = _EPS_PART.sub("", f"{group} {label}")
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


def section_label(text: str) -> str:
    """Return a section's label as rows are told by it, '' where it is a sentence or a broken line."""
    group = clean(re.sub(r"\A\s*(?:\(\d{1,2}\)|\d{1,2}[.)])\s*", "", text))
    return "" if len(group) > 60 or is_nonsense(group) else group


def without_share_lines(rows: list[Row]) -> list[Row]:
    """Return the rows with amounts that stand between numbers of shares taken for unclear: 'Dilution from options'."""
    changed = []
    for place, row in enumerate(rows):
        beside = [rows[i] for i in (place - 1, place + 1) if 0 <= i < len(rows)]
        bare = not any(cell.number.currency for cell in row.cells.values())
        if row.kind == "amount" and bare and any(r.kind == "count" and _SHARES.search(r.label) for r in beside):
            row = replace(row, kind="unclear")
        changed.append(row)
    return changed


def states_percent(rows: list[Row], table: Table) -> bool:
    """Whether a table of rates prints its percent sign only in the first and last row, as a tax reconciliation does."""
    marked = [row for row in rows if row.kind == "percent"]
    plain = [row for row in rows if row.kind == "amount"]
    if not marked or not plain or marked[0].index > plain[0].index:
        return False
    if any(number.currency for row in table.rows for number in map(parse_number, row[1:]) if number is not None):
        return False
    return all(abs(cell.value) < 100 and cell.number.decimals > 0 for row in plain for cell in row.cells.values())


def marked_unique(rows: list[Row], all_labels: list[str], titled: bool) -> list[Row]:
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
