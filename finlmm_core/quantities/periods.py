"""Years, quarters, halves, months and dates as reports print them, in English and Chinese."""
# ruff: noqa: E501 - a rule of the grammar is easier to read on one line

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from finlmm_core.quantities.numbers import normalise_characters

PeriodKind = Literal["year", "half", "quarter", "month", "day", "nine_months"]


class Period(NamedTuple):
    """A printed period. Two ways of printing one period compare equal in ``key``.

    Periods that end with a month are named by calendar: three months ended June 30, 2023 are ``2023-Q2``. A span whose
    end fits no calendar quarter keeps its end in the key (``2023-01/12M`` for a fiscal year that ended in January
    2023), because reports name such years differently.
    """

    key: str  # '2021', '2021-Q3', '2021-H1', '2021-9M', '2021-09', '2021-09-30'; 'E' appended for estimates ('2025E')
    kind: PeriodKind
    year: int
    text: str  # as printed
    start: int
    end: int
    estimate: bool = False


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_COUNTS = {
    "three": 3, "3": 3, "thirteen": 3, "13": 3, "fourteen": 3, "14": 3, "twelve": 12, "12": 12, "six": 6, "6": 6,
    "twenty-six": 6, "26": 6, "nine": 9, "9": 9, "thirty-nine": 9, "39": 9, "fifty-two": 12, "52": 12,
    "fifty-three": 12, "53": 12,
    "one": 1, "two": 2, "2": 2, "four": 4, "4": 4, "five": 5, "5": 5, "seven": 7, "eight": 8, "ten": 10, "eleven": 11,
}  # fmt: skip
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "final": 4}
_CHINESE_DIGITS = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4, "首": 1}

_MONTH = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_YEAR4 = r"(?:19|20)\d\d"
_YEAR = rf"(?:{_YEAR4}|'?\d\d)"
_MARK = r"(?P<mark>(?-i:[ ]?(?:AE|[AEFP])(?![A-Za-z])))?"
_DATE_TAIL = rf"(?P<month>{_MONTH})[ ]{{0,2}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ ]?,?[ ]{{0,3}}(?P<year>{_YEAR4})"
_LEFT = r"(?<![A-Za-z0-9])(?<!\d[.,/-])"
_RIGHT = r"(?![A-Za-z0-9])(?![.,/]\d)"


def _year(text: str) -> int:
    digits = text.lstrip("'").strip()
    if len(digits) == 4:
        return int(digits)
    return 2000 + int(digits) if int(digits) < 70 else 1900 + int(digits)


def _month(text: str) -> int:
    return _MONTHS[text.rstrip(".").lower()]


Reading = tuple[str, PeriodKind, int]


def _ended(months: int, year: int, month: int, day: int) -> Reading:
    """Name a span of so many months by its end; an end in a month's first ten days counts to the month before."""
    shown_year = year
    if day <= 10:
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    kinds: dict[int, PeriodKind] = {1: "month", 6: "half", 12: "year"}
    kind = kinds.get(months, "quarter" if months <= 4 else "half" if months < 9 else "nine_months")
    if months == 1:
        return f"{year}-{month:02d}", kind, shown_year
    if months == 12:
        # Years that end from March on carry the year of their end; those that end in January or February do not agree.
        return (str(year), kind, shown_year) if month >= 3 else (f"{year}-{month:02d}/12M", kind, shown_year)
    if months == 3 and month % 3 == 0:
        return f"{year}-Q{month // 3}", kind, shown_year
    if months == 6 and month % 6 == 0:
        return f"{year}-H{month // 6}", kind, shown_year
    if months == 9 and month == 9:
        return f"{year}-9M", kind, shown_year
    return f"{year}-{month:02d}/{months}M", kind, shown_year


def _read_span(found: re.Match[str]) -> Reading | None:
    count = found.group("count").lower().replace(" ", "-")
    day = int(found.group("day"))
    if not 1 <= day <= 31:
        return None
    return _ended(_COUNTS[count], int(found.group("year")), _month(found.group("month")), day)


def _read_year_ended(found: re.Match[str]) -> Reading | None:
    word = (found.group("span") or "year").lower()
    months = 3 if word.startswith("quarter") else 6 if word.startswith("half") else 12
    return _ended(months, int(found.group("year")), _month(found.group("month")), int(found.group("day")))


def _read_year(found: re.Match[str]) -> Reading | None:
    year = _year(found.group("year"))
    return str(year), "year", year


def _read_fiscal_pair(found: re.Match[str]) -> Reading | None:
    first, second = int(found.group("year")), int(found.group("second"))
    if second != (first + 1) % 100 or second <= 12:
        return None
    return str(first + 1), "year", first + 1


