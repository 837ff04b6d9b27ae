"""Charts drawn as paths: from marks (chart_marks.py) to the whole figure with its axes, labels, legend and title.

A seed is one or more marks that belong together. It grows over what a reader takes as part of the chart: axes and grid
lines, short labels beside it, the legend, a title above it. It never grows over prose, over a table, over another
chart, over a rule that is much wider than itself, or out of the frame that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from finlmm_core.domain import Box
from finlmm_parsers.chart_frames import fill_frame, find_frames, frame_of, home_of
from finlmm_parsers.chart_legends import Seed, add_legends, distance
from finlmm_parsers.chart_marks import THIN, Mark, backgrounds, find_marks, is_unseen
from finlmm_parsers.chart_prose import is_legend, prose_lines
from finlmm_parsers.chart_titles import add_title, with_title_rule
from finlmm_parsers.layout.captions import is_source_note, numbered_caption
from finlmm_parsers.layout.headings import is_unit_note
from finlmm_parsers.layout.types import FigureRegion, Line, TableRegion
from finlmm_parsers.primitives import PagePrimitives, Shape

_DIGIT = re.compile(r"\d")


def find_charts(page: PagePrimitives, lines: Sequence[Line], tables: Sequence[TableRegion]) -> list[FigureRegion]:
    """Return the charts of a page that are drawn as paths, top to bottom.

    Args:
        page: words, shapes and rasters.
        lines: its text lines.
        tables: what was taken for tables. A table that a chart's marks lie in is part of the chart's labels; the
            caller drops tables that a chart covers.
    """
    marks = find_marks(page)
    if not marks:
        return []
    prose = prose_lines(lines)
    marks = [mark for mark in marks if not _is_cells(mark, page, lines)]
    if not marks:
        return []
    frames = find_frames(page, lines, prose)
    seeds = _seeds(page, marks, frames, lines)
    blocked = [table.box for table in tables if not any(_holds_marks(table.box, seed) for seed in seeds)]
    for seed in seeds:
        seed.box = _with_shapes(page, seed, seeds, blocked)
    blocked = [table.box for table in tables if not _is_labels(table, seeds)]
    for reach in (0.5, 1.0, 1.0):  # what is near goes to each chart before any chart reaches further
        for seed in seeds:
            _grow_over_text(page, seed, seeds, lines, prose, blocked, reach)
        for seed in seeds:
            seed.box = _with_shapes(page, seed, seeds, blocked)
            seed.box = with_title_rule(page, seed, lines)
        _level_panels(seeds)
    add_legends(page, seeds, lines, blocked)
    for seed in seeds:
        add_title(page, seed, seeds, lines, prose, blocked)
    for seed in seeds:
        fill_frame(seed, frames)
    found = []
    for seed in _without_nested(seeds):
        if _is_chart(seed, lines, prose, page):
            found.append(FigureRegion(seed.box, "chart", "vector"))
    found.sort(key=lambda region: (region.box.y0, region.box.x0))
    return found


def _is_cells(mark: Mark, page: PagePrimitives, lines: Sequence[Line]) -> bool:
    """Tell shaded cells and text boxes: most of the rectangles hold words, not just a number."""
    if mark.kind not in ("bars", "series"):
        return False
    worded = 0
    for index in mark.shapes:
        shape = page.shapes[index]
        letters = 0
        for line in lines:
            if line.y0 < shape[3] and line.y1 > shape[1] and line.x0 < shape[2] and line.x1 > shape[0]:
                middle = (line.y0 + line.y1) / 2
                if shape[1] <= middle <= shape[3] and line.x0 >= shape[0] - 1 and line.x1 <= shape[2] + 1:
                    letters += sum(1 for character in line.text if character.isalpha())
        if letters > (6 if mark.kind == "bars" else 200):
            worded += 1
    return worded > 0.3 * len(mark.shapes)


# ----------------------------------------------------------------------------------------------------------- seeds


def _seeds(
    page: PagePrimitives, marks: Sequence[Mark], frames: Sequence[tuple[Box, bool]], lines: Sequence[Line]
) -> list[Seed]:
    """Put marks together that overlap, stand on one axis, or stand in one white chart area."""
    parent = list(range(len(marks)))

    def find(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    axes = [
        Box(*shape[0:4])
        for shape in page.shapes
        if (shape[3] - shape[1] <= THIN + 1.5) != (shape[2] - shape[0] <= THIN + 1.5)
    ]
    white = [frame for frame, seen in frames if not seen]
    for i, first in enumerate(marks):
        for j in range(i + 1, len(marks)):
            second = marks[j]
            if find(i) == find(j):
                continue
            homes = [home_of(mark.box, white) for mark in (first, second)]
            if homes[0] is not None and homes[1] is not None and homes[0].iou(homes[1]) < 0.1:
                continue
            together = first.box.grown(4.0).overlap(second.box) > 0
            if not together:
                together = any(_stands_on(first.box, axis) and _stands_on(second.box, axis) for axis in axes)
            if not together:
                both = Box.around((first.box, second.box))
                together = any(
                    frame.covers(first.box) > 0.95 and frame.covers(second.box) > 0.95 and frame.area < 6 * both.area
                    for frame in white
                )
            if together or _same_axes(first, second, lines):
                parent[find(j)] = find(i)
    groups: dict[int, list[Mark]] = {}
    for index, mark in enumerate(marks):
        groups.setdefault(find(index), []).append(mark)
    seeds = []
    for group in groups.values():
        box = Box.around(mark.box for mark in group)
        seeds.append(Seed(group, box, box))
    for seed in seeds:
        seed.frame = frame_of(seed.box, frames, [other.box for other in seeds if other is not seed])
        inside = sorted(line.size for line in lines if seed.box.covers(line.box) > 0.5)
        seed.label_size = inside[len(inside) // 2] if inside else 0.0
        seed.ceiling = seed.box.y0
    seeds.sort(key=lambda seed: (seed.box.y0, seed.box.x0))
    return seeds


def _same_axes(first: Mark, second: Mark, lines: Sequence[Line]) -> bool:
    """Tell whether two drawn series span the same width, one over the other, with no row of labels between."""
    if first.kind != "line" or second.kind != "line":
        return False
    upper, lower = sorted((first.box, second.box), key=lambda box: box.y0)
    if abs(upper.x0 - lower.x0) > 6.0 or abs(upper.x1 - lower.x1) > 6.0 or lower.y0 - upper.y1 > 0.6 * upper.width:
        return False
    between = Box(upper.x0, upper.y1, upper.x1, lower.y0)
    return sum(len(line.words) for line in lines if between.covers(line.box) > 0.6) < 4


def _stands_on(box: Box, axis: Box) -> bool:
    """Tell whether a thin line lies along one side of a box (within 3 points) for most of that side."""
    if axis.width > axis.height:
        along = min(box.x1, axis.x1) - max(box.x0, axis.x0)
        return along > 0.8 * box.width and min(abs(axis.y0 - box.y1), abs(axis.y1 - box.y0)) <= 3.0
    along = min(box.y1, axis.y1) - max(box.y0, axis.y0)
    return along > 0.8 * box.height and min(abs(axis.x0 - box.x1), abs(axis.x1 - box.x0)) <= 3.0


def _holds_marks(table: Box, seed: Seed) -> bool:
    return any(table.overlap(mark.box) > 0.5 * mark.box.area for mark in seed.marks)


def _is_labels(table: TableRegion, seeds: Sequence[Seed]) -> bool:
    """Tell a table that is made of a chart's labels: it lies over marks, or is a row or two right beside them."""
    over = sum(table.box.overlap(seed.box) for seed in seeds)
    if over > 0.15 * table.box.area or any(_holds_marks(table.box, seed) for seed in seeds):
        return True
    return len(table.rows) <= 2 and any(distance(table.box, seed.box) < 15.0 for seed in seeds)


