"""Tables found and read on pages whose every word is known."""

from __future__ import annotations

import json
from pathlib import Path

from finlmm_parsers.layout.lines import find_lines
from finlmm_parsers.layout.tables import find_tables
from finlmm_parsers.layout.types import TableRegion
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_pages import PROSE, Sheet

from finlmm_core.domain import Box


def tables_of(sheet: Sheet) -> list[TableRegion]:
    page = sheet.page
    return find_tables(page, find_lines(page))


def only_table(sheet: Sheet) -> TableRegion:
    tables = tables_of(sheet)
    assert len(tables) == 1, [table.box for table in tables]
    return tables[0]


def statement() -> Sheet:
    """An income statement without any rule, as in a 10-K."""
    sheet = Sheet()
    right = [380.0, 460.0, 540.0]
    y = sheet.prose(50, 80, 500, PROSE) + 12
    sheet.text(306, y, "CONSOLIDATED STATEMENTS OF INCOME", bold=True, align="center")
    sheet.text(306, y + 12, "(in millions, except per share data)", align="center")
    sheet.text(440, y + 36, "Year Ended December 31,", bold=True, align="center")
    for year, edge in zip(("2021", "2020", "2019"), right, strict=True):
        sheet.text(edge - 10, y + 48, year, bold=True, align="center")
    sheet.row(y + 62, "Net revenue", ["$ 1,944", "$ 1,733", "$ 1,512"], right)
    sheet.text(50, y + 74, "Costs and expenses:")
    sheet.row(y + 86, "Cost of revenue", ["902", "811", "(745)"], right, x=60)
    sheet.text(60, y + 98, "Research and development, including amortization of")
    sheet.row(y + 109, "acquired technology", ["120", "98", "—"], right, x=68)
    sheet.row(y + 121, "Total costs and expenses", ["1,022", "909", "745"], right)
    sheet.row(y + 133, "Income before income taxes", ["$ 922", "$ 824", "$ 767"], right)
    sheet.prose(50, y + 165, 500, PROSE)
    return sheet


def test_a_statement_without_rules_is_read_cell_by_cell() -> None:
    table = only_table(statement())
    assert table.header == (
        "",
        "Year Ended December 31, 2021",
        "Year Ended December 31, 2020",
        "Year Ended December 31, 2019",
    )
    assert table.rows == (
        ("Net revenue", "$ 1,944", "$ 1,733", "$ 1,512"),
        ("Cost of revenue", "902", "811", "(745)"),
        ("Research and development, including amortization of acquired technology", "120", "98", "—"),
        ("Total costs and expenses", "1,022", "909", "745"),
        ("Income before income taxes", "$ 922", "$ 824", "$ 767"),
    )
    assert table.row_groups == ("", *["Costs and expenses:"] * 3, "")
    assert (table.scale, table.currency) == (1_000_000, "USD")
    assert table.unit == "in millions, except per share data"
    assert table.title == "CONSOLIDATED STATEMENTS OF INCOME"


def test_the_box_of_a_table_holds_headings_and_body_and_nothing_else() -> None:
    sheet = statement()
    table = only_table(sheet)
    inside = [w.text for w in sheet.words if table.box.covers(w.box) > 0.9]
    assert inside[0] == "Year" and inside[-1] == "767"


def test_a_page_of_prose_with_numbers_in_it_has_no_table() -> None:
    sheet = Sheet()
    y = 80.0
    for _ in range(6):
        y = sheet.prose(50, y, 500, PROSE + "Sales rose 4% to $1,944 million in 2021 from $1,869 million in 2020.") + 8
    assert tables_of(sheet) == []


def test_a_contents_list_is_no_table() -> None:
    sheet = Sheet()
    sheet.text(306, 80, "TABLE OF CONTENTS", bold=True, align="center")
    for k, (title, number) in enumerate(
        [("Business", 3), ("Risk Factors", 14), ("Properties", 29), ("Legal Proceedings", 29), ("Controls", 101)]
    ):
        sheet.row(110 + 14 * k, f"Item {k + 1}. {title}", [str(number)], [560.0])
    assert tables_of(sheet) == []


