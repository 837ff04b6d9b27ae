"""Pies and rings read with the values printed at their sectors.

The sectors are measured where they are seen: the pixels of the rendered chart on circles around the middle. A reading
counts only if each sector's share of the circle is the share that its printed value has of their sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box
from finlmm_parsers.chart_labels import Chart, Label, Piece, joined
from finlmm_parsers.chart_marks import is_white
from finlmm_parsers.chart_names import find_legend, same_colour
from finlmm_parsers.chart_reading import Reading, Unclear

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Steps around the circle and across it at which pixels are looked at.
_STEPS, _RINGS = 720, 9
#: How far a sector's share may be from its value's, in shares of the circle, beside the value's rounding.
_SLACK = 0.012


@dataclass(slots=True)
class Sector:
    """A stretch of one colour around the circle; angles in degrees clockwise from the right (as the page goes down)."""

    colour: int
    start: float
    sweep: float

    @property
    def middle(self) -> float:
        return (self.start + self.sweep / 2) % 360


@dataclass(slots=True)
class Pie:
    """A circle with its sectors in order."""

    x: float
    y: float
    radius: float
    hole: float  # radius of what is cut out, 0 for none
    sectors: list[Sector]

    def angle(self, x: float, y: float) -> float:
        """Return the direction of a point, in degrees as sectors have them."""
        return math.degrees(math.atan2(y - self.y, x - self.x)) % 360

    def distance(self, x: float, y: float) -> float:
        """Return how far a point is from the middle."""
        return math.hypot(x - self.x, y - self.y)


def read_pie(chart: Chart) -> Reading | None:
    """Return what the sectors of a chart say; None where it has no pie or ring with values.

    Raises:
        Unclear: values are printed but cannot be matched without doubt.
    """
    if chart.pixels is None:
        return None
    pie = _find_pie(chart)
    if pie is None or len(pie.sectors) < 2:
        return None
    around = _labels_around(chart, pie)
    if len(around) >= 2:
        if len(around) != len(pie.sectors):
            raise Unclear(f"{len(around)} values at {len(pie.sectors)} sectors")
        matched = _match(pie, around)
        names = _names(chart, pie, matched)
    else:
        found = _legend_with_values(chart, pie)
        if found is None:
            return None
        matched, names = found
    check_shares(pie, matched)
    order = sorted(range(len(matched)), key=lambda k: (pie.sectors[k].start - 268) % 360)  # clockwise from the top
    matched, names = [matched[k] for k in order], [names[k] for k in order]
    used = {index for label in matched for index in label.words} | {i for name in names for i in name.words}
    box = Box(pie.x - pie.radius, pie.y - pie.radius, pie.x + pie.radius, pie.y + pie.radius)
    entries = {index for _, piece in find_legend(chart)[0] for index in piece.words}
    return Reading(list(names), [None], [[label] for label in matched], [], box, used | entries)


# ------------------------------------------------------------------------------------------------------- the circle


def _find_pie(chart: Chart) -> Pie | None:
    """Return the largest circle of curved fills whose every direction shows one of their colours."""
    wedges = [
        shape
        for shape in chart.shapes
        if shape.curved and shape.fill is not None and not is_white(shape.fill) and shape.segments >= 3
    ]
    wedges = [shape for shape in wedges if max(shape.x1 - shape.x0, shape.y1 - shape.y0) > 4.0]
    if not 2 <= len(wedges) <= 40:
        return None
    clusters: list[tuple[Box, list[int]]] = []
    for shape in wedges:
        box, colours, rest = shape.box, [shape.fill or 0], []
        for other, held in clusters:
            if box.grown(1.5).overlap(other) > 0:
                box, colours = Box.around((box, other)), held + colours
            else:
                rest.append((other, held))
        clusters = [*rest, (box, colours)]
    for box, listed in sorted(clusters, key=lambda item: -item[0].area):
        colours = list(dict.fromkeys(listed))
        if len(colours) < 2 or not 0.9 < box.width / max(box.height, 0.1) < 1.1 or box.width < 30:
            continue
        pie = _sectors(chart, box, colours)
        if pie is not None:
            return pie
    return None


def _sectors(chart: Chart, box: Box, colours: Sequence[int]) -> Pie | None:
    assert chart.pixels is not None
    x, y, radius = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, (box.width + box.height) / 4
    pixels = chart.pixels
    height, width = pixels.pixels.shape[:2]
    across, down = width / pixels.box.width, height / pixels.box.height
    angles = np.radians(np.arange(_STEPS) * 360.0 / _STEPS)
    far = np.linspace(0.06, 0.97, 2 * _RINGS)[:, None] * radius
    columns = np.clip(((x + far * np.cos(angles) - pixels.box.x0) * across).astype(int), 0, width - 1)
    rows = np.clip(((y + far * np.sin(angles) - pixels.box.y0) * down).astype(int), 0, height - 1)
    seen = pixels.pixels[rows, columns].astype(np.int64)  # (rings, steps, 3)
    palette = np.array([[c >> 16, c >> 8 & 255, c & 255] for c in colours])
    away = np.abs(seen[:, :, None, :] - palette).max(axis=3)
    nearest = np.where(away.min(axis=2) <= 12, away.argmin(axis=2), -1)
    filled = (nearest >= 0).mean(axis=1)
    rings = filled > 0.7
    if rings.sum() < 2 or not rings[-4:].any():
        return None
    votes = np.stack([(nearest[rings] == k).sum(axis=0) for k in range(len(colours))])
    owner = np.where(votes.max(axis=0) > 0, votes.argmax(axis=0), -1)
    owner = _without_edges(owner)
    if (owner < 0).mean() > 0.08:
        return None  # a gauge, or slices that are drawn out
    sectors = _runs(owner, colours)
    if len({sector.colour for sector in sectors}) < len(sectors):
        return None  # one colour twice: letters or lines cut a sector, or sectors share a colour
    inner = far[np.flatnonzero(rings)[0], 0]
    return Pie(x, y, radius, float(inner) if inner > 0.25 * radius else 0.0, sectors)


def _without_edges(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the colours around the circle without runs of a degree or so: two tints mixed make a third."""
    changes = np.flatnonzero(owner != np.roll(owner, 1))
    if len(changes) < 2:
        return owner
    kept = owner.copy()
    for start, stop in zip(changes, [*changes[1:], changes[0] + len(owner)], strict=True):
        if stop - start <= 3:
            kept[np.arange(start, stop) % len(owner)] = -1
    return kept