def _read_quarter(found: re.Match[str]) -> Reading | None:
    year = _year(found.group("year"))
    quarter = found.group("quarter").lower()
    number = _ORDINALS.get(quarter) or _CHINESE_DIGITS.get(quarter)
    return (f"{year}-Q{number}", "quarter", year) if number else None


def _read_half(found: re.Match[str]) -> Reading | None:
    year = _year(found.group("year"))
    half = found.group("half").lower()
    number = {"first": 1, "second": 2, "1st": 1, "2nd": 2, "1": 1, "2": 2, "上": 1, "下": 2}[half]
    return f"{year}-H{number}", "half", year


def _read_nine_months(found: re.Match[str]) -> Reading | None:
    year = _year(found.group("year"))
    return f"{year}-9M", "nine_months", year


def _read_month_range(found: re.Match[str]) -> Reading | None:
    first, last, year = int(found.group("first")), int(found.group("last")), _year(found.group("year"))
    readings: dict[tuple[int, int], Reading] = {
        (1, 3): (f"{year}-Q1", "quarter", year),
        (4, 6): (f"{year}-Q2", "quarter", year),
        (7, 9): (f"{year}-Q3", "quarter", year),
        (10, 12): (f"{year}-Q4", "quarter", year),
        (1, 6): (f"{year}-H1", "half", year),
        (7, 12): (f"{year}-H2", "half", year),
        (1, 9): (f"{year}-9M", "nine_months", year),
        (1, 12): (str(year), "year", year),
    }
    return readings.get((first, last))


def _read_date(found: re.Match[str]) -> Reading | None:
    year, month, day = int(found.group("year")), _month(found.group("month")), int(found.group("day"))
    return (f"{year}-{month:02d}-{day:02d}", "day", year) if 1 <= day <= 31 else None


def _read_numeric_date(found: re.Match[str]) -> Reading | None:
    year, month, day = int(found.group("year")), int(found.group("month")), int(found.group("day"))
    if month > 12 and day <= 12:
        month, day = day, month
    return (f"{year}-{month:02d}-{day:02d}", "day", year) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _read_month(found: re.Match[str]) -> Reading | None:
    year, word = _year(found.group("year")), found.group("month")
    month = int(word) if word.isdigit() else _month(word)
    return (f"{year}-{month:02d}", "month", year) if 1 <= month <= 12 else None


