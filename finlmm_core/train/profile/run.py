"""``finlmm train --profile N``: some steps of stages, timed, that leave no trace in the training itself.

A profile has a folder of its own, ``<out>/train/<stage>/profile/``: ``profile.json`` and ``trace.json``. What the steps
write while they run stands below it and is deleted; checkpoints, metrics, rollouts, models and manifests of the stage
are neither read nor written.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.config import RunConfig
from finlmm_core.plugins.bases import ModelBackend
from finlmm_core.plugins.manager import Plugins
from finlmm_core.train.config import StageConfig, TrainConfig
from finlmm_core.train.data import StageData
from finlmm_core.train.events import Silent, TrainEvents
from finlmm_core.train.profile.profiler import Profiler
from finlmm_core.train.profile.result import PROFILE_FOLDER, StageProfile
from finlmm_core.train.stages import checked_run, forget_accelerator, free_memory
from finlmm_core.train.stages_order import stage_order
from finlmm_core.train.stages_plan import PlannedStage, check_samples, make_backend, plan_stages, stages_to_look_at

#: Set whatever the stage's table says: nothing is kept, and nobody is told of a run that is none.
_KEEPS_NOTHING: dict[str, Any] = {"save_strategy": "no", "logging_steps": 1, "report_to": "none", "push_to_hub": False}


class _Prepared(NamedTuple):
    """A stage that is going to be profiled: with the samples of its steps, in their order."""

    planned: PlannedStage
    warm_up: int  # optimizer steps
    steps: int


def run_profile(
    config: RunConfig,
    plugins: Plugins,
    steps: int,
    *,
    only_stage: str | None = None,
    drop_bad: bool = False,
    events: TrainEvents | None = None,
    command: str = "finlmm train CONFIG",
) -> list[StageProfile]:
    """Time steps of stages; return what was found. Under ``accelerate launch`` every process calls this.

    Args:
        config: with a [train] table; ``config.out`` is the run's folder.
        plugins: where the model and the rewards are looked up.
        steps: optimizer steps of each stage that are measured, rounded up to whole generation rounds.
        only_stage: this stage; else the first one of each method.
        drop_bad: leave bad samples out instead of refusing them.
        events: hears of stages and steps.
        command: what was called, for messages.

    Raises:
        FinlmmError: mistakes in the configuration, an unknown stage, bad samples.
        TrainingStopped: a stage ended before its last step.
    """
    train, run = checked_run(config)
    from finlmm_core.hugging_face import no_progress_bars
    from finlmm_core.train.parallel import first_then_others, process_number, wait_for_all

    first = process_number() == 0
    events = events if events is not None and first else Silent()

    def prepared(held: ExitStack, writes: bool) -> list[_Prepared]:
        if writes:
            held.enter_context(run.locked())
        planned = plan_stages(config, plugins, run.path / "train", writes=writes)
        ready = [_prepared(one, steps, config.seed) for one in stages_to_look_at(planned, only_stage)]
        sound = check_samples([one.planned for one in ready], plugins, train, drop_bad=drop_bad)
        return [one._replace(planned=checked) for one, checked in zip(ready, sound, strict=True)]

    with ExitStack() as held, no_progress_bars():
        found = []
        for one in first_then_others(partial(prepared, held)):
            found.append(_profiled(one, train, plugins, config.seed, events, command))
            wait_for_all()
        if first:
            from finlmm_core.steps.report.refresh import refresh_page

            refresh_page(run, config)
    return found


def _prepared(one: PlannedStage, steps: int, seed: int) -> _Prepared:
    """Return a stage with the samples of its profile: rounds that are spread over all of the stage.

    Samples that only one part of the stage has, such as the hard ones at the end of a curriculum, are among them. A
    round more than is done stands at the end: a loader reads ahead, and the last step would have nothing to read.
    """
    order = stage_order(one, seed)
    rounds = math.ceil(steps / order.steps_per_round)
    there, wanted = len(order.samples) // order.per_round, rounds + 2
    picked = []
    for number in range(wanted):
        at = number * there // wanted * order.per_round
        picked += order.samples[at : at + order.per_round]
    # A finished stage is looked at like any other.
    planned = replace(one, data=StageData(picked, one.data.images), whole=False)
    return _Prepared(planned, order.steps_per_round, rounds * order.steps_per_round)


def _profiled(
    one: _Prepared, train: TrainConfig, plugins: Plugins, seed: int, events: TrainEvents, command: str
) -> StageProfile:
    """Run the steps of one stage and write what was found."""
    from finlmm_core.train.parallel import process_number

    forget_accelerator()
    planned = one.planned
    folder = planned.folder / PROFILE_FOLDER
    work = folder / "work"
    backend, notes = _start(planned, train, plugins)
    if process_number() == 0 and folder.is_dir():
        shutil.rmtree(folder)
    profiler = Profiler(one.steps, one.warm_up, notes)
    shown = _Shown(events, one.warm_up + one.steps)
    stage = planned.stage
    try:
        if stage.method == "sft":
            from finlmm_core.train.sft import train_sft

            train_sft(
                _keeping_nothing(stage), backend, planned.data.samples, planned.data.images, work,
                seed=seed, resume=False, events=shown, path=f"{planned.path}.sft", command=command,
                profiler=profiler,
            )  # fmt: skip
        else:
            from finlmm_core.train.grpo import train_grpo

            assert planned.rewards is not None
            train_grpo(
                _keeping_nothing(stage), backend, planned.data.samples, planned.data.images, planned.rewards, work,
                plugins=plugins, grader=train.grader, seed=seed, resume=False, events=shown,
                path=f"{planned.path}.grpo", command=command, profiler=profiler,
            )  # fmt: skip
        found = profiler.found(stage)
        if process_number() == 0:
            found.write(folder)
            profiler.write_trace(folder, stage)
    finally:
        if process_number() == 0:
            shutil.rmtree(work, ignore_errors=True)
    del backend, profiler
    free_memory()
    return found


def _keeping_nothing(stage: StageConfig) -> StageConfig:
    options: Mapping[str, Any] = {**getattr(stage, stage.method), **_KEEPS_NOTHING}
    return stage.model_copy(update={stage.method: {key: value for key, value in options.items() if key != "max_steps"}})


def _start(one: PlannedStage, train: TrainConfig, plugins: Plugins) -> tuple[ModelBackend, tuple[str, ...]]:
    """Return the model that a stage is profiled with, freshly made, and what is to be said of it."""
    if one.number == 0 or Path(one.start.options.path).is_dir():
        return one.start.at(one.start.options.path), ()
    note = (
        "The stage before is not finished, so the first model was taken: it costs the same, but completions may have "
        "other lengths."
    )
    return make_backend(train, plugins), (note,)


class _Shown(Silent):
    """Passes on what a progress display shows; of the steps, those of the profile."""

    def __init__(self, events: TrainEvents, steps: int) -> None:
        self.events, self.steps = events, steps

    def stage_began(self, name: str, method: str, steps: int, done: int) -> None:
        self.events.stage_began(f"{name}, profile", method, self.steps, done)

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        self.events.logged(step, metrics)

    def told(self, line: str) -> None:
        self.events.told(line)

    def stage_ended(self, name: str, seconds: float) -> None:
        self.events.stage_ended(f"{name}, profile", seconds)
