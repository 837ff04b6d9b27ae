"""The contract of parsers: what any parser, finlmm's own or another's, must make of a PDF.

Subclass ``ParserContract``, give ``make_parser``, and pytest runs the contract; ``make_ocr`` gives the engine for what
is not in the text layer (without one, those tests are skipped). The PDFs are written here, so their truth is exact.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from finlmm_core.domain import Box, Document, Figure, Table
from finlmm_core.plugins.bases import OcrEngine, Parser
from finlmm_core.store.images import ImageStore

WIDTH, HEIGHT = 612.0, 792.0

PROSE = (
    "Revenue for the year rose to 1,250 million dollars because demand for cloud services grew in all regions.",
    "Operating costs increased more slowly than revenue as the company kept its headcount nearly unchanged.",
    "The board proposes a dividend of 0.45 dollars a share and expects moderate growth in the coming year.",
)
TABLE_HEADER = ("(in millions)", "2021", "2020", "2019")
TABLE_ROWS = (
    ("Revenue", "1,250", "1,100", "980"),
    ("Cost of sales", "(700)", "(640)", "(590)"),
    ("Gross profit", "550", "460", "390"),
    ("Operating expenses", "(310)", "(290)", "(270)"),
    ("Operating income", "240", "170", "120"),
    ("Net income", "181", "126", "88"),
)
BARS = ((2018, 88), (2019, 126), (2020, 181), (2021, 240))


class PageMaker:
    """A reportlab canvas with the origin top left, as boxes are stored."""

    def __init__(self, width: float = WIDTH, height: float = HEIGHT) -> None:
        from reportlab.pdfgen.canvas import Canvas

        self.width, self.height = width, height
        self.buffer = io.BytesIO()
        self.canvas: Any = Canvas(self.buffer, pagesize=(width, height), invariant=1)

    def text(
        self, x: float, y: float, text: str, size: float = 10, font: str = "Helvetica", right: bool = False
    ) -> Box:
        """Write a line with its baseline at y; return its box."""
        self.canvas.setFont(font, size)
        width = self.canvas.stringWidth(text, font, size)
        left = x - width if right else x
        self.canvas.drawString(left, self.height - y, text)
        return Box(left, y - 0.75 * size, left + width, y + 0.22 * size)

    def paragraph(self, x: float, y: float, text: str, width: float, size: float = 10) -> float:
        """Write a paragraph; return the y of the line after it."""
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if self.canvas.stringWidth(longer, "Helvetica", size) > width:
                self.text(x, y, line, size)
                y += 1.25 * size
                line = word
            else:
                line = longer
        self.text(x, y, line, size)
        return y + 1.25 * size

    def rule(self, x0: float, x1: float, y: float) -> None:
        """Draw a thin horizontal line."""
        self.canvas.setLineWidth(0.6)
        self.canvas.line(x0, self.height - y, x1, self.height - y)

    def bar(self, box: Box, colour: tuple[float, float, float]) -> None:
        """Draw a filled rectangle."""
        self.canvas.setFillColorRGB(*colour)
        self.canvas.rect(box.x0, self.height - box.y1, box.width, box.height, stroke=0, fill=1)
        self.canvas.setFillColorRGB(0, 0, 0)

    def picture(self, image: Any, box: Box) -> None:
        """Place a PIL image."""
        from reportlab.lib.utils import ImageReader

        self.canvas.drawImage(ImageReader(image), box.x0, self.height - box.y1, box.width, box.height)

    def next_page(self) -> None:
        """Begin another page."""
        self.canvas.showPage()

    def save(self, path: Path) -> Path:
        """Write the file and return its path."""
        self.canvas.showPage()
        self.canvas.save()
        path.write_bytes(self.buffer.getvalue())
        return path


def draw_prose(page: PageMaker, top: float = 90.0) -> float:
    """Draw a heading and three paragraphs; return where they end."""
    page.text(72, top, "Management discussion", size=16, font="Helvetica-Bold")
    y = top + 30
    for paragraph in PROSE:
        y = page.paragraph(72, y, paragraph, 460) + 10
    return y


def draw_table(page: PageMaker, top: float = 300.0) -> Box:
    """Draw a table with rules under its heading and its end; return its box."""
    page.text(72, top - 18, "Table 1: Consolidated income statement", size=11, font="Helvetica-Bold")
    rights = (0.0, 360.0, 440.0, 520.0)
    y = top + 10
    for row in (TABLE_HEADER, *TABLE_ROWS):
        page.text(72, y, row[0])
        for cell, right in zip(row[1:], rights[1:], strict=True):
            page.text(right, y, cell, right=True)
        if row is TABLE_HEADER:
            page.rule(72, 520, y + 5)
        y += 16
    page.rule(72, 520, y - 9)
    return Box(72, top, 520, y - 9)


def draw_chart(page: PageMaker, top: float = 470.0) -> Box:
    """Draw a bar chart of paths with axis, labels and a caption above; return its box."""
    page.text(120, top - 16, "Figure 1: Operating income by year", size=11, font="Helvetica-Bold")
    floor = top + 180
    page.canvas.setLineWidth(0.8)
    page.rule(120, 440, floor)
    for place, (year, value) in enumerate(BARS):
        left = 140 + 75 * place
        height = value / 240 * 150
        page.bar(Box(left, floor - height, left + 45, floor), (0.1, 0.3, 0.7))
        page.text(left + 12, floor - height - 4, str(value))
        page.text(left + 11, floor + 13, str(year))
    return Box(120, top + 18, 440, floor + 16)


def chart_picture(width: int = 900, height: int = 500) -> Any:
    """Return a bar chart as a PIL image, labels included."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(28)
    draw.text((250, 15), "Dividends per share", fill="black", font=font)
    draw.line((80, 420, 860, 420), fill="black", width=3)
    for place, (year, value) in enumerate(((2019, 35), (2020, 40), (2021, 45), (2022, 52))):
        left = 120 + 190 * place
        draw.rectangle((left, 420 - 6 * value, left + 100, 419), fill=(200, 80, 40))
        draw.text((left + 15, 420 - 6 * value - 36), f"0.{value}", fill="black", font=font)
        draw.text((left + 15, 435), str(year), fill="black", font=font)
    return image


