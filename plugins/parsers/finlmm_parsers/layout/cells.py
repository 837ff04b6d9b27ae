"""Reading the cells of a table that has been found: columns, rows, labels of several lines, section labels."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from finlmm_core.domain import Box
from finlmm_parsers.layout.headings import read_headings
from finlmm_parsers.layout.labels import Label, attach, is_total, number_segments
from finlmm_parsers.layout.rows import Row
from finlmm_parsers.layout.rules import Ruling
from finlmm_parsers.layout.text import join_lines, join_words
from finlmm_parsers.layout.types import Column, Line, TableRegion
from finlmm_parsers.layout.values import Value
from finlmm_parsers.primitives import Word

_left = attrgetter("x0")


@dataclass
class Cell:
    """A cell while it is being put together."""

    text: str
    box: Box


def read_cells(box: Box, head: list[Row], body: list[Row], ruling: Ruling) -> TableRegion | None:
    """Return the table with its cells, or None where fewer than two columns are left."""
    columns = find_columns(body)
    if len(columns) < 2:
        return None
    header, header_boxes = read_headings(head, columns, ruling)
    grid = [_read_row(row, columns) for row in body]
    rows, groups = _merge_labels(body, grid, columns, ruling)
    if not rows:
        return None
    return TableRegion(
        box=box,
        header=header,
        rows=tuple(tuple(cell.text if cell else "" for cell in row) for row in rows),
        cell_boxes=tuple(tuple(cell.box.rounded() if cell else None for cell in row) for row in rows),
        header_boxes=header_boxes,
        row_groups=tuple(groups),
    )


def find_columns(body: list[Row]) -> list[Column]:
    """Return the columns of a table's body, left to right; the first is the stub, made up where there is none."""
    value_columns = _value_columns(body)
    if not value_columns:
        return []
    texts = [(line, row) for row in body for line in row.texts if row.values]
    first = value_columns[0]
    stub: list[Line] = []
    others: list[Line] = []
    for line, _ in texts:
        middle = (line.x0 + line.x1) / 2
        if middle < first.x0 and line.x1 - first.x0 < 0.3 * (line.x1 - line.x0):
            stub.append(line)
        elif line.x0 < first.x1 and line.x1 > first.x0:
            first.x0, first.x1 = min(first.x0, line.x0), max(first.x1, line.x1)
        elif not any(line.x0 < c.x1 and line.x1 > c.x0 for c in value_columns):
            others.append(line)
    columns = [*_text_columns(stub), *value_columns, *_text_columns(others)]
    columns.sort(key=lambda c: c.x0)
    if not stub and not columns[0].text:
        if _is_label_column(body, columns[0]):
            columns[0].text = True
        else:
            columns.insert(0, Column(columns[0].x0 - 2, columns[0].x0 - 1, text=True))
    return columns


def _is_label_column(body: list[Row], column: Column) -> bool:
    """Tell whether the first value column holds labels: years, or numbers that count the rows."""
    inside = [v for row in body for v in row.values if v.x1 > column.x0 and v.x0 < column.x1]
    return bool(inside) and sum(1 for v in inside if v.year) >= 0.6 * len(inside)


def _value_columns(body: list[Row]) -> list[Column]:
    data = [row for row in body if row.values and not row.years]
    if not data:
        return []
    most = max(len(row.values) for row in data)
    columns = [Column(v.x0, v.x1) for v in next(row for row in data if len(row.values) == most).values]
    for row in data:
        for value in row.values:
            best, score = None, 0.0
            for column in columns:
                shared = min(value.x1, column.x1) - max(value.x0, column.x0)
                if shared > score:
                    best, score = column, shared
            if best is None:
                columns.append(Column(value.x0, value.x1))
            else:
                best.x0, best.x1 = min(best.x0, value.x0), max(best.x1, value.x1)
    columns.sort(key=lambda c: c.x0 + c.x1)
    return _part(columns, data)


