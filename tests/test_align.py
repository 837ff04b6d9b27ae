"""The align step: what aligners are told, how a chain narrows, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
from finlmm_aligners.ocr import OcrAligner
from finlmm_aligners.retrieval import RetrievalAligner

from finlmm_core.domain import (
    Alignment,
    Answer,
    Box,
    Document,
    Evidence,
    Figure,
    ImageRef,
    QAPair,
    Query,
    QuestionType,
    Rejected,
    Signal,
)
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import Aligner
from finlmm_core.plugins.refs import WeightedPluginRef
from finlmm_core.steps.align import AlignConfig, align_document, query_of
from finlmm_core.testing.aligners import figure, report

QUESTION = QAPair(
    id="q1",
    document_id="0" * 64,
    type=QuestionType.ARITHMETIC_REASONING,
    language="en",
    question="By what percentage did operating income change from 2020 to 2021?",
    options=("29.6%", "-29.6%", "22.8%", "4.2%"),
    answer=Answer(text="29.6%", option=0, value=29.6),
    evidence=(
        Evidence(
            name="a",
            text="4,262",
            value=4262,
            labels=("Operating income", "Year ended December 31, 2021"),
            page=77,
            box=Box(9, 9, 99, 99),
        ),
        Evidence(name="b", text="3,289", value=3289, labels=("Operating income", "2020"), page=77),
    ),
    program="(a - b) / b * 100",
    generator="tables",
    source_figure="income",
)
CHAIN = (RetrievalAligner(), OcrAligner())
CONFIG = AlignConfig()


class Fixed(Aligner):
    """Gives the scores that it was made with; figures without one are out."""

    name: ClassVar[str] = "someone/fixed"

    def __init__(self, scores: dict[str, float]) -> None:
        super().__init__()
        self.scores = scores
        self.seen: list[list[str]] = []

    def align(
        self, document: Document, queries: Sequence[Query], candidates: Sequence[Sequence[Figure]]
    ) -> list[list[Signal]]:
        self.seen += [[one.id for one in left] for left in candidates]
        return [
            [
                Signal(figure_id=one.id, score=self.scores[one.id], parts={"x": 1.0})
                for one in left
                if one.id in self.scores
            ]
            for left in candidates
        ]


def config(*weights: float, **thresholds: float) -> AlignConfig:
    return AlignConfig(
        aligners=tuple(WeightedPluginRef(name="someone/fixed", weight=weight) for weight in weights), **thresholds
    )


def test_a_query_tells_words_and_nothing_of_where_they_stand() -> None:
    query = query_of(QUESTION)
    assert query.labels == ("Operating income",)
    assert query.numbers == ("4,262", "3,289")
    assert query.periods == ("Year ended December 31, 2021", "2020")
    told = query.model_dump_json()
    assert (
        "77" not in told
        and "99" not in told
        and "(a - b)" not in told
        and 'income"' not in told.replace("Operating income", "")
    )


def test_the_source_figure_changes_nothing() -> None:
    lying = QUESTION.model_copy(update={"source_figure": "segments"})
    assert align_document(report(), [lying], CHAIN, CONFIG) == align_document(report(), [QUESTION], CHAIN, CONFIG)


def test_the_real_chain_keeps_the_right_figure_with_its_signals() -> None:
    alignments, rejected = align_document(report(), [QUESTION], CHAIN, CONFIG)
    assert not rejected
    assert [one.figure_id for one in alignments] == ["income"]
    assert {"retrieval", "ocr", "ocr.numbers", "ocr.row"} <= set(alignments[0].signals)
    assert alignments[0].margin > CONFIG.min_margin


def test_two_tables_that_show_the_same_row_are_ambiguous() -> None:
    twice = report()
    same = figure("again", 5, twice.figures[0].text, twice.figures[0].caption)
    twice = twice.model_copy(update={"figures": (*twice.figures, same)})
    alignments, rejected = align_document(twice, [QUESTION], CHAIN, CONFIG)
    assert not alignments
    assert [(one.step, one.item_id, one.reason) for one in rejected] == [("align", "q1", "ambiguous")]
    assert "again" in rejected[0].detail and "page 5" in rejected[0].detail


def test_the_same_picture_twice_is_no_rival() -> None:
    picture = ImageRef(sha256="a" * 64, width=10, height=10)
    figures = tuple(figure(name, 1, "x").model_copy(update={"image": picture}) for name in ("one", "two"))
    document = report().model_copy(update={"figures": figures})
    alignments, _ = align_document(document, [QUESTION], [Fixed({"one": 0.9, "two": 0.9})], config(1.0))
    assert [(one.figure_id, one.margin) for one in alignments] == [("one", 0.9)]


def test_scores_are_combined_by_weight_and_each_aligner_narrows() -> None:
    first, second = Fixed({"income": 0.5, "segments": 0.9}), Fixed({"income": 1.0, "segments": 0.0, "zh": 1.0})
    alignments, _ = align_document(report(), [QUESTION], [first, second], config(1.0, 3.0))
    assert second.seen == [["income", "segments"]]
    assert alignments == [
        Alignment(
            qa_id="q1",
            figure_id="income",
            score=0.875,
            margin=0.65,
            signals={"someone/fixed": 1.0, "someone/fixed.x": 1.0},
        )
    ]


@pytest.mark.parametrize(
    ("scores", "reason"),
    [({}, "no_figure"), ({"income": 0.05}, "low_score"), ({"income": 0.9, "zh": 0.88}, "ambiguous")],
)
def test_what_is_not_kept_has_a_reason(scores: dict[str, float], reason: str) -> None:
    alignments, rejected = align_document(report(), [QUESTION], [Fixed(scores)], config(1.0))
    assert not alignments
    assert [one.reason for one in rejected] == [reason]


def test_every_question_is_kept_or_rejected_once() -> None:
    questions = [QUESTION.model_copy(update={"id": f"q{number}"}) for number in range(5)]
    alignments, rejected = align_document(report(), questions, CHAIN, CONFIG)
    assert sorted([one.qa_id for one in alignments] + [one.item_id for one in rejected]) == [
        one.id for one in questions
    ]
    empty = Document(id="1" * 64, source="empty.pdf", pages=())
    assert [one.reason for one in align_document(empty, questions, CHAIN, CONFIG)[1]] == ["no_figure"] * 5


@pytest.mark.parametrize("scores", [{"income": 1.5}, {"income": -0.1}, {"income": float("nan")}])
def test_an_aligner_that_scores_out_of_range_is_named(scores: dict[str, float]) -> None:
    with pytest.raises(FinlmmError, match="someone/fixed"):
        align_document(report(), [QUESTION], [Fixed(scores)], config(1.0))


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(FinlmmError, match="weight 0"):
        align_document(report(), [QUESTION], [Fixed({})], config(0.0))


def test_rejections_do_not_depend_on_the_order_of_signals() -> None:
    scores = {"zh": 0.9, "income": 0.9}
    assert isinstance(align_document(report(), [QUESTION], [Fixed(scores)], config(1.0))[1][0], Rejected)
    turned = dict(reversed(scores.items()))
    assert align_document(report(), [QUESTION], [Fixed(scores)], config(1.0)) == align_document(
        report(), [QUESTION], [Fixed(turned)], config(1.0)
    )