def _runs(owner: NDArray[np.int64], colours: Sequence[int]) -> list[Sector]:
    """Return runs around the circle; steps without a colour are shared between their neighbours."""
    step = 360.0 / _STEPS
    known = np.flatnonzero(owner >= 0)
    filled = owner[known]
    starts = [k for k in range(len(known)) if filled[k] != filled[k - 1]]
    if not starts:
        return [Sector(colours[int(filled[0])], 0.0, 360.0)]
    edges = []
    for k in starts:
        before, after = known[k - 1] * step, known[k] * step
        edges.append((before + ((after - before) % 360) / 2) % 360)
    return [
        Sector(colours[int(filled[k])], edge, (following - edge) % 360)
        for k, edge, following in zip(starts, edges, [*edges[1:], edges[0]], strict=True)
    ]


# ------------------------------------------------------------------------------------------------------------ values


def _labels_around(chart: Chart, pie: Pie) -> list[Label]:
    """Return the numbers on the sectors or right outside them; the middle of a ring says something else."""
    found = []
    for label in chart.labels:
        away = pie.distance(label.x, label.y)
        if away <= 0.9 * pie.hole:
            continue
        x = min(max(pie.x, label.box.x0), label.box.x1)
        y = min(max(pie.y, label.box.y0), label.box.y1)
        if pie.distance(x, y) <= pie.radius + 2.0 * label.size and away <= pie.radius + 4.0 * label.size:
            found.append(label)
    return found


def _match(pie: Pie, labels: Sequence[Label]) -> list[Label]:
    """Return the labels in the order of the sectors: around the circle, turned so that directions agree best.

    Raises:
        Unclear: a label stands in another sector's direction.
    """
    ordered = sorted(labels, key=lambda label: pie.angle(label.x, label.y))
    best: list[Label] = []
    least = math.inf
    for turn in range(len(ordered)):
        turned = [*ordered[turn:], *ordered[:turn]]
        off = sum(_off(pie, sector, label) for sector, label in zip(pie.sectors, turned, strict=True))
        if off < least:
            best, least = turned, off
    for sector, label in zip(pie.sectors, best, strict=True):
        inside = pie.distance(label.x, label.y) < pie.radius
        if _off(pie, sector, label) > sector.sweep / 2 + (8.0 if inside else 25.0):
            raise Unclear(f"{label.text} is not at its sector")
    return best


def _off(pie: Pie, sector: Sector, label: Label) -> float:
    away = abs(pie.angle(label.x, label.y) - sector.middle) % 360
    return min(away, 360 - away)


