"""Engines map a function over documents: in this process, over processes, later over a cluster."""

from finlmm_core.engines.base import Engine, Limits, Outcome, Work, make_engine

__all__ = ["Engine", "Limits", "Outcome", "Work", "make_engine"]
