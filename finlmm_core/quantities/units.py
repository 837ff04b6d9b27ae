"""Units, scales and currencies as headings and captions print them."""

from __future__ import annotations

from typing import NamedTuple


class Units(NamedTuple):
    """What a heading says of the figures below it."""

    scale: int = 1  # 1, 1_000, 10_000 (万), 1_000_000, 100_000_000 (亿), 1_000_000_000
    currency: str | None = None  # ISO 4217
    unit: str | None = None  # 'percent', 'shares', 'employees' ..., the printed unit where it is neither
    text: str = ""  # as printed; '' where nothing was found


def parse_units(text: str) -> Units:
    """Read scale, currency and unit from a heading, caption or note.

    '(in millions, except per share data)', "RMB'000", '单位:亿元', '万元', '$ in thousands', '(%)', '百万美元'.
    """
    raise NotImplementedError