def _with_shapes(page: PagePrimitives, seed: Seed, seeds: Sequence[Seed], blocked: Sequence[Box]) -> Box:
    """Grow over axes, grid lines, ticks, markers and other paths that touch the marks or lie within them."""
    box = seed.box
    others = [other.core for other in seeds if other is not seed]
    limit_width = max(1.5 * seed.core.width, seed.core.width + 60)
    limit_height = max(1.5 * seed.core.height, seed.core.height + 60)
    grounds = backgrounds(page)
    for _ in range(3):
        before = box
        near = box.grown(6.0)
        for shape in page.shapes:
            if shape[0] > near.x1 or shape[2] < near.x0 or shape[1] > near.y1 or shape[3] < near.y0:
                continue
            if is_unseen(shape, grounds):
                continue
            w, h = shape[2] - shape[0], shape[3] - shape[1]
            if w > limit_width or h > limit_height:
                continue
            grown = Box.around((box, shape.box))
            if any(grown.overlap(other) > 0.02 * other.area and not box.overlap(other) for other in others):
                continue
            if any(grown.overlap(other) > 0 and not box.overlap(other) for other in blocked):
                continue
            box = grown
        if box == before:
            break
    if seed.frame is not None:
        frame = seed.frame
        box = Box(
            max(box.x0, min(frame.x0, seed.core.x0)),
            max(box.y0, min(frame.y0, seed.core.y0)),
            min(box.x1, max(frame.x1, seed.core.x1)),
            min(box.y1, max(frame.y1, seed.core.y1)),
        )
    return box


