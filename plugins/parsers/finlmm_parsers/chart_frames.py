"""Frames that charts stand in: outlined or coloured cards, and the white areas that office programs paint."""

from __future__ import annotations

import re
from collections.abc import Sequence

from finlmm_core.domain import Box
from finlmm_parsers.chart_legends import Seed
from finlmm_parsers.chart_marks import is_white
from finlmm_parsers.layout.captions import is_source_note
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives

_DIGIT = re.compile(r"\d")


def find_frames(page: PagePrimitives, lines: Sequence[Line], prose: Sequence[bool]) -> list[tuple[Box, bool]]:
    """Return boxes that a chart may stand in, smallest first, and whether each is seen (stroked or coloured)."""
    page_area = page.width * page.height
    found: dict[tuple[int, int, int, int], tuple[Box, bool]] = {}
    for shape in page.shapes:
        if shape.segments not in (4, 5) or shape.curved:
            continue
        box = shape.box
        if box.width < 50 or box.height < 40 or box.area > 0.7 * page_area:
            continue
        key = (round(box.x0), round(box.y0), round(box.x1), round(box.y1))
        seen = (shape.fill is not None and not is_white(shape.fill)) or shape.stroke is not None
        if key not in found or seen:
            found[key] = (box, seen)
    result = []
    for box, seen in found.values():
        running = sum(
            1 for line, flag in zip(lines, prose, strict=True) if flag and box.covers(line.box) > 0.6 and not line.bold
        )
        if running <= 1 and not _is_plot_area(box, lines, prose):
            result.append((box, seen))
    result.sort(key=lambda item: item[0].area)
    return result


def frame_of(box: Box, frames: Sequence[tuple[Box, bool]], others: Sequence[Box]) -> Box | None:
    """Return the largest frame around a seed that is not much larger and has no other seed in it."""
    best = None
    for frame, _ in frames:  # smallest first
        if frame.area > 6 * box.area and best is not None:
            break
        holds = frame.grown(2.0).covers(box) > 0.98 and frame.area > 1.02 * box.area
        if holds and not any(frame.covers(other) > 0.5 for other in others):
            best = frame
    return best


def _is_plot_area(box: Box, lines: Sequence[Line], prose: Sequence[bool]) -> bool:
    """Tell the rectangle between a chart's axes from a frame around it: numbers or names stand along its outside."""
    left = below = 0
    for line, running in zip(lines, prose, strict=True):
        if running or is_source_note(line.text):
            continue
        x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
        gap = 1.5 * line.size + 4.0
        if box.y0 - 4 <= y <= box.y1 + 4 and line.x1 <= box.x0 + 1 and box.x0 - line.x1 <= gap:
            left += bool(_DIGIT.search(line.text)) or line.x1 - line.x0 < 0.4 * box.width
        elif box.x0 <= x <= box.x1 and line.y0 >= box.y1 - 2 and line.y0 - box.y1 <= gap:
            below += len(line.words) if _DIGIT.search(line.text) else 1
    return left >= 2 and below >= 2


def fill_frame(seed: Seed, frames: Sequence[tuple[Box, bool]]) -> None:
    """Take the whole of a frame that is seen (outlined or coloured) and holds this chart alone."""
    for frame, seen in frames:
        if seen and seed.frame is not None and frame.iou(seed.frame) > 0.9 and frame.area < 4.5 * seed.box.area:
            seed.box = Box.around((seed.box, frame))
            return


def home_of(box: Box, frames: Sequence[Box]) -> Box | None:
    """Return the smallest of the frames (smallest first) that a box stands in."""
    return next((frame for frame in frames if frame.covers(box) > 0.95), None)
