"""What in a page's paths speaks for a chart: bars on a baseline, drawn series, pie wedges.

A mark is a group of shapes that tables, text boxes and rules do not have:

* bars: rectangles of one thickness that start at one line and end at different ones. Cells of a shaded table that
  start at one line end at one line;
* one path of many rectangles or a polygon with many corners (how office programs draw a series of bars or an area);
* a stroked path with slanted or curved segments of some length (a line series);
* curved fills that touch and together are about as high as wide, or half as high (pies, rings, gauges).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from finlmm_core.domain import Box
from finlmm_parsers.primitives import PagePrimitives, Shape

MarkKind = Literal["bars", "series", "line", "wedges"]

#: Paths thinner than this are rules, axes, grid lines or ticks; points.
THIN = 2.0
_NEAR_WHITE = 0xF8


@dataclass(slots=True)
class Mark:
    """A group of shapes that speaks for a chart."""

    kind: MarkKind
    box: Box
    shapes: list[int]  # indices into the page's shapes
    colours: set[int]


def _rules(page: PagePrimitives) -> list[Box]:
    """Return thin straight lines that may be axes."""
    found = []
    for shape in page.shapes:
        w, h = shape[2] - shape[0], shape[3] - shape[1]
        if (w <= THIN or h <= THIN) and max(w, h) > 20.0 and shape.segments <= 5:
            found.append(shape.box)
    return found


def is_white(colour: int | None) -> bool:
    """Tell whether a fill is not seen on white paper."""
    return colour is None or (
        colour >> 16 >= _NEAR_WHITE and (colour >> 8) & 0xFF >= _NEAR_WHITE and colour & 0xFF >= _NEAR_WHITE
    )


def backgrounds(page: PagePrimitives) -> list[Shape]:
    """Return the large painted rectangles of a page: what has their colour and lies in them is not seen."""
    least = 0.04 * page.width * page.height
    return [
        shape
        for shape in page.shapes
        if shape.fill is not None
        and not shape.curved
        and shape.segments in (4, 5)
        and (shape[2] - shape[0]) * (shape[3] - shape[1]) > least
    ]


def is_unseen(shape: Shape, grounds: Sequence[Shape]) -> bool:
    """Tell whether a shape has the colour of the paper or of the background that it lies on, and no outline."""
    if shape.stroke is not None:
        return False
    if is_white(shape.fill):
        return True
    return any(
        ground is not shape
        and ground.fill == shape.fill
        and ground[0] <= shape[0] + 1
        and ground[1] <= shape[1] + 1
        and ground[2] >= shape[2] - 1
        and ground[3] >= shape[3] - 1
        for ground in grounds
    )


def find_marks(page: PagePrimitives) -> list[Mark]:
    """Return the marks of a page; [] at once for pages whose paths are rules and boxes only."""
    width, height = page.width, page.height
    most_area = 0.35 * width * height
    bars: list[int] = []
    marks: list[Mark] = []
    wedges: list[int] = []
    lines: list[int] = []
    grounds: list[Shape] | None = None
    for index, shape in enumerate(page.shapes):
        w, h = shape[2] - shape[0], shape[3] - shape[1]
        if h <= THIN:
            if w <= THIN or h < 0.4 or shape.fill is None or w > 60.0:
                continue  # most shapes of most pages: rules of tables
        elif w <= THIN and (w < 0.4 or shape.fill is None or h > 60.0):
            continue
        if w * h > most_area or shape[0] > width or shape[1] > height:
            continue
        filled = not is_white(shape.fill)
        if filled and shape.curved:
            grounds = backgrounds(page) if grounds is None else grounds
            filled = not is_unseen(shape, grounds)
        if filled and shape.segments in (4, 5) and not shape.curved:
            if w > 0.9 * width or h > 0.75 * height:
                continue  # a stripe along the page's edge
            if (w >= 3.0 and h >= 0.4) or (h >= 3.0 and w >= 0.4):
                bars.append(index)
        elif w <= THIN or h <= THIN:
            continue
        elif filled and shape.curved and min(w, h) >= 3.0 and max(w, h) >= 12.0:
            wedges.append(index)
        elif filled and shape.segments >= 10 and max(w, h) >= 24.0 and min(w, h) >= 6.0:
            marks.append(Mark("series", shape.box, [index], {shape.fill or 0}))
        elif (
            shape.fill is None
            and not is_white(shape.stroke)
            and (shape.diagonal or (shape.curved and shape.segments > 2))
        ):
            lines.append(index)
    bars = _without_cells(page.shapes, bars)
    if len(bars) >= 2:
        marks += _bars(page.shapes, bars, _rules(page))
    if lines:
        marks += _lines(page, lines)
    if len(wedges) >= 2:
        marks += _wedges(page.shapes, wedges)
    return marks


# ------------------------------------------------------------------------------------------------------------ bars


def _bars(shapes: Sequence[Shape], indices: list[int], rules: Sequence[Box]) -> list[Mark]:
    sides = cast("Sequence[Sequence[float]]", shapes)
    found: list[Mark] = []
    taken: set[int] = set()
    for upright in (True, False):
        groups: dict[int, list[int]] = {}
        # thickness is the extent across the direction of growth
        lead, end = (0, 2) if upright else (1, 3)
        axes = [rule for rule in rules if (rule.width > rule.height) == upright]
        for index in indices:
            thickness = sides[index][end] - sides[index][lead]
            if thickness >= 3.0:
                groups.setdefault(round(thickness * 2), []).append(index)
        merged = _merge_close(groups)
        for group in merged:
            group = [index for index in group if index not in taken]
            if len(group) < 2:
                continue
            for panel in _panels(shapes, group, upright, axes):
                if _ends_differ(shapes, panel, upright):
                    taken.update(panel)
                    box = Box.around(shapes[index].box for index in panel)
                    found.append(Mark("bars", box, panel, {shapes[index].fill or 0 for index in panel}))
    return found


def _without_cells(shapes: Sequence[Shape], indices: list[int]) -> list[int]:
    """Leave out shaded table cells: rectangles of one colour that share a whole side.

    Bars of one colour that touch (a histogram) differ in height, and pieces of a stacked bar differ in colour.
    """
    sides = cast("Sequence[Sequence[float]]", shapes)
    cells: set[int] = set()
    for across, along in (((1, 3), (0, 2)), ((0, 2), (1, 3))):
        runs: dict[tuple[int | None, int, int], list[int]] = {}
        for index in indices:
            shape = shapes[index]
            if sides[index][across[1]] - sides[index][across[0]] > THIN:
                runs.setdefault(
                    (shape.fill, round(sides[index][across[0]]), round(sides[index][across[1]])), []
                ).append(index)
        for members in runs.values():
            members.sort(key=lambda index: sides[index][along[0]])
            for before, index in itertools.pairwise(members):
                if abs(sides[index][along[0]] - sides[before][along[1]]) < 0.6:
                    cells.update((before, index))
    return [index for index in indices if index not in cells]


def _merge_close(groups: dict[int, list[int]]) -> list[list[int]]:
    """Join groups whose thickness differs by half a point or a twentieth at most."""
    merged: list[list[int]] = []
    last = None
    for key in sorted(groups):
        if last is not None and key - last <= max(1, 0.05 * key) and merged:
            merged[-1] += groups[key]
        else:
            merged.append(list(groups[key]))
        last = key
    return merged


def _panels(shapes: Sequence[Shape], group: list[int], upright: bool, axes: Sequence[Box]) -> list[list[int]]:
    """Part bars of one thickness into charts: by the axes that they stand on, else where they stand far apart."""
    sides = cast("Sequence[Sequence[float]]", shapes)
    lead, end, low, high = (0, 2, 1, 3) if upright else (1, 3, 0, 2)
    # first by overlap along the direction of growth: charts below each other
    bands: list[tuple[float, float, list[int]]] = []
    for index in sorted(group, key=lambda index: sides[index][low]):
        for k, (start, stop, members) in enumerate(bands):
            if sides[index][low] <= stop + 1.5 and sides[index][high] >= start - 1.5:
                bands[k] = (min(start, sides[index][low]), max(stop, sides[index][high]), [*members, index])
                break
        else:
            bands.append((sides[index][low], sides[index][high], [index]))
    panels: list[list[int]] = []
    for start, stop, members in bands:
        members.sort(key=lambda index: (sides[index][lead], sides[index][low]))
        thickness = sides[members[0]][end] - sides[members[0]][lead]
        gaps = [
            max(0.0, sides[b][lead] - sides[a][end])
            for a, b in itertools.pairwise(members)
            if sides[b][lead] - sides[a][lead] > 0.5 * thickness
        ]
        usual = sorted(gaps)[len(gaps) // 2] if gaps else 0.0
        widest = min(max(2.2 * usual, 1.6 * thickness, 10.0), max(6.0 * thickness, 30.0))
        near = [axis for axis in axes if start - 3 <= axis[low] and axis[high] <= stop + 3]
        current = [members[0]]
        for before, index in itertools.pairwise(members):
            gap = sides[index][lead] - sides[before][end]
            if gap > 2.0 and near:
                here = {k for k, axis in enumerate(near) if axis[lead] - 2 <= sides[before][lead] <= axis[end] + 2}
                there = {k for k, axis in enumerate(near) if axis[lead] - 2 <= sides[index][lead] <= axis[end] + 2}
                parted = not (here & there) if here and there else gap > widest
            else:
                parted = gap > widest
            if parted:
                panels.append(current)
                current = []
            current.append(index)
        panels.append(current)
    return [panel for panel in panels if len(panel) >= 2]


def _ends_differ(shapes: Sequence[Shape], panel: list[int], upright: bool) -> bool:
    """Tell whether rectangles that start at one line end at different ones, as bars do and table cells do not."""
    sides = cast("Sequence[Sequence[float]]", shapes)
    lead, low, high = (0, 1, 3) if upright else (1, 0, 2)
    solid = [index for index in panel if sides[index][high] - sides[index][low] > 2.5]
    for base, tip in ((high, low), (low, high)):
        by_base: dict[int, list[int]] = {}
        for index in solid:
            by_base.setdefault(round(sides[index][base]), []).append(index)
        for key, exact in sorted(by_base.items()):
            members = exact + by_base.get(key + 1, [])
            if len({round(sides[index][lead] / 2) for index in members}) < 2 or len(members) < 0.25 * len(solid):
                continue
            tips = sorted(sides[index][tip] for index in members)
            distinct = 1 + sum(1 for a, b in itertools.pairwise(tips) if b - a > 0.7)
            if tips[-1] - tips[0] > 1.2 and distinct >= 0.4 * len(members):
                return True
    return False


# ----------------------------------------------------------------------------------------------------------- lines


def _lines(page: PagePrimitives, indices: list[int]) -> list[Mark]:
    """Return stroked series: a long path of several segments, or many short ones that go on from each other."""
    found: list[Mark] = []
    short: dict[int, list[int]] = {}
    for index in indices:
        shape = page.shapes[index]
        w, h = shape[2] - shape[0], shape[3] - shape[1]
        if (
            w >= 36.0
            and h >= 2.0
            and (shape.segments >= 4 or (shape.segments == 3 and _has_markers(shape, page)))
            and not _is_frame(shape, page)
        ):
            found.append(Mark("line", shape.box, [index], {shape.stroke or 0}))
        elif shape.segments <= 3 and max(w, h) >= 3.0:
            short.setdefault(shape.stroke or 0, []).append(index)
    for colour, members in sorted(short.items()):
        if len(members) < 4:
            continue
        for chain in _chains(page.shapes, members):
            box = Box.around(page.shapes[index].box for index in chain)
            if len(chain) >= 4 and box.width >= 36.0 and box.height >= 4.0:
                found.append(Mark("line", box, chain, {colour}))
    return found


def _has_markers(shape: Shape, page: PagePrimitives) -> bool:
    """Tell whether spots in its colour stand along a path and at both its ends: a series of three points."""
    spots = [
        (other[0] + other[2]) / 2
        for other in page.shapes
        if other.fill == shape.stroke
        and 2.0 <= other[2] - other[0] <= 9.0
        and 2.0 <= other[3] - other[1] <= 9.0
        and shape[1] - 5.0 <= (other[1] + other[3]) / 2 <= shape[3] + 5.0
    ]
    within = sum(shape[0] - 2.0 <= x <= shape[2] + 2.0 for x in spots)
    return within >= 3 and all(any(abs(x - end) <= 2.0 for x in spots) for end in (shape[0], shape[2]))


def _is_frame(shape: Shape, page: PagePrimitives) -> bool:
    """Tell a box with rounded or cut corners: it has few segments and text inside."""
    if shape.segments > 17 or not shape.curved:
        return False
    inside = 0
    x0, y0, x1, y1 = shape[0:4]
    for word in page.words:
        if word[1] > x0 and word[3] < x1 and word[2] > y0 and word[4] < y1:
            inside += len(word[0])
    return inside > 20


def _chains(shapes: Sequence[Shape], members: list[int]) -> list[list[int]]:
    """Group segments whose bounds touch (within a point and a half), left to right."""
    order = sorted(members, key=lambda index: shapes[index][0])
    chains: list[tuple[list[float], list[int]]] = []
    for index in order:
        x0, y0, x1, y1 = shapes[index][0:4]
        for box, chain in chains:
            if abs(x0 - box[2]) <= 1.5 and y0 <= box[3] + 1.5 and y1 >= box[1] - 1.5:
                box[1], box[2], box[3] = y0, max(box[2], x1), y1
                chain.append(index)
                break
        else:
            chains.append(([x0, y0, x1, y1], [index]))
    return [chain for _, chain in chains]


# ---------------------------------------------------------------------------------------------------------- wedges


def _wedges(shapes: Sequence[Shape], indices: list[int]) -> list[Mark]:
    """Return groups of curved fills in two colours or more that touch and make up a disc, a ring or half of one."""
    clusters: list[tuple[Box, list[int]]] = []
    for index in indices:
        box = shapes[index].box
        joined = [index]
        rest = []
        for other, members in clusters:
            near = (
                box.x0 <= other.x1 + 1 and box.x1 >= other.x0 - 1 and box.y0 <= other.y1 + 1 and box.y1 >= other.y0 - 1
            )
            if near:
                box = Box.around((box, other))
                joined += members
            else:
                rest.append((other, members))
        clusters = [*rest, (box, joined)]
    found = []
    for box, members in clusters:
        colours = {shapes[index].fill or 0 for index in members}
        largest = max(shapes[index].box.area for index in members)
        if len(members) < 2 or len(colours) < 2 or len(members) > 60 or min(box.width, box.height) < 24.0:
            continue
        ratio = box.width / box.height
        if not (0.8 <= ratio <= 1.25 or 1.6 <= ratio <= 2.4):
            continue
        if largest < 0.06 * box.area:  # drawings and written logos are made of many small pieces
            continue
        pieces = [shapes[index] for index in members if shapes[index].box.area > 0.04 * box.area]
        middles = [(piece[0] + piece[2], piece[1] + piece[3]) for piece in pieces]
        spread = max(max(xs) - min(xs) for xs in zip(*middles, strict=True)) / 2
        if spread < 0.1 * max(box.width, box.height):
            continue  # a sign in a circle
        found.append(Mark("wedges", box, sorted(members), colours))
    return found
