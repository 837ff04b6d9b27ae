"""finlmm's own generators: this module only names them; each class's file imports its heavy libraries inside methods."""

from __future__ import annotations

from finlmm_core import hookimpl


@hookimpl
def finlmm_generators() -> list[type]:
    from finlmm_generators.tables import TablesGenerator

    return [TablesGenerator]
