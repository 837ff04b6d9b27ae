"""What every aligner must do. Plugin authors subclass :class:`AlignerContract` and say how their aligner is made."""

from __future__ import annotations

import pytest

from finlmm_core.domain import Block, Box, Document, Figure, Page, Query
from finlmm_core.plugins.bases import Aligner


def figure(figure_id: str, page: int, text: str, caption: str = "", kind: str = "table", top: float = 100.0) -> Figure:
    """Return a figure in the middle of a page."""
    return Figure.model_validate(
        {
            "id": figure_id,
            "page": page,
            "box": Box(72, top, 540, top + 150),
            "kind": kind,
            "caption": caption,
            "text": text,
            "text_source": "layer" if text else "none",
        }
    )


def report() -> Document:
    """Return a small report: an income statement, a segment table, a chart, a Chinese table, a picture without text."""
    figures = (
        figure(
            "income",
            1,
            "Year ended December 31 2021 2020\nNet revenue $ 25,371 $ 21,454\nOperating expenses 21,109 18,165\n"
            "Operating income 4,262 3,289\nNet income $ 4,169 $ 4,202",
            "Consolidated Statements of Income",
        ),
        figure(
            "segments",
            2,
            "2021 2020\nUnited States $ 13,712 $ 11,013\nUnited Kingdom 2,340 2,340\nOther countries 9,319 8,101",
            "Net revenue by country",
        ),
        figure("accounts", 3, "Active accounts\nmillions\n305 377 426\n2019 2020 2021", "Active accounts", "chart"),
        figure("zh", 4, "项目 2021年 2020年\n营业收入 354.31 274.71\n研发费用 41.21 46.72", "表1 主要财务数据"),
        figure("photo", 5, "", "", "image"),
    )
    blocks = (Block(box=Box(72, 60, 540, 90), text="Our accounts grew strongly.", kind="paragraph"),)
    pages = tuple(
        Page(number=number, width=612, height=792, blocks=blocks if number == 3 else ()) for number in range(1, 6)
    )
    return Document(id="0" * 64, source="report.pdf", pages=pages, figures=figures)


QUERIES = (
    Query(
        qa_id="q1",
        question="By what percentage did operating income grow from 2020 to 2021?",
        answer="29.6%",
        labels=("Operating income",),
        numbers=("4,262", "3,289"),
        periods=("2021", "2020"),
    ),
    Query(
        qa_id="q2",
        question="2021年研发费用占营业收入的比例是多少？",
        answer="11.6%",
        labels=("研发费用", "营业收入"),
        numbers=("41.21", "354.31"),
        periods=("2021年",),
        language="zh",
    ),
    Query(qa_id="q3", question="What does the number of active accounts show?", answer="Growth"),
)


class AlignerContract:
    """Subclass, define the fixture ``aligner``, and pytest runs these tests on it."""

    @pytest.fixture
    def aligner(self) -> Aligner:
        raise NotImplementedError("define a fixture 'aligner' that returns the aligner under test")

    def test_works_here(self, aligner: Aligner) -> None:
        aligner.check()

    def test_answers_each_query_with_its_candidates_scored_in_range(self, aligner: Aligner) -> None:
        document = report()
        answers = aligner.align(document, QUERIES, [document.figures] * len(QUERIES))
        assert len(answers) == len(QUERIES)
        for signals in answers:
            ids = [signal.figure_id for signal in signals]
            assert len(ids) == len(set(ids))
            assert set(ids) <= {one.id for one in document.figures}
            assert all(0 <= signal.score <= 1 for signal in signals)

    def test_never_brings_back_what_the_chain_dropped(self, aligner: Aligner) -> None:
        document = report()
        left = [document.figures[1:3], (), document.figures[2:3]]
        for asked, signals in zip(left, aligner.align(document, QUERIES, left), strict=True):
            assert {signal.figure_id for signal in signals} <= {one.id for one in asked}

    def test_same_input_same_signals(self, aligner: Aligner) -> None:
        document = report()
        candidates = [document.figures] * len(QUERIES)
        assert aligner.align(document, QUERIES, candidates) == aligner.align(document, QUERIES, candidates)

    def test_a_question_is_scored_alike_alone_and_among_others(self, aligner: Aligner) -> None:
        document = report()
        together = aligner.align(document, QUERIES, [document.figures] * len(QUERIES))[0]
        alone = aligner.align(document, QUERIES[:1], [document.figures])[0]
        # A neural encoder's last digits depend on what else is in its batch.
        expected = {signal.figure_id: signal.score for signal in alone}
        assert {signal.figure_id: signal.score for signal in together} == pytest.approx(expected, abs=1e-3)

    def test_no_figures_and_no_questions_are_no_errors(self, aligner: Aligner) -> None:
        empty = Document(id="1" * 64, source="empty.pdf", pages=())
        assert aligner.align(empty, QUERIES, [()] * len(QUERIES)) == [[]] * len(QUERIES)
        assert aligner.align(report(), (), ()) == []
