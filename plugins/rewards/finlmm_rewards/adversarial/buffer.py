"""The rollouts that the discriminator learns from and is measured on, kept as texts."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from finlmm_core.domain import Sample


class Example(NamedTuple):
    """One text with its label."""

    question: str
    thinking: str
    label: int  # 1: its answer was right
    kind: str  # '' for a rollout, else what was corrupted in it
    round: int  # rounds of training that were done when it came
    group: str = ""  # completions of one prompt in one step: what the policy's advantages compare


def is_held_out(sample: Sample, share: float) -> bool:
    """Whether a question's rollouts are only measured on; the same question is on one side in every run."""
    return zlib.crc32(sample.qa_id.encode()) % 10_000 < share * 10_000


class Buffer:
    """A bounded queue of examples; the oldest leave first.

    Args:
        size: examples kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.examples: list[Example] = []

    def __len__(self) -> int:
        return len(self.examples)

    def add(self, examples: Iterable[Example]) -> int:
        """Add examples; return how many old ones had to leave."""
        self.examples += examples
        gone = max(0, len(self.examples) - self.size)
        del self.examples[:gone]
        return gone

    def to_json(self) -> str:
        """Return the examples as one JSON string."""
        return json.dumps([list(example) for example in self.examples], ensure_ascii=False, separators=(",", ":"))

    def take_json(self, text: str) -> None:
        """Hold the examples of ``to_json``."""
        self.examples = [Example(*example) for example in json.loads(text)]


def draw(
    examples: Sequence[Example],
    count: int,
    random_numbers: random.Random,
    *,
    balanced: bool,
    replay: Literal["uniform", "newest"],
    half_life: float,
    round_number: int,
) -> list[int]:
    """Return the places of so many examples in the order in which they are learned from.

    Args:
        examples: what there is to draw from.
        count: how many.
        random_numbers: where chance comes from.
        balanced: right and wrong take turns, so that both are drawn as often.
        replay: 'uniform' goes through all before one comes again; 'newest' draws each time anew.
        half_life: of 'newest', in rounds.
        round_number: rounds done so far.
    """
    classes: list[list[int]] = [list(range(len(examples)))]
    if balanced:
        classes = [[place for place, example in enumerate(examples) if example.label == label] for label in (0, 1)]
        classes = [members for members in classes if members]
    shares = [count // len(classes) + (number < count % len(classes)) for number in range(len(classes))]
    drawn: list[list[int]] = []
    for members, share in zip(classes, shares, strict=True):
        if replay == "newest":
            weights = [0.5 ** ((round_number - examples[place].round) / half_life) for place in members]
            drawn.append(random_numbers.choices(members, weights, k=share))
            continue
        taken: list[int] = []
        while len(taken) < share:
            taken += random_numbers.sample(members, min(len(members), share - len(taken)))
        drawn.append(taken)
    if len(drawn) == 1:
        return drawn[0]
    return [place for turn in range(max(shares)) for taken in drawn for place in taken[turn : turn + 1]]
