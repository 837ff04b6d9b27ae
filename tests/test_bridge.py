"""Reward functions for TRL, made of a set of rewards."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from finlmm_core import Reward, RewardContext, Sample, Score
from finlmm_core.domain import Answer, ImageRef, QuestionType
from finlmm_core.errors import FinlmmError
from finlmm_core.rewards import RewardSet
from finlmm_core.train import bridge as bridge_module
from finlmm_core.train.bridge import TOTAL, Bridge

EOS = 2


def sample(number: int, images: int = 0) -> Sample:
    return Sample(
        id=f"s{number}",
        type=QuestionType.FINANCIAL_KNOWLEDGE,
        language="en",
        question="Which?",
        options=("1", "2"),
        answer=Answer(text="1", option=0),
        images=tuple(ImageRef(sha256=str(place) * 64, width=1, height=1) for place in range(images)),
        gold_images=(0,) if images else (),
        qa_id="q",
        document_id="d",
        split="train",
    )


class Length(Reward):
    name = "length"

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        return [Score(value=len(one.completion) / 10, parts={"characters": len(one.completion)}) for one in batch]


class Picky(Reward):
    """Judges samples with images alone, and counts what it is shown."""

    name = "picky"
    learns = True

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.calls = 0
        self.learned_from: list[str] = []

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        self.calls += 1
        return [Score(value=1.0 if one.sample.images else None) for one in batch]

    def observe(self, batch: Sequence[RewardContext], scores: Mapping[str, Sequence[Score]]) -> Mapping[str, float]:
        self.learned_from += [one.completion for one in batch]
        return {"seen": len(self.learned_from)}


class Breaks(Reward):
    name = "breaks"

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        if any(one.completion == "evil" for one in batch):
            raise ZeroDivisionError("by nought")
        return [Score(value=0.0) for _ in batch]


def call(function: Any, texts: list[Any], places: Sequence[int], logged: dict[str, float] | None = None) -> list:
    """Call a function as TRL does."""
    logs = {} if logged is None else logged
    return function(
        prompts=[None] * len(texts),
        completions=texts,
        completion_ids=[[5, EOS] if len(text[0]["content"]) < 8 else [5, 5] for text in texts],
        place=list(places),
        trainer_state=SimpleNamespace(global_step=7),
        log_extra=None,
        log_metric=logs.__setitem__,
    )


def spoken(*texts: str) -> list[Any]:
    return [[{"role": "assistant", "content": text}] for text in texts]


def test_functions_are_named_like_the_rewards_and_a_batch_is_scored_once() -> None:
    picky = Picky()
    bridge = Bridge(RewardSet([Length(), picky], [1, 3]), [sample(0), sample(1, images=2)], ends=[EOS])
    length, of_picky, total = bridge.functions()
    assert [one.__name__ for one in bridge.functions()] == ["length", "picky", TOTAL]
    assert bridge.weights() == [0.0, 0.0, 1.0]
    texts = spoken("ab", "abcd", "a", "abcdefgh")
    places = [0, 0, 1, 1]
    assert call(length, texts, places) == [0.2, 0.4, 0.1, 0.8]
    assert call(of_picky, texts, places) == [None, None, 1.0, 1.0]
    # What cannot be judged leaves its weight out too.
    assert call(total, texts, places) == pytest.approx([0.2, 0.4, (0.1 + 3) / 4, (0.8 + 3) / 4])
    assert picky.calls == 1
    call(total, spoken("ab", "abcd", "a", "abcdefgh"), places)
    assert picky.calls == 2


def test_a_completion_that_nobody_with_a_weight_can_judge_counts_for_nobody() -> None:
    """Else TRL would take the total for 0 where a reward of weight 0 had something to say."""
    bridge = Bridge(RewardSet([Length(), Picky()], [0, 1]), [sample(0), sample(1, images=1)], ends=[EOS])
    length, picky, total = bridge.functions()
    texts = spoken("ab", "abc")
    assert [call(one, texts, [0, 1]) for one in (length, picky, total)] == [[None, 0.3], [None, 1.0], [None, 1.0]]


def test_rewards_are_weighted_by_trl_where_it_normalises_each_first() -> None:
    bridge = Bridge(RewardSet([Length(), Picky()], [1, 3]), [sample(0)])
    assert bridge.weights(normalised_first=True) == [0.25, 0.75, 0.0]


def test_contexts_tell_what_a_reward_may_know() -> None:
    bridge = Bridge(RewardSet([Length()], [1]), [sample(0), sample(1)], stage="stage2", ends=[EOS])
    call(bridge.functions()[0], spoken("ab", "abcdefgh", "c", "d"), [0, 0, 1, 1])
    assert bridge.batch is not None
    first, second, third, _ = bridge.batch.contexts
    assert (first.step, first.stage, first.token_ids, first.truncated) == (7, "stage2", (5, EOS), False)
    assert second.truncated
    assert first.group_id == second.group_id != third.group_id
    assert first.sample.id == "s0"


def test_parts_shares_and_images_above_chance_are_logged() -> None:
    right = "<think>x</think><answer>A</answer><image_selection>1</image_selection>"
    wrong = "<think>x</think><answer>A</answer><image_selection>2</image_selection>"
    bridge = Bridge(RewardSet([Length(), Picky()], [1, 1]), [sample(0, images=4), sample(1)], ends=[EOS])
    logged: dict[str, float] = {}
    call(bridge.functions()[0], spoken(right, right, wrong, "abc"), [0, 0, 0, 1], logged)
    assert logged["image_selection/right"] == pytest.approx(2 / 3)
    assert logged["image_selection/over_chance"] == pytest.approx(2 / 3 - 1 / 4)
    assert logged["format_rate"] == 0.75
    assert logged["truncated_rate"] == 0.75
    assert logged["rewards/length/characters"] == pytest.approx((3 * len(right) + 3) / 4)
    assert logged["rewards/picky/judged"] == 0.75
    assert logged["rewards/length/seconds"] >= 0
    assert logged["picky/seen"] == 4


def test_nothing_is_learned_in_evaluation() -> None:
    picky = Picky()
    bridge = Bridge(RewardSet([Length(), picky], [1, 1]), [sample(0)], ends=[EOS])
    bridge.training = False
    logged: dict[str, float] = {}
    call(bridge.functions()[0], spoken("ab"), [0], logged)
    assert picky.learned_from == []
    assert "picky/seen" not in logged


def test_groups_that_all_earned_the_same_are_told() -> None:
    bridge = Bridge(RewardSet([Length()], [1]), [sample(0), sample(1)], ends=[EOS])
    call(bridge.functions()[0], spoken("ab", "cd", "a", "abc"), [0, 0, 1, 1])
    assert bridge.batch is not None
    assert bridge.batch.equal_groups() == [True, True, False, False]


def test_functions_can_be_pickled() -> None:
    function = Bridge(RewardSet([Length()], [1]), [sample(0)], ends=[EOS]).functions()[0]
    copied = pickle.loads(pickle.dumps(function))  # noqa: S301 - our own bytes
    assert copied.__name__ == "length"
    assert call(copied, spoken("abc"), [0]) == [0.3]


def test_a_reward_that_raises_is_named_with_sample_and_completion() -> None:
    bridge = Bridge(RewardSet([Breaks()], [1]), [sample(0), sample(1)], ends=[EOS])
    with pytest.raises(FinlmmError, match=r"'breaks' raised ZeroDivisionError(.|\n)*sample s1(.|\n)*'evil'"):
        call(bridge.functions()[0], spoken("fine", "evil"), [0, 1])


class Process:
    """One of two processes whose groups lie across both; what is gathered is worked out beforehand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, rewards: list[Reward]) -> None:
        self.bridge = Bridge(RewardSet(rewards, [1] * len(rewards)), [sample(0), sample(1), sample(2)], ends=[EOS])
        self.monkeypatch = monkeypatch
        self.number = number

    def call(self, texts: list[Any], places: list[int], exchange: list[list[Any]]) -> Any:
        """Call the total; ``exchange`` takes what this process says, and has what the others said."""
        rounds = iter(range(9))

        def gathered(items: list[Any]) -> list[Any]:
            turn = next(rounds)
            while len(exchange) <= turn:
                exchange.append([None, None])
            exchange[turn][self.number] = items[0]
            if None in exchange[turn]:
                raise Waiting
            return list(exchange[turn])

        self.monkeypatch.setattr(bridge_module, "gathered", gathered)
        self.monkeypatch.setattr(bridge_module, "process_count", lambda: 2)
        self.monkeypatch.setattr(bridge_module, "process_number", lambda: self.number)
        return call(self.bridge.functions()[-1], texts, places)


