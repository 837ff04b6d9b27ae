"""Years, quarters, halves, months and dates as reports print them."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Period(NamedTuple):
    """A printed period. Two ways of printing one period compare equal in ``key``."""

    key: str  # '2021', '2021-Q3', '2021-H1', '2021-09', '2021-09-30'; 'E' appended for estimates ('2025E')
    kind: Literal["year", "half", "quarter", "month", "day", "nine_months"]
    year: int
    text: str  # as printed
    start: int
    end: int
    estimate: bool = False


def parse_period(text: str) -> Period | None:
    """Return the one period that a heading names ('Year Ended December 31, 2021', 'FY21', '2021年', '3Q20', '2024E').

    None where it names none or more than one.
    """
    raise NotImplementedError


def find_periods(text: str) -> list[Period]:
    """Return all periods in running text, left to right, not overlapping."""
    raise NotImplementedError
