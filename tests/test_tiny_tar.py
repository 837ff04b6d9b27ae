"""The small world of the learning experiments: charts, their dataset in the project's format, and the script itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from finlmm_core.answers import grade_sample, read_tags
from finlmm_core.prompts import in_format, write_completion
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.store.images import ImageStore

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from tiny.backbone import Warmup, make_backbone  # noqa: E402
from tiny.charts import COMPANIES, SIDE, WORLD, Chart, draw_chart, draw_question, twin  # noqa: E402
from tiny.dataset import question_id, write_dataset  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_dataset(folder, seed=10, train=60, held_out=20)
    return folder


def test_a_question_names_the_company_of_one_chart_and_its_letter_follows_from_the_profit() -> None:
    chance = random.Random(10)
    for _ in range(300):
        question = draw_question(chance)
        companies = [chart.company for chart in question.charts]
        assert len(set(companies)) == len(companies) == WORLD.images
        assert question.options == ("10", "20", "30", "40")
        assert "ABCD".index(question.letter) == question.charts[question.gold].profit // 10 - 1
        assert [company for company in COMPANIES if f"of {company}?" in question.text] == [companies[question.gold]]


def test_the_place_of_the_right_chart_tells_nothing_and_twins_come_as_often_as_asked() -> None:
    chance = random.Random(11)
    questions = [draw_question(chance) for _ in range(2000)]
    assert 900 < sum(question.gold for question in questions) < 1100
    twins = sum(twin(question.company) in {chart.company for chart in question.charts} for question in questions)
    assert 900 < twins < 1100


def test_a_chart_shows_its_company_by_colour_and_its_profit_by_height() -> None:
    for profit in (10, 20, 30, 40):
        image = draw_chart(Chart("Blue", profit, 5), 4)
        assert image.size == (SIDE, SIDE)
        red, green, blue = COMPANIES["Blue"]
        column = [image.getpixel((SIDE // 2, y)) for y in range(SIDE)]
        assert column.count((red + 5, green + 5, blue + 5)) == profit * SIDE // 40
        assert column.count((255, 255, 255)) == SIDE - profit * SIDE // 40


def test_twins_are_companies_of_each_other() -> None:
    assert all(twin(twin(company)) == company != twin(company) for company in COMPANIES)


def test_what_the_warm_up_teaches_is_right_and_in_the_format(run: Path) -> None:
    chance = random.Random("10:test")  # of the split
    samples = {sample.id: sample for sample in read_samples(run / "samples", "contrastive", "test")}
    for _ in range(20):
        question = draw_question(chance)
        sample = samples[question_id(question)]
        completion = write_completion(question.thinking, question.letter, question.gold + 1)
        assert grade_sample(sample, completion).value == 1.0
        assert in_format(sample, read_tags(completion))
        assert sample.gold_images == (question.gold,)
        assert sample.tiers[question.gold] == "gold"
        assert ("nearest" in sample.tiers) == (twin(question.company) in {chart.company for chart in question.charts})


def test_the_warm_up_lowers_the_loss_and_stops_in_time(run: Path, tmp_path: Path) -> None:
    known = list(read_samples(run / "samples", "contrastive", "train"))
    looks = []
    short = Warmup(most_steps=20, look_every=10, questions=4, batch=8)
    last = make_backbone(tmp_path, known, warmup=short, seed=10, tell=looks.append)
    assert [look.step for look in looks] == [10, 20]
    assert last == looks[-1]
    assert looks[1].loss < looks[0].loss
    assert (tmp_path / "model.safetensors").is_file()


def test_no_question_with_its_charts_is_both_learned_and_asked(run: Path) -> None:
    train, test = (list(read_samples(run / "samples", "contrastive", split)) for split in ("train", "test"))  # type: ignore[arg-type]
    assert not {one.id for one in train} & {one.id for one in test}
    assert len({one.id for one in (*train, *test)}) == 80


def test_the_charts_stand_in_the_store_and_in_the_parquet_files(run: Path, tmp_path: Path) -> None:
    copied = ImageStore(tmp_path)
    for sample in read_samples(run / "samples", "contrastive", "test", copied):
        for ref in sample.images:
            assert copied.read_bytes(ref) == ImageStore(run / "images").read_bytes(ref)


@pytest.mark.slow
def test_the_script_runs_through_the_backbone_stage_2_and_the_discriminator(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "tiny_tar.py"), "--smoke", "--seeds", "1", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {line["what"]: line for line in lines}
    assert {"tiny_tar.answer_gain", "tiny_tar.image_gain", "tiny_tar.auc", "tiny_tar.answer_gain.seed0"} <= set(found)
    assert found["tiny_tar.answer_gain"]["seeds"] == [found["tiny_tar.answer_gain.seed0"]["value"]]
    assert (tmp_path / "seed0" / "run" / "train" / "stage2" / "model" / "config.json").is_file()