# In order: what is longer is tried first, so that 'Year Ended December 31, 2021' is a year and not a date.
_COUNT = "|".join(sorted((word.replace("-", "[ -]") for word in _COUNTS), key=lambda w: -len(w)))
_GRAMMAR: tuple[tuple[str, Callable[[re.Match[str]], Reading | None]], ...] = (
    (rf"{_LEFT}(?P<count>{_COUNT})[ -](?:months?|weeks?)(?:[ ]period)?[ ]end(?:ed|ing)[ ]{{0,2}}{_DATE_TAIL}{_RIGHT}", _read_span),
    (
        rf"{_LEFT}(?:fiscal[ ]|financial[ ])?(?P<span>years?|quarters?|half(?:[ -]years?)?)[ ](?:(?:then[ ])?end(?:ed|ing))(?:[ ]on)?"
        rf"[ ]{{0,2}}{_DATE_TAIL}{_RIGHT}",
        _read_year_ended,
    ),
    (
        rf"{_LEFT}(?:fiscal[ ]|financial[ ])?(?P<span>years?|quarters?|half(?:[ -]years?)?)[ ]end(?:ed|ing)[ ]{{0,2}}(?P<day>\d{{1,2}})"
        rf"[ ](?P<month>{_MONTH}),?[ ]{{0,3}}(?P<year>{_YEAR4}){_RIGHT}",
        _read_year_ended,
    ),
    (rf"(?<![A-Za-z0-9]){_DATE_TAIL}{_RIGHT}", _read_date),
    (rf"{_LEFT}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ ](?P<month>{_MONTH}),?[ ]{{0,3}}(?P<year>{_YEAR4}){_RIGHT}", _read_date),
    (rf"(?<!\d)(?P<year>{_YEAR4})[ ]?年[ ]?(?P<month>\d{{1,2}})[ ]?月[ ]?(?P<day>\d{{1,2}})[ ]?日", _read_numeric_date),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年(?:度)?[ ]?(?P<first>\d{{1,2}})[ ]?月?[ ]?[-至~～到][ ]?(?P<last>\d{{1,2}})[ ]?月(?:份)?", _read_month_range),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年[ ]?(?P<month>\d{{1,2}})[ ]?月(?:份|底|末)?", _read_month),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年(?:度)?[ ]?(?:前三季度?|三季报|前三个季度|前九个月|Q1-3|1-3Q)", _read_nine_months),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年(?:度)?[ ]?第?(?P<quarter>[一二三四1-4首])[ ]?季度?{_MARK}", _read_quarter),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年(?:度)?[ ]?Q(?P<quarter>[1-4]){_MARK}(?![A-Za-z0-9])", _read_quarter),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年(?:度)?[ ]?(?P<half>[上下])半(?:年|年度)?", _read_half),
    (rf"(?<!\d)(?P<year>{_YEAR4}|\d\d)[ ]?年(?:度)?[ ]?H(?P<half>[12])(?![A-Za-z0-9])", _read_half),
    (rf"{_LEFT}(?P<year>{_YEAR4})(?P<separator>[-/.])(?P<month>\d{{1,2}})(?P=separator)(?P<day>\d{{1,2}})(?![0-9])", _read_numeric_date),
    (rf"{_LEFT}(?P<month>\d{{1,2}})(?P<separator>[-/.])(?P<day>\d{{1,2}})(?P=separator)(?P<year>{_YEAR4})(?![0-9])", _read_numeric_date),
    (rf"{_LEFT}(?P<year>{_YEAR4})(?P<separator>[-/])(?P<second>\d\d){_RIGHT}", _read_fiscal_pair),
    (rf"{_LEFT}(?P<year>{_YEAR4})[-/](?P<month>\d\d)(?!\d)(?![-/]\d)(?![A-Za-z])", _read_month),
    (rf"{_LEFT}(?:the[ ])?(?P<quarter>first|second|third|fourth|final|[1-4](?:st|nd|rd|th))[ -]quarters?(?:[ ]of)?(?:[ ]the)?(?:[ ]fiscal)?(?:[ ]years?)?,?[ ]"
     rf"(?:FY[ ]?)?(?P<year>{_YEAR4}){_MARK}{_RIGHT}", _read_quarter),
    (rf"{_LEFT}(?:the[ ])?(?P<half>first|second|1st|2nd)[ -]half(?:[ ]years?)?(?:[ ]of)?(?:[ ]fiscal)?,?[ ](?:FY[ ]?)?(?P<year>{_YEAR4}){_MARK}{_RIGHT}", _read_half),
    (rf"{_LEFT}(?:the[ ])?first[ ](?:nine[ ]months|three[ ]quarters)[ ]of[ ](?:fiscal[ ])?(?P<year>{_YEAR4}){_RIGHT}", _read_nine_months),
    (rf"{_LEFT}Q(?P<quarter>[1-4])[ ]?[-/']?[ ]?(?:(?:FY|CY|fiscal)[ ]?)?(?P<year>{_YEAR}){_MARK}{_RIGHT}", _read_quarter),
    (rf"{_LEFT}(?P<quarter>[1-4])Q[ ]?[-/']?[ ]?(?:(?:FY|CY)[ ]?)?(?P<year>{_YEAR}){_MARK}{_RIGHT}", _read_quarter),
    (rf"{_LEFT}(?:(?:FY|CY)[ ]?)?(?P<year>{_YEAR4}|\d\d)[ ]?[-/]?Q(?P<quarter>[1-4]){_MARK}{_RIGHT}", _read_quarter),
    (rf"{_LEFT}(?:(?:FY|CY)[ ]?)?(?P<year>{_YEAR4}|\d\d)[ ]?[-/]?(?P<quarter>[1-4])Q{_MARK}{_RIGHT}", _read_quarter),
    (rf"{_LEFT}H(?P<half>[12])[ ]?[-/']?[ ]?(?:(?:FY|CY)[ ]?)?(?P<year>{_YEAR}){_MARK}{_RIGHT}", _read_half),
    (rf"{_LEFT}(?P<half>[12])H[ ]?[-/']?[ ]?(?:(?:FY|CY)[ ]?)?(?P<year>{_YEAR}){_MARK}{_RIGHT}", _read_half),
    (rf"{_LEFT}(?:(?:FY|CY)[ ]?)?(?P<year>{_YEAR4}|\d\d)[ ]?[-/]?(?:H(?P<half>[12])){_MARK}{_RIGHT}", _read_half),
    (rf"{_LEFT}(?P<year>{_YEAR4}|\d\d)[ ]?[-/]?(?P<half>[12])H{_MARK}{_RIGHT}", _read_half),
    (rf"{_LEFT}(?:9M[ ]?'?|Q1-Q?3[ ]?)(?P<year>{_YEAR}){_RIGHT}", _read_nine_months),
    (rf"{_LEFT}(?P<year>{_YEAR4})[ ]?(?:9M|Q1-Q?3){_RIGHT}", _read_nine_months),
    (rf"(?<![A-Za-z0-9])(?P<month>{_MONTH})(?:[ ]of)?[ ,]{{1,3}}(?P<year>{_YEAR4}){_RIGHT}", _read_month),
    (rf"(?<![A-Za-z0-9])(?P<month>{_MONTH})(?:[-/][ ]?'?|[ ]?')(?P<year>{_YEAR4}|\d\d){_RIGHT}", _read_month),
    (rf"{_LEFT}(?:FY|CY|FYE)[ ]?(?P<year>{_YEAR4}|'?\d\d){_MARK}{_RIGHT}", _read_year),
    (rf"{_LEFT}(?P<year>{_YEAR4})[ ]?(?:FY|CY)(?![A-Za-z0-9])", _read_year),
    (rf"{_LEFT}(?:fiscal|financial|calendar)[ ](?:years?[ ])?(?P<year>{_YEAR4}){_MARK}{_RIGHT}", _read_year),
    (rf"{_LEFT}(?:years?[ ])(?P<year>{_YEAR4}){_MARK}{_RIGHT}", _read_year),
    (rf"(?<![\d.,])(?P<year>{_YEAR4}|\d\d)[ ]?(?:财年|年度|年末|年底|年)(?![内前后来间期]){_MARK}", _read_year),
    (rf"(?<![A-Za-z0-9$€£¥#])(?<![$€£¥][ ])(?<!\d[.,])(?P<year>{_YEAR4}){_MARK}(?![A-Za-z0-9])(?![.,]\d)(?![ ]?(?:%|million|billion|thousand|亿|万))", _read_year),
)  # fmt: skip


