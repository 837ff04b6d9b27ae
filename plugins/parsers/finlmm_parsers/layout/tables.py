"""Finding tables: rows of values that line up in columns, with the headings above them and the rules around them.

The finder starts from what a statement cannot do without, numbers that line up under one another beside labels, and
uses rules and shading only to set the limits. So tables without any rule are found as well, and pages without aligned
numbers cost next to nothing.
"""

from __future__ import annotations

from itertools import islice

from finlmm_core.domain import Box, FigureKind
from finlmm_parsers.layout.captions import link_captions, numbered_caption
from finlmm_parsers.layout.cells import read_cells
from finlmm_parsers.layout.checks import is_table
from finlmm_parsers.layout.gather import Draft, gather
from finlmm_parsers.layout.headings import is_unit_note
from finlmm_parsers.layout.rows import Row, make_rows
from finlmm_parsers.layout.rules import Ruling, find_ruling
from finlmm_parsers.layout.side_by_side import find_gutter, part_rows
from finlmm_parsers.layout.types import Line, TableRegion
from finlmm_parsers.layout.units import lines_above, set_units
from finlmm_parsers.primitives import PagePrimitives


def find_tables(page: PagePrimitives, lines: list[Line]) -> list[TableRegion]:
    """Return the tables of a page, top to bottom, with their cells."""
    if not any(c.isdigit() for line in lines for c in line.text[-2:]):
        return []
    ruling = find_ruling(page)
    rows = make_rows(lines, ruling.bands)
    drafts = gather(rows, ruling)
    for _ in range(3):
        gutters = [(draft, x) for draft in drafts if (x := find_gutter(draft, rows, ruling)) is not None]
        if not gutters:
            break
        for draft, x in reversed(gutters):  # from below, so that positions further up stay right
            rows = part_rows(rows, draft, x)
        drafts = gather(rows, ruling)
    tables: list[TableRegion] = []
    taken = {p for draft in drafts for p in draft.members}
    for draft in drafts:
        table = _finish(draft, rows, taken, ruling, page)
        if table is not None:
            tables.append(table)
    tables.sort(key=lambda t: (t.box.y0, t.box.x0))
    if tables:
        boxes: list[tuple[Box, FigureKind]] = [(table.box, "table") for table in tables]
        for table, caption in zip(tables, link_captions(page, lines, boxes), strict=True):
            table.title = caption.text if caption else ""
            others = [other.box for other in tables if other is not table]
            above = [line for line in lines_above(table.box, lines) if not any(b.overlap(line.box) for b in others)]
            top, bottom = table.box.y0, table.box.y1
            inside = (line for line in lines if line.y0 < bottom and line.y1 > top and table.box.covers(line.box) > 0.5)
            head = [line.text for line in islice(inside, 40)]
            set_units(table, head, above)
    return tables


def _finish(
    draft: Draft, rows: list[Row], others: set[int], ruling: Ruling, page: PagePrimitives
) -> TableRegion | None:
    first, last = draft.members[0], draft.members[-1]
    members = set(draft.members)
    top, heads = _headings(draft, rows, ruling)
    inside = [p for p in range(top, last + 1) if _beside(rows[p], draft) and (p in members or p not in others)]
    head = [rows[p] for p in inside if p in heads]
    body = [rows[p] for p in inside if p not in heads]
    box = Box.around(Box(rows[p].x0, rows[p].y0, rows[p].x1, rows[p].y1) for p in inside)
    # rules and shading may run on under what stands beside the table
    beyond = [rows[p] for p in range(top, last + 1) if p not in set(inside)]
    right = min((row.x0 - 1 for row in beyond if row.x0 >= box.x1), default=page.width)
    left = max((row.x1 + 1 for row in beyond if row.x1 <= box.x0), default=0.0)
    box = _with_ruling(box, ruling, rows[first].size)
    box = Box(max(box.x0, left), box.y0, min(box.x1, right), box.y1)
    if not is_table(draft, head, body, box, rows, ruling, page):
        return None
    return read_cells(box.rounded(), head, body, ruling)


