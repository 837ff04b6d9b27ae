"""The adversarial reward: what it reads, what it learns, that it resumes to the bit and leaves others' chance alone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adversarial_rollouts import completion, rollout_sample, rollouts
from finlmm_rewards.adversarial import Adversarial
from finlmm_rewards.adversarial.buffer import Buffer, Example, draw
from finlmm_rewards.adversarial.encoder import HashedWords, load_encoder
from finlmm_rewards.adversarial.measures import auc, auc_within, brier, calibration_error
from finlmm_rewards.adversarial.options import AdversarialOptions
from finlmm_rewards.adversarial.reading import Reading

from finlmm_core import FinlmmError, Reward
from finlmm_core.domain import RewardContext, Score
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards import RewardServices
from finlmm_core.testing.rewards import RewardContract


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Tiny models are fastest on one thread, and equal to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def reward(**options: Any) -> Adversarial:
    """The reward with the tiny encoder."""
    return Adversarial(
        AdversarialOptions(**{"encoder": "tiny", "every": 5, "window": 96, "question_tokens": 32} | options)
    )


@pytest.fixture(scope="module")
def trained() -> tuple[Adversarial, list[dict[str, float]]]:
    """A reward that saw sixteen steps of rollouts, and the metrics of each."""
    torch.set_num_threads(1)
    options = {"held_out": 0.25, "epochs": 2.0, "batch_size": 32, "corruptions": 0.25, "every": 4, "lr": 0.002}
    made = reward(**options, buffer_size=250)
    return made, [dict(made.observe(*rollouts(step))) for step in range(16)]


def values(made: Adversarial, contexts: list[RewardContext]) -> list[float | None]:
    return [score.value for score in made.score(contexts)]


def test_it_cannot_judge_before_its_first_training() -> None:
    made = reward(held_out=0.3)
    contexts, _ = rollouts(0)
    assert {(score.value, score.reason) for score in made.score(contexts)} == {(None, "not_trained")}
    for step in range(5):
        assert made.score(contexts)[0].value is None
        metrics = made.observe(*rollouts(step))
    assert {"loss", "auc", "ece", "brier", "rounds"} <= metrics.keys()
    assert all(0 < (value or 0) < 1 for value in values(made, contexts))
    assert len({*values(made, contexts)}) > 1
    assert made.score([]) == []


def test_warm_steps_and_least_auc_keep_it_from_judging() -> None:
    late, strict = reward(warm_steps=7), reward(least_auc=0.999)
    for step in range(7):
        for made in (late, strict):
            made.observe(*rollouts(step))
        assert (late.score(rollouts(0)[0])[0].value is None) == (step < 6)
    assert strict.score(rollouts(0)[0])[0].reason == "auc_too_low"


def test_who_only_knows_which_questions_are_hard_does_not_judge() -> None:
    made = reward(least_auc=0.6, held_out=0.5, every=2, lr=0.003, epochs=4.0)
    chance = random.Random(0)
    for step in range(8):
        contexts, scores = rollouts(step)
        same: dict[str, str] = {}  # all of a group think alike: whether they are right is up to question and luck
        for place, context in enumerate(contexts):
            hard = int(context.sample.id[-1]) % 2
            written = context.completion.replace("<think>", "<think>This is hard. " if hard else "<think>Easy. ")
            thinking = same.setdefault(context.group_id, written)
            contexts[place] = context.model_copy(update={"completion": thinking})
            scores["accuracy"][place] = Score(value=float(chance.random() < (0.1 if hard else 0.9)))
        metrics = dict(made.observe(contexts, scores))
    assert metrics["auc_within"] == 0.5
    assert made.score(contexts)[0].reason == "auc_too_low"
    made.learner.auc_within = metrics["auc"]
    assert metrics["auc"] > 0.6 and made.score(contexts)[0].value is not None


def test_it_learns_to_tell_right_from_wrong_on_questions_it_never_learned_from(
    trained: tuple[Adversarial, list[dict[str, float]]],
) -> None:
    made, metrics = trained
    rounds = [line["auc"] for line in metrics if "auc" in line]
    assert len(rounds) == 4
    assert rounds[-1] > 0.85
    assert rounds[-1] > rounds[0]
    assert metrics[-1]["brier"] < 0.2
    assert metrics[-1]["ece"] < 0.25
    learner = made.learner
    asked = [{example.thinking for example in side.examples} for side in (learner.training, learner.held_out)]
    assert all(asked) and not asked[0] & asked[1]
    contexts, scores = rollouts(99, prompts=16)
    said = values(made, contexts)
    measured = auc([value or 0.0 for value in said], [int(score.value or 0) for score in scores["accuracy"]])
    assert measured is not None and measured > 0.85


def test_the_final_answer_changes_nothing(trained: tuple[Adversarial, list[dict[str, float]]]) -> None:
    made, _ = trained
    for number in range(900, 910):
        sample = rollout_sample(number)
        for right in (True, False):
            said = {
                values(made, [RewardContext(sample=sample, completion=text, group_id="g")])[0]
                for answer in (*sample.options, "77.7", None)
                for text in [completion(sample, right, random.Random(number), answer=answer)]
            }
            assert len(said) == 1


def test_what_the_answer_tag_says_is_not_read(trained: tuple[Adversarial, list[dict[str, float]]]) -> None:
    made, _ = trained
    sample = rollout_sample(7)
    thinking = "<think>Revenue was 300 and 500. 300 + 500 = 800.</think>"
    texts = [f"{thinking}<answer>{answer}</answer>" for answer in ("A", "B", "C", "yes", sample.options[0])]
    contexts = [RewardContext(sample=sample, completion=text, group_id="g") for text in texts]
    assert len({*values(made, contexts)}) == 1


def test_a_completion_without_thinking_convinces_nobody(trained: tuple[Adversarial, list[dict[str, float]]]) -> None:
    made, _ = trained
    sample = rollout_sample(3)
    texts = ["", "<answer>A</answer>", "<think></think><answer>A</answer>", "<think>cut off", "<think>a</think>" * 2]
    scores = made.score([RewardContext(sample=sample, completion=text, group_id="g") for text in texts])
    assert [(score.value, score.reason) for score in scores] == [(0.0, "no_thinking")] * 5


def test_a_mistake_far_behind_the_first_window_is_read(trained: tuple[Adversarial, list[dict[str, float]]]) -> None:
    made, _ = trained
    sample = rollout_sample(5)
    filler = "The report lists many rows for both years. " * 60
    said = []
    for right in (True, False):
        text = completion(sample, right, random.Random(1)).replace("<think>", f"<think>{filler}")
        said += values(made, [RewardContext(sample=sample, completion=text, group_id="g")])
    assert said[0] != said[1]


def test_every_token_is_pooled_exactly_once() -> None:
    encoder = load_encoder("tiny", window=64, overlap=16, question_tokens=20)
    texts = ["one two three", "word " * 31, "word " * 32, "number 12,345.6 " * 300, "问题 " * 200]
    for text in texts:
        (windows,) = encoder.windows([Reading("What was it?", text)])
        assert all(len(window.ids) <= 64 for window in windows)
        pooled = [token for window in windows for token in window.ids[window.first : window.last]]
        assert pooled == HashedWords().ids(["What was it?"])[0] + [2] + HashedWords().ids([text])[0]
        for before, after in pairwise(windows):
            assert before.ids[before.last - 16 : before.last] == after.ids[after.first - 16 : after.first]


def test_tiny_sees_which_words_of_the_thinking_the_question_has() -> None:
    read = [Reading("What was the profit of Navy 2022?", "Image 1: Lime 2023 40. Image 2: Navy 2022, so 20.")]
    (window,) = reward().learner.module.reader.windows(read)[0]
    words = HashedWords()
    common = {token for token, kind in zip(window.ids, window.types, strict=True) if kind == 2}
    assert common == set(words.ids(["Navy"])[0])  # numbers are read digit by digit: marks look them up
    assert set(window.types[: window.ids.index(words.end)]) == {0}


def test_one_text_is_read_the_same_alone_and_in_company(trained: tuple[Adversarial, list[dict[str, float]]]) -> None:
    made, _ = trained
    contexts, _scores = rollouts(50)
    together = values(made, contexts)
    alone = [values(made, [context])[0] for context in contexts]
    assert together == pytest.approx(alone, abs=1e-5)


# --------------------------------------------------------------------------------------------------- state


def through_files(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a state as a checkpoint keeps it: tensors by safetensors, the rest as JSON."""
    from safetensors.torch import load_file, save_file

    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    save_file(tensors, folder / "state.safetensors")
    rest = json.loads(json.dumps({name: value for name, value in state.items() if name not in tensors}))
    return {**load_file(folder / "state.safetensors"), **rest}


