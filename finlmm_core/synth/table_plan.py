"""Tables of synthetic reports before they are drawn: cells, headings over several columns, sections, and the layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from finlmm_core.synth.fonts import FontFamily, text_width
from finlmm_core.synth.sheet import Color, is_cjk

TableStyle = Literal["filing", "ruled", "shaded", "open", "banded"]
RowKind = Literal["data", "total", "section"]


class Cell(NamedTuple):
    """A cell: its number or words, and a sign that stands apart at the column's left edge."""

    text: str
    sign: str = ""

    @property
    def printed(self) -> str:
        return f"{self.sign} {self.text}" if self.sign else self.text


class Row(NamedTuple):
    """A body row. Sections have a label only."""

    label: str
    cells: tuple[Cell, ...] = ()
    kind: RowKind = "data"
    indent: int = 0


class Heading(NamedTuple):
    """A heading over one or more columns."""

    text: str
    span: int = 1


@dataclass(frozen=True)
class TableSpec:
    """What a table says. ``levels`` are rows of headings over the columns after the stub, outermost first."""

    levels: tuple[tuple[Heading, ...], ...]
    rows: tuple[Row, ...]
    stub_head: str = ""
    unit: str = ""
    scale: int = 1
    currency: str | None = None
    currency_printed: bool = True
    text_columns: frozenset[int] = frozenset()  # columns (without the stub) of words, set left


@dataclass(frozen=True)
class TableLook:
    """How one report draws its tables."""

    style: TableStyle
    family: FontFamily
    size: float = 8.0
    leading: float = 1.55  # row height over font size
    accent: Color = (0.1, 0.25, 0.5)
    tint: Color = (0.92, 0.95, 0.98)
    leaders: bool = False  # dots between label and numbers
    stretch: bool = True  # numbers at the right edge of the column, or close to the labels
    gap: float = 14.0  # between columns


@dataclass
class TablePlan:
    """A table laid out for a width; ``draw`` puts it on a sheet."""

    spec: TableSpec
    look: TableLook
    width: float
    stub: float
    columns: list[float]
    stub_lines: list[list[str]]
    head_lines: list[list[list[str]]]
    stub_head_lines: list[str]
    row_heights: list[float] = field(default_factory=list)
    head_heights: list[float] = field(default_factory=list)

    @property
    def height(self) -> float:
        return sum(self.head_heights) + sum(self.row_heights) + 2.0


def wrap(text: str, font: str, size: float, width: float) -> list[str]:
    """Break text into lines no wider than ``width``: at spaces, and between CJK characters."""
    closing = "，。；：、）》”％%)！？"
    pieces: list[str] = []
    word = ""
    for char in text:
        if char == " ":
            pieces.append(word + " ")
            word = ""
        elif is_cjk(char):
            if word and not is_cjk(word[-1]):
                pieces.append(word)
                word = ""
            if char in closing and (word or pieces):
                if word:
                    word += char
                else:
                    pieces[-1] += char
                continue
            if word and word[-1] not in "（《“":
                pieces.append(word)
                word = ""
            word += char
        else:
            if word and is_cjk(word[-1]) and word[-1] not in "（《“" and char not in closing:
                pieces.append(word)
                word = ""
            word += char
    if word:
        pieces.append(word)
    lines, line = [], ""
    for piece in pieces:
        if line and text_width((line + piece).rstrip(), font, size) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    if line.strip():
        lines.append(line.rstrip())
    return lines


def plan_table(spec: TableSpec, look: TableLook, width: float) -> TablePlan | None:
    """Lay a table out for a width in points; None where it does not fit."""
    size, family = look.size, look.family
    count = len(spec.rows[0].cells) if spec.rows[0].cells else max(len(row.cells) for row in spec.rows)
    columns = []
    sign_room = size * 1.3 if any(cell.sign for row in spec.rows for cell in row.cells) else 0.0
    hang = text_width(")", family.regular, size) if look.style == "filing" else 0.0
    last = _leaf_headings(spec, count)
    for column in range(count):
        body = max(text_width(row.cells[column].text, family.bold, size) for row in spec.rows if row.cells)
        words = [text_width(word, family.bold, size) for word in _unbreakable(last[column])]
        # Two lines are enough for most headings.
        words.append(0.58 * text_width(last[column], family.bold, size))
        columns.append(max([body + sign_room + hang, *words, size * 2.6]))
    labels = max(
        text_width(row.label, family.bold if row.kind != "data" else family.regular, size) + row.indent * size
        for row in spec.rows
    )
    taken = sum(columns) + look.gap * count
    if width - taken < size * 9:
        return None
    if look.stretch:
        stub = width - taken
        if stub > labels * 1.6:  # spread the columns instead of leaving a hole
            extra = (stub - labels * 1.35) / count
            columns = [column + extra * 0.8 for column in columns]
            stub = width - sum(columns) - look.gap * count
    else:
        stub = min(width - taken, labels + 12)
    plan = TablePlan(
        spec,
        look,
        stub + sum(columns) + look.gap * count,
        stub,
        columns,
        [],
        [],
        wrap(spec.stub_head, family.regular, size, stub) if spec.stub_head else [],
    )
    step = size * look.leading
    for row in spec.rows:
        lines = wrap(
            row.label,
            family.regular if row.kind == "data" else family.bold,
            size,
            (stub if row.kind != "section" else plan.width) - row.indent * size - 4,
        )
        plan.stub_lines.append(lines or [""])
        plan.row_heights.append(step + (len(plan.stub_lines[-1]) - 1) * size * 1.15)
    for level in spec.levels:
        at, lines_of_level = 0, []
        for heading in level:
            room = sum(columns[at : at + heading.span]) + look.gap * (heading.span - 1)
            lines_of_level.append(wrap(heading.text, family.bold, size, room + 2))
            at += heading.span
        plan.head_lines.append(lines_of_level)
        plan.head_heights.append(max(len(lines) for lines in lines_of_level) * size * 1.2 + size * 0.55)
    if plan.stub_head_lines and plan.head_heights:
        need = len(plan.stub_head_lines) * size * 1.2 + size * 0.55
        if sum(plan.head_heights) < need:
            plan.head_heights[-1] += need - sum(plan.head_heights)
    return plan


def _unbreakable(text: str) -> list[str]:
    return [text] if any(is_cjk(char) for char in text) else text.split(" ")


def _leaf_headings(spec: TableSpec, count: int) -> list[str]:
    texts = [""] * count
    for level in spec.levels:
        at = 0
        for heading in level:
            if heading.span == 1:
                texts[at] = max(texts[at], heading.text, key=len)
            at += heading.span
    return texts