def test_labels_of_an_axis_are_no_table() -> None:
    sheet = Sheet()
    for k in range(6):
        sheet.text(80, 300 - 30 * k, str(20 * k), align="right", size=7)
        sheet.band(100 + 50 * k, 300 - 25 * (k + 1), 130 + 50 * k, 300, fill=0x003366)
        sheet.text(115 + 50 * k, 312, str(2015 + k), align="center", size=7)
        sheet.text(115 + 50 * k, 270 - 25 * k, f"{13.1 + 12 * k:.1f}", align="center", size=7)
    assert tables_of(sheet) == []


def test_two_columns_of_prose_are_no_table_and_a_table_in_one_column_keeps_to_it() -> None:
    sheet = Sheet()
    sheet.prose(50, 80, 240, PROSE * 4)
    y = sheet.prose(322, 80, 240, PROSE) + 16
    sheet.text(500, y, "2022", bold=True, align="right")
    sheet.text(555, y, "2021", bold=True, align="right")
    for k, name in enumerate(["Beverages", "Snacks", "Dairy", "Total"]):
        sheet.row(y + 14 * (k + 1), name, [f"{412 + 31 * k}", f"{388 + 17 * k}"], [500.0, 555.0], x=322)
    sheet.prose(322, y + 90, 240, PROSE)
    table = only_table(sheet)
    assert table.header == ("", "2022", "2021")
    assert [row[0] for row in table.rows] == ["Beverages", "Snacks", "Dairy", "Total"]
    assert table.box.x0 >= 320


def test_chinese_forecast_tables_side_by_side_are_two_tables() -> None:
    sheet = Sheet(width=595, height=842)
    for left, title, labels in (
        (20, "资产负债表（百万元）", ["流动资产", "现金", "存货", "资产总计"]),
        (310, "利润表（百万元）", ["营业总收入", "营业成本", "销售费用", "净利润"]),
    ):
        right = [left + 160.0, left + 205.0, left + 250.0]
        sheet.row(100, title, ["2023A", "2024E", "2025E"], right, x=left, bold=True)
        for k, label in enumerate(labels):
            sheet.row(114 + 12 * k, label, [f"{1000 + k},{k}00"[-5:], f"{k + 1}2,345", "(1,833)"], right, x=left)
    first, second = tables_of(sheet)
    assert first.header == ("资产负债表（百万元）", "2023A", "2024E", "2025E")
    assert [row[0] for row in second.rows] == ["营业总收入", "营业成本", "销售费用", "净利润"]
    assert second.rows[0][3] == "(1,833)"
    assert (first.scale, second.currency) == (1_000_000, "CNY")


def test_two_statements_below_each_other_are_two_tables_with_their_own_headings() -> None:
    sheet = Sheet()
    for top, weeks in ((100, "13"), (260, "52")):
        sheet.text(306, top, "Consolidated Statements of Income", bold=True, align="center")
        sheet.text(455, top + 26, f"{weeks} Weeks Ended", bold=True, align="center")
        sheet.rule(380, 530, top + 29)
        for year, edge in (("2023", 440.0), ("2022", 520.0)):
            sheet.text(edge, top + 40, year, bold=True, align="right")
        for k, name in enumerate(["Net sales", "Cost of sales", "Gross profit"]):
            sheet.row(top + 54 + 12 * k, name, [f"{weeks},{k}01", f"{weeks},{k}17"], [440.0, 520.0])
    first, second = tables_of(sheet)
    assert first.header == ("", "13 Weeks Ended 2023", "13 Weeks Ended 2022")
    assert second.header == ("", "52 Weeks Ended 2023", "52 Weeks Ended 2022")
    assert first.title == second.title == "Consolidated Statements of Income"


