"""A training as a whole: stages in order, each from the output of the one before, none done twice.

``<out>/train/<stage>/`` holds what a stage was begun with (``options.json``), ``checkpoints/``, ``metrics.jsonl``,
``rollouts/``, the trained ``model/``, held-out answers, and last its ``manifest.json``: a stage that has one with its
key is whole and is kept.
"""

from __future__ import annotations

import gc
import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import tomli_w

import finlmm_core
from finlmm_core.config import RunConfig
from finlmm_core.errors import FinlmmError, MissingExtraError
from finlmm_core.plugins.manager import Plugins
from finlmm_core.store.atomic import write_atomic
from finlmm_core.store.manifest import StepRecord, git_revision
from finlmm_core.store.run import RunFolder
from finlmm_core.train.checks import dropped_by_reason, write_rejected
from finlmm_core.train.config import TrainConfig
from finlmm_core.train.data import StageData
from finlmm_core.train.events import Silent, TrainEvents
from finlmm_core.train.shown import shown_prompts
from finlmm_core.train.stages_files import CONFIG_FILE, MANIFEST_FILE, OPTIONS_FILE, write_options
from finlmm_core.train.stages_order import stage_order
from finlmm_core.train.stages_plan import PlannedStage, check_samples, chosen, plan_stages, refuse_changed, remove
from finlmm_core.train.summary import SUMMARY_FILE, StageSummary, TrainSummary, summarise_stage

_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")


def run_training(
    config: RunConfig,
    plugins: Plugins,
    *,
    only_stage: str | None = None,
    resume: bool = True,
    fresh: bool = False,
    drop_bad: bool = False,
    show: int = 0,
    events: TrainEvents | None = None,
    tell: Callable[[str], None] = print,
    command: str = "finlmm train CONFIG",
) -> TrainSummary:
    """Train a model through its stages; return what came of it.

    Everything that can be wrong with options, samples and prompts is found before any weights are loaded. Under
    ``accelerate launch`` every process calls this; the first one writes and tells.

    Args:
        config: with a [train] table; ``config.out`` is the run's folder.
        plugins: where the model and the rewards are looked up.
        only_stage: do this stage alone; the one before it has to be whole.
        resume: a stage that was killed goes on from its last whole checkpoint; else it begins anew.
        fresh: do a stage again, and all after it, where its options differ from those it was begun with.
        drop_bad: leave bad samples out instead of refusing them.
        show: prompts of each stage that are shown, with their right answers, before anything is loaded.
        events: hears of stages and steps.
        tell: gets the lines that ``show`` asks for.
        command: what resumes this run, for messages.

    Raises:
        FinlmmError: mistakes in the configuration, bad samples, a stage that was begun with other options.
        TrainingStopped: a stage ended before its last step.
    """
    train, run = checked_run(config)
    from finlmm_core.hugging_face import no_progress_bars
    from finlmm_core.train.parallel import first_then_others, process_number
    from finlmm_core.train.stages_evaluate import held_out

    folder = run.path / "train"

    def check(held: ExitStack, writes: bool) -> tuple[list[PlannedStage], dict[int, PlannedStage], StageData | None]:
        if writes:
            held.enter_context(run.locked())
        planned = plan_stages(config, plugins, folder, writes=writes)
        wanted = chosen(planned, only_stage)
        stale = refuse_changed(planned, wanted, fresh=fresh)
        checked = {one.number: one for one in check_samples(wanted, plugins, train, drop_bad=drop_bad)}
        questions = held_out(config, planned[0].start, folder, drop_bad=drop_bad, writes=writes)
        if writes:
            for one in checked.values():
                for line in shown_prompts(one.data.samples, one.start, show, f"{one.stage.name}: "):
                    tell(line)
            remove(stale)
            folder.mkdir(parents=True, exist_ok=True)
            text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True, exclude={"out"}))
            write_atomic(folder / CONFIG_FILE, text.encode())
        return planned, checked, questions

    with ExitStack() as held, no_progress_bars():
        # The other processes wait until images are in place and stale stages are gone, or stop with the first.
        planned, checked, questions = first_then_others(partial(check, held))
        events = events if events is not None and process_number() == 0 else Silent()
        work = _Training(config, train, plugins, run, planned, questions, resume, events, command)
        return work.go(checked)


