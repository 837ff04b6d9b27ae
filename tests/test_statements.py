"""Numbers that prose states are read, asked about where a figure shows them, and left alone where in doubt."""
# ruff: noqa: E501 - sentences are easier to read whole

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from finlmm_generators.stated import Reading, Unread
from finlmm_generators.stated_chinese import read_chinese
from finlmm_generators.stated_english import read_english
from finlmm_generators.statements import StatementsGenerator, StatementsOptions
from written_reports import report, table_figure

from finlmm_core.domain import Document, DocumentMeta, QAPair, Rejected
from finlmm_core.plugins.bases import Generator
from finlmm_core.testing.generators import GeneratorContract

PROSE = [
    ("paragraph", "Net revenues increased 7% to $7,300 million in 2021 from $6,800 million in 2020."),
    ("paragraph", "Gross margin was 56.0% in 2021 compared with 58.6% in 2020, reflecting a richer mix of services."),
    (
        "paragraph",
        "Marketing expense was $512 million, $498 million and $530 million in 2021, 2020 and 2019, respectively.",
    ),
    ("paragraph", "Goodwill was $912 million in 2021 compared with $840 million in 2020."),
    ("paragraph", "Operating income decreased 12% to $900 million in 2021 from $800 million in 2020."),
]


def stated_report() -> Document:
    """A report whose table shows three of five statements; of the others one is nowhere, one contradicts itself."""
    rows = [
        ("Net revenues", "$ 7,300", "$ 6,800", "$ 6,510"),
        ("Gross margin", "56.0 %", "58.6 %", "57.9 %"),
        ("Marketing expense", "512", "498", "530"),
        ("Operating income", "900", "800", "760"),
    ]
    table = table_figure(2, "Selected figures (in millions)", ("", "2021", "2020", "2019"), rows)
    return report("stated", "Acme Corporation", "en", [table], {1: PROSE}, pages=2)


class TestStatements(GeneratorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def generator(cls) -> Generator:
        return StatementsGenerator(StatementsOptions(per_statement=20))

    @pytest.fixture(scope="class")
    @classmethod
    def documents(cls) -> Sequence[Document]:
        return [stated_report()]


def test_only_what_a_figure_shows_and_the_sentence_itself_bears_out_is_asked_about() -> None:
    items = list(StatementsGenerator(StatementsOptions(per_statement=20)).generate(stated_report()))
    asked = {item.evidence[0].labels[0] for item in items if isinstance(item, QAPair)}
    assert asked == {"Net revenues", "Gross margin", "Marketing expense"}
    reasons = Counter(item.reason for item in items if isinstance(item, Rejected))
    assert reasons["not_shown_by_a_figure"] == 1
    assert reasons["disagrees_with_prose"] == 1


def test_a_growth_question_does_not_say_the_growth_that_the_sentence_states() -> None:
    items = StatementsGenerator(StatementsOptions(per_statement=20)).generate(stated_report())
    growth = [item for item in items if isinstance(item, QAPair) and item.template.startswith("growth_rate")]
    assert growth
    assert not any("7%" in item.question for item in growth)
    assert "7.4%" in {item.answer.text for item in growth}


def read(sentence: str, year: int | None = 2023) -> tuple[str, list[tuple[str, str]]] | str | None:
    """Return the measure with its periods or groups and numbers, or the reason, or None."""
    item = read_english(sentence, year)
    if isinstance(item, Reading):
        return item.measure, [(value.label, value.number.text) for value in item.values]
    return item.reason if isinstance(item, Unread) else None


@pytest.mark.parametrize(
    ("sentence", "measure", "values"),
    [
        (
            "Net revenues increased 7% to $7.3 billion in the second quarter of 2023 from $6.8 billion in the second quarter of 2022.",
            "Net revenues",
            [("the second quarter of 2022", "$6.8 billion"), ("the second quarter of 2023", "$7.3 billion")],
        ),
        (
            "Gross margin was 56.0% in 2020 compared with 58.6% in 2019.",
            "Gross margin",
            [("2019", "58.6%"), ("2020", "56.0%")],
        ),
        (
            "As of June 30, 2023 and December 31, 2022, the allowance for losses was $58 million and $66 million, respectively.",
            "Allowance for losses",
            [("December 31, 2022", "$66 million"), ("June 30, 2023", "$58 million")],
        ),
        (
            "Transaction losses were $286 million and $380 million for the three months ended June 30, 2023 and 2022, respectively.",
            "Transaction losses",
            [
                ("the three months ended June 30, 2022", "$380 million"),
                ("the three months ended June 30, 2023", "$286 million"),
            ],
        ),
        (
            "Revenue increased 7.2% to £20,576,000 (2022: £19,186,000).",
            "Revenue",
            [("2022", "£19,186,000"), ("2023", "£20,576,000")],
        ),
        (
            "In 2022, operating income was £4.5 million, up 12.5% from £4.0 million in the prior year.",
            "Operating income",
            [("2021", "£4.0 million"), ("2022", "£4.5 million")],
        ),
        (
            "Nearly half of Americans (46%) say that trade helps the economy, while 39% say trade hurts the economy.",
            "all respondents",
            [("say that trade helps the economy", "46%"), ("say trade hurts the economy", "39%")],
        ),
        (
            "Currently, 71% of Republicans say there are plenty of jobs available, compared with 53% of Democrats.",
            "say there are plenty of jobs available",
            [("Republicans", "71%"), ("Democrats", "53%")],
        ),
    ],
)  # fmt: skip
def test_a_measure_is_read_with_its_periods_or_groups(
    sentence: str, measure: str, values: list[tuple[str, str]]
) -> None:
    assert read(sentence) == (measure, values)


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("This was $5.1 million in 2021 compared with $4.2 million in 2020.", "measure_unclear"),
        ("Total expense was $1.2 billion, $780 million and $718 million in 2021, 2020 and 2019, respectively.", "units_differ"),
        ("Revenue increased 7.2% to £20,576,000 (2019: £19,186,000).", "period_not_told"),
    ],
)  # fmt: skip
def test_what_is_not_safe_to_read_is_left_out_with_its_reason(sentence: str, reason: str) -> None:
    assert read(sentence) == reason


