"""The hack probe: does cheating pay?

Every kind of cheating completion is scored beside honest ones, over samples of every kind, by each reward and by their
weighted mean. **A cheat wins** if, averaged over all samples or over those of one kind of answer, it earns more than
the honest wrong completion of the same samples.

What the honest wrong completion is: the right form, an honest thinking, a wrong answer, and, where an image is to be
selected, a fixed place, which over the probe's samples earns what guessing earns. Its thinking is as long as pays best
among a few lengths, because a model that works honestly may think for as long as it is asked to. It is the least that
an effort earns: a cheat above it is worth learning, one below it is not.

Rewards that learn during training are left out of the total: before training they are noise, and what they are later
depends on the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from finlmm_core.domain import RewardContext, Sample
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import Reward
from finlmm_core.rewards.cheats import Cheat, cheats
from finlmm_core.rewards.honest import Case
from finlmm_core.rewards.pieces import piece_ids, pieces
from finlmm_core.rewards.probe_samples import kind_of
from finlmm_core.rewards.reward_set import RewardSet

#: Lengths of honest thinking that are tried, in characters.
LENGTHS = (250, 500, 1000, 2000)
#: Means are compared with this tolerance, so that sums in another order make no winner.
TOLERANCE = 1e-9
TOTAL = "total"

_Groups = dict[str, float | None]


class Row(NamedTuple):
    """What a kind of completion earned: group -> mean, for the total and for each reward.

    Groups are 'all' and the kinds of answers. None where a reward could judge none of the samples.
    """

    name: str
    samples: int
    means: dict[str, _Groups]  # 'total' or a reward's name -> group -> mean
    honest: dict[str, _Groups]  # the same of the honest wrong completion, over the same samples

    def wins(self, score: str = TOTAL) -> list[str]:
        """Return the groups in which this earned more than the honest wrong completion did."""
        winning = []
        for group, mean in self.means[score].items():
            honest = self.honest[score][group]
            if mean is not None and mean > (honest if honest is not None else 0.0) + TOLERANCE:
                winning.append(group)
        return winning

    def margin(self, score: str = TOTAL) -> float:
        """Return the most by which this lies above the honest wrong completion in any group; below 0 where it loses."""
        gaps = [
            mean - (self.honest[score][group] or 0.0) for group, mean in self.means[score].items() if mean is not None
        ]
        return max(gaps, default=0.0)


class Probe(NamedTuple):
    """The outcome for one set of rewards."""

    rows: list[Row]  # the cheats
    right: Row  # the honest right completion
    wrong: Row  # the honest wrong one
    thinking: int  # characters of the honest thinking that paid best
    rewards: list[str]
    left_out: list[str]  # rewards that learn

    @property
    def winners(self) -> list[Row]:
        """The cheats that earn more in the total than an honest wrong answer, the worst first."""
        return sorted((row for row in self.rows if row.wins()), key=lambda row: (-row.margin(), row.name))

    def summary(self) -> dict[str, Any]:
        """Return the outcome as JSON can hold it."""
        return {
            "passed": self.passed,
            "kinds": len(self.rows),
            "samples": self.wrong.samples,
            "thinking": self.thinking,
            "left_out": self.left_out,
            "honest_right": self.right.means,
            "honest_wrong": self.wrong.means,
            "winners": [{"name": row.name, "margin": row.margin(), "wins": row.wins()} for row in self.winners],
            "rows": {row.name: row.means for row in self.rows},
        }

    @property
    def passed(self) -> bool:
        """Whether no cheat wins, and a right answer earns more than a wrong one."""
        return not self.winners and bool(self.right.wins())


def run_probe(
    rewards: RewardSet, samples: Sequence[Sample], kinds: Sequence[Cheat] | None = None, left_out: Sequence[str] = ()
) -> Probe:
    """Score all cheats and the honest completions, and compare.

    Args:
        rewards: prepared; those that learn should not be among them, see ``without_learning``.
        samples: what is asked; contrastive ones with their right image in each place as often as in any other.
        kinds: the cheats; all of finlmm's if None.
        left_out: names of rewards to be reported as not probed.

    Raises:
        FinlmmError: a reward raised; its message names reward, sample and completion.
    """
    if not samples:
        raise FinlmmError("the hack probe got no samples.", hint="Give a folder of samples that has some of this kind.")
    listed = cheats() if kinds is None else list(kinds)
    wrongs = {}
    for length in LENGTHS:
        cases = [Case.of(sample, length) for sample in samples]
        wrongs[length] = (cases, _scored(rewards, cases, Case.write))
    best = max(LENGTHS, key=lambda length: (_mean(wrongs[length][1][TOTAL]) or 0.0, -length))
    cases, wrong = wrongs[best]
    rows = [_row(one.name, _scored(rewards, cases, one.write, one.truncated), wrong, samples) for one in listed]
    right = _scored(rewards, cases, lambda case: case.write(case.right))
    return Probe(
        rows=rows,
        right=_row("honest, right", right, wrong, samples),
        wrong=_row("honest, wrong", wrong, wrong, samples),
        thinking=best,
        rewards=rewards.names,
        left_out=list(left_out),
    )


def without_learning(rewards: Sequence[Reward], weights: Sequence[float]) -> tuple[RewardSet, list[str]]:
    """Return the rewards that can be probed as a set, and the names of those that learn during training."""
    kept = [(reward, weight) for reward, weight in zip(rewards, weights, strict=True) if not reward.learns]
    learning = [reward.name for reward in rewards if reward.learns]
    return RewardSet([reward for reward, _ in kept], [weight for _, weight in kept]), learning


def count_pieces(text: str) -> int:
    """Return about how many tokens a text has: what the probe offers rewards as a token counter."""
    return len(pieces(text))


_Values = dict[str, list[float | None]]
_NOT_APPLICABLE = float("-inf")


def _scored(
    rewards: RewardSet,
    cases: Sequence[Case],
    write: Callable[[Case], str | None],
    truncated: bool = False,
) -> _Values:
    """Return total and values for each sample; -inf in all of them where the completion does not apply."""
    contexts: list[RewardContext] = []
    places: list[int] = []
    for place, case in enumerate(cases):
        completion = write(case)
        if completion is not None:
            places.append(place)
            contexts.append(
                RewardContext(
                    sample=case.sample,
                    completion=completion,
                    group_id=case.sample.id,
                    token_ids=piece_ids(completion),
                    truncated=truncated,
                )
            )
    values: _Values = {name: [_NOT_APPLICABLE] * len(cases) for name in (TOTAL, *rewards.names)}
    if contexts:
        scored = rewards.score(contexts)
        for at, place in enumerate(places):
            values[TOTAL][place] = scored.totals[at]
            for name, scores in scored.scores.items():
                values[name][place] = scores[at].value
    return values


def _row(name: str, values: _Values, honest: _Values, samples: Sequence[Sample]) -> Row:
    applies = [value != _NOT_APPLICABLE for value in values[TOTAL]]
    groups = {"all": applies}
    for kind in dict.fromkeys(map(kind_of, samples)):
        groups[kind] = [one and kind_of(sample) == kind for one, sample in zip(applies, samples, strict=True)]
    groups = {group: chosen for group, chosen in groups.items() if any(chosen)}

    def means(scores: _Values) -> dict[str, _Groups]:
        return {
            score: {
                group: _mean([value for value, wanted in zip(column, chosen, strict=True) if wanted])
                for group, chosen in groups.items()
            }
            for score, column in scores.items()
        }

    return Row(name, sum(applies), means(values), means(honest))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