def equal_states(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


@pytest.mark.parametrize("frozen", [False, True], ids=["whole", "head"])
def test_thirty_steps_equal_seventeen_and_thirteen_more_to_the_bit(tmp_path: Path, frozen: bool) -> None:
    options = {"freeze_encoder": frozen, "corruptions": 0.5, "buffer_size": 40, "replay": "newest", "held_out_size": 12}
    straight = reward(**options)
    said = []
    for step in range(30):
        if step == 17:
            stored = through_files(straight.state_dict(), tmp_path)
        straight.observe(*rollouts(step, prompts=2))
        said.append(values(straight, rollouts(step, prompts=2)[0]))
    resumed = reward(**options)
    resumed.load_state_dict(stored)
    for step in range(17, 30):
        resumed.observe(*rollouts(step, prompts=2))
        assert values(resumed, rollouts(step, prompts=2)[0]) == said[step]
    assert equal_states(straight.state_dict(), resumed.state_dict())
    assert values(resumed, rollouts(17, prompts=2)[0]) != said[17], (
        "training between the two must have changed something"
    )


def test_a_state_does_not_change_when_training_goes_on() -> None:
    made = reward()
    for step in range(5):
        made.observe(*rollouts(step))
    state = made.state_dict()
    kept = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in state.items()}
    for step in range(5, 10):
        made.observe(*rollouts(step))
    assert equal_states(state, kept)
    assert not equal_states(state, made.state_dict())


