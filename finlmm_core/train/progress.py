"""What a training looks like on a terminal while it runs: a bar and the rewards live; plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import TaskID
from rich.table import Table as RichTable
from rich.text import Text

from finlmm_core.terminal import PLAIN_LINE_SECONDS, counting_bars
from finlmm_core.train.events import Silent
from finlmm_core.train.metrics import TOTAL, reward_name

#: Beside the rewards: metric of TRL -> what a reader calls it, in the order in which they are shown.
_OTHERS = {
    "reward_std": "spread in a group",
    "loss": "loss",
    "kl": "KL",
    "entropy": "entropy",
    "completions/mean_length": "length, tokens",
    "completions/clipped_ratio": "cut off",
    "mean_token_accuracy": "token accuracy",
}
#: Metrics of rewards that learn are shown by these endings ('adversarial/auc').
_LEARNED = ("/auc", "/loss")
_TREND = "▁▂▃▄▅▆▇█"
_TREND_WIDTH = 24


def shown_name(metric: str) -> str | None:
    """Return how a metric is called where there is room for a few only; None for those that are not shown."""
    if metric == TOTAL:
        return "total reward"
    reward = reward_name(metric)
    if reward is not None:
        return reward
    if metric in _OTHERS:
        return _OTHERS[metric]
    learned = metric.endswith(_LEARNED) and not metric.startswith(("eval_", "rewards/"))
    return metric.replace("/", " ") if learned else None


def _place(metric: str) -> tuple[int, int]:
    """Return where a metric stands: total, rewards, what rewards learn, the rest."""
    if metric == TOTAL:
        return (0, 0)
    if reward_name(metric) is not None:
        return (1, 0)
    return (3, list(_OTHERS).index(metric)) if metric in _OTHERS else (2, 0)


class TrainProgress(Silent):
    """Events of a training that are also a context; this one is silent."""

    def __enter__(self) -> TrainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class LiveProgress(TrainProgress):
    """A bar of the stage's steps with time left, above a table of what was logged last and how it went."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bars = counting_bars(self.console)
        self.task: TaskID | None = None
        self.history: dict[str, list[float]] = {}
        self.live = Live(console=self.console, refresh_per_second=4, get_renderable=self._view)

    def __enter__(self) -> LiveProgress:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def stage_began(self, name: str, method: str, steps: int, done: int) -> None:
        self.history = {}
        self.task = self.bars.add_task(f"{name} ({method})", total=steps, completed=done)
        if done:
            self.console.print(Text(f"{name}: goes on from step {done}"))

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        for metric, value in metrics.items():
            if shown_name(metric) is not None and value is not None:
                self.history.setdefault(metric, []).append(float(value))
        if self.task is not None:
            self.bars.update(self.task, completed=step)

    def evaluated(self, stage: str, metrics: Mapping[str, float]) -> None:
        self.console.print(Text(held_out_line(stage, metrics)))

    def stage_ended(self, name: str, seconds: float) -> None:
        if self.task is not None:
            task = next(task for task in self.bars.tasks if task.id == self.task)
            self.bars.update(self.task, completed=task.total)

    def _view(self) -> Group:
        return Group(self.bars, self.table()) if self.history else Group(self.bars)

    def table(self) -> RichTable:
        """Return the table of what was logged last: value now, value at the stage's beginning, the course between."""
        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column("now", justify="right")
        table.add_column("at first", justify="right", style="dim")
        table.add_column("")
        for metric in sorted(self.history, key=_place):
            values = self.history[metric]
            style = "bold" if metric == TOTAL else ""
            name = Text(shown_name(metric) or metric)
            table.add_row(name, f"{values[-1]:.3f}", f"{values[0]:.3f}", Text(trend(values)), style=style)
        return table


class PlainProgress(TrainProgress):
    """Lines for a log: beginning and end of a stage, held-out figures, and where things stand now and then."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out if out is not None else sys.stderr
        self.stage, self.steps, self.done = "", 0, 0
        self.started = self.last_line = 0.0

    def stage_began(self, name: str, method: str, steps: int, done: int) -> None:
        self.stage, self.steps, self.done = name, steps, done
        self.started = self.last_line = time.monotonic()
        self._line(f"{name} ({method}): {steps} steps" + (f", goes on from step {done}" if done else ""))

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self.last_line < PLAIN_LINE_SECONDS or step >= self.steps:
            return
        self.last_line = now
        left = (now - self.started) / max(1, step - self.done) * (self.steps - step)
        known = sorted((metric for metric in metrics if shown_name(metric) is not None), key=_place)
        told = "".join(f", {shown_name(m)} {metrics[m]:.3f}" for m in known if metrics[m] is not None)
        self._line(f"{self.stage}: {step}/{self.steps}, about {left:.0f} s left{told}")

    def evaluated(self, stage: str, metrics: Mapping[str, float]) -> None:
        self._line(held_out_line(stage, metrics))

    def stage_ended(self, name: str, seconds: float) -> None:
        self._line(f"{name}: done, {seconds:.1f} s")

    def _line(self, text: str) -> None:
        print(text, file=self.out, flush=True)


def held_out_line(stage: str, metrics: Mapping[str, float]) -> str:
    """Return a line of held-out figures: 'held-out after stage2 (120 samples): accuracy 0.42 (0.36-0.48), ...'."""
    told = []
    for name in ("accuracy", "image_selection", "format"):
        if name in metrics:
            low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
            interval = f" ({low:.2f}-{high:.2f})" if low is not None and high is not None else ""
            told.append(f"{name.replace('_', ' ')} {metrics[name]:.2f}{interval}")
    when = f"after {stage}" if stage else "before training"
    return f"held-out {when} ({metrics.get('n', 0):.0f} samples): {', '.join(told)}"


def trend(values: list[float]) -> str:
    """Return the course of a series as a line of blocks, 24 at most, lowest to highest."""
    count = min(len(values), _TREND_WIDTH)
    parts = [values[len(values) * i // count : len(values) * (i + 1) // count] for i in range(count)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    if high == low:
        return _TREND[0] * count
    return "".join(_TREND[round((mean - low) / (high - low) * (len(_TREND) - 1))] for mean in means)


def make_train_progress(*, quiet: bool) -> TrainProgress:
    """Return what suits the place: bar and table on a terminal, lines in a log, nothing where quiet."""
    if quiet:
        return TrainProgress()
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()
