"""`make demo`: its commands and its configuration hold together, and in small they end with a page that shows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from train_runs import make_dataset

from finlmm_core.config import load_config
from finlmm_core.plugins.manager import Plugins
from finlmm_core.tiny_models import TAG_TOKENS, dataset_corpus

REPOSITORY = Path(__file__).resolve().parents[1]
DEMO = REPOSITORY / "configs/demo.toml"


def demo_commands() -> list[str]:
    """The finlmm commands of `make demo`, with folders filled in."""
    rule = (REPOSITORY / "Makefile").read_text().partition("\ndemo: install\n")[2].partition("\n\n")[0]
    lines = rule.replace("\\\n", " ").replace("$(DEMO)", "runs/demo").splitlines()
    found = [line.partition("$(BIN)/")[2] for line in lines if "$(BIN)/finlmm" in line]
    return [re.sub(r"\s+", " ", line).strip() for line in found]


def test_the_makefile_runs_what_the_configuration_says() -> None:
    said = re.findall(r"^#   (finlmm .*)$", DEMO.read_text(), re.M)
    assert [line for line in demo_commands() if line.split()[1] != "synth"] == said[1:]
    assert demo_commands()[0] == said[0]


def test_the_configuration_has_no_mistakes_and_ends_with_the_five_rewards() -> None:
    config = load_config([DEMO], plugins=Plugins.load())
    assert config.train is not None
    assert [stage.method for stage in config.train.stages] == ["sft", "grpo", "sft", "grpo"]
    assert [reward.name for reward in config.train.stages[-1].rewards] == [
        "format", "accuracy", "image_selection", "thinking_length", "adversarial",
    ]  # fmt: skip
    assert config.train.model.options["path"] in demo_commands()[2]
    assert f"--max-pixels {config.train.model.options['max_pixels']}" in demo_commands()[2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("demo") / "samples")


def test_the_tokenizer_of_the_demo_knows_its_prompts_and_the_tags(dataset: Path) -> None:
    texts = dataset_corpus(dataset)
    assert any(text.startswith("<think>") and text.endswith("</image_selection>") for text in texts)
    assert any("Options:\nA. " in text for text in texts)
    assert TAG_TOKENS[:2] == ("<think>", "</think>")
    assert len(TAG_TOKENS) == 6


@pytest.mark.slow
def test_the_demo_in_small_ends_with_held_out_answers_curves_and_rollouts(dataset: Path, tmp_path: Path) -> None:
    def finlmm(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "finlmm_core.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    model = tmp_path / "model"
    finlmm("models", "tiny", "qwen2.5-vl", model, "--samples", dataset, "--vocab", 700, "--max-pixels", 3136)
    settings = [
        f"train.samples={dataset}", f"train.model.options.path={model}", "train.model.options.max_pixels=3136",
        "train.evaluate=4", "train.stages.3.grpo.max_completion_length=24",
        "train.stages.1.grpo.max_completion_length=24",
        *(f"train.stages.{n}.types=[]" for n in range(4)),
        *(f"train.stages.{n}.sft.max_steps=4" for n in (0, 2)),
        *(f"train.stages.{n}.grpo.max_steps=3" for n in (1, 3)),
    ]  # fmt: skip
    out = tmp_path / "run"
    sets = [part for setting in settings for part in ("--set", setting)]
    summary = json.loads(finlmm("train", DEMO, "-o", out, "--json", *sets))
    assert [stage["steps"] for stage in summary["stages"]] == [4, 3, 4, 3]
    assert summary["before"]["n"] == 4
    page = (out / "report/index.html").read_text(encoding="utf-8")
    for stage in ("warmup-text", "stage1", "warmup-images", "stage2"):
        assert f"<h3>{stage}</h3>" in page
        assert f"after {stage}" in page
    for words in (
        "Answer accuracy",
        "Image selection: minus chance",
        "Thinking length",
        "Total reward",
        "late, step 3",
    ):
        assert words in page, words
