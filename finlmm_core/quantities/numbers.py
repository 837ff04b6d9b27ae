"""Numbers as reports print them, in English and Chinese.

Every pattern here is linear: the digits are found by one expression whose alternatives cannot start inside each
other, and what stands before and after a number is looked at in windows of bounded width.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from finlmm_core.quantities.currencies import (
    CODE_STANDS_BEFORE,
    CURRENCY_AFTER,
    CURRENCY_BEFORE,
    SCALE_LETTERS,
    SCALE_WORDS,
    currency_code,
)


class Number(NamedTuple):
    """A printed number.

    ``value`` is what is printed, sign included, scale words not applied: ``"(1,234)"`` is -1234 and ``"12.5 %"`` 12.5.
    """

    value: Decimal
    text: str  # as printed
    start: int  # span in the string that was searched
    end: int
    decimals: int  # digits printed after the point
    percent: bool = False
    scale: int = 1  # from a scale word or suffix beside it: 'million', 'bn', '亿' (then text includes it)
    currency: str | None = None  # ISO 4217, from a sign or code beside it
    unit: str | None = None  # 'percent', 'percentage_points', 'basis_points', 'multiple' ('3.2x'), else None

    @property
    def plain(self) -> Decimal:
        """The value with its scale word applied: 1.2 billion is 1200000000."""
        return self.value * self.scale


# Full-width forms and the many minus signs, one character for one so that spans stay valid. The full-width comma is
# punctuation in Chinese prose and is handled apart.
_PLAIN = {ord("０") + digit: str(digit) for digit in range(10)}
_PLAIN |= {
    ord(wide): narrow
    for wide, narrow in {
        "．": ".",
        "％": "%",
        "﹪": "%",
        "＄": "$",
        "￥": "¥",
        "（": "(",
        "）": ")",
        "﹣": "-",
        "－": "-",
        "−": "-",
        "‒": "-",
        "–": "-",
        "—": "-",
        "―": "-",
        "‐": "-",
        "‑": "-",
        "＋": "+",
        "▲": "△",
        "▼": "△",
        "▽": "△",
        "’": "'",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u3000": " ",
        "\t": " ",
        "\n": " ",
        "\r": " ",
    }.items()
}
_WIDE_COMMA = re.compile(r"(?<=[0-9０-９])，(?=[0-9０-９]{3}(?![0-9０-９]))")
_WIDE_COMMA_IN_WIDE_DIGITS = re.compile(r"(?<=[０-９])，(?=[０-９]{{3}}(?![０-９]))")
_NARROW_SPACE_GROUP = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{{3}}(?!\d))")

_DIGITS = re.compile(
    rf"""(?:(?<![A-Za-z0-9_])|{CODE_STANDS_BEFORE})(?<!\d[.])(?<!\d,)
    (?:
        \d{{1,3}}(?:\.\d{{3}})+,\d{{1,2}}             # 1.234.567,89
      | \d{{1,3}}(?:'\d{{3}})+(?:\.\d+)?            # 1'234'567.8
      | \d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?            # 1,234,567.8
      | \d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?:\.\d+)?      # 12,34,567
      | \d+(?:\.\d+)?
      | (?<!\d)\.\d+
    )
    (?!\d)(?!\.\d)(?!,\d{{3}}(?!\d))(?!'\d)""",
    re.VERBOSE,
)
_BEFORE_TOKEN = rf"[-+△(]|{CURRENCY_BEFORE}"
_BEFORE = re.compile(rf"(?:(?:{_BEFORE_TOKEN})[ ]{{0,6}}){{1,4}}\Z")
_BEFORE_SPLIT = re.compile(rf"(?P<sign>[-+△])|(?P<open>\()|(?P<currency>{CURRENCY_BEFORE})|[ ]")
_PERCENT = re.compile(r"[ ]{0,2}(?:%(?![A-Za-z])|per[ ]?cent(?:age)?(?![A-Za-z])|pct\.?(?![A-Za-z]))")
_POINTS = re.compile(
    r"[ ]{0,2}(?:-?(?:%|percent|percentage)[ -]?points?(?![A-Za-z])|ppts?(?![A-Za-z])|p\.?p\.?(?![A-Za-z])"
    r"|pts?(?![A-Za-z])|个?百分点|ポイント|pct\.?[ ]?pts?(?![A-Za-z]))",
    re.IGNORECASE,
)
_BASIS = re.compile(r"[ ]{0,2}-?(?:bps?(?![A-Za-z])|basis[ -]points?(?![A-Za-z])|个?基点)", re.IGNORECASE)
_MULTIPLE = re.compile(r"[ ]?(?:[x×](?![A-Za-z0-9])|倍)")
_SCALE = re.compile(rf"[ ]{{0,2}}(?P<word>{'|'.join(SCALE_WORDS)})")
_LETTER = re.compile(r"(?P<word>mm|mn|bn|tn|[kKmMbB])(?![A-Za-z0-9])|[ ](?P<spaced>mn|bn|tn|mm)(?![A-Za-z0-9])")
_CURRENCY = re.compile(rf"[ ]{{0,2}}(?:{CURRENCY_AFTER})")
_CLOSE = re.compile(r"[ ]{0,2}\)")
_GLUED = re.compile(r"[A-Za-z_]|-[A-Z](?![A-Za-z0-9])")
_YEAR_LIKE = re.compile(r"(?:19|20)\d\d\Z")
_FOOTNOTE = re.compile(
    r"(?<=[\d%).xk])[ ]{0,3}(?:\(\d\)|\(?[a-f]\)|\[\d{1,2}\]|[*†‡§#^]{1,4}|[¹²³⁴⁵⁶⁷⁸⁹⁰]{1,3}|注\d?|\(注\d?\))\Z",
    re.IGNORECASE,
)


