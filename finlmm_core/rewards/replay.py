"""Kept completions scored again: what other rewards or weights would have said of the same rollouts.

No model of the run is needed. Values of rewards that learn cannot be had again, because they depend on what they had
learned at each step: where the run had the reward, the values that it gave then are kept, else the reward is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.domain import RewardContext, Sample, Score
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import Reward
from finlmm_core.rewards.reward_set import RewardSet, Scored
from finlmm_core.rewards.rollouts import context_of, iterate_rollouts, reward_names
from finlmm_core.rewards.services import RewardServices
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.steps.sampling.rows import SampleKind

#: Added to a group's standard deviation, as TRL does.
_EPSILON = 1e-4
#: Advantages nearer to 0 than this have no sign.
_FLAT = 1e-6


class Change(NamedTuple):
    """One completion under both sets of rewards."""

    stage: str
    step: int
    sample_id: str
    question: str
    completion: str
    before: float
    after: float
    values_before: dict[str, float | None]
    values_after: dict[str, float | None]
    advantage_before: float
    advantage_after: float


class Replayed(NamedTuple):
    """What would have changed in a stage; columns are in the order of training.

    ``rank_correlation`` is Spearman's over all totals, ``rank_correlation_in_groups`` its mean over the groups where
    both totals vary; None where neither varies. ``flips`` is the share of completions whose advantage has the other
    sign, ``lost`` of those that had an advantage and would have none, ``gained`` the reverse.
    """

    stage: str
    completions: int
    groups: int
    unknown_samples: int
    before: list[float]
    after: list[float]
    means_before: dict[str, float | None]
    means_after: dict[str, float | None]
    rank_correlation: float | None
    rank_correlation_in_groups: float | None
    flips: float
    lost: float
    gained: float
    most_changed: list[Change]
    kept: list[str]  # rewards that learn, with the values of the run
    left_out: list[str]  # rewards that learn, of which the run has no values

    def summary(self) -> dict[str, Any]:
        """Return the outcome as JSON can hold it, without the columns."""
        told = self._asdict()
        del told["before"], told["after"]
        told["most_changed"] = [change._asdict() for change in self.most_changed]
        return told


def replay_stage(
    folder: Path,
    samples: Mapping[str, Sample],
    rewards: Sequence[Reward],
    weights: Sequence[float],
    services: RewardServices,
    show: int = 10,
) -> Replayed:
    """Score a stage's kept completions again.

    Args:
        folder: the stage's rollouts, ``<run>/train/<stage>/rollouts``.
        samples: the samples that the run was trained on, by id.
        rewards: in the order of their config, not prepared.
        weights: of the rewards.
        services: what the rewards get.
        show: how many of the most changed completions are returned.

    Raises:
        FinlmmError: there are no rollouts, or none of their samples is known.
    """
    fresh = [reward for reward in rewards if not reward.learns]
    learning = [reward.name for reward in rewards if reward.learns]
    totals = RewardSet(rewards, weights)
    scorer = RewardSet(fresh, [totals.weights[reward.name] for reward in fresh])
    scorer.prepare(services)
    rows: list[_Row] = []
    known_before: list[str] = []
    unknown = 0
    for table in iterate_rollouts(folder):
        known_before += [name for name in reward_names(table) if name not in known_before]
        listed = [row for row in table.to_pylist() if row["sample_id"] in samples]
        unknown += table.num_rows - len(listed)
        if listed:
            rows += _scored_again(listed, samples, scorer, totals, learning)
    if not rows:
        raise FinlmmError(
            f"there is nothing to score again in '{folder}': "
            + (f"none of {unknown} completions has a known sample." if unknown else "there are no rollouts."),
            hint="Give the folder of samples that the run was trained on with --samples." if unknown else None,
        )
    groups = _groups(rows)
    for members in groups:
        after = _advantages([row.after for row in members])
        before = _advantages([row.before for row in members])
        for row, new, old in zip(members, after, before, strict=True):
            row.advantage_after = new
            row.advantage_before = old if row.advantage_before is None else row.advantage_before
    return _compared(rows, groups, totals, known_before, learning, unknown, show)


def sample_index(folder: Path, kinds: Iterable[SampleKind] = ("text", "contrastive")) -> dict[str, Sample]:
    """Return the training samples of a run's ``samples/`` folder by id."""
    return {sample.id: sample for kind in kinds for sample in read_samples(folder, kind, "train")}


