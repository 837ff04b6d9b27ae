"""`finlmm train`: stages one after another, kept, refused, resumed; on tiny models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from train_runs import (
    config,
    grpo,
    logged,
    make_dataset,
    message,
    train,
    warm_up,
)

from finlmm_core import hookimpl
from finlmm_core.config import load_config
from finlmm_core.domain import Sampling
from finlmm_core.plugins.manager import Plugins
from finlmm_core.testing import tiny_model
from finlmm_core.train.events import Silent
from finlmm_core.train.stages import run_training
from finlmm_core.train.summary import TrainSummary


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("dataset") / "samples")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model("qwen2.5-vl", tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory, dataset: Path, model: Path) -> tuple[Path, Path, str]:
    """A warm-up on text, then a contrastive stage, through the command line: (config, out, what it printed)."""
    folder = tmp_path_factory.mktemp("golden")
    stages = [warm_up(samples="text"), grpo(curriculum={"distractors": [[0, 1], [1, 2]]})]
    file = config(folder / "train.toml", folder / "run", dataset, model, stages, evaluate=3)
    done = train(file, "--json", "--show", "1")
    assert done.exit_code == 0, done.output
    return file, folder / "run", done.stdout + "\n===\n" + done.stderr


def weights(folder: Path) -> dict[str, object]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def differ(one: Path, other: Path) -> float:
    """Return the largest difference between the weights of two models."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)  # type: ignore[operator]


def test_two_stages_come_out_of_the_command_line(golden: tuple[Path, Path, str], model: Path) -> None:
    _, out, printed = golden
    summary = TrainSummary.model_validate_json(printed.splitlines()[0])
    assert [(stage.name, stage.steps, stage.kept) for stage in summary.stages] == [
        ("warm-up", 3, False),
        ("stage2", 2, False),
    ]
    assert summary.before["n"] == 3
    assert all("accuracy" in stage.held_out for stage in summary.stages)
    for stage in ("warm-up", "stage2"):
        folder = out / "train" / stage
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["step"] == f"train/{stage}"
        assert manifest["counts"]["samples"] == 12
        assert len(logged(folder)) == manifest["counts"]["steps"]
        assert (folder / "evaluation.json").is_file()
    assert (out / "train/stage2/rollouts").is_dir()
    assert "Training" in (out / "report/index.html").read_text(encoding="utf-8")
    assert (out / "train/summary.json").is_file()


def test_each_stage_starts_from_the_output_of_the_one_before(golden: tuple[Path, Path, str], model: Path) -> None:
    _, out, _ = golden
    warmed, last = out / "train/warm-up/model", out / "train/stage2/model"
    assert differ(model, warmed) > 1e-3  # it learned
    # The last stage moved little: it did not begin at the first model, from which it would be as far.
    assert 0 <= differ(warmed, last) < differ(model, last)


def test_the_output_loads_as_any_model(golden: tuple[Path, Path, str]) -> None:
    from finlmm_core.plugins.refs import PluginRef

    _, out, _ = golden
    backend = Plugins.load().create(
        "model", PluginRef(name="qwen-vl", options={"path": str(out / "train/stage2/model")})
    )
    messages = [{"role": "user", "content": [{"type": "text", "text": "Say something."}]}]
    assert len(backend.chat(messages, Sampling(max_new_tokens=4)).token_ids) <= 4  # type: ignore[attr-defined]


def test_prompts_are_shown_before_anything_is_loaded(golden: tuple[Path, Path, str]) -> None:
    printed = golden[2].partition("\n===\n")[2]
    assert "[image 420x160]" in printed
    assert "[right answer] " in printed and "right image " in printed
    assert "<think>reasoning</think><answer>letter</answer><image_selection>number</image_selection>" in printed
    assert "Context:" in printed  # of the text stage


def test_a_stage_that_is_whole_is_kept(golden: tuple[Path, Path, str]) -> None:
    file, out, _ = golden
    before = {path: path.stat().st_mtime_ns for path in out.glob("train/*/model/*")}
    result = train(file, "--json")
    assert result.exit_code == 0
    summary = TrainSummary.model_validate_json(result.stdout)
    assert [stage.kept for stage in summary.stages] == [True, True]
    assert {path: path.stat().st_mtime_ns for path in out.glob("train/*/model/*")} == before


