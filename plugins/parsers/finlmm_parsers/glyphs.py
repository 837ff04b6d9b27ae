"""Glyphs in drawing order to words: for libraries that tell of glyphs only (pdfminer.six).

A word ends at white space, at a jump of the pen, and where the gap between two glyphs is wider than letter spacing
explains. Files break these rules of thumb in known ways, each handled here: letters set apart by the character
spacing operator or by single offsets ("A N N U A L"), glyphs drawn twice for a bold look, pieces of one word drawn
out of order.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from finlmm_parsers.primitives import Word

#: A gap, in font sizes, from which on two glyphs belong to two words (a space is 0.2 to 0.33, kerning below 0.1).
WORD_GAP = 0.16
#: Steps off the baseline, in font sizes, that still belong to one word.
BASELINE_STEP = 0.25


class Glyph(NamedTuple):
    """One drawn glyph. Coordinates are points, origin top left of the shown page; the direction is a unit vector."""

    text: str
    x: float  # where the pen stands before the glyph
    y: float
    direction_x: float
    direction_y: float
    advance: float  # how far the glyph itself moves the pen
    spacing: float  # extra letter spacing in force
    size: float
    bold: bool
    box: tuple[float, float, float, float]


def words_of(glyphs: Iterable[Glyph]) -> list[Word]:
    """Return the words in drawing order."""
    runs: list[list[Glyph]] = []
    spaced: list[bool] = []  # white space stood before the run
    current: list[Glyph] = []
    space_before = False
    for glyph in glyphs:
        text = _plain(glyph.text)
        if not text or text.isspace():
            if text and current:
                runs.append(current)
                spaced.append(space_before)
                current, space_before = [], True
            elif text:
                space_before = True
            continue
        glyph = glyph._replace(text=text)
        if current:
            last = current[-1]
            along, across = _step(last, glyph)
            reach = max(last.size, glyph.size)
            if len(current) > 0 and last.text == text and _same_place(last, glyph):
                continue  # drawn twice for a bold look
            if (
                abs(across) > BASELINE_STEP * min(last.size, glyph.size)
                or along > WORD_GAP * reach
                or along < -0.5 * reach
                or last.direction_x * glyph.direction_x + last.direction_y * glyph.direction_y < 0.99
            ):
                runs.append(current)
                spaced.append(space_before)
                current, space_before = [], False
        current.append(glyph)
    if current:
        runs.append(current)
        spaced.append(space_before)
    runs = _join_spaced_letters(*_join_touching(runs, spaced))
    return _without_doubles([_word(run) for run in runs])


def _plain(text: str) -> str:
    """Ligatures and compatibility spaces as plain characters; characters that are never seen left out."""
    if text.isascii():
        return "".join(c for c in text if c.isprintable() or c in "\t\n\r").translate(_SPACES)
    if any("\ufb00" <= c <= "\ufb06" for c in text):
        text = unicodedata.normalize("NFKC", text)
    return "".join(" " if c.isspace() else c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


_SPACES = str.maketrans("\t\n\r", "   ")


def _step(last: Glyph, glyph: Glyph) -> tuple[float, float]:
    """How far the glyph starts from the end of the last one: along its direction (spacing taken off), and across."""
    dx = glyph.x - last.x
    dy = glyph.y - last.y
    along = dx * last.direction_x + dy * last.direction_y - last.advance - max(0.0, last.spacing)
    across = -dx * last.direction_y + dy * last.direction_x
    return along, across


def _same_place(one: Glyph, other: Glyph) -> bool:
    reach = 0.15 * one.size
    return abs(one.x - other.x) <= reach and abs(one.y - other.y) <= reach


def _join_touching(runs: list[list[Glyph]], spaced: list[bool]) -> tuple[list[list[Glyph]], list[bool]]:
    """Join runs that touch on one baseline though other things were drawn between them."""
    level = [
        index for index, run in enumerate(runs) if run[0].direction_x > 0.99
    ]  # rotated labels are short and drawn at one go
    level.sort(key=lambda index: (round(runs[index][0].y), runs[index][0].x, index))
    joined_into: dict[int, int] = {}
    for left, right in itertools.pairwise(level):
        target = joined_into.get(left, left)
        last, first = runs[target][-1], runs[right][0]
        along, across = _step(last, first)
        size = min(last.size, first.size)
        if (
            not spaced[right]
            and abs(across) < 0.05 * size
            and -0.1 * size < along < 0.05 * size
            and abs(last.size - first.size) < 0.1 * size
        ):
            runs[target] = runs[target] + runs[right]
            joined_into[right] = target
    keep = [index for index in range(len(runs)) if index not in joined_into]
    return [runs[index] for index in keep], [spaced[index] for index in keep]


def _join_spaced_letters(runs: list[list[Glyph]], spaced: Sequence[bool]) -> list[list[Glyph]]:
    """Join letters that were set apart one by one: four or more single letters in equal steps on one baseline."""
    result: list[list[Glyph]] = []
    index = 0
    while index < len(runs):
        end = index
        gaps: list[float] = []
        while end + 1 < len(runs) and len(runs[end]) == 1 and len(runs[end + 1]) == 1 and not spaced[end + 1]:
            last, first = runs[end][0], runs[end + 1][0]
            along, across = _step(last, first)
            alphabetic = last.text.isalpha() and first.text.isalpha() and first.text.isascii()
            even = not gaps or abs(along - gaps[0]) < 0.15 * last.size
            if not alphabetic or abs(across) > 0.05 * last.size or not 0 < along < 0.8 * last.size or not even:
                break
            gaps.append(along)
            end += 1
        if end - index >= 3:
            result.append([run[0] for run in runs[index : end + 1]])
        else:
            end = index
            result.append(runs[index])
        index = end + 1
    return result


def _word(run: Sequence[Glyph]) -> Word:
    first = run[0]
    return Word(
        text="".join(glyph.text for glyph in run),
        x0=min(glyph.box[0] for glyph in run),
        y0=min(glyph.box[1] for glyph in run),
        x1=max(glyph.box[2] for glyph in run),
        y1=max(glyph.box[3] for glyph in run),
        size=round(first.size, 2),
        bold=first.bold,
        upright=first.direction_x > 0 and abs(first.direction_y) < 0.3 * first.direction_x,
    )


def _without_doubles(words: list[Word]) -> list[Word]:
    """Leave out a word drawn again at the same place (shadows, bold looks)."""
    seen: dict[str, list[Word]] = {}
    result = []
    for word in words:
        reach = 0.15 * word.size
        earlier = seen.setdefault(word.text, [])
        if any(abs(other.x0 - word.x0) <= reach and abs(other.y0 - word.y0) <= reach for other in earlier):
            continue
        earlier.append(word)
        result.append(word)
    return result