def _beside(row: Row, draft: Draft) -> bool:
    """Tell whether a row stands in a table's columns; labels may begin a little left of the rows with values."""
    return row.x0 < draft.x1 and row.x1 > draft.x0 - 40 and row.x0 > draft.x0 - 60


def _headings(draft: Draft, rows: list[Row], ruling: Ruling) -> tuple[int, set[int]]:
    """Return the position of a table's first row and the positions of its heading rows.

    Going up from the first row of values, rows are headings while they stand close and keep to the columns. A line
    that runs from the labels into the value columns is a title or prose and ends the search.
    """
    first = draft.members[0]
    start = first
    left = draft.left
    heads: set[int] = set()
    labels: list[int] = []  # rows over the stub only, undecided until a heading stands over them
    top = first
    below = rows[first]
    for position in range(start - 1, max(-1, start - 16), -1):
        row = rows[position]
        if row.index == below.index or row.x0 > draft.x1 or row.x1 < draft.x0 - 40:
            continue
        gap = below.y0 - row.y1
        size = min(row.size, below.size)
        if row.size > 1.6 * below.size or _runs_across(row, draft):
            break
        if gap > (1.0 if heads else 1.9) * size and not _rule_between(row, below, draft, ruling):
            break
        if (
            heads
            and len(row.lines) == 1
            and is_unit_note(row.lines[0].text)
            and not _over_middle(row, draft)
            and not _goes_on(row, below, draft)
        ):
            break
        if any(numbered_caption(text.text) for text in row.texts):
            break
        if heads and (_is_title(row, below, draft) or (len(row.lines) == 1 and _closed_off(row, below, draft, ruling))):
            break
        if row.values and not row.years and not _numbered_heads(row, draft):
            if row.texts or heads or gap > 0.6 * size:
                break
            first = position  # a value on a line of its own at the top of the body
            below = row
            continue
        over = bool(row.values) or any(line.x1 > left for line in row.lines)  # a lone "%" is neither value nor text
        if over:
            heads.add(position)
            if heads == {position}:
                labels = []  # rows between the headings and the first values are section labels of the body
            else:
                heads.update(labels)
                labels = []
            top = position
        else:
            labels.append(position)
        below = row
    if heads:
        # the stub's own heading may begin some lines above the columns' headings
        above = rows[top]
        for position in labels:
            row = rows[position]
            if position > top:
                continue
            if above.y0 - row.y1 > 0.45 * row.size or not any(
                abs(t.x0 - row.x0) < 2 and t.bold == row.texts[0].bold for t in above.texts
            ):
                break
            heads.add(position)
            top = position
            above = row
        return top, heads
    return _label_lines(min(first, start), rows, draft, ruling), heads


def _label_lines(first: int, rows: list[Row], draft: Draft, ruling: Ruling) -> int:
    """Return where the label of a table's first row begins, which may be some lines above its values."""
    top = first
    for position in range(first - 1, max(-1, first - 8), -1):
        row, below = rows[position], rows[top]
        if not row.texts or row.values or row.x1 > draft.left or not below.texts:
            break
        if below.y0 - row.y1 > 0.5 * row.size or row.texts[0].bold != below.texts[0].bold:
            break
        one_band = any(
            b.y0 < row.middle and b.y1 > below.middle and b.x0 <= row.x0 + 2 and b.x1 >= draft.left
            for b in ruling.bands
        )
        if not one_band and not below.texts[0].text[0].islower():
            break
        top = position
    return top


def _goes_on(row: Row, below: Row, draft: Draft) -> bool:
    """Tell whether a line over the stub goes on in the headings right below it, so that it is the stub's heading."""
    line = row.lines[0]
    return line.x1 < draft.left and any(
        other.x1 < draft.left
        and abs(other.x0 - line.x0) < 2
        and other.bold == line.bold
        and below.y0 - row.y1 < 0.45 * row.size
        for other in below.texts
    )


