"""Does stage 2 teach? A tiny Qwen2.5-VL on a CPU, before and after, on held-out chart questions; three seeds.

Usage: python experiments/tiny_tar.py [--seeds 3] [--first-seed 0] [--out runs/tiny_tar] [--smoke]
Prints for every seed, and as means over the seeds:

* ``tiny_tar.answer_gain``, ``tiny_tar.image_gain``: share of right answers and of right images in completions drawn at
  temperature 1, after stage 2 minus before it (after the warm-up), the same held-out questions and the same draws;
* ``tiny_tar.auc``: how well the discriminator of the adversarial reward, as stage 2 left it, tells right from wrong in
  completions of held-out questions drawn after stage 2, the final answer hidden from it;
* ``tiny_tar.auc_by_kind``: what of this the kind of the question alone would give.

The run is an ordinary one: a samples folder, a [train] table, ``run_training``. See docs/experiments.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models are slower with more

from tiny.backbone import Pretraining, make_backbone
from tiny.charts import World
from tiny.dataset import write_dataset

from finlmm_core.config import RunConfig
from finlmm_core.domain import RewardContext, Sample, Sampling
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.rewards.reward_set import RewardSet
from finlmm_core.rewards.services import RewardServices
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.store.images import ImageStore
from finlmm_core.train.checkpoints import latest_whole, load_states
from finlmm_core.train.config import TrainConfig
from finlmm_core.train.evaluate import evaluate_samples
from finlmm_core.train.evaluation import Evaluation
from finlmm_core.train.stages import run_training

#: Of the dataset and the weights that the backbone is made with; no seed of an experiment is as large.
BACKBONE_SEED = 1000


class Size(NamedTuple):
    """How much is learned and asked."""

    pretraining: Pretraining = Pretraining()
    train: int = 3000  # questions to learn from
    held_out: int = 300
    draws: int = 2  # completions of each held-out question
    warmup: int = 200  # optimizer steps
    stage2: int = 100
    batch: int = 64  # completions a step, eight a question
    discriminator: int = 4  # steps between two rounds of its training


SMOKE = Size(
    Pretraining(finding_two=4, finding=4, batch=8),
    train=64, held_out=16, draws=2, warmup=6, stage2=4, batch=16, discriminator=1,
)  # fmt: skip


class Outcome(NamedTuple):
    """What one seed gave."""

    before: Evaluation
    after: Evaluation
    greedy_before: float
    greedy_after: float
    auc: float | None
    auc_by_kind: float | None
    seconds: float


def train_table(backbone: Path, samples: Path, size: Size) -> TrainConfig:
    """Return the [train] table: a short warm-up, then stage 2 with the rewards of the preset and their weights."""
    rewards = [
        {"name": "format", "weight": 0.10},
        {"name": "accuracy", "weight": 0.60},
        {"name": "image_selection", "weight": 0.15},
        {
            "name": "thinking_length",
            "weight": 0.05,
            "options": {"too_short": 40, "best_from": 60, "best_to": 240},  # solutions here have 80 to 200 characters
        },
        {
            "name": "adversarial",
            "weight": 0.15,
            "options": {
                "encoder": "tiny",
                "read_options": True,
                "every": size.discriminator,
                "batch_size": 64,
                "least_examples": 8 if size.stage2 > 10 else 2,
                "held_out": 0.1,
            },
        },
    ]
    warmup = {
        "max_steps": size.warmup,
        "per_device_train_batch_size": 32 if size.stage2 > 10 else 8,
        "learning_rate": 1e-3,
        "warmup_steps": 10,
        "lr_scheduler_type": "constant_with_warmup",
        "save_steps": size.warmup,
        "logging_steps": 10,
    }
    grpo = {
        "max_steps": size.stage2,
        "per_device_train_batch_size": size.batch,
        "num_generations": 8,
        "max_completion_length": 64,
        "learning_rate": 3e-4,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 5,
        "beta": 0.0,
        "temperature": 1.0,
        "save_steps": size.stage2,
        "logging_steps": 5,
    }
    return TrainConfig.model_validate(
        {
            "model": {"name": "qwen-vl", "options": {"path": str(backbone)}},
            "samples": str(samples),
            "stages": [
                {"name": "warmup", "method": "sft", "samples": "contrastive", "sft": warmup},
                {"name": "stage2", "method": "grpo", "samples": "contrastive", "rewards": rewards, "grpo": grpo},
            ],
        }
    )


def prepare_backbone(folder: Path, size: Size, world: World) -> Path:
    """Return the model that every seed begins with; made once."""
    model = folder / "model"
    if not (folder / "whole").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        samples = write_dataset(
            folder, seed=BACKBONE_SEED, train=400 if size.stage2 > 10 else 40, held_out=1, world=world
        )
        known = [one for kind in ("contrastive", "text") for one in read_samples(samples, kind, "train")]  # type: ignore[arg-type]
        make_backbone(
            model, known, world=world, pretraining=size.pretraining, seed=BACKBONE_SEED,
            tell=lambda step, found, read: progress(f"backbone: step {step}, loss {found:.3f} and {read:.3f}"),
        )  # fmt: skip
        (folder / "whole").touch()
    return model


def run_seed(seed: int, folder: Path, backbone: Path, size: Size, world: World, plugins: Plugins) -> Outcome:
    """Train with one seed; return how held-out questions are answered before and after stage 2."""
    begun = time.perf_counter()
    data, run = folder / "data", folder / "run"
    samples = write_dataset(data, seed=seed, train=size.train, held_out=size.held_out, world=world, texts=False)
    table = train_table(backbone, samples, size)
    config = RunConfig(out=run, seed=seed, train=table)
    summary = run_training(config, plugins)
    for stage in summary.stages:
        progress(f"seed {seed}: {stage.name} took {stage.seconds or 0:.0f} s")
    store = ImageStore(data / "images")
    asked = list(read_samples(samples, "contrastive", "test"))

    def answered(stage: str, temperature: float, draws: int) -> Evaluation:
        model = PluginRef(name="qwen-vl", options={"path": str(run / "train" / stage / "model")})
        sampling = Sampling(max_new_tokens=64, temperature=temperature, n=draws)
        return evaluate_samples(plugins.create("model", model), asked, store, sampling=sampling, seed=seed)  # type: ignore[arg-type]

    before, after = answered("warmup", 1.0, size.draws), answered("stage2", 1.0, size.draws)
    greedy = [answered(stage, 0.0, 1).accuracy.value for stage in ("warmup", "stage2")]
    said, right = judged(after, asked, run, table, plugins, seed)
    kinds = by_kind(after, asked)
    return Outcome(before, after, *greedy, auc(said, right), auc(kinds, right), time.perf_counter() - begun)


def judged(
    after: Evaluation, asked: Sequence[Sample], run: Path, table: TrainConfig, plugins: Plugins, seed: int
) -> tuple[list[float], list[int]]:
    """Return P(right) that the trained discriminator gives each completion, and whether it was right."""
    stage = table.stages[-1]
    ref = next(reward for reward in stage.rewards if reward.name == "adversarial")
    reward = RewardSet.create([ref], plugins).rewards[0]
    reward.prepare(RewardServices(plugins, seed=seed))
    checkpoint = latest_whole(run / "train" / stage.name / "checkpoints")
    assert checkpoint is not None
    reward.load_state_dict(load_states(checkpoint)["adversarial"])
    samples = {sample.id: sample for sample in asked}
    contexts = [
        RewardContext(
            sample=samples[one.sample_id], completion=one.completion, group_id=one.sample_id, stage=stage.name
        )
        for one in after.graded
    ]
    said = [score.value for score in reward.score(contexts)]
    return [0.0 if value is None else value for value in said], [
        int((one.accuracy or 0) >= 0.5) for one in after.graded
    ]


def by_kind(after: Evaluation, asked: Sequence[Sample]) -> list[float]:
    """Return for each completion how often questions of its kind were answered right."""
    kind = {sample.id: (sample.type, sample.question.rpartition(" ")[2]) for sample in asked}
    kind = {name: (a, b if b in ("highest?", "lowest?") else "") for name, (a, b) in kind.items()}
    graded: dict[Any, list[float]] = defaultdict(list)
    for one in after.graded:
        graded[kind[one.sample_id]].append(one.accuracy or 0.0)
    return [sum(graded[kind[one.sample_id]]) / len(graded[kind[one.sample_id]]) for one in after.graded]


def auc(said: Sequence[float], right: Sequence[int]) -> float | None:
    """Return the chance that a right one is above a wrong one, ties counting half; None where one kind is missing."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(right, said)) if len(set(right)) == 2 else None