def _joined() -> re.Pattern[str]:
    """Join the grammar into one expression; the group of rule n is called r<n>, inner names get the suffix _<n>."""
    parts = []
    for number, (pattern, _) in enumerate(_GRAMMAR):
        pattern = re.sub(r"\(\?P<(\w+)>", rf"(?P<\1_{number}>", pattern)
        pattern = re.sub(r"\(\?P=(\w+)\)", rf"(?P=\1_{number})", pattern)
        parts.append(f"(?P<r{number}>{pattern})")
    return re.compile("|".join(parts), re.IGNORECASE)


_JOINED = _joined()
_RULES = [(re.compile(pattern, re.IGNORECASE), read) for pattern, read in _GRAMMAR]
_DIGIT_PAIR = re.compile(r"\d\d")
_REACH = 64  # characters that a period's words may stand before its first two digits ('Fifty-two weeks ended ...')


def _windows(plain: str) -> list[tuple[int, int]]:
    """Return the stretches in which a period can begin: shortly before, or at, two digits."""
    windows: list[tuple[int, int]] = []
    for found in _DIGIT_PAIR.finditer(plain):
        start, end = max(0, found.start() - _REACH), found.end()
        if windows and start <= windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def find_periods(text: str) -> list[Period]:
    """Return all periods in running text, left to right, not overlapping."""
    plain = normalise_characters(text)
    periods: list[Period] = []
    position = 0
    for start, end in _windows(plain):
        position = max(position, start)
        while position < end:
            found = _JOINED.search(plain, position, min(len(plain), end + _REACH))
            if found is None or found.start() >= end:
                break
            period = _read_at(plain, text, found.start(), found)
            if period is None:
                position = found.start() + 1
                continue
            periods.append(period)
            position = period.end
    return periods


def _read_at(plain: str, original: str, start: int, joined: re.Match[str]) -> Period | None:
    """Try the rules at one place, the first that fits and reads wins."""
    first = next(number for number in range(len(_GRAMMAR)) if joined.group(f"r{number}") is not None)
    for pattern, read in _RULES[first:]:
        found = pattern.match(plain, start)
        if found is None:
            continue
        reading = read(found)
        if reading is None:
            continue
        key, kind, year = reading
        mark = (found.groupdict().get("mark") or "").strip().upper()
        estimate = mark in ("E", "F", "P", "AE")
        end = found.end()
        return Period(key + ("E" if estimate else ""), kind, year, original[start:end], start, end, estimate)
    return None


def parse_period(text: str) -> Period | None:
    """Return the one period that a heading names ('Year Ended December 31, 2021', 'FY21', '2021年', '3Q20', '2024E').

    None where it names none or more than one. A year that only repeats the year of a finer period does not count
    ('2021 Q3 2021' names one quarter).
    """
    periods = find_periods(text)
    if not periods:
        return None
    keys = {period.key for period in periods}
    if len(keys) > 1:
        finer = [period for period in periods if period.kind != "year"]
        if len({period.key for period in finer}) != 1:
            return None
        if any(period.kind == "year" and period.year != finer[0].year for period in periods):
            return None
        return finer[0]
    return periods[0]
