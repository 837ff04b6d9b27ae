"""Is the thinking long enough, and not too long?"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from finlmm_core import FinlmmError, PluginOptions, Reward, RewardContext, Sample, Score
from finlmm_core.answers import read_tags
from finlmm_core.rewards.pieces import printed, visible
from finlmm_core.rewards.services import RewardServices

_FIRST_THINKING = re.compile(r"<think>(.*?)</think>", re.DOTALL)
#: Ends of sentences; a point before a digit is none.
_SENTENCE = re.compile(r"[.!?。！？；;\n]+(?!\d)")


class ThinkingLengthOptions(PluginOptions):
    """Options of the reward 'thinking_length'."""

    unit: Literal["characters", "tokens"] = Field(default="characters", description="what the lengths are counted in")
    too_short: int = Field(default=300, ge=1, description="L1: from 0 to here the score rises as a root, to 0.6")
    best_from: int = Field(default=450, ge=1, description="L2: from L1 to here it rises linearly to 1")
    best_to: int = Field(default=600, ge=1, description="L3: up to here it is 1")
    over: Literal["release", "penalised"] = Field(
        default="penalised",
        description="beyond L3: 'release' falls to 0.9 and no further; 'penalised' falls linearly to 0 at zero_at",
    )
    zero_at: int | None = Field(
        default=None,
        ge=1,
        description="of 'penalised': the length that earns nothing any more; 3 times L3 if not given",
    )
    fresh_only: bool = Field(
        default=True,
        description="what cannot be seen (zero-width characters, runs of spaces), sentences that were said before and "
        "sentences copied from the prompt do not count up to L3; too long is measured with everything",
    )

    @model_validator(mode="after")
    def _rising(self) -> ThinkingLengthOptions:
        lengths = [self.too_short, self.best_from, self.best_to, self.end]
        if not all(first < second for first, second in pairwise(lengths)):
            raise ValueError(f"expected too_short < best_from < best_to < zero_at, got {lengths}")
        return self

    @property
    def end(self) -> int:
        """The length from which 'penalised' gives 0."""
        return self.zero_at if self.zero_at is not None else 3 * self.best_to


class ThinkingLength(Reward):
    """Rises with the length n of the thinking to 1 between L2 and L3, and falls beyond.

    The curve is the release's: 0 for n = 0; ``0.6 sqrt(n / L1)`` below L1; linear from 0.6 to 1 between L1 and L2; 1 up
    to L3; then, with ``over = "release"``, ``max(0.9, 1 - 0.1 (n - L3) / L3)``, and with ``over = "penalised"`` linear
    from 1 to 0 at ``zero_at``. A completion without a closed thinking has n = 0.

    Parts: ``length`` (n), ``fresh`` (what of it counts towards L3).
    """

    name = "thinking_length"
    Options = ThinkingLengthOptions
    options: ThinkingLengthOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self._count_tokens: Callable[[str], int] | None = None

    def prepare(self, services: RewardServices) -> None:
        """Take the policy's token counter."""
        self._count_tokens = services.count_tokens

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return the score of each completion.

        Raises:
            FinlmmError: lengths are in tokens, and there is neither a tokenizer nor the completion's tokens.
        """
        return [self._score(context) for context in batch]

    def _score(self, context: RewardContext) -> Score:
        if self.options.fresh_only:
            thinking = read_tags(context.completion).think or ""
        else:  # the release's: whatever stands first between the tags
            found = _FIRST_THINKING.search(context.completion)
            thinking = found[1].strip() if found else ""
        if not thinking:
            return _NO_THINKING
        length = self._length(thinking, context)
        fresh = float(length)
        if self.options.fresh_only:
            fresh = length * min(1.0, _fresh(thinking, context.sample) / len(thinking))
        value = self.rises(fresh) * self.falls(length)
        return Score(value=value, parts={"length": float(length), "fresh": fresh})

    def rises(self, length: float) -> float:
        """Return the curve up to L3: 0 to 1."""
        short, best = self.options.too_short, self.options.best_from
        if length <= 0:
            return 0.0
        if length < short:
            return 0.6 * math.sqrt(length / short)
        return min(1.0, 0.6 + 0.4 * (length - short) / (best - short))

    def falls(self, length: float) -> float:
        """Return what is left of the score beyond L3: 1 up to there."""
        beyond = length - self.options.best_to
        if beyond <= 0:
            return 1.0
        if self.options.over == "release":
            return max(0.9, 1 - 0.1 * beyond / self.options.best_to)
        return max(0.0, 1 - beyond / (self.options.end - self.options.best_to))

    def _length(self, thinking: str, context: RewardContext) -> int:
        if self.options.unit == "characters":
            return len(thinking)
        if self._count_tokens is not None:
            return self._count_tokens(thinking)
        if context.token_ids:  # the thinking's share of the completion's tokens
            return round(len(context.token_ids) * len(thinking) / max(len(context.completion), 1))
        raise FinlmmError(
            "the reward 'thinking_length' counts tokens, and there is neither a tokenizer nor the completion's tokens.",
            hint='Use unit = "characters" here.',
        )


_NO_THINKING = Score(value=0.0, parts={"length": 0.0, "fresh": 0.0}, reason="no_thinking")


#: Shorter sentences may stand in the prompt by chance: names, numbers.
_SHORT = 20


def _fresh(thinking: str, sample: Sample) -> int:
    """Return the characters of sentences that can be seen, were not said before, and do not stand in the prompt."""
    prompt = _prompt(sample.question, sample.options, sample.context)
    seen: set[str] = set()
    characters = 0
    for sentence in _SENTENCE.split(printed(thinking).casefold()):
        plain = " ".join(sentence.split())
        if plain and plain not in seen and (len(plain) < _SHORT or plain not in prompt):
            characters += len(plain) + 2  # with the end of the sentence and the space behind
        seen.add(plain)
    return characters


@lru_cache(maxsize=1024)
def _prompt(question: str, options: tuple[str, ...], context: str) -> str:
    return "\n".join(visible(text).casefold() for text in (question, *options, context))
