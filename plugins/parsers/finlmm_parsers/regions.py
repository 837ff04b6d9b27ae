"""Charts and informative pictures on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finlmm_core.domain import Box, Rejected
from finlmm_parsers.charts import find_charts
from finlmm_parsers.cleaning import reject
from finlmm_parsers.layout.types import FigureRegion, Line, TableRegion
from finlmm_parsers.primitives import PagePrimitives, Raster


@dataclass(frozen=True, slots=True)
class RegionSizes:
    """The least that a figure measures, in points."""

    min_side: float = 36.0
    min_area: float = 4000.0


def find_figures(
    page: PagePrimitives, lines: Sequence[Line], tables: Sequence[TableRegion], sizes: RegionSizes = RegionSizes()
) -> tuple[list[FigureRegion], list[Rejected]]:
    """Return the charts and pictures of a page, top to bottom, and what was passed over for its size or place."""
    found, rejected = _pictures(page, sizes)
    if page.shapes:
        charts = find_charts(page, lines, tables)
        found = [picture for picture in found if not any(chart.box.covers(picture.box) > 0.8 for chart in charts)]
        found += charts
    found.sort(key=lambda region: (region.box.y0, region.box.x0))
    return found, rejected


def _pictures(page: PagePrimitives, sizes: RegionSizes) -> tuple[list[FigureRegion], list[Rejected]]:
    found: list[FigureRegion] = []
    rejected: list[Rejected] = []
    page_box = Box(0.0, 0.0, page.width, page.height)
    for index, raster in enumerate(page.rasters):
        box = _cut(raster.box, page_box)
        if box.area <= 0:
            continue
        if box.width < sizes.min_side or box.height < sizes.min_side or box.area < sizes.min_area:
            rejected.append(reject(page.number, box, "tiny", f"{box.width:.0f} x {box.height:.0f} points"))
        elif box.area > 0.85 * page_box.area:
            rejected.append(reject(page.number, box, "decoration", "a picture behind the whole page"))
        elif _is_strip(raster):
            rejected.append(reject(page.number, box, "decoration", "a strip"))
        else:
            found.append(FigureRegion(box, "image", "raster", [index]))
    return found, rejected


def _is_strip(raster: Raster) -> bool:
    width, height = raster.x1 - raster.x0, raster.y1 - raster.y0
    return max(width, height) > 12 * min(width, height)


def _cut(box: Box, page_box: Box) -> Box:
    return Box(max(box.x0, page_box.x0), max(box.y0, page_box.y0), min(box.x1, page_box.x1), min(box.y1, page_box.y1))
