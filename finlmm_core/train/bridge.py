"""From a RewardSet to the reward functions that TRL calls.

TRL calls one function a reward, one after another, with the completions of this process. A RewardSet scores a batch of
whole groups once, may learn from the batches of all processes, and puts the total together itself. So every function
here asks one bridge, which scores the batch when the first of them is called::

    bridge = Bridge(reward_set, prompts, stage="stage2", ends=[eos, pad])
    GRPOTrainer(..., reward_funcs=bridge.functions(), args=GRPOConfig(reward_weights=bridge.weights(...), ...))

``None`` (cannot judge) passes through; a completion whose total nobody can judge counts for nobody, so that TRL gives
it no advantage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from finlmm_core.domain import RewardContext, Sample
from finlmm_core.errors import FinlmmError
from finlmm_core.rewards.reward_set import RewardSet, Scored
from finlmm_core.train.bridge_metrics import batch_metrics
from finlmm_core.train.parallel import gathered, process_count, process_number

#: Name of the last function: the weighted mean of what could be judged.
TOTAL = "total"


class Batch(NamedTuple):
    """A scored batch of all processes, in the order of the processes."""

    contexts: list[RewardContext]
    scored: Scored
    here: slice  # the completions of this process

    def equal_groups(self) -> list[bool]:
        """Return for each completion whether all of its group earned the same total, or nothing could be judged."""
        totals: dict[str, list[float | None]] = {}
        for context, total in zip(self.contexts, self.scored.totals, strict=True):
            totals.setdefault(context.group_id, []).append(total)
        equal = {
            group: len({total for total in of_group if total is not None}) <= 1 for group, of_group in totals.items()
        }
        return [equal[context.group_id] for context in self.contexts]


class Bridge:
    """Scores each batch once for all reward functions, lets rewards learn, and logs what they said.

    Args:
        rewards: what scores.
        prompts: the samples in the order of use; TRL's column ``place`` points into it.
        stage: name of the stage.
        ends: tokens that end a completion; one that ends with another was cut by the length limit.
        decode: token ids to text; None takes the text that TRL decoded.
    """

    def __init__(
        self,
        rewards: RewardSet,
        prompts: Sequence[Sample],
        *,
        stage: str = "",
        ends: Collection[int] = (),
        decode: Callable[[Sequence[Sequence[int]]], list[str]] | None = None,
    ) -> None:
        self.rewards = rewards
        self.prompts = prompts
        self.stage = stage
        self.ends = frozenset(ends)
        self.decode = decode
        self.training = True  # set by the trainer: in evaluation nothing is learned
        self.batch: Batch | None = None
        self._scored_for: object = None  # the list of completions that ``batch`` belongs to

    def functions(self) -> list[RewardFunction]:
        """Return one function a reward, named like it, and the total as the last."""
        return [RewardFunction(name, self) for name in [*self.rewards.names, TOTAL]]

    def weights(self, normalised_first: bool = False) -> list[float]:
        """Return TRL's weights of ``functions()``: the total alone counts.

        Args:
            normalised_first: for ``multi_objective_aggregation = 'normalize_then_sum'``, where TRL normalises each
                reward before it sums: then the rewards count with their own weights, and the total is only logged.
        """
        if normalised_first:
            whole = sum(self.rewards.weights.values())
            return [*(self.rewards.weights[name] / whole for name in self.rewards.names), 0.0]
        return [*(0.0 for _ in self.rewards.names), 1.0]

    def values(self, name: str, completions: Sequence[Any], log: Callable[[str, float], None], **call: Any) -> list:
        """Return one reward's values of the completions of this process; score them if that is still to be done."""
        if self._scored_for is not completions:  # TRL hands every function the same list
            self.batch = self._score(self._contexts(completions, **call))
            self._scored_for = completions
            for metric, value in self._learned_and_measured(self.batch).items():
                log(metric, value)
        assert self.batch is not None
        totals = self.batch.scored.totals[self.batch.here]
        if name == TOTAL:
            return totals
        scores = self.batch.scored.scores[name][self.batch.here]
        return [None if total is None else score.value for total, score in zip(totals, scores, strict=True)]

    def _contexts(
        self, completions: Sequence[Any], completion_ids: Sequence[Sequence[int]], place: Sequence[int], step: int
    ) -> list[RewardContext]:
        if self.decode is not None:
            texts = self.decode(completion_ids)
        else:
            texts = [one if isinstance(one, str) else one[0]["content"] for one in completions]
        return [
            # Built without validation: the fields are what they are, and a step makes hundreds.
            RewardContext.model_construct(
                sample=self.prompts[at],
                completion=text,
                group_id=f"{self.stage}/{step}/{at}",
                stage=self.stage,
                step=step,
                token_ids=tuple(ids),
                truncated=bool(ids) and ids[-1] not in self.ends,
            )
            for text, ids, at in zip(texts, completion_ids, place, strict=True)
        ]

    def _score(self, mine: list[RewardContext]) -> Batch:
        """Score whole groups: of several processes the one that holds a group's first completion scores the group.

        An error in one process is raised in all of them, so that nobody waits for a process that is gone.
        """
        if process_count() == 1:
            return Batch(mine, self.rewards.score(mine), slice(0, len(mine)))
        shares = gathered([mine])
        contexts = [context for share in shares for context in share]
        owner: dict[str, int] = {}
        for process, share in enumerate(shares):
            for context in share:
                owner.setdefault(context.group_id, process)
        owned = [context for context in contexts if owner[context.group_id] == process_number()]
        failed, scored = "", Scored([], {}, {})
        try:
            scored = self.rewards.score(owned) if owned else scored
        except FinlmmError as error:
            failed = str(error)
        answers = gathered([(failed, scored)])
        for message, _ in answers:
            if message:
                raise FinlmmError(message)
        begin = sum(len(share) for share in shares[: process_number()])
        return Batch(
            contexts, _merged(contexts, owner, [scored for _, scored in answers]), slice(begin, begin + len(mine))
        )

    def _learned_and_measured(self, batch: Batch) -> dict[str, float]:
        """Let the rewards that learn see the batch, in training; return all metrics of it."""
        metrics = batch_metrics(batch.contexts, batch.scored)
        if self.training:
            metrics.update(self.rewards.observe(batch.contexts, batch.scored.scores))
        return {name: value for name, value in metrics.items() if math.isfinite(value)}


class RewardFunction:
    """What TRL calls for one reward: a picklable object with the reward's name, which TRL logs it by."""

    def __init__(self, name: str, bridge: Bridge) -> None:
        self.__name__ = name
        self.bridge = bridge

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        place: Sequence[int],
        trainer_state: Any,
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float | None]:
        """Return the reward's value of each completion of this process, None where it cannot judge."""
        return self.bridge.values(
            self.__name__,
            completions,
            log_metric,
            completion_ids=completion_ids,
            place=place,
            step=trainer_state.global_step,
        )


def _merged(contexts: Sequence[RewardContext], owner: Mapping[str, int], parts: Sequence[Scored]) -> Scored:
    """Return the scores of all contexts in their order, from what each process scored of its groups."""
    places = [0] * len(parts)
    picked = []
    for context in contexts:
        process = owner[context.group_id]
        picked.append((process, places[process]))
        places[process] += 1
    names = next(list(part.scores) for part in parts if part.scores)
    return Scored(
        totals=[parts[process].totals[at] for process, at in picked],
        scores={name: [parts[process].scores[name][at] for process, at in picked] for name in names},
        seconds={name: max(part.seconds.get(name, 0.0) for part in parts) for name in names},
    )
