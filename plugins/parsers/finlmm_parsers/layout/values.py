"""Which printed tokens are table values, and how loose signs around a number become one cell."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from finlmm_parsers.layout.text import join_words
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import Word

_SIGN = r"(?:US|HK|C|A|R|NZ|S)?[$€£¥₩₹￥]|RMB|CNY|USD|EUR|GBP|HKD|Rs\.?"
_NUMBER = re.compile(
    rf"^[(\[<~≈+\-−–—*△▲▼]{{0,2}}(?:{_SIGN})?[(\-−–—]?"
    r"(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?\d*"
    r"(?:%|‰|x|X|×|bps|bp|pp|pts?|[mMbBkK]n?|p|¢|c|倍|元|亿|万|亿元|万元|年|天|个|家|[AEF])?[)\]]?"
    r"(?:%|x)?[*†‡§]{0,3}(?:\(\w{1,2}\)|\[\w{1,2}\])?\)?$"
)
# a range of years, attendance "5/6", a date "31/12/2021"
_FRACTION = re.compile(r"^(?:19|20)\d\d[-–](?:19|20)\d\d$|^\d{1,4}(?:/\d{1,4}){1,2}[*†‡§\d]{0,2}$")
_DASH = re.compile(r"^[$€£¥]?[-−–—‐―－]{1,3}[%)]?$")
_WORDS = re.compile(r"^(?:\(?n/?[am]\.?\)?|n\.m\.?|nmf?|nil|not meaningful|[√✓✔●○◯×☑☒✗]|\*{1,3}|--+)$", re.IGNORECASE)
_CURRENCY = re.compile(rf"^\(?(?:{_SIGN})\(?$")
_AFTER = re.compile(r"^(?:%|\)|\)%|%\)|‰|pts?\.?|bps|pp|x|[*†‡§]{1,3}|\(\w\)|[)\]]+)$")
_MEASURES = frozenset(("%", "‰", "bps", "pp", "pts", "pts."))
_LEADER = re.compile(r"^(?:[.·•…_]{3,}|[.…][.…\s]*)$")
_YEAR = re.compile(
    r"^(?:(?:FY|CY)?(?:19|20)\d\d(?:年(?:度|末|底)?|[AEFaef])?|['’]\d\d[AEF]?|FY\d\d[AEF]?|[1-4]Q\d\d[AEF]?|Q[1-4]|[12]H\d\d[AEF]?"
    r"|(?:19|20)\d\dH[12]|(?:19|20)\d\dQ[1-4])$"
)
#: How many tokens' kinds are remembered: signs, dashes, years and small numbers come again on every page.
_TOKENS_KNOWN = 20_000


class Value(NamedTuple):
    """One value cell: its words left to right (sign, number, percent sign)."""

    x0: float
    x1: float
    words: tuple[Word, ...]
    year: bool  # a period such as 2021, 2024E or FY19, which may be a heading
    edge: float  # right edge of the digits: percent signs and closing parentheses often hang out of the column


@functools.lru_cache(maxsize=_TOKENS_KNOWN)
def is_number(text: str) -> bool:
    """Tell whether a token is a number with its signs, a dash for nothing, or a mark that fills a cell."""
    first = text[0]
    if first.isalpha() and first not in "RUHCGENnFA":
        return False
    if len(text) > 24:
        return False
    if any(c in "0123456789" for c in text):
        if "/" in text or (len(text) == 9 and text[4] in "-–"):
            return _FRACTION.match(text) is not None
        return _NUMBER.match(text) is not None
    return _DASH.match(text) is not None or _WORDS.match(text) is not None


@functools.lru_cache(maxsize=_TOKENS_KNOWN)
def is_year(text: str) -> bool:
    """Tell whether a token names a period in one word, or a change between two ("21/20")."""
    if len(text) == 5 and text[2] == "/" and text[:2].isdigit() and text[3:].isdigit():
        return abs(int(text[:2]) - int(text[3:])) == 1
    return _YEAR.match(text) is not None


def is_leader(text: str) -> bool:
    """Tell whether a token is nothing but the dots between a label and its value."""
    return _LEADER.match(text) is not None


def has_leader(text: str) -> bool:
    """Tell whether dots lead through a line to a cell, as they never do in running text."""
    return "..." in text or (not text.isascii() and ("……" in text or "···" in text))


def row_values(lines: list[Line]) -> tuple[list[Value], list[Line]]:
    """Part the lines of one printed row into value cells and text lines.

    A line is a run of values when every token in it is one; a currency sign or opening parenthesis that stands alone
    goes with the number after it, a percent sign or closing parenthesis with the number before it.
    """
    values: list[Value] = []
    texts: list[Line] = []
    before: list[Word] = []  # currency and parentheses waiting for their number
    for position, line in enumerate(lines):
        words = line.words
        kinds = _kinds(words)
        if kinds is not None and position == 0 and len(lines) > 1 and _is_marker(words, lines[1]):
            kinds = None  # the number of a note or list item, or a rank, belongs to its text
        if kinds == ["A"] and words[0].text in _MEASURES and _stands_apart(words[0], values):
            kinds = None  # far from any number it is a heading of its own
        if kinds is None:
            texts.append(line)
            before = []
            continue
        for word, kind in zip(words, kinds, strict=True):
            if kind == "C":
                before = [*before, word] if before and word.x0 - before[-1].x1 < 2 * word.size else [word]
            elif kind == "A":
                last = values[-1] if values else None
                if last is not None and word.x0 - last.x1 < 2.5 * word.size:
                    year = last.year and word.text[-1] in "*†‡§)"  # a footnote mark leaves a period what it is
                    values[-1] = Value(last.x0, max(last.x1, word.x1), (*last.words, word), year, last.edge)
            elif kind == "V":
                cell = (*before, word)
                values.append(Value(cell[0].x0, word.x1, cell, not before and is_year(word.text), _edge(word)))
                before = []
    return values, texts


def _stands_apart(word: Word, values: list[Value]) -> bool:
    return not values or word.x0 - values[-1].x1 >= 2.5 * word.size


def part_lines(lines: list[Line]) -> list[Line]:
    """Part what follows the dots after a label, and in rows with other numbers a number from a text close to it."""
    if all(len(line.words) == 1 for line in lines):
        return lines
    if any(has_leader(line.text) for line in lines):
        lines = [part for line in lines for part in _after_leader(line)]
    parted: list[Line] = []
    known = [_kinds(line.words) is not None for line in lines]
    if not any(known):
        return lines
    for line, pure in zip(lines, known, strict=True):
        words = line.words
        if pure or len(words) == 1 or len(words) > 30:
            parted.append(line)
            continue
        start = 0
        for i in range(1, len(words)):
            if words[i].x0 - words[i - 1].x1 > 0.5 * line.size and _is_plain(words[i - 1]) != _is_plain(words[i]):
                parted.append(Line(words[start:i], line.row, join_words(words[start:i])))
                start = i
        parted.append(Line(words[start:], line.row, join_words(words[start:])) if start else line)
    return parted


def _after_leader(line: Line) -> list[Line]:
    """Part a line after the dots that lead from its label to the next cell, however close that stands."""
    words = line.words
    for i in range(1, len(words) - 1):
        if words[i].text[-1] in ".·…_" and len(words[i].text) > 2 and is_leader(words[i].text):
            rest = words[i + 1 :]
            return [Line(words[: i + 1], line.row, join_words(words[: i + 1])), Line(rest, line.row, join_words(rest))]
    return [line]


def _is_plain(word: Word) -> bool:
    return (word.text[-1] in "0123456789%)" and is_number(word.text)) or is_year(word.text)


def _edge(word: Word) -> float:
    """Return where the digits of a word end, its characters taken as equally wide."""
    text = word.text
    core = text.rstrip("%)‰*†‡§")
    if not core or len(core) == len(text):
        return word.x1
    return word.x1 - (word.x1 - word.x0) * (len(text) - len(core)) / len(text)


def _is_marker(words: list[Word], following: Line) -> bool:
    """Tell whether the first cell of a row is a mark or number in front of a text rather than a value."""
    return len(words) == 1 and following.words[0].text[0].isalpha() and _kinds(following.words) is None


def _kinds(words: list[Word]) -> list[str] | None:
    """Return for each token V (value), C (sign before), A (sign after), or None where one is plain text."""
    kinds: list[str] = []
    if len(words) == 3 and is_year(words[0].text) and is_year(words[2].text) and _DASH.match(words[1].text):
        return None  # "2022 - 2026" is a label
    for word in words:
        closing, alone = _token_kind(word[0])
        if closing and kinds and kinds[-1] in "VA":
            kinds.append("A")
        elif alone is None:
            return None
        else:
            kinds.append(alone)
    return kinds


@functools.lru_cache(maxsize=_TOKENS_KNOWN)
def _token_kind(text: str) -> tuple[bool, str | None]:
    """Tell whether a token may be a sign after a value, and its kind where no value stands before it."""
    first = text[0]
    if first.isalpha() and not first.isdigit() and first not in "RUHCGENnFAQxpb√":
        return False, None
    if _CURRENCY.match(text) or text in "([":
        return False, "C"
    closing = _AFTER.match(text) is not None
    if is_number(text) or is_year(text):
        return closing, "V"
    if closing:
        return True, "A"
    return False, "L" if is_leader(text) else None