def test_a_state_of_another_encoder_is_refused() -> None:
    state = reward().state_dict()
    with pytest.raises(FinlmmError, match="is of the encoder 'tiny', frozen or not otherwise"):
        reward(freeze_encoder=True).load_state_dict(state)
    state["encoder"] = "minilm"
    with pytest.raises(FinlmmError, match="is of the encoder 'minilm'"):
        reward().load_state_dict(state)


def test_nobody_elses_chance_is_touched() -> None:
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    made = reward(corruptions=1.0, replay="newest", every=2)
    for step in range(4):
        made.score(rollouts(step)[0])
        made.observe(*rollouts(step))
    made.load_state_dict(made.state_dict())
    assert made.learner.rounds == 2
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_scoring_changes_nothing() -> None:
    made = reward(every=2)
    for step in range(2):
        made.observe(*rollouts(step))
    before = made.state_dict()
    assert values(made, rollouts(8)[0]) == values(made, rollouts(8)[0])
    assert equal_states(before, made.state_dict())


# ----------------------------------------------------------------------------------------- labels and buffers


def test_rollouts_without_a_label_or_a_thinking_are_not_learned_from() -> None:
    made = reward(held_out=0.0)
    contexts, scores = rollouts(0)
    accuracy = [Score(value=None) if place % 2 else score for place, score in enumerate(scores["accuracy"])]
    contexts[0] = contexts[0].model_copy(update={"completion": "<answer>A</answer>"})
    metrics = made.observe(contexts, {"accuracy": accuracy})
    assert metrics["buffer"] == len(contexts) // 2 - 1


def test_the_label_can_be_another_reward_and_must_be_there() -> None:
    contexts, scores = rollouts(0)
    with pytest.raises(FinlmmError, match="'accuracy', which is no reward of this stage"):
        reward().observe(contexts, {"format": scores["accuracy"]})
    made = reward(label="judge", right_from=0.7, held_out=0.0)
    made.observe(contexts, {"judge": [Score(value=0.6), *[Score(value=0.8)] * (len(contexts) - 1)]})
    assert [example.label for example in made.learner.training.examples] == [0] + [1] * (len(contexts) - 1)


def test_nothing_is_trained_while_one_kind_is_missing() -> None:
    made = reward(every=1)
    for step in range(3):
        contexts, _ = rollouts(step)
        metrics = made.observe(contexts, {"accuracy": [Score(value=1.0)] * len(contexts)})
        assert "loss" not in metrics
    assert made.score(contexts)[0].value is None


def test_corrupted_copies_of_right_thinking_are_wrong_examples_measured_apart(
    trained: tuple[Adversarial, list[dict[str, float]]],
) -> None:
    made, metrics = trained
    examples = made.learner.training.examples
    kinds = {example.kind for example in examples}
    assert {"", "year", "value", "step"} <= kinds
    assert all(example.label == 0 for example in examples if example.kind)
    assert any(name.startswith("corruption_auc/") for name in metrics[-1])
    assert all(0 <= value <= 1 for name, value in metrics[-1].items() if "auc" in name)


def test_the_buffer_keeps_the_newest() -> None:
    buffer = Buffer(3)
    assert buffer.add([Example("q", str(n), n % 2, "", n) for n in range(5)]) == 2
    assert [example.thinking for example in buffer.examples] == ["2", "3", "4"]
    copy = Buffer(3)
    copy.take_json(buffer.to_json())
    assert copy.examples == buffer.examples


