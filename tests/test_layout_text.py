"""Lines, blocks, reading order, captions, running heads and report meta."""

from __future__ import annotations

from finlmm_parsers.layout.blocks import find_blocks
from finlmm_parsers.layout.captions import is_source_note, link_captions, numbered_caption
from finlmm_parsers.layout.lines import find_lines
from finlmm_parsers.layout.meta import read_meta
from finlmm_parsers.layout.reading_order import reading_order
from finlmm_parsers.layout.running import find_running
from finlmm_parsers.layout.text import join_lines
from finlmm_parsers.primitives import Word
from hypothesis import given
from hypothesis import strategies as st
from layout_pages import PROSE, Sheet

from finlmm_core.domain import Block, Box, Page


def blocks_of(sheet: Sheet, taken: list[Box] | None = None) -> list[Block]:
    page = sheet.page
    return find_blocks(page, find_lines(page), taken or [])


# ------------------------------------------------------------------------------------------------------- lines


def test_lines_of_two_columns_are_not_read_across() -> None:
    sheet = Sheet()
    sheet.text(50, 100, "left column text").text(320, 100, "right column text")
    assert [line.text for line in find_lines(sheet.page)] == ["left column text", "right column text"]


def test_a_footnote_mark_stays_in_its_line() -> None:
    sheet = Sheet().text(50, 100, "Operating income")
    last = sheet.words[-1]
    sheet.words.append(Word("(1)", last.x1, last.y0 - 1, last.x1 + 8, last.y0 + 5, 5.0))
    assert [line.text for line in find_lines(sheet.page)] == ["Operating income(1)"]


def test_turned_words_are_lines_of_their_own() -> None:
    sheet = Sheet().text(100, 100, "2019 2020")
    sheet.words.append(Word("EURm", 60, 60, 68, 110, 8.0, False, False))
    assert [line.text for line in find_lines(sheet.page)] == ["2019 2020", "EURm"]


def test_no_spaces_are_put_between_chinese_characters() -> None:
    assert (
        join_lines(["公司实现营业收入", "577.96 亿元，同比", "增长 27.7%。"])
        == "公司实现营业收入577.96 亿元，同比增长 27.7%。"
    )


def test_hyphens_at_line_ends_are_mended() -> None:
    assert join_lines(["the finan-", "cial year"]) == "the financial year"
    assert join_lines(["our non-", "GAAP measures"]) == "our non-GAAP measures"
    assert join_lines(["a long-", "term view"]) == "a long-term view"


# ------------------------------------------------------------------------------------------------------ blocks


def test_two_columns_are_read_one_after_the_other_under_their_heading() -> None:
    sheet = Sheet()
    sheet.text(50, 60, "Performance by segment", size=16, bold=True)
    y = sheet.prose(50, 90, 240, "First. " + PROSE)
    sheet.prose(50, y + 8, 240, "Second. " + PROSE)
    y = sheet.prose(322, 90, 240, "Third. " + PROSE)
    sheet.prose(322, y + 8, 240, "Fourth. " + PROSE)
    blocks = blocks_of(sheet)
    assert [block.text.split()[0] for block in blocks] == ["Performance", "First.", "Second.", "Third.", "Fourth."]
    assert [block.kind for block in blocks] == ["heading", *["paragraph"] * 4]
    assert blocks[1].text == ("First. " + PROSE).strip()


def test_bullets_go_with_their_text_and_begin_blocks() -> None:
    sheet = Sheet()
    sheet.prose(50, 90, 500, "The increase was driven by:")
    for k, text in enumerate(["higher volumes in Europe;", "price increases; and", "acquisitions."]):
        sheet.text(56, 104 + 12 * k, "•").text(70, 104 + 12 * k, text)
    blocks = blocks_of(sheet)
    assert [block.text for block in blocks[1:]] == [
        "• higher volumes in Europe;",
        "• price increases; and",
        "• acquisitions.",
    ]
    assert {block.kind for block in blocks[1:]} == {"list_item"}


def test_chinese_paragraphs_are_parted_at_their_indent() -> None:
    sheet = Sheet(width=595, height=842)
    for k, (x, text) in enumerate(
        [
            (140, "公司持续加大研发投入，研发费用率保持在较高水平，"),
            (120, "产能利用率稳步提升。"),
            (140, "风险提示：需求不及预期。"),
        ]
    ):
        sheet.text(x, 100 + 16 * k, text, size=10)
    assert [block.text for block in blocks_of(sheet)] == [
        "公司持续加大研发投入，研发费用率保持在较高水平，产能利用率稳步提升。",
        "风险提示：需求不及预期。",
    ]


def test_text_in_figures_is_no_block_and_captions_and_sources_are_told_apart() -> None:
    sheet = Sheet()
    sheet.prose(50, 80, 500, PROSE)
    sheet.text(50, 140, "Figure 3: Revenue by segment", bold=True)
    sheet.text(200, 200, "Cloud 45%")
    sheet.text(50, 310, "Source: Company data.", size=7)
    kinds = [(block.kind, block.text) for block in blocks_of(sheet, [Box(50, 150, 550, 300)])]
    assert kinds[1:] == [("caption", "Figure 3: Revenue by segment"), ("note", "Source: Company data.")]


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 700), st.floats(1, 200), st.floats(1, 90)), max_size=30))
def test_every_block_is_read_exactly_once(boxes: list[tuple[float, float, float, float]]) -> None:
    items = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    assert sorted(reading_order(items)) == list(range(len(items)))


# ---------------------------------------------------------------------------------------------------- captions