@pytest.mark.parametrize(
    ("paragraph", "measure", "values"),
    [
        (
            "我们预测公司2025-2027年营业收入分别为671.96/780.62/896.06亿元。",
            "营业收入",
            [("2025年", "671.96"), ("2026年", "780.62"), ("2027年", "896.06")],
        ),
        (
            "2022年公司实现营收495.16亿元，同比增长39.0%。2023年公司实现营收452.50亿元，同比下降8.6%。",
            "营业收入",
            [("2022年", "495.16亿元"), ("2023年", "452.50亿元")],
        ),
        (
            "2023年，净利润增长8.3%至1,310百万元（2022年：1,210百万元）。",
            "净利润",
            [("2022年", "1,210百万元"), ("2023年", "1,310百万元")],
        ),
        (
            "报告期内，研发费用由2022年的910百万元变为1,130百万元，增加24.2%。",
            "研发费用",
            [("2022年", "910百万元"), ("2023年", "1,130百万元")],
        ),
        (
            "毛利率由2022年的38.3%下降至2023年的21.9%。",
            "毛利率",
            [("2022年", "38.3%"), ("2023年", "21.9%")],
        ),
        (
            "2024年研发费用构成前三位分别是职工薪酬、研究测试费用、折旧和摊销，分别占比30%、29%、16%。",
            "2024年研发费用占比",
            [("职工薪酬", "30%"), ("研究测试费用", "29%"), ("折旧和摊销", "16%")],
        ),
    ],
)
def test_chinese_paragraphs_are_read(paragraph: str, measure: str, values: list[tuple[str, str]]) -> None:
    found = [item for item in read_chinese(paragraph) if isinstance(item, Reading)]
    assert [(item.measure, [(v.label, v.number.text) for v in item.values]) for item in found] == [(measure, values)]


def test_amounts_of_a_company_that_is_not_known_are_not_asked_about() -> None:
    unknown = stated_report().model_copy(update={"meta": DocumentMeta(language="en")})
    items = list(StatementsGenerator().generate(unknown))
    assert {item.reason for item in items if isinstance(item, Rejected)} >= {"company_unknown"}
    assert not [item for item in items if isinstance(item, QAPair)]


def test_growth_in_a_chinese_list_has_to_follow_from_its_values() -> None:
    found = list(read_chinese("预计2025-2027年营业收入为100/120/150亿元，同比增长10%/30%/25%。"))
    assert "disagrees_with_prose" in {item.reason for item in found if isinstance(item, Unread)}
