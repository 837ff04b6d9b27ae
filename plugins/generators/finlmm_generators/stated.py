"""What prose states of one measure: two or more values with their periods or groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from finlmm_core.domain import Box
from finlmm_core.quantities import Number, Period, find_numbers, find_periods, parse_period

#: Of what the values are: periods, groups of people, answers that people give, parts of a whole.
Kind = Literal["period", "group", "answer", "share"]

#: Where numbers and periods stand in a marked sentence: one private character each, so that patterns stay short.
PERIOD_MARKS = "\ue000-\ue1ff"
NUMBER_MARKS = "\ue200-\ue3ff"


@dataclass(frozen=True)
class Value:
    """One stated value: the number as printed, and which period or group it is of."""

    number: Number
    label: str  # as a question says it: 'the three months ended June 30, 2022', 'Republicans'
    period: Period | None = None  # None for a group

    @property
    def key(self) -> str:
        """What tells this value from the statement's others."""
        return self.period.key if self.period else self.label.casefold()


@dataclass(frozen=True)
class Statement:
    """One measure with its values, periods earliest first, groups as printed."""

    # A noun phrase: 'Net revenues'; of groups a clause: 'say there are plenty of jobs available'; of answers who gave
    # them: 'all respondents'.
    measure: str
    kind: Kind
    values: tuple[Value, ...]
    sentence: str
    paragraph: str
    page: int
    box: Box
    movements: tuple[Number, ...] = ()  # the rates and changes that the sentence states itself
    direction: int = 0  # 1 where the sentence says that it rose, -1 that it fell, 0 where it does not say


class Reading(NamedTuple):
    """What a grammar reads in a sentence, before it is known where the sentence stands; or why it was left out."""

    measure: str
    kind: Kind
    values: tuple[Value, ...]
    movements: tuple[Number, ...] = ()
    direction: int = 0


class Unread(NamedTuple):
    """A sentence that states values but is not safe to ask about."""

    reason: str
    detail: str


class Marked(NamedTuple):
    """A sentence whose numbers and periods are one character each."""

    text: str
    numbers: tuple[Number, ...]
    periods: tuple[Period, ...]

    def number(self, mark: str) -> Number:
        """Return the number that a mark stands for."""
        return self.numbers[ord(mark) - 0xE200]

    def period(self, mark: str) -> Period:
        """Return the period that a mark stands for."""
        return self.periods[ord(mark) - 0xE000]


def mark(sentence: str) -> Marked:
    """Return the sentence with every period and every other number replaced by its mark."""
    periods = find_periods(sentence)[:400]
    numbers = [
        number
        for number in map(_unenclosed, find_numbers(sentence))
        if not any(period.start < number.end and number.start < period.end for period in periods)
    ][:400]
    spans = [(period.start, period.end, chr(0xE000 + i)) for i, period in enumerate(periods)]
    spans += [(number.start, number.end, chr(0xE200 + i)) for i, number in enumerate(numbers)]
    text, last = [], 0
    for start, end, character in sorted(spans):
        text += [sentence[last:start], character]
        last = end
    return Marked("".join(text) + sentence[last:], tuple(numbers), tuple(periods))


def _unenclosed(number: Number) -> Number:
    """Return the number without the parentheses around it: in prose '(48%)' only adds, it does not negate."""
    inner = re.fullmatch(r"([(（]\s*)(.*?)\s*[)）]", number.text)
    if inner is None or not (inside := find_numbers(inner.group(2))):
        return number
    start = number.start + len(inner.group(1))
    return inside[0]._replace(start=start + inside[0].start, end=start + inside[0].end)


def completed(periods: Sequence[Period]) -> list[Period] | None:
    """Return listed periods with what they leave out: 'three months ended June 30, 2023 and 2022' names two quarters.

    None where the periods of the list are not of one kind.
    """
    whole = next((period for period in periods if not re.fullmatch(r"(?:19|20)\d\d", period.text.strip())), None)
    result = []
    for period in periods:
        if whole is not None and re.fullmatch(r"(?:19|20)\d\d", period.text.strip()):
            text = re.sub(r"(?:19|20)\d\d(?!.*(?:19|20)\d\d)", period.text.strip(), whole.text)
            full = parse_period(text)
            if full is None:
                return None
            period = full._replace(text=text)
        result.append(period)
    return result if len({period.kind for period in result}) == 1 else None


def same_units(numbers: Sequence[Number]) -> bool:
    """Whether the numbers can be set against each other as they are printed."""
    currencies = {number.currency for number in numbers} - {None}
    return len(currencies) <= 1 and len({(number.scale, number.unit) for number in numbers}) == 1


def exactly(number: Number) -> tuple[Decimal, Decimal]:
    """Return the least and the largest value that is printed so."""
    half = Decimal(1).scaleb(-number.decimals) / 2
    return number.value - half, number.value + half
