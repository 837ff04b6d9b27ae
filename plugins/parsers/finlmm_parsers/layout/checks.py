"""What looks like a table and is none: labels of charts, contents lists, numbers in running text."""

from __future__ import annotations

import itertools

from finlmm_core.domain import Box
from finlmm_parsers.layout.gather import Draft
from finlmm_parsers.layout.rows import Row
from finlmm_parsers.layout.rules import Ruling
from finlmm_parsers.layout.values import is_leader
from finlmm_parsers.primitives import PagePrimitives


def is_table(
    draft: Draft, head: list[Row], body: list[Row], box: Box, rows: list[Row], ruling: Ruling, page: PagePrimitives
) -> bool:
    """Tell whether gathered rows are a table."""
    data = [row for row in body if row.values]
    columns = len(draft.columns)
    values = sum(len(row.values) for row in data)
    labelled = sum(1 for row in data if row.texts and row.texts[0].x0 < draft.left)
    if len(data) < 2:
        cells = sum(len(row.values) + len(row.texts) for row in data)
        headings = max((len(row.values) + len(row.texts) for row in head), default=0)
        return cells >= 3 and labelled == 1 and headings >= 2 and _ruled(box, ruling)
    if columns == 1 and len(data) < 3 and not _ruled(box, ruling):
        return False
    first_is_year = sum(1 for row in data if row.values[0].year)
    headed = columns > 1 and any(len(row.values) + len(row.texts) >= columns for row in head)
    with_text = sum(1 for row in data if row.texts)
    if labelled + first_is_year < 0.5 * len(data) and not (
        headed and with_text >= 0.5 * len(data) and values > 0.6 * columns * len(data)
    ):
        return False
    if values < 0.34 * columns * len(data):
        return False
    if _prose_beside(data):
        return False
    if columns == 1 and (_contents_list(data) or _axis(data)):
        return False
    return not (_list_of_documents(data) or _painted(box, page, data))


def _ruled(box: Box, ruling: Ruling) -> bool:
    wide = [r for r in ruling.horizontal if box.y0 - 3 <= r.y0 <= box.y1 + 3 and r.x1 > box.x0 and r.x0 < box.x1]
    return len(wide) >= 2 or any(b.y0 >= box.y0 - 3 and b.y1 <= box.y1 + 3 and b.x0 < box.x1 for b in ruling.bands)


def _plain_integers(data: list[Row]) -> list[int] | None:
    """Return the small whole numbers of a single column, None where more than a few cells hold anything else."""
    numbers = []
    for row in data:
        text = row.values[-1].words[-1].text
        if len(row.values[-1].words) == 1 and text.isdigit() and len(text) <= 3:
            numbers.append(int(text))
    return numbers if len(numbers) >= 0.8 * len(data) else None


def _contents_list(data: list[Row]) -> bool:
    """Tell whether the only column holds page numbers: small whole numbers that never fall."""
    numbers = _plain_integers(data)
    if numbers is None or len(numbers) < 3:
        return False
    falls = sum(1 for a, b in itertools.pairwise(numbers) if b < a)
    leaders = sum(1 for row in data for line in row.texts if is_leader(line.words[-1].text[-4:]))
    if leaders * 2 > len(data):
        return True
    return falls <= 0.1 * len(numbers) and numbers[-1] > numbers[0]


def _prose_beside(data: list[Row]) -> bool:
    """Tell whether the labels are lines of running text that happen to stand beside numbers (a chart's)."""
    begins = [row.texts[0].text[0] for row in data if row.texts]
    return len(begins) >= 2 and sum(1 for c in begins if c.islower()) >= 0.6 * len(begins)


def _axis(data: list[Row]) -> bool:
    """Tell whether the only column is an axis: equal steps."""
    numbers = _plain_integers(data)
    if numbers is None or len(numbers) < 3:
        return False
    steps = {b - a for a, b in itertools.pairwise(numbers)}
    return len(steps) == 1 and 0 not in steps


def _list_of_documents(data: list[Row]) -> bool:
    """Tell whether rows are long texts with nothing but dates and marks beside them: an index of exhibits."""
    values = [value for row in data for value in row.values]
    plain = sum(1 for value in values if "/" in value.words[-1].text or not any(map(str.isdigit, value.words[-1].text)))
    words = sum(len(line.words) for row in data for line in row.texts)
    return plain >= 0.7 * len(values) and words > 8 * len(data)


def _painted(box: Box, page: PagePrimitives, data: list[Row]) -> bool:
    """Tell whether what is painted in the box is a drawing: curves, bars that stand, or bars of differing lengths."""
    boxes = page.shape_boxes
    if not len(boxes):
        return False
    inside = (
        (boxes[:, 0] >= box.x0 - 2)
        & (boxes[:, 2] <= box.x1 + 2)
        & (boxes[:, 1] >= box.y0 - 2)
        & (boxes[:, 3] <= box.y1 + 2)
    )
    curves = bars = 0
    size = data[0].size
    ends: list[int] = []
    for k in inside.nonzero()[0].tolist():
        x0, y0, x1, y1, segments, curved, fill = page.shapes[k][:7]
        if curved or (segments > 8 and fill is None):
            curves += 1
        elif fill is not None:
            tall, wide = y1 - y0, x1 - x0
            if tall > 3 * size and wide > 2.5 and tall > 1.2 * wide:
                bars += _luminance(fill) < 0.75
            elif 0.5 * size < tall < 3 * size and wide > 3 and _luminance(fill) < 0.75:
                ends.append(round(x1 / 3))
    if len(ends) >= 3 and len(set(ends)) > 0.6 * len(ends) and len(ends) >= 0.5 * len(data):
        return True  # shaded cells end where their columns end, bars where their values do
    return (curves >= 2 and curves > 0.3 * len(data)) or (bars >= 3 and bars > 0.3 * len(data))


def _luminance(colour: int) -> float:
    """Return the brightness of 0xRRGGBB, 0 to 1 (Rec. 601 weights)."""
    return (0.299 * (colour >> 16) + 0.587 * (colour >> 8 & 255) + 0.114 * (colour & 255)) / 255
