"""A small dataset, tiny models and configurations for tests of `finlmm train`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomli_w
from sample_corpus import corpus, shared_store
from typer.testing import CliRunner, Result

from finlmm_core.steps.samples import Provenance, SamplesConfig, build_samples

#: Options that make a step take a tenth of a second.
QUICK_SFT: dict[str, Any] = {"max_steps": 3, "per_device_train_batch_size": 2, "learning_rate": 1e-2, "save_steps": 2}
QUICK_GRPO: dict[str, Any] = {
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "num_generations": 2,
    "max_completion_length": 8,
    "learning_rate": 1e-2,
    "save_steps": 1,
}
REWARDS = [
    {"name": "format", "weight": 0.1},
    {"name": "accuracy", "weight": 0.6},
    {"name": "image_selection", "weight": 0.15},
    {"name": "thinking_length", "weight": 0.05},
]


def make_dataset(folder: Path) -> Path:
    """Write the samples of a small corpus; return the samples folder. It stands alone: no images beside it."""
    build_samples(corpus(), shared_store(), SamplesConfig(), 7, folder, Provenance(plugins={"parse x": "1"}))
    return folder


def warm_up(name: str = "warm-up", samples: str = "contrastive", **more: Any) -> dict[str, Any]:
    return {"name": name, "method": "sft", "samples": samples, "limit": 12, "sft": dict(QUICK_SFT), **more}


def grpo(name: str = "stage2", samples: str = "contrastive", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "method": "grpo",
        "samples": samples,
        "limit": 12,
        "rewards": REWARDS,
        "grpo": dict(QUICK_GRPO),
        **more,
    }


def config(
    file: Path,
    out: Path,
    dataset: Path,
    model: Path,
    stages: list[dict[str, Any]],
    backend: str = "qwen-vl",
    **train: Any,
) -> Path:
    """Write a configuration; return the file."""
    table = {
        "out": str(out),
        "seed": 5,
        "train": {
            "samples": str(dataset),
            "model": {"name": backend, "options": {"path": str(model)}},
            "stages": stages,
            **train,
        },
    }
    file.write_text(tomli_w.dumps(table), encoding="utf-8")
    return file


def train(*arguments: str | Path) -> Result:
    """Run `finlmm train` in this process."""
    from finlmm_core.cli.app import app
    from finlmm_core.errors import FinlmmError
    from finlmm_core.plugins.manager import Plugins

    result = CliRunner().invoke(app, ["train", *map(str, arguments)], obj=Plugins.load())
    if isinstance(result.exception, FinlmmError):
        return result  # what the command line prints as a message, with its exit code
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def message(result: Result) -> str:
    """Return the message that a command ended with."""
    assert result.exception is not None, result.output
    return str(result.exception)


def train_in_its_own_process(
    *arguments: str | Path, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `python -m finlmm_core.cli train`, or a launcher in its place."""
    started = launcher or (sys.executable, "-m", "finlmm_core.cli")
    return subprocess.run(
        [*started, "train", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )


def logged(stage: Path) -> list[dict[str, float]]:
    """Return what a stage logged, a dict a step, without times."""
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    timed = ("time", "runtime", "per_second", "seconds")
    return [
        {name: value for name, value in line.items() if not any(word in name for word in timed)}
        for line in lines
        if "train_runtime" not in line
    ]
