"""How one report looks, drawn by lot: mostly the company's own style, with small changes from year to year."""

from __future__ import annotations

import colorsys
import random
from dataclasses import dataclass
from typing import Literal

from finlmm_core.synth.chart_kinds import ChartLook
from finlmm_core.synth.charts import pick_look
from finlmm_core.synth.finance import Company
from finlmm_core.synth.fonts import CHINESE_SANS, CHINESE_SERIF, LATIN_FAMILIES, FontFamily, register_chinese
from finlmm_core.synth.sheet import Color
from finlmm_core.synth.table_plan import TableLook, TableStyle


@dataclass(frozen=True)
class ReportLook:
    """How one report looks; its charts and tables have looks of their own."""

    width: float
    height: float
    margin: float
    body: FontFamily
    display: FontFamily
    size: float
    ink: Color
    accent: Color
    chart: ChartLook
    table: TableLook
    captions_above: bool
    caption_color: Color
    caption_rule: bool
    head: Literal["top", "bottom", "none"]
    logo: Literal["top_right", "top_left", "bottom_right", "none"]
    sidebar: bool
    unit_place: Literal["stub", "caption", "line", "column"]
    justify: bool
    notes: bool  # source notes below charts


def pick_report_look(company: Company, year: int) -> ReportLook:
    """Return a look: mostly the company's own, with small changes from year to year."""
    own = random.Random(f"look {company.key} {company.name}")
    yearly = random.Random(f"look {company.key} {company.name} {year}")
    hue = own.random()
    accent = colorsys.hls_to_rgb(hue, own.uniform(0.22, 0.36), own.uniform(0.35, 0.85))
    tint = colorsys.hls_to_rgb(hue, 0.94, 0.5)
    spreads = [0.0, own.choice([0.08, 0.33, 0.5]), own.choice([0.15, 0.6]), 0.42, 0.75]
    palette = []
    for index, turn in enumerate(spreads):
        light = own.uniform(0.3, 0.45) + 0.13 * (index % 3)
        palette.append(_hex(colorsys.hls_to_rgb((hue + turn) % 1, light, own.uniform(0.25, 0.75))))
    if own.random() < 0.25:
        palette = [_hex(colorsys.hls_to_rgb(hue, 0.25 + 0.13 * index, 0.5)) for index in range(5)]
    if company.language == "zh":
        body = own.choice([CHINESE_SERIF, CHINESE_SERIF, CHINESE_SANS])
        display = table_family = chart_family = CHINESE_SANS
        plot_font = register_chinese()
    else:
        body = own.choice(LATIN_FAMILIES)
        display = body if own.random() < 0.6 else own.choice(LATIN_FAMILIES)
        table_family = body if own.random() < 0.7 else own.choice(LATIN_FAMILIES)
        chart_family = own.choice((LATIN_FAMILIES[0], LATIN_FAMILIES[0], LATIN_FAMILIES[2], body))
        plot_font = ""
    wide = body.regular in ("DejaVuSans", "Vera", "DejaVuSerif")
    size = own.choice([8.5, 9.0]) if wide else own.choice([9.0, 9.5, 10.0])
    style: TableStyle = own.choice(["filing", "filing", "ruled", "shaded", "open", "banded"])
    table = TableLook(
        style=style,
        family=table_family,
        size=size - own.choice([0.5, 1.0, 1.5]),
        leading=own.choice([1.45, 1.55, 1.75]),
        accent=accent,
        tint=tint if style != "filing" or own.random() < 0.4 else (1.0, 1.0, 1.0),
        leaders=style == "filing" and company.language == "en" and own.random() < 0.25,
        stretch=own.random() < 0.8,
        gap=own.choice([10.0, 14.0, 20.0]),
    )
    width, height = own.choice([(612.0, 792.0), (595.28, 841.89)]) if company.language == "en" else (595.28, 841.89)
    return ReportLook(
        width=width,
        height=height,
        margin=own.choice([50.0, 56.0, 64.0]),
        body=body,
        display=display,
        size=size,
        ink=own.choice([(0, 0, 0), (0.13, 0.13, 0.16)]),
        accent=accent,
        chart=pick_look(yearly, tuple(palette), chart_family, plot_font),
        table=table,
        captions_above=own.random() < 0.7,
        caption_color=own.choice([(0, 0, 0), accent]),
        caption_rule=own.random() < 0.5,
        head=own.choice(["top", "top", "bottom", "none"]),
        logo=own.choice(["top_right", "top_left", "bottom_right", "none"]),
        sidebar=own.random() < 0.2,
        unit_place=own.choice(
            ["line", "line", "stub", "caption"] if company.language == "zh" else ["stub", "caption", "line", "column"]
        ),
        justify=own.random() < 0.4,
        notes=own.random() < 0.4,
    )


def _hex(color: Color) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in color)
