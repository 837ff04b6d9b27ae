"""Charts that are pictures, read by OCR: the same reading over won-back shapes and words.

A printed value is then only as good as its OCR. Lengths and angles tell a wrong first or second digit, not a wrong
last one; therefore numbers that the engine is not nearly certain of do not count, and a chart that lacks one is not
read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box
from finlmm_core.plugins.bases import OcrLine
from finlmm_core.quantities import parse_number
from finlmm_parsers.chart_data import ChartValues, read_chart
from finlmm_parsers.chart_labels import ChartPixels
from finlmm_parsers.layout.lines import find_lines
from finlmm_parsers.primitives import PagePrimitives

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Numbers read with less confidence than this are as good as not read. A dollar sign taken for a 5 comes at .88-.94.
LEAST_CONFIDENCE = 0.95
#: Fewer numbers than this are no chart's values.
_FEWEST_NUMBERS = 4


def read_chart_picture(
    pixels: NDArray[np.uint8], lines: Sequence[OcrLine], box: Box, caption: str, region: Box | None = None
) -> ChartValues | str | None:
    """Return what a chart in a picture prints; see ``read_chart``.

    Args:
        pixels: the picture, height x width x 3.
        lines: what OCR read in it, boxes in pixels.
        box: where the picture is on the page, points.
        caption: what names the chart, "" where nothing does.
        region: the part of the page that is the chart, points; None for the whole picture.
    """
    from finlmm_parsers.scan_shapes import shapes_of_picture
    from finlmm_parsers.scan_words import words_of_lines

    sure = [line for line in lines if line.confidence >= LEAST_CONFIDENCE or not any(c.isdigit() for c in line.text)]
    numbers = sum(1 for line in sure for text in line.text.split() if parse_number(text) is not None)
    if numbers < _FEWEST_NUMBERS:
        return None
    points = box.width / pixels.shape[1]
    height = pixels.shape[0] * points
    # what little of red, green and blue weighs in brightness: ITU-R BT.601, as Pillow converts to grey
    grey = (pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    words = words_of_lines(sure, grey, points)
    shapes, photographs = shapes_of_picture(pixels, words_of_lines(lines, grey, points), points)
    page = PagePrimitives(1, box.width, height, words, shapes, photographs, "ocr")
    whole = Box(0.0, 0.0, box.width, height)
    part = whole if region is None else _moved(region, -box.x0, -box.y0)
    read = read_chart(page, find_lines(page), part, ChartPixels(pixels, whole), caption)
    return _on_page(read, box) if isinstance(read, ChartValues) else read


def _on_page(values: ChartValues, box: Box) -> ChartValues:
    return replace(
        values,
        cell_boxes=tuple(
            tuple(_moved(cell, box.x0, box.y0) if cell is not None else None for cell in row)
            for row in values.cell_boxes
        ),
        header_boxes=tuple(_moved(cell, box.x0, box.y0) if cell is not None else None for cell in values.header_boxes),
    )


def _moved(box: Box, right: float, down: float) -> Box:
    return Box(box.x0 + right, box.y0 + down, box.x1 + right, box.y1 + down)
