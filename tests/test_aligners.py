"""The aligners retrieval and ocr on a small report, and on labelled charts where they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from finlmm_aligners.derivable import MISS, operations_asked, surprise
from finlmm_aligners.ocr import OcrAligner, OcrAlignerOptions, named_in
from finlmm_aligners.retrieval import RetrievalAligner, RetrievalOptions, surroundings
from finlmm_aligners.shown import FigureIndex, number_key, without_axis
from finlmm_aligners.wording import asked_terms, unified
from hypothesis import given
from hypothesis import strategies as st

from finlmm_core.domain import Document, Figure, Query
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import Aligner
from finlmm_core.testing.aligners import QUERIES, AlignerContract, figure, report


class TestRetrieval(AlignerContract):
    @pytest.fixture
    def aligner(self) -> Aligner:
        return RetrievalAligner()


class TestOcr(AlignerContract):
    @pytest.fixture
    def aligner(self) -> Aligner:
        return OcrAligner()


@pytest.mark.slow
class TestRetrievalWithSentences(AlignerContract):
    @pytest.fixture
    def aligner(self) -> Aligner:
        pytest.importorskip("all_minilm_l6_v2", reason="a sentence encoder, not part of the project, is not here")
        return RetrievalAligner(RetrievalOptions(embedder="sentence", model="all_minilm_l6_v2"))


def best(aligner: Aligner, query: Query, document: Document | None = None) -> str:
    document = document or report()
    signals = aligner.align(document, [query], [document.figures])[0]
    return max(signals, key=lambda signal: signal.score).figure_id


def of(figures: Sequence[Figure]) -> Document:
    return Document(id="2" * 64, source="two.pdf", pages=report().pages, figures=tuple(figures))


@pytest.mark.parametrize("aligner", [OcrAligner(), RetrievalAligner()], ids=["ocr", "retrieval"])
def test_both_find_the_figure_in_both_languages(aligner: Aligner) -> None:
    assert [best(aligner, query) for query in QUERIES] == ["income", "zh", "accounts"]


def test_retrieval_keeps_only_the_nearest() -> None:
    document = report()
    kept = RetrievalAligner(RetrievalOptions(keep=1)).align(document, QUERIES[:1], [document.figures])[0]
    assert [signal.figure_id for signal in kept] == ["income"]


def test_surroundings_are_the_blocks_near_a_figure_and_no_others() -> None:
    assert surroundings(report(), reach=80) == ["", "", "Our accounts grew strongly.", "", ""]
    assert surroundings(report(), reach=5) == [""] * 5


def test_an_encoder_that_is_not_there_is_an_error_that_says_so() -> None:
    with pytest.raises(FinlmmError, match="No sentence encoder was found at 'no/such/folder'"):
        RetrievalAligner(RetrievalOptions(embedder="sentence", model="no/such/folder")).check()


def test_all_evidence_beats_some_of_it() -> None:
    some = figure("some", 1, "2021 2020\nOperating income 4,262 3,100\nMargin 4.1 % 3.9 %")
    whole = figure("whole", 2, "2021 2020\nOther 1 2\nNet 5 6\nOperating income 4,262 3,289\nTax 7 8")
    assert best(OcrAligner(), QUERIES[0], of([some, whole])) == "whole"


def test_numbers_on_the_row_of_their_label_beat_numbers_anywhere() -> None:
    scattered = figure("scattered", 1, "Operating income 1 2\nOther 4,262 8\nMore 3,289 9")
    row = figure("row", 2, "Other 1 2\nOperating income 4,262 3,289")
    assert best(OcrAligner(), QUERIES[0], of([scattered, row])) == "row"


def test_the_caption_that_a_question_spells_out_decides_between_equal_tables() -> None:
    text = "2021 2020\nOperating income 4,262 3,289"
    one, other = figure("one", 1, text, "Selected financial data"), figure("other", 2, text, "Segment results")
    query = QUERIES[0].model_copy(update={"question": "How did operating income change in the segment results?"})
    assert best(OcrAligner(), query, of([one, other])) == "other"


def test_what_ocr_misread_is_still_found_in_ocr_text_only() -> None:
    query = Query(qa_id="q", question="What was the utilization rate?", numbers=("1,238.6",))
    index = FigureIndex([figure("a", 1, "utilizat1on ratc 1,233.6").model_copy(update={"text_source": "ocr"})])
    assert index.number_scores("1,238.6")[1] == {0: 0.4}
    assert index.term_scores(asked_terms(query.question)[0])[1][0] > 0.4
    assert FigureIndex([figure("a", 1, "1,233.6")]).number_scores("1,238.6")[1] == {}


@pytest.mark.parametrize(
    ("asked", "shown", "quality"),
    [("1,944", "1,944", 1.0), ("1.944", "1,944", 0.8), ("1,944.27", "1,944.3", 0.7), ("12.50", "12.5", 1.0)],
)
def test_numbers_match_as_printed_in_another_scale_and_rounded(asked: str, shown: str, quality: float) -> None:
    assert FigureIndex([figure("a", 1, f"Total {shown}")]).number_scores(asked)[1] == {0: quality}


def test_words_of_asking_are_not_looked_for() -> None:
    assert asked_terms("According to the chart, what was the value of net revenue?") == asked_terms("revenue")
    assert "计算" not in asked_terms("请根据图中数据，计算研发费用的占比；请保留一位小数。")


def test_short_forms_and_synonyms_meet() -> None:
    for one, other in (
        ("EPS", "earnings per share"),
        ("YoY", "year-over-year"),
        ("归属于母公司净利润", "归母净利润"),
        ("营业总收入", "营收"),
        ("R&D", "research and development"),
    ):
        assert set(unified(one).split()) & set(unified(other).split()), (one, other)


def test_axis_labels_are_no_data() -> None:
    assert without_axis([0, 50, 12.5, 100, 61, 150, 200]) == [12.5, 61]
    assert without_axis([3, 7, 11]) == [3, 7, 11]


def test_an_answer_that_follows_from_few_numbers_tells_more_than_from_many() -> None:
    growth = operations_asked("by how many percent did revenue grow?")
    few = surprise([19.2, 21.3, 3.0], 10.9, 1, growth)
    many = surprise([19.2, 21.3, *range(3, 60)], 10.9, 1, growth)
    assert few > 1 > many
    assert surprise([19.2, 24.0], 10.9, 1, growth) == MISS


def test_a_question_is_taken_apart_without_its_decimals_and_years() -> None:
    named = named_in(Query(qa_id="q", question="Round to two decimal places: growth of 45 stores from 2019 to 2021?"))
    assert named.question_numbers == ("45",)
    assert named.periods == ("2019", "2021")


@given(st.integers(0, 10**9), st.integers(0, 4))
def test_separators_and_trailing_zeros_do_not_change_a_number(value: int, decimals: int) -> None:
    plain = f"{value / 10**decimals:.{decimals}f}"
    grouped = f"{value / 10**decimals:,.{decimals}f}"
    assert number_key(plain) == number_key(grouped) == number_key(f"{plain}{'0' if '.' in plain else '.0'}")


def test_naming_the_aligners_loads_no_heavy_library() -> None:
    program = (
        "import sys, finlmm_aligners; finlmm_aligners.finlmm_aligners()\n"
        "print(sorted({'torch', 'faiss', 'sklearn', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_labelled_charts_are_found(shared_data: Path) -> None:
    """The benchmark runs, and is far above chance; docs/alignment.md has the figures."""
    script = Path(__file__).parents[1] / "benchmarks" / "alignment.py"
    done = subprocess.run(
        [sys.executable, str(script), "--data", str(shared_data / "charts")], capture_output=True, text=True, check=True
    )
    found = {line["what"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}
    assert found["align.top1.FinMMR"] >= 0.85
    assert found["align.top1.FinChart-Bench"] >= 0.88
    assert found["align.top1.OpenCQA"] >= 0.88
    assert found["align.kept.precision"] >= 0.98
    assert found["align.kept.coverage"] >= 0.75


def test_weights_of_zero_silence_a_part() -> None:
    document = report()
    silent = OcrAligner(OcrAlignerOptions(words=0, title=0, periods=0, row=0, numbers=0, all_numbers=0, derived=0))
    assert all(signal.score == 0 for signal in silent.align(document, QUERIES[:1], [document.figures])[0])
