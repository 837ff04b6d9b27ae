"""Options of both parsers; imports nothing heavy, so that plugins are listed at once."""

from __future__ import annotations

from pydantic import Field

from finlmm_core.plugins.bases import PluginOptions


class LayoutOptions(PluginOptions):
    """Options of both parsers."""

    dpi: float = Field(default=150.0, gt=0, le=600, description="resolution of crops, in pixels an inch")
    longest_side: int = Field(default=1024, ge=64, description="a crop's longest side, in pixels, is at most this")
    margin: float = Field(default=3.0, ge=0, description="white around a crop, in points")
    max_pages: int = Field(default=2000, ge=1, description="a file with more pages is set aside")
    max_page_side: float = Field(
        default=7200.0, gt=0, description="a file with a longer page side, in points, is set aside (7200 = 100 inches)"
    )
    min_figure_side: float = Field(
        default=36.0, ge=0, description="figures with a shorter side, in points, are dropped"
    )
    min_figure_area: float = Field(default=4000.0, ge=0, description="smaller figures, in square points, are dropped")
    repeated_pages: int = Field(default=3, ge=1, description="a picture on more pages than this is a logo")
    only_pages: tuple[int, ...] = Field(default=(), description="pages to read, counted from 1; empty for all")