def _rule_between(row: Row, below: Row, draft: Draft, ruling: Ruling) -> bool:
    for rule in ruling.horizontal:
        if rule.y0 > below.y0 + 2:
            break
        if rule.y0 >= row.y1 - 2 and rule.x0 < draft.x1 and rule.x1 > draft.left:
            return True
    return False


def _closed_off(row: Row, below: Row, draft: Draft, ruling: Ruling) -> bool:
    """Tell whether a rule over the table's whole width parts a lone line above from the headings."""
    return any(
        row.y1 - 2 <= rule.y0 <= below.y0 + 2 and rule.x0 < draft.x0 + 6 and rule.x1 > draft.x1 - 6
        for rule in ruling.horizontal
    )


def _over_middle(row: Row, draft: Draft) -> bool:
    """Tell whether a row stands over the middle of the value columns, as a heading that spans them does."""
    return abs(row.x0 + row.x1 - draft.left - draft.x1) < 0.2 * (draft.x1 - draft.left)


def _is_title(row: Row, below: Row, draft: Draft) -> bool:
    """Tell whether a row above headings is a title: one line over the middle of the whole table, not of its values."""
    if row.values or len(row.texts) != 1:
        return False
    middle = row.x0 + row.x1
    if below.y0 - row.y1 < 0.6 * row.size and row.x1 - row.x0 < 0.3 * (draft.x1 - draft.x0):
        return False
    whole = abs(middle - draft.x0 - draft.x1) < 8
    return whole and abs(middle - draft.left - draft.x1) > 24


def _runs_across(row: Row, draft: Draft) -> bool:
    """Tell whether a row holds a line from the stub into the value columns that is no heading of the first column."""
    left = draft.left
    first = min(draft.columns, key=lambda c: c[0])
    for text in row.texts:
        if text.x0 >= left - 2 or text.x1 <= left + 2:
            continue
        middle = (text.x0 + text.x1) / 2
        width = text.x1 - text.x0
        centred = abs(middle - (first[0] + first[1]) / 2) < max(6.0, 0.2 * width)
        flush = abs(text.x1 - first[1]) < 4
        if (
            text.x0 > draft.stub_right - 2
            and (centred or flush or len(row.lines) > 1)
            and text.x1 < first[1] + 0.6 * width
        ):
            continue
        if text.x0 > max(draft.stub_right, left - 0.6 * draft.pitch) and middle > left:
            continue  # over the value columns, if a little wider than they are
        if len(row.texts) + len(row.values) > 1 and text.x1 < first[0] + 0.5 * (first[1] - first[0]):
            continue
        return True
    return False


def _numbered_heads(row: Row, draft: Draft) -> bool:
    """Tell whether a row of values is a heading after all: mostly periods over the columns."""
    return sum(1 for v in row.values if v.year) >= 2


def _with_ruling(box: Box, ruling: Ruling, size: float) -> Box:
    """Return the box with the rules and bands that belong to it: those that begin and end near its sides."""
    x0, y0, x1, y1 = box
    slack = max(40.0, 0.15 * box.width)
    left, right = box.x0 - slack, box.x1 + slack
    for _ in range(2):
        for rule in ruling.horizontal:
            if rule.y0 < y0 - 0.7 * size or rule.y1 > y1 + 0.7 * size or rule.x0 > x1 or rule.x1 < x0:
                continue
            x0, x1 = (rule.x0 if left <= rule.x0 < x0 else x0), (rule.x1 if right >= rule.x1 > x1 else x1)
            y0, y1 = min(y0, rule.y0), max(y1, rule.y1)
        for band in ruling.bands:
            if band.y0 < y0 - 0.7 * size or band.y1 > y1 + 0.7 * size or band.x0 > x1 or band.x1 < x0:
                continue
            if band.y1 - band.y0 > max(7 * size, y1 - y0 + size):
                continue
            x0, x1 = (band.x0 if left <= band.x0 < x0 else x0), (band.x1 if right >= band.x1 > x1 else x1)
            y0, y1 = min(y0, band.y0), max(y1, band.y1)
    return Box(x0, y0, x1, y1)
