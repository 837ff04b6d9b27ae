"""Bars put in order: rectangles of one thickness, stacked where they touch, in panels that share a base line.

One code serves both directions: ``across`` (a0 to a1) is the coordinate over which bars stand side by side, ``along``
(l0 to l1) the one in which they grow, larger for larger values.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from finlmm_core.domain import Box
from finlmm_parsers.chart_labels import Chart, Label
from finlmm_parsers.chart_marks import is_white
from finlmm_parsers.chart_names import find_legend

#: Edges of bars that should be at one place differ by no more than this, points.
EDGE = 1.3


@dataclass(slots=True)
class Bar:
    """A rectangle in the frame of its direction."""

    a0: float
    a1: float
    l0: float
    l1: float
    colour: int
    box: Box

    @property
    def centre(self) -> float:
        return (self.a0 + self.a1) / 2

    @property
    def length(self) -> float:
        return self.l1 - self.l0


@dataclass(slots=True)
class Stack:
    """Bars that stand on each other, lowest first; most often one."""

    bars: list[Bar]
    labels: list[Label] = field(default_factory=list)

    @property
    def l0(self) -> float:
        return self.bars[0].l0

    @property
    def l1(self) -> float:
        return self.bars[-1].l1

    @property
    def centre(self) -> float:
        return self.bars[0].centre


@dataclass(slots=True)
class Panel:
    """Stacks that share a scale: they stand on one base line."""

    stacks: list[Stack]
    base: float = 0.0


def find_rectangles(chart: Chart) -> list[tuple[Box, int]]:
    """Return the filled rectangles that may be bars with their colours: no swatches, no backgrounds, none twice."""
    _, swatches = find_legend(chart)
    found: dict[tuple[int, int, int, int], tuple[Box, int]] = {}
    for index, shape in enumerate(chart.shapes):
        if index in swatches or shape.fill is None or is_white(shape.fill) or shape.curved:
            continue
        if shape.segments not in (4, 5) or shape.x1 - shape.x0 < 0.3 or shape.y1 - shape.y0 < 0.3:
            continue
        box = shape.box
        if box.area > 0.6 * chart.box.area:
            continue
        found[(round(box.x0), round(box.y0), round(box.x1), round(box.y1))] = (box, shape.fill)
    listed = list(found.values())
    if len(listed) > 400:
        return []
    sides = np.array([box for box, _ in listed]).reshape(-1, 4)
    low = (sides[:, None, :2] <= sides[None, :, :2] + 0.5).all(axis=2)
    high = (sides[:, None, 2:] >= sides[None, :, 2:] - 0.5).all(axis=2)
    inside = (low & high).sum(axis=1) - 1  # how many others lie in each
    return [item for item, count in zip(listed, inside.tolist(), strict=True) if count < 2]


def of_one_thickness(rectangles: Sequence[tuple[Box, int]], upright: bool) -> list[list[Bar]]:
    """Return rectangles of one thickness, the most numerous first; thickness is measured across."""
    bars = []
    for box, colour in rectangles:
        if upright:
            bars.append(Bar(box.x0, box.x1, -box.y1, -box.y0, colour, box))
        else:
            bars.append(Bar(box.y0, box.y1, box.x0, box.x1, colour, box))
    bars = [bar for bar in bars if bar.a1 - bar.a0 >= 2.5]
    bars.sort(key=lambda bar: (bar.a1 - bar.a0, bar.a0, bar.l0))
    groups: list[list[Bar]] = []
    for bar in bars:
        thickness = bar.a1 - bar.a0
        if groups:
            first = groups[-1][0].a1 - groups[-1][0].a0
            if thickness - first <= max(0.8, 0.05 * first):
                groups[-1].append(bar)
                continue
        groups.append([bar])
    return [group for group in groups if len(group) >= 2]


def find_stacks(bars: list[Bar]) -> list[Stack]:
    """Put bars together that stand in one place across and touch along."""
    stacks: list[Stack] = []
    for bar in sorted(bars, key=lambda bar: (round(bar.centre / 2.0), bar.l0)):
        for stack in stacks:
            if abs(stack.centre - bar.centre) <= 1.0 and abs(stack.l1 - bar.l0) <= EDGE:
                stack.bars.append(bar)
                break
        else:
            stacks.append(Stack([bar]))
    stacks.sort(key=lambda stack: (stack.centre, stack.l0))
    return stacks


def find_panels(stacks: list[Stack]) -> list[Panel] | None:
    """Part stacks by where they are along: those whose extents overlap share a panel. None where two lie over."""
    panels: list[tuple[float, float, list[Stack]]] = []
    for stack in sorted(stacks, key=lambda stack: stack.l0):
        low, high = stack.l0, stack.l1
        joined = [stack]
        rest = []
        for start, stop, members in panels:
            if low <= stop + EDGE and high >= start - EDGE:
                low, high, joined = min(low, start), max(high, stop), members + joined
            else:
                rest.append((start, stop, members))
        panels = [*rest, (low, high, joined)]
    panels.sort(key=lambda panel: panel[0])
    result = []
    for _, _, members in panels:
        members.sort(key=lambda stack: stack.centre)
        for before, after in itertools.pairwise(members):
            if after.bars[0].a0 < before.bars[0].a1 - 1.5:
                return None
        result.append(Panel(members))
    return result


def set_base(panel: Panel) -> bool:
    """Find the line that all stacks of a panel stand on, or that parts them; False where there is none."""
    first = panel.stacks[0]
    edges = sorted({first.l0, *(bar.l1 for bar in first.bars)})
    if len(panel.stacks) > 1:
        second = panel.stacks[1]
        edges += sorted({second.l0, *(bar.l1 for bar in second.bars)})
    for edge in edges:
        if all(
            any(abs(edge - other) <= EDGE for other in (stack.l0, *(bar.l1 for bar in stack.bars)))
            for stack in panel.stacks
        ):
            panel.base = edge
            return True
    return False


def find_clusters(panel: Panel) -> list[list[Stack]]:
    """Part the stacks of a panel into categories: runs with the same colours in the same order, else one each."""
    stacks = panel.stacks
    colours = {stack.bars[0].colour for stack in stacks}
    alone = all(len(stack.bars) == 1 for stack in stacks)
    count = len(colours)
    if not alone or count == 1 or len(stacks) % count or len(stacks) == count:
        return [[stack] for stack in stacks]
    chunks = [stacks[start : start + count] for start in range(0, len(stacks), count)]
    order = [stack.bars[0].colour for stack in chunks[0]]
    if len(set(order)) == count and all([stack.bars[0].colour for stack in chunk] == order for chunk in chunks):
        return chunks
    return [[stack] for stack in stacks]


def middle(cluster: Sequence[Stack]) -> float:
    return (cluster[0].bars[0].a0 + cluster[-1].bars[0].a1) / 2