def test_the_hook_hears_of_every_stage(golden: tuple[Path, Path, str]) -> None:
    heard = []

    class Listener:
        @hookimpl
        def finlmm_step_finished(self, record) -> None:  # type: ignore[no-untyped-def]
            heard.append((record.step, record.counts["steps"]))

    plugins = Plugins.load()
    plugins.register(Listener(), "test 1:listener")
    run_training(load_config([golden[0]], plugins=plugins), plugins)
    assert heard == [("train/warm-up", 3), ("train/stage2", 2)]


def test_other_options_are_refused_and_named(golden: tuple[Path, Path, str]) -> None:
    file = golden[0]
    result = train(file, "--set", "train.stages.1.grpo.learning_rate=0.5")
    assert "stage2.grpo.learning_rate: was 0.01, is 0.5" in message(result)
    assert "--fresh to redo stage2 and what follows" in message(result)
    result = train(file, "--set", "train.stages.0.sft.learning_rate=0.5")
    assert "warm-up.sft.learning_rate: was 0.01, is 0.5" in message(result)
    assert "start.key" not in message(result)  # follows from the first


def test_a_stage_alone_needs_the_one_before(dataset: Path, model: Path, tmp_path: Path) -> None:
    file = config(tmp_path / "c.toml", tmp_path / "run", dataset, model, [warm_up(), warm_up("again")])
    result = train(file, "--stage", "again")
    assert "starts from the output of 'warm-up', which is not finished" in message(result)
    assert "--stage warm-up" in message(result)
    assert "The stages are: warm-up, again" in message(train(file, "--stage", "agian"))
    assert not (tmp_path / "run/train/warm-up").exists()


def test_a_killed_warm_up_ends_as_if_it_had_never_been_killed(dataset: Path, model: Path, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class KillsAtStep3(Silent):
        def logged(self, step: int, metrics: object) -> None:
            if step == 3:
                raise Killed

    stage = warm_up()
    stage["sft"]["max_steps"] = 4
    straight = config(tmp_path / "a.toml", tmp_path / "straight", dataset, model, [stage])
    killed = config(tmp_path / "b.toml", tmp_path / "killed", dataset, model, [stage])
    assert train(straight, "-q").exit_code == 0
    plugins = Plugins.load()
    with pytest.raises(Killed):
        run_training(load_config([killed], plugins=plugins), plugins, events=KillsAtStep3())
    result = train(killed, "--json")
    summary = TrainSummary.model_validate_json(result.stdout)
    assert [(one.steps, one.resumed_from) for one in summary.stages] == [(4, 2)]
    folders = [tmp_path / run / "train/warm-up" for run in ("straight", "killed")]
    assert differ(folders[0] / "model", folders[1] / "model") < 1e-6
    assert [line["loss"] for line in logged(folders[0])] == pytest.approx([line["loss"] for line in logged(folders[1])])
    assert differ(model, folders[1] / "model") > 1e-3

    # And options that changed redo it where that is wanted.
    result = train(killed, "--json", "--fresh", "--set", "train.stages.0.sft.max_steps=1")
    summary = TrainSummary.model_validate_json(result.stdout)
    assert [(one.steps, one.resumed_from) for one in summary.stages] == [(1, 0)]


def test_training_needs_a_train_table_and_a_folder(dataset: Path, model: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.write_text("seed = 1\n")
    assert "no [train] table" in message(train(empty))
    file = config(tmp_path / "c.toml", tmp_path / "run", dataset, model, [warm_up()])
    file.write_text(file.read_text().replace("out = ", "reports = "))
    assert "No folder for the run" in message(train(file))


def test_the_command_line_starts_as_a_module_and_imports_no_torch() -> None:
    code = (
        "import sys; from finlmm_core.cli.app import app; import finlmm_core.cli.train; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    module = [sys.executable, "-m", "finlmm_core.cli", "train", "--help"]
    assert "--drop-bad" in subprocess.run(module, capture_output=True, text=True, check=True).stdout
