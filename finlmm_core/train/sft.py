"""A supervised warm-up: the model learns the completion format, and how a figure is read, from worked solutions.

TRL's SFTTrainer does the learning. Around it stands what the GRPO stages have too: samples in a given order,
checkpoints that are whole or do not count, and a run that was killed goes on as if it never had been.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finlmm_core.domain import Sample
from finlmm_core.plugins.bases import ModelBackend
from finlmm_core.rewards.reward_set import RewardSet
from finlmm_core.train.checkpoints import checkpoint_step
from finlmm_core.train.config import StageConfig
from finlmm_core.train.events import Silent, TrainEvents
from finlmm_core.train.grpo import METRICS_FILE, checkpoint_to_resume, last_saved
from finlmm_core.train.grpo_failures import TrainingStopped, what_happened
from finlmm_core.train.parallel import process_number, wait_for_all, whole_weights
from finlmm_core.train.sft_options import length_of, sft_arguments

if TYPE_CHECKING:
    from finlmm_core.store.images import ImageStore


class SftResult(NamedTuple):
    """A finished stage."""

    model: Path  # a folder that from_pretrained loads
    steps: int  # optimizer steps in all
    resumed_from: int  # steps that an earlier run had done
    seconds: float  # of this run


def train_sft(
    stage: StageConfig,
    backend: ModelBackend,
    samples: Sequence[Sample],
    images: ImageStore | None,
    folder: Path,
    *,
    seed: int = 0,
    resume: bool = True,
    events: TrainEvents | None = None,
    path: str = "sft",
    command: str = "finlmm train CONFIG --resume",
) -> SftResult:
    """Train a model on the worked solutions of samples; return where it is.

    Files below the folder: ``metrics.jsonl`` (a line a log), ``checkpoints/``, and at the end ``model/``.

    Args:
        stage: of method 'sft'.
        backend: the model to start from.
        samples: in the order of use, as many as the steps need (``length_of``); each has a worked solution.
        images: where the samples' images are read.
        folder: of the stage.
        seed: of the run.
        resume: go on from the last whole checkpoint where there is one; else what an earlier run left is deleted.
        events: hears of the stage and of its steps.
        path: what stands before an option's name in messages.
        command: what resumes this run, for the message when it stops.

    Raises:
        ConfigError: a mistake in the options, before any weights are loaded.
        TrainingStopped: out of memory, a loss that is no number, a signal ...
    """
    events = events or Silent()
    checkpoints = folder / "checkpoints"
    arguments = sft_arguments(stage.sft, path, folder=checkpoints, seed=seed)
    steps = len(samples) // length_of(arguments, len(samples)).samples_per_step
    keep = arguments.save_total_limit
    arguments.max_steps, arguments.save_total_limit = steps, None

    first = process_number() == 0
    checkpoint = checkpoint_to_resume(folder, resume, first, events)
    done = checkpoint_step(checkpoint) if checkpoint is not None else 0

    # What is heavy is imported and loaded from here on.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers import PrinterCallback, ProgressCallback

    from finlmm_core.train.grpo_callbacks import Keeping, MetricsFile, Stopping, drop_metrics_after
    from finlmm_core.train.sft_rows import SolutionDataset
    from finlmm_core.train.sft_trainer import WarmUpTrainer

    loaded = backend.load("train")
    if first:
        folder.mkdir(parents=True, exist_ok=True)
        drop_metrics_after(folder / METRICS_FILE, done)
    stopping = Stopping(1, saves=arguments.save_strategy != "no")
    trainer = WarmUpTrainer(
        model=loaded.model,
        processing_class=loaded.processor,
        peft_config=loaded.peft_config,
        args=arguments,
        train_dataset=SolutionDataset.solving(backend, loaded, samples, images),
        callbacks=[
            MetricsFile(folder / METRICS_FILE, events),
            Keeping(RewardSet([], []), keep, before=lambda: None),
            stopping,
        ],
    )
    for shown_elsewhere in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(shown_elsewhere)

    if first:
        events.stage_began(stage.name, stage.method, steps, done)
    begun = time.perf_counter()
    try:
        with stopping.listening():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint is not None else None)
    except BaseException as error:
        what = what_happened(error)
        if what is None:
            raise
        raise TrainingStopped(stage.name, trainer.state.global_step, what, last_saved(checkpoints), command) from error
    if stopping.stopped is not None and trainer.state.global_step < steps:
        what = f"stopped by {stopping.stopped}."
        raise TrainingStopped(stage.name, trainer.state.global_step, what, last_saved(checkpoints), command)

    model = folder / "model"
    with whole_weights(trainer.accelerator, trainer.model_wrapped) as module:
        if first:
            backend.save(loaded, module, model)
    wait_for_all()
    seconds = time.perf_counter() - begun
    if first:
        events.stage_ended(stage.name, seconds)
    return SftResult(model, steps, done, seconds)