def normalise_characters(text: str) -> str:
    """Return the text with full-width digits and signs, minus signs and spaces made plain, character for character."""
    text = _WIDE_COMMA_IN_WIDE_DIGITS.sub(",", text)
    text = _NARROW_SPACE_GROUP.sub(",", text)
    return text.translate(_PLAIN)


def _decimal(digits: str) -> tuple[Decimal, int]:
    """Read digits with separators; return the value and how many digits stand after the point."""
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d{1,2}", digits):
        digits = digits.replace(".", "").replace(",", ".")
    digits = digits.replace(",", "").replace("'", "")
    whole, _, fraction = digits.partition(".")
    return Decimal(f"{whole or '0'}.{fraction}" if fraction else whole), len(fraction)


def _scan(plain: str, original: str, match: re.Match[str], floor: int, alone: bool) -> Number | None:
    """Read the number whose digits were matched, with what stands before and after it.

    Args:
        plain: the text with plain characters, same length as the original.
        original: the text as printed.
        match: the digits.
        floor: where the number before it ended; nothing left of it is looked at.
        alone: the text is one cell: signs may stand apart and parentheses always mean a negative.
    """
    start, end = match.span()
    value, decimals = _decimal(match.group())
    bare_integer = match.group().isdigit()
    negative, currency, opened = False, None, False

    window = plain[max(floor, start - 28) : start]
    before = _BEFORE.search(window)
    if before is not None:
        prefix_start = start - len(before.group())
        for token in reversed(list(_BEFORE_SPLIT.finditer(before.group()))):
            where = prefix_start + token.start()
            after = plain[prefix_start + token.end() : prefix_start + token.end() + 1]
            if token.group() == " ":
                continue
            if token.group("open"):
                if opened:
                    break
                opened = True
            elif token.group("sign"):
                left = plain[where - 1 : where] if where else ""
                attached = after != " " or token.group() == "△"
                if (left.isalnum() and left.isascii()) or (left in ")%" and left) or not (attached or alone):
                    break
                if negative:
                    break
                negative = token.group() != "+"
            else:
                if currency is not None or (where and plain[where - 1].isascii() and plain[where - 1].isalpha()):
                    break
                currency = currency_code(token.group("currency"), original)
            start = where

    scale, unit = 1, None
    close_seen = False
    letter_scale = scale_inside = False
    for _ in range(5):
        if opened and not close_seen and (found := _CLOSE.match(plain, end)):
            close_seen, end, scale_inside = True, found.end(), scale > 1
        elif unit is None and (found := _POINTS.match(plain, end)):
            unit, end = "percentage_points", found.end()
        elif unit is None and (found := _BASIS.match(plain, end)):
            unit, end = "basis_points", found.end()
        elif unit is None and scale == 1 and (found := _PERCENT.match(plain, end)):
            unit, end = "percent", found.end()
        elif scale == 1 and unit is None and (found := _SCALE.match(plain, end)):
            scale, end = (
                SCALE_LETTERS.get(found.group("word").lower(), 0) or _word_scale(found.group("word")),
                found.end(),
            )
        elif scale == 1 and unit is None and (found := _LETTER.match(plain, end)):
            word = (found.group("word") or found.group("spaced")).lower()
            # '3M' is a company and '5m' a length; one bare digit and one letter is an amount only beside a currency.
            if len(word) == 1 and currency is None and bare_integer and len(match.group()) < 2:
                return None
            scale, end, letter_scale = SCALE_LETTERS[word], found.end(), True
        elif currency is None and unit is None and (found := _CURRENCY.match(plain, end)):
            currency, end = currency_code(found.group().strip(), original), found.end()
        elif unit is None and scale == 1 and currency is None and (found := _MULTIPLE.match(plain, end)):
            unit, end = "multiple", found.end()
        else:
            break
    if not letter_scale and _GLUED.match(plain, end) and plain[end - 1].isascii() and plain[end - 1].isalnum():
        return None

    if opened:
        trivial = bare_integer and unit is None and currency is None and scale == 1
        enumerator = trivial and (len(match.group()) <= 2 or _YEAR_LIKE.match(match.group()))
        aside = not alone and scale_inside  # '($5.2 million)' in prose encloses, '$(5.2) million' negates
        if close_seen and not aside and (alone or not enumerator):
            negative = True
        elif close_seen or not alone:
            # A parenthesis that only encloses words: '(12 stores)', '(2021)'.
            start = plain.rfind("(", start, match.start()) + 1
            start += len(plain[start : match.start()]) - len(plain[start : match.start()].lstrip())
            if close_seen:
                end = plain.rfind(")", match.end(), end)
        else:
            negative = True  # a closing parenthesis lost between two cells
    return Number(
        value=-value if negative else value,
        text=original[start:end],
        start=start,
        end=end,
        decimals=decimals,
        percent=unit == "percent",
        scale=scale,
        currency=currency,
        unit=unit,
    )


