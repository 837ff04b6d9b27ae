"""Tables of synthetic reports: five ways of drawing them, and their truth."""

from __future__ import annotations

from collections.abc import Sequence

from finlmm_core.domain import Box
from finlmm_core.synth.fonts import text_width
from finlmm_core.synth.sheet import Color, Sheet, is_cjk
from finlmm_core.synth.table_plan import Cell, TablePlan
from finlmm_core.synth.truth import TruthTable


def draw_table(plan: TablePlan, sheet: Sheet, x: float, y: float) -> tuple[Box, TruthTable]:
    """Draw the table with its top left corner at (x, y); return its ink and its truth."""
    spec, look = plan.spec, plan.look
    size, family = look.size, look.family
    ink: list[Box] = []
    count = len(plan.columns)
    right_edges = []
    at = x + plan.stub
    for column in plan.columns:
        at += look.gap + column
        right_edges.append(at)
    hang = text_width(")", family.regular, size) if look.style == "filing" else 0.0
    inset = 3.0 if look.style in ("ruled", "shaded", "banded") else 0.0
    head_height = sum(plan.head_heights)
    head_color: Color = (1, 1, 1) if look.style == "shaded" else look.accent if look.style == "open" else (0, 0, 0)
    if look.style == "shaded":
        ink.append(sheet.rect(Box(x, y, x + plan.width, y + head_height), fill=look.accent))
    if look.style == "banded":
        ink.append(sheet.rect(Box(x, y, x + plan.width, y + head_height), fill=look.tint))
    if look.style == "open":
        ink.append(sheet.line(x, y, x + plan.width, y, look.accent, 1.2))
    header_parts: list[list[str]] = [[] for _ in range(count)]
    header_boxes: list[list[Box]] = [[] for _ in range(count)]
    top = y
    for level, lines_of_level, height in zip(spec.levels, plan.head_lines, plan.head_heights, strict=True):
        first = 0
        for heading, lines in zip(level, lines_of_level, strict=True):
            final = first + heading.span - 1
            left = right_edges[first] - plan.columns[first]
            boxes = []
            baseline = top + height - size * 0.5 - (len(lines) - 1) * size * 1.2
            for line in lines:
                words = first in spec.text_columns
                if heading.span > 1:
                    middle = (left + right_edges[final]) / 2
                    box = sheet.text(middle, baseline, line, family.bold, size, head_color, "center")
                elif words:
                    box = sheet.text(left, baseline, line, family.bold, size, head_color)
                else:
                    edge = right_edges[final] - hang - inset
                    box = sheet.text(edge, baseline, line, family.bold, size, head_color, "right")
                boxes.append(box)
                baseline += size * 1.2
            ink.extend(boxes)
            if lines and look.style in ("filing", "open") and (heading.span > 1 or look.style == "filing"):
                ink.append(
                    sheet.line(left, top + height - 1, right_edges[final] - hang * 0, top + height - 1, head_color, 0.6)
                )
            for column in range(first, final + 1):
                if lines:
                    header_parts[column].append(" ".join(lines) if not is_cjk(lines[0][-1]) else "".join(lines))
                    header_boxes[column].extend(boxes)
            first = final + 1
        top += height
    stub_head_boxes = []
    baseline = y + head_height - size * 0.5 - (len(plan.stub_head_lines) - 1) * size * 1.2
    for line in plan.stub_head_lines:
        stub_head_boxes.append(sheet.text(x + inset, baseline, line, family.regular, size, head_color))
        baseline += size * 1.2
    ink.extend(stub_head_boxes)
    if look.style == "open":
        ink.append(sheet.line(x, top, x + plan.width, top, look.accent, 0.7))
    rows, cell_boxes, groups, bounds = _draw_body(plan, sheet, x, top, right_edges, hang, inset, ink)
    bottom = bounds[-1]
    if look.style == "ruled":
        _draw_grid(plan, sheet, x, y, [*_head_bounds(plan, y), *bounds[1:]], right_edges, bottom, ink)
    if look.style in ("open", "banded"):
        ink.append(
            sheet.line(x, bottom, x + plan.width, bottom, look.accent if look.style == "open" else (0, 0, 0), 1.0)
        )
    stub_text = "".join(plan.stub_head_lines) if any(map(is_cjk, spec.stub_head)) else " ".join(plan.stub_head_lines)
    truth = TruthTable(
        header=(stub_text, *(" ".join(parts) for parts in header_parts)),
        rows=tuple(rows),
        header_boxes=(
            Box.around(stub_head_boxes).rounded() if stub_head_boxes else None,
            *(Box.around(boxes).rounded() if boxes else None for boxes in header_boxes),
        ),
        cell_boxes=tuple(cell_boxes),
        row_groups=tuple(groups),
        unit=spec.unit,
        scale=spec.scale,
        currency=spec.currency,
        currency_printed=spec.currency_printed,
    )
    return Box.around(ink).rounded(), truth


