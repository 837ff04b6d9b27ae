"""Legends: small patches in the colours of a chart's series, each with its name right beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from finlmm_core.domain import Box
from finlmm_parsers.chart_marks import Mark, is_white
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives, Shape

#: A patch or dash that stands for a series is at most so long and so high, in points.
_LONGEST, _HIGHEST = 36.0, 14.0


@dataclass(slots=True)
class Seed:
    """A chart as grown so far."""

    marks: list[Mark]
    box: Box
    core: Box
    frame: Box | None = None
    lines: list[int] = field(default_factory=list)
    label_size: float = 0.0  # usual font size of its labels, points
    ceiling: float = 0.0  # how far up its neighbours in a row of panels reach, so it may too


def add_legends(page: PagePrimitives, seeds: Sequence[Seed], lines: Sequence[Line], blocked: Sequence[Box]) -> None:
    """Grow each chart over its legend where that stands apart from it.

    An entry is a patch in a colour that the chart is painted with and a line of text that begins right after it. It
    goes to the nearest chart that has its colour, within two thirds of the chart's width or height.
    """
    entries = _entries(page, lines)
    if not entries:
        return
    colours = [_colours_of(page, seed) for seed in seeds]
    claimed: list[list[Box]] = [[] for _ in seeds]
    for colour, box in entries:
        near = [
            (distance(seed.box, box), place)
            for place, seed in enumerate(seeds)
            if colour in colours[place] and _within_reach(seed, box)
        ]
        if near:
            claimed[min(near)[1]].append(box)
    for place, seed in enumerate(seeds):
        others = [other.box for other in seeds if other is not seed]
        for box in sorted(claimed[place], key=lambda box: distance(seed.box, box)):
            grown = Box.around((seed.box, box))
            if not any(grown.overlap(other) > 0 and not seed.box.overlap(other) for other in (*others, *blocked)):
                seed.box = grown


def _entries(page: PagePrimitives, lines: Sequence[Line]) -> list[tuple[int, Box]]:
    """Return colour and extent, text included, of each patch that text begins beside."""
    found = []
    for shape in page.shapes:
        colour = shape.fill if not is_white(shape.fill) else shape.stroke
        if colour is None or is_white(colour):
            continue
        width, height = shape[2] - shape[0], shape[3] - shape[1]
        if not (2.0 <= width <= _LONGEST and height <= _HIGHEST):
            continue
        middle = (shape[1] + shape[3]) / 2
        for line in lines:
            if line.y0 <= middle <= line.y1 and -1.0 <= line.x0 - shape[2] <= 1.3 * line.size:
                found.append((colour, Box.around((shape.box, line.box))))
                break
    return found


def _colours_of(page: PagePrimitives, seed: Seed) -> set[int]:
    """Return the colours that a chart is painted with, greys of its axes left out."""
    found: set[int] = set()
    for mark in seed.marks:
        found |= mark.colours
    x0, y0, x1, y1 = seed.core
    for shape in page.shapes:
        if shape[0] >= x0 - 1 and shape[2] <= x1 + 1 and shape[1] >= y0 - 1 and shape[3] <= y1 + 1 and _is_solid(shape):
            found.add(shape.fill if shape.fill is not None else shape.stroke or 0)
    return found


def _is_solid(shape: Shape) -> bool:
    return shape.fill is not None or shape.line_width > 0.9


def _within_reach(seed: Seed, box: Box) -> bool:
    core = seed.core
    if seed.frame is not None and seed.frame.grown(2.0).covers(box) > 0.95:
        return True
    across = max(0.0, box.x0 - seed.box.x1, seed.box.x0 - box.x1)
    down = max(0.0, box.y0 - seed.box.y1, seed.box.y0 - box.y1)
    return across <= 0.66 * core.width + 12 and down <= 0.5 * core.height + 12 and min(across, down) < 12.0


def distance(first: Box, second: Box) -> float:
    """Return the gap between two boxes in points, 0 where they overlap."""
    dx = max(0.0, second.x0 - first.x1, first.x0 - second.x1)
    dy = max(0.0, second.y0 - first.y1, first.y0 - second.y1)
    return float((dx * dx + dy * dy) ** 0.5)
