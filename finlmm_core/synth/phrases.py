"""What the wording of a language consists of; ``phrases_en`` and ``phrases_zh`` fill it in."""

from __future__ import annotations

from dataclasses import dataclass

from finlmm_core.domain import Language
from finlmm_core.synth.finance import MoneyUnit


@dataclass(frozen=True)
class Sector:
    """An industry: what its companies are called after, what they sell, buy and to whom."""

    name: str
    endings: tuple[tuple[str, str], ...]  # last word of a company's name, and it in ASCII for file names
    segments: tuple[str, ...]
    products: tuple[str, ...]
    inputs: tuple[str, ...]
    customers: tuple[str, ...]


@dataclass(frozen=True)
class UnitWords:
    """A way of printing money: the unit, how headings name it, and how prose writes an amount."""

    unit: MoneyUnit
    headings: tuple[str, ...]  # '(in millions)', '单位：万元'
    column: str  # as a heading of its own below a year: '$m'
    axis: str  # at a chart's axis: '$ million'
    prose: str  # '${} million'


@dataclass(frozen=True)
class Phrases:
    """All words of one language.

    ``{...}`` fields are filled with sector words, names and printed numbers; of ``[a|b]`` one alternative is taken.
    """

    language: Language
    names: tuple[tuple[str, str], ...]
    places: tuple[str, ...]
    legal_forms: tuple[str, ...]
    sectors: tuple[Sector, ...]
    regions: tuple[tuple[str, ...], ...]
    units: tuple[UnitWords, ...]
    year_ends: tuple[str, ...]
    labels: dict[str, tuple[str, ...]]  # line items and headings, in several wordings
    rises: tuple[str, ...]
    falls: tuple[str, ...]
    links: tuple[str, ...]
    sentences: tuple[str, ...]
    point_sentences: tuple[str, ...]  # for margins, which move by percentage points
    causes: dict[str, tuple[str, ...]]  # 'revenue+', 'revenue-', 'cost+' ...
    fillers: dict[str, tuple[str, ...]]  # prose without figures, by section
    captions: dict[str, tuple[str, ...]]
    figure_words: tuple[str, ...]  # 'Figure {}: {}'
    table_words: tuple[str, ...]
    source_notes: tuple[str, ...]