def _draw_body(
    plan: TablePlan,
    sheet: Sheet,
    x: float,
    top: float,
    right_edges: Sequence[float],
    hang: float,
    inset: float,
    ink: list[Box],
) -> tuple[list[tuple[str, ...]], list[tuple[Box | None, ...]], list[str], list[float]]:
    spec, look = plan.spec, plan.look
    size, family = look.size, look.family
    rows: list[tuple[str, ...]] = []
    cell_boxes: list[tuple[Box | None, ...]] = []
    groups: list[str] = []
    bounds = [top]
    group, stripe = "", False
    for row, lines, height in zip(spec.rows, plan.stub_lines, plan.row_heights, strict=True):
        font = family.regular if row.kind == "data" else family.bold
        if look.style in ("shaded", "banded") and row.kind != "section" and stripe:
            ink.append(sheet.rect(Box(x, top, x + plan.width, top + height), fill=look.tint))
        if look.style == "filing" and look.tint[2] < 0.999 and stripe:
            ink.append(sheet.rect(Box(x, top, x + plan.width, top + height), fill=look.tint))
        stripe = not stripe
        baseline = top + height - size * 0.48
        line_at = baseline - (len(lines) - 1) * size * 1.15
        label_boxes = []
        for line in lines:
            if line:
                box = sheet.text(x + inset + row.indent * size * 0.9, line_at, line, font, size)
                label_boxes.append(box)
            line_at += size * 1.15
        ink.extend(label_boxes)
        label = "".join(lines) if any(map(is_cjk, row.label)) else " ".join(lines)
        if row.kind == "section":
            group = label
        else:
            boxes: list[Box | None] = [Box.around(label_boxes).rounded() if label_boxes else None]
            for column, cell in enumerate(row.cells):
                boxes.append(_draw_cell(plan, sheet, column, cell, font, baseline, right_edges, hang, inset, ink))
            if look.leaders and label_boxes and row.cells:
                _draw_leaders(plan, sheet, label_boxes[-1].x1, right_edges[0] - plan.columns[0], baseline, ink)
            if row.kind == "total" and look.style in ("filing", "open"):
                for column, cell in enumerate(row.cells):
                    if cell.text:
                        left = right_edges[column] - plan.columns[column]
                        ink.append(sheet.line(left, top + 1, right_edges[column] - hang, top + 1, line_width=0.6))
            rows.append((label, *(cell.printed for cell in row.cells)))
            cell_boxes.append(tuple(boxes))
            if row.kind == "total":
                group = ""  # the total closes its section and stands level with its heading
            groups.append(group)
        top += height
        bounds.append(top)
    if look.style == "filing" and spec.rows[-1].kind == "total":
        for column in range(len(plan.columns)):
            left = right_edges[column] - plan.columns[column]
            for offset in (0.4, 2.0):
                ink.append(sheet.line(left, top + offset, right_edges[column] - hang, top + offset, line_width=0.5))
    return rows, cell_boxes, groups, bounds


def _draw_cell(
    plan: TablePlan,
    sheet: Sheet,
    column: int,
    cell: Cell,
    font: str,
    baseline: float,
    right_edges: Sequence[float],
    hang: float,
    inset: float,
    ink: list[Box],
) -> Box | None:
    size = plan.look.size
    boxes = []
    left = right_edges[column] - plan.columns[column]
    if cell.sign:
        boxes.append(sheet.text(left, baseline, cell.sign, font, size))
    if cell.text:
        if column in plan.spec.text_columns:
            boxes.append(sheet.text(left, baseline, cell.text, font, size))
        else:
            # In filings the closing bracket hangs out, so that digits stand below digits.
            edge = right_edges[column] - inset - (0.0 if cell.text.endswith(")") else hang)
            boxes.append(sheet.text(edge, baseline, cell.text, font, size, align="right"))
    ink.extend(boxes)
    return Box.around(boxes).rounded() if boxes else None


def _draw_leaders(plan: TablePlan, sheet: Sheet, start: float, end: float, baseline: float, ink: list[Box]) -> None:
    size, font = plan.look.size, plan.look.family.regular
    dot = text_width(".", font, size)
    room = end - start - 8
    if room > dot * 4:
        ink.append(sheet.text(end - 4, baseline, "." * int(room / dot), font, size, align="right"))


def _head_bounds(plan: TablePlan, y: float) -> list[float]:
    bounds = [y]
    for height in plan.head_heights:
        bounds.append(bounds[-1] + height)
    return bounds


def _draw_grid(
    plan: TablePlan,
    sheet: Sheet,
    x: float,
    y: float,
    bounds: Sequence[float],
    right_edges: Sequence[float],
    bottom: float,
    ink: list[Box],
) -> None:
    gray: Color = (0.45, 0.45, 0.45)
    deep = len(plan.head_heights)
    for index, at in enumerate(bounds):
        # The stub's heading is one cell over all heading rows.
        left = x if index == 0 or index >= deep else x + plan.stub + plan.look.gap / 2
        ink.append(sheet.line(left, at, x + plan.width, at, gray, 0.5))
    ink.append(sheet.line(x, y, x, bottom, gray, 0.5))
    ink.append(sheet.line(x + plan.width, y, x + plan.width, bottom, gray, 0.5))
    ends = set()
    heads = _head_bounds(plan, y)
    for column in range(len(plan.columns)):
        left = right_edges[column] - plan.columns[column] - plan.look.gap / 2
        start = heads[-1]
        for level in range(len(plan.spec.levels) - 1, -1, -1):
            at = 0
            begins = set()
            for heading in plan.spec.levels[level]:
                begins.add(at)
                at += heading.span
            if column not in begins:
                break
            start = heads[level]
        ends.add((left, start))
    for left, start in sorted(ends):
        ink.append(sheet.line(left, start, left, bottom, gray, 0.5))
