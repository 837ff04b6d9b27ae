"""Whether a statement agrees with itself and with what else the report prints of the measure."""

from __future__ import annotations

from decimal import Decimal

from finlmm_core.domain import Document, Language
from finlmm_core.quantities import Number
from finlmm_generators.glossary import fold
from finlmm_generators.reading import read_grid
from finlmm_generators.stated import Statement, exactly


def prose_problem(statement: Statement) -> str | None:
    """Return 'disagrees_with_prose' where the sentence's own rate, change or direction does not follow from its values.

    Rates are compared within rounding: 7.3 from 6.8 is anything between 6.6 % and 8.1 %, which '7%' meets.
    """
    if statement.kind != "period":
        return None
    earlier, later = statement.values[0].number, statement.values[-1].number
    if statement.direction and len(statement.values) == 2 and (later.value - earlier.value) * statement.direction < 0:
        return "disagrees_with_prose"
    if len(statement.values) > 2:
        return None
    by_unit: dict[bool, list[bool]] = {}
    for movement in statement.movements:
        rate = movement.unit in ("percent", "percentage_points", "basis_points")
        by_unit.setdefault(rate, []).append(_follows(movement, earlier, later))
    return None if all(any(fits) for fits in by_unit.values()) else "disagrees_with_prose"


def _follows(movement: Number, earlier: Number, later: Number) -> bool:
    (low0, high0), (low1, high1) = exactly(earlier), exactly(later)
    low, high = exactly(movement._replace(value=abs(movement.value)))
    spans = []
    if movement.unit == "percent" and low0 > 0:
        spans.append(((low1 / high0 - 1) * 100, (high1 / low0 - 1) * 100))
    if (movement.unit in ("percent", "percentage_points")) == (later.unit == "percent"):
        factor = Decimal(movement.scale) / later.scale if not movement.unit else Decimal(1)
        low, high = low * factor, high * factor
        spans.append((low1 - high0, high1 - low0))
    # A fall is stated without its sign.
    return any(low <= most and least <= high for least, most in spans) or any(
        low <= -least and -most <= high for least, most in spans
    )


class Known:
    """What the report prints of each measure and period, to find measures that the words do not tell apart."""

    def __init__(self, document: Document, language: Language) -> None:
        figures = {figure.id: figure for figure in document.figures}
        self._amounts: dict[tuple[str, str], list[Decimal]] = {}
        self._stated: dict[tuple[str, str], Decimal] = {}
        self._seen: set[tuple[object, ...]] = set()
        for table in document.tables:
            if table.figure_id not in figures or len(table.header) < 2:
                continue
            grid = read_grid(table, figures[table.figure_id], language, document.meta.title)
            for row in grid.rows:
                for column in grid.columns:
                    cell = row.cells.get(column.index)
                    if cell is not None and column.period is not None and row.kind in ("amount", "percent"):
                        scale = 1 if row.kind == "percent" else grid.units.scale
                        key = (fold(row.label), column.period.key)
                        self._amounts.setdefault(key, []).append(abs(cell.value) * scale)

    def problem(self, statement: Statement) -> str | None:
        """Return why the measure's words are not enough to find its values, None where they are.

        ``repeated_statement``: the report says it twice. ``measure_is_ambiguous``: under the same words another value
        is printed or stated for the same period.
        """
        measure = fold(statement.measure)
        told = (measure, *((value.key, value.number.plain) for value in statement.values))
        if told in self._seen:
            return "repeated_statement"
        self._seen.add(told)
        for value in statement.values if statement.kind == "period" else ():
            half = Decimal(value.number.scale).scaleb(-value.number.decimals) / 2
            plain = abs(value.number.plain)
            others = list(self._amounts.get((measure, value.key), ()))
            if any(abs(other - plain) > half for other in others):
                return "measure_is_ambiguous"
            if (measure, value.key) in self._stated:
                before = self._stated[measure, value.key]
                if abs(before - plain) > half:
                    return "measure_is_ambiguous"
            self._stated[measure, value.key] = plain
        return None