# ---------------------------------------------------------------------------------------------------------- growth


def _grow_over_text(
    page: PagePrimitives,
    seed: Seed,
    seeds: Sequence[Seed],
    lines: Sequence[Line],
    prose: Sequence[bool],
    blocked: Sequence[Box],
    reach: float,
) -> None:
    others = [other.box for other in seeds if other is not seed]
    candidates = []
    for index, line in enumerate(lines):
        box = line.box
        if any(other.covers(box) > 0.5 for other in blocked):
            continue
        inside = seed.box.covers(box) > 0.5
        if not inside:
            if numbered_caption(line.text) or is_source_note(line.text) or (prose[index] and not line.bold):
                continue
            own = distance(seed.box, box)
            middle = (box.x0 + box.x1) / 2
            if seed.core.x0 - 6 <= middle <= seed.core.x1 + 6:  # over or under it: panels beside it have no claim
                rivals = [other for other in others if other.x0 <= middle <= other.x1]
            else:
                rivals = others
            if own > 150 or any(distance(rival, box) < own for rival in rivals):
                continue
            if (
                not _DIGIT.search(line.text)
                and box.y0 > seed.core.y1
                and any(0.0 < rival.y0 - box.y1 < 4.0 * line.size for rival in rivals)
            ):
                continue  # the title of the chart below
            if seed.frame is not None and seed.frame.grown(2.0).covers(box) < 0.7:
                continue
        candidates.append(index)
    rules = [
        shape
        for shape in page.shapes
        if shape[3] - shape[1] <= THIN + 0.5 and shape[2] - shape[0] > 1.35 * seed.box.width
    ]
    rows: dict[int, list[Line]] = {}  # labels that stand in one row under the chart
    for index in candidates:
        line = lines[index]
        if line.x0 >= seed.core.x0 - 0.1 * seed.core.width and line.x1 <= seed.core.x1 + 0.1 * seed.core.width:
            rows.setdefault(line.row, []).append(line)
    taken: set[int] = set()
    for _ in range(6):
        before = seed.box
        for index in candidates:
            if index in taken:
                continue
            line = lines[index]
            if not _belongs(seed, line, prose[index], reach, rows.get(line.row, [])):
                continue
            if _rule_between(rules, seed.box, line):
                continue
            grown = Box.around((seed.box, line.box))
            if any(grown.overlap(other) > 0 and not seed.box.overlap(other) for other in (*others, *blocked)):
                continue
            taken.add(index)
            seed.box = grown
        if seed.box == before:
            break
    seed.lines = sorted(taken)


def _level_panels(seeds: Sequence[Seed]) -> None:
    """Let panels that stand on one level reach up as far as the highest of them: titles stand in one row."""
    for seed in seeds:
        mates = [
            other.box.y0
            for other in seeds
            if abs(other.core.y1 - seed.core.y1) < 6.0 and other.core.overlap(seed.core) == 0.0
        ]
        seed.ceiling = min(mates, default=seed.box.y0)


