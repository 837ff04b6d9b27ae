"""The kinds of charts: bars, lines, areas, pies, bridges, drawn on matplotlib axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finlmm_core.synth.fonts import FontFamily, text_width
from finlmm_core.synth.truth import ChartType


@dataclass(frozen=True)
class ChartSpec:
    """What a chart shows: series over categories, printed with so many decimals."""

    kind: ChartType
    categories: tuple[str, ...]
    names: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    decimals: int
    unit: str = ""  # printed at the axis or below the title
    percent: bool = False


@dataclass(frozen=True)
class ChartLook:
    """How the charts of one report look."""

    palette: tuple[str, ...]
    family: FontFamily
    plot_font: str  # path of a font file for rasters, '' for the family's own
    size: float = 7.5
    grid: bool = True
    frame: str = "left"  # 'left', 'box', 'bottom' or 'none'
    labels: bool = True  # numbers at the bars
    legend: str = "bottom"  # 'bottom', 'top' or 'right'
    face: str = "white"
    text_color: str = "#222222"


def number(value: float, spec: ChartSpec) -> str:
    text = f"{abs(value):,.{spec.decimals}f}" + ("%" if spec.percent else "")
    return f"-{text}" if value < 0 else text


class Painter:
    def __init__(self, spec: ChartSpec, look: ChartLook, raster: bool, title: str) -> None:
        from matplotlib.font_manager import FontProperties

        self.spec, self.look = spec, look
        self.raster, self.title = raster, title
        fname = look.plot_font if raster and look.plot_font else None
        family = None if fname else (look.family.plot or "DejaVu Sans")

        def prop(scale: float = 1.0, bold: bool = False) -> Any:
            weight = "bold" if bold else "normal"
            return FontProperties(fname=fname, family=family, size=look.size * scale, weight=weight)

        self.prop = prop
        self.labelled = False

    def text(self, artist: Any, scale: float = 1.0, bold: bool = False, color: str | None = None) -> None:
        artist.set_fontproperties(self.prop(scale, bold))
        artist.set_color(color or self.look.text_color)


def longest(texts: Sequence[str], look: ChartLook) -> float:
    return max(text_width(text, look.family.regular, look.size) for text in texts) * (1.12 if look.family.plot else 1.0)


def axes_chart(figure: Any, painter: Painter, edges: tuple[float, float, float], width: float, height: float) -> None:
    spec, look = painter.spec, painter.look
    bottom, right, top = edges
    labels = [number(max((abs(v) for row in spec.values for v in row), default=0) * 1.4, spec)]
    left = 10 + longest(labels, look) if spec.kind != "hbar" else 12 + longest(spec.categories, look)
    lines = 1 if spec.kind == "hbar" else max(name.count("\n") + 1 for name in spec.categories)
    below = bottom + look.size * (0.7 + 1.2 * lines)
    if spec.kind == "combo":
        right -= 26
    axes = figure.add_axes((left / width, below / height, (right - left) / width, (top - 5 - below) / height))
    axes.set_facecolor("none")
    draw = {
        "bar": _bars,
        "grouped": _bars,
        "stacked": _stacked,
        "line": _lines,
        "area": _area,
        "hbar": _hbars,
        "combo": _combo,
        "waterfall": _waterfall,
    }[spec.kind]
    draw(axes, painter)
    _dress(axes, painter)


def _dress(axes: Any, painter: Painter) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    spec, look = painter.spec, painter.look
    shown = {"left": ("left", "bottom"), "box": ("left", "bottom", "top", "right"), "bottom": ("bottom",), "none": ()}
    for side, spine in axes.spines.items():
        spine.set_visible(side in shown[look.frame])
        spine.set_linewidth(0.6)
        spine.set_color("#888888")
    horizontal = spec.kind == "hbar"
    value_axis = axes.xaxis if horizontal else axes.yaxis
    value_axis.set_major_locator(MaxNLocator(5, integer=spec.decimals == 0))
    value_axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, spec)))
    if look.grid:
        axes.grid(axis="x" if horizontal else "y", linewidth=0.4, color="#d5d5d5")
        axes.set_axisbelow(True)
    axes.tick_params(length=2 if look.frame in ("left", "box") else 0, width=0.5, color="#888888", pad=2)
    hide_values = look.frame in ("bottom", "none") and painter.labelled
    if hide_values:
        value_axis.set_ticklabels([])
        value_axis.set_tick_params(length=0)
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        painter.text(label)


def _tick(value: float, spec: ChartSpec) -> str:
    digits = 0 if abs(value - round(value)) < 1e-9 else 1 if abs(value * 10 - round(value * 10)) < 1e-9 else 2
    text = f"{abs(value):,.{digits}f}" + ("%" if spec.percent else "")
    return f"-{text}" if value < 0 else text


def _room(axes: Any, spec: ChartSpec, low: float, high: float) -> None:
    span = (high - min(low, 0)) or 1
    axes.set_ylim(min(low, 0) - (0.1 * span if low < 0 else 0), high + 0.14 * span)


def _bars(axes: Any, painter: Painter) -> None:
    spec, look = painter.spec, painter.look
    count = len(spec.names)
    wide = 0.62 if count == 1 else 0.8 / count
    flat = [value for row in spec.values for value in row]
    _room(axes, spec, min(flat), max(flat))
    slot = axes.get_position().width * axes.figure.get_figwidth() * 72 / (len(spec.categories) + 0.2)
    crowded = longest([number(value, spec) for value in flat], look) * 0.93 > slot * wide * 1.25
    painter.labelled = look.labels and not crowded
    offset = 0.02 * (axes.get_ylim()[1] - axes.get_ylim()[0])
    for index, row in enumerate(spec.values):
        at = [i + (index - (count - 1) / 2) * wide for i in range(len(row))]
        axes.bar(at, row, wide * 0.94, color=look.palette[index % len(look.palette)], linewidth=0)
        if painter.labelled:
            for x, value in zip(at, row, strict=True):
                y = value + offset if value >= 0 else value - offset
                artist = axes.text(x, y, number(value, spec), ha="center", va="bottom" if value >= 0 else "top")
                painter.text(artist, 0.93)
    axes.set_xticks(range(len(spec.categories)), spec.categories)
    axes.set_xlim(-0.6, len(spec.categories) - 0.4)


def _stacked(axes: Any, painter: Painter) -> None:
    spec, look = painter.spec, painter.look
    base = [0.0] * len(spec.categories)
    total = max(sum(row[i] for row in spec.values) for i in range(len(base)))
    _room(axes, spec, 0, total)
    painter.labelled = look.labels
    smallest = min(value for row in spec.values for value in row)
    painter.labelled = look.labels and smallest > 0.07 * total
    for index, row in enumerate(spec.values):
        color = look.palette[index % len(look.palette)]
        axes.bar(range(len(row)), row, 0.6, bottom=base, color=color, linewidth=0)
        if painter.labelled:
            for x, value in enumerate(row):
                artist = axes.text(x, base[x] + value / 2, number(value, spec), ha="center", va="center")
                painter.text(artist, 0.88, color="white" if is_dark(color) else look.text_color)
        base = [b + value for b, value in zip(base, row, strict=True)]
    axes.set_xticks(range(len(spec.categories)), spec.categories)
    axes.set_xlim(-0.6, len(spec.categories) - 0.4)


def is_dark(color: str) -> bool:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue < 140


def _lines(axes: Any, painter: Painter) -> None:
    spec, look = painter.spec, painter.look
    flat = [value for row in spec.values for value in row]
    span = (max(flat) - min(flat)) or 1
    axes.set_ylim(min(flat) - 0.25 * span, max(flat) + 0.3 * span)
    painter.labelled = look.labels and len(spec.names) == 1
    for index, row in enumerate(spec.values):
        color = look.palette[index % len(look.palette)]
        axes.plot(
            range(len(row)), row, color=color, linewidth=1.5, marker="o" if len(row) < 9 else None, markersize=3.2
        )
        if painter.labelled:
            for x, value in enumerate(row):
                painter.text(axes.text(x, value + 0.06 * span, number(value, spec), ha="center", va="bottom"), 0.93)
    axes.set_xticks(range(len(spec.categories)), spec.categories)
    axes.set_xlim(-0.4, len(spec.categories) - 0.6)


def _area(axes: Any, painter: Painter) -> None:
    spec, look = painter.spec, painter.look
    base = [0.0] * len(spec.categories)
    for index, row in enumerate(spec.values):
        upper = [b + value for b, value in zip(base, row, strict=True)]
        axes.fill_between(range(len(row)), base, upper, color=look.palette[index % len(look.palette)], linewidth=0)
        base = upper
    axes.set_ylim(0, max(base) * 1.1)
    axes.set_xticks(range(len(spec.categories)), spec.categories)
    axes.set_xlim(0, len(spec.categories) - 1)


def _hbars(axes: Any, painter: Painter) -> None:
    spec, look = painter.spec, painter.look
    row = spec.values[0]
    axes.barh(range(len(row)), row, 0.6, color=look.palette[0], linewidth=0)
    low, high = min(0, min(row)), max(row)
    axes.set_xlim(low * 1.25, high * 1.2)
    painter.labelled = look.labels
    if painter.labelled:
        for y, value in enumerate(row):
            at = value + 0.015 * high if value >= 0 else value - 0.015 * high
            artist = axes.text(at, y, number(value, spec), ha="left" if value >= 0 else "right", va="center")
            painter.text(artist, 0.93)
    axes.set_yticks(range(len(row)), spec.categories)
    axes.invert_yaxis()


def _combo(axes: Any, painter: Painter) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    spec, look = painter.spec, painter.look
    bars, rates = spec.values
    axes.bar(range(len(bars)), bars, 0.55, color=look.palette[0], linewidth=0)
    axes.set_ylim(0, max(bars) * 1.35)
    axes.set_xticks(range(len(spec.categories)), spec.categories)
    axes.set_xlim(-0.6, len(spec.categories) - 0.4)
    other = axes.twinx()
    other.plot(range(len(rates)), rates, color=look.palette[1], linewidth=1.6, marker="o", markersize=3.2)
    span = (max(rates) - min(rates)) or 1
    other.set_ylim(min(rates) - span * 1.6, max(rates) + span * 0.3)
    other.yaxis.set_major_locator(MaxNLocator(4))
    other.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1f}%"))
    for spine in other.spines.values():
        spine.set_visible(False)
    other.tick_params(length=0, pad=2)
    for label in other.get_yticklabels():
        painter.text(label)


def _waterfall(axes: Any, painter: Painter) -> None:
    spec, look = painter.spec, painter.look
    row = spec.values[0]
    level, low, high = 0.0, 0.0, 0.0
    pieces = []
    for index, value in enumerate(row):
        start = 0.0 if index in (0, len(row) - 1) else level
        level = value if index in (0, len(row) - 1) else level + value
        pieces.append((start, level))
        low, high = min(low, start, level), max(high, start, level)
    axes.set_ylim(low, high * 1.14)
    painter.labelled = True
    for index, (start, end) in enumerate(pieces):
        whole = index in (0, len(row) - 1)
        color = look.palette[0] if whole else look.palette[1] if end >= start else look.palette[2 % len(look.palette)]
        axes.bar([index], [end - start], 0.62, bottom=[start], color=color, linewidth=0)
        artist = axes.text(index, max(start, end) + 0.02 * high, number(row[index], spec), ha="center", va="bottom")
        painter.text(artist, 0.93)
    axes.set_xticks(range(len(row)), spec.categories)
    axes.set_xlim(-0.6, len(row) - 0.4)


def pie(figure: Any, painter: Painter, edges: tuple[float, float, float, float], width: float, height: float) -> None:
    spec, look = painter.spec, painter.look
    left, bottom, right, top = edges
    side = min(right - left, top - bottom)
    x = left + (right - left - side) / 2
    axes = figure.add_axes((x / width, (bottom + (top - bottom - side) / 2) / height, side / width, side / height))
    values = spec.values[0]
    whole = sum(values)
    hole = {"width": 0.42} if spec.kind == "donut" else {}
    _wedges, _ = axes.pie(
        values,
        colors=[look.palette[i % len(look.palette)] for i in range(len(values))],
        startangle=90,
        counterclock=False,
        radius=0.92,
        wedgeprops={"linewidth": 0.8, "edgecolor": "white", **hole},
    )
    angle = 90.0
    painter.labelled = True
    for index, value in enumerate(values):
        sweep = 360 * value / whole
        middle = math.radians(angle - sweep / 2)
        distance = 0.72 if spec.kind == "donut" else 0.6
        dark = is_dark(look.palette[index % len(look.palette)])
        artist = axes.text(
            distance * math.cos(middle), distance * math.sin(middle), number(value, spec), ha="center", va="center"
        )
        painter.text(artist, 0.93, color="white" if dark else look.text_color)
        angle -= sweep
