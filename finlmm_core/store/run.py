"""A run's folder: its lock, its configuration, and the results of its steps."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finlmm_core.errors import FinlmmError
from finlmm_core.escapes import visible_line
from finlmm_core.store.atomic import sweep_temporaries, write_atomic
from finlmm_core.store.images import ImageStore
from finlmm_core.store.manifest import StepRecord
from finlmm_core.store.remote import url_of

#: Where each step keeps its results.
STEP_FOLDERS = {
    "parse": "parsed",
    "generate": "generated",
    "align": "aligned",
    "samples": "samples",
    "report": "report",
    "audit": "audit",
}
CONFIG_FILE = "config.resolved.toml"


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        if (url := url_of(path)) is not None:
            raise FinlmmError(
                f"'{url}' is a URL; this works in a folder of this machine.",
                hint="Only the steps of a build take URLs. Give a copy of the run, such as the build's working copy.",
            )
        self.path = path
        self.images = ImageStore(path / "images")

    def pull(self) -> None:
        """Bring here what others have made of the run; a run in a folder has nothing to bring."""

    def publish(self) -> None:
        """Take to where the run is what was written of its own files; a run in a folder is there already."""

    def step(self, name: str) -> Path:
        """Return the folder of a step."""
        return self.path / STEP_FOLDERS[name]

    def record(self, step: str) -> StepRecord | None:
        """Return a finished step's manifest."""
        return StepRecord.read(self.step(step) / "manifest.json")

    def write_record(self, record: StepRecord) -> None:
        """Write a finished step's manifest."""
        record.write(self.step(record.step) / "manifest.json")

    def begun_with(self, step: str) -> dict[str, Any] | None:
        """Return the resolved options that a step was begun with; None where it was not begun."""
        try:
            loaded: dict[str, Any] = json.loads((self.step(step) / "options.json").read_bytes())
        except FileNotFoundError:
            return None
        return loaded

    def begin(self, step: str, options: dict[str, Any]) -> None:
        """Write down the resolved options that a step begins with."""
        text = json.dumps(options, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        write_atomic(self.step(step) / "options.json", text.encode())

    def remove(self, step: str) -> None:
        """Remove a step's results."""
        shutil.rmtree(self.step(step), ignore_errors=True)

    def add_timing(self, entry: dict[str, Any]) -> None:
        """Append a line to ``timings.jsonl``: what took how long, in this run and earlier ones."""
        with open(self.path / "timings.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def timings(self) -> list[dict[str, Any]]:
        """Return all timings, oldest first."""
        try:
            lines = (self.path / "timings.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError:  # the last line of a run that was killed while it wrote
                continue
        return entries

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; sweep what a killed run left half-written.

        Raises:
            FinlmmError: another process works in it, or it is not a run's folder.
        """
        self._refuse_strange_folder()
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "a+") as file:
            _lock(file, self.path)
            sweep_temporaries(self.path)
            yield

    def _refuse_strange_folder(self) -> None:
        try:
            str(self.path.absolute()).encode()
        except UnicodeEncodeError:  # manifests and pages could not name it
            raise FinlmmError(
                f"The name of the folder '{visible_line(str(self.path))}' is not UTF-8.", hint="Give another folder."
            ) from None
        if self.path.exists() and not self.path.is_dir():
            raise FinlmmError(f"'{self.path}' is a file; expected a folder for the run.")
        if self.path.is_dir():
            inside = {entry.name for entry in self.path.iterdir()}
            if inside and CONFIG_FILE not in inside and ".lock" not in inside:
                raise FinlmmError(
                    f"'{self.path}' is not empty and not a run of finlmm.",
                    hint="Give an empty or a new folder, so that nothing of yours is overwritten.",
                )


def _lock(file: Any, folder: Path) -> None:
    if sys.platform == "win32":
        return  # no advisory locks of this kind; renames are still atomic
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise FinlmmError(
            f"Another process ({file.read().strip() or 'unknown'}) is working in '{folder}'.",
            hint="Wait until it has finished, or give another folder.",
        ) from None
    file.seek(0)
    file.truncate()
    file.write(f"pid {os.getpid()}")
    file.flush()