def _belongs(seed: Seed, line: Line, running: bool, reach: float, row: Sequence[Line]) -> bool:
    """Tell whether a line is a label, a legend or a title of the chart, by where it stands.

    Args:
        seed: the chart as grown so far.
        line: the line.
        running: whether it is running text.
        reach: how far the chart reaches now, 1 for all the way.
        row: the lines of its row within the chart's width; category labels come in rows.
    """
    box, core = seed.box, seed.core
    text = line.box
    if box.covers(text) > 0.5:
        return True
    if seed.frame is not None and seed.frame.area < 5 * core.area and seed.frame.grown(2).covers(text) > 0.9:
        return not running or line.bold
    size = line.size
    above, below = box.y0 - text.y1, text.y0 - box.y1
    beside = max(text.x0 - box.x1, box.x0 - text.x1)
    slack = 0.12 * core.width + 12
    within = text.x0 >= box.x0 - slack and text.x1 <= box.x1 + slack
    legend = is_legend(line)
    if below > -0.5 * size and within:
        if running or (seed.label_size and size > 1.3 * seed.label_size):
            return False
        in_row = sum(len(other.words) if _DIGIT.search(other.text) else 1 for other in row)
        whole = Box.around([text, *(other.box for other in row)])
        off_centre = abs(whole.x0 + whole.x1 - core.x0 - core.x1) / 2
        if not legend and off_centre > 0.2 * core.width and below > 0:
            return False  # a note or a heading under the chart, not category labels or an axis title
        far = 3.6 if in_row >= 3 or legend else 1.7
        return below <= far * size * reach and text.y1 <= core.y1 + max(70.0, 0.5 * core.height)
    if above > -0.5 * size and within:
        if running and not line.bold:
            return False
        if seed.label_size and size > 1.3 * seed.label_size and not _is_centred(text, core):
            return False  # a heading; titles are looked for when the chart has grown
        if text.y0 >= seed.ceiling - 2.0 and seed.ceiling < core.y0 - 20.0:
            return True
        # an axis' unit stands at the axis' end, which values printed over the marks may push far from the ink
        far = 10.0 * size + 0.5 * core.height if legend else (3.0 if is_unit_note(line.text) else 1.8) * size
        return above <= far * reach and text.y0 >= core.y0 - max(120.0, 1.0 * core.height)
    if beside > -0.5 * size and text.y0 >= box.y0 - size and text.y1 <= box.y1 + size:
        far = 5.0 * size if seed.marks[0].kind == "wedges" else 3.0 * size
        widest = 0.7 * core.width + 20
        return not running and beside <= far * reach and line.x1 - line.x0 <= widest
    return False


def _is_centred(text: Box, core: Box) -> bool:
    return abs(text.x0 + text.x1 - core.x0 - core.x1) < 0.24 * core.width


def _rule_between(rules: Sequence[Shape], box: Box, line: Line) -> bool:
    for rule in rules:
        if rule[2] < line.x0 or rule[0] > line.x1:
            continue
        if line.y1 <= rule[3] + 1 and rule[1] <= box.y0 + 1:
            return True
        if line.y0 >= rule[1] - 1 and rule[3] >= box.y1 - 1:
            return True
    return False


# ---------------------------------------------------------------------------------------------------------- checks


def _without_nested(seeds: Sequence[Seed]) -> list[Seed]:
    """Join seeds of which one lies mostly in the other."""
    kept: list[Seed] = []
    for seed in sorted(seeds, key=lambda seed: -seed.box.area):
        for larger in kept:
            if larger.box.covers(seed.box) > 0.6:
                larger.box = Box.around((larger.box, seed.box))
                larger.marks += seed.marks
                larger.lines += seed.lines
                break
        else:
            kept.append(seed)
    return kept


def _is_chart(seed: Seed, lines: Sequence[Line], prose: Sequence[bool], page: PagePrimitives) -> bool:
    """Tell a chart from decoration: it is large enough, has numbers beside its marks, and holds no running text."""
    box = seed.box
    if box.width < 50 or box.height < 40:
        return False
    numbers = labels = running = 0
    for index, line in enumerate(lines):
        if box.covers(line.box) < 0.6:
            continue
        if prose[index] and not line.bold:
            running += 1
        if _DIGIT.search(line.text):
            numbers += sum(1 for word in line.words if _DIGIT.search(word.text))
        labels += 1
    strongest = {mark.kind for mark in seed.marks}
    if running > 2 and running > 0.25 * labels:
        return False
    colours = set().union(*(mark.colours for mark in seed.marks))
    if strongest <= {"line"} and numbers < 3:
        return len(colours) >= 2 and labels >= 5
    return numbers >= 2 and labels >= 3
