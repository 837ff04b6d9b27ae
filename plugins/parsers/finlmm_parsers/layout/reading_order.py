"""Reading order by recursive cuts: down the page in bands, and within a band column by column."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

_GUTTER = 6.0  # points; columns are parted by a strip at least this wide that nothing crosses


def reading_order(items: Sequence[tuple[float, ...]]) -> list[int]:
    """Return the indices of boxes ``(x0, y0, x1, y1)`` in the order in which a person reads them."""
    result: list[int] = []
    _order(list(range(len(items))), items, result, 0)
    return result


def _order(members: list[int], items: Sequence[tuple[float, ...]], result: list[int], depth: int) -> None:
    if len(members) < 2 or depth > 24:
        result.extend(sorted(members, key=lambda i: (items[i][1], items[i][0])))
        return
    bands = _bands(members, items)
    if len(bands) == 1:
        columns = _columns(members, items)
        if len(columns) == 1:
            result.extend(sorted(members, key=lambda i: (round(items[i][1]), items[i][0])))
            return
        for column in columns:
            _order(column, items, result, depth + 1)
        return
    for group in _join_bands(bands, items):
        columns = _columns(group, items)
        if len(columns) > 1:
            for column in columns:
                _order(column, items, result, depth + 1)
        else:
            for band in _bands(group, items):
                _order(band, items, result, depth + 1)


def _bands(members: list[int], items: Sequence[tuple[float, ...]]) -> list[list[int]]:
    ordered = sorted(members, key=lambda i: items[i][1])
    bands = [[ordered[0]]]
    bottom = items[ordered[0]][3]
    for i in ordered[1:]:
        if items[i][1] >= bottom - 1.0:
            bands.append([i])
        else:
            bands[-1].append(i)
        bottom = max(bottom, items[i][3])
    return bands


def _columns(members: list[int], items: Sequence[tuple[float, ...]]) -> list[list[int]]:
    ordered = sorted(members, key=lambda i: items[i][0])
    columns = [[ordered[0]]]
    right = items[ordered[0]][2]
    for i in ordered[1:]:
        if items[i][0] >= right + _GUTTER:
            columns.append([i])
        else:
            columns[-1].append(i)
        right = max(right, items[i][2])
    return columns


def _gutters(band: list[int], items: Sequence[tuple[float, ...]]) -> list[tuple[float, float]]:
    gutters = []
    columns = _columns(band, items)
    for left, right in itertools.pairwise(columns):
        gutters.append((max(items[i][2] for i in left), min(items[i][0] for i in right)))
    return gutters


def _join_bands(bands: list[list[int]], items: Sequence[tuple[float, ...]]) -> list[list[int]]:
    """Join neighbouring bands that the same gutter runs through: a gap across both columns is chance, not a break."""
    groups: list[list[int]] = []
    open_gutters: list[tuple[float, float]] = []
    for band in bands:
        gutters = _gutters(band, items)
        x0, x1 = min(items[i][0] for i in band), max(items[i][2] for i in band)
        if groups and open_gutters:
            if gutters:
                kept = [
                    (max(a[0], b[0]), min(a[1], b[1]))
                    for a in open_gutters
                    for b in gutters
                    if min(a[1], b[1]) - max(a[0], b[0]) >= _GUTTER
                ]
            else:  # a lone block on one side of the gutter belongs to that column
                kept = [
                    (max(a[0], x1), a[1]) if x1 <= a[1] - _GUTTER else (a[0], min(a[1], x0))
                    for a in open_gutters
                    if x1 <= a[1] - _GUTTER or x0 >= a[0] + _GUTTER
                ]
            if kept:
                groups[-1].extend(band)
                open_gutters = kept
                continue
        groups.append(list(band))
        open_gutters = gutters
    return groups
