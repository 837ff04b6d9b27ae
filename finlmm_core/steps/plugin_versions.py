"""Which plugins, in which versions, made the documents of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from finlmm_core.steps.plan import DOCUMENT_STEPS
from finlmm_core.store.run import RunFolder


def plugin_versions(run: RunFolder) -> dict[str, str]:
    """Return ``{"parse pdfium": "finlmm 0.1.0, version 1", ...}`` of the steps that made this run's documents."""
    versions: dict[str, str] = {}
    for step in DOCUMENT_STEPS:
        for item in _described_plugins(run.begun_with(step) or {}):
            versions[f"{step} {item['name']}"] = f"{item['distribution']}, version {item['version']}{_asks(item)}"
    return versions


def _described_plugins(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if {"name", "distribution", "version"} <= value.keys():
            yield value
        else:
            for inner in value.values():
                yield from _described_plugins(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _described_plugins(inner)


def _asks(described: Mapping[str, Any]) -> str:
    """Return ', asks gpt-5-mini at api.openai.com/v1' of a plugin that asks models; '' of others."""
    asked = []
    for model in described.get("models", {}).values():
        asks = model["asks"]
        where = f" at {asks['endpoint']}" if "endpoint" in asks else ""
        asked.append(f"{asks.get('model') or asks.get('hub') or 'files ' + asks['files'][:12]}{where}")
    return f", asks {' and '.join(dict.fromkeys(asked))}" if asked else ""
