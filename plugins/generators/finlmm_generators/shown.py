"""What the figures of a report show: their labels and numbers, to tie prose to them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from finlmm_core.domain import Document, Figure, Language
from finlmm_core.quantities import Number, find_numbers, find_periods, parse_number, parse_units
from finlmm_generators.glossary import fold, terms_in
from finlmm_generators.grid import Grid
from finlmm_generators.labels import is_generic


@dataclass(frozen=True)
class Shown:
    """One figure: the terms and labels in it, and its plain numbers (scale applied) with their printed precision."""

    figure: Figure
    terms: frozenset[str]
    labels: tuple[str, ...]
    numbers: tuple[tuple[Decimal, Decimal], ...]  # value, half of its last printed digit
    percents: frozenset[Decimal]
    years: frozenset[int]

    def holds(self, number: Number) -> bool:
        """Whether the figure prints the number of a sentence, at the sentence's or its own precision."""
        if number.unit == "percent":
            return number.decimals > 0 and abs(number.value) in self.percents
        value = abs(number.plain)
        if len(number.value.as_tuple().digits) < 3 or value < 100:
            return False
        step = Decimal(number.scale).scaleb(-number.decimals) / 2
        return any(abs(shown - value) <= max(step, half) for shown, half in self.numbers)


def shown_in(document: Document, grids: dict[str, Grid], language: Language) -> list[Shown]:
    """Return what each table and chart of the report shows."""
    result = []
    for figure in document.figures:
        grid = grids.get(figure.id)
        numbers: list[tuple[Decimal, Decimal]] = []
        percents: set[Decimal] = set()
        if grid is not None:
            labels = tuple(row.label for row in grid.rows if not is_generic(row.label))
            scale = grid.units.scale
            # Change columns and rows that are no series count as well: prose quotes them most.
            for printed in (parse_number(text) for row in grid.table.rows for text in row[1:]):
                if printed is not None:
                    percents.add(abs(printed.value))
                    numbers.append((abs(printed.value) * scale, Decimal(scale).scaleb(-printed.decimals) / 2))
            text = " ; ".join((figure.caption, grid.table.title, *labels, *grid.table.header))
        elif figure.kind == "chart":
            lines = [line.strip() for line in figure.text.splitlines() if line.strip()]
            labels = tuple(line for line in lines if parse_number(line) is None and 2 < len(line) < 80)
            for number in find_numbers(figure.text):
                if number.unit == "percent":
                    percents.add(abs(number.value))
                numbers.append((abs(number.plain), Decimal(0)))
            text = " ; ".join((figure.caption, *labels))
        else:
            continue
        terms = frozenset(term.key for piece in re.split(r"[;；]", text) for term in terms_in(piece, language))
        headed = " ; ".join(grid.table.header) if grid is not None else figure.text[:4000]
        years = frozenset(period.year for period in find_periods(headed))
        result.append(Shown(figure, terms, labels, tuple(numbers), frozenset(percents), years))
    return result


def named_labels(shown: Shown, text: str) -> list[str]:
    """Return the figure's labels that a text says as whole words, longest first."""
    folded = f" {fold(text)} "
    spoken = set(folded.split())
    found = []
    for label in shown.labels:
        words = fold(label)
        unit = parse_units(label).text
        if unit and len(fold(label.replace(unit, " "))) < 2:
            continue
        if sum(character.isalpha() for character in words) < (4 if words.isascii() else 3) or find_periods(label):
            continue  # years and signs on an axis name nothing
        several = words.isascii() and len(words.split()) >= 3 and set(words.split()) <= spoken
        if len(words) >= (4 if words.isascii() else 3) and (
            several or f" {words} " in folded or (not words.isascii() and words in folded)
        ):
            found.append(label)
    return sorted(dict.fromkeys(found), key=lambda label: (-len(label), label))
