"""Files that exist whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file under a temporary name in its own folder and rename it: readers see all of it, or nothing.

    The data is flushed to disk before the rename, so that a machine that loses power does not keep an empty file
    under the final name. Folders are made as needed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


TEMPORARY_PREFIX = ".writing-"


def sweep_temporaries(folder: Path) -> int:
    """Remove files that a killed run left half-written below a folder; return how many there were."""
    count = 0
    for path in sorted(folder.rglob(f"{TEMPORARY_PREFIX}*")):
        path.unlink(missing_ok=True)
        count += 1
    return count
