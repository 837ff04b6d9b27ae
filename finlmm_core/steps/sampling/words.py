"""What a figure says, reduced to what can be compared: words, numbers, periods, in English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

_NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")

#: Words that tell nothing of which figure is meant: grammar and the words that questions are made of.
COMMON_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been by did do does during each for from had has have how if in into is it its of on or "
        "per that the their there these this those to was were what when which while who whose will with within would "
        "than then between compared according based following much many most least main reason amount value number "
        "figure table chart report company total year years ended fiscal reported shown percent percentage million "
        "billion thousand dollars change increase decrease rate",
    )
)


def fold(text: str) -> str:
    """Return text in one form: compatibility characters resolved, case folded, runs of space made one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def has_chinese(text: str) -> bool:
    """Return whether any Chinese character is in the text."""
    return _CJK.search(text) is not None


def numbers_in(folded: str) -> list[str]:
    """Return the sizes of all numbers, without sign, thousands separators and trailing zeros: '(1,234.50)' -> '1234.5'.

    The sign is left out on purpose: parentheses, red ink and minus signs are what OCR loses first.
    """
    return [number for number in map(_plain, _NUMBER.findall(folded)) if number]


@lru_cache(maxsize=50_000)
def _plain(printed: str) -> str:
    """Return the size of a printed number in one form, '' where it is none; tables say the same numbers many times."""
    try:
        text = format(Decimal(printed.replace(",", "")), "f")
    except InvalidOperation:  # pragma: no cover - the pattern only matches numbers
        return ""
    return text.rstrip("0").rstrip(".") if "." in text else text


def digits_that_count(number: str) -> int:
    """Return the significant digits of a number as numbers_in gives it: '0.050' -> 1, '1200' -> 2, '77867' -> 5."""
    return len(number.replace(".", "").strip("0"))


def rounds_to(number: str, shown: str) -> bool:
    """Return whether ``shown`` is the number in another scale, rounded: '77867' shown as '77.9'.

    Only numbers shown with three significant digits or more count: two would meet by chance.
    """
    kept = digits_that_count(shown)
    if kept < 3 or digits_that_count(number) < kept:
        return False
    value, other = Decimal(number), Decimal(shown)
    if value == 0 or other == 0:
        return False
    shift = other.adjusted() - value.adjusted()
    for power in (shift - 1, shift, shift + 1):
        if power % 3 and power % 4:  # thousand, million; 万, 亿
            continue
        step = Decimal(1).scaleb(other.as_tuple().exponent)  # type: ignore[arg-type]
        if abs(value.scaleb(power) - other) <= step / 2:
            return True
    return False


class Words(NamedTuple):
    """The comparable content of a text."""

    text: str  # folded
    squeezed: str  # folded, all spaces out: Chinese is compared in this
    words: frozenset[str]
    numbers: frozenset[str]

    @property
    def content(self) -> frozenset[str]:
        """Words and numbers together; Chinese as pairs of characters."""
        return self.words | self.numbers


@lru_cache(maxsize=20_000)
def words_of(text: str) -> Words:
    """Return the comparable content of a text; the last 20,000 texts are remembered."""
    folded = fold(text)
    squeezed = folded.replace(" ", "")
    words = frozenset(chain.from_iterable(map(_parts, _WORD.findall(folded))))
    return Words(folded, squeezed, words, frozenset(numbers_in(folded)))


@lru_cache(maxsize=50_000)
def _parts(word: str) -> tuple[str, ...]:
    """Return what a word is compared by: itself in the singular, Chinese as pairs of characters."""
    if has_chinese(word):
        return tuple(word[i : i + 2] for i in range(max(1, len(word) - 1)))
    return (_singular(word),)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def years_in(text: str) -> tuple[str, ...]:
    """Return the four-digit years in a text."""
    return tuple(_YEAR.findall(text))


def says(where: Words, label: str, least: float = 0.8) -> bool:
    """Return whether a label can be read in a text.

    A label with a year ("Year Ended December 31, 2021") is there when its years are: columns are headed in many
    ways. Of any other label, at least this share of the words that tell something must be there.
    """
    years = years_in(label)
    if years:
        return all(year in where.text for year in years)
    wanted = words_of(label)
    if has_chinese(label) and wanted.squeezed in where.squeezed:
        return True
    telling = wanted.words - COMMON_WORDS or wanted.words
    if not telling:
        return bool(wanted.numbers) and wanted.numbers <= where.numbers
    return len(telling & where.words) >= least * len(telling)


def comparable(text: str) -> str:
    """Return a question's or an answer's words in order, without case, punctuation and spacing."""
    return " ".join(_WORD.findall(fold(text)))
