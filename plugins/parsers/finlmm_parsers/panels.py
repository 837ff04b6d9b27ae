"""Charts inside a picture that holds more than one thing: an infographic with four bar charts is four figures.

The picture is taken apart as a scanned page is (scan_words.py, scan_shapes.py) and searched like a drawn page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from finlmm_core.domain import Box
from finlmm_core.plugins.bases import OcrLine
from finlmm_parsers.charts import find_charts
from finlmm_parsers.figure_text import text_inside
from finlmm_parsers.layout.lines import find_lines
from finlmm_parsers.primitives import PagePrimitives
from finlmm_parsers.scan_shapes import shapes_of_picture
from finlmm_parsers.scan_words import words_of_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pictures smaller than this, in square points, are one figure.
SMALLEST_PICTURE = 60_000.0
#: Charts that together cover more of a picture than this are the picture: it is one figure with several plots.
MOST_COVERED = 0.6


class Panel(NamedTuple):
    """A chart inside a picture."""

    box: Box  # points on the page
    text: str


def charts_inside(pixels: NDArray[np.uint8], read: Sequence[OcrLine], number: int, box: Box) -> list[Panel]:
    """Return the charts of a picture, [] where it holds fewer than two or consists of nothing else.

    Args:
        pixels: the picture as rendered, height x width x 3.
        read: what OCR read in it, boxes in pixels.
        number: its page.
        box: where the pixels lie on the page, in points.
    """
    if box.area < SMALLEST_PICTURE or len(read) < 12:
        return []
    points = box.width / pixels.shape[1]
    grey = np.ascontiguousarray(pixels.mean(axis=2).astype(np.uint8))
    words = words_of_lines(read, grey, points)
    shapes, _ = shapes_of_picture(np.ascontiguousarray(pixels), words, points)
    page = PagePrimitives(number, box.width, box.height, words, shapes, [], "ocr")
    lines = find_lines(page)
    charts = [chart.box for chart in find_charts(page, lines, []) if chart.box.area < 0.5 * box.area]
    if len(charts) < 2 or sum(chart.area for chart in charts) > MOST_COVERED * box.area:
        return []
    return [
        Panel(
            Box(chart.x0 + box.x0, chart.y0 + box.y0, chart.x1 + box.x0, chart.y1 + box.y0), text_inside(lines, chart)
        )
        for chart in charts
    ]
