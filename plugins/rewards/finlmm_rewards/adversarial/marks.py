"""What a calculator and a search can check of a thinking, written into it as marks for who reads it.

A small encoder cannot calculate, nor look up forty numbers in a table; both are done for it here. Marks say nothing of
the answer: they are set after it was hidden, and what is hidden is neither worked nor looked up.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from finlmm_core.domain import Sample
from finlmm_core.quantities import ProgramError, evaluate_program, find_numbers, normalise_characters

#: Behind a calculation: it holds as rounded, or does not. Behind a number: it was not read before.
HOLDS, FAILS, UNREAD = "[RIGHT]", "[WRONG]", "[UNREAD]"

_NUMBER = r"[-−]?[$¥€£]?\(?[$¥€£]?\d[\d,]*(?:\.\d+)?%?\)?"
_CALCULATION = re.compile(
    rf"(?<![\d.,\w^])(?<!\^\()"
    rf"(?P<left>[(\s]{{0,4}}{_NUMBER}(?:[ ]?[-+−–*/×÷·^][ ]?[(]{{0,2}}{_NUMBER}[)]{{0,2}}){{1,11}})"
    r"[ ]*(?P<relation>=|≈|≃|＝)[ ]*"
    r"(?P<right>\[MASK\]|[-−]?[$¥€£]?\d[\d,]*(?:\.\d+)?)(?P<percent>[ ]?%)?(?![\d\w]|[ ]?[*/×÷])"
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")  # also where letters are glued to it, as in 2024A
_OPERATORS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**"})
_SIGNS = re.compile(r"[$¥€£,\s]")


def marked(thinking: str, sample: Sample) -> str:
    """Return the thinking with marks.

    * Behind each calculation that can be worked again: ``396 - 366 = 30 [RIGHT]``. What is rounded as printed holds too
      (``30 / 366 = 0.082``, ``30 / 366 = 8.2%``).
    * Behind a number in a calculation that stands neither in the question nor in the thinking before it, other than 100
      and whole numbers to 12: ``[UNREAD]``.
    * Behind a year that is in neither question nor context, and, where the sample has a context, behind any other
      number that is in neither: ``[UNREAD]``.
    """
    plain = normalise_characters(thinking)
    calculations = list(_CALCULATION.finditer(plain))
    asked, printed = _numbers_of(sample.question), _numbers_of(sample.context)
    seen = set(asked)
    marks: list[tuple[int, str]] = []
    following = 0
    for number in find_numbers(thinking):
        size = abs(number.value)
        while following < len(calculations) and calculations[following].end() <= number.start:
            following += 1
        inside = following < len(calculations) and calculations[following].start() <= number.start
        if inside and number.start < calculations[following].start("right"):
            whole = number.decimals == 0 and (size <= 12 or size == 100)
            if size not in seen and not whole:
                marks.append((number.end, UNREAD))
            continue
        seen.add(size)
        if inside or (number.decimals == 0 and size <= 12):
            continue  # a result, or a number too small to be missed
        year = number.text.isdigit() and 1900 <= size <= 2100
        if (year or sample.context) and size not in asked and size not in printed:
            marks.append((number.end, UNREAD))
    for match in calculations:
        holds = _holds(match["left"], match["right"], bool(match["percent"]))
        if holds is not None:
            marks.append((match.end(), HOLDS if holds else FAILS))
    pieces: list[str] = []
    reached = 0
    for place, mark in sorted(marks):
        pieces += [thinking[reached:place], f" {mark}"]
        reached = place
    return "".join([*pieces, thinking[reached:]])


@lru_cache(maxsize=4096)
def _numbers_of(text: str) -> frozenset[Decimal]:
    numbers = {abs(number.value) for number in find_numbers(text)}
    return frozenset(numbers | {Decimal(year) for year in _YEAR.findall(text)})


def _holds(left: str, right: str, percent: bool) -> bool | None:
    """Whether the left side is the right side as rounded there; None where it cannot be computed."""
    if right.startswith("["):
        return None
    expression = _SIGNS.sub("", left).translate(_OPERATORS).replace("%", "" if percent else "/100")
    while expression.count("(") > expression.count(")") and expression.startswith("("):
        expression = expression[1:]
    try:
        value = evaluate_program(re.sub(r"(?<![\d.])0+(?=\d)", "", expression), {})
    except ProgramError:
        return None
    written = Decimal(_SIGNS.sub("", right).replace("−", "-"))
    exponent = written.as_tuple().exponent
    half = Decimal(5).scaleb(int(exponent) - 1) * Decimal("1.0001")
    forms = (value, value * 100) if percent or "%" in left else (value,)
    return any(abs(form - written) <= half for form in forms)