def figures(outcome: Outcome) -> dict[str, float | None]:
    """Return the figures of one seed by name."""
    before, after = outcome.before, outcome.after
    assert before.image_selection is not None and after.image_selection is not None
    return {
        "answer_gain": after.accuracy.value - before.accuracy.value,
        "image_gain": after.image_selection.value - before.image_selection.value,
        "auc": outcome.auc,
        "auc_by_kind": outcome.auc_by_kind,
        "answer_before": before.accuracy.value,
        "answer_after": after.accuracy.value,
        "image_before": before.image_selection.value,
        "image_after": after.image_selection.value,
        "format_before": before.format,
        "format_after": after.format,
        "greedy_answer_before": outcome.greedy_before,
        "greedy_answer_after": outcome.greedy_after,
        "seconds": outcome.seconds,
    }


def progress(text: str) -> None:
    """Tell how far it is, beside the figures."""
    print(text, file=sys.stderr, flush=True)


def line(what: str, value: float | None, unit: str, n: int, more: Mapping[str, Any] | None = None) -> None:
    """Print one measurement."""
    rounded = round(value, 4) if value is not None else None
    print(json.dumps({"what": what, "value": rounded, "unit": unit, "n": n, **(more or {})}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="developed on seeds 10 and above")
    parser.add_argument("--out", type=Path, default=Path("runs/tiny_tar"), help="a seed is run anew each time")
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything, to see that it runs")
    given = parser.parse_args()
    size, world, plugins = SMOKE if given.smoke else Size(), World(), Plugins.load()
    backbone = prepare_backbone(given.out / ("smoke-backbone" if given.smoke else "backbone"), size, world)
    found: dict[str, list[float | None]] = defaultdict(list)
    units = {"seconds": "s", "auc": "AUC", "auc_by_kind": "AUC"}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        folder = given.out / f"seed{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        outcome = run_seed(seed, folder, backbone, size, world, plugins)
        for name, value in figures(outcome).items():
            found[name].append(value)
            line(f"tiny_tar.{name}.seed{seed}", value, units.get(name, "share"), outcome.after.completions)
    for name, values in found.items():
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if known else None
        rounded = [round(value, 4) if value is not None else None for value in values]
        line(f"tiny_tar.{name}", mean, units.get(name, "share"), len(known), {"seeds": rounded})


if __name__ == "__main__":
    main()
