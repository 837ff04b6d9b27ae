"""What is written inside a region, from the text layer, in reading order."""

from __future__ import annotations

from collections.abc import Sequence

from finlmm_core.domain import Box
from finlmm_parsers.layout.text import join_words
from finlmm_parsers.layout.types import Line


def text_inside(lines: Sequence[Line], box: Box) -> str:
    """Return the words whose middles lie in a box: a printed row a line, cells of a row parted by two spaces.

    Args:
        lines: lines of the page, top to bottom and left to right.
        box: the region, in points.
    """
    rows: dict[int, list[str]] = {}
    x0, y0, x1, y1 = box
    for line in lines:
        if line.x1 < x0 or line.x0 > x1 or line.y1 < y0 or line.y0 > y1:
            continue
        if line.x0 >= x0 and line.x1 <= x1 and line.y0 >= y0 and line.y1 <= y1:
            text = line.text
        else:
            inside = [w for w in line.words if x0 <= (w.x0 + w.x1) / 2 <= x1 and y0 <= (w.y0 + w.y1) / 2 <= y1]
            if not inside:
                continue
            text = join_words(inside)
        rows.setdefault(line.row, []).append(text)
    return "\n".join("  ".join(parts) for parts in rows.values())