def check_shares(pie: Pie, labels: Sequence[Label]) -> None:
    """Hold each sector against its value's share of the sum.

    Raises:
        Unclear: a sector is off by more than a hundredth of the circle and more than its value's rounding.
    """
    whole = sum(label.value for label in labels)
    if whole <= 0 or any(label.value < 0 for label in labels):
        raise Unclear("sectors with negative values")
    if all(label.percent for label in labels) and abs(whole - 100) > 0.5 * len(labels) * labels[0].step + 0.5:
        raise Unclear(f"shares add up to {whole:g}")
    shares = [label.value / whole for label in labels]
    for sector, label, share in zip(pie.sectors, labels, shares, strict=True):
        if abs(sector.sweep / 360 - share) > _SLACK + 0.6 * label.step / whole:
            raise Unclear(f"the sector of {label.text} is {100 * sector.sweep / 360:.1f}% of the circle")
    if max(shares) - min(shares) < 0.02 and len(shares) > 2:
        raise Unclear("sectors too alike to tell")


# ------------------------------------------------------------------------------------------------------------- names


def _names(chart: Chart, pie: Pie, labels: Sequence[Label]) -> list[Piece]:
    """Return the name of each sector: from the legend, else the text that touches its value.

    Raises:
        Unclear: a sector has no name, or two.
    """
    entries, _ = find_legend(chart)
    if entries:
        names: list[Piece] = []
        for sector in pie.sectors:
            texts = {piece.text: piece for colour, piece in entries if same_colour(colour, sector.colour)}
            if len(texts) != 1:
                raise Unclear("a sector that the legend does not name")
            names += texts.values()
        if len({name.text for name in names}) == len(names):
            return names
        raise Unclear("two sectors of one name")
    taken = {index for label in labels for index in label.words}
    pieces = [piece for piece in chart.pieces(without=taken) if any(c.isalpha() for c in piece.text)]
    owners: dict[int, list[Piece]] = {k: [] for k in range(len(labels))}
    for piece in pieces:
        touching = [k for k, label in enumerate(labels) if _touch(piece, label)]
        if len(touching) > 1:
            raise Unclear("a text between two values")
        if touching:
            owners[touching[0]].append(piece)
    for _ in range(2):  # names of several lines
        for k, held in owners.items():
            for piece in pieces:
                if any(piece in listed for listed in owners.values()):
                    continue
                if any(_goes_on(piece, other) for other in held):
                    owners[k].append(piece)
                    break
    if not all(owners.values()):
        raise Unclear("a sector without a name")
    found = [joined(held) for held in owners.values()]
    if len({name.text for name in found}) < len(found):
        raise Unclear("two sectors of one name")
    return found


def _touch(piece: Piece, label: Label) -> bool:
    same_row = abs(piece.y - label.y) < 0.4 * label.size
    beside = max(piece.box.x0 - label.box.x1, label.box.x0 - piece.box.x1)
    if same_row and beside <= 1.0 * label.size:
        return True
    apart = max(piece.box.y0 - label.box.y1, label.box.y0 - piece.box.y1)
    overlap = min(piece.box.x1, label.box.x1) - max(piece.box.x0, label.box.x0)
    return not same_row and apart <= 0.5 * label.size and overlap > 0.5 * min(piece.box.width, label.box.width)


def _goes_on(piece: Piece, other: Piece) -> bool:
    apart = max(piece.box.y0 - other.box.y1, other.box.y0 - piece.box.y1)
    overlap = min(piece.box.x1, other.box.x1) - max(piece.box.x0, other.box.x0)
    return apart <= 0.4 * piece.size and overlap > 0 and abs(piece.size - other.size) < 0.5


def _legend_with_values(chart: Chart, pie: Pie) -> tuple[list[Label], list[Piece]] | None:
    """Return the value and the name of each sector where the legend prints them in one line."""
    entries, _ = find_legend(chart)
    taken = {index for label in chart.labels for index in label.words}
    labels: list[Label] = []
    names: list[Piece] = []
    for sector in pie.sectors:
        own = [piece for colour, piece in entries if same_colour(colour, sector.colour)]
        if len(own) != 1:
            return None
        row = [label for label in chart.labels if abs(label.y - own[0].y) < 0.4 * label.size]
        row = [label for label in row if label.box.x1 > own[0].box.x0 - 1]
        words = [index for index in own[0].words if index not in taken]
        if len(row) != 1 or not words:
            return None
        labels.append(row[0])
        names += chart.piece(words)
    if len({id(label) for label in labels}) < len(labels) or len({name.text for name in names}) < len(names):
        return None
    return labels, names
