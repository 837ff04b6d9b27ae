"""Numbers of an answer: with their units, what words say of their direction, and which of several is claimed."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

from finlmm_core.quantities import find_numbers, find_periods, normalise_characters, parse_number
from finlmm_core.quantities.currencies import SCALE_LETTERS

_LONGEST_NUMBERS = 600  # characters of a text that is looked through for numbers


class Amount(NamedTuple):
    """One number of an answer.

    ``value`` is as printed with its sign; ``direction`` is -1 where words beside it say that something fell, 1 where
    they say that it rose, else 0.
    """

    value: Decimal
    text: str
    start: int
    end: int
    decimals: int = 0
    unit: str | None = None  # 'percent', 'percentage_points', 'basis_points', 'multiple', 'fraction'
    scale: int = 1
    currency: str | None = None
    direction: int = 0

    @property
    def plain(self) -> Decimal:
        """The value with its scale word applied."""
        return self.value * self.scale

    @property
    def same(self) -> tuple[Decimal, bool]:
        """Equal for two writings of one amount: the plain value, percent as a share."""
        share = {"percent": Decimal("0.01"), "percentage_points": Decimal("0.01"), "basis_points": Decimal("0.0001")}
        return (self.plain * share.get(self.unit or "", Decimal(1))).normalize(), bool(self.currency)


_FRACTION = re.compile(
    r"(?P<sign>[-+]?)\\frac[ ]?\{(?P<top>[-+]?\d{1,15}(?:\.\d{1,15})?)\}[ ]?\{(?P<bottom>\d{1,15}(?:\.\d{1,15})?)\}"
)
_PLAIN_FRACTION = re.compile(
    r"(?P<sign>[-+]?)(?:(?P<whole>\d{1,9})[ ])?(?P<top>\d{1,15})[ ]?/[ ]?(?P<bottom>\d{1,15})\Z"
)
_SCIENTIFIC = re.compile(
    r"(?P<digits>(?<![\d.,])[-+]?\d{1,15}(?:\.\d{1,15})?)(?:[eE]|[ ]?[×x*][ ]?10\^?\{?)(?P<power>[-+]?\d{1,2})\}?(?![\d.])"
)
_PERCENT_OF = re.compile(r"百分之[ ]?(?P<minus>负)?(?P<number>\d{1,15}(?:\.\d{1,15})?)")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_DOWN = re.compile(
    r"\b(?:decreas(?:e|es|ed|ing)|declin(?:e|es|ed|ing)|fell|fall(?:s|ing|en)?|drop(?:s|ped)?|down|lower(?:ed)?|reduc(?:ed?|tion)"
    r"|shr[aiu]nk|negative|minus|loss|contracted)\b|下降|亏损|赤字|减少|降低|下滑|下跌|跌|减|負|负|減少|低下",
    re.IGNORECASE,
)
_UP = re.compile(
    r"\b(?:increas(?:e|es|ed|ing)|rose|ris(?:e|es|en|ing)|gr[eo]w(?:s|n|th)?|gain(?:s|ed)?|up|higher|positive|improved)\b"
    r"|上升|增加|增长|提高|上涨|涨|増加|上昇",
    re.IGNORECASE,
)
_WORD_NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            "zero none 零", "one once 一", "two twice 二 两", "three 三", "four 四", "five 五", "six 六", "seven 七", "eight 八",
            "nine 九", "ten 十", "eleven 十一", "twelve 十二", "thirteen 十三", "fourteen 十四", "fifteen 十五", "sixteen 十六",
            "seventeen 十七", "eighteen 十八", "nineteen 十九", "twenty 二十",
        )
    )
    for word in words.split()
}  # fmt: skip
_ORDINALS = {
    word: number
    for number, words in enumerate(
        (
            "first 1st 第一 第1", "second 2nd 第二 第2", "third 3rd 第三 第3", "fourth 4th 第四 第4", "fifth 5th 第五 第5",
            "sixth 6th 第六 第6", "seventh 7th 第七 第7", "eighth 8th 第八 第8", "ninth 9th 第九 第9", "tenth 10th 第十 第10",
        ),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_OTHER_UNIT = re.compile(
    r"[ ]?(?:‰|‱|per[ ]?mille?|(?:ten|hundred|thousand|million|billion)ths?(?![A-Za-z])|quadrillion|quintillion|zillion|hundred(?![A-Za-z])"
    r"|dozen|score(?![A-Za-z])|ppm|[!^*×])",
    re.IGNORECASE,
)
_ONE_DIGIT = re.compile(r"(?P<digits>-?\d)(?P<letter>[kKmMbB])\Z")
_WORDS = re.compile(r"[A-Za-z]+|\d{1,2}(?:st|nd|rd|th)\b|第?[零一二两三四五六七八九十]{1,2}(?![万亿千百])|第\d{1,2}")


def plain_numbers(text: str) -> str:
    """Return the text with fractions (``\\frac{3}{4}``), powers of ten and 百分之五 written as plain numbers.

    A fraction in an equation stays two numbers, (3/4): it is how the result came about.
    """
    if "\\frac" in text:
        text = _FRACTION.sub(_fraction_text if "=" in text or "≈" in text else _fraction_value, text)
    if "10" in text or "e" in text or "E" in text:
        text = _SCIENTIFIC.sub(_scientific_value, text)
    if "百分之" in text:
        text = _PERCENT_OF.sub(lambda found: f"{'-' if found['minus'] else ''}{found['number']}%", text)
    return text.strip()


def numbers_in(text: str) -> tuple[Amount, ...]:
    """Return the numbers of a short text, left to right, with what words say of their direction.

    Beyond those of ``find_numbers``: 3/4 where it is the whole text, and number words ('three', 第三) where a short text
    has no digits. Numbers within a date or a period are left out as long as there are others.
    """
    return _numbers_in(text) if len(text) <= _LONGEST_NUMBERS else ()


@lru_cache(maxsize=16384)
def _numbers_in(text: str) -> tuple[Amount, ...]:
    plain = normalise_characters(text).strip()
    if (whole := _PLAIN_FRACTION.match(plain.rstrip(" ."))) is not None and int(whole["bottom"]):
        value = Decimal(whole["top"]) / Decimal(whole["bottom"]) + Decimal(whole["whole"] or 0)
        return (Amount(-value if whole["sign"] == "-" else value, plain, 0, len(plain), 9, "fraction"),)
    if not any(character.isdigit() for character in text):
        return _word_numbers(text)
    if (short := _ONE_DIGIT.match(plain)) is not None:  # '5M', which in running text is rather a name
        scale = SCALE_LETTERS[short["letter"].lower()]
        return (Amount(Decimal(short["digits"]), plain, 0, len(plain), 0, None, scale),)
    number = parse_number(text.rstrip(" .。"))
    # A digit behind the number is a footnote's mark in a table, and another number in an answer.
    if number is not None and not any(character.isdigit() for character in text[number.end :]):
        return (
            Amount(
                number.value,
                number.text,
                number.start,
                number.end,
                number.decimals,
                number.unit,
                number.scale,
                number.currency,
            ),
        )
    found = find_numbers(text)
    if len(found) > 1:
        spans = [(period.start, period.end) for period in find_periods(text)]
        outside = [n for n in found if not any(start <= n.start < end for start, end in spans)]
        found = [n for n in outside if not (_YEAR.match(n.text) and n.unit is None)] or outside or found
    elif not found:
        return _word_numbers(text)
    return tuple(
        Amount(
            n.value, n.text, n.start, n.end, n.decimals, "unknown" if _OTHER_UNIT.match(text, n.end) else n.unit, n.scale,
            n.currency, _direction(text, n.start, n.end),
        )
        for n in found
    )  # fmt: skip


def _fraction_text(found: re.Match[str]) -> str:
    return f"{found['sign']}({found['top']}/{found['bottom']})"


def _fraction_value(found: re.Match[str]) -> str:
    bottom = Decimal(found["bottom"])
    if not bottom:
        return found.group()
    value = Decimal(found["top"]) / bottom
    return f" {-value if found['sign'] == '-' else value:.12f} "


def _scientific_value(found: re.Match[str]) -> str:
    try:
        return f"{Decimal(found['digits']).scaleb(int(found['power'])):f}"
    except InvalidOperation:
        return found.group()


def _word_numbers(text: str) -> tuple[Amount, ...]:
    """Read 'three', 'three years', 第三, 五项 in a text of a few words without digits; 一年内偿付的债务 has no number."""
    if len(text) > 40 or len(text.split()) > 4 or (not text.isascii() and len(text) > 6):
        return ()
    amounts = []
    for match in _WORDS.finditer(text.lower()):
        number = _WORD_NUMBERS.get(match.group(), _ORDINALS.get(match.group()))
        if number is not None:
            amounts.append(Amount(Decimal(number), match.group(), match.start(), match.end()))
    return tuple(amounts)


def _direction(text: str, start: int, end: int) -> int:
    """Return what the words within the same clause, shortly before or behind a number, say of its direction."""
    before, behind = text[max(0, start - 40) : start], text[end : end + 24]
    before = re.split(r"[,;，；。:]|\d[ ]", before)[-1]
    behind = re.split(r"[,;，；。.:]|[ ](?:to|from|in|than|and|or|while|but|whereas)[ ]|[而但]|\d", behind)[0]
    down = bool(_DOWN.search(before) or _DOWN.search(behind))
    up = bool(_UP.search(before) or _UP.search(behind))
    return 0 if down == up else -1 if down else 1


def _restated(amounts: tuple[Amount, ...]) -> tuple[Amount, ...]:
    """Return the amounts; a parenthesis that says a number before it once more, '0.125 (12.5%)', is no negative."""
    known = {amount.same[0] for amount in amounts if not amount.text.startswith("(")}
    return tuple(
        amount._replace(value=-amount.value) if amount.text.startswith("(") and -amount.same[0] in known else amount
        for amount in amounts
    )


def claimed(text: str, amounts: tuple[Amount, ...]) -> tuple[Amount | None, bool]:
    """Return the number that a text gives as its result, and whether it gives just that one.

    One number, or several writings of one ('$5,466,312,000 or $5,466.312 million', '0.125 (12.5%)'), is the claim. Of
    several it is the first behind the last equals sign, else the first behind the last 'is', 'was', 为 ..., else the
    first.
    """
    if not amounts:
        return None, True
    amounts = _restated(amounts)
    if len({amount.same[0] for amount in amounts}) == 1:
        return next((amount for amount in amounts if amount.unit), amounts[0]), True
    equals = max(text.rfind("="), text.rfind("≈"))
    if equals >= 0:
        behind = [amount for amount in amounts if amount.start > equals]
        if behind:
            before = [amount for amount in amounts if amount.start < equals]
            worked_out = len(before) != 1 and text.count("=") + text.count("≈") == 1
            return behind[0], worked_out and len({amount.same[0] for amount in behind}) == 1
    last = None
    for verb in _VERB.finditer(text):
        if any(amount.start >= verb.end() for amount in amounts):
            last = verb
    if last is not None:
        return next(amount for amount in amounts if amount.start >= last.end()), False
    return amounts[0], False


_VERB = re.compile(
    r"\b(?:is|are|was|were|equals?|totall?ed|amounted to|of approximately|of about)\b|[是为]|约为", re.IGNORECASE
)


_NOT = re.compile(
    r"(?:\b(?:not|never|isn['’]t|wasn['’]t|neither|nor|(?:anything|everything|all)[ ]but|other[ ]than|except|instead[ ]of)"
    r"|不是|并非|不为|除了)(?:[ ][^\s]{1,12}){0,2}[ ]?\Z",
    re.IGNORECASE,
)
_DENIED = re.compile(r"[ ]?(?:(?:is|was)[ ](?:not|wrong|incorrect|false)|is[ ]n['’]t|不对|是错|除外)", re.IGNORECASE)


def is_negated(text: str, start: int, end: int) -> bool:
    """Return whether what stands from start to end is denied: 'it is not 5%', 'anything but 5%', '5% is wrong'."""
    return _NOT.search(text, max(0, start - 40), start) is not None or _DENIED.match(text, end) is not None
