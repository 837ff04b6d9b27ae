"""Charts of synthetic reports: layout with title and legend on a matplotlib figure, and rendering.

One specification is drawn either as vector paths with real text (``vector.CanvasRenderer``) or as a PNG.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finlmm_core.domain import Box
from finlmm_core.synth.chart_kinds import ChartLook, ChartSpec, Painter, axes_chart, longest, number, pie
from finlmm_core.synth.fonts import FontFamily
from finlmm_core.synth.table_plan import wrap
from finlmm_core.synth.truth import TruthSeries

Palette = Sequence[str]


@dataclass(frozen=True)
class DrawnChart:
    """A chart with the series as printed and the ink, in points from the figure's top left corner."""

    figure: Any
    series: tuple[TruthSeries, ...]
    width: float
    height: float


def draw_chart(
    spec: ChartSpec, look: ChartLook, width: float, height: float, *, raster: bool = False, title: str = ""
) -> DrawnChart:
    """Lay a chart out on a matplotlib figure of the given size in points.

    ``raster`` picks the fonts that matplotlib can rasterise by itself; ``title`` is drawn inside, bold, at the top.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=look.face)
    painter = Painter(spec, look, raster, title)
    line = look.size * 1.55
    top = height - 4.0
    for part in wrap(title, look.family.bold, look.size * 1.2, width * 0.92):
        centred = look.legend == "top"
        artist = figure.text(0.5 if centred else 0.02, (top - line * 0.75) / height, part)
        artist.set_horizontalalignment("center" if centred else "left")
        painter.text(artist, 1.15, True)
        top -= line * 1.1
    if title:
        top -= line * 0.25
    if spec.unit and spec.kind not in ("pie", "donut"):
        painter.text(figure.text(0.02, (top - line * 0.7) / height, spec.unit), 0.92)
        top -= line * 1.2
    left, bottom, right = 8.0, 4.0, width - 8.0
    legend_names = list(spec.names) if len(spec.names) > 1 else []
    if spec.kind in ("pie", "donut"):
        legend_names = list(spec.categories)
    if spec.kind == "waterfall":
        legend_names = []
    legend_at = look.legend if spec.kind not in ("pie", "donut") else "right"
    beside = right - longest(legend_names, look) - 60 if legend_names else right
    if legend_at == "right" and spec.kind not in ("pie", "donut") and beside < 0.6 * width:
        legend_at = "bottom"  # the plot needs the room
    if legend_names:
        rows = len(_legend_rows(legend_names, look, width))
        if legend_at == "bottom":
            bottom += line * rows
        elif legend_at == "top":
            top -= line * (rows + 0.2)
        else:
            names_width = longest(legend_names, look) + 24
            right -= names_width
            if spec.kind in ("pie", "donut"):
                # Pie and legend stand together in the middle.
                side = min(right - 8.0, top - bottom)
                right = (width + side - names_width) / 2 + 12
                left = right - side - 12
    if spec.kind in ("pie", "donut"):
        pie(figure, painter, (left, bottom, right - 12, top), width, height)
    else:
        axes_chart(figure, painter, (bottom, right, top), width, height)
    if legend_names:
        _legend(figure, painter, legend_names, legend_at, (bottom, right, top), width, height)
    labels = [tuple(number(value, spec) for value in values) if painter.labelled else () for values in spec.values]
    series = tuple(
        TruthSeries(name=name, categories=spec.categories, values=values, labels=label)
        for name, values, label in zip(spec.names, spec.values, labels, strict=True)
    )
    return DrawnChart(figure, series, width, height)


def _legend(
    figure: Any,
    painter: Painter,
    names: list[str],
    at: str,
    edges: tuple[float, float, float],
    width: float,
    height: float,
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    look, spec = painter.look, painter.spec
    bottom, right, top = edges
    lines = spec.kind == "line"

    def swatch(x: float, y: float, index: int) -> None:
        color = look.palette[index % len(look.palette)]
        if lines or (spec.kind == "combo" and index == 1):
            figure.add_artist(
                Line2D([x / width, (x + 9) / width], [(y + 2.4) / height] * 2, color=color, linewidth=1.5)
            )
        else:
            figure.add_artist(Rectangle((x / width, y / height), 5.5 / width, 5.5 / height, color=color, linewidth=0))

    step = look.size * 1.6
    if at == "right":
        y = bottom + (top - bottom) / 2 + step * (len(names) / 2 - 0.8)
        for index, name in enumerate(names):
            swatch(right + 6, y, index)
            painter.text(figure.text((right + 18) / width, (y + 0.2) / height, name, va="baseline"))
            y -= step
        return
    y = 5.0 if at == "bottom" else top + look.size * 0.55
    for row in reversed(_legend_rows(names, look, width)):
        widths = [longest([names[index]], look) + 26 for index in row]
        x = max(4.0, (width - sum(widths)) / 2)
        for index, wide in zip(row, widths, strict=True):
            swatch(x, y, index)
            painter.text(figure.text((x + 13) / width, (y + 0.2) / height, names[index], va="baseline"))
            x += wide
        y += look.size * 1.55


def _legend_rows(names: Sequence[str], look: ChartLook, width: float) -> list[list[int]]:
    """Return which names stand in which line of a horizontal legend."""
    rows: list[list[int]] = []
    free = 0.0
    for index, name in enumerate(names):
        wide = longest([name], look) + 26
        if not rows or wide > free:
            rows.append([])
            free = width - 8
        rows[-1].append(index)
        free -= wide
    return rows


def render_png(drawn: DrawnChart, dpi: int) -> tuple[bytes, Box]:
    """Return the chart as a PNG without metadata, and its ink in points from the picture's top left corner."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(drawn.figure)
    drawn.figure.set_dpi(dpi)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
    ink = np.argwhere((pixels < 251).any(axis=2))
    scale = 72 / dpi
    (y0, x0), (y1, x1) = ink.min(axis=0), ink.max(axis=0) + 1
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue(), Box(x0 * scale, y0 * scale, x1 * scale, y1 * scale)


def pick_look(rng: random.Random, palette: tuple[str, ...], family: FontFamily, plot_font: str) -> ChartLook:
    """Return one report's way of drawing charts."""
    return ChartLook(
        palette=palette,
        family=family,
        plot_font=plot_font,
        size=rng.choice([7.0, 7.5, 8.0]),
        grid=rng.random() < 0.6,
        frame=rng.choice(["left", "left", "box", "bottom", "none"]),
        labels=rng.random() < 0.75,
        legend=rng.choice(["bottom", "bottom", "top", "right"]),
        face=rng.choice(["white"] * 5 + ["#f5f6f8"]),
    )
