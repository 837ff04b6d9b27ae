"""Work for engines that misbehaves on demand; worker processes import it by name."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from finlmm_core import DocumentError, FinlmmError


class Misbehave:
    """Does what a task's first word says."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def __call__(self, task: str, tell: Callable[[str], None]) -> str:
        tell("first")
        name = task.split()[0]
        if name == "refuse":
            raise DocumentError("not_a_pdf", "no header")
        if name == "bug":
            raise KeyError("missing")
        if name == "stop":
            raise FinlmmError("the disk is full")
        if name == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "die-once":
            assert self.folder is not None
            mark = self.folder / "died"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if name == "lose-worker":  # what watches this process, not this process itself
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        if name == "lose-worker-once":
            assert self.folder is not None
            mark = self.folder / "lost"
            if not mark.exists():
                mark.touch()
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
        if name == "mark":
            assert self.folder is not None
            began = time.time()
            time.sleep(0.4)
            (self.folder / f"{task} {os.getpid()} {began} {time.time()}").touch()
        if name == "sleep":
            time.sleep(60)
        if name == "hang-in-c":
            ctypes.CDLL(None).sleep(60)
        if name == "grow":
            tell("growing")
            hoard = []
            while True:
                hoard.append(bytearray(16 * 2**20))
        return task.upper()
