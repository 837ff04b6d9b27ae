"""The small world of the learning experiments: charts, their dataset in the project's format, and the script itself."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from finlmm_core.answers import grade_sample, read_tags
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.store.images import ImageStore
from finlmm_core.train.solutions import solution

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

from tiny.charts import BAND, COMPANIES, INK, KINDS, QUARTERS, SIDE, WORLD, draw_chart, draw_question, twin  # noqa: E402
from tiny.dataset import write_dataset  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    write_dataset(folder, seed=10, train=60, held_out=20, world=WORLD._replace(kinds=KINDS))
    return folder


def test_a_question_has_one_right_option_and_one_chart_of_its_company() -> None:
    chance = random.Random(10)
    for _ in range(300):
        question = draw_question(chance, WORLD._replace(kinds=KINDS))
        assert len(set(question.options)) == 4
        assert question.options.count(question.answer) == 1
        assert len(set(question.companies)) == len(question.companies)
        assert question.companies[question.gold] in question.text
        mine = question.profits[question.gold]
        if question.kind == "highest":
            assert mine[QUARTERS.index(question.answer)] == max(mine)
        elif question.kind == "lowest":
            assert mine[QUARTERS.index(question.answer)] == min(mine)
        else:
            assert mine[question.quarter] == int(question.answer)


def test_the_place_of_the_right_chart_tells_nothing() -> None:
    chance = random.Random(11)
    world = WORLD._replace(least_images=4, most_images=4)
    places = [draw_question(chance, world).gold for _ in range(2000)]
    assert all(400 < places.count(place) < 600 for place in range(4))


def test_a_chart_shows_its_company_by_colour_and_its_profits_by_height() -> None:
    image = draw_chart("Gold", (1, 6, 3, 2), 6)
    assert image.size == (SIDE, SIDE)
    assert image.getpixel((3, 2)) == COMPANIES["Gold"]
    heights = [sum(image.getpixel((7 * bar + 3, y)) == INK for y in range(BAND, SIDE)) for bar in range(4)]
    assert heights[0] < heights[3] < heights[2] < heights[1] == SIDE - BAND - 1


def test_twins_are_companies_of_each_other() -> None:
    assert all(twin(twin(company)) == company != twin(company) for company in COMPANIES)


@pytest.mark.parametrize("kind", ["contrastive", "text"])
def test_samples_are_read_back_and_their_worked_solutions_are_right(run: Path, kind: str) -> None:
    samples = list(read_samples(run / "samples", kind, "train"))  # type: ignore[arg-type]
    assert len(samples) == 60
    for sample in samples:
        completion = solution(sample)
        assert completion is not None
        assert grade_sample(sample, completion).value == 1.0
        picked = read_tags(completion).image_selection
        assert picked == (str(sample.gold_images[0] + 1) if kind == "contrastive" else None)
        assert ("gold" in sample.tiers) == (kind == "contrastive")


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
def test_the_script_runs_through_warm_up_stage_2_and_the_discriminator(tmp_path: Path) -> None:
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
