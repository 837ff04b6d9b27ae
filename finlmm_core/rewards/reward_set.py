"""A run's rewards and their weights: scores batches, puts the total together, and keeps what learned.

The total is the paper's: ``R = sum(w_i r_i) / sum(w_i)`` over the rewards that could judge. A reward that says None
leaves both its value and its weight out, so a sample without an image to select is not punished for having none.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from finlmm_core.domain import RewardContext, Score
from finlmm_core.errors import ConfigError, FinlmmError
from finlmm_core.plugins.bases import Reward
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import WeightedPluginRef
from finlmm_core.rewards.services import RewardServices


class Scored(NamedTuple):
    """A batch's scores, in the batch's order."""

    totals: list[float | None]  # None where no reward with a weight could judge
    scores: dict[str, list[Score]]  # reward name -> its scores
    seconds: dict[str, float]  # reward name -> wall time of its score()


class RewardSet:
    """The rewards of a stage in the order of its config."""

    def __init__(self, rewards: Sequence[Reward], weights: Sequence[float]) -> None:
        names = [reward.name for reward in rewards]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise FinlmmError(
                f"a reward is listed twice: {', '.join(twice)}.", hint="List it once, with the sum of the weights."
            )
        self.rewards = tuple(rewards)
        self.weights = dict(zip(names, weights, strict=True))

    @classmethod
    def create(cls, refs: Sequence[WeightedPluginRef], plugins: Plugins, path: str = "rewards") -> RewardSet:
        """Return the rewards that a config names.

        Raises:
            ConfigError: unknown names and bad options, all at once.
        """
        problems = [
            problem
            for number, ref in enumerate(refs)
            for problem in plugins.problems("reward", ref, f"{path}[{number}]")
        ]
        if problems:
            raise ConfigError(problems)
        rewards = [cast(Reward, plugins.create("reward", ref)) for ref in refs]
        return cls(rewards, [ref.weight for ref in refs])

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [reward.name for reward in self.rewards]

    def prepare(self, services: RewardServices) -> None:
        """Hand every reward what the run offers; call it once before the first score."""
        for reward in self.rewards:
            reward.prepare(services)

    def score(self, batch: Sequence[RewardContext]) -> Scored:
        """Score a batch of whole groups with every reward.

        Raises:
            FinlmmError: a reward raised or returned something else than one Score a completion; the message names the
                reward and, where one completion alone does it too, the sample and the completion.
        """
        scores: dict[str, list[Score]] = {}
        seconds: dict[str, float] = {}
        for reward in self.rewards:
            begun = time.perf_counter()
            scores[reward.name] = _score(reward, batch)
            seconds[reward.name] = time.perf_counter() - begun
        return Scored(self.totals(scores), scores, seconds)

    def totals(self, scores: Mapping[str, Sequence[Score]]) -> list[float | None]:
        """Return the weighted mean of what could be judged, a completion each; None where nothing could."""
        weighted = [(weight, scores[name]) for name, weight in self.weights.items() if weight > 0]
        totals: list[float | None] = []
        for place in range(len(next(iter(scores.values()))) if scores else 0):
            judged = [(weight, column[place].value) for weight, column in weighted]
            known = [(weight, value) for weight, value in judged if value is not None]
            share = sum(weight for weight, _ in known)
            totals.append(sum(weight * value for weight, value in known) / share if known else None)
        return totals

    def observe(self, batch: Sequence[RewardContext], scores: Mapping[str, Sequence[Score]]) -> dict[str, float]:
        """Let the rewards that learn see a scored batch of all processes; return their metrics as 'name/metric'."""
        metrics = {}
        for reward in self.rewards:
            if reward.learns:
                for name, value in reward.observe(batch, scores).items():
                    metrics[f"{reward.name}/{name}"] = float(value)
        return metrics

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return the states of the rewards that learn, by reward name."""
        return {reward.name: reward.state_dict() for reward in self.rewards if reward.learns}

    def load_state_dict(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the states back; FinlmmError where a learning reward has none among them."""
        for reward in self.rewards:
            if reward.learns:
                if reward.name not in states:
                    raise FinlmmError(
                        f"the checkpoint has no state of the reward '{reward.name}', which learns.",
                        hint="Resume with the rewards that the run was begun with, or begin the stage anew.",
                    )
                reward.load_state_dict(states[reward.name])


def _score(reward: Reward, batch: Sequence[RewardContext]) -> list[Score]:
    try:
        scores = reward.score(batch)
    except FinlmmError:
        raise
    except Exception as error:
        raise FinlmmError(_told(reward, batch, error)) from error
    if len(scores) != len(batch):
        raise FinlmmError(f"the reward '{reward.name}' returned {len(scores)} scores for {len(batch)} completions.")
    return scores


def _told(reward: Reward, batch: Sequence[RewardContext], error: Exception) -> str:
    """Return what happened; the completion that does it is looked for one by one."""
    what = f"the reward '{reward.name}' raised {type(error).__name__}: {error}"
    for context in batch:
        try:
            reward.score([context])
        except Exception as single:  # noqa: BLE001 - whatever it is, this completion is the one to show
            return (
                f"the reward '{reward.name}' raised {type(single).__name__}: {single}\n  sample {context.sample.id}, "
                f"step {context.step}, completion {context.completion[:300]!r}"
            )
    return f"{what}\n  in a batch of {len(batch)} completions, with none of them alone"
