"""Documents over worker processes, each watched for time and memory.

A pool of the standard library cannot say which task took a worker down, nor stop one that hangs in C code. Here the
parent holds one pipe a worker, knows what each is at, and ends and replaces a worker that dies, hangs or grows too
big; the document is set aside with the reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

from finlmm_core.engines.base import Engine, Limits, Outcome, Result, Task, Work
from finlmm_core.engines.worker import WATCH_SECONDS, Worker


class ProcessEngine(Engine):
    """Maps over worker processes (started fresh, not forked: PDF and OCR libraries hold locks and threads)."""

    def __init__(self, limits: Limits, workers: int) -> None:
        super().__init__(limits)
        self.workers = workers

    def map(self, work: Work[Task, Result], tasks: Sequence[Task]) -> Iterator[Outcome[Task, Result]]:
        waiting = deque(enumerate(tasks))
        crashed_once: set[int] = set()
        pool: list[Worker] = []
        try:
            while waiting or any(worker.busy for worker in pool):
                while waiting and len(pool) < self.workers:
                    pool.append(Worker(work, self.limits))
                for worker in pool:
                    if waiting and not worker.busy:
                        worker.give(*waiting.popleft())
                watched: list[Any] = [worker.pipe for worker in pool]
                wait(watched, timeout=WATCH_SECONDS)
                for worker in list(pool):
                    for outcome in worker.look():
                        crashed = outcome.failure is not None and outcome.failure.reason == "crashed"
                        if crashed and worker.number not in crashed_once:
                            # A crash can be the work of the document before it: once more, in a fresh process.
                            crashed_once.add(worker.number)
                            waiting.appendleft((worker.number, outcome.task))
                        else:
                            yield outcome
                    if worker.finished:
                        worker.end()
                        pool.remove(worker)
        finally:
            for worker in pool:
                worker.end()
