"""Pages that fill up: columns, headings, paragraphs, figures with captions, running heads, logos and decoration."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

from finlmm_core.domain import BlockKind, Box
from finlmm_core.synth import noise
from finlmm_core.synth.chart_kinds import ChartSpec
from finlmm_core.synth.charts import draw_chart, render_png
from finlmm_core.synth.fonts import text_width
from finlmm_core.synth.look import ReportLook
from finlmm_core.synth.pages import PageDraft, draw_furniture
from finlmm_core.synth.sheet import Sheet, is_cjk
from finlmm_core.synth.table_plan import TableLook, TableSpec, plan_table, wrap
from finlmm_core.synth.tables import draw_table
from finlmm_core.synth.truth import (
    FigureSource,
    TruthBlock,
    TruthFigure,
    TruthNoise,
    TruthStatement,
)
from finlmm_core.synth.vector import CanvasRenderer


@dataclass(frozen=True)
class Caption:
    """A caption; ``unit`` is printed with it or on a line of its own where the look says so."""

    text: str
    note: str = ""
    alternatives: tuple[str, ...] = ()


class Flow:
    """Fills pages from top to bottom, column by column."""

    def __init__(self, rng: random.Random, look: ReportLook, logo: noise.Logo, head: str) -> None:
        self.rng = rng
        self.look = look
        self.logo = logo
        self.head = head
        self.pages: list[PageDraft] = []
        self.y = 0.0
        self.column = 0
        self._counts: dict[int, int] = {}
        self._columns = 1
        self._limit = self._region_top = self._deepest = 0.0

    # ------------------------------------------------------------------ pages and columns

    @property
    def page(self) -> PageDraft:
        return self.pages[-1]

    @property
    def sheet(self) -> Sheet:
        return self.page.sheet

    @property
    def column_count(self) -> int:
        """Columns of the region that is being filled."""
        return self._columns

    @property
    def gutter(self) -> float:
        return 20.0

    @property
    def left(self) -> float:
        start = self.look.margin + (26.0 if self.look.sidebar else 0.0)
        return start + self.column * (self.column_width + self.gutter)

    @property
    def column_width(self) -> float:
        start = self.look.margin + (26.0 if self.look.sidebar else 0.0)
        whole = self.look.width - start - self.look.margin
        return (whole - self.gutter * (self._columns - 1)) / self._columns

    @property
    def top(self) -> float:
        return self.look.margin + (22.0 if self.page.furniture else 0.0)

    @property
    def bottom(self) -> float:
        end = self.look.height - self.look.margin - 16.0
        return min(end, self._limit) if self._limit else end

    def new_page(self, columns: int = 1, *, scanned: bool = False, furniture: bool = True) -> None:
        """Start a page, with running head, page number, logo and sidebar as the look has them."""
        number = len(self.pages) + 1
        self.pages.append(PageDraft(Sheet(self.look.width, self.look.height), number, columns, scanned, furniture))
        self.column = 0
        self._columns = columns
        self._limit = 0.0
        self.y = self._region_top = self._deepest = self.top
        if furniture:
            draw_furniture(self.page, self.look, self.logo, self.head)

    def room(self) -> float:
        """Return the free height in the current column."""
        return self.bottom - self.y

    def need(self, height: float) -> None:
        """Go to the next column or page unless so much height is free."""
        if self.room() >= height:
            return
        if self.column + 1 < self._columns and self.bottom - self._region_top >= height:
            self.next_column()
        else:
            self.new_page(self._columns, scanned=self.page.scanned)

    def next_column(self) -> None:
        """Go on at the top of the next column of this region."""
        self._deepest = max(self._deepest, self.y)
        self.column += 1
        self.y = self._region_top

    def columns(self, count: int, least: float = 220.0, height: float | None = None) -> None:
        """Go on with so many columns, below what is there if ``least`` points are free, else on a new page.

        Args:
            count: columns side by side.
            least: height in points that the region needs on this page.
            height: where a region of several columns should end, in points from its top; None for the whole page.
        """
        self._limit = 0.0
        self.y = max(self.y, self._deepest)
        if self.room() < max(least, height or 0.0):
            self.new_page(count)
        elif self.y > self.top + 1:
            self.y += self.look.size
        self._columns = count
        self.page.columns = max(self.page.columns, count)
        self.column = 0
        self._region_top = self._deepest = self.y
        if height is not None and count > 1:
            self._limit = self.y + height

    # ------------------------------------------------------------------ text

    def heading(self, text: str, level: int = 1) -> None:
        """Write a heading of level 1 to 3."""
        look = self.look
        size = look.size * {1: 2.0, 2: 1.4, 3: 1.1}[level]
        lines = wrap(text, look.display.bold, size, self.column_width)
        self.need(len(lines) * size * 1.25 + {1: 110, 2: 90, 3: 80}[level])
        if self.y > self._region_top + 1:
            self.y += size * 0.75
        boxes = []
        for line in lines:
            self.y += size
            boxes.append(
                self.sheet.text(
                    self.left, self.y, line, look.display.bold, size, look.accent if level < 3 else look.ink
                )
            )
            self.y += size * 0.25
        if level == 1 and look.caption_rule:
            self.sheet.line(self.left, self.y + 2, self.left + self.column_width, self.y + 2, look.accent, 0.8)
        self.y += size * 0.35
        self._block("heading", text, boxes)

    def paragraph(self, text: str, *, statement: tuple[str, str, bool, str] | None = None, bullet: str = "") -> None:
        """Write a paragraph; ``statement`` is (subject, cause, rises, sentence) where it holds a causal statement."""
        look = self.look
        size, leading = look.size, look.size * 1.38
        indent = size * 1.3 if bullet else 0.0
        lines = wrap(text, look.body.regular, size, self.column_width - indent)
        self.need(len(lines) * leading)
        boxes = []
        for index, line in enumerate(lines):
            self.y += leading
            if bullet and index == 0:
                boxes.append(self.sheet.text(self.left, self.y, bullet, look.body.regular, size, look.ink))
            space = 0.0
            gaps = line.count(" ")
            if look.justify and index < len(lines) - 1 and gaps > 3:
                free = self.column_width - indent - text_width(line, look.body.regular, size)
                space = free / gaps if free / gaps < size * 0.6 else 0.0
            boxes.append(
                self.sheet.text(self.left + indent, self.y, line, look.body.regular, size, look.ink, word_space=space)
            )
        self.y += size * 0.75
        self._block("list_item" if bullet else "paragraph", f"{bullet} {text}".strip(), boxes)
        if statement is not None:
            subject, cause, rises, sentence = statement
            self.page.statements.append(
                TruthStatement(page=self.page.number, subject=subject, cause=cause, rises=rises, text=sentence)
            )

    def _block(self, kind: BlockKind, text: str, boxes: list[Box]) -> Box:
        box = Box.around(boxes).rounded()
        self.page.blocks.append(TruthBlock(page=self.page.number, kind=kind, box=box, text=text))
        return box

    # ------------------------------------------------------------------ figures

    def _caption_lines(self, caption: Caption, width: float) -> list[str]:
        if not caption.text:
            return []
        return wrap(caption.text, self.look.display.bold, self.look.size, width)

    def _draw_caption(self, lines: list[str], text: str) -> Box:
        look = self.look
        boxes = []
        for line in lines:
            self.y += look.size * 1.2
            boxes.append(self.sheet.text(self.left, self.y, line, look.display.bold, look.size, look.caption_color))
        self.y += look.size * 0.45
        return self._block("caption", text, boxes)

    def _figure_id(self) -> str:
        self._counts[self.page.number] = self._counts.get(self.page.number, 0) + 1
        return f"p{self.page.number}-{self._counts[self.page.number]}"

    def chart(
        self, spec: ChartSpec, caption: Caption, height: float, *, raster: bool, title: str = "", share: float = 1.0
    ) -> None:
        """Place a chart with its caption and source note; ``share`` is its part of the column's width."""
        look = self.look
        width = self.column_width * share
        lines = self._caption_lines(caption, self.column_width)
        extra = len(lines) * look.size * 1.2 + look.size + (look.size * 1.5 if caption.note else 0)
        self.need(height + extra + 12)
        self.y += 4
        caption_box = None
        above = look.captions_above
        if lines and above:
            caption_box = self._draw_caption(lines, caption.text)
        drawn = draw_chart(spec, look.chart, width, height, raster=raster, title=title)
        frame = Box(self.left, self.y, self.left + width, self.y + height)
        ink = self._put_chart(drawn, frame, raster)
        self.y += height + 2
        if lines and not above:
            caption_box = self._draw_caption(lines, caption.text)
        note_box = self._note(caption.note) if caption.note else None
        self.y += look.size * 0.9
        alternatives = [frame] if raster else []
        if caption_box is not None:
            alternatives.append(Box.around([ink, caption_box]))
        if note_box is not None:
            alternatives.append(Box.around([ink, note_box]))
            if caption_box is not None:
                alternatives.append(Box.around([ink, caption_box, note_box]))
        self._add_figure(
            "chart",
            ink,
            alternatives,
            caption,
            caption_box,
            raster,
            title=title,
            chart_type=spec.kind,
            series=drawn.series,
            unit=spec.unit,
        )

    def _put_chart(self, drawn: Any, frame: Box, raster: bool) -> Box:
        if raster:
            encoded, ink = render_png(drawn, dpi=self.rng.choice([130, 150, 180]))
            self.sheet.image(frame, encoded)
            return Box(frame.x0 + ink.x0, frame.y0 + ink.y0, frame.x0 + ink.x1, frame.y0 + ink.y1)
        family = self.look.chart.family
        measure = CanvasRenderer(drawn.width, drawn.height, family)
        drawn.figure.draw(measure)
        bottom = self.look.height - frame.y1

        def paint(canvas: Any) -> None:
            drawn.figure.draw(CanvasRenderer(drawn.width, drawn.height, family, canvas, frame.x0, bottom))

        self.sheet.paint(paint)
        ink = Box.around(measure.ink)
        return Box(frame.x0 + ink.x0, frame.y0 + ink.y0, frame.x0 + ink.x1, frame.y0 + ink.y1)

    def _note(self, text: str) -> Box:
        look = self.look
        size = look.size - 1.5
        boxes = []
        for line in wrap(text, look.body.regular, size, self.column_width):
            self.y += size * 1.25
            boxes.append(self.sheet.text(self.left, self.y, line, look.body.regular, size, (0.35, 0.35, 0.35)))
        self.y += 2
        return self._block("note", text, boxes)

    def _add_figure(
        self,
        kind: Literal["chart", "table"],
        ink: Box,
        alternatives: list[Box],
        caption: Caption,
        caption_box: Box | None,
        raster: bool,
        **more: Any,
    ) -> None:
        source: FigureSource = "scan" if self.page.scanned else "raster" if raster else "vector"
        extra = caption.alternatives
        if not caption.text and more.get("title"):
            extra = (*extra, more["title"])
        self.page.figures.append(
            TruthFigure(
                id=self._figure_id(),
                page=self.page.number,
                kind=kind,
                box=ink.rounded(),
                alt_boxes=tuple(box.rounded() for box in alternatives),
                source=source,
                caption=caption.text,
                alt_captions=extra,
                caption_box=caption_box,
                **more,
            )
        )

    def table(self, spec: TableSpec, caption: Caption, *, table_look: TableLook | None = None) -> bool:
        """Place a table with its caption and unit line; False where it is too wide for the column."""
        look = self.look
        shape = table_look or look.table
        plan = plan_table(spec, shape, self.column_width)
        if plan is None:
            return False
        lines = self._caption_lines(caption, self.column_width)
        unit_line = spec.unit if look.unit_place == "line" else ""
        extra = len(lines) * look.size * 1.2 + look.size * (2.2 if unit_line else 0.8)
        if plan.height + extra > self.bottom - self.top:
            return False
        self.need(plan.height + extra + 6 + (look.size * 2.4 if caption.note else 0))
        self.y += 3
        caption_box = self._draw_caption(lines, caption.text) if lines else None
        unit_box = None
        if unit_line:
            self.y += shape.size * 1.05
            right = any(is_cjk(char) for char in unit_line)
            x, align = (self.left + plan.width, "right") if right else (self.left, "left")
            unit_box = self.sheet.text(x, self.y, unit_line, look.body.regular, shape.size, look.ink, align)
            self.y += shape.size * 0.45
        self.y += 2
        ink, truth = draw_table(plan, self.sheet, self.left, self.y)
        self.y += plan.height + look.size * 1.3
        alternatives = []
        if unit_box is not None:
            alternatives.append(Box.around([ink, unit_box]))
        if caption_box is not None:
            alternatives.append(Box.around([ink, caption_box, *([unit_box] if unit_box else [])]))
        if caption.note:
            self.y -= look.size * 0.8
            alternatives.append(Box.around([ink, self._note(caption.note)]))
            self.y += look.size * 0.8
        self._add_figure("table", ink, alternatives, caption, caption_box, False, table=truth)
        return True

    # ------------------------------------------------------------------ noise

    def photo(self, height: float, kind: int) -> None:
        """Place a photo-like picture across the column."""
        self.need(height + 10)
        self.y += 6
        box = Box(self.left, self.y, self.left + self.column_width, self.y + height)
        encoded = noise.photo(self.rng, kind, int(box.width * 1.3), int(height * 1.3))
        self.sheet.image(box, encoded)
        self.page.noise.append(TruthNoise(page=self.page.number, kind="photo", box=box.rounded()))
        self.y += height + 10

    def callouts(self, cards: list[tuple[str, str]]) -> None:
        """Place a row of cards, each with one big number and a line below it."""
        look = self.look
        height = look.size * 5.2
        self.need(height + 12)
        self.y += 4
        gap = 10.0
        width = (self.column_width - gap * (len(cards) - 1)) / len(cards)
        for index, (number, label) in enumerate(cards):
            x = self.left + index * (width + gap)
            box = self.sheet.rect(Box(x, self.y, x + width, self.y + height), fill=look.accent)
            size = look.size * 1.9
            while text_width(number, look.display.bold, size) > width - 8:
                size *= 0.92
            self.sheet.text(x + width / 2, self.y + height * 0.48, number, look.display.bold, size, (1, 1, 1), "center")
            small = look.size * 0.85
            while text_width(label, look.body.regular, small) > width - 6:
                small *= 0.94
            self.sheet.text(x + width / 2, self.y + height * 0.78, label, look.body.regular, small, (1, 1, 1), "center")
            self.page.noise.append(TruthNoise(page=self.page.number, kind="callout", box=box.rounded()))
        self.y += height + 10
