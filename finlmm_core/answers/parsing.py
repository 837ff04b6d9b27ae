"""What an answer says: numbers with their units, periods, lists, letters, yes or no, refusals."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, NamedTuple

from finlmm_core.answers.texts import normal_text, without_markup
from finlmm_core.quantities import find_numbers, find_periods, normalise_characters, parse_number, parse_period
from finlmm_core.quantities.currencies import SCALE_LETTERS

Kind = Literal[
    "none", "refusal", "letters", "number", "numbers", "range", "period", "yes_no", "list", "text", "symbolic"
]

#: Longer answers are not parsed: no answer of a benchmark is, and it bounds the time that a hostile one takes.
LONGEST = 2000
_LONGEST_NUMBERS = 600  # of a text that is looked through for numbers


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


class Parsed(NamedTuple):
    """An answer as read. Which fields are filled follows from ``kind``; ``text`` is always the cleaned answer."""

    kind: Kind
    text: str = ""
    amount: Amount | None = None  # of a number: the one that is claimed
    amounts: tuple[Amount, ...] = ()  # all numbers that are not part of a period
    letters: str = ""
    period: str | None = None  # a period's key, such as '2021-Q3'
    yes: bool | None = None
    items: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """The number as printed, None where the answer is none."""
        return float(self.amount.value) if self.amount is not None else None


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
    r"|shr[aiu]nk|negative|minus|loss|contracted)\b|下降|减少|降低|下滑|下跌|跌|减|負|负|減少|低下",
    re.IGNORECASE,
)
_UP = re.compile(
    r"\b(?:increas(?:e|es|ed|ing)|rose|ris(?:e|es|en|ing)|gr[eo]w(?:s|n|th)?|gain(?:s|ed)?|up|higher|positive|improved)\b"
    r"|上升|增加|增长|提高|上涨|涨|増加|上昇",
    re.IGNORECASE,
)
_YES = re.compile(
    r"(?:yes|true|correct|yep|是的?|对的?|正确|有|はい|会|可以)(?![A-Za-z]|[\u3040-\u30ff])", re.IGNORECASE
)
_NO = re.compile(
    r"(?:no|false|incorrect|not|nope|否|不是?|没有?|错误?|无|いいえ)(?![A-Za-z]|[\u3040-\u30ff])", re.IGNORECASE
)
_BETWEEN = re.compile(r"\A[ ]?(?:[,/、&]|and|or|或)?[ ]?", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:(?:i|we)(?:['’ ]m| am| are)? (?:sorry|unable)|(?:can ?not|can['’]t|could not|unable to|not able to) (?:be )?"
    r"(?:answer|determin|provid|calculat|comput|access|find|view|see)|do(?:es)? not (?:have access|provide|contain|include|mention)"
    r"|not (?:answerable|enough information|provided|available|specified|disclosed)|insufficient (?:information|data)"
    r"|no (?:information|data) (?:is )?(?:available|provided)|unanswerable|as an ai)"
    r"|无法(?:回答|确定|计算|判断|得知)|不能(?:确定|回答)|没有足够|未提供|请提供|信息不足|抱歉",
    re.IGNORECASE,
)
_NAN = re.compile(r"(?:n/?a|none|null|nan|unknown|-+|\?+|\.+|…)\Z", re.IGNORECASE)
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
_SYMBOLIC = re.compile(
    r"\\(?:frac|sqrt|pi|infty|cup|cap|leq?|geq?|pm|ln|log|sin|cos|tan|alpha|beta|theta)(?![A-Za-z])|[A-Za-z]\^|\^\{|[√π∞]"
)
_SPLIT = re.compile(r"[;；、\n]|,(?!\d{3}(?!\d))|，|[ ](?:and|&)[ ]|(?<=[\d%一-龥])[和与及](?=[\d一-龥$¥])")


def numbers_in(text: str) -> tuple[Amount, ...]:
    """Return the numbers of a short text, left to right, with what words say of their direction.

    Beyond those of ``find_numbers``: fractions (``\\frac{3}{4}``; 3/4 where it is the whole text), powers of ten,
    百分之五, and number words ('three', 第三) where the text has no digits. Numbers within a date or a period are left
    out as long as there are others.
    """
    return _numbers_in(text) if len(text) <= _LONGEST_NUMBERS else ()


@lru_cache(maxsize=16384)
def _numbers_in(text: str) -> tuple[Amount, ...]:
    plain = normalise_characters(text).strip()
    if (whole := _PLAIN_FRACTION.match(plain.rstrip(" ."))) is not None and int(whole["bottom"]):
        value = Decimal(whole["top"]) / Decimal(whole["bottom"]) + Decimal(whole["whole"] or 0)
        return (Amount(-value if whole["sign"] == "-" else value, plain, 0, len(plain), 9, "fraction"),)
    if "\\frac" in text:
        text = _FRACTION.sub(_fraction_value, text)
    if "10" in text or "e" in text or "E" in text:
        text = _SCIENTIFIC.sub(_scientific_value, text)
    if "百分之" in text:
        text = _PERCENT_OF.sub(lambda found: f"{'-' if found['minus'] else ''}{found['number']}%", text)
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


def claimed(text: str, amounts: tuple[Amount, ...]) -> tuple[Amount | None, bool]:
    """Return the number that a text gives as its result, and whether it gives just that one.

    One number, or several writings of one ('$5,466,312,000 or $5,466.312 million', '0.125 (12.5%)'), is the claim. Of
    several it is the first behind the last equals sign, else the first behind the last 'is', 'was', 为 ..., else the
    first.
    """
    if not amounts:
        return None, True
    if len({amount.same[0] for amount in amounts}) == 1:
        return amounts[0], True
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


def is_refusal(text: str) -> bool:
    """Return whether the answer says that it gives none."""
    return len(text) <= LONGEST and (_REFUSAL.search(text) is not None or _NAN.match(text.strip()) is not None)


def is_symbolic(text: str) -> bool:
    """Return whether the text is mathematics that only a computer algebra system can compare."""
    return len(text) <= LONGEST and _SYMBOLIC.search(_FRACTION.sub("", text)) is not None


def read_yes_no(text: str) -> bool | None:
    """Return True for an answer that begins with yes (True, 是, はい ...), False for no, None for neither or both."""
    start = text.strip(" \"'*_`.,:([").lower()[:40]
    yes, no = _YES.match(start), _NO.match(start)
    if yes is not None:
        return None if _NO.match(_BETWEEN.sub("", start[yes.end() :], count=1)) else True
    if no is not None:
        return None if _YES.match(_BETWEEN.sub("", start[no.end() :], count=1)) else False
    return None


def read_period(text: str) -> str | None:
    """Return the key of the one period that a text names ('2021', '2021-Q3'), None where it names none or several."""
    if len(text) > 200:
        return None
    period = parse_period(text)
    return period.key if period is not None else None


def split_list(text: str) -> tuple[str, ...]:
    """Return the items of an enumeration: at commas that are no thousands separators, semicolons, 'and', 、 and lines."""
    text = text.strip().strip("[]{}").strip()
    items = (item.strip(" \t\"'“”‘’.·-*") for item in _SPLIT.split(text.replace(", and ", ", ").replace(" and ", ", ")))
    return tuple(item for item in items if item)


def parse_answer(text: str | None, *, expect: Kind | None = None) -> Parsed:
    """Read an answer as what it looks like, or as the kind that is expected.

    Args:
        text: the answer as written, as ``extract_answer`` gives it.
        expect: the kind of the right answer; without it the first of refusal, symbolic, letters, period, number,
            yes or no, list, text that fits.
    """
    if text is None or not text.strip():
        return Parsed("none")
    clean = without_markup(text)
    if len(clean) > LONGEST:
        return Parsed("text", clean[:LONGEST])
    if expect in ("number", "numbers", "range"):
        amounts = numbers_in(clean)
        amount, single = claimed(clean, amounts)
        kind: Kind = "text" if amount is None else "number" if single else "numbers"
        if amount is None and is_refusal(clean):
            kind = "refusal"
        return Parsed(kind, clean, amount, amounts)
    if expect == "period":
        key = read_period(clean)
        return Parsed("period" if key else "text", clean, period=key)
    if expect == "yes_no":
        yes = read_yes_no(clean)
        return Parsed("text" if yes is None else "yes_no", clean, yes=yes)
    if expect == "list":
        return Parsed("list", clean, items=split_list(clean))
    if expect in ("text", "letters", "symbolic"):
        return Parsed(expect, clean, letters=clean if expect == "letters" else "")
    return _guess(clean)


_LETTERS = re.compile(r"[(\[]?(?P<letters>[A-J](?:[ ]?(?:,|、|and|&)?[ ]?[A-J]){0,9})[)\].]?\Z")
_RANGE = re.compile(
    r"(?:between[ ])?[^\s]{1,24}[ ]?(?:-|–|~|to|至|到|and)[ ]?[^\s]{1,24}(?:[ ](?:million|billion|thousand|percent))?\Z"
)


def _is_all_period(text: str) -> bool:
    """Return whether all digits of a text belong to periods: '2017, by 12.1 points' is more than a year."""
    periods = find_periods(text)
    return all(any(p.start <= at < p.end for p in periods) for at, c in enumerate(text) if c.isdigit())


def _guess(clean: str) -> Parsed:
    if is_refusal(clean):
        return Parsed("refusal", clean)
    if is_symbolic(clean):
        return Parsed("symbolic", clean)
    if letters := _LETTERS.match(clean):
        return Parsed("letters", clean, letters="".join(re.findall(r"[A-J]", letters["letters"])))
    amounts = numbers_in(clean)
    key = read_period(clean) if len(clean) <= 40 else None
    words = normal_text(clean)
    if key is not None and len(words) <= 28 and _is_all_period(clean):
        return Parsed("period", clean, period=key, amounts=amounts)
    if len(amounts) == 2 and _RANGE.match(clean):
        return Parsed("range", clean, amounts=amounts)
    if len(amounts) > 1 and len(split_list(clean)) == len(amounts):
        return Parsed("list", clean, items=split_list(clean), amounts=amounts)
    amount, single = claimed(clean, amounts)
    if amount is not None and (len(words.split()) <= 6 or single):
        return Parsed("number" if single else "numbers", clean, amount, amounts)
    yes = read_yes_no(clean)
    if yes is not None:
        return Parsed("yes_no", clean, yes=yes)
    return Parsed("text", clean, amounts=amounts)
