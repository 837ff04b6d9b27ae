"""The hack probe: the preset 'tar' pays for no known way of cheating, the release's rules are shown to."""

from __future__ import annotations

import json

import pytest
from finlmm_rewards.accuracy import Accuracy
from finlmm_rewards.format import Format
from finlmm_rewards.image_selection import ImageSelection
from finlmm_rewards.thinking_length import ThinkingLength
from typer.testing import CliRunner

from finlmm_core import FinlmmError, Reward, RewardContext, Score
from finlmm_core.answers import gold_problem, grade_sample
from finlmm_core.cli.app import app
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards import RewardServices, RewardSet
from finlmm_core.rewards.cheats import cheats
from finlmm_core.rewards.honest import Case
from finlmm_core.rewards.probe import run_probe, without_learning
from finlmm_core.rewards.probe_samples import kind_of, probe_samples


def probed(*arguments: str) -> tuple[int, dict]:
    result = CliRunner().invoke(app, ["rewards", "probe", *arguments, "--json"], obj=Plugins.load())
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.output)


def test_no_cheat_wins_against_the_text_stage_of_preset_tar() -> None:
    code, outcome = probed("--preset", "tar", "--stage", "stage1")
    assert [winner["name"] for winner in outcome["stage1"]["winners"]] == []
    assert code == 0 and outcome["stage1"]["kinds"] >= 200


@pytest.mark.slow
def test_no_cheat_wins_against_the_image_stage_of_preset_tar() -> None:
    code, outcome = probed("--preset", "tar", "--stage", "stage2")
    assert [winner["name"] for winner in outcome["stage2"]["winners"]] == []
    assert code == 0 and outcome["stage2"]["left_out"] == ["adversarial"]


@pytest.mark.slow
def test_the_releases_rules_pay_for_hedging_and_for_a_first_answer_inside_the_thinking() -> None:
    code, outcome = probed("--preset", "tar-release")
    assert code == 1
    for stage in ("stage1", "stage2"):
        winners = {winner["name"] for winner in outcome[stage]["winners"]}
        assert {"tags/answer inside thinking", "answer/letter of one, text of the other"} <= winners


def test_there_are_many_kinds_of_cheating_and_each_has_a_name_of_its_own() -> None:
    names = [cheat.name for cheat in cheats()]
    assert len(names) == len(set(names)) >= 200
    assert {name.partition("/")[0] for name in names} == {"tags", "answer", "thinking", "image"}


@pytest.mark.parametrize("contrastive", [False, True])
def test_the_probes_own_samples_are_sound(contrastive: bool) -> None:
    samples = probe_samples(contrastive)
    assert {kind_of(sample) for sample in samples} == {"percent", "money", "number", "label", "text"}
    assert {sample.language for sample in samples} == {"en", "zh"}
    for sample in samples:
        assert gold_problem(sample, "finlmm") is None
        case = Case.of(sample, 500)
        assert grade_sample(sample, case.write(case.right)).value == 1.0
        assert grade_sample(sample, case.write()).value == 0.0
    places = [sample.gold_images[0] for sample in samples if len(sample.gold_images) == 1]
    assert not contrastive or all(places.count(place) == len(places) // 4 for place in range(4))


def test_honest_thinking_is_as_long_as_asked_and_says_nothing_twice() -> None:
    for sample in probe_samples(contrastive=False)[::3]:
        for length in (500, 1000):
            thinking = Case.of(sample, length).thinking
            sentences = [part.strip() for part in thinking.replace("。", ". ").split(". ") if part.strip()]
            assert len(sentences) == len(set(sentences))
            assert length * 0.7 < len(thinking) <= length


def _probe(reward: Reward, only: str) -> list[str]:
    rewards = RewardSet([reward], [1.0])
    rewards.prepare(RewardServices(plugins=Plugins.isolated()))
    kinds = [cheat for cheat in cheats() if cheat.name.startswith(only)]
    return [row.name for row in run_probe(rewards, probe_samples(contrastive=True), kinds).winners]


def test_selecting_every_image_wins_where_hedging_is_not_taken_off() -> None:
    assert _probe(ImageSelection(), "image/") == []
    paying = type("Paying", (Reward,), {"name": "test/any", "score": _any_named})()
    assert {"image/all", "image/three", "image/lines"} <= set(_probe(paying, "image/"))


def _any_named(self: Reward, batch: list[RewardContext]) -> list[Score]:
    scores = []
    for context in batch:
        tag = context.completion.rpartition("<image_selection>")[2].partition("</")[0]
        scores.append(Score(value=float(any(str(index + 1) in tag for index in context.sample.gold_images))))
    return scores


def test_padding_wins_where_thinking_pays_by_its_bare_length() -> None:
    endless = ThinkingLength.Options(too_short=3000, best_from=4000, best_to=100_000, over="release", fresh_only=False)
    assert "thinking/sentence repeated to 6000" in _probe(ThinkingLength(endless), "thinking/sentence")


def test_a_cheat_that_wins_in_one_kind_of_answer_only_is_found() -> None:
    class OnLabels(Reward):
        """Pays for dashes where a label is asked for."""

        name = "test/on-labels"

        def score(self, batch: list[RewardContext]) -> list[Score]:  # type: ignore[override]
            return [
                Score(
                    value=float(kind_of(one.sample) == "label" and "<answer>-<" in one.completion) or 0.5 * _right(one)
                )
                for one in batch
            ]

    assert _probe(OnLabels(), "answer/dash") == ["answer/dash"]


def _right(context: RewardContext) -> float:
    return grade_sample(context.sample, context.completion).value or 0.0


def test_rewards_that_learn_are_left_out_and_named() -> None:
    learner = type("Learner", (Format,), {"name": "test/learner", "learns": True})
    kept, left_out = without_learning([Format(), learner(), Accuracy()], [0.1, 0.5, 0.6])
    assert kept.names == ["format", "accuracy"] and left_out == ["test/learner"]
    assert kept.weights == {"format": 0.1, "accuracy": 0.6}


def test_a_reward_that_pays_right_and_wrong_alike_does_not_pass() -> None:
    rewards = RewardSet([Format()], [1.0])
    outcome = run_probe(rewards, probe_samples(contrastive=False)[:3], [cheats()[0]])
    assert not outcome.winners and not outcome.passed


@pytest.mark.slow
def test_the_table_names_winners_rewards_and_what_is_left_out() -> None:
    arguments = ["rewards", "probe", "--preset", "tar-release", "--stage", "stage1"]
    result = CliRunner().invoke(app, arguments, obj=Plugins.load(), env={"COLUMNS": "160"})
    assert result.exit_code == 1
    assert "tags/answer inside thinking" in result.output and "kinds of cheating earn more" in result.output


def test_unknown_presets_and_stages_are_refused_with_what_there_is() -> None:
    for arguments, told in (
        (["--preset", "tar-relaese"], "Did you mean 'tar-release'"),
        (["--preset", "none.toml"], "no such file"),
        (["--preset", "tar", "--stage", "warmup"], "stage1, stage2"),
    ):
        result = CliRunner().invoke(app, ["rewards", "probe", *arguments], obj=Plugins.load())
        assert isinstance(result.exception, FinlmmError) and told in str(result.exception)
