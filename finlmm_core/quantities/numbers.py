"""Numbers as reports print them."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


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


def parse_number(text: str) -> Number | None:
    """Read a string that is one number and nothing else, such as a table cell; None where it is not.

    A dash alone (``-``, ``—``, ``–``, ``nil``) is not a number; ``(12.3)``, ``-12.3``, ``−12.3`` and ``△12.3`` are
    negative.
    """
    raise NotImplementedError


def find_numbers(text: str) -> list[Number]:
    """Return all numbers in running text, left to right, not overlapping (years and dates included as they stand)."""
    raise NotImplementedError
