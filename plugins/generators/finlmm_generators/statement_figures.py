"""Which figures of the report show what a sentence states: all its numbers, its periods or groups, and its measure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from finlmm_core.domain import Document, Figure, Language, Table
from finlmm_core.quantities import Number, find_numbers, find_periods, parse_number, parse_units
from finlmm_generators.stated import Statement, Value

_COMMON_WORDS = """
the a an of in to and or for by from with on at as is was were are be our its their company group total net other year
years ended period all amount amounts who say says said that there more less than not very have has
"""
_COMMON = frozenset(_COMMON_WORDS.split())


#: What a figure may count in, and from how many numbers on one of two digits is met by chance.
_UNITS = (1, 10**3, 10**4, 10**6, 10**8, 10**9)
_MANY = 40
#: Share of the measure's words that a table's row with its title, and that a chart, has to say.
_SHARED_BY_ROWS = 0.7
_SHARED_BY_CHARTS = 0.5


@dataclass(frozen=True)
class Showing:
    """A figure that shows a statement, and the values as the figure prints them, in the statement's unit."""

    figure: Figure
    values: tuple[Decimal, ...]


@dataclass(frozen=True)
class _Printed:
    """A number in a figure: its plain value (None where its scale is not known), and the years it may be of."""

    number: Number
    plain: Decimal | None
    place: int  # column, row or position in the text: no two values of a statement stand at one place
    heading: str = ""


@dataclass(frozen=True)
class _Line:
    """A row or a column of a table, or the whole text of a chart without a table."""

    label: str
    printed: tuple[_Printed, ...]
    loose: bool = False  # nothing tells which number belongs to which label


@dataclass(frozen=True)
class _Read:
    """A line with the words in it and around it, read once for all statements."""

    line: _Line
    around: str  # the figure's title, the line's label and the headings of its numbers
    held: frozenset[str]  # content words around
    own: frozenset[str]  # content words of the label alone


class FigureTexts:
    """The lines of numbers of every figure of a report."""

    def __init__(self, document: Document, language: Language, rounded: bool) -> None:
        """Read the figures.

        Args:
            document: the report.
            language: of its words.
            rounded: whether a figure shows a number that it prints with more digits than the sentence.
        """
        self.rounded = rounded
        tables = {table.figure_id: table for table in document.tables}
        self.language = language
        self._figures: list[tuple[Figure, list[_Read]]] = []
        for figure in document.figures:
            table = tables.get(figure.id)
            title = f"{figure.caption} {table.title if table else ''}"
            lines = list(_table_lines(table)) if table else []
            if figure.kind != "table" or not lines:
                lines.append(_text_line(figure, title))
            self._figures.append((figure, [self._read(figure, title, line) for line in lines]))

    def _read(self, figure: Figure, title: str, line: _Line) -> _Read:
        heads = " ".join(printed.heading for printed in line.printed)
        around = f"{title} {figure.text}" if line.loose else f"{title} {line.label} {heads}"
        held, own = content_words(around, self.language), content_words(line.label, self.language)
        return _Read(line, around, held, own)

    def showing(self, statement: Statement) -> list[Showing]:
        """Return the figures that show all of the statement, in the report's order."""
        found = []
        about = statement.measure
        if statement.kind == "answer":
            about = " ".join(value.label for value in statement.values)
        wanted = content_words(about, self.language)
        for figure, lines in self._figures:
            # A figure that prints no unit may count in any: all its values have to fit with one.
            near = [read for read in lines if _is_about(wanted, figure, read)]
            values = (self._values(statement, figure, read, unit) for read in near for unit in _UNITS)
            first = next((shown for shown in values if shown is not None), None)
            if first is not None:
                found.append(Showing(figure, first))
        return found

    def _values(self, statement: Statement, figure: Figure, read: _Read, unit: int) -> tuple[Decimal, ...] | None:
        line, around, held = read.line, read.around, read.held
        if line.loose and len(line.printed) > _MANY and all(_is_short(value) for value in statement.values):
            return None
        if statement.kind in ("group", "answer") and len(_years(figure.text)) > 2:
            return None  # shares over time: the sentence does not say when
        years = {period.year for period in find_periods(around)}
        taken: set[int] = set()
        values = []
        for value in statement.values:
            if value.period is not None:
                if value.period.year not in years:
                    return None
            elif statement.kind == "answer":
                words = content_words(value.label, self.language)
                if len(words & held) < 0.5 * len(words):
                    return None
            elif not _names_group(value.label, around):
                return None
            match = next(
                (
                    p
                    for p in line.printed
                    if p.place not in taken
                    and _fits(p, value, unit, self.rounded)
                    and _of_period(p, value, statement.kind)
                ),
                None,
            )
            if match is None:
                return None
            taken.add(match.place)
            plain = match.plain if match.plain is not None else match.number.value * unit
            exact = match.number.value if value.number.unit == "percent" else plain / value.number.scale
            values.append(abs(exact) if value.number.value >= 0 else -abs(exact))
        return tuple(values)


