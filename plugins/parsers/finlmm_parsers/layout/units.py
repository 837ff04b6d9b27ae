"""Unit, scale and currency of a table: from its headings, its title and the lines right above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from finlmm_core.domain import Box
from finlmm_core.quantities import Units
from finlmm_parsers.layout.headings import is_unit_note, read_units
from finlmm_parsers.layout.types import Line, TableRegion

_REACH = 70.0  # points above a table in which a line may tell its unit
_MOST_LINES = 6
_SPANS = frozenset(("years", "months", "days", "hours"))  # "Years ended", "12 months or longer" name periods


def set_units(table: TableRegion, head: list[str], above: list[Line]) -> None:
    """Fill unit, scale and currency of a table.

    The first of these that tells a scale counts: the stub's heading, the title, the lines above (nearest first), what
    most column headings agree on. Currency likewise, and last the signs in the cells.

    Args:
        table: with header, rows and title filled.
        head: the lines of its heading rows.
        above: lines over the table, nearest first.
    """
    unit: str | None = None
    scale, currency = 1, None
    for found in _told(table, head, above):
        if not found.text:
            continue
        if scale == 1 and found.scale != 1:
            scale = found.scale
            unit = found.text
            if found.currency:
                currency = currency or found.currency
        currency = currency or found.currency
        if unit is None and found.unit and scale == 1 and found.unit not in _SPANS:
            unit = found.text
        if scale != 1 and currency:
            break
    if currency is None:
        currency = _sign_currency(table)
    table.unit, table.scale, table.currency = unit, scale, currency


def _told(table: TableRegion, head: list[str], above: list[Line]) -> Iterator[Units]:
    if table.header and table.header[0]:
        yield read_units(table.header[0])
    for text in head:
        if is_unit_note(text):
            yield read_units(text)
    if table.title:
        yield read_units(table.title)
    for line in above:
        found = read_units(line.text)
        # prose that mentions money tells no unit unless it says "in millions" or stands alone as a note
        if found.scale != 1 or len(line.text) < 40:
            yield found
    yield from _headings(table.header[1:])


def _headings(headings: tuple[str, ...]) -> Iterator[Units]:
    told = [found for text in headings if text and (found := read_units(text)).text]
    told = [found for found in told if found.unit != "percent" or found.scale != 1]
    if not told or 2 * len(told) < sum(1 for text in headings if text):
        return
    common, count = Counter((f.scale, f.currency) for f in told).most_common(1)[0]
    if count * 2 > len(told):
        yield next(f for f in told if (f.scale, f.currency) == common)


def _sign_currency(table: TableRegion) -> str | None:
    signs: Counter[str] = Counter()
    for row in table.rows:
        for cell in row[1:]:
            if cell and not cell[0].isdigit() and any(c in "$€£¥₩₹￥" for c in cell[:5]):
                found = read_units(cell[: next((i for i, c in enumerate(cell) if c.isdigit()), len(cell))].strip(" ("))
                if found.currency:
                    signs[found.currency] += 1
    return max(signs, key=lambda code: (signs[code], code)) if signs else None


def lines_above(box: Box, lines: list[Line]) -> list[Line]:
    """Return the lines within reach above a box, nearest first, as far as the next thing that ends a table."""
    found = [
        line
        for line in lines
        if box.y0 - _REACH < line.y0 and line.y1 <= box.y0 + 3 and line.x0 < box.x1 and line.x1 > box.x0
    ]
    found.sort(key=lambda line: (-line.y1, line.x0))
    return found[:_MOST_LINES]
