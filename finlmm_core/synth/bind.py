"""From page drafts to a PDF; scanned pages are turned into pictures, and their truth is turned with them."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

from finlmm_core.domain import Box
from finlmm_core.synth.pages import PageDraft
from finlmm_core.synth.scan import rotate_box, scan_page
from finlmm_core.synth.sheet import Sheet
from finlmm_core.synth.truth import TruthTable


def bind(pages: Sequence[PageDraft], title: str, author: str, rng: random.Random) -> bytes:
    """Return the pages as a PDF without a date; scanned drafts get the boxes that their pictures show."""
    from reportlab import rl_config
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    # Pictures as bytes, as other producers write them, and not as text: a setting of the whole library.
    before, rl_config.useA85 = rl_config.useA85, 0
    try:
        size = (pages[0].sheet.width, pages[0].sheet.height)
        canvas: Any = Canvas(buffer, pagesize=size, invariant=1, pageCompression=1)
        canvas.setTitle(title)
        canvas.setAuthor(author)
        for page in pages:
            if page.scanned:
                scan = scan_page(page.sheet, rng)
                canvas.drawImage(scan.reader(), 0, 0, page.sheet.width, page.sheet.height)
                _turn(page, scan.angle)
            else:
                page.sheet.play(canvas)
            canvas.showPage()
        canvas.save()
    finally:
        rl_config.useA85 = before
    return buffer.getvalue()


def _turn(page: PageDraft, angle: float) -> None:
    """Turn all boxes of a page by so many degrees."""

    def turned(box: Box) -> Box:
        return rotate_box(box, angle, page.sheet)

    page.figures = [
        figure.model_copy(
            update={
                "box": turned(figure.box),
                "source": "scan",
                "alt_boxes": tuple(turned(box) for box in figure.alt_boxes),
                "caption_box": figure.caption_box and turned(figure.caption_box),
                "table": figure.table and _turned_table(figure.table, angle, page.sheet),
            }
        )
        for figure in page.figures
    ]
    page.blocks = [block.model_copy(update={"box": turned(block.box)}) for block in page.blocks]
    page.noise = [item.model_copy(update={"box": turned(item.box)}) for item in page.noise]


def _turned_table(table: TruthTable, angle: float, sheet: Sheet) -> TruthTable:
    rows = tuple(tuple(box and rotate_box(box, angle, sheet) for box in row) for row in table.cell_boxes)
    header = tuple(box and rotate_box(box, angle, sheet) for box in table.header_boxes)
    return table.model_copy(update={"header_boxes": header, "cell_boxes": rows})
