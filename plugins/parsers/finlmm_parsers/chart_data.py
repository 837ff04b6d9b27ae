"""The data of a chart whose values are printed in it, as a table.

Read from the drawing, never estimated: each printed value is matched to its bar, sector or point, these to categories
and series, and the reading counts only if the geometry agrees with the numbers (lengths, angles and heights in
proportion). A chart of which anything is doubtful gives a reason instead of a table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from finlmm_core.domain import Box
from finlmm_core.quantities import Units, parse_period, parse_units
from finlmm_parsers.chart_bars import read_bars
from finlmm_parsers.chart_labels import Chart, ChartPixels, Label, Piece, goes_on, is_unit, open_chart
from finlmm_parsers.chart_lines import read_lines
from finlmm_parsers.chart_pies import read_pie
from finlmm_parsers.chart_reading import Reading, Unclear
from finlmm_parsers.layout.text import join_lines
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives

#: More words than this are no chart's.
_MOST_WORDS = 600
_NUMBERED = re.compile(
    r"\A(?:figure|fig\.?|chart|exhibit|graph|图表|图)\s*\d+[\d.\-–]*\s*[:：.、–—-]?\s*", re.IGNORECASE
)
_NOTE_MARK = re.compile(r"(?<=[\w)）%])\s?[*†‡§]{1,3}\Z|(?<=[a-z]{3})\d\Z")
_AS_FOLLOWS = re.compile(
    r"\s+(?:(?:was|were|is|are) as follows.*|for the (?:three|six|nine|twelve|fiscal|years?|quarters?|months?)\b.*)\Z"
)
#: Words of a name; a longer text is a sentence.
_LONGEST_NAME = 16
_REMARK = re.compile(r"\s*[(（][^()（）]{24,}[)）]\Z")
_UNIT_AT_END = re.compile(
    r"\s*(?:[(（][^()（）]*(?:[$€£¥%元]|in |million|billion|thousand)[^()（）]*[)）]"
    r"|[$€£¥]\s?(?:B|M|K|bn|mn|billions?|millions?))\Z"
)


@dataclass(slots=True)
class ChartValues:
    """The values of a chart in the shape of ``domain.Table``; fields mean what they mean there."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cell_boxes: tuple[tuple[Box | None, ...], ...]
    header_boxes: tuple[Box | None, ...]
    row_groups: tuple[str, ...]
    unit: str | None
    scale: int
    currency: str | None


def read_chart(
    page: PagePrimitives, lines: Sequence[Line], box: Box, pixels: ChartPixels | None, caption: str
) -> ChartValues | str | None:
    """Return the values that a chart prints, the reason why they cannot be told, or None where it prints none.

    Args:
        page: what is painted on the page.
        lines: its text lines.
        box: the chart's region, points.
        pixels: the region as rendered: tells the colours of written legends; None where there is none.
        caption: what names the chart, "" where nothing does.
    """
    if not page.words or not page.shapes:
        return None
    chart = open_chart(page, lines, box, pixels, caption)
    if len(chart.labels) < 2 or len(chart.words) > _MOST_WORDS:
        return None
    doubts: list[str] = []
    for read in (read_bars, read_pie, read_lines):
        try:
            reading = read(chart)
            if reading is not None:
                return _as_table(chart, reading)
        except Unclear as doubt:
            doubts.append(str(doubt))
    return doubts[0] if doubts else None


def _as_table(chart: Chart, reading: Reading) -> ChartValues:
    title, subtitle, notes = _title(chart, reading)
    names = [piece.text if piece is not None else "" for piece in reading.series]
    boxes: list[Box | None] = [piece.box if piece is not None else None for piece in reading.series]
    categories = [_plain(piece.text) for piece in reading.categories]
    if len(names) == 1 and not names[0]:
        names = [subtitle or title]
        # of numbers over years alone nobody could tell what they are
        if all(parse_period(text) is not None for text in categories) and not _is_written(chart, names[0]):
            raise Unclear("named outside the chart only")
    elif len(names) > 1 and not title:
        raise Unclear("no title")
    if not all(names):
        raise Unclear("no name for the values")
    keys = list(zip(reading.groups or [""] * len(categories), categories, strict=True))
    if len(set(keys)) < len(keys):
        raise Unclear("two categories of one name")
    units = _units([title, subtitle, *notes, *names], reading)
    names = [_series_name(name) for name in names]
    if len(set(names)) < len(names):
        raise Unclear("two series of one name")
    labels: list[list[Label | None]] = reading.cells
    periods = [parse_period(text) for text in categories]
    across = all(period is not None for period in periods) and not all(parse_period(name) for name in names)
    groups = list(reading.groups) if any(reading.groups) else []
    if across and groups and len(names) == 1:
        regular = _by_group(categories, groups, labels)
        if regular is not None:
            heads, stubs, cells = regular
            category_boxes = [reading.categories[index].box for index in range(len(heads))]
            stub_boxes: list[Box | None] = [None] * len(stubs)
            return _table(title, heads, list(category_boxes), stubs, stub_boxes, cells, [], units)
    if across and not groups:
        cells = [[row[j] for row in labels] for j in range(len(names))]
        return _table(title, categories, [piece.box for piece in reading.categories], names, boxes, cells, [], units)
    return _table(title, names, boxes, categories, [piece.box for piece in reading.categories], labels, groups, units)


def _by_group(
    categories: Sequence[str], groups: Sequence[str], labels: Sequence[Sequence[Label | None]]
) -> tuple[list[str], list[str], list[list[Label | None]]] | None:
    """Return headings, rows and cells where each group has the same categories in the same order."""
    names = list(dict.fromkeys(groups))
    parts = {name: [index for index, group in enumerate(groups) if group == name] for name in names}
    first = [categories[index] for index in parts[names[0]]]
    if len(names) < 2 or any([categories[index] for index in part] != first for part in parts.values()):
        return None
    return first, names, [[labels[index][0] for index in parts[name]] for name in names]