def _word_scale(word: str) -> int:
    for pattern, scale in SCALE_WORDS.items():
        if re.fullmatch(pattern, word):
            return scale
    raise KeyError(word)


def parse_number(text: str) -> Number | None:
    """Read a string that is one number and nothing else, such as a table cell; None where it is not.

    A dash alone (``-``, ``—``, ``–``, ``nil``) is not a number; ``(12.3)``, ``-12.3``, ``−12.3`` and ``△12.3`` are
    negative. A footnote mark behind the number (``1,234 (1)``, ``1,234*``) is left out of ``text``.
    """
    if len(text) > 80:
        return None
    plain = normalise_characters(_WIDE_COMMA.sub(",", text))
    original, offset = text, len(plain) - len(plain.lstrip(" ~≈约"))
    limit = len(plain.rstrip(" ;"))
    while (mark := _FOOTNOTE.search(plain, offset, limit)) and any(c.isdigit() for c in plain[offset : mark.start()]):
        limit = len(plain[: mark.start()].rstrip())
    body = plain[:limit]
    digits = _DIGITS.search(body, offset)
    if digits is None:
        return None
    number = _scan(body, original, digits, offset, alone=True)
    if number is None or number.start != offset or number.end != limit:
        return None
    return number


def find_numbers(text: str) -> list[Number]:
    """Return all numbers in running text, left to right, not overlapping (years and dates included as they stand).

    Digits glued to letters (``Q3``, ``FY21``, ``3M``) are names, not numbers. A parenthesised number is negative
    unless it can be a year or an enumerator: ``(456)``, ``(1,234)`` and ``(5.2%)`` are, ``(2021)`` and ``(1)`` are not.
    """
    plain = normalise_characters(text)
    numbers: list[Number] = []
    floor = 0
    for match in _DIGITS.finditer(plain):
        if match.start() < floor:
            continue
        number = _scan(plain, text, match, floor, alone=False)
        if number is not None:
            numbers.append(number)
            floor = number.end
    return numbers
