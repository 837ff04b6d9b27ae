"""Chance that depends on nothing but its name: the same on every machine, Python version and hash seed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


def _fraction(name: bytes) -> float:
    """Return a number in [0, 1) that a name decides."""
    return int.from_bytes(sha256(name).digest()[:8], "big") / 2**64


def unit(*name: object) -> float:
    """Return a number in [0, 1) that the parts of the name decide (SHA-256, so near names are unrelated)."""
    return _fraction("\x1f".join(map(str, name)).encode())


class Chance:
    """A stream of chance numbers under a name, such as the seed and a question's id."""

    def __init__(self, *name: object) -> None:
        self._name = "\x1f".join((*map(str, name), "")).encode()
        self._drawn = 0

    def uniform(self) -> float:
        """Return the next number in [0, 1)."""
        self._drawn += 1
        return _fraction(self._name + b"%d" % self._drawn)  # unit(*name, drawn), its name put together once

    def below(self, count: int) -> int:
        """Return the next whole number in 0..count-1."""
        return int(self.uniform() * count)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in chance order (Fisher and Yates)."""
        listed = list(items)
        for last in range(len(listed) - 1, 0, -1):
            other = self.below(last + 1)
            listed[last], listed[other] = listed[other], listed[last]
        return listed

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Return up to count different items in chance order, without looking at all of a long sequence."""
        if len(items) <= 4 * count:
            return self.shuffled(items)[:count]
        chosen: dict[int, None] = {}
        while len(chosen) < count:
            chosen.setdefault(self.below(len(items)))
        return [items[index] for index in chosen]


class Deck:
    """Deals 0..size-1 evenly: every run of ``size`` deals holds each number once, in chance order."""

    def __init__(self, size: int, *name: object) -> None:
        self.size = size
        self._name = name
        self._block = 0
        self._left: list[int] = []

    def deal(self) -> int:
        """Return the next number."""
        if not self._left:
            self._left = Chance(*self._name, self._block).shuffled(range(self.size))
            self._block += 1
        return self._left.pop()
