"""Reading the cells of a table that has been found: columns, rows, labels of several lines, section labels."""

from __future__ import annotations

from dataclasses import dataclass

from finlmm_core.domain import Box
from finlmm_parsers.layout.headings import read_headings
from finlmm_parsers.layout.rows import Row
from finlmm_parsers.layout.rules import Ruling
from finlmm_parsers.layout.text import is_cjk, join_lines, join_words
from finlmm_parsers.layout.types import Line, TableRegion
from finlmm_parsers.layout.values import Value
from finlmm_parsers.primitives import Word


@dataclass
class Column:
    """Extent of a column's body cells; ``stub`` and text columns are left aligned, value columns mostly right."""

    x0: float
    x1: float
    text: bool = False

    @property
    def middle(self) -> float:
        return (self.x0 + self.x1) / 2


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
        if middle < first.x0:
            stub.append(line)
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
        shared = min(x1, column.x1) - max(x0, column.x0)
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
    words = sorted(words, key=lambda w: w.x0)
    text = join_words(words)
    if len(words) > 1:
        text = text.replace("( ", "(").replace(" )", ")")
    return text.rstrip(" .·…") if "..." in text or "…" in text else text


def _merge_labels(
    body: list[Row], grid: list[list[list[Word]]], columns: list[Column], ruling: Ruling
) -> tuple[list[list[Cell | None]], list[str]]:
    """Return finished rows and the section label of each: rows without values are label lines or section labels."""
    right = max((max(w.x1 for w in cells[0]) for cells in grid if cells[0]), default=columns[0].x1)
    right = min(right, columns[1].x0)
    rows: list[list[Cell | None]] = []
    groups: list[str] = []
    pending: list[int] = []  # label-only rows that wait for the row that they belong to
    group, group_indent, child_indent = "", 0.0, 0.0
    last_line: Row | None = None

    def label(index: int) -> list[Word]:
        return grid[index][0]

    for index, row in enumerate(body):
        cells = grid[index]
        filled = [i for i, words in enumerate(cells) if words and i]
        if not filled:
            if not cells[0]:
                continue
            if rows and not pending and last_line is not None and _goes_on(last_line, row, right, ruling):
                cell = rows[-1][0]
                if cell is not None and label(body.index(last_line)):
                    rows[-1][0] = Cell(
                        join_lines([cell.text, cell_text(cells[0])]),
                        Box.around([cell.box, _box(cells[0])]),
                    )
                    last_line = row
                    continue
            if pending and not _goes_on(body[pending[-1]], row, right, ruling):
                group, group_indent = _label_text(pending, grid), label(pending[0])[0].x0
                child_indent = 0.0
                pending = []
            pending.append(index)
            continue
        made = [Cell(cell_text(words), _box(words)) if words else None for words in cells]
        if pending:
            if made[0] is not None and _goes_on(body[pending[-1]], row, right, ruling):
                made[0] = Cell(
                    join_lines([_label_text(pending, grid), made[0].text]),
                    Box.around([*(_box(label(p)) for p in pending), made[0].box]),
                )
            elif made[0] is None and row.y0 - body[pending[-1]].y1 < 0.6 * row.size:
                made[0] = Cell(_label_text(pending, grid), Box.around(_box(label(p)) for p in pending))
            else:
                group, group_indent = _label_text(pending, grid), label(pending[0])[0].x0
                child_indent = 0.0
            pending = []
        if group and made[0] is not None:
            indent = made[0].box.x0
            if not child_indent:
                child_indent = indent
            elif child_indent > group_indent + 2 and indent <= group_indent + 1:
                group = ""
        rows.append(made)
        groups.append(group)
        last_line = row
    return rows, groups


def _label_text(pending: list[int], grid: list[list[list[Word]]]) -> str:
    return join_lines(cell_text(grid[p][0]) for p in pending)


def _box(words: list[Word]) -> Box:
    return Box(min(w.x0 for w in words), min(w.y0 for w in words), max(w.x1 for w in words), max(w.y1 for w in words))


def _goes_on(above: Row, below: Row, right: float, ruling: Ruling) -> bool:
    """Tell whether the label in ``below`` continues the label in ``above``."""
    if not above.texts or not below.texts:
        return False
    first, second = above.texts[0], below.texts[0]
    gap = second.y0 - first.y1
    size = max(first.size, second.size)
    if gap > 0.55 * size or abs(first.size - second.size) > 0.8 or first.bold != second.bold:
        return False
    if second.x0 < first.x0 - 2 * size:
        return False
    text = first.text.rstrip()
    if text.endswith((":", "：")):
        return False
    begin = second.text[0]
    if begin.islower() or (begin in "(&—–" and not text.endswith(".")):
        if not begin.islower() and first.x1 < right - 0.35 * (right - first.x0):
            return False
        return True
    if text.endswith((",", "-", "–", "—", "&", "/")) or text.rsplit(" ", 1)[-1].lower() in _JOINERS:
        return True
    word = second.words[0]
    width = word.x1 - word.x0 if not is_cjk(begin) else size
    return first.x1 + 0.25 * size + width > right + 1 and first.x1 - first.x0 > 5 * size


_JOINERS = frozenset(
    [
        "of",
        "and",
        "or",
        "the",
        "to",
        "in",
        "for",
        "on",
        "by",
        "from",
        "with",
        "a",
        "an",
        "at",
        "as",
        "per",
        "that",
        "is",
        "are",
        "net",
    ]
)
