"""finlmm's own model backends, found through the entry-point group ``finlmm`` like anybody's."""

from __future__ import annotations

from finlmm_core import ModelBackend, hookimpl


@hookimpl
def finlmm_models() -> list[type[ModelBackend]]:
    """Return the model backends of this distribution."""
    return []
