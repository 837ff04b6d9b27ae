"""Currency signs and scale words, and what they stand for."""

from __future__ import annotations

import re

#: Sign or code before a number, longest first, and its ISO 4217 code.
_SIGNS: dict[str, str] = {
    "US$": "USD",
    "HK$": "HKD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "AU$": "AUD",
    "CA$": "CAD",
    "A$": "AUD",
    "C$": "CAD",
    "S$": "SGD",
    "R$": "BRL",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "CNY",
    "₹": "INR",
    "₩": "KRW",
    "₫": "VND",
    "₽": "RUB",
}
_CODES: dict[str, str] = {
    "RMB": "CNY",
    "CNH": "CNY",
    "USD": "USD",
    "EUR": "EUR",
    "GBP": "GBP",
    "CNY": "CNY",
    "HKD": "HKD",
    "JPY": "JPY",
    "AUD": "AUD",
    "CAD": "CAD",
    "CHF": "CHF",
    "SGD": "SGD",
    "TWD": "TWD",
    "INR": "INR",
    "KRW": "KRW",
    "NZD": "NZD",
    "SEK": "SEK",
    "NOK": "NOK",
    "DKK": "DKK",
    "BRL": "BRL",
    "MXN": "MXN",
    "ZAR": "ZAR",
}
_CHINESE: dict[str, str] = {
    "人民币": "CNY",
    "美元": "USD",
    "美金": "USD",
    "港元": "HKD",
    "港币": "HKD",
    "欧元": "EUR",
    "英镑": "GBP",
    "日元": "JPY",
    "日圆": "JPY",
    "円": "JPY",
    "新台币": "TWD",
    "元": "CNY",
}
_WORDS: dict[str, str] = {
    "u.s. dollars": "USD",
    "us dollars": "USD",
    "dollars": "USD",
    "euros": "EUR",
    "euro": "EUR",
    "pounds sterling": "GBP",
    "yen": "JPY",
    "yuan": "CNY",
    "renminbi": "CNY",
}

#: ISO 4217 codes, and what is printed like one.
CURRENCY_CODES = tuple(_CODES)

_signs = "|".join(re.escape(sign) for sign in _SIGNS)
_codes = "|".join(_CODES)
_chinese = "|".join(_CHINESE)
_words = "|".join(re.escape(word) for word in _WORDS)

#: What may stand before a number (an expression without groups).
CURRENCY_BEFORE = rf"{_signs}|{_codes}|人民币|美元|港币|港元"
#: Look-behinds that let digits follow a code directly ('RMB1,234').
CODE_STANDS_BEFORE = "|".join(f"(?<={code})" for code in _CODES)
#: What may stand behind a number or its scale word.
CURRENCY_AFTER = rf"{_chinese}|€|£|(?:{_codes}|(?i:{_words}))(?![A-Za-z])"

#: Scale words behind a number, each an expression, longest first.
SCALE_WORDS: dict[str, int] = {
    r"(?i:trillions?)(?![A-Za-z])": 10**12,
    r"(?i:billions?)(?![A-Za-z])": 10**9,
    r"(?i:millions?)(?![A-Za-z])": 10**6,
    r"(?i:thousands?)(?![A-Za-z])": 10**3,
    r"(?i:crores?)(?![A-Za-z])": 10**7,
    r"(?i:lakhs?)(?![A-Za-z])": 10**5,
    r"万亿|萬億|兆": 10**12,
    r"千亿|千億": 10**11,
    r"百亿|百億": 10**10,
    r"十亿|十億": 10**9,
    r"亿|億": 10**8,
    r"千万|千萬": 10**7,
    r"百万|百萬": 10**6,
    r"十万|十萬": 10**5,
    r"[万萬](?!科|达|华|年)": 10**4,
    r"千(?![米克瓦卡])": 10**3,
}
SCALE_LETTERS: dict[str, int] = {
    "k": 10**3,
    "m": 10**6,
    "mm": 10**6,
    "mn": 10**6,
    "b": 10**9,
    "bn": 10**9,
    "tn": 10**12,
}

_JAPANESE = re.compile(r"[\u3040-\u30ff円]|(?i:\byen\b|\bJPY\b)")


def currency_code(sign: str, surroundings: str = "") -> str:
    """Return the ISO 4217 code of a sign, code or word.

    The yen sign stands for CNY unless the surroundings hold kana, 円 or the word yen.

    Raises:
        KeyError: the sign is none of those known.
    """
    sign = sign.strip()
    if sign in ("¥", "￥"):
        return "JPY" if _JAPANESE.search(surroundings) else "CNY"
    for table in (_SIGNS, _CODES, _CHINESE):
        if sign in table:
            return table[sign]
    return _WORDS[sign.lower()]