class _Training:
    """One call of run_training, after everything was checked."""

    def __init__(
        self,
        config: RunConfig,
        train: TrainConfig,
        plugins: Plugins,
        run: RunFolder,
        planned: Sequence[PlannedStage],
        questions: StageData | None,
        resume: bool,
        events: TrainEvents,
        command: str,
    ) -> None:
        from finlmm_core.train.parallel import process_number

        self.config = config
        self.train = train
        self.plugins = plugins
        self.run = run
        self.folder = run.path / "train"
        self.planned = planned
        self.questions = questions
        self.resume = resume
        self.events = events
        self.command = command
        self.first = process_number() == 0
        self.before: dict[str, float] = {}
        self.summaries: dict[int, StageSummary] = {}
        self.dropped: Counter[str] = Counter()

    def go(self, wanted: dict[int, PlannedStage]) -> TrainSummary:
        """Do the wanted stages; the others are told of as far as they are whole."""
        for one in self.planned:
            if one.number in wanted:
                self._stage(wanted[one.number])
            elif one.whole:
                self._keep(one)
        summary = TrainSummary(
            folder=self.folder,
            before=self.before,
            stages=tuple(self.summaries[number] for number in sorted(self.summaries)),
            dropped=dict(sorted(self.dropped.items())),
        )
        if self.first:
            write_atomic(self.folder / SUMMARY_FILE, (summary.model_dump_json(indent=1) + "\n").encode())
            self._report()
        return summary

    def _stage(self, one: PlannedStage) -> None:
        if one.whole:
            self._keep(one)
            return
        if one.number == 0:
            self.before = self._evaluate(one, self.folder, "", new=not (one.folder / "checkpoints").is_dir())
        if self.first:
            write_options(one.folder / OPTIONS_FILE, one.options)
            write_rejected(one.rejected, one.folder)
        steps, resumed_from, seconds = self._run(one)
        after = self._evaluate(one, one.folder, one.stage.name, new=True)
        record = StepRecord(
            step=f"train/{one.stage.name}",
            key=one.key,
            finlmm=finlmm_core.__version__,
            git_revision=git_revision(),
            seed=self.config.seed,
            options=one.options,
            inputs=len(one.data.samples) + len(one.rejected),
            counts={"samples": len(one.data.samples), "steps": steps},
            rejections=dropped_by_reason(one.rejected),
        )
        self.dropped.update(record.rejections)
        self.summaries[one.number] = summarise_stage(
            one.stage.name, one.stage.method, one.folder,
            steps=steps, seconds=seconds, resumed_from=resumed_from, held_out=after,
        )  # fmt: skip
        if self.first:
            record.write(one.folder / MANIFEST_FILE)
            self.run.add_timing({"step": record.step, "seconds": round(seconds, 3), "steps": steps - resumed_from})
            self.plugins.manager.hook.finlmm_step_finished(record=record)

    def _keep(self, one: PlannedStage) -> None:
        """Take a stage as it is; held-out samples are answered where that was not asked for when it ran."""
        record = StepRecord.read(one.folder / MANIFEST_FILE)
        assert record is not None
        if one.number == 0:
            self.before = self._evaluate(one, self.folder, "", new=False)
        after = self._evaluate(one, one.folder, one.stage.name, new=False)
        self.summaries[one.number] = summarise_stage(
            one.stage.name, one.stage.method, one.folder, steps=record.counts["steps"], kept=True, held_out=after
        )
        self.dropped.update(record.rejections)
        if self.first:
            self.plugins.manager.hook.finlmm_step_finished(record=record)

    def _run(self, one: PlannedStage) -> tuple[int, int, float]:
        """Train a stage; return its steps, those that an earlier run had done, and the seconds of this run."""
        forget_accelerator()
        stage, seed = one.stage, self.config.seed
        # A backend keeps the model that it has loaded; this one goes with the stage, and its memory with it.
        backend = one.start.at(one.start.options.path)
        order = stage_order(one, seed).samples
        if stage.method == "sft":
            from finlmm_core.train.sft import train_sft

            warmed = train_sft(
                stage, backend, order, one.data.images, one.folder,
                seed=seed, resume=self.resume, events=self.events, path=f"{one.path}.sft", command=self.command,
            )  # fmt: skip
            result = (warmed.steps, warmed.resumed_from, warmed.seconds)
        else:
            from finlmm_core.train.grpo import train_grpo

            assert one.rewards is not None
            learned = train_grpo(
                stage, backend, order, one.data.images, one.rewards, one.folder,
                plugins=self.plugins, grader=self.train.grader, seed=seed, resume=self.resume, events=self.events,
                path=f"{one.path}.grpo", command=self.command,
            )  # fmt: skip
            result = (learned.steps, learned.resumed_from, learned.seconds)
        del backend
        free_memory()
        return result

    def _evaluate(self, one: PlannedStage, folder: Path, stage: str, *, new: bool) -> dict[str, float]:
        """Answer the held-out samples with the model before the first stage (stage '') or after the named one."""
        if self.questions is None:
            return {}
        from finlmm_core.train.evaluation import FIGURES_FILE
        from finlmm_core.train.stages_evaluate import evaluate_model, sampling_of

        if new and self.first:
            (folder / FIGURES_FILE).unlink(missing_ok=True)
        backend = one.start.at(one.model if stage else one.start.options.path)
        metrics = evaluate_model(
            backend, self.questions, folder,
            profile=self.train.grader, sampling=sampling_of(self.train), seed=self.config.seed,
        )  # fmt: skip
        del backend
        free_memory()
        self.events.evaluated(stage, metrics)
        return metrics

    def _report(self) -> None:
        """Write the run's report page anew, with the training's part."""
        from finlmm_core.steps.report.refresh import refresh_page

        refresh_page(self.run, self.config)


def checked_run(config: RunConfig) -> tuple[TrainConfig, RunFolder]:
    """Return the [train] table and the run's folder, where there is everything to train with."""
    if config.train is None:
        raise FinlmmError(
            "The configuration has no [train] table.",
            hint="It says what is trained: model, samples and stages; see docs/training.md and configs/.",
        )
    if config.out is None:
        raise FinlmmError("No folder for the run was given.", hint="Give one with -o, or as 'out' in the config.")
    for library in _LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError("Training", library, "train")
    return config.train, RunFolder(config.out)


def free_memory() -> None:
    """Give back what a trainer or a model held: trainers hold models in cycles."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def forget_accelerator() -> None:
    """Let the next stage set its own precision: accelerate keeps that of the first trainer of a process."""
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state()
    GradientState._reset_state()
