"""Lines that an OCR engine read in a page picture, as words with boxes in points.

OCR tells where a line is, layout analysis needs each word: a table's columns are found by where words begin and end.
The words of a line are set into the gaps of its ink, as near as can be to where their letters' widths put them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from finlmm_parsers.primitives import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from finlmm_core.plugins.bases import OcrLine

#: Grey levels that ink must differ from the paper around it.
INK_CONTRAST = 40
#: Widths of letters in ems, roughly, for the place of a gap; all others are 0.55.
_NARROW = frozenset("iljftrI.,:;'|!()[]{}1")
_WIDE = frozenset("mwMW@%—")
_ASCENDING = frozenset("bdfhijklt")
_DESCENDING = frozenset("gjpqy,;()[]{}|/$Q§")


def words_of_lines(lines: Sequence[OcrLine], grey: NDArray[np.uint8], points_per_pixel: float) -> list[Word]:
    """Return the words of all lines, in the lines' order.

    Args:
        lines: as the engine gave them, boxes in pixels of ``grey``.
        grey: the page picture, height x width.
        points_per_pixel: how long a pixel is on the page.
    """
    words: list[Word] = []
    for line in lines:
        words += _words_of_line(line, grey, points_per_pixel)
    return words


def _words_of_line(line: OcrLine, grey: NDArray[np.uint8], points: float) -> list[Word]:
    parts = line.text.split()
    if not parts:
        return []
    height, width = grey.shape
    x0, y0 = max(0, math.floor(line.box.x0)), max(0, math.floor(line.box.y0))
    x1, y1 = min(width, math.ceil(line.box.x1)), min(height, math.ceil(line.box.y1))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return []
    upright = y1 - y0 < 1.5 * (x1 - x0) or len(line.text) <= 2
    crop = grey[y0:y1, x0:x1]
    ink = _ink(crop if upright else crop.T)  # of a line that runs down the page, turned
    low, high = _extent(ink.sum(axis=1))
    top, bottom = y0 + low, y0 + high
    profile = ink[low:high].sum(axis=0) > 0
    size, above, below = _font(line.text, high - low)
    words = []
    for part, (start, end) in zip(parts, _spans(parts, profile, size), strict=True):
        if upright:
            sides = x0 + start, top - above, x0 + end, bottom + below
        else:
            sides = float(x0), y0 + start, float(x1), y0 + end
        left, upper, right, lower = (round(side * points, 2) for side in sides)
        words.append(Word(part, left, upper, right, lower, round(size * points, 2), upright=upright))
    return words


def _ink(crop: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels that differ from the paper of their row, dark on light or light on dark.

    The paper of a row is what at least a fifth of it shows on the far side from the ink: so bands of shading begin and
    end without leaving ink, and a rule under the whole line is paper too.
    """
    core = crop[int(0.2 * len(crop)) : max(int(0.8 * len(crop)), 1)]
    low, middle, high = np.percentile(core, (4, 50, 96))
    signed = crop.astype(np.int16)
    if middle - low >= high - middle:
        return np.percentile(signed, 80, axis=1)[:, None] - signed > INK_CONTRAST
    return signed - np.percentile(signed, 20, axis=1)[:, None] > INK_CONTRAST


def _extent(counts: NDArray[np.int64]) -> tuple[int, int]:
    """Return where the letters begin and end across the line, from the ink of its rows.

    Engines pad their boxes, so that those of close lines reach into each other: letters stand in the middle, and what
    lies beyond an empty row towards the rim is the next line's.
    """
    height = counts.size
    middle = counts[int(0.35 * height) : max(int(0.65 * height), int(0.35 * height) + 1)]
    least = max(1.0, 0.06 * float(np.median(middle)))
    inked = counts >= least
    start = end = height // 2
    gap = max(1, round(0.06 * height))  # between an i and its dot
    limit = max(1, round(0.06 * height))
    low = start
    while low > limit and inked[max(limit, low - gap - 1) : low].any():
        low -= 1
    high = end
    while high < height - limit and inked[high : high + gap + 1].any():
        high += 1
    rows = np.flatnonzero(inked[low:high])
    return (low + int(rows[0]), low + int(rows[-1]) + 1) if rows.size else (0, height)


