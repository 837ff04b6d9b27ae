"""A run whose ``out`` is a URL: a working copy on this machine, kept equal to what is there.

The URL is the truth. The command that drives the run pulls what is there before it begins and after the documents are
done, and pushes what it makes itself: options, manifests, samples, pages. Workers read and write documents and images
at the URL (``steps/remote_work.py``); images are fetched only as they are looked at. So a run that was killed goes on
on any machine.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import TEMPORARY_PREFIX, write_atomic
from finlmm_core.store.manifest import StepRecord
from finlmm_core.store.remote import FetchingImageStore, RemoteFolder, cache_folder, url_of
from finlmm_core.store.run import CONFIG_FILE, STEP_FOLDERS, RunFolder

#: Files of a run that are no step's, pulled and pushed.
RUN_FILES = (CONFIG_FILE, "sources.json", "timings.jsonl")
#: Where the working copy says what it holds of which version; it is not part of the run.
_KNOWN_FILE = ".remote.json"
#: Files of document steps below two-letter folders are the workers' to write.
_DOCUMENT_FOLDERS = ("parsed", "generated", "aligned")
_PULL_TOGETHER = 64


def working_copy(url: str, chosen: Path | None = None) -> Path:
    """Return the folder of this machine in which a run at a URL is worked on."""
    if chosen is not None:
        return chosen
    url = url.rstrip("/")
    # The folder's own name is the run's on its pages.
    return cache_folder() / "runs" / hashlib.sha256(url.encode()).hexdigest()[:16] / url.rpartition("/")[2]


@contextmanager
def begun_config(out: Path | None) -> Iterator[list[Path]]:
    """Give the file of the configuration that a run was begun with, from its folder or URL; none if there is none."""
    if out is None:
        yield []
    elif (url := url_of(out)) is None:
        yield [file for file in (out / CONFIG_FILE,) if file.exists()]
    else:
        data = RemoteFolder(url).read(CONFIG_FILE)
        with tempfile.TemporaryDirectory(prefix="finlmm-") as folder:
            file = Path(folder) / CONFIG_FILE
            if data is not None:
                file.write_bytes(data)
            yield [file] if data is not None else []


class RemoteRunFolder(RunFolder):
    """The working copy of a run at a URL."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(path)
        self.remote = RemoteFolder(url)
        self.images = FetchingImageStore(path / "images", self.remote)
        self._known = self._read_known()

    # ---------------------------------------------------------------------------------------------- from the URL

    def pull(self) -> None:
        """Make the working copy hold what is at the URL, images left out.

        Raises:
            FinlmmError: something else is there.
        """
        self._refuse_strange_store()
        there = {name: version for name in RUN_FILES if (version := self.remote.version(name))}
        for folder in STEP_FOLDERS.values():
            there.update(self.remote.versions(folder))
        there = {path: version for path, version in there.items() if TEMPORARY_PREFIX not in path}
        for path in self._here():
            if path not in there:
                (self.path / path).unlink(missing_ok=True)
                self._known.pop(path, None)
        stale = [path for path, version in there.items() if not self._is_known(path, version)]
        for start in range(0, len(stale), _PULL_TOGETHER):
            for path, data in self.remote.read_many(stale[start : start + _PULL_TOGETHER]).items():
                write_atomic(self.path / path, data, flush=False)
                self._known[path] = [there[path], hashlib.sha256(data).hexdigest()]
        if there:
            self._write_known()

    def _refuse_strange_store(self) -> None:
        if self.remote.version(CONFIG_FILE):
            return
        inside = [path for path in self.remote.versions() if TEMPORARY_PREFIX not in path]
        if inside:
            raise FinlmmError(
                f"'{self.remote.url}' holds files ({inside[0]}) and is not a run of finlmm.",
                hint="Give an empty or a new place, so that nothing of yours is overwritten.",
            )

    def _is_known(self, path: str, version: str) -> bool:
        known = self._known.get(path)
        return known is not None and known[0] == version and (self.path / path).is_file()

    def _here(self) -> Iterator[str]:
        for name in RUN_FILES:
            if (self.path / name).is_file():
                yield name
        for folder in STEP_FOLDERS.values():
            for file in (self.path / folder).rglob("*"):
                if file.is_file():
                    yield file.relative_to(self.path).as_posix()

    # ------------------------------------------------------------------------------------------------ to the URL

    def publish(self) -> None:
        self._push([name for name in RUN_FILES if (self.path / name).is_file()])

    def begin(self, step: str, options: dict[str, Any]) -> None:
        super().begin(step, options)
        self._push([f"{STEP_FOLDERS[step]}/options.json"])

    def write_record(self, record: StepRecord) -> None:
        super().write_record(record)
        folder = STEP_FOLDERS[record.step]
        last = f"{folder}/manifest.json"
        if folder not in _DOCUMENT_FOLDERS:
            here = {path for path in self._here() if path.startswith(f"{folder}/") and path != last}
            for path in self.remote.versions(folder):
                if path not in here and path != last:
                    self.remote.remove(path)
            self._push(sorted(here))
        self._push([last])
        self.publish()

    def remove(self, step: str) -> None:
        folder = STEP_FOLDERS[step]
        # The manifest goes first: what is half removed must not pass for done.
        for path in sorted(self.remote.versions(folder), key=lambda path: (not path.endswith("manifest.json"), path)):
            self.remote.remove(path)
            self._known.pop(path, None)
        super().remove(step)

    def _push(self, paths: list[str]) -> None:
        for path in paths:
            data = (self.path / path).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            known = self._known.get(path)
            if known is not None and known[1] == digest:
                continue
            self.remote.write(path, data)
            self._known[path] = [self.remote.version(path), digest]
        self._write_known()

    # --------------------------------------------------------------------------------------------------- helpers

    def _read_known(self) -> dict[str, list[str]]:
        try:
            known: dict[str, list[str]] = json.loads((self.path / _KNOWN_FILE).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return known

    def _write_known(self) -> None:
        write_atomic(self.path / _KNOWN_FILE, json.dumps(self._known, sort_keys=True).encode(), flush=False)