def test_draws_are_balanced_and_can_favour_the_newest() -> None:
    examples = [Example("q", str(n), int(n < 10), "", n // 10) for n in range(100)]

    def drawn(count: int, **how: Any) -> list[int]:
        options = {"balanced": False, "replay": "uniform", "half_life": 1.0, "round_number": 9} | how
        return draw(examples, count, random.Random(0), **options)

    assert sorted(drawn(100)) == list(range(100)), "an epoch goes through all of them"
    halves = drawn(60, balanced=True)
    assert sum(examples[place].label for place in halves) == 30
    assert sum(examples[place].label for place in halves[:10]) == 5, "right and wrong take turns"
    assert np.mean(drawn(500, replay="newest")) > 80
    assert drawn(7) == drawn(7)


@pytest.mark.parametrize(("balance", "corruptions"), [("sampling", 1.0), ("weighting", 0.0), ("none", 0.0)])
def test_probabilities_follow_the_share_of_right_answers(balance: str, corruptions: float) -> None:
    made = reward(balance=balance, corruptions=corruptions, every=3, epochs=2.0, batch_size=32, held_out=0.0)
    for step in range(6):
        contexts, scores = rollouts(step)
        rare = [place for place, score in enumerate(scores["accuracy"]) if not score.value or place % 4 == 0]
        made.observe([contexts[place] for place in rare], {"accuracy": [scores["accuracy"][place] for place in rare]})
    own = [example for example in made.learner.training.examples if not example.kind]
    share = float(np.mean([example.label for example in own]))
    readings = [Reading(example.question, example.thinking) for example in own]
    assert share < 0.35
    assert float(np.mean(made.learner.probabilities(readings))) == pytest.approx(share, abs=0.02)


# --------------------------------------------------------------------------------------------------- measures


def test_the_measures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import brier_score_loss, roc_auc_score

    numbers = np.random.default_rng(0)
    for size in (2, 5, 50):
        labels = [1, 0, *numbers.integers(0, 2, size - 2).tolist()]
        said = numbers.random(size).round(1).tolist()  # with ties
        assert auc(said, labels) == pytest.approx(roc_auc_score(labels, said))
        assert brier(said, labels) == pytest.approx(brier_score_loss(labels, said))
    assert auc([0.1, 0.2], [1, 1]) is None


def test_within_groups_pairs_of_one_group_count_and_no_others() -> None:
    said, labels, groups = [0.9, 0.8, 0.9, 0.2, 0.3, 0.1], [1, 0, 1, 1, 0, 0], "aaabbb"
    # a: both right ones above the wrong one; b: one pair of two
    assert auc_within(said, labels, groups) == pytest.approx(3 / 4)
    assert auc_within([0.9] * 3 + [0.1] * 3, labels, groups) == 0.5  # which group, and no more
    assert auc_within(said, [1, 1, 1, 0, 0, 0], groups) is None
    assert brier([], []) is None and calibration_error([], []) is None
    assert calibration_error([0.25] * 4, [1, 0, 0, 0]) == pytest.approx(0.0)
    assert calibration_error([0.95] * 4, [1, 0, 0, 0]) == pytest.approx(0.7)


def test_listing_it_imports_no_torch() -> None:
    script = "import sys; from finlmm_rewards.adversarial import Adversarial; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="must hold question_tokens"):
        AdversarialOptions(window=64)
    with pytest.raises(FinlmmError, match=r"has no config\.json"):
        reward(encoder=str(Path(__file__).parent)).prepare(RewardServices(plugins=Plugins()))


class TestContract(RewardContract):
    """The contract that third parties' rewards are held to as well."""

    @pytest.fixture
    def reward(self) -> Reward:
        return reward(every=5, window=256, question_tokens=64, least_examples=2)


@pytest.mark.slow
class TestContractOnceTrained(RewardContract):
    """The same when there is something to judge with."""

    @pytest.fixture
    def reward(self) -> Reward:
        return reward(every=1, window=256, question_tokens=64)

    @pytest.fixture
    def ready(self, reward: Adversarial, services: RewardServices) -> Reward:
        reward.prepare(services)
        reward.observe(*rollouts(0))
        assert reward.learner.rounds == 1
        return reward


def test_a_folder_that_is_called_tiny_does_not_stand_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    Adversarial(AdversarialOptions(encoder="tiny")).check()
    (tmp_path / "mine").mkdir()
    with pytest.raises(FinlmmError, match="no model in mine"):
        Adversarial(AdversarialOptions(encoder="mine")).check()
