"""The data of a chart whose values are printed in it, as a table.

Read from the drawing, never estimated: each printed value is matched to its bar, sector or point, these to categories
and series, and the reading counts only if the geometry agrees with the numbers (lengths, angles and heights in
proportion). A chart of which anything is doubtful gives a reason instead of a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finlmm_core.domain import Box
from finlmm_core.quantities import Units, parse_period, parse_units
from finlmm_parsers.chart_bars import Reading, Unclear, read_bars
from finlmm_parsers.chart_labels import Chart, ChartPixels, Label, Piece, open_chart
from finlmm_parsers.layout.text import join_lines
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives

#: More words than this are no chart's.
_MOST_WORDS = 600
_NUMBERED = re.compile(r"\A(?:figure|fig\.?|chart|exhibit|graph|图表|图)\s*\d+[\d.\-–]*\s*[:：.、]?\s*", re.IGNORECASE)


@dataclass(slots=True)
class ChartValues:
    """The values of a chart in the shape of ``domain.Table``; fields mean what they mean there."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cell_boxes: tuple[tuple[Box | None, ...], ...]
    header_boxes: tuple[Box | None, ...]
    row_groups: tuple[str, ...]
    unit: str | None
    scale: int
    currency: str | None


def read_chart(
    page: PagePrimitives, lines: Sequence[Line], box: Box, pixels: ChartPixels | None, caption: str
) -> ChartValues | str | None:
    """Return the values that a chart prints, the reason why they cannot be told, or None where it prints none.

    Args:
        page: what is painted on the page.
        lines: its text lines.
        box: the chart's region, points.
        pixels: the region as rendered: tells the colours of written legends; None where there is none.
        caption: what names the chart, "" where nothing does.
    """
    if not page.words or not page.shapes:
        return None
    chart = open_chart(page, lines, box, pixels, caption)
    if len(chart.labels) < 3 or len(chart.words) > _MOST_WORDS:
        return None
    try:
        reading = read_bars(chart)
    except Unclear as doubt:
        return str(doubt)
    if reading is None:
        return None
    try:
        return _as_table(chart, reading)
    except Unclear as doubt:
        return str(doubt)


def _as_table(chart: Chart, reading: Reading) -> ChartValues:
    title, notes = _title(chart, reading)
    names = [piece.text if piece is not None else "" for piece in reading.series]
    boxes: list[Box | None] = [piece.box if piece is not None else None for piece in reading.series]
    categories = [piece.text for piece in reading.categories]
    if len(names) == 1 and not names[0]:
        names = [_series_name(title, notes)]
    if not all(names) or not title:
        raise Unclear("no name for the values")
    keys = list(zip(reading.groups or [""] * len(categories), categories, strict=True))
    if len(set(keys)) < len(keys):
        raise Unclear("two categories of one name")
    units = _units(chart, title, notes, names, reading)
    labels: list[list[Label | None]] = reading.cells
    periods = [parse_period(text) for text in categories]
    across = all(period is not None for period in periods) and not all(parse_period(name) for name in names)
    groups = list(reading.groups) if any(reading.groups) else []
    if across and groups and len(names) == 1:
        regular = _by_group(categories, groups, labels)
        if regular is not None:
            heads, stubs, cells = regular
            category_boxes = [reading.categories[index].box for index in range(len(heads))]
            stub_boxes: list[Box | None] = [None] * len(stubs)
            return _table(title, heads, list(category_boxes), stubs, stub_boxes, cells, [], units)
    if across and not groups:
        cells = [[row[j] for row in labels] for j in range(len(names))]
        return _table(title, categories, [piece.box for piece in reading.categories], names, boxes, cells, [], units)
    return _table(title, names, boxes, categories, [piece.box for piece in reading.categories], labels, groups, units)


def _by_group(
    categories: Sequence[str], groups: Sequence[str], labels: Sequence[Sequence[Label | None]]
) -> tuple[list[str], list[str], list[list[Label | None]]] | None:
    """Return headings, rows and cells where each group has the same categories in the same order."""
    names = list(dict.fromkeys(groups))
    parts = {name: [index for index, group in enumerate(groups) if group == name] for name in names}
    first = [categories[index] for index in parts[names[0]]]
    if len(names) < 2 or any([categories[index] for index in part] != first for part in parts.values()):
        return None
    return first, names, [[labels[index][0] for index in parts[name]] for name in names]


def _table(
    title: str,
    headings: Sequence[str],
    heading_boxes: Sequence[Box | None],
    stubs: Sequence[str],
    stub_boxes: Sequence[Box | None],
    cells: Sequence[Sequence[Label | None]],
    groups: Sequence[str],
    units: Units,
) -> ChartValues:
    return ChartValues(
        title=title,
        header=("", *headings),
        rows=tuple(
            (stub, *(label.text if label is not None else "" for label in row))
            for stub, row in zip(stubs, cells, strict=True)
        ),
        cell_boxes=tuple(
            (box, *(label.box if label is not None else None for label in row))
            for box, row in zip(stub_boxes, cells, strict=True)
        ),
        header_boxes=(None, *heading_boxes),
        row_groups=tuple(groups),
        unit=units.text or None,
        scale=units.scale,
        currency=units.currency,
    )


# ---------------------------------------------------------------------------------------------------- title, units


def _title(chart: Chart, reading: Reading) -> tuple[str, list[str]]:
    """Return what names the chart and what else stands above its plot (subtitle, unit of the axis)."""
    plot = reading.plot
    assert plot is not None
    above = [
        piece
        for piece in chart.pieces(without=reading.used)
        if piece.y < plot.y0 and any(character.isalpha() or character in "%$€£¥" for character in piece.text)
    ]
    above.sort(key=lambda piece: (piece.box.y0, piece.box.x0))
    caption = _NUMBERED.sub("", chart.caption).strip()
    if not above:
        return caption, []
    largest = max(piece.size for piece in above)
    bold = any(piece.bold for piece in above)
    head: list[Piece] = []
    for piece in above:
        if head and (abs(piece.size - head[0].size) > 0.6 or piece.bold != head[0].bold):
            break
        if not head and ((bold and not piece.bold) or piece.size < 0.8 * largest):
            break
        head.append(piece)
    notes = [piece.text for piece in above if piece not in head]
    title = join_lines([piece.text for piece in head])
    if caption:
        if title and title not in caption:
            notes.insert(0, title)
        return caption, notes
    if not title:
        title = join_lines(notes[:1])
    return title, notes


def _series_name(title: str, notes: Sequence[str]) -> str:
    """Return the name of the only series: the title, or what it says beside its unit."""
    return title or (notes[0] if notes else "")


def _units(chart: Chart, title: str, notes: Sequence[str], names: Sequence[str], reading: Reading) -> Units:
    """Return the unit that all values share: from labels, title, notes or names, the first that tells."""
    labels = [label for row in reading.cells for label in row if label is not None]
    percents = sum(label.percent for label in labels)
    if percents == len(labels):
        return Units(unit="percent", text="%")
    if percents:
        raise Unclear("percent and other values in one chart")
    told = [found for text in (title, *notes, join_lines(notes)) if (found := parse_units(text)).text]
    told += [found for text in names if (found := parse_units(text)).text]
    scales = [found for found in told if found.scale != 1]
    if scales:
        currency = next((found.currency for found in told if found.currency), None)
        return scales[0]._replace(currency=scales[0].currency or currency)
    return told[0] if told else Units()
