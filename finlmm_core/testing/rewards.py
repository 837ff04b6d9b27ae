"""What every reward must do. Plugin authors subclass :class:`RewardContract` and say how their reward is made."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from finlmm_core.domain import RewardContext, Sample, Score
from finlmm_core.plugins.bases import PluginOptions, Reward
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards.cheats import Cheat
from finlmm_core.rewards.honest import Case
from finlmm_core.rewards.pieces import piece_ids
from finlmm_core.rewards.probe import TOTAL, Probe, count_pieces, run_probe
from finlmm_core.rewards.probe_samples import probe_samples
from finlmm_core.rewards.reward_set import RewardSet
from finlmm_core.rewards.services import RewardServices

#: Completions that reach rewards sooner or later: nothing, half of something, all of Unicode, and too much of anything.
HOSTILE = (
    "",
    " \n\t ",
    "<think>",
    "</answer><answer>",
    "<think></think><answer></answer><image_selection></image_selection>",
    "<think>x</think><answer>1e999999</answer><image_selection>99999999999999999999</image_selection>",
    "\x00\x01\x7f\u200b\u202e\ufeff\ufffe",
    "\ud800 a lone surrogate",
    "e\u0301" * 500 + "𝟙𝟚𝟛٣٤٥①②③🏦",
    "<think>" * 3000,
    "<think>" + "(" * 20_000 + "</think><answer>" + "9" * 20_000 + "</answer>",
    "<answer>" + "1,000" * 10_000 + "</answer>",
    "a" * 200_000,
    "<think>" + "The ratio is 1.5. " * 5000 + "</think><answer>A</answer>",
)


def completions_of(sample: Sample) -> list[str]:
    """Return an honest right completion, an honest wrong one, and unusual ones, for a sample."""
    case = Case.of(sample, 500)
    return [case.write(case.right), case.write(), case.write(thinking="short"), *HOSTILE]


def group_of(sample: Sample, completions: Sequence[str], step: int = 0) -> list[RewardContext]:
    """Return completions of one prompt as a group."""
    return [
        RewardContext(
            sample=sample,
            completion=completion,
            group_id=f"{sample.id}-{step}",
            stage="test",
            step=step,
            token_ids=piece_ids(completion[:4000]),
        )
        for completion in completions
    ]


def assert_no_cheat_wins(
    reward: Reward | type[Reward],
    options: PluginOptions | None = None,
    cheats: Sequence[Cheat] | None = None,
    **named: Any,
) -> None:
    """Assert that no kind of cheating earns more by a reward than an honest wrong answer of the right form.

    ::

        assert_no_cheat_wins(MyReward, weight_of_units=0.5)

    Args:
        reward: the reward, or its class with its options.
        options: of a class; or give them by name.
        cheats: kinds of cheating, finlmm's own if None.
        **named: the class's options by name.

    Raises:
        AssertionError: naming each kind that wins, what it earns and what the honest wrong completion does.
    """
    if isinstance(reward, type):
        reward = reward(options if options is not None else reward.Options.model_validate(named))
    rewards = RewardSet([reward], [1.0])
    rewards.prepare(RewardServices(plugins=Plugins.load(), count_tokens=count_pieces))
    told = []
    for contrastive in (False, True):
        outcome = run_probe(rewards, probe_samples(contrastive), cheats)
        told += [f"{'contrastive' if contrastive else 'text'}: {line}" for line in _winning(outcome)]
    assert not told, f"the reward '{reward.name}' pays for cheating:\n  " + "\n  ".join(told)


def _winning(outcome: Probe) -> list[str]:
    lines = []
    for row in outcome.winners:
        group = max(row.wins(), key=lambda name: row.means[TOTAL][name] or 0.0)
        honest = row.honest[TOTAL][group]
        lines.append(
            f"{row.name} earns {row.means[TOTAL][group]:.3f} in '{group}', an honest wrong answer {honest or 0:.3f}"
        )
    return lines


class RewardContract:
    """Subclass, define the fixture ``reward``, and pytest runs these tests on it.

    A reward that calls a model: give it a small or a recorded one through the fixture ``services``.
    """

    @pytest.fixture
    def reward(self) -> Reward:
        raise NotImplementedError("define a fixture 'reward' that returns the reward under test")

    @pytest.fixture
    def services(self) -> RewardServices:
        return RewardServices(plugins=Plugins.load(), count_tokens=count_pieces)

    @pytest.fixture
    def ready(self, reward: Reward, services: RewardServices) -> Reward:
        reward.check()
        reward.prepare(services)
        return reward

    @pytest.fixture
    def batch(self) -> list[RewardContext]:
        """Whole groups over text and contrastive samples."""
        samples = [*probe_samples(contrastive=False)[::6], *probe_samples(contrastive=True)[::25]]
        return [context for sample in samples for context in group_of(sample, completions_of(sample))]

    def test_its_name_range_and_options_are_told(self, reward: Reward) -> None:
        assert reward.name == reward.name.strip() and reward.name
        low, high = reward.range
        assert low < high
        missing = [name for name, field in type(reward).Options.model_fields.items() if not field.description]
        assert not missing, f"options without a description: {missing}"

    def test_gives_one_score_in_range_or_none_for_each_completion(
        self, ready: Reward, batch: list[RewardContext]
    ) -> None:
        scores = ready.score(batch)
        assert len(scores) == len(batch)
        low, high = ready.range
        for context, score in zip(batch, scores, strict=True):
            shown = context.completion[:80]
            assert isinstance(score, Score)
            assert score.value is None or (math.isfinite(score.value) and low <= score.value <= high), shown
            assert all(math.isfinite(part) for part in score.parts.values()), shown
            assert score.value is not None or score.reason, f"None without a reason: {shown!r}"

    def test_an_empty_completion_earns_no_more_than_an_honest_right_one(self, ready: Reward) -> None:
        for sample in (probe_samples(contrastive=False)[0], probe_samples(contrastive=True)[0]):
            case = Case.of(sample, 500)
            honest, empty = ready.score(group_of(sample, [case.write(case.right), ""]))
            assert empty.value is None or honest.value is None or empty.value <= honest.value

    def test_scores_do_not_depend_on_the_order_of_groups_or_completions(
        self, ready: Reward, batch: list[RewardContext]
    ) -> None:
        forward = [score.value for score in ready.score(batch)]
        backward = [score.value for score in ready.score(batch[::-1])][::-1]
        assert backward == pytest.approx(forward, abs=1e-5, nan_ok=False)

    def test_a_group_is_scored_alike_alone_and_among_others(self, ready: Reward, batch: list[RewardContext]) -> None:
        together = [score.value for score in ready.score(batch)]
        first = [context for context in batch if context.group_id == batch[0].group_id]
        assert [score.value for score in ready.score(first)] == pytest.approx(together[: len(first)], abs=1e-5)

    def test_the_same_batch_gets_the_same_scores_again(self, ready: Reward, batch: list[RewardContext]) -> None:
        assert ready.score(batch[:20]) == ready.score(batch[:20])

    def test_an_empty_batch_is_no_error(self, ready: Reward) -> None:
        assert ready.score([]) == []

    def test_it_travels_to_other_processes(
        self, reward: Reward, services: RewardServices, batch: list[RewardContext]
    ) -> None:
        copy: Reward = pickle.loads(pickle.dumps(reward))  # noqa: S301 - made a moment ago
        assert type(copy) is type(reward) and copy.options == reward.options
        reward.prepare(services)
        copy.prepare(services)
        if not reward.learns:
            assert copy.score(batch[:10]) == reward.score(batch[:10])

    def test_what_it_learned_is_in_its_state(self, reward: Reward, services: RewardServices) -> None:
        """A reward that learns goes on from its state as if it had never stopped; one that does not has no state."""
        reward.prepare(services)
        if not reward.learns:
            assert not reward.state_dict()
            return
        groups = [group_of(sample, completions_of(sample)[:3]) for sample in probe_samples(contrastive=False)]
        for group in groups[:6]:
            _learn(reward, group)
        resumed = type(reward)(reward.options)
        resumed.prepare(services)
        resumed.load_state_dict(reward.state_dict())
        for group in groups[6:]:
            assert [score.value for score in resumed.score(group)] == [score.value for score in reward.score(group)]
            assert _learn(resumed, group) == _learn(reward, group)


def _learn(reward: Reward, group: list[RewardContext]) -> dict[str, float]:
    """Let a reward see a group of which the first completion is right."""
    truth = [Score(value=float(place == 0)) for place in range(len(group))]
    return dict(reward.observe(group, {reward.name: reward.score(group), "accuracy": truth}))