def test_numbered_captions_are_told_from_sentences_about_figures() -> None:
    for text in (
        "Figure 3: Revenue",
        "Exhibit 2",
        "Chart 1 – Sales",
        "Table 4. Debt",
        "图3：营收",
        "图表12：毛利率",
        "表2 预测",
    ):
        assert numbered_caption(text), text
    for text in ("Figure 3 shows revenue", "Table of contents", "Exhibit 10.1 is filed", "图中数据", "figure 3 above"):
        assert not numbered_caption(text), text
    for text in ("Source: Wind", "资料来源：公司公告", "数据来源：Wind", "Note: unaudited"):
        assert is_source_note(text), text


def test_captions_above_go_to_the_figure_below_them() -> None:
    sheet = Sheet()
    boxes = []
    for k in range(2):
        top = 100 + 220 * k
        sheet.text(50, top, f"图{k + 1}：2020-2024年营业收入", bold=True)
        sheet.text(50, top + 190, "数据来源：Wind", size=7)
        boxes.append((Box(50, top + 8, 400, top + 180), "chart"))
    captions = link_captions(sheet.page, find_lines(sheet.page), boxes)  # type: ignore[arg-type]
    assert [caption and caption.text for caption in captions] == [
        "图1：2020-2024年营业收入",
        "图2：2020-2024年营业收入",
    ]


def test_captions_below_go_to_the_figure_above_them() -> None:
    sheet = Sheet()
    boxes = []
    for k in range(2):
        top = 100 + 220 * k
        boxes.append((Box(50, top, 400, top + 180), "chart"))
        sheet.text(50, top + 194, f"Figure {k + 1}: Sales by region")
    captions = link_captions(sheet.page, find_lines(sheet.page), boxes)  # type: ignore[arg-type]
    assert [caption and caption.text for caption in captions] == [
        "Figure 1: Sales by region",
        "Figure 2: Sales by region",
    ]


def test_a_title_inside_the_top_of_a_chart_is_its_caption() -> None:
    sheet = Sheet().text(225, 110, "Cash from operations ($B)", size=10, bold=True, align="center")
    for k in range(5):
        sheet.text(100 + 60 * k, 260, str(2016 + k), size=7).text(100 + 60 * k, 200 - 5 * k, f"{20 + k}.1", size=7)
    (caption,) = link_captions(sheet.page, find_lines(sheet.page), [(Box(50, 100, 400, 270), "chart")])
    assert caption is not None and caption.text == "Cash from operations ($B)"


def test_a_table_takes_the_sentence_that_announces_it_but_not_its_unit() -> None:
    sheet = Sheet()
    sheet.text(50, 80, "Costs fell in both years. The following table shows revenue by region:")
    sheet.text(50, 94, "(in millions)")
    (caption,) = link_captions(sheet.page, find_lines(sheet.page), [(Box(50, 100, 400, 270), "table")])
    assert caption is not None and caption.text == "The following table shows revenue by region:"


# ------------------------------------------------------------------------------------------- running heads, meta


def test_a_plain_line_by_itself_right_under_a_chart_is_its_caption_and_a_heading_of_what_follows_is_not() -> None:
    def caption_with_next_line_at(y: float) -> str | None:
        sheet = Sheet()
        sheet.text(60, 282, "Revenue by business, 2019 to 2021", size=9)
        sheet.text(60, y, "Segment information", size=9)
        (caption,) = link_captions(sheet.page, find_lines(sheet.page), [(Box(64, 100, 400, 275), "chart")])
        return caption.text if caption else None

    assert caption_with_next_line_at(320) == "Revenue by business, 2019 to 2021"
    assert caption_with_next_line_at(295) is None


def page(number: int, *blocks: tuple[float, str]) -> Page:
    made = tuple(Block(box=Box(50, y, 300, y + 10), text=text) for y, text in blocks)
    return Page(number=number, width=612, height=792, blocks=made)


def test_running_heads_and_page_numbers_are_found_and_body_text_is_not() -> None:
    pages = [
        page(k, (20, f"Annual Report 2022 | {k}"), (300, f"Body text {k}"), (760, "Acme plc"), (775, str(k + 2)))
        for k in range(1, 7)
    ]
    assert find_running(pages) == [frozenset({0, 2, 3})] * 6


def test_a_form_10_k_tells_company_and_fiscal_year() -> None:
    pages = [
        page(
            1,
            (50, "FORM 10-K"),
            (100, "For the fiscal year ended December 31, 2021"),
            (200, "Acme Semiconductor Corporation"),
            (215, "(Exact name of registrant as specified in its charter)"),
            (400, "Aggregate market value as of June 30, 2022 held by non-affiliates of the registrant"),
        )
    ]
    meta = read_meta(pages, "whatever_1999.pdf")
    assert (meta.company, meta.year, meta.language) == ("Acme Semiconductor Corporation", 2021, "en")


def test_a_chinese_broker_report_tells_its_company() -> None:
    pages = [
        page(
            1,
            (30, "证券研究报告·公司深度研究"),
            (60, "远方科技（688123）"),
            (90, "2025年8月28日发布，维持买入评级，业绩符合预期"),
        )
    ]
    meta = read_meta(pages, "a.pdf")
    assert (meta.company, meta.language) == ("远方科技", "zh")


def test_a_report_that_tells_nothing_gets_nothing() -> None:
    meta = read_meta([page(1, (100, "Hello"))], "acme_2021_10k.pdf")
    assert (meta.company, meta.year) == (None, None)
