"""Engines map a function over documents: in this process, over processes, later over a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finlmm_core.engines.base import Engine, Limits, Outcome, Work

if TYPE_CHECKING:
    from finlmm_core.config import EngineConfig

__all__ = ["Engine", "Limits", "Outcome", "Work", "make_engine"]


def make_engine(config: EngineConfig) -> Engine:
    """Return the engine that a configuration names."""
    from finlmm_core.engines.processes import ProcessEngine
    from finlmm_core.engines.serial import SerialEngine

    limits = Limits(config.document_seconds, config.document_memory_mb)
    if config.name == "serial":
        return SerialEngine(limits)
    return ProcessEngine(limits, config.resolved_workers())
