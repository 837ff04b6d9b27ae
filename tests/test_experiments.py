"""The experiments' small world, their arms and intervals, and each script in its smoke form."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from finlmm_core.answers import grade_sample, read_tags
from finlmm_core.errors import FinlmmError
from finlmm_core.prompts import in_format, write_completion
from finlmm_core.steps.sampling.parquet import read_samples

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from common.arms import DataConfig, ExperimentConfig, StageUse, jobs_of, read_config  # noqa: E402
from common.backbone import Warmup, demonstration  # noqa: E402
from common.dataset import question_id, write_dataset  # noqa: E402
from common.held_out import charts  # noqa: E402
from common.intervals import difference, interval  # noqa: E402
from common.world import TIERS, WORLD, YEARS, draw_chart, draw_question  # noqa: E402
from tiny.charts import twin  # noqa: E402

NAMES = ("ladder", "release", "tiers", "order", "alignment")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiments")
    write_dataset(folder, seed=10, train=40, held_out=20, misaligned=0.5)
    return folder


def test_charts_of_a_question_differ_and_its_answer_follows_from_the_right_one() -> None:
    chance = random.Random(10)
    for _ in range(300):
        question = draw_question(chance)
        shown = [(chart.company, chart.year) for chart in question.charts]
        assert len(set(shown)) == len(shown) == WORLD.images
        assert question.tiers[question.gold] == "gold"
        assert question.charts[question.gold].name in question.text
        profit = question.charts[question.gold].profit
        right = str(profit) if question.bound is None else ("Yes" if profit >= question.bound else "No")
        assert question.options["ABCD".index(question.letter)] == question.answer == right


def test_a_tier_says_what_its_distractor_shows() -> None:
    chance = random.Random(11)
    seen = set()
    for _ in range(300):
        question = draw_question(chance)
        asked = question.charts[question.gold]
        for chart, tier in zip(question.charts, question.tiers, strict=True):
            seen.add(tier)
            expected = {asked.company: ("gold", "same_company"), twin(asked.company): ("nearest",)}
            assert tier in expected.get(chart.company, ("random",))
    assert seen == {"gold", *TIERS}


def test_random_distractors_alone_are_of_other_colours_and_places_tell_nothing() -> None:
    chance = random.Random(12)
    questions = [draw_question(chance, tiers=("random",)) for _ in range(800)]
    assert {tier for question in questions for tier in question.tiers} == {"gold", "random"}
    assert all(150 < sum(question.gold == place for question in questions) < 250 for place in range(4))


def test_the_wrong_chart_answers_yes_or_no_questions_right_half_of_the_time() -> None:
    chance = random.Random(13)
    lucky = {"value": [0, 0], "at_least": [0, 0]}
    for _ in range(2000):
        question = draw_question(chance)
        other = (question.gold + 1) % len(question.charts)
        lucky[question.kind][0] += question.answer_from(other) == question.answer
        lucky[question.kind][1] += 1
    assert 0.2 < lucky["value"][0] / lucky["value"][1] < 0.3
    assert 0.5 < lucky["at_least"][0] / lucky["at_least"][1] < 0.65


def test_a_chart_shows_its_year_by_the_place_of_its_mark() -> None:
    question = draw_question(random.Random(14))
    for chart in question.charts:
        image = draw_chart(chart)
        left, right = image.getpixel((1, 1)), image.getpixel((26, 1))
        black, white = (0, 0, 0), (255, 255, 255)
        assert (left, right) == ((black, white) if chart.year == YEARS[0] else (white, black))


def test_right_solutions_earn_full_marks_and_careless_ones_come_at_their_rates(run: Path) -> None:
    samples = {sample.id: sample for sample in read_samples(run / "samples", "contrastive", "test")}
    chance = random.Random("10:contrastive:test")  # of the split
    for _ in range(20):
        question = draw_question(chance)
        sample = samples[question_id(question)]
        completion = write_completion(question.thinking(), question.letter, question.gold + 1)
        assert grade_sample(sample, completion).value == 1.0
        assert in_format(sample, read_tags(completion))
        assert sample.gold_images == (question.gold,)
    other, wrong = 0, 0
    for _ in range(1000):
        question = draw_question(chance)
        tags = read_tags(demonstration(question, False, Warmup(careless=0.3, slips=0.1), chance))
        other += tags.image_selection != str(question.gold + 1)
        about = int(tags.image_selection or 0) - 1
        wrong += tags.answer != question.letter_from(about)
    assert 250 < other < 350
    assert 70 < wrong < 130


def test_an_id_of_a_question_means_one_figure(run: Path) -> None:
    train = [*read_samples(run / "samples", "contrastive", "train"), *read_samples(run / "samples", "text", "train")]
    assert len({sample.qa_id for sample in train}) == len(train)


def test_text_samples_have_no_images_and_the_same_answer(run: Path) -> None:
    for sample in read_samples(run / "samples", "text", "train"):
        assert not sample.images
        assert str(sample.evidence[0].text) in sample.context


def test_misaligned_samples_keep_question_and_place_but_not_the_chart(run: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path, seed=10, train=40, held_out=20)
    aligned, half = (
        {one.id: one for one in read_samples(folder / "samples", "contrastive", "train")} for folder in (tmp_path, run)
    )
    assert aligned.keys() == half.keys()
    swapped = [name for name in aligned if aligned[name].images != half[name].images]
    assert 10 <= len(swapped) <= 30
    for name in swapped:
        first, second = aligned[name], half[name]
        places = [n for n in range(4) if first.images[n] != second.images[n]]
        assert tuple(places) == first.gold_images == second.gold_images
        assert (first.question, first.answer) == (second.question, second.answer)
    tests = [list(read_samples(folder / "samples", "contrastive", "test")) for folder in (tmp_path, run)]
    assert tests[0] == tests[1]


def test_real_charts_become_samples_of_the_types_that_can_be_parsed(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), "red" if name == "a.png" else "blue").save(tmp_path / "images" / name)
    kinds = {"choice": "B", "true/false": "False", "number": 12.5, "free text": "words"}
    records = [
        {
            "id": kind, "doc_id": "1", "lang": "en", "question": "What?", "answer": answer, "answer_type": kind,
            "choices": {"A": "2020", "B": "2021"} if kind == "choice" else None,
            "gold_images": ["b.png"], "candidate_images": ["a.png", "b.png"],
        }
        for kind, answer in kinds.items()
    ]  # fmt: skip
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    found = charts(tmp_path, tmp_path / "store", 9).samples
    assert len(found) == 3
    for sample, right in zip(sorted(found, key=lambda one: one.qa_id), ("B", "12.5", "B"), strict=True):
        assert sample.gold_images == (1,)
        assert grade_sample(sample, write_completion("so", right, 2)).value == 1.0
        assert grade_sample(sample, write_completion("so", "99", 2)).value == 0.0


def test_intervals_hold_the_mean_and_widen_with_the_seeds() -> None:
    near = {seed: {str(n): float(n % 2) for n in range(100)} for seed in range(3)}
    far = {seed: {str(n): float(n % 10 < 2 + 3 * seed) for n in range(100)} for seed in range(3)}
    narrow, wide = interval(near), interval(far)
    assert narrow.value == pytest.approx(0.5)
    assert narrow.low < 0.5 < narrow.high
    assert 0.09 < narrow.high - narrow.low < 0.16  # 300 coins: 1.96 * 2 * sqrt(.25 / 300) = .113, seeds drawn anew
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert wide.seeds == pytest.approx((0.2, 0.5, 0.8))


def test_a_difference_is_paired_by_item() -> None:
    first = {seed: {str(n): float(n % 2) for n in range(50)} for seed in range(3)}
    second = {seed: {item: value + 0.25 for item, value in items.items()} for seed, items in first.items()}
    gained = difference(first, second)
    assert (gained.value, gained.low, gained.high) == pytest.approx((0.25, 0.25, 0.25))
    with pytest.raises(ValueError, match="same items"):
        difference(first, {0: first[0]})


@pytest.mark.parametrize("path", [*(f"{name}/config.toml" for name in NAMES), "ladder/gpu.toml"])
def test_every_config_reads_and_its_arms_have_jobs(path: str) -> None:
    config = read_config(EXPERIMENTS / path)
    assert config.name == path.split("/")[0]
    for one in config.compare:
        assert config.arm(one.first)
        assert config.arm(one.second)
    for arm in config.arms:
        assert len(jobs_of(config, arm, 0)) == 1 + len(arm.stages)


def test_experiments_share_what_their_arms_have_in_common() -> None:
    ladder, order, tiers = (read_config(EXPERIMENTS / name / "config.toml") for name in ("ladder", "order", "tiers"))
    chains = [[job.key for job in jobs_of(config, config.arm("all"), 0)] for config in (ladder, order, tiers)]
    assert chains[1] == chains[2]
    assert chains[0][:2] == chains[1][:2] and chains[0][2] != chains[1][2]  # the ladder has a stage 2 of its own
    keys = {job.key for arm in ladder.arms for job in jobs_of(ladder, arm, 0)}
    assert len(keys) == len(ladder.arms)  # the backbone, stage 1, and five times stage 2
    assert not keys & {job.key for arm in ladder.arms for job in jobs_of(ladder, arm, 1)}


def test_whatever_decides_a_result_changes_its_key() -> None:
    config = read_config(EXPERIMENTS / "ladder" / "config.toml")

    def key(config: ExperimentConfig, use: StageUse) -> str:
        arm = config.arm("all").model_copy(update={"stages": (use,)})
        return jobs_of(config, arm, 0)[-1].key

    plain = StageUse(stage="stage2")
    other = config.model_copy(update={"warmup": {"careless": 0.5}})
    keys = [
        key(config, plain),
        key(other, plain),
        key(config, StageUse(stage="stage2", rewards="image")),
        key(config, StageUse(stage="stage2", steps=7)),
        key(config, StageUse(stage="stage2", data=DataConfig(misaligned=0.5))),
        key(config, StageUse(stage="stage2", data=DataConfig(tiers=("random",)))),
        key(config, StageUse(stage="stage2", changes={"grpo": {"learning_rate": 1e-3}})),
    ]
    assert len(set(keys)) == len(keys)
    with pytest.raises(FinlmmError, match="no rewards 'none'"):
        key(config, StageUse(stage="stage2", rewards="none"))


@pytest.mark.slow
def test_each_script_runs_in_its_smoke_form_and_goes_on_where_it_was(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in NAMES:
        done = subprocess.run(
            [sys.executable, str(EXPERIMENTS / name / "run.py"), "--smoke", "--workers", "1", "--cache", str(cache)],
            capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        found = {line["what"]: line for line in lines}
        assert f"{name}.image_over_chance" in found
        assert (cache / "smoke" / name / "items.parquet").is_file()
        if name == "ladder":
            assert found["ladder.gain_over_warmup"]["n"] == 8
    again = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "ladder" / "run.py"), "--smoke", "--cache", str(cache)],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert again.returncode == 0
    assert "is whole" not in again.stderr
