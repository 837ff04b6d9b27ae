"""The small files of a stage's folder: what it was begun with, and its manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from finlmm_core.store.atomic import write_atomic

OPTIONS_FILE = "options.json"
MANIFEST_FILE = "manifest.json"
CONFIG_FILE = "config.resolved.toml"


def read_options(path: Path) -> dict[str, Any] | None:
    """Return the resolved options that a stage was begun with; None where it was not begun."""
    try:
        loaded: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return loaded


def write_options(path: Path, options: dict[str, Any]) -> None:
    """Write down the resolved options that a stage begins with."""
    text = json.dumps(options, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_atomic(path, text.encode())
