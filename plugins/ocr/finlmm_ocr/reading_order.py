"""The order in which a reader takes the lines that an OCR engine found."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from finlmm_core.plugins.bases import OcrLine


def in_reading_order(lines: Iterable[OcrLine]) -> list[OcrLine]:
    """Return the lines row by row from the top, each row from the left.

    Two lines stand in one row when their vertical centres are closer than half of the smaller height: a table's cells
    and a chart's axis labels are rarely printed at exactly one height, and OCR moves boxes by a pixel or two. Lines far
    taller than the rest (rotated axis titles) do not pull others into their row.
    """
    waiting = sorted(lines, key=lambda line: (line.box.y0 + line.box.y1, line.box.x0, line.text))
    if not waiting:
        return []
    usual_height = median(line.box.height for line in waiting)
    rows: list[list[OcrLine]] = []
    for line in waiting:
        if rows:
            first = rows[-1][0]
            height = min(line.box.height, first.box.height, 2 * usual_height)
            distance = (line.box.y0 + line.box.y1 - first.box.y0 - first.box.y1) / 2
            if distance < height / 2:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: (line.box.x0, line.box.y0, line.text))]