def test_percent_signs_and_parentheses_in_cells_of_their_own_go_with_their_number() -> None:
    sheet = Sheet()
    for year, edge in (("2022", 400.0), ("2021", 500.0)):
        sheet.text(edge, 100, year, bold=True, align="right")
    for k, (name, first, second) in enumerate([("U.S.", "8", "9"), ("Asia", "(20", "26"), ("Total", "11", "20")]):
        y = 114 + 12 * k
        sheet.text(50, y, name)
        for value, edge in ((first, 400.0), (second, 500.0)):
            sheet.text(edge, y, value, align="right")
            sheet.text(edge + 4, y, ")" if value.startswith("(") else "%")
    table = only_table(sheet)
    assert table.rows == (("U.S.", "8 %", "9 %"), ("Asia", "(20)", "26 %"), ("Total", "11 %", "20 %"))


def test_shading_tells_which_lines_make_one_row() -> None:
    sheet = Sheet()
    for year, edge in (("2018", 400.0), ("2017", 480.0)):
        sheet.text(edge, 100, year, bold=True, align="right")
    sheet.row(114, "GAAP measure", ["7,990", "7,945"], [400.0, 480.0])
    sheet.band(48, 118, 500, 142)
    sheet.text(50, 127, "Adjustment for")
    sheet.row(138, "Legal settlement", ["41", "60"], [400.0, 480.0], x=56)
    sheet.row(152, "Adjusted", ["8,031", "8,005"], [400.0, 480.0])
    sheet.band(48, 156, 500, 168)
    sheet.row(165, "Per share", ["2.31", "2.10"], [400.0, 480.0])
    table = only_table(sheet)
    assert [row[0] for row in table.rows] == [
        "GAAP measure",
        "Adjustment for Legal settlement",
        "Adjusted",
        "Per share",
    ]


NUMBERS = st.one_of(
    st.integers(0, 99_999).map(lambda n: f"{n:,}"),
    st.integers(1, 9_999).map(lambda n: f"({n:,})"),
    st.floats(0, 99).map(lambda f: f"{f:.1f}%"),
    st.just("—"),
)
LABELS = st.sampled_from(["Revenue", "Cost of sales", "Gross profit", "Taxes", "Net income", "Other", "Total assets"])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 5).flatmap(
        lambda columns: st.lists(
            st.tuples(LABELS, st.lists(NUMBERS, min_size=columns, max_size=columns)), min_size=3, max_size=12
        )
    ),
    st.floats(1.25, 1.8),
    st.floats(6.5, 11),
)
def test_any_grid_of_numbers_comes_back_as_it_was_set(
    body: list[tuple[str, list[str]]], leading: float, size: float
) -> None:
    sheet = Sheet()
    columns = len(body[0][1])
    right = [230.0 + 75 * k for k in range(columns)]
    for k, edge in enumerate(right):
        sheet.text(edge, 100, str(2024 - k), size, bold=True, align="right")
    for k, (label, values) in enumerate(body):
        sheet.row(100 + leading * size * (k + 1), label, values, right, size=size)
    table = only_table(sheet)
    assert table.header == ("", *[str(2024 - k) for k in range(columns)])
    assert table.rows == tuple((label, *values) for label, values in body)
    assert all(
        len(row) == len(table.header) == len(boxes) for row, boxes in zip(table.rows, table.cell_boxes, strict=True)
    )
    assert len(table.row_groups) == len(table.rows)
    room = table.box.grown(1.0)
    assert all(room.covers(box) > 0.99 for row in table.cell_boxes for box in row if box is not None)


def test_tables_of_real_reports_are_found_where_people_see_them(shared_data: Path) -> None:
    from finlmm_parsers.extract_pdfium import PdfiumFile

    hits = total = 0
    for line in (shared_data / "regions.jsonl").read_text().splitlines():
        record = json.loads(line)
        wanted = [
            [Box(*box) for box in [region["box"], *region.get("alt_boxes", [])]]
            for region in record["regions"]
            if region["kind"] == "table" and region["source"] == "vector" and not region["difficult"]
        ]
        if not wanted:
            continue
        with PdfiumFile(shared_data / "reports" / record["file"]) as file:
            page = file.page(record["page"])
        found = find_tables(page, find_lines(page))
        total += len(wanted)
        hits += sum(max((box.iou(t.box) for t in found for box in boxes), default=0.0) >= 0.7 for boxes in wanted)
        for table in found:
            assert {len(row) for row in table.rows} == {len(table.header)}
    assert hits >= 0.9 * total
