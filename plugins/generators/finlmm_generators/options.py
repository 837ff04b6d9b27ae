"""Wrong options that come from real mistakes, chosen so that the right one cannot be told by its look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

from finlmm_core.quantities import ProgramError, evaluate_program
from finlmm_generators.drafts import NAMES, Draft
from finlmm_generators.grid import Cell, Grid


def mistaken_values(draft: Draft, grid: Grid) -> list[tuple[str, Decimal]]:
    """Return what the question's mistakes lead to: wrong formula, wrong period, wrong row, and their wrong signs.

    The order is fixed; values may repeat.
    """
    bindings: list[tuple[str, tuple[Cell, ...]]] = [("", draft.cells)]
    rows_used = sorted({cell.row for cell in draft.cells})
    columns_used = sorted({cell.column for cell in draft.cells})
    by_row = {row.index: row for row in grid.rows}
    for used in rows_used:
        for other in draft.pool:
            if other.index not in rows_used and other.kind == by_row[used].kind:
                changed = [other.cells.get(c.column) if c.row == used else c for c in draft.cells]
                if bound := _complete(changed):
                    bindings.append(("wrong row", bound))
    near = [column.index for columns in grid.series for column in columns] or [column.index for column in grid.columns]
    for used in columns_used:
        for replacement in near:
            if replacement not in columns_used:
                changed = [by_row[c.row].cells.get(replacement) if c.column == used else c for c in draft.cells]
                if bound := _complete(changed):
                    bindings.append(("wrong period", bound))
    programs = [("", draft.program), *draft.mistakes]
    values: list[tuple[str, Decimal]] = []
    for binding, cells in bindings:
        named = {NAMES[i]: cell.value for i, cell in enumerate(cells)}
        for mistake, program in programs:
            if not binding and not mistake:
                continue
            if binding and mistake and len(values) > 60:
                continue
            try:
                value = evaluate_program(program, named)
            except ProgramError:
                continue
            values.append((" and ".join(part for part in (binding, mistake) if part), value))
    return values


def _complete(cells: Sequence[Cell | None]) -> tuple[Cell, ...] | None:
    return tuple(cell for cell in cells if cell is not None) if all(cell is not None for cell in cells) else None


def choose_wrong(
    gold: Decimal,
    values: Sequence[tuple[str, Decimal]],
    *,
    shown: Callable[[Decimal], str],
    step: Decimal,
    signed: bool,
    bounds: tuple[Decimal, Decimal] | None,
    random: Random,
) -> list[str] | None:
    """Return three wrong options as shown, or None where too few mistakes are plausible and distinct.

    The right answer's place by magnitude is drawn first and the wrong ones are chosen to give it, and a wrong value's
    sign flip is as likely to be there as the right value's, so that neither size nor symmetry gives the answer away.
    """
    pool: list[Decimal] = []
    for _, value in values:
        pool.append(value)
    if signed:
        pool += [-value for _, value in values]
        if random.random() < 0.5:
            pool.append(-gold)
    texts = {shown(gold)}
    candidates: list[tuple[Decimal, str]] = []
    closest = max(2 * step, abs(gold) * Decimal("0.004"))
    for value in pool:
        if abs(value - gold) <= closest or (not signed and (value < 0) != (gold < 0)):
            continue
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            continue
        if abs(value) < step or not Decimal("0.04") <= abs(value) / max(abs(gold), step) <= 25:
            continue
        text = shown(value)
        if text in texts:
            continue
        texts.add(text)
        candidates.append((value, text))
    if len(candidates) < 3:
        return None
    random.shuffle(candidates)
    # What lies close to the answer is the better trap; far values only fill up.
    near = [c for c in candidates if Decimal("0.25") <= abs(c[0] / gold) <= 4] if gold else candidates
    candidates = near + [c for c in candidates if c not in near]
    below = [text for value, text in candidates if (abs(value), value) < (abs(gold), gold)]
    above = [text for value, text in candidates if (abs(value), value) > (abs(gold), gold)]
    ranks = [rank for rank in range(4) if rank <= len(below) and 3 - rank <= len(above)]
    # Where the rank drawn cannot be had, the nearest one: to draw among the rest would favour what is always there.
    drawn = random.randrange(4)
    rank = min(ranks, key=lambda one: (abs(one - drawn), random.random()))
    return below[:rank] + above[: 3 - rank]