class _Row:
    """A completion under both sets."""

    __slots__ = ("advantage_after", "advantage_before", "after", "before", "context", "values_after", "values_before")

    def __init__(
        self,
        context: RewardContext,
        before: float,
        after: float,
        values: tuple[dict[str, float | None], dict[str, float | None]],
        advantage: float | None,
    ) -> None:
        self.context = context
        self.before = before
        self.after = after
        self.values_before, self.values_after = values
        self.advantage_before: float | None = advantage
        self.advantage_after = 0.0


def _scored_again(
    listed: Sequence[dict[str, Any]],
    samples: Mapping[str, Sample],
    scorer: RewardSet,
    totals: RewardSet,
    learning: Sequence[str],
) -> list[_Row]:
    contexts = [context_of(row, samples[row["sample_id"]]) for row in listed]
    scored: Scored = scorer.score(contexts)
    scores: dict[str, Sequence[Score]] = dict(scored.scores)
    for name in learning:
        scores[name] = [Score(value=row.get(f"value:{name}")) for row in listed]
    after = totals.totals(scores)
    rows = []
    for place, (row, context) in enumerate(zip(listed, contexts, strict=True)):
        before = {key.removeprefix("value:"): value for key, value in row.items() if key.startswith("value:")}
        values = {name: scores[name][place].value for name in totals.names}
        new, old = after[place], row["total"]
        if new is None or old is None:  # nothing could judge it under one of the sets
            continue
        rows.append(_Row(context, old, new, (before, values), row["advantage"]))
    return rows


def _groups(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Return the completions of each prompt in each step."""
    groups: dict[tuple[int, str], list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.context.step, row.context.group_id].append(row)
    return list(groups.values())


def _advantages(totals: Sequence[float]) -> list[float]:
    """Return GRPO's advantages within a group: distance from the mean in standard deviations."""
    mean = sum(totals) / len(totals)
    spread = (sum((total - mean) ** 2 for total in totals) / max(len(totals) - 1, 1)) ** 0.5
    return [(total - mean) / (spread + _EPSILON) if spread > _FLAT else 0.0 for total in totals]


def _compared(
    rows: Sequence[_Row],
    groups: Sequence[Sequence[_Row]],
    totals: RewardSet,
    known_before: Sequence[str],
    learning: Sequence[str],
    unknown: int,
    show: int,
) -> Replayed:
    signs = [(_sign(row.advantage_before or 0.0), _sign(row.advantage_after)) for row in rows]
    in_groups = [_spearman([row.before for row in group], [row.after for row in group]) for group in groups]
    known = [value for value in in_groups if value is not None]
    changed = sorted(rows, key=lambda row: -abs(row.after - row.before))[:show]
    before, after = [row.before for row in rows], [row.after for row in rows]
    return Replayed(
        stage=rows[0].context.stage,
        completions=len(rows),
        groups=len(groups),
        unknown_samples=unknown,
        before=before,
        after=after,
        means_before={"total": _mean(before)}
        | {name: _mean([row.values_before.get(name) for row in rows]) for name in known_before},
        means_after={"total": _mean(after)}
        | {name: _mean([row.values_after[name] for row in rows]) for name in totals.names},
        rank_correlation=_spearman(before, after),
        rank_correlation_in_groups=sum(known) / len(known) if known else None,
        flips=sum(old * new < 0 for old, new in signs) / len(rows),
        lost=sum(bool(old) and not new for old, new in signs) / len(rows),
        gained=sum(bool(new) and not old for old, new in signs) / len(rows),
        most_changed=[_change(row) for row in changed],
        kept=[name for name in learning if name in known_before],
        left_out=[name for name in learning if name not in known_before],
    )


def _change(row: _Row) -> Change:
    return Change(
        stage=row.context.stage,
        step=row.context.step,
        sample_id=row.context.sample.id,
        question=row.context.sample.question,
        completion=row.context.completion,
        before=row.before,
        after=row.after,
        values_before=row.values_before,
        values_after=row.values_after,
        advantage_before=row.advantage_before or 0.0,
        advantage_after=row.advantage_after,
    )


def _sign(advantage: float) -> int:
    return 0 if abs(advantage) <= _FLAT else 1 if advantage > 0 else -1


def _spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation; None where one of the two does not vary."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
