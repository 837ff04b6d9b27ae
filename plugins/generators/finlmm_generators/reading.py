"""Reads a parsed table into a grid."""

from __future__ import annotations

import re
from dataclasses import replace

from finlmm_core.domain import Figure, Language, Table
from finlmm_core.quantities import Units, find_periods, parse_number, parse_period, parse_units
from finlmm_generators.columns import MONTH_DAY, read_column, spans_not_dates, without_borrowed_headings
from finlmm_generators.grid import Cell, Grid, Row, find_sums
from finlmm_generators.labels import clean, clean_title, is_nonsense
from finlmm_generators.rows import (
    UNIT_IN_LABEL,
    marked_unique,
    row_kind,
    section_label,
    states_percent,
    without_share_lines,
    without_unit,
)

TOTAL = re.compile(r"(?<![a-z])(?:sub-?)?totals?(?![a-z])|合计|小计|总计|总额", re.IGNORECASE)


def read_grid(table: Table, figure: Figure, language: Language, report_title: str | None = None) -> Grid:
    """Understand a table; rows and columns that are no numeric series are left out.

    Args:
        table: as parsed.
        figure: where it stands.
        language: of the report.
        report_title: the report's own title, which a table on its first page may have been given as heading.
    """
    if table.title and report_title and _same_words(table.title, report_title):
        table = table.model_copy(update={"title": ""})
    turned = _transpose(table)
    source = turned if turned is not None else table
    table_units = _table_units(table)
    columns = []
    for j in range(1, len(source.header)):
        columns.append(read_column(j, source.header[j], [row[j] for row in source.rows if len(row) > j]))
    columns = without_borrowed_headings(spans_not_dates(columns, source))
    headings = [column.heading.lower() for column in columns if column.role != "empty"]
    usable = {
        column.index
        for column in columns
        if column.role in ("period", "category", "percent") and headings.count(column.heading.lower()) == 1
    }
    rows: list[Row] = []
    for i, texts in enumerate(source.rows):
        label = clean(_whole_label(texts, source.header))
        group = section_label(source.row_groups[i]) if i < len(source.row_groups) else ""
        cells: dict[int, Cell] = {}
        broken = False
        for j in range(1, len(texts)):
            number = parse_number(texts[j])
            if number is None:
                # A cell with words or two numbers means that the row was not cut into cells rightly.
                broken = broken or (j in usable and sum(c.isdigit() for c in texts[j]) > 0)
                continue
            if j in usable:
                box = source.cell_boxes[i][j] if i < len(source.cell_boxes) and j < len(source.cell_boxes[i]) else None
                cells[j] = Cell(i, j, number, texts[j], box)
        # 'As at 1 April 2020' is a line of a roll-forward: it names a date and no item.
        dated = turned is None and any(period.kind == "day" for period in find_periods(label))
        dated = dated or bool(MONTH_DAY.match(label))
        if not label or is_nonsense(label) or not cells or broken or dated:
            continue
        kind = row_kind(label, group, [cell.number for cell in cells.values()], table_units)
        inside = UNIT_IN_LABEL.search(label)
        units = parse_units(inside.group()) if inside else Units()
        if inside and units.text:
            label = label[: inside.start()].strip() or label
        rows.append(Row(i, label, group, kind, cells, total=bool(TOTAL.search(label)), units=units))
    if sum(bool(re.search(r"\bindex\b|指数", row.label, re.IGNORECASE)) for row in rows) >= 2:
        rows = [replace(row, kind="unclear") for row in rows]  # index values of a performance graph
    rows = without_share_lines(rows)
    if states_percent(rows, source):
        rows = [replace(row, kind="percent") if row.kind == "amount" else row for row in rows]
    labels = [without_unit(clean(_whole_label(row, source.header))) for row in source.rows]
    rows = marked_unique(rows, labels, titled=bool(clean_title(table.title, language)))
    grid_columns = tuple(column for column in columns if column.index in usable)
    grid = Grid(table, figure, language, grid_columns, tuple(rows), (), table_units, turned is not None)
    return Grid(
        table, figure, language, grid_columns, tuple(rows), tuple(find_sums(grid)), table_units, turned is not None
    )


def _whole_label(texts: tuple[str, ...], header: tuple[str, ...]) -> str:
    """Return a row's label with the words that stand beside it under no heading: 'Benefit cost -', 'Discount rate'."""
    words = [texts[0]] if texts else []
    for text, heading in zip(texts[1:], header[1:], strict=False):
        if heading.strip() or sum(c.isalpha() for c in text) < 3 or any(c.isdigit() for c in text):
            break
        words.append(text)
    return " ".join(words)


def _transpose(table: Table) -> Table | None:
    """Return the table with rows and columns exchanged where its rows are periods and its columns are not."""
    labels = [parse_period(row[0]) if row else None for row in table.rows]
    named = [label for label in labels if label is not None]
    if len(named) < 2 or len(named) < 0.6 * len(table.rows) or len({p.key for p in named}) < len(named):
        return None
    if sum(parse_period(heading) is not None for heading in table.header[1:]) > 0:
        return None
    keep = [i for i, label in enumerate(labels) if label is not None]
    return table.model_copy(
        update={
            "header": ("", *(table.rows[i][0] for i in keep)),
            "rows": tuple((heading, *(table.rows[i][j] for i in keep)) for j, heading in enumerate(table.header) if j),
            "cell_boxes": tuple(
                (
                    (table.header_boxes[j] if len(table.header_boxes) > j else None),
                    *(table.cell_boxes[i][j] for i in keep),
                )
                for j in range(len(table.header))
                if j
            ),
            "header_boxes": (),
            "row_groups": (),
        }
    )


def _same_words(title: str, report_title: str) -> bool:
    """Whether a table's title only repeats the report's."""
    own, whole = (re.sub(r"\W+", "", text).lower() for text in (title, report_title))
    return len(own) > 8 and (own in whole or whole in own)


def _table_units(table: Table) -> Units:
    """Return the table's units: what the parser found, else what title and corner cell say."""
    spoken = parse_units(table.unit or "")
    if not spoken.text:
        spoken = parse_units(f"{table.title} {table.header[0] if table.header else ''}")
    signs = [n.currency for row in table.rows for n in map(parse_number, row[1:]) if n is not None and n.currency]
    currency = table.currency or spoken.currency or (signs[0] if signs and len(set(signs)) == 1 else None)
    scale = table.scale if table.scale != 1 else spoken.scale
    text = spoken.text if spoken.currency or spoken.scale != 1 else ""
    return Units(scale, currency, spoken.unit if scale == 1 and currency is None else None, text)
