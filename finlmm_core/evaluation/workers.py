"""Several processes that answer, each with the model in its memory once, and a queue of chunks that they take from.

A worker that dies (out of memory, most often) is told of and replaced, and its chunk is asked once more by another. A
chunk that takes down two is given up: its conversations count as failed, and the others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from finlmm_core.domain import Completion, Sampling
from finlmm_core.engines.worker import die_with_parent, how_ended
from finlmm_core.errors import FinlmmError
from finlmm_core.evaluation.answering import Chunk, answer
from finlmm_core.plugins.bases import ModelBackend
from finlmm_core.store.images import ImageStore

_DEVICES = "CUDA_VISIBLE_DEVICES"
_THREADS = "OMP_NUM_THREADS"
_SECONDS_TO_END = 5.0


class WorkerFailed(Exception):
    """Something that nobody foresaw went wrong in a worker; the text is its traceback."""


class Workers:
    """Processes that are started with the first chunk and answer until they are closed.

    Args:
        backend: travels to each as class and options; its model is loaded there.
        images: folder of the image store.
        processes: how many.
        devices: names of the GPUs, as CUDA_VISIBLE_DEVICES takes them; () where there are none. Each process gets its
            share of them, or one that it shares with others where there are fewer GPUs than processes.
    """

    def __init__(self, backend: ModelBackend, images: Path, processes: int, devices: Sequence[str] = ()) -> None:
        self._backend = backend
        self._images = images
        self._processes = processes
        self._shares = shares(devices, processes)
        self._pool: dict[int, _Worker] = {}
        self._used: dict[int, Mapping[str, float]] = {}

    def map(
        self, chunks: Sequence[Chunk], sampling: Sampling, tell: Callable[[str], None]
    ) -> Iterator[tuple[int, list[list[Completion]]]]:
        """Yield for every chunk, in the order in which they end, its place and its completions.

        Raises:
            FinlmmError: the model cannot be loaded, or asked at all.
            WorkerFailed: a mistake in the backend.
        """
        waiting = deque(range(len(chunks)))
        died: dict[int, str] = {}
        while waiting or self._busy():
            self._hand_out(waiting, chunks, sampling)
            ready = wait([worker.pipe for worker in self._busy().values()])
            for slot, worker in self._busy().items():
                if worker.pipe not in ready:
                    continue
                place = worker.take_back()
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, ConnectionResetError):
                    how = self._ended(slot)
                    asked = f"its {len(chunks[place])} conversations"
                    if place not in died:
                        died[place] = how
                        waiting.appendleft(place)
                        tell(f"worker {slot + 1}: {how}; {asked} are asked again by another.")
                    else:
                        tell(f"worker {slot + 1}: {how}, as did the one before it; {asked} count as failed.")
                        failed = Completion(text="", failed=f"worker_died: {died[place]}, then {how}")
                        yield place, [[failed] * len(one.numbers) for one in chunks[place]]
                    continue
                if kind != "done":
                    raise value if isinstance(value, FinlmmError) else WorkerFailed(value)
                answers, self._used[worker.process.pid or 0] = value
                yield place, answers

    def _busy(self) -> dict[int, _Worker]:
        return {slot: worker for slot, worker in self._pool.items() if worker.place is not None}

    def _ended(self, slot: int) -> str:
        """Return how a worker that is gone ended, and forget it."""
        worker = self._pool.pop(slot)
        worker.process.join(_SECONDS_TO_END)
        how = how_ended(worker.process.exitcode)
        worker.end()
        return how

    def _hand_out(self, waiting: deque[int], chunks: Sequence[Chunk], sampling: Sampling) -> None:
        for slot in range(self._processes):
            if not waiting:
                return
            if slot not in self._pool:
                self._pool[slot] = _Worker(self._backend, self._images, self._environment(slot))
            worker = self._pool[slot]
            if worker.place is None:
                worker.give(waiting.popleft(), chunks, sampling)

    def _environment(self, slot: int) -> dict[str, str]:
        """Return what a worker's environment has of its own: its GPUs, and its share of the cores."""
        own = {}
        if self._shares:
            own[_DEVICES] = self._shares[slot]
        if _THREADS not in os.environ:
            own[_THREADS] = str(max(1, (os.cpu_count() or 1) // self._processes))
        return own

    def usage(self) -> dict[str, float]:
        """Return what the backends of all processes count of what they used up."""
        total: Counter[str] = Counter()
        for used in self._used.values():
            total.update(used)
        return dict(total)

    def close(self) -> None:
        """End the processes."""
        for worker in self._pool.values():
            worker.end()
        self._pool.clear()


class _Worker:
    """One process, the pipe to it, and the place of the chunk that it is at."""

    def __init__(self, backend: ModelBackend, images: Path, environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.place: int | None = None
        self.process = context.Process(
            target=_serve, args=(theirs, backend, images, os.getpid()), daemon=True, name="finlmm-eval"
        )
        with _environment(environment):  # libraries read theirs when they are imported, so it is there from the start
            self.process.start()
        theirs.close()

    def give(self, place: int, chunks: Sequence[Chunk], sampling: Sampling) -> None:
        """Hand the worker a chunk."""
        self.place = place
        with contextlib.suppress(BrokenPipeError):  # it died while idle: the next look at its pipe finds out
            self.pipe.send((chunks[place], sampling))

    def take_back(self) -> int:
        """Return the place of the chunk that the worker was given; it is free for another then."""
        assert self.place is not None
        place, self.place = self.place, None
        return place

    def end(self) -> None:
        """End the process and wait for it."""
        self.pipe.close()
        if self.place is not None:
            self.process.kill()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(pipe: Connection, backend: ModelBackend, images: Path, parent: int) -> None:
    """Answer chunks until the parent closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with_parent(parent)
    store = ImageStore(images)
    while True:
        try:
            chunk, sampling = pipe.recv()
        except EOFError:
            return
        message: tuple[str, Any]
        try:
            message = ("done", (answer(backend, chunk, store, sampling), dict(backend.usage())))
        except FinlmmError as error:
            message = ("stop", error)
        except Exception:  # noqa: BLE001 - nothing is swallowed: the parent raises it, with where it came from
            message = ("stop", traceback.format_exc())
        try:
            pipe.send(message)
        except BrokenPipeError:
            return


def shares(devices: Sequence[str], processes: int) -> list[str]:
    """Return for each process the GPUs that it sees; [] where there are none.

    >>> shares(["0", "1", "2", "3"], 2)
    ['0,2', '1,3']
    >>> shares(["0", "1"], 4)
    ['0', '1', '0', '1']
    """
    if not devices:
        return []
    if processes <= len(devices):
        return [",".join(devices[slot::processes]) for slot in range(processes)]
    return [devices[slot % len(devices)] for slot in range(processes)]


def visible_devices() -> list[str]:
    """Return the names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them; none is touched."""
    named = os.environ.get(_DEVICES)
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip() and one.strip() != "-1"]
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    return [str(number) for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
