"""What an answer says: numbers with their units, periods, lists, letters, yes or no, refusals."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from finlmm_core.answers.amounts import Amount, claimed, numbers_in, plain_numbers
from finlmm_core.answers.texts import normal_text, without_markup
from finlmm_core.quantities import find_periods, parse_period

Kind = Literal[
    "none", "refusal", "letters", "number", "numbers", "range", "period", "yes_no", "list", "text", "symbolic"
]

#: Longer answers are not parsed: no answer of a benchmark is, and it bounds the time that a hostile one takes.
LONGEST = 2000


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
_SYMBOLIC = re.compile(
    r"\\(?:frac|sqrt|pi|infty|cup|cap|leq?|geq?|pm|ln|log|sin|cos|tan|alpha|beta|theta)(?![A-Za-z])|[A-Za-z]\^|\^\{|[√π∞]"
)
_SPLIT = re.compile(r"[;；、\n]|,(?!\d{3}(?!\d))|，|[ ](?:and|&)[ ]|(?<=[\d%一-龥])[和与及](?=[\d一-龥$¥])")


def is_refusal(text: str) -> bool:
    """Return whether the answer says that it gives none."""
    return len(text) <= LONGEST and (_REFUSAL.search(text) is not None or _NAN.match(text.strip()) is not None)


def is_symbolic(text: str) -> bool:
    """Return whether the text is mathematics that only a computer algebra system can compare."""
    return len(text) <= LONGEST and _SYMBOLIC.search(plain_numbers(text)) is not None


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
    if expect != "symbolic" and not is_symbolic(clean):
        clean = plain_numbers(clean)
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
