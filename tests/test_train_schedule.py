"""The order of samples in a stage."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from finlmm_core.domain import Answer, ImageRef, QuestionType, Sample
from finlmm_core.train.config import CurriculumConfig, StageConfig
from finlmm_core.train.schedule import difficulty, schedule, simplified


def sample(name: str, program: str | None = "a - b", tiers: tuple[str, ...] = (), right: int = 0) -> Sample:
    return Sample(
        id=name,
        type=QuestionType.ARITHMETIC_REASONING,
        language="en",
        question="?",
        options=("1", "2"),
        answer=Answer(text="1", option=0, value=1.0, decimals=0),
        images=tuple(ImageRef(sha256=f"{name}-{n}".ljust(64, "0"), width=9, height=9) for n in range(len(tiers))),
        gold_images=(right,) if tiers else (),
        tiers=tiers,
        program=program,
        qa_id=name,
        document_id="d",
        split="train",
    )


def stage(**curriculum: object) -> StageConfig:
    return StageConfig.model_validate(
        {"name": "s", "method": "sft", "samples": "contrastive", "curriculum": curriculum}
    )


TEN = [sample(f"s{n}") for n in range(10)]
MIXED = [
    sample(f"m{n}", tiers=tiers, right=tiers.index("gold"))
    for n, tiers in enumerate(
        [
            ("random", "gold", "nearest", "same_report"),
            ("gold", "random", "random", "nearest"),
            ("same_company", "nearest", "random", "gold"),
        ]
    )
]


def test_every_epoch_uses_each_sample_once_in_an_order_of_its_own() -> None:
    order = [one.id for one in schedule(TEN, stage(), steps=6, prompts_per_step=5, seed=1)]
    epochs = [order[n : n + 10] for n in (0, 10, 20)]
    assert all(sorted(epoch) == sorted(one.id for one in TEN) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_same_seed_gives_the_same_order_and_another_seed_or_stage_another() -> None:
    first = schedule(TEN, stage(), 4, 5, seed=1)
    assert schedule(TEN, stage(), 4, 5, seed=1) == first
    assert schedule(TEN, stage(), 4, 5, seed=2) != first
    assert schedule(TEN, stage().model_copy(update={"name": "other"}), 4, 5, seed=1) != first


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert schedule(TEN, stage(), 9, 5, seed=1)[:20] == schedule(TEN, stage(), 4, 5, seed=1)


@pytest.mark.parametrize("order", ["shuffled", "difficulty"])
def test_no_sample_stands_twice_in_a_step(order: str) -> None:
    samples = [*TEN, sample("hard", "mean(a, b, c, d, e, f)")]
    for seed in range(20):
        sequence = schedule(samples, stage(order=order), steps=9, prompts_per_step=4, seed=seed)
        steps = [[one.id for one in sequence[n : n + 4]] for n in range(0, 36, 4)]
        assert all(len(set(of_step)) == 4 for of_step in steps)


def test_fewer_samples_than_a_step_takes_are_repeated() -> None:
    assert Counter(one.id for one in schedule(TEN[:2], stage(), 3, 4, seed=0)) == {"s0": 6, "s1": 6}


def test_difficulty_counts_operations_and_how_near_distractors_are() -> None:
    assert difficulty(sample("x", None)) == 0
    assert difficulty(sample("x", "a - b")) == 1
    assert difficulty(sample("x", "(a - b) / b * 100 - (c - d) / d * 100")) == 7
    assert difficulty(sample("x", "mean(a, b, c)")) == 2
    assert difficulty(sample("x", "no program at all")) == 0
    assert difficulty(sample("x", "a - b", ("gold", "nearest", "nearest"))) == 4
    assert difficulty(sample("x", "a - b", ("gold", "random", "random"))) == 1


def test_from_easy_to_hard_over_the_whole_run() -> None:
    programs = [None, "a - b", "(a - b) / b * 100", "mean(a, b, c, d, e, f)"]
    samples = [sample(f"p{n}", programs[n % 4]) for n in range(40)]
    random.Random(0).shuffle(samples)
    grades = [difficulty(one) for one in schedule(samples, stage(order="difficulty"), 10, 8, seed=0)]
    assert grades == sorted(grades)
    assert Counter(grades) == {0: 20, 1: 20, 3: 20, 5: 20}


def test_tiers_and_numbers_of_distractors_come_in_over_the_steps() -> None:
    curriculum = {"tiers": [[0, ["random"]], [3, ["random", "nearest"]]], "distractors": [[0, 1], [6, 2]]}
    sequence = schedule(MIXED, stage(**curriculum), steps=9, prompts_per_step=2, seed=0)
    for position, one in enumerate(sequence):
        step = position // 2
        wrong = [tier for tier in one.tiers if tier != "gold"]
        assert set(wrong) <= ({"random"} if step < 3 else {"random", "nearest"})
        assert len(wrong) <= (1 if step < 6 else 2)


def test_where_several_steps_learn_from_one_drawing_the_curriculum_counts_steps() -> None:
    sequence = schedule(
        MIXED, stage(distractors=[[0, 1], [4, 3]]), steps=8, prompts_per_step=2, seed=0, steps_per_round=4
    )
    assert [len(one.images) for one in sequence] == [2, 2, 4, 4]


def test_leaving_distractors_out_keeps_ids_and_the_right_image() -> None:
    curriculum = CurriculumConfig(distractors=((0, 1),))
    for one in MIXED:
        for seed in range(30):
            less = simplified(one, curriculum, 0, random.Random(seed))
            assert less.id == one.id
            assert len(less.images) == len(less.tiers) == 2
            assert less.images[less.gold_images[0]] == one.images[one.gold_images[0]]
            assert less.tiers[less.gold_images[0]] == "gold"


def test_what_is_left_out_does_not_tell_the_right_image_by_its_place() -> None:
    places = Counter()
    for right in range(4):
        tiers = tuple("gold" if place == right else "random" for place in range(4))
        for seed in range(200):
            one = simplified(sample("x", tiers=tiers, right=right), CurriculumConfig(distractors=((0, 1),)), 0,
                             random.Random(seed))  # fmt: skip
            places[one.gold_images[0]] += 1
    assert 0.45 < places[0] / 800 < 0.55


def test_text_samples_and_samples_with_all_images_are_returned_as_they_are() -> None:
    curriculum = CurriculumConfig(distractors=((0, 3),))
    assert simplified(TEN[0], curriculum, 0, random.Random(0)) is TEN[0]
    assert simplified(MIXED[0], curriculum, 0, random.Random(0)) is MIXED[0]


def test_a_stage_without_samples_cannot_be_scheduled() -> None:
    with pytest.raises(ValueError, match="no samples"):
        schedule([], stage(), 1, 1, seed=0)
