"""What a column's heading says: a period, a category, a change, a note."""
# ruff: noqa: E501 - expressions and drafts are easier to read whole

from __future__ import annotations

import re
from dataclasses import replace

from finlmm_core.domain import Table
from finlmm_core.quantities import find_periods, parse_number, parse_period, parse_units
from finlmm_generators.grid import Column, ColumnRole
from finlmm_generators.labels import clean

_CHANGE = re.compile(
    r"(?<![a-z])(?:chang(?:e|es)|change[sd]?|variance|var\.?|increase|decrease|inc\.?|growth|grew|chg|vs\.?|versus|yoy|y/y|qoq|"
    r"better|worse|favou?rable|difference)(?![a-z])|同比|环比|增减|变动|增长|增速|增幅|变化|较",
    re.IGNORECASE,
)
_NOTE = re.compile(
    r"\A(?:notes?|ref\.?|references?|page|footnotes?|exhibit|item|no\.?|附注|注释|序号|页码?|备注)\b|附注|注释",
    re.IGNORECASE,
)
MONTH_DAY = re.compile(
    r"(?:as\s+(?:of|at)\s+|at\s+)?(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?\s+\d{1,2},?\Z|\d{1,2}\s+(?:january|february|march|april|may|june|july|"
    r"august|september|october|november|december)\Z",
    re.IGNORECASE,
)
# Columns of rates, terms and prices beside columns of amounts: their figures have a unit of their own.
_NOT_AMOUNT = re.compile(
    r"(?<![a-z])(?:weighted(?:-?\s?average)?|grant.?date|ages?|years?|months?|days|term|life|maturity|maturities|price|rates?|ratio|yield|per share|average|shares?|number|units?|options?|awards?|multiple)(?![a-z])|"
    r"每股|价格|均价|利率|年限|期限|股数|数量|倍",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%|(?<![a-z])(?:percent|percentage|pct)(?![a-z])|占比|比重|比例|百分比", re.IGNORECASE)

#: Units as headings shorten them: "£'000", "£m"; the sign alone would leave its letter behind.
_SHORT_UNIT = re.compile(r"[$€£¥]?['’`]?000s?\b|[$€£¥]\s?['’`]?(?:mn|bn|m|k)\b", re.IGNORECASE)
# 'Fair value movement to 31 March 2022' without its date, and 'Quoted prices in' before a day, which is cut off.
_DANGLING = re.compile(r"(?:\s+(?:to|by|at|as|on|in|of|for|from|the|and|during|since|until|due))+\Z", re.IGNORECASE)
_BROKEN = re.compile(r"\s(?:in|and|the|with|or|less)\Z", re.IGNORECASE)


def _tidied(rest: str) -> str:
    """Return what is left of a heading without its periods and units, free of the punctuation that these leave."""
    rest = re.sub(r"[(（][\s,.:;/$€£¥'’]*[)）]", " ", rest)
    if rest.count("(") + rest.count("（") != rest.count(")") + rest.count("）"):
        rest = re.sub(r"[()（）]", " ", rest)
    rest = re.sub(r"(?<!\S)[,.:：;/$€£¥'’-]+(?!\S)", " ", rest)
    return clean(re.sub(r"\s+([,)])", r"\1", re.sub(r"\s+", " ", rest)).strip(" ,.:：;/$€£¥'’"))


def read_column(index: int, heading: str, cells: list[str]) -> Column:
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
    rest = _SHORT_UNIT.sub(" ", rest)
    if units.text:
        rest = rest.replace(units.text, " ")
    rest = re.sub(
        r"(?<![a-z])(?:as of|as at|at|for the|fiscal|years?|ended|ending|december 31,?|[$€£¥%])(?![a-z])",
        " ",
        rest,
        flags=re.IGNORECASE,
    )
    rest = _tidied(rest)
    if _BROKEN.search(rest) and period is not None and period.kind == "day":
        return Column(index, cleaned, "empty")  # words of another column's heading: nothing is 'in June 30'
    rest = _DANGLING.sub("", rest)
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
        MONTH_DAY.match(cleaned) or sum(c.isdigit() for c in cleaned) > sum(c.isalpha() for c in cleaned)
    ):
        return Column(index, cleaned, "empty")  # a date without its year, or a cell taken for a heading
    if not cleaned or (period is None and _NOT_AMOUNT.search(cleaned)):
        return Column(index, cleaned, "empty")
    if _PERCENT.search(cleaned) or percents == len(numbers):
        return Column(index, cleaned, "percent", None, rest, units)
    return Column(index, cleaned, "category" if rest else "empty", None, rest, units)


_ENDED = re.compile(
    r"(?:(?:three|six|nine|twelve|\d{1,2})\s+(?:months?|weeks?)|(?:fiscal\s+)?years?|quarters?)\s+end(?:ed|ing)",
    re.IGNORECASE,
)


def spans_not_dates(columns: list[Column], table: Table) -> list[Column]:
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


def without_borrowed_headings(columns: list[Column]) -> list[Column]:
    """Return the columns with those left empty whose heading holds words that belong to a neighbour's.

    'Other income' over both 'Net revenues' and '(expense), net' is the first line of the second one's heading alone:
    what goes on with a bracket or a comma is not complete without it. And where two columns have one and the same
    heading, the words that they share with others were spread too far.
    """
    doubtful: set[int] = set()
    named = {c.period.key for c in columns if c.role == "period" and c.period is not None and c.rest}
    words = {column.index: column.rest.split() for column in columns if column.rest and column.role != "empty"}
    periods = {column.index: column.period.key if column.period else "" for column in columns}
    for index, own in words.items():
        for other, theirs in words.items():
            if index == other or periods[index] != periods[other]:
                continue
            if own == theirs:
                doubtful.update(i for i, said in words.items() if set(said) & set(own))
            shared = 0
            while shared < min(len(own), len(theirs)) and own[shared] == theirs[shared]:
                shared += 1
            if 0 < shared < min(len(own), len(theirs)) and theirs[shared][0] in "(,（" and own[shared][0].isalpha():
                doubtful.add(index)
    for column in columns:
        # Two columns of one period, and only the other one says of what.
        if column.role == "period" and column.period is not None and not column.rest and column.period.key in named:
            doubtful.add(column.index)
    return [replace(column, role="empty") if column.index in doubtful else column for column in columns]
