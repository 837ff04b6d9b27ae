"""What a run looks like on a terminal: bars with counts and time left, a table at the end; plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import TaskID
from rich.table import Table as RichTable
from rich.text import Text

from finlmm_core.escapes import visible_line
from finlmm_core.steps.progress import Progress
from finlmm_core.steps.runner import RunSummary
from finlmm_core.terminal import PLAIN_LINE_SECONDS, counting_bars


class ConsoleProgress(Progress):
    """Progress that is also a context; this one is silent."""

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class BarProgress(ConsoleProgress):
    """Bars with counts, time elapsed and time left, on the terminal's error stream."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bars = counting_bars(self.console)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> BarProgress:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def begin(self, step: str, total: int) -> None:
        self.tasks[step] = self.bars.add_task(step, total=total)

    def advance(self, step: str, note: str = "", count: int = 1) -> None:
        if note:  # file names come from outside: shown as text, never as markup
            self.console.print(Text(visible_line(note), style="yellow"))
        self.bars.advance(self.tasks[step], count)


class PlainProgress(ConsoleProgress):
    """Lines for a log: the beginning and end of a step, documents set aside, and where things stand now and then."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.done: dict[str, int] = {}
        self.started = 0.0
        self.last_line = 0.0

    def begin(self, step: str, total: int) -> None:
        self.totals[step], self.done[step] = total, 0
        self.started = self.last_line = time.monotonic()
        self._line(f"{step}: {total} to do")

    def advance(self, step: str, note: str = "", count: int = 1) -> None:
        self.done[step] += count
        if note:
            self._line(note)
        now = time.monotonic()
        if now - self.last_line >= PLAIN_LINE_SECONDS and 0 < self.done[step] < self.totals[step]:
            self.last_line = now
            left = (now - self.started) / self.done[step] * (self.totals[step] - self.done[step])
            self._line(f"{step}: {self.done[step]}/{self.totals[step]}, about {left:.0f} s left")

    def end(self, step: str) -> None:
        self._line(f"{step}: {self.done[step]}/{self.totals[step]}, {time.monotonic() - self.started:.1f} s")

    def _line(self, text: str) -> None:
        print(visible_line(text), file=sys.stderr, flush=True)


def make_progress(*, quiet: bool) -> ConsoleProgress:
    """Return what suits the place: bars on a terminal, lines in a log, nothing where quiet."""
    if quiet:
        return ConsoleProgress()
    return BarProgress() if sys.stderr.isatty() else PlainProgress()


def print_summary(summary: RunSummary) -> None:
    """Print the run's table: what each step took in, gave, dropped and cost."""
    console = Console()
    table = RichTable(title=Text(visible_line(str(summary.run))), title_justify="left")
    for heading, justify in (("step", "left"), ("in", "right"), ("out", "left"), ("dropped", "left"), ("s", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for name, step in summary.steps.items():
        record = step.record
        out = "\n".join(f"{value:,} {label}" for label, value in record.counts.items())
        by_number = sorted(record.rejections.items(), key=lambda item: (-item[1], item[0]))
        dropped = "\n".join(f"{value:,} {label}" for label, value in by_number)
        seconds = f"{step.seconds:,.1f}" if step.worked_on else "kept"
        table.add_row(name, f"{record.inputs:,}", Text(out), Text(dropped), seconds)
    console.print(table)
    for name, step in summary.steps.items():
        if step.usage:
            used = ", ".join(f"{value:,.10g} {label.replace('_', ' ')}" for label, value in step.usage.items())
            console.print(Text(f"models asked by {name}: {used}"))
    if summary.set_aside:
        console.print(f"{len({report for report, _, _ in summary.set_aside})} reports were set aside:")
        for report, reason, detail in summary.set_aside:
            first_line = detail.splitlines()[0] if detail else ""
            console.print(Text(visible_line(f"  {report}: {reason}" + (f" ({first_line})" if first_line else ""))))
    if summary.may_pass:
        count = len(summary.may_pass)
        told = "1 of them was" if count == 1 else f"{count} of them were"
        console.print(f"{told} set aside for a reason that may pass: the same command with --retry tries again.")
    peak = f", {summary.peak_worker_mb:,.0f} MB at most in one process" if summary.peak_worker_mb else ""
    console.print(f"{summary.wall_seconds:,.1f} s{peak}")
    if summary.url is not None:
        console.print(Text(f"run:         {summary.url}, and on this machine its working copy:"))
    if "report" in summary.steps:
        _print_path(console, "report page", summary.run / "report" / "index.html")
    if summary.audit is not None:
        _print_path(console, "audit page", summary.run / "audit" / "index.html")
    if "samples" in summary.steps:
        _print_path(console, "dataset", summary.run / "samples")


def _print_path(console: Console, name: str, path: Path) -> None:
    console.print(Text(visible_line(f"{name + ':':<12} {path}")))
