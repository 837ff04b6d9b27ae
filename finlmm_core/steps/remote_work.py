"""The work with one document where the reports, the run or both are at a URL.

A worker fetches the report and what the run has of the document into a folder of its own machine, does there what it
does anywhere, and sends back what came of it, step by step: images first, what was dropped, and last the step's file,
so that a document's step is there whole or not at all. The folder is emptied after each document.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from finlmm_core.errors import DocumentError, FinlmmError
from finlmm_core.steps.plan import DOCUMENT_STEPS, DocumentWork, Done
from finlmm_core.steps.sources import SourceFile
from finlmm_core.store.atomic import write_atomic
from finlmm_core.store.documents import DocumentStore
from finlmm_core.store.remote import FetchingImageStore, RemoteFolder
from finlmm_core.store.run import STEP_FOLDERS


class RemoteWork:
    """DocumentWork on files at URLs. An instance is pickled to workers."""

    def __init__(self, work: DocumentWork, reports: RemoteFolder | None, run: RemoteFolder | None) -> None:
        """Wrap the work of a run.

        Args:
            work: as done on this machine, in the run's folder or its working copy.
            reports: where the reports are; None for the folder that ``work`` has.
            run: where the run is; None for the folder that ``work`` has.
        """
        self.work = work
        self.reports = reports
        self.remote = run
        self._images: FetchingImageStore | None = None

    def finished(self, task: SourceFile) -> list[Done] | None:
        """See DocumentWork; asked of the working copy."""
        return self.work.finished(task)

    def failed(self, task: SourceFile, stage: str, failure: DocumentError) -> list[Done]:
        """See DocumentWork; called by the process that drives the run."""
        if self.remote is None:
            return self.work.failed(task, stage, failure)
        carried = _Carried(self.remote, self.work.run, task)
        carried.fetch()
        done = self.work.failed(task, stage, failure)
        carried.send()
        return done

    def __call__(self, task: SourceFile, tell: Callable[[str], None]) -> list[Done]:
        """Take one document through the steps, in a folder of this process."""
        folder = _own_folder()
        try:
            return self._in(folder, task, tell)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if self._images is not None:
                self._images.fetched.clear()

    def _in(self, folder: Path, task: SourceFile, tell: Callable[[str], None]) -> list[Done]:
        run, images, carried = self.work.run, None, None
        if self.remote is not None:
            run = folder / "run"
            images = self._image_store(run / "images")
            carried = _Carried(self.remote, run, task, images)
            carried.fetch()
        reports = folder / "reports" if self.reports is not None else self.work.reports
        here = self.work.moved(run, reports, images)
        if self.reports is not None and here.reads_report(task):
            data = self.reports.read(task.relative)
            if data is not None:  # where it has gone meanwhile the step says so
                write_atomic(reports / task.relative, data, flush=False)

        def tell_and_send(stage: str) -> None:
            if carried is not None:
                carried.send()  # what is done stays done, whatever the next step does to this process
            tell(stage)

        done = here(task, tell_and_send)
        if carried is not None:
            carried.send()
        return done

    def _image_store(self, root: Path) -> FetchingImageStore:
        """Return one store for all documents of a process: plugins keep the one that they are prepared with."""
        assert self.remote is not None
        if self._images is None or self._images.root != root:
            self._images = FetchingImageStore(root, self.remote)
        return self._images


class _Carried:
    """What a run at a URL has of one document, and its copy in a folder of this machine."""

    def __init__(
        self, remote: RemoteFolder, run: Path, task: SourceFile, images: FetchingImageStore | None = None
    ) -> None:
        self._remote = remote
        self._run = run
        self._images = images
        self._sent_images: set[str] = set()
        self._there: dict[str, str] = {}  # path -> SHA-256
        self._paths: list[str] = []
        for step in DOCUMENT_STEPS:
            store = DocumentStore(run / STEP_FOLDERS[step], step)
            # In this order a step's file is the last to be written.
            for path in (store.rejected_path(task.sha256), store.path(task.sha256)):
                self._paths.append(path.relative_to(run).as_posix())

    def fetch(self) -> None:
        """Make the copy equal to what is there."""
        found = self._remote.read_many(self._paths)
        for path in self._paths:
            if path in found:
                write_atomic(self._run / path, found[path], flush=False)
                self._there[path] = hashlib.sha256(found[path]).hexdigest()
            else:
                (self._run / path).unlink(missing_ok=True)

    def send(self) -> None:
        """Make what is there equal to the copy."""
        self._send_images()
        for path in self._paths:
            try:
                data = (self._run / path).read_bytes()
            except FileNotFoundError:
                if self._there.pop(path, None) is not None:
                    self._remote.remove(path)
                continue
            digest = hashlib.sha256(data).hexdigest()
            if self._there.get(path) != digest:
                self._remote.write(path, data)
                self._there[path] = digest

    def _send_images(self) -> None:
        if self._images is None:
            return
        known = self._sent_images | self._images.fetched
        new = [path for path in sorted(self._images.root.glob("??/*")) if path.name not in known]
        for part in _parts(new):
            self._remote.write_many({path.relative_to(self._run).as_posix(): path.read_bytes() for path in part})
        self._sent_images.update(path.name for path in new)


def _parts(paths: Sequence[Path], size: int = 32) -> list[Sequence[Path]]:
    return [paths[start : start + size] for start in range(0, len(paths), size)]


def _own_folder() -> Path:
    """Return an empty folder of this process; those that ended processes left behind are removed."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    above = Path(tempfile.gettempdir()).resolve() / f"finlmm-documents-{user}"
    above.mkdir(mode=0o700, exist_ok=True)
    if above.is_symlink() or above.stat().st_uid != user:
        raise FinlmmError(f"'{above}' belongs to somebody else.", hint="Set TMPDIR to a folder of your own.")
    own = above / str(os.getpid())
    for left in above.iterdir():
        if left == own or not (left.name.isdigit() and psutil.pid_exists(int(left.name))):
            shutil.rmtree(left, ignore_errors=True)
    own.mkdir()
    return own