def _table(
    title: str,
    headings: Sequence[str],
    heading_boxes: Sequence[Box | None],
    stubs: Sequence[str],
    stub_boxes: Sequence[Box | None],
    cells: Sequence[Sequence[Label | None]],
    groups: Sequence[str],
    units: Units,
) -> ChartValues:
    return ChartValues(
        title=title,
        header=("", *headings),
        rows=tuple(
            (stub, *(label.text if label is not None else "" for label in row))
            for stub, row in zip(stubs, cells, strict=True)
        ),
        cell_boxes=tuple(
            (box, *(label.box if label is not None else None for label in row))
            for box, row in zip(stub_boxes, cells, strict=True)
        ),
        header_boxes=(None, *heading_boxes),
        row_groups=tuple(groups),
        unit=units.text or None,
        scale=units.scale,
        currency=units.currency,
    )


# ---------------------------------------------------------------------------------------------------- title, units


def _title(chart: Chart, reading: Reading) -> tuple[str, str, list[str]]:
    """Return the chart's title, what stands right above its plot, and whatever else is written above the plot.

    The caption is the title where there is one; else the first lines in the largest or boldest writing are. A short
    line between caption and plot that is no mere unit goes to the title: it says which of several charts this is.
    """
    plot = reading.plot
    assert plot is not None
    above = [
        piece
        for piece in chart.pieces(without=reading.used)
        if piece.y < plot.y0 and any(character.isalpha() or character in "%$€£¥" for character in piece.text)
    ]
    above.sort(key=lambda piece: (piece.box.y0, piece.box.x0))
    blocks: list[list[Piece]] = []
    for piece in above:
        if blocks and goes_on(piece, blocks[-1][-1]):
            blocks[-1].append(piece)
        else:
            blocks.append([piece])
    texts = [join_lines([piece.text for piece in block]) for block in blocks]
    caption = _NUMBERED.sub("", chart.caption).strip()
    if not caption and blocks:
        head = max(range(len(blocks)), key=lambda k: (blocks[k][0].bold, blocks[k][0].size, -k))
        if not is_unit(texts[head]):
            caption = texts.pop(head)
            blocks.pop(head)
    known = re.sub(r"\s", "", caption + "".join(reading.groups))
    told = [(text, block) for text, block in zip(texts, blocks, strict=True) if re.sub(r"\s", "", text) not in known]
    left = min((piece.box.x0 for block in blocks for piece in block), default=plot.x0)
    own = [block[-1].box.y0 for text, block in zip(texts, blocks, strict=True) if re.sub(r"\s", "", text) in known]
    below = max(own, default=0.0)  # what stands over the title names a section
    worded = [
        text for text, block in told if block[0].box.y0 >= below and not is_unit(text) and _is_over(block, plot, left)
    ]
    subtitle = worded[-1] if worded else ""
    if subtitle and len(subtitle) <= 60 and "%" not in subtitle:
        caption = f"{caption}: {subtitle}" if caption else subtitle
    return _plain(caption), _plain(subtitle), [text for text, _ in told]


def _is_written(chart: Chart, name: str) -> bool:
    """Tell whether most words of a name stand in the chart itself."""
    inside = "".join(word.text for word in chart.words).lower()
    words = [word for word in _REMARK.sub("", name).lower().split() if any(c.isalpha() for c in word)]
    return sum(len(word) for word in words if word in inside) >= 0.7 * sum(map(len, words))


def _is_over(block: Sequence[Piece], plot: Box, left: float) -> bool:
    """Tell whether lines stand over a plot as a title does: centred on it, or where its leftmost title starts."""
    box = Box.around(piece.box for piece in block)
    centred = abs((box.x0 + box.x1) - (plot.x0 + plot.x1)) / 2 < 0.06 * plot.width + 2
    return centred or box.x0 - left < 2.0


def _plain(text: str) -> str:
    """Return a name without the marks of notes at its end."""
    return _NOTE_MARK.sub("", text).strip()


def _series_name(text: str) -> str:
    """Return a series' name without notes, its unit and its periods.

    'Revenue $B' and '营业收入（亿元）' lose their units, 'Transaction expense for the three months ended June 30 was as
    follows (in millions)' what follows the noun.

    Raises:
        Unclear: what is left is a sentence.
    """
    name = _REMARK.sub("", _plain(text)) or text
    name = _plain(_UNIT_AT_END.sub("", name.strip(" :：")).strip(" ,，:：")) or name
    name = _AS_FOLLOWS.sub("", name) or name
    if len(name.split()) > _LONGEST_NAME:
        raise Unclear("no name for the values")
    return name


def _units(texts: Sequence[str], reading: Reading) -> Units:
    """Return the unit that all values share: from labels, title, notes or names, the first that tells."""
    labels = [label for row in reading.cells for label in row if label is not None]
    percents = sum(label.percent for label in labels)
    if percents == len(labels):
        return Units(unit="percent", text="%")
    if percents:
        raise Unclear("percent and other values in one chart")
    told = [found for text in texts if text and (found := parse_units(text)).text]
    scales = [found for found in told if found.scale != 1]
    if len({found.scale for found in scales}) > 1:
        raise Unclear("series of different scales")
    if scales:
        currency = next((found.currency for found in told if found.currency), None)
        return scales[0]._replace(currency=scales[0].currency or currency)
    return told[0] if told else Units()
