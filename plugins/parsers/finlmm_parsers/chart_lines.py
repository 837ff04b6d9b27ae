"""Lines read with the values printed at their points.

A drawn line is known by its bounds only, so its height over each category is taken from the pixels: the line's colour
in the column of the label. A reading counts only if each point's height is the one that its value has on a straight
scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finlmm_core.domain import Box
from finlmm_parsers.chart_labels import Chart, Label, Piece
from finlmm_parsers.chart_names import find_legend, names_by_colour
from finlmm_parsers.chart_reading import Reading, Unclear
from finlmm_parsers.chart_texts import categories_below
from finlmm_parsers.primitives import Shape

#: How far a point may be from where its value belongs, in points and as a share of the range of heights.
_SLACK_POINTS, _SLACK_SHARE = 1.5, 0.03


@dataclass(slots=True)
class Curve:
    """One series as drawn."""

    colour: int
    box: Box
    width: float


def read_lines(chart: Chart) -> Reading | None:
    """Return what the lines of a chart say; None where it has no lines with a value at each of their points.

    Raises:
        Unclear: values are printed along a line but cannot be matched without doubt.
    """
    if chart.pixels is None:
        return None
    curves = _curves(chart)
    if not 1 <= len(curves) <= 4:
        return None
    plot = Box.around(curve.box for curve in curves)
    near = _without_axis([label for label in chart.labels if _is_over(plot, label)], plot)
    columns = _columns(near)
    if len(columns) < 3 or any(len(column) != len(curves) for column in columns):
        return None  # no value at each point: first and last only, or none
    centres = [sum(label.x for label in column) / len(column) for column in columns]
    gaps = [b - a for a, b in itertools.pairwise(centres)]
    if max(gaps) > 1.25 * min(gaps) + 2:
        raise Unclear("values at uneven distances")
    series = _assign(chart, curves, columns, plot)
    for column in series:
        _check_heights(column)
    used = {index for label in near for index in label.words}
    names = names_by_colour(chart, [curve.colour for curve in curves], used)
    if names is None and len(curves) > 1:
        raise Unclear("series without names")
    entries = {index for _, piece in find_legend(chart)[0] for index in piece.words}
    half = min(gaps) / 4
    spans = [(centre - half, centre + half) for centre in centres]
    found = categories_below(chart, Box(plot.x0, plot.y0, plot.x1, _lowest(near, plot)), spans, used | entries)
    if found is None:
        raise Unclear("no category for each point")
    categories, groups = found
    cells: list[list[Label | None]] = [[column[k][0] for column in series] for k in range(len(columns))]
    heads: list[Piece | None] = [names[curve.colour] if names else None for curve in curves]
    used |= entries | {i for piece in (*categories, *heads) if piece is not None for i in piece.words}
    return Reading(categories, heads, cells, groups, plot, used)


def _curves(chart: Chart) -> list[Curve]:
    """Return the drawn series, a colour each: long slanted or curved paths, or chains of short ones."""
    by_colour: dict[int, list[Shape]] = {}
    for shape in chart.shapes:
        if shape.fill is None and shape.stroke is not None and (shape.diagonal or shape.curved) and shape.segments >= 2:
            by_colour.setdefault(shape.stroke, []).append(shape)
    found = []
    for colour, shapes in sorted(by_colour.items()):
        box = Box.around(shape.box for shape in shapes)
        if box.width > 0.4 * chart.box.width and box.height > 6.0 and len(shapes) <= 200:
            found.append(Curve(colour, box, max(shape.line_width for shape in shapes)))
    return found


def _is_over(plot: Box, label: Label) -> bool:
    reach = 2.5 * label.size
    inside = plot.x0 - 1.5 * label.size < label.x < plot.x1 + 1.5 * label.size
    # a tick of the axis ends left of the plot; a value at the first point stands over it
    return inside and plot.y0 - reach < label.y < plot.y1 + reach and label.x > plot.x0 - 0.6 * label.box.width


def _without_axis(labels: Sequence[Label], plot: Box) -> list[Label]:
    """Leave out years on the axis: numbers under all lines at one height."""
    under = [label for label in labels if label.y > plot.y1]
    row = {id(label) for label in under if sum(abs(label.y - other.y) < 1.0 for other in under) >= 3}
    return [label for label in labels if id(label) not in row]


def _columns(labels: Sequence[Label]) -> list[list[Label]]:
    """Return labels by where they stand along the axis, left to right."""
    columns: list[list[Label]] = []
    for label in sorted(labels, key=lambda label: label.x):
        if columns and label.x - columns[-1][0].x < 0.6 * label.size:
            columns[-1].append(label)
        else:
            columns.append([label])
    return columns


def _lowest(labels: Sequence[Label], plot: Box) -> float:
    return max(plot.y1, *(label.y for label in labels))


def _assign(
    chart: Chart, curves: Sequence[Curve], columns: Sequence[Sequence[Label]], plot: Box
) -> list[list[tuple[Label, float]]]:
    """Return for each curve its label and its height (points upwards) at each column.

    Raises:
        Unclear: a curve is not seen at a label, or two labels are as near to one curve.
    """
    result: list[list[tuple[Label, float]]] = [[] for _ in curves]
    for column in columns:
        x = sum(label.x for label in column) / len(column)
        heights = []
        for curve in curves:
            height = _height(chart, curve, x, plot)
            if height is None:
                raise Unclear(f"no line at {column[0].text}")
            heights.append(height)
        # lines in the order of their heights have their labels in that order
        order = sorted(range(len(curves)), key=lambda k: heights[k])
        labels = sorted(column, key=lambda label: -label.y)
        for k, label in zip(order, labels, strict=True):
            if abs(-label.y - heights[k]) > 2.2 * label.size:
                raise Unclear(f"{label.text} is not at its line")
            result[k].append((label, heights[k]))
        values = [label.value for label in labels]
        if values != sorted(values):
            raise Unclear("values in another order than the lines")
    return result


def _height(chart: Chart, curve: Curve, x: float, plot: Box) -> float | None:
    """Return how high a curve is at x, in points upwards: the middle of the pixels in its colour there."""
    assert chart.pixels is not None
    x = min(max(x, curve.box.x0 + 0.3), curve.box.x1 - 0.3)
    strip = Box(x - 0.5, plot.y0 - 3, x + 0.5, plot.y1 + 3)
    pixels = chart.pixels.at(strip)
    if not pixels.size:
        return None
    colour = np.array([curve.colour >> 16, curve.colour >> 8 & 255, curve.colour & 255])
    hit = (np.abs(pixels.astype(np.int64) - colour).max(axis=2) <= 24).any(axis=1)
    rows = np.flatnonzero(hit)
    if not len(rows):
        return None
    down = pixels.shape[0] / strip.height
    if (rows[-1] - rows[0] + 1) / down > max(3.0 * curve.width, 9.0):
        return None  # a steep stretch, or something else in that colour
    return -(strip.y0 + (rows[0] + rows[-1] + 1) / 2 / down)


def _check_heights(points: Sequence[tuple[Label, float]]) -> None:
    """Hold heights against values.

    Raises:
        Unclear: a point is not where a straight scale puts its value.
    """
    values = np.array([label.value for label, _ in points])
    heights = np.array([height for _, height in points])
    if np.ptp(values) <= 0 or np.ptp(heights) < 6.0:
        raise Unclear("a line too flat to tell")
    slope, start = np.polyfit(values, heights, 1)
    if slope <= 0:
        raise Unclear("a line that falls where values rise")
    slack = _SLACK_POINTS + _SLACK_SHARE * float(np.ptp(heights))
    for label, height in points:
        if abs(start + slope * label.value - height) > slack + 0.6 * label.step * slope:
            raise Unclear(f"the point of {label.text} is off its height")