def _font(text: str, ink_height: float) -> tuple[float, float, float]:
    """Font size and what to add above and below the ink for the font's whole height, all in pixels.

    Digits and capitals are 0.72 of the font size high, small letters 0.5, descenders reach 0.21 below, Chinese
    characters fill 0.92.
    """
    if any(ord(letter) >= 0x2E80 for letter in text):
        size = ink_height / 0.92
        return size, 0.0, 0.0
    ascends = any(letter.isupper() or letter.isdigit() or letter in _ASCENDING for letter in text)
    descends = any(letter in _DESCENDING for letter in text)
    size = ink_height / ((0.72 if ascends else 0.5) + (0.21 if descends else 0.0))
    return size, size * (0.18 if ascends else 0.4), size * (0.0 if descends else 0.21)


def _width(letter: str) -> float:
    if letter in _NARROW:
        return 0.3
    if letter in _WIDE:
        return 0.85
    if ord(letter) >= 0x2E80:
        return 1.0
    return 0.65 if letter.isupper() else 0.55


def _spans(parts: Sequence[str], profile: NDArray[np.bool_], size: float) -> list[tuple[float, float]]:
    """Return begin and end of each word along the line, in pixels, from the ink's gaps."""
    inked = np.flatnonzero(profile)
    if not inked.size:
        inked = np.arange(profile.size)
    first, last = int(inked[0]), int(inked[-1]) + 1
    if len(parts) == 1:
        return [(first, last)]
    widths = [sum(_width(letter) for letter in part) for part in parts]
    space = 0.28
    unit = (last - first) / (sum(widths) + space * (len(parts) - 1))
    jumps = np.flatnonzero(np.diff(inked) > 1)
    gaps = [(int(inked[i]) + 1, int(inked[i + 1])) for i in jumps]  # begin and end of white
    chosen = _best_gaps(widths, space, unit, first, gaps, size)
    edges = [float(first)]
    for begin, end in chosen:
        edges += [begin, end]
    edges.append(float(last))
    return [(edges[2 * i], edges[2 * i + 1]) for i in range(len(parts))]


def _best_gaps(
    widths: Sequence[float],
    space: float,
    unit: float,
    first: int,
    gaps: Sequence[tuple[int, int]],
    size: float,
) -> list[tuple[float, float]]:
    """Choose a gap for each pair of neighbouring words: wide, in order, near where it is expected (exact, by rows).

    Where the ink has fewer gaps than there are words to part, gaps are set where they are expected.
    """
    expected = []
    at = float(first)
    for width in widths[:-1]:
        at += width * unit
        expected.append(at + space * unit / 2)
        at += space * unit
    needed = len(expected)
    if len(gaps) < needed:
        return [(place - 0.1 * unit, place + 0.1 * unit) for place in expected]
    reach = max(size, 1.0)
    infinite = float("inf")
    # cost[j]: best cost of the first i expected places when the last one took gap j
    cost = [[infinite] * len(gaps) for _ in range(needed)]
    origin = [[-1] * len(gaps) for _ in range(needed)]
    for i, place in enumerate(expected):
        best, best_at = (0.0, -1) if i == 0 else (infinite, -1)
        for j, (begin, end) in enumerate(gaps):
            if i and j and cost[i - 1][j - 1] < best:
                best, best_at = cost[i - 1][j - 1], j - 1
            distance = abs((begin + end) / 2 - place) / reach
            own = distance - 2.0 * min(end - begin, reach) / reach
            if best < infinite:
                cost[i][j], origin[i][j] = best + own, best_at
    j = min(range(len(gaps)), key=lambda index: cost[-1][index])
    chosen = []
    for i in range(needed - 1, -1, -1):
        chosen.append((float(gaps[j][0]), float(gaps[j][1])))
        j = origin[i][j]
    return chosen[::-1]
