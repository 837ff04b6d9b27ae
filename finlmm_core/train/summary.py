"""What a training came to: its stages with steps, time, rewards at the beginning and the end, and held-out figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from finlmm_core.domain import Frozen
from finlmm_core.train.metrics import TOTAL, ends, read_metrics, reward_name

if TYPE_CHECKING:
    from rich.console import Console

SUMMARY_FILE = "summary.json"
#: What the table shows of a held-out evaluation: names of ``Evaluation.metrics``, and how the table calls them.
HELD_OUT = {"accuracy": "accuracy", "image_selection": "image", "format": "format"}


class StageSummary(Frozen):
    """One stage."""

    name: str
    method: str
    folder: Path = Field(description="the stage's folder; the trained model is in model/ below it")
    steps: int = Field(description="optimizer steps done in all")
    resumed_from: int = Field(default=0, description="steps that an earlier run had done")
    kept: bool = Field(default=False, description="finished in an earlier run, nothing was done")
    seconds: float = Field(default=0.0, description="of this run")
    first: dict[str, float] = Field(default={}, description="metric -> mean of the first tenth of the logged steps")
    last: dict[str, float] = Field(default={}, description="metric -> mean of the last tenth")
    held_out: dict[str, float] = Field(default={}, description="Evaluation.metrics after the stage; {} without one")


class TrainSummary(Frozen):
    """A training as a whole."""

    folder: Path = Field(description="the run's train/ folder")
    before: dict[str, float] = Field(default={}, description="Evaluation.metrics before the first stage")
    stages: tuple[StageSummary, ...] = ()
    dropped: dict[str, int] = Field(default={}, description="reason -> samples that --drop-bad left out")

    @property
    def seconds(self) -> float:
        """Of this run's stages, evaluation not counted."""
        return sum(stage.seconds for stage in self.stages)


def summarise_stage(
    name: str,
    method: str,
    folder: Path,
    *,
    steps: int,
    seconds: float = 0.0,
    resumed_from: int = 0,
    kept: bool = False,
    held_out: Mapping[str, float] | None = None,
) -> StageSummary:
    """Return a stage's summary; rewards, loss and total are read from its ``metrics.jsonl``."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for metric, series in read_metrics(folder).items():
        if metric in (TOTAL, "loss") or reward_name(metric) is not None:
            first[metric], last[metric] = ends(series)
    return StageSummary(
        name=name,
        method=method,
        folder=folder,
        steps=steps,
        resumed_from=resumed_from,
        kept=kept,
        seconds=seconds,
        first=first,
        last=last,
        held_out=dict(held_out or {}),
    )


def print_train_summary(summary: TrainSummary, console: Console | None = None) -> None:
    """Print two tables: stages with held-out figures before and after, and rewards from first to last steps."""
    from rich.console import Console as RichConsole
    from rich.table import Table as RichTable
    from rich.text import Text

    console = console or RichConsole()
    evaluated = [summary.before, *(stage.held_out for stage in summary.stages)]
    shown = [name for name in HELD_OUT if any(name in metrics for metrics in evaluated)]
    console.print(Text(str(summary.folder)))
    stages = RichTable()
    for heading in ("stage", "method"):
        stages.add_column(heading, overflow="fold")
    for heading in ("steps", "s", *(HELD_OUT[name] for name in shown)):
        stages.add_column(heading, justify="right")
    if summary.before:
        stages.add_row("before", "", "", "", *(_figure(summary.before, name) for name in shown))
    for stage in summary.stages:
        steps = f"{stage.steps:,}"
        if stage.resumed_from and not stage.kept:
            steps += f"\nfrom {stage.resumed_from:,}"
        seconds = "kept" if stage.kept else f"{stage.seconds:,.1f}"
        stages.add_row(
            Text(stage.name), stage.method, steps, seconds, *(_figure(stage.held_out, name) for name in shown)
        )
    console.print(stages)
    if shown:
        answered = max(metrics.get("n", 0.0) for metrics in evaluated)
        console.print(f"accuracy, image, format: on {answered:,.0f} held-out samples, with their 95 % intervals")
    rewards = RichTable()
    for heading, justify in (("stage", "left"), ("reward", "left"), ("first", "right"), ("last", "right")):
        rewards.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for stage in summary.stages:
        for place, metric in enumerate(_shown_metrics(stage)):
            name = "total" if metric == TOTAL else reward_name(metric) or metric
            first, last = stage.first[metric], stage.last[metric]
            rewards.add_row(Text("" if place else stage.name), Text(name), f"{first:.3f}", f"{last:.3f}")
    if rewards.row_count:
        console.print("means over the first and the last tenth of the logged steps:")
        console.print(rewards)
    for reason, count in sorted(summary.dropped.items()):
        console.print(Text(f"{count:,} samples left out: {reason}"))
    if summary.stages:
        console.print(Text(f"{summary.seconds:,.1f} s; the trained model: {summary.stages[-1].folder / 'model'}"))


def _shown_metrics(stage: StageSummary) -> list[str]:
    """Return total and rewards of a stage that has them, else its loss."""
    if TOTAL not in stage.first:
        return ["loss"] if "loss" in stage.first else []
    return [TOTAL, *(metric for metric in stage.first if reward_name(metric) is not None)]


def _figure(metrics: Mapping[str, float], name: str) -> str:
    if name not in metrics:
        return ""
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return f"{metrics[name]:.2f}" + (f"\n{low:.2f}-{high:.2f}" if low is not None and high is not None else "")
