"""Documents over the workers of a Ray cluster, by Ray Data.

Ray runs in a process of its own beside this one (``ray_driver.py``), which hands outcomes over a pipe as they end. So
what Ray prints does not mix with what a command prints, a cluster that does not answer or goes away ends a wait and
not the process, and the run's own process stays as small as with other engines. Each worker of the cluster keeps one
watched process, as the engine `processes` does many: time and memory limits are the same code.

A worker or a machine that is lost loses nothing: Ray hands its documents to another worker, and whatever of them was
stored already is found by its key.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finlmm_core.engines.base import Engine, Limits, Outcome, Result, Task, Work
from finlmm_core.engines.worker import how_ended
from finlmm_core.errors import FinlmmError

if TYPE_CHECKING:
    from finlmm_core.config import EngineConfig, RayConfig

#: A document that crashes its process is tried twice, so its worker may be silent for this many time limits.
ATTEMPTS = 2
#: What Ray may take to close down at the end, in seconds, before its process is ended.
CLOSING_SECONDS = 30


class Plan(NamedTuple):
    """What Ray's process is told: the work, the tasks, and how to go about them."""

    work: Work[Any, Any]
    tasks: Sequence[Any]
    limits: Limits
    workers: int
    config: RayConfig
    address: str | None  # None: a cluster of this machine alone
    version: str  # of finlmm; every node must have the same


def make_ray_engine(limits: Limits, config: EngineConfig) -> RayEngine:
    """Return the engine that a configuration asks for.

    Raises:
        FinlmmError: Ray is not installed, the address cannot be one, or it is not said how many workers to use.
    """
    if importlib.util.find_spec("ray") is None:
        raise FinlmmError(
            "The engine 'ray' needs Ray, which is not installed.", hint="Install it: pip install 'finlmm[ray]'"
        )
    address = config.ray.address or os.environ.get("RAY_ADDRESS") or None
    if address == "local":
        address = None
    if address is not None:
        _check_address(address)
        if config.workers is None:
            raise FinlmmError(
                f"How many workers may be used of the Ray cluster at '{address}' is not said.",
                hint="Give --workers N, or 'workers' in [engine]: its CPUs, less those that are for others.",
            )
    if config.ray.min_workers > config.resolved_workers():
        raise FinlmmError(
            f"engine.ray.min_workers is {config.ray.min_workers}, more than the {config.resolved_workers()} workers.",
            hint="Raise engine.workers or lower engine.ray.min_workers.",
        )
    return RayEngine(limits, config.resolved_workers(), config.ray, address)


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto" and not (host and "/" not in host and port.isdigit() and 0 < int(port) < 65536):
        raise FinlmmError(
            f"'{address}' is not the address of a Ray cluster that a build can use.",
            hint="Give host:port as `ray start --head` prints it, or 'auto', and run the command on a node of the "
            "cluster (for a ray:// address: by `ray job submit`).",
        )


class RayEngine(Engine):
    """Maps over a cluster; outcomes come in the order in which documents end, on whichever machine."""

    def __init__(self, limits: Limits, workers: int, config: RayConfig, address: str | None = None) -> None:
        super().__init__(limits)
        self.workers = workers
        self.config = config
        self.address = address

    def map(self, work: Work[Task, Result], tasks: Sequence[Task]) -> Iterator[Outcome[Task, Result]]:
        if not tasks:
            return
        import finlmm_core

        plan = Plan(work, tasks, self.limits, self.workers, self.config, self.address, version=finlmm_core.__version__)
        with tempfile.TemporaryDirectory(prefix="finlmm-ray-") as folder:
            driver = _Driver(plan, Path(folder) / "ray.log")
            try:
                yield from self._outcomes(driver, tasks)
                driver.close()
            finally:
                driver.end()

    def _outcomes(self, driver: _Driver, tasks: Sequence[Task]) -> Iterator[Outcome[Task, Result]]:
        left = dict(enumerate(tasks))
        connecting = time.monotonic() + self.config.connect_seconds
        patience = ATTEMPTS * self.limits.seconds + self.config.wait_seconds
        connected = False
        while left:
            seconds = patience if connected else connecting - time.monotonic()
            kind, value = driver.receive(seconds)
            if kind == "connected":
                connected = True
            elif kind == "outcome":
                number, outcome = value
                if left.pop(number, None) is not None:  # Ray may do a document twice, and never tells so twice
                    yield outcome
            elif kind == "stop":
                raise value
            elif not connected:
                raise self._unreachable()
            else:
                raise FinlmmError(
                    f"No worker of the Ray cluster has finished anything for {patience:,.0f} seconds.",
                    hint="See `ray status`: it may have no CPU left. The same command goes on from here.",
                )

    def _unreachable(self) -> FinlmmError:
        where = f"at '{self.address}' did not answer" if self.address else "of this machine did not start"
        return FinlmmError(
            f"The Ray cluster {where} within {self.config.connect_seconds:g} seconds.",
            hint="See that it runs (`ray status`) and that this machine is a node of it, or raise "
            "engine.ray.connect_seconds.",
        )


class _Driver:
    """Ray's own process and the pipe to it; what it prints goes to a file."""

    def __init__(self, plan: Plan, log: Path) -> None:
        from finlmm_core.engines.ray_driver import drive

        self.log = log
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        # Not a daemon of multiprocessing: it ends its workers itself, and with its parent by the kernel.
        self.process = context.Process(target=drive, args=(theirs, plan, str(log), os.getpid()), name="finlmm-ray")
        self.process.start()
        theirs.close()

    def receive(self, seconds: float) -> tuple[str, Any]:
        """Return the next message, ``("silent", None)`` where none comes in time.

        Raises:
            FinlmmError: the process has ended.
        """
        try:
            if not self.pipe.poll(max(0.0, seconds)):
                return "silent", None
            message: tuple[str, Any] = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join(5)
            raise FinlmmError(
                f"Ray ended before the run did: {how_ended(self.process.exitcode)}.\n{self._said()}".rstrip(),
                hint="The same command goes on from here. Ray's own logs are in /tmp/ray/session_latest/logs.",
            ) from None
        return message

    def _said(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(line[:300] for line in lines[-8:])

    def close(self) -> None:
        """Let the process close down in its own time."""
        self.process.join(CLOSING_SECONDS)

    def end(self) -> None:
        """End the process where it still runs; what it started ends with it, workers on other machines too."""
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()
