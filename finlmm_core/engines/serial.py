"""One document after another, in this process: simple to debug, and the reference that other engines must equal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil

from finlmm_core.engines.base import Engine, Outcome, Result, Task, Work, failure_of
from finlmm_core.errors import DocumentError


class SerialEngine(Engine):
    """Works in this process. The time limit interrupts Python code but not a C library that hangs."""

    def map(self, work: Work[Task, Result], tasks: Sequence[Task]) -> Iterator[Outcome[Task, Result]]:
        process = psutil.Process()
        for task in tasks:
            stages: list[str] = []
            started = time.monotonic()
            result: Result | None = None
            failure: DocumentError | None = None
            try:
                with _alarm(self.limits.seconds):
                    result = work(task, stages.append)
            except Exception as error:  # noqa: BLE001 - failure_of decides: a reason, or raised again
                failure = failure_of(error)
            peak = process.memory_info().rss / 2**20
            yield Outcome(task, result, failure, stages[-1] if stages else "", time.monotonic() - started, peak)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise DocumentError('time_limit') in the block after so many seconds, where the platform can."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise DocumentError("time_limit", f"took longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