def page_picture(pdf: Path, dpi: int = 150) -> Any:
    """Return the first page of a PDF as a PIL image: a clean scan."""
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as document:
        return document[0].render(scale=dpi / 72).to_pil().convert("RGB")


def turned(pdf: Path, turn: int) -> Path:
    """Give the first page of a PDF a rotation, in degrees clockwise."""
    import pypdfium2

    with pypdfium2.PdfDocument(pdf.read_bytes()) as document:
        document[0].set_rotation(turn)
        document.save(pdf)
    return pdf


def text_of(document: Document, page: int = 1) -> str:
    """Return the running text of a page."""
    return "\n".join(block.text for block in document.pages[page - 1].blocks)


def only(document: Document, kind: str) -> Figure:
    """Return the one figure of a kind."""
    found = [figure for figure in document.figures if figure.kind == kind]
    assert len(found) == 1, f"one {kind} expected, found {[(f.kind, f.box) for f in document.figures]}"
    return found[0]


def table_of(document: Document) -> Table:
    """Return the one table."""
    figure = only(document, "table")
    return next(table for table in document.tables if table.figure_id == figure.id)


class ParserContract:
    """Tests that every parser passes. Give ``make_parser``; give ``make_ocr`` too where an engine is at hand."""

    make_parser: ClassVar[Callable[[], Parser]]
    make_ocr: ClassVar[Callable[[], OcrEngine] | None] = None
    #: Least IoU of a figure's box with what was drawn.
    least_iou: ClassVar[float] = 0.75

    def parse(self, pdf: Path, ocr: bool = False) -> Document:
        """Parse with a store beside the file."""
        engine = None
        if ocr:
            make_ocr = type(self).make_ocr
            if make_ocr is None:
                pytest.skip("no OCR engine was given to this contract test")
            engine = make_ocr()
        return type(self).make_parser().parse(pdf, ImageStore(pdf.parent / "images"), engine)

    # --------------------------------------------------------------------------------------------- text

    def test_text_comes_in_reading_order_with_boxes_inside_the_page(self, tmp_path: Path) -> None:
        page = PageMaker()
        draw_prose(page)
        document = self.parse(page.save(tmp_path / "prose.pdf"))
        text = " ".join(text_of(document).split())
        places = [text.find(part) for part in ("Management discussion", *PROSE)]
        assert -1 not in places and places == sorted(places)
        assert document.pages[0].text_source == "layer"
        assert (document.pages[0].width, document.pages[0].height) == (WIDTH, HEIGHT)
        for block in document.pages[0].blocks:
            assert 0 <= block.box.x0 < block.box.x1 <= WIDTH and 0 <= block.box.y0 < block.box.y1 <= HEIGHT
        first = document.pages[0].blocks[0]
        assert first.text == "Management discussion" and first.kind == "heading"
        assert abs(first.box.y1 - 90) < 8, "boxes are counted from the top of the page"

    def test_two_columns_are_read_one_after_the_other(self, tmp_path: Path) -> None:
        page = PageMaker()
        left = right = 120.0
        for number in range(6):
            left = page.paragraph(60, left, f"Left {number}. " + PROSE[number % 3], 230) + 6
        for number in range(6):
            right = page.paragraph(325, right, f"Right {number}. " + PROSE[number % 3], 230) + 6
        text = text_of(self.parse(page.save(tmp_path / "columns.pdf")))
        places = [text.find(f"{side} {number}.") for side in ("Left", "Right") for number in range(6)]
        assert -1 not in places and places == sorted(places)

    def test_a_turned_page_is_read_as_it_is_shown(self, tmp_path: Path) -> None:
        for turn in (90, 180, 270):
            page = PageMaker()
            canvas = page.canvas
            # drawn so that it stands upright once the viewer turns the page
            if turn == 90:
                canvas.translate(WIDTH, 0)
            elif turn == 180:
                canvas.translate(WIDTH, HEIGHT)
            else:
                canvas.translate(0, HEIGHT)
            canvas.rotate(turn)
            shown_height = WIDTH if turn != 180 else HEIGHT
            canvas.setFont("Helvetica", 12)
            canvas.drawString(72, shown_height - 100, PROSE[0][:60])
            document = self.parse(turned(page.save(tmp_path / f"turned{turn}.pdf"), turn))
            shown = document.pages[0]
            assert (shown.width, shown.height) == ((HEIGHT, WIDTH) if turn != 180 else (WIDTH, HEIGHT))
            assert PROSE[0][:60].strip() in text_of(document)
            box = shown.blocks[0].box
            assert abs(box.x0 - 72) < 4 and abs(box.y1 - 100) < 6, f"turned by {turn}: {box}"

    def test_the_crop_box_is_the_page(self, tmp_path: Path) -> None:
        page = PageMaker()
        page.canvas.setCropBox((50, 40, 562, 742))
        page.text(72, 100, "Inside the crop box")
        page.text(2, 20, "Printer's mark outside")
        document = self.parse(page.save(tmp_path / "cropped.pdf"))
        shown = document.pages[0]
        assert (round(shown.width), round(shown.height)) == (512, 702)
        assert text_of(document).strip() == "Inside the crop box"
        assert abs(shown.blocks[0].box.x0 - 22) < 3 and abs(shown.blocks[0].box.y1 - 50) < 5

    def test_chinese_is_read(self, tmp_path: Path) -> None:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont

        pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
        page = PageMaker()
        sentences = ("公司二〇二一年营业收入为一百二十五亿元，同比增长百分之十三。", "净利润率上升，主要由于成本控制。")
        for line, sentence in enumerate(sentences):
            page.text(72, 100 + 40 * line, sentence, size=12, font="STSong-Light")
        document = self.parse(page.save(tmp_path / "chinese.pdf"))
        text = "".join(text_of(document).split())
        assert all(sentence in text for sentence in sentences)
        assert document.meta.language == "zh"

    # --------------------------------------------------------------------------------------------- figures

    def test_a_table_gives_its_cells_header_scale_and_caption(self, tmp_path: Path) -> None:
        page = PageMaker()
        draw_prose(page)
        drawn = draw_table(page)
        document = self.parse(page.save(tmp_path / "table.pdf"))
        table = table_of(document)
        assert table.rows == TABLE_ROWS
        assert table.header[1:] == TABLE_HEADER[1:]
        assert table.scale == 1_000_000
        figure = only(document, "table")
        assert figure.box.iou(drawn) >= self.least_iou
        assert figure.text_source == "layer"
        assert "Consolidated income statement" in figure.caption
        for row, boxes in zip(table.rows, table.cell_boxes, strict=True):
            assert len(row) == len(table.header) == len(boxes)
            for cell, box in zip(row, boxes, strict=True):
                assert (box is None) == (cell == "")
                assert box is None or figure.box.grown(2).covers(box) > 0.95
        assert "1,250" not in text_of(document).replace(PROSE[0], ""), "table cells are no blocks"

    def test_a_drawn_chart_is_one_figure_with_its_labels_and_caption(self, tmp_path: Path) -> None:
        page = PageMaker()
        draw_prose(page)
        drawn = draw_chart(page)
        document = self.parse(page.save(tmp_path / "chart.pdf"))
        figure = only(document, "chart")
        with_caption = Box.around([drawn, *([figure.caption_box] if figure.caption_box else [])])
        assert max(figure.box.iou(drawn), figure.box.iou(with_caption)) >= self.least_iou
        assert all(str(value) in figure.text and str(year) in figure.text for year, value in BARS)
        assert "Operating income by year" in figure.caption + figure.text
        assert figure.text_source == "layer"

    def test_a_crop_shows_what_the_box_says(self, tmp_path: Path) -> None:
        import numpy as np

        page = PageMaker()
        draw_chart(page)
        document = self.parse(page.save(tmp_path / "crop.pdf"))
        figure = only(document, "chart")
        assert figure.image is not None
        pixels = np.asarray(ImageStore(tmp_path / "images").open(figure.image)).astype(int)
        assert pixels.shape[:2] == (figure.image.height, figure.image.width)
        assert abs(figure.image.width / figure.image.height - figure.box.width / figure.box.height) < 0.15
        blue = (pixels[..., 2] > pixels[..., 0] + 60).mean()
        bars = sum(45 * value / 240 * 150 for _, value in BARS)
        assert abs(blue - bars / figure.box.area) < 0.25 * bars / figure.box.area

    @pytest.mark.slow
    def test_a_chart_that_is_a_picture_is_read_by_ocr(self, tmp_path: Path) -> None:
        page = PageMaker()
        end = draw_prose(page)
        drawn = Box(100, end + 40, 460, end + 240)
        page.picture(chart_picture(), drawn)
        page.text(100, end + 30, "Figure 2: Dividends", size=11, font="Helvetica-Bold")
        document = self.parse(page.save(tmp_path / "picture.pdf"), ocr=True)
        figure = only(document, "chart")
        assert figure.box.iou(drawn) >= self.least_iou
        assert figure.text_source == "ocr"
        assert "2021" in figure.text and "0.45" in figure.text
        assert "Dividends" in figure.caption

    @pytest.mark.slow
    def test_a_scanned_page_gives_text_and_figures_like_a_printed_one(self, tmp_path: Path) -> None:
        page = PageMaker()
        draw_prose(page)
        table, chart = draw_table(page), draw_chart(page, top=520.0)
        picture = page_picture(page.save(tmp_path / "printed.pdf"))
        scan = PageMaker()
        scan.picture(picture, Box(0, 0, WIDTH, HEIGHT))
        scan.text(20, 12, "Filed 09/13/21  Page 1 of 1", size=8)
        document = self.parse(scan.save(tmp_path / "scan.pdf"), ocr=True)
        assert document.pages[0].text_source == "ocr"
        text = " ".join(text_of(document).split())
        assert "demand for cloud services grew" in text
        assert only(document, "table").box.iou(table) >= self.least_iou
        rows = table_of(document).rows
        assert [row[1:] for row in rows] == [row[1:] for row in TABLE_ROWS]
        found = only(document, "chart")
        assert found.box.overlap(chart) >= self.least_iou * chart.area
        assert found.text_source == "ocr" and "2021" in found.text

    def test_without_an_engine_a_scanned_page_stays_empty_and_says_so(self, tmp_path: Path) -> None:
        page = PageMaker()
        draw_prose(page)
        picture = page_picture(page.save(tmp_path / "printed.pdf"), dpi=72)
        scan = PageMaker()
        scan.picture(picture, Box(0, 0, WIDTH, HEIGHT))
        document = self.parse(scan.save(tmp_path / "scan.pdf"))
        assert document.pages[0].text_source == "none"
        assert text_of(document) == ""

    def test_a_logo_on_every_page_is_dropped_with_its_reason(self, tmp_path: Path) -> None:
        from PIL import Image, ImageDraw

        logo = Image.new("RGB", (300, 200), "white")
        ImageDraw.Draw(logo).ellipse((20, 20, 280, 180), fill=(0, 90, 160))
        page = PageMaker()
        for number in range(6):
            page.picture(logo, Box(450, 30, 570, 110))
            draw_prose(page, top=140)
            page.text(300, 770, str(number + 1), size=9)
            page.next_page()
        document = self.parse(page.save(tmp_path / "logo.pdf"))
        assert document.figures == ()
        assert any(rejected.reason == "repeated_logo" for rejected in document.rejected)

    # --------------------------------------------------------------------------------------------- the whole

    def test_the_same_file_gives_the_same_document(self, tmp_path: Path) -> None:
        import hashlib

        page = PageMaker()
        draw_prose(page)
        draw_table(page)
        path = page.save(tmp_path / "same.pdf")
        first, second = self.parse(path), self.parse(path)
        assert first == second
        assert first.id == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_ids_and_pages_hold_together(self, tmp_path: Path) -> None:
        page = PageMaker()
        for _ in range(3):
            draw_prose(page)
            draw_table(page)
            page.next_page()
        document = self.parse(page.save(tmp_path / "many.pdf"))
        assert [shown.number for shown in document.pages] == list(range(1, len(document.pages) + 1))
        ids = [figure.id for figure in document.figures]
        assert len(ids) == len(set(ids)) == 3
        assert {table.figure_id for table in document.tables} <= set(ids)