def _part(columns: list[Column], data: list[Row]) -> list[Column]:
    """Merge columns that overlap and never hold two values of one row."""
    merged: list[Column] = []
    for column in columns:
        last = merged[-1] if merged else None
        if last is not None and column.x0 < last.x1 - 1:
            clash = False
            for row in data:
                a = sum(1 for v in row.values if _home(v, last, column) is last)
                b = sum(1 for v in row.values if _home(v, last, column) is column)
                if a and b:
                    clash = True
                    break
            if not clash:
                last.x0, last.x1 = min(last.x0, column.x0), max(last.x1, column.x1)
                continue
            middle = (last.x1 + column.x0) / 2
            last.x1, column.x0 = min(last.x1, middle), max(column.x0, middle)
        merged.append(column)
    return merged


def _home(value: Value, left: Column, right: Column) -> Column | None:
    if value.x1 < left.x0 or value.x0 > right.x1:
        return None
    return left if abs(value.x1 - left.x1) <= abs(value.x1 - right.x1) else right


def _text_columns(lines: list[Line]) -> list[Column]:
    """Return columns of text cells: the intervals that the lines cover together."""
    columns: list[Column] = []
    for line in sorted(lines, key=lambda item: item.x0):
        if columns and line.x0 < columns[-1].x1 + 2:
            columns[-1].x1 = max(columns[-1].x1, line.x1)
        else:
            columns.append(Column(line.x0, line.x1, text=True))
    return columns


def column_of(x0: float, x1: float, columns: list[Column]) -> int:
    """Return the index of the column that an extent lies in: the most overlap, else the nearest."""
    best, score = 0, -1e9
    for index, column in enumerate(columns):
        left, right = column.x0, column.x1
        shared = (x1 if x1 < right else right) - (x0 if x0 > left else left)
        if shared > score:
            best, score = index, shared
    return best


def _read_row(row: Row, columns: list[Column]) -> list[list[Word]]:
    cells: list[list[Word]] = [[] for _ in columns]
    for value in row.values:
        cells[column_of(value.x0, value.x1, columns)].extend(value.words)
    for line in row.texts:
        if not row.values and line.x0 < columns[0].x1 + 2 * line.size:
            cells[0].extend(line.words)  # a section label may run over the value columns
            continue
        start = column_of(line.x0, line.x0 + 0.1, columns)
        end = column_of(line.x1 - 0.1, line.x1, columns)
        if start == end:
            cells[start].extend(line.words)
            continue
        for word in line.words:
            cells[column_of(word.x0, word.x1, columns)].append(word)
    return cells


def cell_text(words: list[Word]) -> str:
    """Return the words of a cell as text: signs and parentheses that stand alone are put to their number."""
    if len(words) == 1:
        text = words[0].text
    else:
        text = join_words(sorted(words, key=_left)).replace("( ", "(").replace(" )", ")")
    return text.rstrip(" .·…") if "..." in text or "…" in text else text


