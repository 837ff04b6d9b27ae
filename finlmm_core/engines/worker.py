"""One worker process, watched for time and memory by the process that started it.

The parent holds a pipe to it, knows the task that it is at, and ends it where it hangs or grows too big. Engines
differ in where such processes run and in what hands them tasks: ``processes`` keeps a pool of them, ``ray`` one in each
of its workers on a cluster.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection, wait
from typing import Any, Generic

import psutil

from finlmm_core.engines.base import Limits, Outcome, Result, Task, Work, failure_of
from finlmm_core.errors import DocumentError, FinlmmError

#: How often the parent looks at the time and memory of its workers, in seconds.
WATCH_SECONDS = 0.1
#: Seconds that a process may take to start, on top of its first task's limit.
START_SECONDS = 120.0
#: A worker whose resident memory passed this share of the limit is replaced after its document.
RETIRE_SHARE = 0.6


class Worker:
    """One process, the pipe to it, and the task that it is at."""

    def __init__(self, work: Work[Any, Any], limits: Limits) -> None:
        context = multiprocessing.get_context("spawn")
        self.limits = limits
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, work, limits.memory_mb, os.getpid()), daemon=True, name="finlmm-worker"
        )
        self.process.start()
        theirs.close()
        self.busy = False
        self.finished = False
        self.number = -1
        self.task: Any = None
        self.stage = ""
        self.started = 0.0
        self.begun = False
        self.peak_mb = 0.0
        self.watched: psutil.Process | None = None

    def give(self, number: int, task: object) -> None:
        """Hand the worker its next task."""
        self.number, self.task, self.stage = number, task, ""
        self.busy, self.begun, self.started, self.peak_mb = True, False, time.monotonic(), 0.0
        with contextlib.suppress(BrokenPipeError):  # it died while idle: look() finds out and tells
            self.pipe.send(task)

    def look(self) -> list[Outcome[Any, Any]]:
        """Return what has become of the task, if it ended."""
        try:
            while self.pipe.poll():
                kind, value = self.pipe.recv()
                if kind == "begun":  # a process that has just been started imports for seconds before it begins
                    self.begun, self.started = True, time.monotonic()
                elif kind == "stage":
                    self.stage = value
                elif kind == "done":
                    return [self._ended(value, None)]
                elif kind == "failed":
                    return [self._ended(None, value)]
                else:  # concerns the whole run
                    raise value
        except (EOFError, ConnectionResetError):
            self.process.join(5)
            self.finished = True
            if self.busy:
                return [self._ended(None, DocumentError("crashed", f"{how_ended(self.process.exitcode)}, twice"))]
            return []
        return self._over_limit() if self.busy else []

    def _over_limit(self) -> list[Outcome[Any, Any]]:
        self._measure()
        failure = None
        if time.monotonic() - self.started > self.limits.seconds + (0 if self.begun else START_SECONDS):
            failure = DocumentError("time_limit", f"took longer than {self.limits.seconds:g} seconds")
        elif self.peak_mb > self.limits.memory_mb:
            failure = DocumentError("memory_limit", f"its process grew beyond {self.limits.memory_mb} MB")
        if failure is None:
            return []
        self.finished = True
        self.process.kill()
        return [self._ended(None, failure)]

    def _measure(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if self.watched is None:
                self.watched = psutil.Process(self.process.pid)
            self.peak_mb = max(self.peak_mb, self.watched.memory_info().rss / 2**20)

    def _ended(self, result: object, failure: DocumentError | None) -> Outcome[Any, Any]:
        self._measure()
        self.busy = False
        if self.peak_mb > RETIRE_SHARE * self.limits.memory_mb:
            self.finished = True
        return Outcome(self.task, result, failure, self.stage, time.monotonic() - self.started, self.peak_mb)

    def end(self) -> None:
        """End the process and wait for it."""
        self.pipe.close()
        if self.busy or self.finished:
            self.process.kill()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class LoneWorker(Generic[Task, Result]):
    """Does tasks one after another in a watched process, which is replaced where it was ended."""

    def __init__(self, work: Work[Task, Result], limits: Limits) -> None:
        self._work = work
        self._limits = limits
        self._worker: Worker | None = None

    def do(self, task: Task) -> Outcome[Task, Result]:
        """Return how the task ended; one that crashes its process is tried once more, in a fresh one.

        Raises:
            FinlmmError: something that concerns the whole run.
        """
        outcome = self._once(task)
        if outcome.failure is not None and outcome.failure.reason == "crashed":
            outcome = self._once(task)
        return outcome

    def end(self) -> None:
        """End the process and wait for it."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _once(self, task: Task) -> Outcome[Task, Result]:
        if self._worker is None:
            self._worker = Worker(self._work, self._limits)
        worker = self._worker
        worker.give(0, task)
        ended: list[Outcome[Task, Result]] = []
        try:
            while not ended:
                wait([worker.pipe], timeout=WATCH_SECONDS)
                ended = worker.look()
        except BaseException:
            self.end()
            raise
        if worker.finished:
            self.end()
        return ended[0]


def _serve(pipe: Connection, work: Work[Any, Any], memory_mb: int, parent: int) -> None:
    """Do tasks until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with_parent(parent)
    limit_memory(memory_mb)

    def tell(stage: str) -> None:
        pipe.send(("stage", stage))

    while True:
        try:
            task = pipe.recv()
            pipe.send(("begun", None))
        except (EOFError, BrokenPipeError):
            return
        try:
            message = ("done", work(task, tell))
        except Exception as error:  # noqa: BLE001 - failure_of decides: a reason, or the whole run's concern
            try:
                message = ("failed", failure_of(error))
            except FinlmmError as concern:
                message = ("stop", concern)
        try:
            pipe.send(message)
        except BrokenPipeError:
            return


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process with its parent, so that a killed run leaves no worker behind."""
    if sys.platform != "linux":
        return
    import ctypes

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request
        os._exit(1)


def limit_memory(memory_mb: int) -> None:
    """Let allocations fail beyond the limit, before the parent's next look (a bomb grows by gigabytes a second)."""
    if sys.platform != "linux":
        return
    import resource

    limit = memory_mb * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def how_ended(code: int | None) -> str:
    """Return in words how a process ended."""
    if code is not None and code < 0:
        try:
            return f"the process was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"the process was ended by signal {-code}"
    return f"the process ended with exit code {code}"
