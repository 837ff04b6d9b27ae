"""Does stage 2 teach? A tiny Qwen2.5-VL on a CPU, before and after, on held-out chart questions; three seeds.

Usage: python experiments/tiny_tar.py [--seeds 3] [--first-seed 0] [--out runs/tiny_tar] [--smoke]
Prints for every seed, and as means over the seeds:

* ``tiny_tar.answer_gain``, ``tiny_tar.image_gain``: share of right answers and of right images in completions drawn at
  temperature 1, after stage 2 minus before it, the same held-out questions and the same draws;
* ``tiny_tar.auc``: how well the discriminator of the adversarial reward, as stage 2 left it, tells right from wrong in
  completions of held-out questions drawn after stage 2, the final answer hidden from it;
* ``tiny_tar.auc_by_kind``: what of this the kind of the question (which company, and is its twin there) would give.

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
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models are slower with more

from tiny.backbone import Look, Warmup, make_backbone
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


class Size(NamedTuple):
    """How much is learned and asked."""

    warmup: Warmup = Warmup()
    train: int = 2000  # questions to learn from
    held_out: int = 300
    draws: int = 2  # completions of each held-out question
    steps: int = 100  # of stage 2
    batch: int = 64  # completions a step, eight a question
    discriminator: int = 2  # steps between two rounds of its training


SMOKE = Size(Warmup(most_steps=4, batch=8, questions=8), train=64, held_out=16, steps=4, batch=16, discriminator=1)
#: Questions whose phrases the tokenizer learns.
KNOWN = 200


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
    """Return the [train] table: stage 2 alone, with the rewards of the preset and their weights."""
    rewards = [
        {"name": "format", "weight": 0.10},
        {"name": "accuracy", "weight": 0.60},
        {"name": "image_selection", "weight": 0.15},
        {
            "name": "thinking_length",
            "weight": 0.05,
            "options": {"too_short": 20, "best_from": 40, "best_to": 120},  # a whole thinking has about 50 characters
        },
        {
            "name": "adversarial",
            "weight": 0.15,
            "options": {
                "encoder": "tiny",
                "every": size.discriminator,
                "batch_size": 64,
                "least_examples": 8 if size.steps > 10 else 2,
                "held_out": 0.1,
                "most_batches": 16,
            },
        },
    ]
    grpo = {
        "max_steps": size.steps,
        "per_device_train_batch_size": size.batch,
        "num_generations": 8,
        "max_completion_length": 48,
        "learning_rate": 2e-4,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 5,
        "beta": 0.0,
        "temperature": 1.0,
        "save_steps": size.steps,
        "logging_steps": 5,
    }
    return TrainConfig.model_validate(
        {
            "model": {"name": "qwen-vl", "options": {"path": str(backbone)}},
            "samples": str(samples),
            "stages": [
                {"name": "stage2", "method": "grpo", "samples": "contrastive", "rewards": rewards, "grpo": grpo}
            ],
        }
    )


def run_seed(seed: int, folder: Path, size: Size, world: World, plugins: Plugins) -> Outcome:
    """Make a backbone and train it with one seed; return how held-out questions are answered before and after."""
    begun = time.perf_counter()
    data, run, backbone = folder / "data", folder / "run", folder / "backbone"
    samples = write_dataset(data, seed=seed, train=size.train, held_out=size.held_out, world=world)
    store = ImageStore(data / "images")
    asked = list(read_samples(samples, "contrastive", "test"))

    def tell(look: Look) -> None:
        shares = f"format {look.format:.2f}, image {look.image:.2f}, answer {look.answer:.2f}"
        progress(f"seed {seed}: warm-up step {look.step}, {look.seconds:.0f} s, loss {look.loss:.3f}, {shares}")

    known = list(islice(read_samples(samples, "contrastive", "train"), KNOWN))
    held_out = {sample.id for sample in asked}
    make_backbone(backbone, known, world=world, warmup=size.warmup, seed=seed, never=held_out, tell=tell)
    table = train_table(backbone, samples, size)
    summary = run_training(RunConfig(out=run, seed=seed, train=table), plugins)
    progress(f"seed {seed}: stage 2 took {summary.stages[-1].seconds or 0:.0f} s")

    def answered(model: Path, temperature: float, draws: int) -> Evaluation:
        backend = plugins.create("model", PluginRef(name="qwen-vl", options={"path": str(model)}))
        sampling = Sampling(max_new_tokens=48, temperature=temperature, n=draws)
        return evaluate_samples(backend, asked, store, sampling=sampling, seed=seed)  # type: ignore[arg-type]

    trained = run / "train" / "stage2" / "model"
    before, after = answered(backbone, 1.0, size.draws), answered(trained, 1.0, size.draws)
    greedy = [answered(model, 0.0, 1).accuracy.value for model in (backbone, trained)]
    said, right = judged(after, asked, run, table, plugins, seed)
    return Outcome(
        before, after, *greedy, auc(said, right), auc(by_kind(after, asked), right), time.perf_counter() - begun
    )


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
    """Return for each completion how often those of its kind were right: same company, its twin there or not."""
    kind = {sample.id: (sample.question, "nearest" in sample.tiers) for sample in asked}
    graded: dict[Any, list[float]] = defaultdict(list)
    for one in after.graded:
        graded[kind[one.sample_id]].append(one.accuracy or 0.0)
    shares = {name: sum(values) / len(values) for name, values in graded.items()}
    return [shares[kind[one.sample_id]] for one in after.graded]


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
    found: dict[str, list[float | None]] = defaultdict(list)
    units = {"seconds": "s", "auc": "AUC", "auc_by_kind": "AUC"}
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        folder = given.out / f"seed{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        outcome = run_seed(seed, folder, size, world, plugins)
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