def _merge_labels(
    body: list[Row], grid: list[list[list[Word]]], columns: list[Column], ruling: Ruling
) -> tuple[list[list[Cell | None]], list[str]]:
    """Return finished rows and the section label of each: rows without values are label lines or section labels."""
    right = max((max(w.x1 for w in cells[0]) for cells in grid if cells[0]), default=columns[0].x1)
    if columns[1].x0 - right > 4 * body[0].size:
        right = columns[1].x0  # there is room to the next column: no label was broken for want of it
    right = min(right, columns[1].x0)
    labels = [
        Label(sorted(cells[0], key=_left), _is_data(row, cells, columns), row.y0, row.y1)
        for row, cells in zip(body, grid, strict=True)
    ]
    shaded = number_segments(labels, ruling.bands, columns[0].x0, columns[0].x1)
    home = attach(labels, right, shaded)
    lines: dict[int, list[int]] = {}
    for index, owner in enumerate(home):
        if owner is not None:
            lines.setdefault(owner, []).append(index)
    rows: list[list[Cell | None]] = []
    groups: list[str] = []
    group, group_indent, child_indent = "", 0.0, 0.0
    section: list[int] = []
    for index in range(len(body)):
        if home[index] is None:
            if any(grid[index][1:]):
                _add_to(rows, grid[index])
            if labels[index].words:
                section.append(index)
            continue
        if home[index] != index:
            continue
        if section:
            begin = len(section) - 1
            while (
                begin
                and labels[section[begin]].y0 - labels[section[begin - 1]].y1 < 0.4 * labels[section[begin]].size
                and labels[section[begin]].x0 <= labels[section[begin - 1]].x0 + 1
                and _wraps(labels[section[begin - 1]], labels[section[begin]], right)
            ):
                begin -= 1
            group = join_lines(cell_text(grid[k][0]) for k in section[begin:])
            group_indent, child_indent = labels[section[begin]].x0, 0.0
            section = []
        own = lines[index]
        made: list[Cell | None] = []
        for column in range(len(columns)):
            filled = [grid[k][column] for k in own if grid[k][column]]
            if len(filled) == 1:
                made.append(Cell(cell_text(filled[0]).strip(), _box(filled[0])))
            elif filled:
                box = Box.around(_box(words) for words in filled)
                made.append(Cell(join_lines(cell_text(words) for words in filled), box))
            else:
                made.append(None)
        ends = False
        if group and made[0] is not None:
            indent = made[0].box.x0
            outside = child_indent > group_indent + 2 and indent <= group_indent + 1
            total = is_total(made[0].text, group, outside) or _ruled_above(made, rows[-1] if rows else None, ruling)
            if not child_indent:
                child_indent = indent
            elif outside and not total:
                group = ""
            ends = total and (outside or child_indent <= group_indent + 2)
        rows.append(made)
        groups.append(group)
        if ends:
            group = ""
    return rows, groups


def _ruled_above(row: list[Cell | None], above: list[Cell | None] | None, ruling: Ruling) -> bool:
    """Tell whether a sum is drawn: a rule right over the value cells of a row, no wider than its columns."""
    last = next((cell for cell in reversed(row) if cell is not None), None)
    if last is None or row[0] is None or last is row[0]:
        return False
    top = last.box.y0
    for rule in ruling.horizontal:
        if rule.y0 > top + 3:
            return False
        if (
            rule.y1 > top - 4
            and rule.x0 > row[0].box.x0 + 20
            and rule.x0 < last.box.x1
            and rule.x1 > last.box.x0
            and (above is None or above[-1] is None or rule.y0 >= above[-1].box.y0 + 3)
        ):
            return True
    return False


def _is_data(row: Row, cells: list[list[Word]], columns: list[Column]) -> bool:
    """Tell whether a printed row begins a table row: it has values, and not only text that goes on from above."""
    if not any(cells[1:]):
        return False
    return bool(row.values) or bool(cells[0])


def _add_to(rows: list[list[Cell | None]], cells: list[list[Word]]) -> None:
    """Put text that goes on in a text column to the row above."""
    if not rows:
        return
    for column, words in enumerate(cells):
        if not words or column == 0:
            continue
        cell = rows[-1][column]
        if cell is None:
            rows[-1][column] = Cell(cell_text(words), _box(words))
        else:
            rows[-1][column] = Cell(join_lines([cell.text, cell_text(words)]), Box.around([cell.box, _box(words)]))


def _wraps(above: Label, below: Label, right: float) -> bool:
    first = below.words[0]
    return first.text[0].islower() or above.x1 + 0.25 * above.size + first.x1 - first.x0 > right


def _box(words: list[Word]) -> Box:
    if len(words) == 1:  # most cells
        return words[0].box
    _, lefts, tops, rights, bottoms, _, _, _ = zip(*words, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))