def _is_about(wanted: frozenset[str], figure: Figure, read: _Read) -> bool:
    """Whether a line says enough of the measure's words; of a table's row the label itself has to say one."""
    rows = figure.kind == "table" and not read.line.loose
    if not wanted or len(wanted & read.held) < (_SHARED_BY_ROWS if rows else _SHARED_BY_CHARTS) * len(wanted):
        return False
    return not rows or bool(wanted & read.own)


def content_words(text: str, language: Language) -> frozenset[str]:
    """Return the words of a text that say what it is about; of Chinese the pairs of neighbouring characters."""
    if language == "zh":
        text = re.sub(r"\d+年?", "", text)
        pairs = {run[i : i + 2] for run in re.findall(r"[\u4e00-\u9fff]+", text) for i in range(len(run) - 1)}
        return frozenset(pairs | {word.lower() for word in re.findall(r"[A-Za-z]{2,}", text)})
    words = (word.lower().replace("’", "'").removesuffix("'s") for word in re.findall(r"[A-Za-z][A-Za-z'’]+", text))
    return frozenset(_stem(word) for word in words if word not in _COMMON and len(word) > 1)


def _stem(word: str) -> str:
    for ending, kept in (("ies", "y"), ("sses", "ss"), ("s", ""), ("ing", ""), ("ed", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + kept
    return word


def _years(text: str) -> set[str]:
    """Return the years that an axis may print, also shortened to '04."""
    return {year[-2:] for year in re.findall(r"(?<!\d)(?:(?:19|20)\d\d|['’‘]\d\d)(?!\d)", text)}


def _names_group(label: str, text: str) -> bool:
    """Whether the text names a group, also shortened ('Rep' for Republicans)."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]{3,}|[\u4e00-\u9fff]{2,}", text)}
    named = [word.lower() for word in re.findall(r"[A-Za-z]{3,}|[\u4e00-\u9fff]{2,}", label)]
    named = [word for word in named if word not in _COMMON]
    return bool(named) and all(
        any(word == w or word.startswith(w) or w.startswith(word.removesuffix("s")) for w in words) for word in named
    )


def _fits(printed: _Printed, value: Value, unit: int, rounded: bool) -> bool:
    """Whether a printed number is the stated one, digit for digit or at the precision of the sentence.

    Args:
        printed: the number in the figure.
        value: the stated one.
        unit: what numbers without a known scale are taken to be counted in.
        rounded: whether more digits in the figure do no harm.
    """
    number, shown = value.number, printed.number
    if (number.unit == "percent") != (shown.unit == "percent") and shown.unit:
        return False
    half = Decimal(number.scale).scaleb(-number.decimals) / 2 if rounded else Decimal(0)
    if number.unit == "percent":
        return unit == 1 and abs(abs(shown.value) - abs(number.value)) <= half
    plain = printed.plain if printed.plain is not None else shown.value * unit
    return abs(abs(plain) - abs(number.plain)) <= half


def _is_short(value: Value) -> bool:
    """Whether a number has so few digits that a figure full of numbers shows it by chance."""
    return len(value.number.value.as_tuple().digits) < 3


def _of_period(printed: _Printed, value: Value, kind: str) -> bool:
    """Whether the heading over a number agrees with the value's period or group, where it names one."""
    if value.period is None:
        return not printed.heading or kind == "answer" or _names_group(value.label, printed.heading)
    named = find_periods(printed.heading)
    if not named:
        return True
    if value.period.kind in ("quarter", "half", "nine_months") and any(p.kind != "year" for p in named):
        return any(period.key == value.period.key for period in named)
    return any(period.year == value.period.year for period in named)


def _table_lines(table: Table) -> Iterator[_Line]:
    cells = [[parse_number(text) for text in row] for row in table.rows]

    def printed(i: int, j: int, place: int, heading: str) -> _Printed | None:
        number = cells[i][j]
        if number is None:
            return None
        scale = number.scale if number.scale != 1 else 1 if number.unit else table.scale
        known = number.scale != 1 or number.unit is not None or table.scale != 1 or bool(table.unit)
        return _Printed(number, number.value * scale if known else None, place, heading)

    for i, row in enumerate(table.rows):
        group = table.row_groups[i] if i < len(table.row_groups) else ""
        found = [printed(i, j, j, table.header[j]) for j in range(1, len(row))]
        yield _Line(f"{row[0]} {group}", tuple(item for item in found if item))
    for j in range(1, len(table.header)):
        found = [printed(i, j, i, table.rows[i][0]) for i in range(len(table.rows))]
        yield _Line(table.header[j], tuple(item for item in found if item))


def _text_line(figure: Figure, title: str) -> _Line:
    units = parse_units(f"{title}\n{figure.text[:400]}")
    found = []
    for place, number in enumerate(find_numbers(figure.text)[:2000]):
        scale = number.scale if number.scale != 1 else units.scale
        known = number.scale != 1 or units.scale != 1 or number.unit is not None
        found.append(_Printed(number, number.value * scale if known else None, place))
    return _Line("", tuple(found), loose=True)
