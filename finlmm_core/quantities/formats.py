"""Numbers written the way reports write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from finlmm_core.quantities.programs import round_half_up

_SIGNS = {
    "USD": "$",
    "EUR": "€",
    "GBP": "£",
    "CNY": "RMB ",
    "HKD": "HK$",
    "JPY": "¥",
    "AUD": "A$",
    "CAD": "C$",
    "SGD": "S$",
    "TWD": "NT$",
    "INR": "₹",
    "KRW": "₩",
    "BRL": "R$",
}
_CHINESE_CURRENCIES = {
    "CNY": "元",
    "USD": "美元",
    "HKD": "港元",
    "EUR": "欧元",
    "GBP": "英镑",
    "JPY": "日元",
    "TWD": "新台币",
}
_ENGLISH_SCALES = {
    1: "",
    10**3: " thousand",
    10**4: " ten thousand",
    10**6: " million",
    10**8: " hundred million",
    10**9: " billion",
    10**12: " trillion",
}
_CHINESE_SCALES = {
    1: "",
    10**3: "千",
    10**4: "万",
    10**6: "百万",
    10**7: "千万",
    10**8: "亿",
    10**9: "十亿",
    10**10: "百亿",
    10**12: "万亿",
}


def format_number(value: Decimal, decimals: int) -> str:
    """Return '-1,234.50': rounded half up, grouped by thousands, never '-0'."""
    rounded = round_half_up(value, decimals)
    if rounded == 0:
        rounded = abs(rounded)
    return f"{rounded:,.{max(decimals, 0)}f}"


def format_percent(value: Decimal, decimals: int = 1) -> str:
    """Return '12.5%' for 12.5."""
    return f"{format_number(value, decimals)}%"


def format_amount(
    value: Decimal,
    decimals: int,
    *,
    scale: int = 1,
    currency: str | None = None,
    unit: str | None = None,
    language: Literal["en", "zh"] = "en",
) -> str:
    """Return an amount with its unit: '$1,944 million', '-$12.5 million', '1,944百万元', '12.5%', '1,200 employees'.

    Args:
        value: in the printed scale.
        decimals: digits after the point.
        scale: what the value is to be multiplied by; a power of ten that has a word.
        currency: ISO 4217 code.
        unit: 'percent', 'percentage_points', 'ratio', 'count' or a thing that is counted ('shares').
        language: of the words.
    """
    number = format_number(value, decimals)
    if unit == "percent":
        return f"{number}%"
    if unit == "percentage_points":
        return f"{number}个百分点" if language == "zh" else f"{number} percentage points"
    if unit == "basis_points":
        return f"{number}个基点" if language == "zh" else f"{number} basis points"
    if unit == "multiple":
        return f"{number}倍" if language == "zh" else f"{number}x"
    thing = unit if unit not in (None, "ratio", "count") else ""
    if language == "zh":
        return (
            f"{number}{_CHINESE_SCALES.get(scale, '')}{_CHINESE_CURRENCIES.get(currency or '', currency or '')}{thing}"
        )
    word = _ENGLISH_SCALES.get(scale, "")
    sign = _SIGNS.get(currency, f"{currency} ") if currency else ""
    minus, number = ("-", number[1:]) if number.startswith("-") else ("", number)
    return f"{minus}{sign}{number}{word}{' ' + thing if thing else ''}"


def scale_word(scale: int, language: Literal["en", "zh"] = "en") -> str:
    """Return 'million', '亿' ...; '' for 1 and for scales without a word."""
    return (_CHINESE_SCALES if language == "zh" else _ENGLISH_SCALES).get(scale, "").strip()
