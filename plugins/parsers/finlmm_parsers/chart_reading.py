"""What reading a chart gives: its values in their places, or doubt."""

from __future__ import annotations

from dataclasses import dataclass, field

from finlmm_core.domain import Box
from finlmm_parsers.chart_labels import Label, Piece


@dataclass(slots=True)
class Reading:
    """What a chart prints: ``cells[i][j]`` is the label of category i in series j."""

    categories: list[Piece]
    series: list[Piece | None]  # None where one series has no name of its own
    cells: list[list[Label | None]]
    groups: list[str] = field(default_factory=list)  # for each category the heading that it stands under
    plot: Box | None = None
    used: set[int] = field(default_factory=set)  # words taken for values, categories, names


class Unclear(Exception):
    """A chart prints values, but which belongs to what is not certain; the message says why."""
