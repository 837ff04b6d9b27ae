"""`finlmm train` on a real pretrained model, on two processes, and worked solutions over a dataset built from PDFs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from test_train_solutions import full_marks, rewards, wrong_steps  # noqa: F401 - 'rewards' is a fixture
from train_runs import config, grpo, logged, make_dataset, train, train_in_its_own_process, warm_up

from finlmm_core.answers import gold_problem, read_tags
from finlmm_core.config import load_config
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards import RewardSet
from finlmm_core.steps.runner import run_steps
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.synth import make_reports
from finlmm_core.testing import tiny_model
from finlmm_core.testing.smollm import smollm_folder
from finlmm_core.train.solutions import solution

pytestmark = pytest.mark.slow
TWO = Path(__file__).resolve().parents[1] / "configs/accelerate/cpu2.yaml"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("dataset") / "samples")


def test_a_real_text_model_goes_through_both_stages_with_adapters(dataset: Path, tmp_path: Path) -> None:
    folder = smollm_folder()
    first, second = warm_up(samples="text", limit=1), grpo("stage1", samples="text", limit=1)
    first["sft"].update(per_device_train_batch_size=1, learning_rate=2e-3, save_strategy="no")
    second["grpo"].update(max_steps=1, per_device_train_batch_size=2, save_strategy="no")
    file = config(tmp_path / "c.toml", tmp_path / "run", dataset, folder, [first, second], "causal-lm")
    lora = ("--set", "train.model.options.lora={rank = 4}")
    result = train(file, *lora, "--json")
    assert result.exit_code == 0, result.output
    losses = [line["loss"] for line in logged(tmp_path / "run/train/warm-up")]
    assert losses[-1] < losses[0] - 0.1, losses
    for stage in ("warm-up", "stage1"):
        model = tmp_path / "run/train" / stage / "model"
        assert not (model / "adapter_config.json").exists()  # merged
        assert json.loads((model / "config.json").read_text())["model_type"] == "llama"


def test_two_processes_learn_what_one_does(dataset: Path, tmp_path: Path) -> None:
    model = tiny_model("qwen2.5-vl", tmp_path / "tiny")
    stages = [warm_up(), grpo()]
    launcher = (
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(TWO), "-m", "finlmm_core.cli",
    )  # fmt: skip
    stages[0]["sft"].update(per_device_train_batch_size=1)
    together = config(tmp_path / "two.toml", tmp_path / "two", dataset, model, stages, evaluate=3)
    done = train_in_its_own_process(together, "--json", "--show", "1", launcher=launcher)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) == 1  # one process tells
    assert done.stderr.count("--- warm-up: prompt 1 of 1") == 1
    summary = json.loads(done.stdout)
    assert [stage["steps"] for stage in summary["stages"]] == [3, 2]
    assert summary["stages"][1]["held_out"]["n"] == 3

    stages[0]["sft"].update(per_device_train_batch_size=2)
    alone = config(tmp_path / "one.toml", tmp_path / "one", dataset, model, stages[:1])
    assert train(alone, "-q").exit_code == 0
    losses = [[line["loss"] for line in logged(tmp_path / run / "train/warm-up")] for run in ("one", "two")]
    # The same samples in the same order; two processes weigh samples, one process their tokens.
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)

    # A mistake in what was given is told once, and nobody hangs.
    wrong = train_in_its_own_process(together, "--set", "train.stages.0.sft.packing=true", launcher=launcher)
    assert wrong.returncode != 0
    assert wrong.stderr.count("is not yours to set") == 1


def test_every_solution_of_a_built_run_is_right(tmp_path: Path, rewards: RewardSet) -> None:  # noqa: F811
    make_reports(tmp_path / "reports", 5, 3, chinese=0.4)
    overrides = {"reports": str(tmp_path / "reports"), "out": str(tmp_path / "run"), "parse": {"ocr": "none"}}
    plugins = Plugins.load()
    run_steps(load_config(overrides=overrides, plugins=plugins), plugins, last="samples")
    samples = [
        one
        for kind in ("text", "contrastive")
        for split in ("train", "validation", "test")
        for one in read_samples(tmp_path / "run/samples", kind, split)  # type: ignore[arg-type]
    ]
    assert len(samples) > 100 and {one.language for one in samples} == {"en", "zh"}
    assert [one.id for one in samples if gold_problem(one) is not None] == []
    assert [one.id for one in samples if solution(one) is None] == []
    full_marks(rewards, samples)
    wrong = {one.id: wrong_steps(read_tags(solution(one) or "").think or "") for one in samples}
    assert {name: steps for name, steps in wrong.items() if steps} == {}
