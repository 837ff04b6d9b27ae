"""Small reports written by hand as parsed documents: what the generators' tests ask about."""
# ruff: noqa: E501 - tables and prose are easier to read whole

from __future__ import annotations

import hashlib

from finlmm_core.domain import Block, Box, Document, DocumentMeta, Figure, Language, Page, Table

Rows = list[tuple[str, ...]]


def table_figure(
    page: int,
    title: str,
    header: tuple[str, ...],
    rows: Rows,
    groups: tuple[str, ...] = (),
    unit: str | None = "in millions",
    scale: int = 10**6,
    currency: str | None = "USD",
    top: float = 100,
) -> tuple[Figure, Table]:
    """Return a table with its figure, boxes on a grid of 60 x 12 points."""
    figure_id = hashlib.sha256(f"{page} {title} {rows}".encode()).hexdigest()[:24]
    boxes = tuple(
        tuple(Box(60 * j, top + 12 * i, 60 * j + 55, top + 12 * i + 10) if cell else None for j, cell in enumerate(row))
        for i, row in enumerate(rows)
    )
    text = "\n".join(" ".join(row) for row in [header, *rows])
    figure = Figure(
        id=figure_id,
        page=page,
        box=Box(0, top - 14, 60 * len(header), top + 12 * len(rows)),
        kind="table",
        caption=title,
        text=text,
    )
    table = Table(
        figure_id=figure_id,
        title=title,
        header=header,
        rows=tuple(rows),
        cell_boxes=boxes,
        row_groups=groups or tuple("" for _ in rows),
        unit=unit,
        scale=scale,
        currency=currency,
    )
    return figure, table


def report(
    name: str,
    company: str,
    language: Language,
    tables: list[tuple[Figure, Table]],
    prose: dict[int, list[tuple[str, str]]],
    pages: int = 3,
) -> Document:
    """Return a document of tables and prose; prose maps a page to (kind, text) blocks."""
    made = []
    for number in range(1, pages + 1):
        blocks = tuple(
            Block(box=Box(40, 400 + 30 * i, 560, 425 + 30 * i), text=text, kind=kind)  # type: ignore[arg-type]
            for i, (kind, text) in enumerate(prose.get(number, []))
        )
        made.append(Page(number=number, width=612, height=792, blocks=blocks))
    return Document(
        id=hashlib.sha256(name.encode()).hexdigest(),
        source=f"{name}.pdf",
        pages=tuple(made),
        figures=tuple(figure for figure, _ in tables),
        tables=tuple(table for _, table in tables),
        meta=DocumentMeta(company=company, year=2021, language=language),
    )


def english_report() -> Document:
    """An annual report: sales by segment with a verified total, an income statement, ratios; causes in its prose."""
    years = ("", "2021", "2020", "2019")
    segments = table_figure(
        1,
        "Table 3. Net sales by segment (in millions)",
        years,
        [
            ("Industrial", "$ 1,240", "$ 1,105", "$ 1,180"),
            ("Health Care", "980", "870", "815"),
            ("Consumer", "655", "702", "640"),
            ("Energy", "310", "355", "402"),
            ("Total net sales", "$ 3,185", "$ 3,032", "$ 3,037"),
        ],
    )
    income = table_figure(
        2,
        "Consolidated Statements of Income",
        ("(in millions, except per share data)", "Change %", "Year Ended December 31, 2021", "2020", "Note"),
        [
            ("Revenues . . . . . . .", "5.0 %", "$ 3,185", "$ 3,032", "3"),
            ("Cost of sales (1)", "4.2 %", "1,905", "1,828", "4"),
            ("Gross profit", "6.3 %", "1,280", "1,204", ""),
            ("Selling, general and administrative expenses", "7.7 %", "700", "650", "5"),
            ("Interest expense", "(12.5)%", "35", "40", ""),
            ("Net income", "6.0 %", "$ 545", "$ 514", ""),
            ("Diluted earnings per share", "5.4 %", "$ 2.71", "$ 2.57", "6"),
            ("Other", "", "(12)", "9", ""),
            ("Other", "", "15", "11", ""),
            ("Page 12", "", "2", "1", ""),
        ],
    )
    ratios = table_figure(
        3,
        "Key ratios",
        ("", "2021", "2020", "2019", "2018"),
        [
            ("Gross margin", "40.2 %", "39.7 %", "38.9 %", "41.3 %"),
            ("Effective tax rate", "21.5 %", "22.4 %", "19.8 %", "24.1 %"),
        ],
        unit=None,
        scale=1,
        currency=None,
    )
    prose = {
        2: [
            ("heading", "Results"),
            ("paragraph", "Selling, general and administrative expenses increased 7.7% in 2021, primarily due to higher freight rates and "
             "new warehouse openings, partially offset by lower travel. This was also due to weather."),
            ("paragraph", "Interest expense decreased 12.5% in 2021, driven by the early repayment of senior notes in March 2021."),
            ("paragraph", "Gross profit increased 6.3% in 2021 as a result of price increases across all product lines."),
            ("paragraph", "Cost of sales rose 4.2% in 2021 because of raw material inflation in resins and steel."),
            ("paragraph", "Net income may increase in 2022 due to the new plant."),
        ],
        3: [
            ("paragraph", "The effective tax rate decreased to 21.5% in 2021 due to a favorable mix of earnings between jurisdictions."),
            ("paragraph", "In 2021, Industrial net sales increased 12.2%, led by strong demand for filtration products in Asia."),
        ],
    }  # fmt: skip
    return report("english", "Acme Corporation", "en", [segments, income, ratios], prose)


def chinese_report() -> Document:
    """A Chinese report: an income statement and revenue by product, in 百万元, with causes in its prose."""
    income = table_figure(
        1,
        "图表5：利润表（百万元）",
        ("会计年度", "2021A", "2022A", "2023A", "2024E"),
        [
            ("营业收入", "8,210", "9,105", "10,480", "11,900"),
            ("营业成本", "5,105", "5,790", "6,610", "7,450"),
            ("销售费用", "610", "655", "702", "760"),
            ("研发费用", "820", "910", "1,130", "1,260"),
            ("净利润", "1,020", "1,105", "1,310", "1,520"),
        ],
        unit="百万元",
        currency="CNY",
    )
    products = table_figure(
        2,
        "分产品收入",
        ("百万元", "2021年", "2022年", "2023年"),
        [
            ("消费电子", "3,210", "3,405", "3,980"),
            ("汽车电子", "2,100", "2,650", "3,320"),
            ("工业控制", "1,700", "1,750", "1,780"),
            ("通信设备", "1,200", "1,300", "1,400"),
            ("合计", "8,210", "9,105", "10,480"),
        ],
        unit="百万元",
        currency="CNY",
    )
    prose = {
        1: [
            ("paragraph", "2023年公司营业收入104.80亿元，同比增长15.1%，主要由于汽车电子客户放量及新产线投产。"),
            ("paragraph", "2023年研发费用11.30亿元，同比增长24.2%，主要系先进制程项目投入加大。"),
            ("paragraph", "2023年销售费用同比增加7.2%，主要受海外展会恢复及渠道拓展影响。"),
            ("paragraph", "2023年净利润13.10亿元，同比增长18.6%，得益于政府补助与规模效应提升。"),
            ("paragraph", "2023年营业成本66.10亿元，同比上升14.2%，主要是由于原材料硅片采购价格走高。"),
            ("paragraph", "预计2024年营业收入将增长，主要由于需求回暖。"),
        ]
    }
    return report("chinese", "示例股份", "zh", [income, products], prose, pages=2)