class Waiting(Exception):
    """Another process has not said its part yet."""


def together(*calls: Any) -> list[Any]:
    """Call all processes until each has what it waits for; return what they answered, errors too."""
    exchange: list[list[Any]] = []
    answers: list[Any] = [Waiting] * len(calls)
    for _ in range(6):
        for number, one in enumerate(calls):
            try:
                answers[number] = one(exchange)
            except Waiting:
                continue
            except FinlmmError as error:
                answers[number] = error
    return answers


def test_groups_across_processes_are_scored_whole_and_all_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    class Rank(Reward):
        """How a completion compares with its group: wrong where a group is torn."""

        name = "rank"

        def score(self, batch: Sequence[RewardContext]) -> list[Score]:
            groups: dict[str, list[int]] = {}
            for one in batch:
                groups.setdefault(one.group_id, []).append(len(one.completion))
            seen.append([one.completion for one in batch])
            return [Score(value=float(sorted(groups[one.group_id]).index(len(one.completion)))) for one in batch]

    here, there = (Process(monkeypatch, number, [Rank(), Picky()]) for number in (0, 1))
    mine, theirs = spoken("a", "abc", "abcde"), spoken("ab", "x", "xy")
    answers = together(
        lambda exchange: here.call(mine, [0, 0, 1], exchange),
        lambda exchange: there.call(theirs, [1, 2, 2], exchange),
    )
    assert answers == [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]
    assert ["a", "abc", "abcde", "ab"] in seen  # the first process holds the first completion of the second group
    assert ["x", "xy"] in seen
    learned = [process.bridge.rewards.rewards[1] for process in (here, there)]
    everything = ["a", "abc", "abcde", "ab", "x", "xy"]
    assert all(one.learned_from[:6] == everything for one in learned)  # type: ignore[attr-defined]


def test_an_error_in_one_process_is_raised_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = (Process(monkeypatch, number, [Breaks()]) for number in (0, 1))
    answers = together(
        lambda exchange: here.call(spoken("fine"), [0], exchange),
        lambda exchange: there.call(spoken("evil"), [1], exchange),
    )
    assert all(isinstance(one, FinlmmError) and "sample s1" in str(one) for one in answers)
