"""Rows of a page as the table finder sees them: value cells, text cells, and stacks of prose that part columns."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from finlmm_parsers.layout.rules import Band
from finlmm_parsers.layout.types import Line
from finlmm_parsers.layout.values import Value, has_leader, part_lines, row_values

# A line of prose is at least this many em wide; table labels and headings are mostly narrower.
_PROSE_EM = 15.0
_VALUE_START = frozenset("0123456789$€£¥(-–—−.+")


@dataclass
class Row:
    """One printed row, or the part of it that lies between two columns of prose."""

    index: int
    y0: float
    y1: float
    size: float
    values: list[Value]
    texts: list[Line]
    x0: float = 0.0
    x1: float = 0.0
    years: bool = False  # nothing but periods: a heading row
    lines: list[Line] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def is_data(self) -> bool:
        return bool(self.values) and not self.years and (bool(self.texts) or len(self.values) > 1)


def group_rows(lines: list[Line]) -> list[list[Line]]:
    """Return the lines of each printed row, top to bottom."""
    rows: list[list[Line]] = []
    last = -1
    for line in lines:
        if line.row != last:
            rows.append([])
            last = line.row
        rows[-1].append(line)
    return rows


def prose_lines(rows: list[list[Line]]) -> dict[int, float]:
    """Return the lines (by id) of running text, three or more stacked lines that fill a column, and its right edge.

    The edge is infinite where the lines are rather the labels of a table.
    """
    before_value: set[int] = set()
    open_stacks: list[list[Line]] = []
    prose: dict[int, float] = {}

    def close(stack: list[Line]) -> None:
        if len(stack) < 3:
            return
        widest = max(line.x1 - line.x0 for line in stack)
        full = sum(1 for line in stack[:-1] if line.x1 - line.x0 > 0.8 * widest)
        if full >= 0.75 * (len(stack) - 1):
            # labels beside values look like prose as well: most of their rows go on with a value
            beside = 2 * sum(1 for line in stack if id(line) in before_value) >= len(stack)
            right = 1e9 if beside else max(line.x1 for line in stack)
            prose.update((id(line), right) for line in stack)

    for row in rows:
        last_place = len(row) - 1
        for place, line in enumerate(row):
            if place < last_place and row[place + 1].text[0] in _VALUE_START:
                before_value.add(id(line))
            size, x0, y0 = line.size, line.x0, line.y0
            width = line.x1 - x0
            if width < 3 * size or has_leader(line.text):
                continue
            for stack in open_stacks:
                last = stack[-1]
                if (
                    abs(x0 - last.x0) < (2.5 * size if len(stack) == 1 else 2.0)
                    and y0 - last.y1 < 1.0 * size
                    and y0 > last.y0
                    and abs(last.size - size) < 0.6
                ):
                    stack.append(line)
                    break
            else:
                if width > _PROSE_EM * size:
                    open_stacks.append([line])
        if open_stacks and row:
            top = row[0].y0
            still = []
            for stack in open_stacks:
                if top - stack[-1].y1 > 1.5 * stack[-1].size:
                    close(stack)
                else:
                    still.append(stack)
            open_stacks = still
    for stack in open_stacks:
        close(stack)
    return prose


def make_rows(lines: list[Line], bands: list[Band]) -> list[Row]:
    """Return the rows of a page, each parted where a column of prose stands between its cells.

    A value that stands alone beside prose keeps the prose as its label: row labels of several lines look like prose.
    Values that are set lower than their label (cells aligned to the bottom of a shaded row) are put to it.
    """
    printed = group_rows(lines)
    prose = prose_lines(printed)
    rows: list[Row] = []
    for index, row in enumerate(printed):
        if len(row) == 1:
            rows.append(_row(index, row))
            continue
        if not any(id(line) in prose for line in row):
            rows.extend(_row(index, part) for part in _by_size(row))
            continue
        part: list[Line] = []
        parts: list[list[Line]] = [part]
        for line in row:
            if id(line) in prose:
                parts += [[line], []]
            else:
                parts[-1].append(line)
        kept: list[Row] = [_row(index, p) for p in parts if p]
        merged: list[Row] = []
        for piece in kept:
            before = merged[-1] if merged else None
            if (
                before is not None
                and before.texts
                and not before.values
                and id(before.texts[-1]) in prose
                and piece.values
                and not piece.texts
                and piece.x0 - prose[id(before.texts[-1])] < 6 * piece.size
            ):
                merged[-1] = _row(index, before.lines + piece.lines)
            else:
                merged.append(piece)
        rows.extend(merged)
    return _settle(rows, bands)


def _by_size(row: list[Line]) -> list[list[Line]]:
    """Part a row where the print changes to a much smaller or larger size over a gap: a chart beside a table."""
    parts = [[row[0]]]
    for before, line in itertools.pairwise(row):
        low, high = sorted((before.size, line.size))
        if low < 0.7 * high and line.x0 - before.x1 > 1.5 * high:
            parts.append([line])
        else:
            parts[-1].append(line)
    return parts


def _settle(rows: list[Row], bands: list[Band]) -> list[Row]:
    """Join a row of values to the row of labels right above it when both stand in one band or overlap."""
    settled: list[Row] = []
    for row in rows:
        above = settled[-1] if settled else None
        if (
            above is not None
            and row.values
            and not row.texts
            and not row.years
            and (above.texts or above.years)
            and (above.years or not above.values)
            and row.index == above.index + 1
            and above.x1 < row.x0
            and (above.y1 > row.y0 + 0.12 * row.size or _in_one_band(above, row, bands))
        ):
            merged = _row(row.index, [*above.lines, *row.lines])
            if above.years:  # a label that ends in a period ("... in", "Q1 2014")
                merged.texts = above.lines
                merged.values = row.values
                merged.years = False
            settled[-1] = merged
            continue
        settled.append(row)
    return settled


def _in_one_band(above: Row, row: Row, bands: list[Band]) -> bool:
    return any(
        band.y0 < above.middle and band.y1 > row.middle and band.x0 <= above.x0 + 2 and band.x1 > above.x1
        for band in bands
        if band.y1 - band.y0 < 8 * row.size
    )


def _row(index: int, lines: list[Line]) -> Row:
    first = lines[0]
    if len(lines) == 1:
        if has_leader(first.text):
            lines = part_lines(lines)
        elif first.text[0].isalpha() and len(first.words) > 3:  # a line of prose, most of all rows
            return Row(index, first.y0, first.y1, first.size, [], lines, first.x0, first.x1, False, lines)
    else:
        lines = part_lines(lines)
    values, texts = row_values(lines)
    if len(lines) == 1:
        years = bool(values) and all(v.year for v in values)
        return Row(index, first.y0, first.y1, first.size, values, texts, first.x0, first.x1, years, lines)
    return Row(
        index=index,
        y0=min([line.y0 for line in lines]),
        y1=max([line.y1 for line in lines]),
        size=max([line.size for line in lines]),
        values=values,
        texts=texts,
        x0=first.x0,
        x1=max([line.x1 for line in lines]),
        years=bool(values) and all(v.year for v in values),
        lines=lines,
    )


def part_row(row: Row, x: float) -> list[Row]:
    """Return the row parted at x, or the row alone where a line crosses x."""
    left = [line for line in row.lines if line.x1 <= x]
    right = [line for line in row.lines if line.x0 >= x]
    if not left or not right or len(left) + len(right) < len(row.lines):
        return [row]
    return [_row(row.index, left), _row(row.index, right)]
