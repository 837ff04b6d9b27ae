"""Bars read with the values printed at them: upright and lying, grouped, stacked, to both sides of an axis.

A reading counts only if the lengths of all bars are in proportion to the values printed at them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from finlmm_core.domain import Box
from finlmm_parsers.chart_labels import Chart, Label, Piece
from finlmm_parsers.chart_names import find_legend, names_by_colour, same_colour
from finlmm_parsers.chart_reading import Reading, Unclear
from finlmm_parsers.chart_stacks import (
    EDGE,
    Bar,
    Panel,
    Stack,
    find_clusters,
    find_panels,
    find_rectangles,
    find_stacks,
    middle,
    of_one_thickness,
    set_base,
)
from finlmm_parsers.chart_texts import categories_below, categories_left, headings_above


def read_bars(chart: Chart) -> Reading | None:
    """Return what the bars of a chart say; None where it has no bars with values at them.

    Raises:
        Unclear: values are printed at bars but cannot be matched without doubt.
    """
    rectangles = find_rectangles(chart)
    if len(rectangles) < 2 or len(chart.labels) < 2:
        return None
    doubts: list[tuple[int, str]] = []
    readings: list[Reading] = []
    kinds = {label.percent for label in chart.labels}
    # rates at a line over bars of amounts: what each kind says of the bars is looked at alone
    choices = [chart] if len(kinds) == 1 else [chart, *(_only(chart, percent) for percent in sorted(kinds))]
    for part, upright in itertools.product(choices, (True, False)):
        if readings:
            break
        for bars in of_one_thickness(rectangles, upright):
            try:
                reading = _read(part, bars, upright)
            except Unclear as doubt:
                doubts.append((len(bars), str(doubt)))
                continue
            if reading is not None:
                readings.append(reading)
    if len(readings) == 1:
        return readings[0]
    if readings:
        raise Unclear("bars of two kinds with values")
    if doubts:
        raise Unclear(max(doubts)[1])
    return None


def _only(chart: Chart, percent: bool) -> Chart:
    """Return the chart with the values that are percentages, or those that are not, as its only labels."""
    return replace(chart, labels=[label for label in chart.labels if label.percent == percent])


def _read(chart: Chart, bars: list[Bar], upright: bool) -> Reading | None:
    panels = find_panels(find_stacks(bars))
    if panels is None:
        return None
    if not all(set_base(panel) for panel in panels):
        return None
    placed = _place_labels(chart, panels, upright)
    stacks = [stack for panel in panels for stack in panel.stacks]
    if placed < max(2, 0.5 * sum(1 for stack in stacks)):
        return None
    _check_strays(chart, panels, upright)
    values: dict[int, Label] = {}  # id of a bar -> its label
    totals = all(len(stack.bars) > 1 and len(stack.labels) == 1 for stack in stacks)
    for panel in panels:
        _match(panel, values, totals)
    used = {index for stack in stacks for label in stack.labels for index in label.words}
    return _named(chart, panels, upright, values, used, totals)


def _place_labels(chart: Chart, panels: list[Panel], upright: bool) -> int:
    """Give each label to the stack that it stands in or right beyond; return how many were given.

    Beyond means away from the base line: what stands under the base of a bar is a label of the axis.
    """
    beyond: dict[int, list[tuple[float, bool, Label]]] = {}
    owners: dict[int, Stack] = {}
    aside = _column_aside(chart, panels) if not upright else set()
    for label in chart.labels:
        if label.words[0] in aside:
            continue
        best: tuple[float, Stack, int] | None = None
        at = label.x if upright else label.y
        low, high = (-label.box.y1, -label.box.y0) if upright else (label.box.x0, label.box.x1)
        middle = (low + high) / 2
        for panel in panels:
            for stack in panel.stacks:
                thickness = stack.bars[0].a1 - stack.bars[0].a0
                if abs(at - stack.centre) > 0.6 * thickness:
                    continue
                rises, falls = stack.l1 > panel.base + EDGE, stack.l0 < panel.base - EDGE
                if min(high, stack.l1) - max(low, stack.l0) > 0.25 * (high - low):  # a small bar under a wide number
                    gap, side = 0.0, 0
                elif middle > stack.l1:
                    gap, side = max(0.0, low - stack.l1), 1
                    if not rises:
                        continue
                elif middle < stack.l0:
                    gap, side = max(0.0, stack.l0 - high), -1
                    # the value of a first bar too small for it may stand on the other side of the axis
                    spilled = not upright and stack.bars[0].length < high - low and gap < 0.6 * label.size
                    if not falls and not (spilled and len(stack.bars) > 1):
                        continue
                else:
                    gap, side = 0.0, 0
                if gap <= (1.0 if upright else 1.6) * label.size and (best is None or gap < best[0]):
                    best = (gap, stack, side)
        if best is not None:
            gap, stack, side = best
            owners[id(stack)] = stack
            beyond.setdefault(id(stack), []).append((gap * side, side == 0, label))
    placed = 0
    for key, found in beyond.items():
        nearest = {
            sign: min((abs(gap) for gap, inside, _ in found if not inside and (gap >= 0) == sign), default=0.0)
            for sign in (True, False)
        }
        stack = owners[key]
        for gap, inside, label in found:
            if inside or abs(gap) <= nearest[gap >= 0] + 0.5:
                stack.labels.append(label)
                placed += 1
        stack.labels.sort(key=lambda label: -label.y if upright else label.x)
    return placed


def _column_aside(chart: Chart, panels: list[Panel]) -> set[int]:
    """Return the first words of numbers that stand in a column of their own right of all lying bars."""
    last = panels[-1]
    right = max(stack.l1 for stack in last.stacks)
    beyond = [label for label in chart.labels if label.box.x0 > right]
    rows = [stack.centre for stack in last.stacks]
    found: set[int] = set()
    for label in beyond:
        column = [other for other in beyond if abs(other.x - label.x) < 1.5]
        heights = {min(range(len(rows)), key=lambda k: abs(rows[k] - other.y)) for other in column}
        ends = {round(stack.l1 / 3.0) for stack in last.stacks}
        if len(heights) == len(rows) and len(column) == len(rows) and len(ends) > 1 and len(rows) > 1:
            found.add(label.words[0])
    return found


def _check_strays(chart: Chart, panels: list[Panel], upright: bool) -> None:
    """Refuse a chart with numbers among its bars that belong to none of them (a line's values, a second scale)."""
    stacks = [stack for panel in panels for stack in panel.stacks]
    plot = Box.around(bar.box for stack in stacks for bar in stack.bars)
    taken = {index for stack in stacks for label in stack.labels for index in label.words}
    if upright:
        tallest = max((label.size for label in chart.labels), default=0.0)
        plot = Box(plot.x0, plot.y0 - 1.5 * tallest, plot.x1, plot.y1)
    for label in chart.labels:
        if label.words[0] in taken:
            continue
        if plot.x0 < label.x < plot.x1 and plot.y0 < label.y < plot.y1:
            raise Unclear(f"no bar for {label.text}")


def _match(panel: Panel, values: dict[int, Label], totals: bool) -> None:
    """Pair labels with the bars of their stacks in order, and hold lengths against values.

    Raises:
        Unclear: a bar without a label, a label without a bar, or lengths out of proportion.
    """
    pairs: list[tuple[float, Label]] = []
    for stack in panel.stacks:
        bars, labels = stack.bars, stack.labels
        if totals:
            pairs.append((stack.l1 - stack.l0, labels[0]))
            values[id(bars[0])] = labels[0]
            continue
        if len(labels) == len(bars) + 1 and len(bars) > 1:
            # a total at the far end
            total = labels[-1]
            if (total.value - sum(label.value for label in labels[:-1])) ** 2 > (len(bars) * total.step) ** 2:
                raise Unclear("more values than bars")
            pairs.append((stack.l1 - stack.l0, total))
            labels = labels[:-1]
        if len(labels) != len(bars):
            raise Unclear("more values than bars" if len(labels) > len(bars) else "a bar without a value")
        for bar, label in zip(bars, labels, strict=True):
            below = bar.l1 <= panel.base + EDGE
            if not below and label.value < 0:
                raise Unclear("a negative value above the axis")
            values[id(bar)] = label
            pairs.append((-bar.length if below and label.value < 0 else bar.length, label))
    check_proportion(pairs)


def check_proportion(pairs: Sequence[tuple[float, Label]]) -> None:
    """Hold lengths (points) against printed values.

    Raises:
        Unclear: a value is off its bar by more than a point and more than its rounding.
    """
    length = sum(abs(size) for size, _ in pairs)
    scale = sum(abs(label.value) for _, label in pairs) / length if length else 0.0
    if scale <= 0:
        raise Unclear("values without lengths")
    for size, label in pairs:
        slack = 0.6 * label.step + max(0.9 * scale, 0.02 * abs(label.value))
        if abs(label.value - scale * size) > slack:
            raise Unclear(f"the bar of {label.text} is as long as {scale * size:.4g}")
    largest = max(abs(label.value) for _, label in pairs)
    if largest < 2 * pairs[0][1].step or max(abs(size) for size, _ in pairs) < 6.0:
        raise Unclear("bars too short to tell")


# ----------------------------------------------------------------------------------------------------------- names


def _named(
    chart: Chart, panels: list[Panel], upright: bool, values: dict[int, Label], used: set[int], totals: bool
) -> Reading | None:
    rows = [find_clusters(panel) for panel in panels]
    centres = [middle(cluster) for cluster in rows[0]]
    for other in rows[1:]:
        if len(other) != len(centres) or any(
            abs(middle(cluster) - centre) > 2.0 for cluster, centre in zip(other, centres, strict=True)
        ):
            raise Unclear("panels of different rows")
    if len(centres) < 2:
        raise Unclear("a single category")
    plot = Box.around(bar.box for panel in panels for stack in panel.stacks for bar in stack.bars)
    legend_words = {index for _, piece in find_legend(chart)[0] for index in piece.words}
    spans = [(cluster[0].bars[0].a0, cluster[-1].bars[0].a1) for cluster in rows[0]]
    if upright:
        if len(panels) > 1:
            raise Unclear("panels above each other")
        found = categories_below(chart, plot, spans, used | legend_words)
    else:
        found = categories_left(chart, plot, spans, used | legend_words)
    if found is None:
        raise Unclear("no category for each bar")
    categories, groups = found
    taken = used | {index for piece in categories for index in piece.words}
    cells: list[list[Label | None]] = [[] for _ in centres]
    columns: list[list[int]] = []  # for each series the colours of its bars
    for clusters in rows:
        if totals or all(len(cluster) == 1 and len(cluster[0].bars) == 1 for cluster in clusters):
            for index, cluster in enumerate(clusters):
                cells[index].append(values[id(cluster[0].bars[0])])
            columns.append([] if totals else sorted({cluster[0].bars[0].colour for cluster in clusters}))
        else:
            for index, cluster in enumerate(clusters):
                bars = [bar for stack in cluster for bar in stack.bars]
                cells[index] += [values[id(bar)] for bar in bars]
            columns += _shades([[bar.colour for stack in cluster for bar in stack.bars] for cluster in clusters])
    series = _series_names(chart, panels, columns, plot, taken)
    used = taken | {index for piece in series if piece is not None for index in piece.words} | legend_words
    return Reading(categories, series, cells, groups, plot, used)


def _shades(colours: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the colours that each series has over the categories, given the colours of each category in order.

    Raises:
        Unclear: categories of different series, or a colour in two series.
    """
    if len({len(row) for row in colours}) > 1:
        raise Unclear("series that not all categories have")
    result = [sorted({row[k] for row in colours}) for k in range(len(colours[0]))]
    if len({colour for shades in result for colour in shades}) < sum(len(shades) for shades in result):
        raise Unclear("one colour in two series")
    return result


def _series_names(
    chart: Chart, panels: list[Panel], columns: list[list[int]], plot: Box, taken: set[int]
) -> list[Piece | None]:
    """Return a name for each column of values; for one column alone it may be None.

    Raises:
        Unclear: several columns and no name for each of them.
    """
    entries, _ = find_legend(chart)
    if len(columns) == 1:
        shades = columns[0]
        if len(shades) == 1:
            names = names_by_colour(chart, shades, taken)
            return [names[shades[0]] if names else None]
        if shades and len(entries) > 1:
            raise Unclear("colours of a legend within one series")
        return [None]
    if all(len(shades) == 1 for shades in columns) and len({shades[0] for shades in columns}) == len(columns):
        names = names_by_colour(chart, [shades[0] for shades in columns], taken)
        if names is not None:
            return [names[shades[0]] for shades in columns]
    elif all(columns):
        # bars of past years are often paler; the legend then names one shade of each series
        named = []
        for shades in columns:
            fitting = {piece.text: piece for colour, piece in entries if any(same_colour(colour, s) for s in shades)}
            named += [piece for piece in fitting.values() if len(fitting) == 1]
        if len({piece.text for piece in named}) == len(columns):
            return list(named)
    if len(panels) == len(columns):
        bases = [(panel.base, max(stack.l1 for stack in panel.stacks)) for panel in panels]
        headings = headings_above(chart, plot, bases, taken)
        if headings is not None:
            return list(headings)
    raise Unclear("series without names")
