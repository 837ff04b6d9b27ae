"""Engines map a function over documents: in this process, over processes, over a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finlmm_core.engines.base import Engine, Limits, Outcome, Work

if TYPE_CHECKING:
    from finlmm_core.config import EngineConfig

__all__ = ["Engine", "Limits", "Outcome", "Work", "make_engine"]


def make_engine(config: EngineConfig) -> Engine:
    """Return the engine that a configuration names.

    Raises:
        FinlmmError: what the engine needs is not installed or not said.
    """
    limits = Limits(config.document_seconds, config.document_memory_mb)
    if config.name == "serial":
        from finlmm_core.engines.serial import SerialEngine

        return SerialEngine(limits)
    if config.name == "ray":
        from finlmm_core.engines.ray import make_ray_engine

        return make_ray_engine(limits, config)
    from finlmm_core.engines.processes import ProcessEngine

    return ProcessEngine(limits, config.resolved_workers())
