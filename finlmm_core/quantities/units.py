"""Units, scales and currencies as headings and captions print them."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
from typing import NamedTuple

from finlmm_core.quantities.currencies import CURRENCY_BEFORE, CURRENCY_CODES, currency_code
from finlmm_core.quantities.numbers import normalise_characters


class Units(NamedTuple):
    """What a heading says of the figures below it."""

    scale: int = 1  # 1, 1_000, 10_000 (万), 1_000_000, 100_000_000 (亿), 1_000_000_000
    currency: str | None = None  # ISO 4217
    unit: str | None = None  # 'percent', 'shares', 'employees' ..., the printed unit where it is neither
    text: str = ""  # as printed; '' where nothing was found


_ENGLISH_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_CHINESE_SCALES = {
    "万亿": 10**12, "萬億": 10**12, "千亿": 10**11, "百亿": 10**10, "十亿": 10**9, "十億": 10**9, "亿": 10**8, "億": 10**8,
    "千万": 10**7, "千萬": 10**7, "百万": 10**6, "百萬": 10**6, "万": 10**4, "萬": 10**4, "千": 10**3,
}  # fmt: skip
_CHINESE_CURRENCIES = "人民币|人民幣|美元|美金|港元|港币|港幣|欧元|歐元|英镑|日元|新台币|元"
_CURRENCY_ALIASES = {"人民幣": "CNY", "港幣": "HKD", "歐元": "EUR"}

_CHINESE_SCALE = "|".join(_CHINESE_SCALES)
# A scale word that belongs to a number of its own ('$5 million') says nothing of the figures below.
_PLURAL = re.compile(
    r"(?<![A-Za-z])(?<!\d )(?<!\d)(?P<word>thousand|million|billion|trillion)s(?![A-Za-z])|"
    r"(?<![A-Za-z])in[ ](?P<single>thousand|million|billion)(?![A-Za-z])|"
    rf"(?:(?:{CURRENCY_BEFORE})|(?i:dollars?|euros?|pounds))[ ]?(?:in[ ])?(?P<beside>thousand|million|billion|mn|bn|mm|b|m|k|tn)(?![A-Za-z0-9])|"
    r"[(][ ]?(?P<enclosed>thousand|million|billion)(?![A-Za-z])",
    re.IGNORECASE,
)
_ABBREVIATIONS = {"mn": 10**6, "mm": 10**6, "m": 10**6, "k": 10**3, "b": 10**9, "bn": 10**9, "tn": 10**12}
_ZEROS = re.compile(r"(?<![0-9,.])['`´]?000['`´]?s?(?![0-9])(?![,.]\d)")
_CHINESE = re.compile(
    rf"(?P<before>人民币|人民幣|美元|港元|港币|港幣)?[ ]?(?P<scale>{_CHINESE_SCALE})?[ ]?(?P<currency>{_CHINESE_CURRENCIES})(?!/|大|年|件|素|旦)"
    rf"|(?<=[:：(,，、/ ])(?P<bare>{_CHINESE_SCALE})(?P<what>股|人|户|台|辆|吨|片|张|千瓦时|平方米|份|箱|家|次|条|套|只|头|亩)?(?=[)）,，;；、 ]|$)"
)
_SIGN = re.compile(rf"(?<![A-Za-z])(?:{CURRENCY_BEFORE})(?:(?<![A-Za-z])|(?![A-Za-z]))")
_DOLLARS = re.compile(
    r"(?<![A-Za-z])(?:(?P<us>U\.?S\.?[ ]dollars?)|(?P<dollars>dollars?)|(?P<euros>euros?)|(?P<sterling>pounds[ ]sterling|sterling)|"
    r"(?P<yen>yen)|(?P<yuan>yuan|renminbi))(?![A-Za-z])",
    re.IGNORECASE,
)
_DOLLAR_CODES = {"us": "USD", "dollars": "USD", "euros": "EUR", "sterling": "GBP", "yen": "JPY", "yuan": "CNY"}
_PERCENT = re.compile(r"%|(?<![A-Za-z])(?:percent(?:age)?s?|per cent|pct\.?)(?![A-Za-z])|百分比|百分点", re.IGNORECASE)
_THINGS = re.compile(
    r"(?<![A-Za-z])(?:(?:number|no\.?|units?)[ ]of[ ](?P<of>[A-Za-z]{3,20})|(?P<thing>shares|employees|stores|restaurants|customers|"
    r"subscribers|users|vehicles|units|barrels|boe|tonnes|tons|ounces|hours|days|months|years|people|persons|headcount|gwh|mwh|mw|"
    r"square feet|square metres|square meters|basis points|bps|times))(?![A-Za-z])",
    re.IGNORECASE,
)
_CHINESE_THINGS = re.compile(r"(?:单位|單位)[:： ]{0,3}(?P<thing>[^\s)）,，;；。、]{1,12})")
_COUNTED = re.compile(
    r"(?:千|万|百万|亿)?(?P<thing>股|人|户|台|辆|吨|片|张|家|次|条|套|只|头|亩|倍|天|年|个月|平方米|千瓦时|美分|港仙)$"
)

#: In lower case: text in ASCII that holds none of these tells nothing, and need not be searched ten times over.
_HINTS = (
    "thousand", "million", "billion", "trillion", "000", "$", "%", "percent", "per cent", "pct", "dollar", "euro", "pound",
    "sterling", "yen", "yuan", "renminbi", *(code.lower() for code in CURRENCY_CODES), "number of", "no of", "no. of",
    "unit of", "units of", "shares", "employees", "stores", "restaurants", "customers", "subscribers", "users", "vehicles",
    "units", "barrels", "boe", "tonnes", "tons", "ounces", "hours", "days", "months", "years", "people", "persons",
    "headcount", "gwh", "mwh", "mw", "square feet", "square metres", "square meters", "basis points", "bps", "times",
)  # fmt: skip


def parse_units(text: str) -> Units:
    """Read scale, currency and unit from a heading, caption or note.

    '(in millions, except per share data)', "RMB'000", '单位:亿元', '万元', '$ in thousands', '(%)', '百万美元'.
    A scale word that belongs to a printed number ('a loss of $5 million') is not a unit of the figures below.
    """
    if text.isascii() and not any(map(text.lower().__contains__, _HINTS)):
        return Units()
    plain = normalise_characters(text)
    scale, currency, unit = 1, None, None
    spans: list[tuple[int, int]] = []

    if found := _PLURAL.search(plain):
        word = next(value for value in found.groups() if value).lower()
        scale = _ENGLISH_SCALES.get(word) or _ABBREVIATIONS[word]
        spans.append(found.span())
    elif found := _ZEROS.search(plain):
        scale = 1000
        spans.append(found.span())

    chinese = next((m for m in _CHINESE.finditer(plain) if not plain[: m.start()].rstrip()[-1:].isdigit()), None)
    if chinese is not None:
        word = chinese.group("scale") or chinese.group("bare")
        if word and scale == 1:
            scale = _CHINESE_SCALES[word]
        name = chinese.group("before") or chinese.group("currency")
        if chinese.group("currency") and name == "元":
            name = chinese.group("currency")
        if name:
            currency = _CURRENCY_ALIASES.get(name) or currency_code(name)
        unit = chinese.group("what")
        spans.append(chinese.span())

    if currency is None:
        if found := _SIGN.search(plain):
            currency = currency_code(found.group(), text)
            spans.append(found.span())
        elif (found := _DOLLARS.search(plain)) and found.lastgroup:
            currency = _DOLLAR_CODES[found.lastgroup]
            spans.append(found.span())

    if unit is None and (found := _CHINESE_THINGS.search(plain)):
        counted = _COUNTED.search(found.group("thing"))
        if counted:
            unit = counted.group("thing")
            head = found.group("thing").removesuffix(unit)
            if scale == 1 and head in _CHINESE_SCALES:
                scale = _CHINESE_SCALES[head]
            spans.append(found.span())
    # 'in millions, except per share data' names shares only as an exception.
    if (
        unit is None
        and currency is None
        and (found := _THINGS.search(plain))
        and not re.search(r"except|除", plain[: found.start()], re.IGNORECASE)
    ):
        unit = (found.group("of") or found.group("thing")).lower()
        spans.append(found.span())
    if unit is None and scale == 1 and currency is None and (found := _PERCENT.search(plain)):
        unit = "percent"
        spans.append(found.span())

    if not spans:
        return Units()
    return Units(scale, currency, unit, _printed(text, min(s for s, _ in spans), max(e for _, e in spans)))


def _printed(text: str, start: int, end: int) -> str:
    """Return the parenthesis that encloses the span, or else the span with the words that lead to it."""
    opening = max(text.rfind("(", 0, start + 1), text.rfind("（", 0, start + 1))
    closing = min((p for p in (text.find(")", end - 1), text.find("）", end - 1)) if p >= 0), default=-1)
    if opening >= 0 and closing >= 0 and closing - opening < 120:
        inside = text[opening + 1 : closing]
        if ")" not in inside.replace(text[start:end], "") and "）" not in inside:
            return inside.strip()
    lead = re.search(
        r"(?:单位|單位|unit)[:：\s]{0,3}(?:\(|（)?\Z|(?:[$€£¥]|dollars|amounts)?\s?(?:in|expressed in|stated in)\s\Z",
        text[max(0, start - 24) : start],
        re.IGNORECASE,
    )
    if lead:
        start -= len(lead.group())
    return text[start:end].strip()
