"""Synthetic annual reports with exact ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlmm_core.synth.truth import Truth

if TYPE_CHECKING:
    from finlmm_core.synth.make import SynthSummary

__all__ = ["Truth", "make_reports"]


def make_reports(out: Path, count: int, seed: int = 0, **options: Any) -> SynthSummary:
    """Write synthetic reports; see ``finlmm_core.synth.make.make_reports``, which this imports when called."""
    from finlmm_core.synth.make import make_reports as make

    return make(out, count, seed, **options)
