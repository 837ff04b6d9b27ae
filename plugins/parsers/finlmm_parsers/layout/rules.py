"""Ruled lines and shaded bands, put together from the many small shapes that page producers draw."""

from __future__ import annotations

from typing import NamedTuple

from finlmm_parsers.primitives import PagePrimitives

_THIN = 2.6  # points; a painted path no thicker than this is a ruled line
_JOIN = 6.5  # points; collinear pieces nearer than this are one rule (statements are ruled cell by cell)


class Rule(NamedTuple):
    """A horizontal or vertical ruled line."""

    x0: float
    y0: float
    x1: float
    y1: float


class Band(NamedTuple):
    """A shaded row or cell: a filled rectangle about as high as a line of text or a few."""

    x0: float
    y0: float
    x1: float
    y1: float
    fill: int


class Ruling(NamedTuple):
    """What is ruled and shaded on a page; each list top to bottom."""

    horizontal: list[Rule]
    vertical: list[Rule]
    bands: list[Band]


def find_ruling(page: PagePrimitives) -> Ruling:
    """Return rules and bands of a page, pieces joined; shapes outside the page and full-page fills are left out."""
    flat: list[tuple[float, float, float, float]] = []
    upright: list[tuple[float, float, float, float]] = []
    filled: list[tuple[float, float, float, float, int]] = []
    width, height = page.width, page.height
    for shape in page.shapes:
        x0, y0, x1, y1 = shape[0], shape[1], shape[2], shape[3]
        if shape[5] or shape[4] > 12 or y1 < 0 or y0 > height or x1 < 0 or x0 > width:
            continue
        tall, wide = y1 - y0, x1 - x0
        if shape[7] is not None and shape[6] is None:
            # the bounds of a stroke include half its width on each side
            thickness = max(shape[8], 0.0)
            tall_ink, wide_ink = tall, wide
            if tall_ink <= max(_THIN, thickness + 1.0) and wide > 4:
                if shape[7] != 0xFFFFFF:
                    flat.append((x0, y0, x1, y1))
            elif wide_ink <= max(_THIN, thickness + 1.0) and tall > 4:
                if shape[7] != 0xFFFFFF:
                    upright.append((x0, y0, x1, y1))
            elif shape[4] >= 4 and tall > 5 and wide > 5:  # a stroked rectangle: its four sides
                flat += [(x0, y0, x1, y0 + 0.5), (x0, y1 - 0.5, x1, y1)]
                upright += [(x0, y0, x0 + 0.5, y1), (x1 - 0.5, y0, x1, y1)]
            continue
        if shape[6] is None:
            continue
        if tall <= _THIN:
            if wide > 2 and shape[6] != 0xFFFFFF:
                flat.append((x0, y0, x1, y1))
        elif wide <= _THIN:
            if tall > 3 and shape[6] != 0xFFFFFF:
                upright.append((x0, y0, x1, y1))
        elif 5 <= tall <= 0.5 * height and wide > 3 and shape[6] != 0xFFFFFF:
            filled.append((x0, y0, x1, y1, shape[6]))
    return Ruling(_join_flat(flat), _join_upright(upright), _join_bands(filled))


def _join_flat(pieces: list[tuple[float, float, float, float]]) -> list[Rule]:
    rules: list[Rule] = []
    pieces.sort(key=lambda p: (round(p[1] + p[3], 0), p[0]))
    left = top = right = bottom = -1e9  # of the rule that is being joined
    for x0, y0, x1, y1 in pieces:  # a page may have thousands: no calls in here
        if -3.0 <= top + bottom - y0 - y1 <= 3.0 and x0 - right <= _JOIN and x0 >= left - 1:
            top, right, bottom = y0 if y0 < top else top, x1 if x1 > right else right, y1 if y1 > bottom else bottom
            continue
        if right - left >= 8:
            rules.append(Rule(left, top, right, bottom))
        left, top, right, bottom = x0, y0, x1, y1
    if right - left >= 8:
        rules.append(Rule(left, top, right, bottom))
    rules.sort(key=lambda r: r.y0)
    return rules


def _join_upright(pieces: list[tuple[float, float, float, float]]) -> list[Rule]:
    rules: list[Rule] = []
    pieces.sort(key=lambda p: (round(p[0] + p[2], 0), p[1]))
    for x0, y0, x1, y1 in pieces:
        if rules:
            last = rules[-1]
            if abs(last.x0 + last.x1 - x0 - x1) <= 3.0 and y0 - last.y1 <= _JOIN and y0 >= last.y0 - 1:
                rules[-1] = Rule(min(last.x0, x0), last.y0, max(last.x1, x1), max(last.y1, y1))
                continue
        rules.append(Rule(x0, y0, x1, y1))
    return [r for r in rules if r.y1 - r.y0 >= 8]


def _join_bands(pieces: list[tuple[float, float, float, float, int]]) -> list[Band]:
    bands: list[Band] = []
    pieces.sort(key=lambda p: (round(p[1]), round(p[3]), p[4], p[0]))
    for x0, y0, x1, y1, fill in pieces:
        if bands:
            last = bands[-1]
            if (
                last.fill == fill
                and abs(last.y0 - y0) <= 1.5
                and abs(last.y1 - y1) <= 1.5
                and x0 - last.x1 <= 2.0
                and x0 >= last.x0 - 1
            ):
                bands[-1] = Band(last.x0, min(last.y0, y0), max(last.x1, x1), max(last.y1, y1), fill)
                continue
        bands.append(Band(x0, y0, x1, y1, fill))
    bands = [b for b in bands if b.x1 - b.x0 >= 8]
    bands.sort(key=lambda b: b.y0)
    return bands
