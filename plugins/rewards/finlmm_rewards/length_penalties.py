"""TRL's own penalties of repetition and of length, as rewards between 0 and 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field, model_validator

from finlmm_core import MissingExtraError, PluginOptions, Reward, RewardContext, Score
from finlmm_core.rewards.pieces import piece_ids
from finlmm_core.rewards.services import RewardServices


class RepetitionOptions(PluginOptions):
    """Options of the reward 'repetition'."""

    ngram: int = Field(default=4, ge=1, description="tokens of an n-gram")
    allowed: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="share of repeated n-grams that costs nothing: prose about figures repeats names and phrases",
    )


class Repetition(Reward):
    """1 where few n-grams of tokens stand twice, falling to 0 where all are the same.

    TRL's repetition penalty is ``p = -(1 - unique / total)``, from 0 to -1 (Yeo et al., "Demystifying Long
    Chain-of-Thought Reasoning", appendix C.2). The value is ``min(1, (1 + p) / (1 - allowed))``: TRL's range moved to
    0..1, with a share that costs nothing, so that a text without any repetition earns no more than an ordinary one.
    Tokens are the completion's where they are known, else pieces of about their length. A completion without tokens
    earns 0.

    Parts: ``repeated``, the share of n-grams that stood before.
    """

    name = "repetition"
    Options = RepetitionOptions
    options: RepetitionOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self._penalty: Callable[..., list[float]] | None = None

    def check(self) -> None:
        """Refuse to work without TRL."""
        _trl("repetition")

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return the score of each completion."""
        if self._penalty is None:
            self._penalty = _trl("repetition").get_repetition_penalty_reward(self.options.ngram, max_penalty=-1.0)
        tokens = [context.token_ids or piece_ids(context.completion) for context in batch]
        return [
            Score(value=min(1.0, (1 + penalty) / (1 - self.options.allowed)), parts={"repeated": -penalty})
            if ids
            else Score(value=0.0, parts={"repeated": 0.0}, reason="empty")
            for ids, penalty in zip(tokens, self._penalty(tokens), strict=True)
        ]


class OverlongOptions(PluginOptions):
    """Options of the reward 'overlong'."""

    max_tokens: int = Field(description="length from which the value is 0, the stage's max_completion_length")
    margin: int = Field(
        default=256, ge=1, description="tokens before max_tokens over which the value falls from 1 to 0"
    )

    @model_validator(mode="after")
    def _fits(self) -> OverlongOptions:
        if self.margin > self.max_tokens:
            raise ValueError(f"margin {self.margin} is more than max_tokens {self.max_tokens}")
        return self


class Overlong(Reward):
    """1 for completions of up to ``max_tokens - margin`` tokens, falling to 0 at ``max_tokens``, 0 beyond.

    TRL's soft overlong punishment (equation 13 of DAPO), from -1 to 0 there, plus 1. It punishes length and rewards
    none. Tokens are the completion's where they are known, else counted by the policy's tokenizer, else pieces of
    about their length.

    Parts: ``tokens``.
    """

    name = "overlong"
    Options = OverlongOptions
    options: OverlongOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self._punishment: Callable[..., list[float]] | None = None
        self._count_tokens: Callable[[str], int] | None = None

    def check(self) -> None:
        """Refuse to work without TRL."""
        _trl("overlong")

    def prepare(self, services: RewardServices) -> None:
        """Take the policy's token counter."""
        self._count_tokens = services.count_tokens

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return the score of each completion."""
        if self._punishment is None:
            trl = _trl("overlong")
            self._punishment = trl.get_soft_overlong_punishment(self.options.max_tokens, self.options.margin)
        counts = [self._tokens(context) for context in batch]
        # TRL asks for lists of tokens and looks at nothing but their length.
        punishments = self._punishment([range(count) for count in counts])
        return [
            Score(value=1.0 + punishment, parts={"tokens": float(count)})
            for count, punishment in zip(counts, punishments, strict=True)
        ]

    def _tokens(self, context: RewardContext) -> int:
        if context.token_ids:
            return len(context.token_ids)
        if self._count_tokens is not None:
            return self._count_tokens(context.completion)
        return len(piece_ids(context.completion))


def _trl(reward: str) -> Any:
    try:
        import trl.rewards
    except ImportError:
        raise MissingExtraError(f"the reward '{reward}'", "trl", "train") from None
    return trl.rewards
