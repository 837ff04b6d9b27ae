"""What a finished step says of itself: written last, and nothing in it differs between equal runs."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from pydantic import Field

from finlmm_core.domain import Frozen
from finlmm_core.store.atomic import write_atomic

#: Raised when the stored form of any object changes; part of every key.
SCHEMA_VERSION = 1


class StepRecord(Frozen):
    """The manifest of one step of one run, stored as ``<step>/manifest.json``.

    It holds no times: a run that was killed and resumed ends with the same bytes as one that never was. Seconds are
    in ``timings.jsonl`` of the run's folder.
    """

    step: str
    key: str = Field(description="SHA-256 over step, schema version, resolved options, plugin versions, input keys")
    finlmm: str = Field(description="version of finlmm")
    git_revision: str | None = Field(description="of the checkout that finlmm runs from, None for an installed wheel")
    seed: int
    options: dict[str, Any]
    inputs: int = Field(description="documents that went in")
    set_aside: int = Field(default=0, description="documents that this step set aside")
    counts: dict[str, int] = Field(default={}, description="what came out, by name")
    rejections: dict[str, int] = Field(default={}, description="what was dropped, by reason")

    def write(self, path: Path) -> None:
        """Write the manifest, whole or not at all."""
        write_atomic(path, (self.model_dump_json(indent=2) + "\n").encode())

    @classmethod
    def read(cls, path: Path) -> StepRecord | None:
        """Return the manifest, None where the step has not finished."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None


def key_of(*parts: object) -> str:
    """Return the SHA-256 of JSON-serialisable parts, as 64 hexadecimal characters."""
    encoded = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(encoded.encode()).hexdigest()


@functools.lru_cache(maxsize=1)
def git_revision() -> str | None:
    """Return the revision of the checkout that this package is imported from; None where it is not one."""
    package = Path(__file__).resolve().parents[1]
    if not (package.parent / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=package, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None if answer.returncode == 0 else None
