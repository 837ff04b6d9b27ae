"""The audit at the end of a build: in a process of its own while the report page is drawn, or in this one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from finlmm_core.audit.config import AuditConfig
from finlmm_core.audit.run import (
    AUDIT_VERSION,
    FOLDER,
    AuditResult,
    audit_folder,
    audit_key,
    finished_audit,
    load_libraries,
)
from finlmm_core.engines.worker import die_with_parent
from finlmm_core.errors import FinlmmError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from finlmm_core.store.run import RunFolder

#: With fewer samples than this an audit takes less time than a process takes to begin.
WORTH_A_PROCESS = 1000


class AuditProcess:
    """A process that waits, its libraries loaded, for samples to measure.

    Begun before the samples are made, which one process does, it has loaded by the time that they are there.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # not forked: libraries hold locks and threads
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True, name="finlmm-audit")
        self._process.start()
        theirs.close()

    def audit(self, run: Path, config: AuditConfig, seed: int) -> None:
        """Begin to measure the samples of a run."""
        with contextlib.suppress(BrokenPipeError):  # it was ended while it waited: result() tells
            self._pipe.send((run, config, seed))

    def result(self, run: Path) -> AuditResult:
        """Return what was measured; waits for it.

        Raises:
            FinlmmError: the samples cannot be read, or the process was ended from outside.
        """
        try:
            found: object = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise FinlmmError(
                f"The audit of {run} was ended from outside (exit code {self._process.exitcode}).",
                hint="Memory may have been short. The same command goes on; --no-audit leaves the audit out.",
            ) from None
        self._process.join()
        if isinstance(found, FinlmmError):
            raise found
        assert isinstance(found, AuditResult)
        return found

    def end(self) -> None:
        """End the process, whatever it is at; nothing where it has ended."""
        self._pipe.close()
        self._process.kill()
        self._process.join()


class BuildAudit:
    """The audit of a build's samples, begun and waited for.

    ::

        audit = BuildAudit(run, config.audit, config.seed, beside=True)
        ...                                # something else meanwhile
        result, seconds = audit.result()   # 0 seconds where the samples had been audited before

    Args:
        run: whose samples are measured.
        config: what is measured, and limits.
        seed: of the folds and bootstrap samples.
        beside: in a process of its own, where there are samples enough to be worth one.
        process: that is there already; it is used, or left as it is where nothing is to be done.
    """

    def __init__(
        self, run: RunFolder, config: AuditConfig, seed: int, *, beside: bool, process: AuditProcess | None = None
    ) -> None:
        self.run, self.config, self.seed = run, config, seed
        samples = run.record("samples")
        if samples is None:
            raise FinlmmError(f"{run.path} has no samples yet.", hint=f"Run that step first: finlmm samples {run.path}")
        self.key = audit_key(config, seed, samples.key)
        self.started = time.monotonic()
        self._process: AuditProcess | None = None
        kept = finished_audit(run.path) if run.record("audit") is not None else None
        self._kept = kept if kept is not None and kept.key == self.key else None
        if self._kept is None:
            run.remove("audit")
            # Written before the report page is drawn: the page has a link where this folder is.
            run.begin("audit", {**config.model_dump(mode="json"), "seed": seed, "version": AUDIT_VERSION})
            if process is None and beside and samples.counts.get("samples", 0) >= WORTH_A_PROCESS:
                process = AuditProcess()
            if process is not None:
                process.audit(run.path, config, seed)
                self._process = process

    def result(self) -> tuple[AuditResult, float]:
        """Return the audit and the seconds since it was begun; waits for it.

        Raises:
            FinlmmError: the samples cannot be read, or the process was ended from outside.
        """
        if self._kept is not None:
            return self._kept, 0.0
        if self._process is None:
            found = audit_folder(self.run.path, self.config, seed=self.seed)
        else:
            found = self._process.result(self.run.path)
        return found, time.monotonic() - self.started


def _serve(pipe: Connection, parent: int) -> None:
    """Load what an audit takes, wait for a run, audit it; send the result, or the error that the user is to see."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with_parent(parent)  # a killed build must not go on writing beside the one that follows it
    load_libraries()
    try:
        run, config, seed = pipe.recv()
    except EOFError:  # there is nothing to audit
        return
    found: object
    try:
        found = audit_folder(run, config, seed=seed)
    except FinlmmError as error:
        found = error
    pipe.send(found)
    pipe.close()


def audit_link(run: Path) -> str:
    """Return where the audit's page lies, seen from the report page; '' where the run has no audit."""
    return f"../{FOLDER}/index.html" if (run / FOLDER).is_dir() else ""
