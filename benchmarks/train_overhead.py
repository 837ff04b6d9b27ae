"""What finlmm adds to a training step: a stage against a bare TRL script with the same model, data and rewards.

Both train the same tiny Qwen2.5-VL on the same prompts with two images each and the same four rewards, of which the
bare script has the functions inlined; both log every step. They are two processes that take turns, a step each, so that
whatever else the machine does hits both alike.

    OMP_NUM_THREADS=1 python benchmarks/train_overhead.py
    OMP_NUM_THREADS=1 python benchmarks/train_overhead.py --steps 40 --completions 16 --tokens 128

Prints one JSON object a line. ``train.overhead`` is the ratio of the median CPU seconds of a step, ``.wall`` that of
wall seconds; a step is everything from one optimizer step to the next.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from finlmm_core.answers import grade_sample
from finlmm_core.answers.selection import read_selection
from finlmm_core.answers.tags import read_tags
from finlmm_core.domain import Answer, QuestionType, Sample
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef, WeightedPluginRef
from finlmm_core.store.images import ImageStore
from finlmm_core.torchvision_shim import ensure_torchvision

WARM_UP = 3  # steps that are not measured: caches fill, the allocator settles
SEED = 7


def make_samples(store: ImageStore, count: int) -> list[Sample]:
    """Return contrastive samples with two drawn charts each, the first or the second right."""
    draw = random.Random(SEED)
    samples = []
    for number in range(count):
        refs = []
        for _ in range(2):
            picture = Image.new("RGB", (112, 112), "white")
            pen = ImageDraw.Draw(picture)
            for bar in range(4):
                pen.rectangle((10 + 25 * bar, 110 - draw.randrange(100), 28 + 25 * bar, 110), fill=(20, 90, 40 * bar))
            refs.append(store.put(picture))
        right = number % 2
        samples.append(
            Sample(
                id=f"sample-{number}",
                type=QuestionType.STATISTICS_REASONING,
                language="en",
                question=f"By how much did revenue rise from {2000 + number} to {2001 + number}?",
                options=("12.5%", "14.1%", "9.8%", "21.0%"),
                answer=Answer(text="14.1%", option=1, value=14.1, unit="percent", decimals=1),
                images=tuple(refs),
                gold_images=(right,),
                tiers=("gold", "random") if right == 0 else ("random", "gold"),
                qa_id=f"qa-{number}",
                document_id="document",
                split="train",
            )
        )
    return samples


def turns(pipe: Connection) -> Any:
    """Return a callback that waits for its turn before each step and tells what the step took."""
    from transformers import TrainerCallback

    class Turns(TrainerCallback):
        clocks: tuple[float, float] | None = None

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            now = (time.perf_counter(), time.process_time())
            if self.clocks is not None:
                pipe.send((now[0] - self.clocks[0], now[1] - self.clocks[1]))
            pipe.recv()
            self.clocks = (time.perf_counter(), time.process_time())

    return Turns()


def options_of(given: argparse.Namespace) -> dict[str, Any]:
    """Return what both tell GRPOConfig."""
    return {
        "per_device_train_batch_size": given.completions,
        "num_generations": given.group,
        "max_completion_length": given.tokens,
        "learning_rate": 1e-6,
        "temperature": 1.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
    }


def finlmm_run(given: argparse.Namespace, model: Path, folder: Path, pipe: Connection) -> None:
    """Train a stage as ``finlmm train`` does."""
    ensure_torchvision()
    from finlmm_core.rewards import RewardSet
    from finlmm_core.train import grpo_trainer
    from finlmm_core.train.config import StageConfig
    from finlmm_core.train.grpo import train_grpo

    plugins = Plugins.load()
    names = ("format", "accuracy", "image_selection", "thinking_length")
    stage = StageConfig(
        name="stage2",
        method="grpo",
        samples="contrastive",
        rewards=tuple(WeightedPluginRef(name=name) for name in names),
        grpo=options_of(given),
    )
    store = ImageStore(folder / "images")
    prompts = make_samples(store, (given.steps + WARM_UP + 1) * given.completions // given.group)
    begin = grpo_trainer.StageTrainer.__init__

    def with_turns(self: Any, *args: Any, callbacks: list[Any], **kwargs: Any) -> None:
        begin(self, *args, callbacks=[*callbacks, turns(pipe)], **kwargs)

    grpo_trainer.StageTrainer.__init__ = with_turns  # type: ignore[method-assign]
    backend = plugins.create("model", PluginRef(name="qwen-vl", options={"path": str(model)}))
    rewards = RewardSet.create(stage.rewards, plugins)
    train_grpo(stage, backend, prompts, store, rewards, folder / "stage", plugins=plugins, seed=SEED)  # type: ignore[arg-type]


def bare_run(given: argparse.Namespace, model: Path, folder: Path, pipe: Connection) -> None:
    """Train as a script of one page does: rows with images in a dataset, functions for rewards."""
    ensure_torchvision()
    import transformers
    from datasets import Dataset, Features, List, Value
    from datasets import Image as ImageFeature
    from trl import GRPOConfig, GRPOTrainer

    from finlmm_core.prompts import conversation

    store = ImageStore(folder / "images")
    samples = make_samples(store, (given.steps + WARM_UP + 1) * given.completions // given.group)
    by_id = {sample.id: sample for sample in samples}

    def texts(completions: Sequence[Any]) -> list[str]:
        return [completion[0]["content"] for completion in completions]

    def format(completions: Sequence[Any], **_: Any) -> list[float]:
        return [float(read_tags(text).well_formed) for text in texts(completions)]

    def accuracy(completions: Sequence[Any], sample_id: Sequence[str], **_: Any) -> list[float | None]:
        grades = []
        for text, one in zip(texts(completions), sample_id, strict=True):
            answer = read_tags(text).answer
            grades.append(grade_sample(by_id[one], f"<answer>{answer}</answer>").value if answer else 0.0)
        return grades

    def image_selection(completions: Sequence[Any], sample_id: Sequence[str], **_: Any) -> list[float]:
        return [
            float(read_selection(read_tags(text).image_selection) == {place + 1 for place in by_id[one].gold_images})
            for text, one in zip(texts(completions), sample_id, strict=True)
        ]

    def thinking_length(completions: Sequence[Any], **_: Any) -> list[float]:
        return [min(1.0, len(read_tags(text).think or "") / 1000) for text in texts(completions)]

    rows = [
        {
            "prompt": [{**turn, "content": json.dumps(turn["content"])} for turn in conversation(sample)],
            "images": [{"bytes": store.read_bytes(ref), "path": None} for ref in sample.images],
            "sample_id": sample.id,
        }
        for sample in samples
    ]
    features = Features(
        {
            "prompt": List({"role": Value("string"), "content": Value("string")}),
            "images": List(ImageFeature()),
            "sample_id": Value("string"),
        }
    )
    dataset = Dataset.from_list(rows, features=features)

    def with_parts(batch: dict[str, Any]) -> dict[str, Any]:
        """Arrow gives every part of a content all keys of any; so contents are kept as JSON."""
        batch["prompt"] = [
            [{**turn, "content": json.loads(turn["content"])} for turn in prompt] for prompt in batch["prompt"]
        ]
        return batch

    dataset.set_transform(with_parts)
    arguments = GRPOConfig(
        output_dir=str(folder / "bare"),
        seed=SEED,
        shuffle_dataset=False,
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        max_steps=given.steps + WARM_UP + 1,
        disable_tqdm=True,
        **options_of(given),
    )
    trainer = GRPOTrainer(
        model=transformers.AutoModelForImageTextToText.from_pretrained(model, dtype="float32"),
        processing_class=transformers.AutoProcessor.from_pretrained(model, padding_side="left"),
        reward_funcs=[format, accuracy, image_selection, thinking_length],
        args=arguments,
        train_dataset=dataset,
        callbacks=[turns(pipe)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()


def measure(given: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    """Return (wall seconds, CPU seconds) of each measured step of both."""
    from finlmm_core.testing import tiny_model

    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        model = tiny_model("qwen2.5-vl", folder / "tiny", max_pixels=112 * 112)
        runs = {}
        for name, run in (("finlmm", finlmm_run), ("bare", bare_run)):
            ours, theirs = context.Pipe()
            process = context.Process(target=run, args=(given, model, folder / name, theirs))
            process.start()
            theirs.close()
            runs[name] = (process, ours)
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for step in range(given.steps + WARM_UP):
            # Who goes first changes, so that neither always follows the other.
            for name in sorted(runs, reverse=bool(step % 2)):
                process, pipe = runs[name]
                pipe.send("go")
                while not pipe.poll(1):
                    if not process.is_alive():
                        raise RuntimeError(f"the run '{name}' ended with {process.exitcode}")
                took[name].append(pipe.recv())
        for process, pipe in runs.values():
            pipe.send("go")
            process.join()
    return {name: steps[WARM_UP:] for name, steps in took.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="measured steps of each")
    parser.add_argument("--completions", type=int, default=8, help="completions a step")
    parser.add_argument("--group", type=int, default=4, help="completions of a prompt")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of a completion, at most")
    given = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    took = measure(given)
    for place, clock in enumerate(("wall", "cpu")):
        for name, steps in took.items():
            seconds = statistics.median(step[place] for step in steps)
            report(f"train.step.{name}.{clock}", seconds, "seconds", given.steps)
    for name, place in (("train.overhead.wall", 0), ("train.overhead", 1)):
        ours, bare = (statistics.median(step[place] for step in took[run]) for run in ("finlmm", "bare"))
        report(name, ours / bare, "ratio of medians", given.steps)


def report(what: str, value: float, unit: str, n: int) -> None:
    """Print one figure."""
    print(json.dumps({"what": what, "value": round(value, 4), "unit": unit, "n": n}), flush=True)


if __name__ == "__main__":
    main()
