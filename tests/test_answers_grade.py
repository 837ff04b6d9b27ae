"""What finlmm's own samples earn: the right answer in any honest form, and no trick."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finlmm_core.answers import Gold, get_profile, gold_of, gold_problem, grade_answer, grade_completion, grade_sample
from finlmm_core.domain import Answer, QuestionType, Sample
from finlmm_core.errors import FinlmmError


def sample(options: tuple[str, ...], right: int, question: str = "What is asked?", **answer: object) -> Sample:
    """Return a sample with these options, of which the given one is right."""
    text = options[right] if options else str(answer.pop("text"))
    return Sample(
        id="s", type=QuestionType.ARITHMETIC_REASONING, language="en", question=question, options=options,
        answer=Answer.model_validate({"text": text, "option": right, **answer}), qa_id="q", document_id="d",
        split="train",
    )  # fmt: skip


PERCENT = sample(("29.8%", "24.6%", "11.7%", "-24.6%"), 1, value=24.6, unit="percent", decimals=1)
AMOUNT = sample(
    ("$1,410 million", "$3,071 million", "$1,087 million", "$3,321 million"), 3, value=3321, unit="USD", scale=10**6,
    decimals=0,
)  # fmt: skip
POINTS = sample(("3.4个百分点", "3.9个百分点", "-1.8个百分点"), 2, value=-1.8, unit="percentage_points", decimals=1)
YUAN = sample(("-430百万元", "-608百万元", "608百万元"), 1, value=-608, unit="CNY", scale=10**6, decimals=0)
RANK = sample(("third", "first", "fourth", "fifth"), 3, value=5, unit="count", decimals=0)
COUNT = sample(("4", "3", "1", "5"), 1, value=3, unit="count", decimals=0)
RATIO = sample(("3.36", "4.36", "0.36"), 0, value=3.36, unit="ratio", decimals=2)
LABEL = sample(("Cost of revenue", "Revenue", "Other, net", "Deferred revenue"), 1, unit="label")
PERIOD = sample(("2027E", "2025E", "2024年", "2026E"), 0, unit="label")
BOTH = sample(("2017, by 14.1 points", "2017, by 12.1 points", "2018, by 12.1 points"), 1, unit="label")
FORMULA = sample(("营业收入－营业成本", "净利润＋所得税费用", "毛利－期间费用"), 0)
OPEN = sample((), 0, text="36.5%", value=36.5, unit="percent", decimals=1)
ALL = [PERCENT, AMOUNT, POINTS, YUAN, RANK, COUNT, RATIO, LABEL, PERIOD, BOTH, FORMULA, OPEN]


def answered(case: Sample, answer: str) -> float | None:
    """Return what a well-formed completion with this answer earns."""
    return grade_sample(case, f"<think>some thinking</think><answer>{answer}</answer>").value


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.answer.text)
def test_every_gold_answer_passes_and_every_wrong_option_fails(case: Sample) -> None:
    assert gold_problem(case) is None
    if case.options:
        letter, text = case.answer.letter, case.answer.text
        forms = [f"({letter})", f"{letter})", f"Option {letter}", f"**{letter}**", f"{letter}: {text}", f"选{letter}"]
        forms += [f"The answer is {letter}.", f"\\boxed{{{letter}}}", f"The answer is {text}", f" {text} "]
        for form in forms:
            assert answered(case, form) == 1.0, form


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        (PERCENT, "The margin is 24.6% in 2021."), (PERCENT, "24.6"), (PERCENT, "24.6 percent"), (PERCENT, "24.63%"),
        (PERCENT, "２４．６％"), (PERCENT, "B, since net income fell"), (PERCENT, r"\frac{984}{4000} = 24.6\%"),
        (AMOUNT, "3,321"), (AMOUNT, "$3.321 billion"), (AMOUNT, "3,321,000,000"), (AMOUNT, "USD 3,321 million"),
        (AMOUNT, "33.21亿美元"), (POINTS, "-1.8 percentage points"), (POINTS, "下降1.8个百分点"), (POINTS, "-180bps"),
        (YUAN, "-6.08亿元"), (YUAN, "(608)百万元"), (YUAN, "a decrease of RMB 608 million"), (RANK, "5th"), (RANK, "5"),
        (COUNT, "three"), (COUNT, "3 items"), (RATIO, "3.36x"), (RATIO, "336%"), (LABEL, "It was revenue"),
        (PERIOD, "2027E"), (LABEL, "I go with B"),
        (BOTH, "in 2017, by 12.1 points"), (FORMULA, "营业收入-营业成本"), (OPEN, "about 36.5%"),
    ],
)  # fmt: skip
def test_an_honest_writing_of_the_right_answer_is_right(case: Sample, answer: str) -> None:
    assert answered(case, answer) == 1.0


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        # several, hedged, denied
        (PERCENT, "A, B, C, D"), (PERCENT, "ABCD"), (PERCENT, "A/B"), (PERCENT, "B or A"),
        (PERCENT, "B, unless it is A"),
        (PERCENT, "A. 29.8%\nB. 24.6%\nC. 11.7%\nD. -24.6%"), (PERCENT, "24.6% or 29.8%"), (PERCENT, "24.6 25.6 26.6"),
        (PERCENT, "B. 29.8%"), (PERCENT, "A. 24.6%"), (PERCENT, "24.6% (A)"), (PERCENT, "B. 13.3%"), (PERCENT, "not B"),
        (PERCENT, "anything but 24.6%"), (PERCENT, "24.6% is wrong"), (PERCENT, r"A \boxed{B}"), (PERCENT, "±24.6%"),
        (PERCENT, r"\boxed{A} \boxed{B}"), (PERCENT, "29.8% = 24.6%"), (PERCENT, "A<!-- B -->"),
        (PERCENT, "Options: A) x, B) 24.6%, C) y"),
        (PERCENT, "[A-J]|.*"), (LABEL, "anything but B"), (PERCENT, "20-30%"),
        (PERCENT, "all of the above"),
        (LABEL, "Revenue; Cost of revenue"), (LABEL, "not revenue"), (LABEL, "Revenue is wrong"), (BOTH, "2017"),
        # another unit, scale, sign
        (PERCENT, "0.246"), (PERCENT, "0.246%"), (PERCENT, "2460%"), (PERCENT, "24.6‰"), (PERCENT, "24.6 bps"),
        (PERCENT, "$24.6"), (PERCENT, "24.6 million"), (PERCENT, "(24.6)"), (PERCENT, "24.6% decrease"),
        (AMOUNT, "3,321 thousand"), (AMOUNT, "€3,321 million"), (AMOUNT, "-3,321"), (AMOUNT, "3,321%"),
        (AMOUNT, "3,321 quadrillion"), (AMOUNT, "332.1 million"), (YUAN, "608百万元"), (YUAN, "-608亿元"),
        # parts, echoes, nothing
        (PERCENT, ""), (PERCENT, "%"), (PERCENT, "24"), (PERCENT, "4.6%"), (PERCENT, "124.6%"), (AMOUNT, "3,32"),
        (LABEL, "Rev"), (LABEL, "deferred"), (LABEL, "unearned revenues"), (PERIOD, "202"), (PERIOD, "2027"),
        (LABEL, "Which of Cost of revenue, Revenue, Other, net and Deferred revenue is the largest?"),
        (PERCENT, "What is asked?"), (PERCENT, "cannot be determined"), (PERCENT, "correct answer: yes"),
        # look-alikes and leftovers
        (PERCENT, "\u0412"), (PERCENT, "Β"), (PERCENT, "<|image_pad|>"), (PERCENT, "𝟸𝟺"), (PERCENT, "9" * 5000),
        (PERCENT, "1e999999"), (PERCENT, "9**9**9"), (PERCENT, "__import__('os')"), (PERCENT, "24.6!"),
    ],
)  # fmt: skip
def test_no_trick_earns_anything(case: Sample, answer: str) -> None:
    assert answered(case, answer) == 0.0


@pytest.mark.parametrize(
    "completion",
    [
        "<think>The answer is B. 24.6%</think><answer></answer>",
        "<think>The answer is B</think><answer>A</answer>",
        "<think>The answer is B",
        "<think>x</think><answer>B",
        "<think>x</think>B",
        "<think>x</think><answer>A</answer><answer>B</answer>",
        "<think>x<answer>B</answer></think>",
        "<think>x</think><answer>A</answer> Correction: the answer is B",
        "The answer is A. Or rather, the answer is B.",
    ],
)
def test_only_one_answer_in_its_own_place_counts(completion: str) -> None:
    assert grade_sample(PERCENT, completion).value == 0.0


def test_untagged_completions_are_graded_too() -> None:
    assert grade_sample(PERCENT, "Net income over revenue.\nThe answer is (B).").value == 1.0
    assert grade_sample(PERCENT, "Net income over revenue gives \\boxed{24.6\\%}").value == 1.0


def test_the_reason_says_what_went_wrong() -> None:
    reasons = {
        "D": "wrong_option", "A, B": "several_options", "B. 13.3%": "contradiction", "13.3%": "wrong_value",
        "n/a": "refusal", "": "no_answer",
    }  # fmt: skip
    for answer, reason in reasons.items():
        assert grade_answer(answer, gold_of(PERCENT)).reason == reason
    gold = Gold.of("$3,321 million")
    for answer, reason in {
        "$3,321 thousand": "wrong_scale", "-3,321": "wrong_sign", "3,321%": "wrong_unit", "3,322": "wrong_value"
    }.items():  # fmt: skip
        assert grade_answer(answer, gold).reason == reason


def test_a_grade_tells_both_parsed_forms() -> None:
    grade = grade_sample(AMOUNT, "<think>x</think><answer>C. $1,087 million</answer>")
    assert grade.given.letters == "C"
    assert grade.gold.letter == "D"
    assert grade_answer("12%", Gold.of("13%")).given.value == 12.0


def test_a_gold_answer_that_cannot_be_judged_is_none_for_every_completion() -> None:
    unknown = Gold.of("E", options=("a", "b"))
    for completion in ("<think>x</think><answer>A</answer>", "", "E"):
        grade = grade_completion(completion, unknown)
        assert (grade.value, grade.reason) == (None, "unparsable_gold")


def test_gold_problem_names_samples_whose_options_cannot_be_told_apart() -> None:
    twice = sample(("24.6%", "24.6 %", "11%"), 0, value=24.6, unit="percent", decimals=1)
    assert "24.6" in str(gold_problem(twice))
    beyond = sample(("24.6%", "11%"), 0, value=24.6).model_copy(
        update={"answer": Answer(text="24.6%", option=4, value=24.6, unit="percent", decimals=1)}
    )
    assert gold_problem(beyond) == "the answer is option 4 of 2"
    off = sample(("25.6%", "11%"), 0, value=24.6, unit="percent", decimals=1)
    assert gold_problem(off) is None  # letter and text agree; what the value says is the generator's business


def test_an_unknown_profile_is_an_error_with_a_near_miss() -> None:
    with pytest.raises(FinlmmError, match="Did you mean 'finmmr'"):
        get_profile("finmrr")


def test_a_decrease_asked_for_is_a_positive_number() -> None:
    fall = sample((), 0, "By how much did costs decrease?", text="5%", value=5, unit="percent", decimals=0)
    assert answered(fall, "a decrease of 5%") == 1.0
    assert answered(sample((), 0, text="5%", value=5, unit="percent", decimals=0), "a decrease of 5%") == 0.0


def test_an_expression_is_compared_with_a_number_by_its_value() -> None:
    assert grade_answer(r"\sqrt{2}", Gold.of(1.41), "mathverse").value == 1.0
    assert grade_answer(r"\sqrt{2}", Gold.of(287.05263157894734), "finmmr").value == 0.0
    assert grade_answer(r"\sqrt{x}", Gold.of(1.41), "mathverse").reason == "no_number"


def test_a_gold_value_that_is_no_number_cannot_be_judged() -> None:
    assert grade_answer("5", Gold.of(float("nan"))).value is None
    assert gold_problem(sample((), 0, text="nan", value=float("inf"))) is not None


def test_symbolic_answers_are_compared_off_the_main_thread_too() -> None:
    gold = Gold.of(r"\frac{\sqrt{3}}{2}")
    values: list[float | None] = []
    thread = threading.Thread(
        target=lambda: values.extend(
            grade_answer(answer, gold, "mathverse").value for answer in (r"\sqrt{3}/2", r"\sqrt{5}/2")
        )
    )
    thread.start()
    thread.join(60)
    assert values == [1.0, 0.0]


letters = st.sampled_from("ABCD")


@settings(max_examples=80, deadline=None)
@given(st.lists(letters, min_size=1, max_size=5), st.sampled_from([", ", " or ", "/", " and ", "; ", "\n", " ", ""]))
def test_letters_pass_only_where_they_all_are_the_right_one(named: list[str], joint: str) -> None:
    value = answered(PERCENT, joint.join(named))
    if set(named) != {"B"}:
        assert value == 0.0
    elif len(named) == 1:
        assert value == 1.0


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
def test_random_text_is_graded_and_never_raises(text: str) -> None:
    for case in (PERCENT, LABEL, OPEN):
        assert grade_sample(case, text).value in (0.0, 1.0)
    for answer in (12.5, "Income taxes", "2021", "yes", ["a", "b"], "10-12%", "Not answerable"):
        for profile in ("finance-bench", "mmlongbench-doc", "tatqa"):
            assert grade_completion(text, Gold.of(answer), profile).value in (0.0, 1.0, None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5))
def test_a_truncated_answer_never_passes(cut: int) -> None:
    for case in ALL:
        text = case.answer.text
        if 0 < cut < len(text):
            shown = text[:-cut] if len(text) > cut else ""
            if not shown or shown.strip(" .%项个0") == text.strip(" .%项个0") or answered_equal(case, shown):
                continue
            assert answered(case, shown) == 0.0, shown


def answered_equal(case: Sample, shown: str) -> bool:
    """Return whether what is left of an answer still says it: '3.36' of '3.36x', '$3,321' of '$3,321 million'."""
    digits = [character for character in case.answer.text if character.isdigit()]
    return bool(digits) and [character for character in shown if character.isdigit()] == digits


def test_another_letter_beside_a_value_and_an_or_before_it_are_no_answer() -> None:
    gold = Gold.of("1.0%", options=["1.0%", "2.3%", "4.0%", "-1.0%"])
    profile = get_profile("finlmm")
    for trick in ("C [score: 1.0] [correct: true]", "' OR '1'='1", "B or 1.0%"):
        assert grade_answer(trick, gold, profile).value == 0.0, trick
    for honest in ("1.0%", "A 1.0%", "about 1.0% of sales"):
        assert grade_answer(honest, gold, profile).value == 1.0, honest
