"""What annual reports do to tables, captions and charts that plainer pages do not: leaders, running heads, frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from finlmm_parsers.layout.headings import has_unit_behind, is_unit_note
from finlmm_parsers.layout.lines import find_lines
from finlmm_parsers.layout.tables import find_tables
from finlmm_parsers.scan_skew import skew, straightened
from layout_pages import Sheet
from PIL import Image, ImageDraw, ImageFont
from test_figures import Sheet as Drawing
from test_figures import charts_on


def tables_of(sheet: Sheet) -> list[tuple[tuple[str, ...], ...]]:
    page = sheet.page
    return [(table.header, *table.rows) for table in find_tables(page, find_lines(page))]


def test_dots_lead_to_values_that_stand_right_behind_them() -> None:
    sheet = Sheet()
    for row, (label, first, second) in enumerate(
        (("", "2018", "2017"), ("Gross margin", "52.8%", "53.0%"), ("Net margin", "27.3%", "27.2%"))
    ):
        y = 100.0 + 12 * row
        if label:
            dots = "." * round((150 - sheet.measure(label, 9, False)) / 2.5)
            sheet.text(50, y, f"{label} {dots} {first}")
            sheet.text(300, y, second, align="right")
        else:
            sheet.text(230, y, first, align="right")
            sheet.text(300, y, second, align="right")
    assert [table[1:] for table in tables_of(sheet)] == [
        (("Gross margin", "52.8%", "53.0%"), ("Net margin", "27.3%", "27.2%"))
    ]


def test_a_percent_sign_on_a_line_of_its_own_begins_a_heading() -> None:
    sheet = Sheet()
    edges = [300.0, 360.0, 430.0]
    sheet.text(430, 100, "%", align="right")
    for edge, text in zip(edges, ("2018", "2017", "Change"), strict=True):
        sheet.text(edge, 111, text, align="right")
    sheet.row(125, "Revenue", ["5,238", "5,074", "3.2%"], edges)
    sheet.row(137, "Cost of goods sold", ["2,567", "2,396", "7.1%"], edges)
    assert [table[0] for table in tables_of(sheet)] == [("", "2018", "2017", "% Change")]


def test_a_unit_of_two_lines_over_the_labels_is_one_heading() -> None:
    sheet = Sheet()
    edges = [180.0, 240.0, 300.0]
    sheet.text(50, 100, "人民币千")
    sheet.text(50, 110, "元")
    for edge, text in zip(edges, ("第1季度", "第2季度", "全年"), strict=True):
        sheet.text(edge, 110, text, align="right")
    sheet.row(122, "2015年", ["1,370,412", "1,120,922", "4,979,204"], edges)
    sheet.row(134, "2014年", ["1,247,583", "1,093,413", "4,688,350"], edges)
    page = sheet.page
    [table] = find_tables(page, find_lines(page))
    assert (table.header[0], table.scale, table.currency) == ("人民币千元", 1000, "CNY")


@pytest.mark.parametrize(
    "text", ["Summary of results (in thousands, except per share data)", "合并利润表（单位：万元 币种：人民币）"]
)
def test_a_title_with_its_unit_behind_it_is_a_title(text: str) -> None:
    assert has_unit_behind(text)
    assert not is_unit_note(text)


@pytest.mark.parametrize("text", ["(in millions)", "单位：万元 币种：人民币", "Amounts in $ (thousands)", "€ million"])
def test_a_unit_alone_is_no_title(text: str) -> None:
    assert not has_unit_behind(text)
    assert is_unit_note(text)


def test_the_rule_of_a_running_head_is_no_part_of_the_chart_below(tmp_path: Path) -> None:
    sheet = Drawing(tmp_path / "head.pdf")
    sheet.text(60, 40, "Annual report 2022", 7)
    sheet.rule(55, 290, 52)
    extent = sheet.bars(60, 90, (40, 55, 48, 70, 90, 60)[:5])
    sheet.prose(300)
    [chart] = charts_on(sheet.save())
    assert chart.y0 > 60
    assert chart.iou(extent) > 0.8


def test_the_heading_of_a_section_is_no_part_of_the_chart_below(tmp_path: Path) -> None:
    sheet = Drawing(tmp_path / "section.pdf")
    sheet.prose(60)
    sheet.text(60, 190, "Our segments", 18, "Helvetica-Bold")
    extent = sheet.bars(75, 225, (40, 55, 48, 70, 90))
    sheet.prose(400)
    [chart] = charts_on(sheet.save())
    assert chart.y0 > 205
    assert chart.iou(extent) > 0.8


def test_a_line_of_three_points_with_spots_at_its_ends_is_a_chart(tmp_path: Path) -> None:
    sheet = Drawing(tmp_path / "three.pdf")
    sheet.prose(60)
    canvas = sheet.canvas
    for colour, heights in (("#aa3300", (300, 320, 270)), ("#0033aa", (340, 335, 350))):
        canvas.setStrokeColor(colour)
        canvas.setFillColor(colour)
        path = canvas.beginPath()
        places = [(x, 842 - y) for x, y in zip((120, 250, 380), heights, strict=True)]
        path.moveTo(*places[0])
        for place in places[1:]:
            path.lineTo(*place)
        canvas.drawPath(path, stroke=1, fill=0)
        for x, y in places:
            canvas.circle(x, y, 2.2, stroke=0, fill=1)
    sheet.rule(90, 410, 370)
    for x, year in zip((120, 250, 380), ("2015", "2016", "2017"), strict=True):
        sheet.text(x - 8, 376, year, 8)
    for y, value in ((260, "4,000"), (310, "3,000"), (360, "2,000")):
        sheet.text(60, y, value, 8)
    [chart] = charts_on(sheet.save())
    assert chart.x0 < 70 and chart.x1 > 380 and chart.y1 > 378


def page_picture() -> Image.Image:
    """A page of lines in grey, 800 x 1000 pixels."""
    image = Image.new("RGB", (800, 1000), (244, 244, 240))
    pen = ImageDraw.Draw(image)
    for row in range(30):
        pen.text(
            (80, 80 + 26 * row),
            "Revenue for the year rose because demand grew",
            (30, 30, 30),
            ImageFont.load_default(18),
        )
        pen.text((620, 80 + 26 * row), f"{1234 + 77 * row:,}", (30, 30, 30), ImageFont.load_default(18))
    return image


@pytest.mark.parametrize("angle", [-1.4, -0.5, 0.3, 0.8])
def test_a_page_that_lies_askew_is_turned_level(angle: float) -> None:
    askew = page_picture().rotate(angle, resample=Image.Resampling.BICUBIC, fillcolor=(244, 244, 240))
    assert skew(np.asarray(askew.convert("L"))) == pytest.approx(-angle, abs=0.1)
    assert skew(np.asarray(straightened(askew).convert("L"))) == pytest.approx(0.0, abs=0.1)


def test_a_level_page_and_a_page_without_lines_are_left_as_they_are() -> None:
    level = page_picture()
    assert straightened(level) is level
    noise = np.random.default_rng(0).integers(0, 255, (900, 700, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise)
    assert straightened(photograph) is photograph
