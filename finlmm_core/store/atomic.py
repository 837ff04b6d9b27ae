"""Files that exist whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_atomic(path: Path, data: bytes, flush: bool = True) -> None:
    """Write a file under a temporary name in its own folder and rename it: readers see all of it, or nothing.

    Folders are made as needed.

    Args:
        path: the file.
        data: all that it will hold.
        flush: wait until the data is on disk before the rename, so that a machine that loses power does not keep an
            empty file under the final name. Only files whose readers can tell a torn one do without.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}")
    try:
        try:
            _write(temporary, data, flush)
        except FileNotFoundError:  # asked for only now: most files go to folders that exist
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(temporary, data, flush)
        temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)  # the name that a user knows
        with contextlib.suppress(OSError):  # what went wrong first is what counts
            temporary.unlink(missing_ok=True)
        raise


def _write(path: Path, data: bytes, flush: bool) -> None:
    with path.open("wb") as file:
        file.write(data)
        if flush:
            file.flush()
            os.fsync(file.fileno())


TEMPORARY_PREFIX = ".writing-"


def sweep_temporaries(folder: Path) -> int:
    """Remove files that a killed run left half-written below a folder; return how many there were."""
    count = 0
    for path in sorted(folder.rglob(f"{TEMPORARY_PREFIX}*")):
        path.unlink(missing_ok=True)
        count += 1
    return count
