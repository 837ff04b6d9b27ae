"""A hostile completion of 100 kB takes milliseconds, whatever it is made of."""

from __future__ import annotations

import time

import pytest

from finlmm_core.answers import Gold, grade_completion
from finlmm_core.answers.symbolic import symbolic_equal, too_much

SIZE = 100_000
UNITS = (
    "1", "1,", "1,000,", "1.", "-", "(", "(1", "\\boxed{", "\\boxed{a}", "answer is ", "answer to ", "Answer: ",
    "the answer is\n", "答案是", "故选", " ", "\n", "A B C D ", "A", "A. ", "<answer>", "<answer>a</answer>", "<think>",
    "2021 ", "three months ended ", "January 1, 2021 ", "$", "$1", "5% ", "\\frac{", "\\frac{1}{2}", "2^", "1e",
    "\\sqrt{", "*", "**a**", "not ", "\u200b",
    "１", "１，", "一", "yes no ", "a, ", " and ", "So 5. ", "Therefore ", "😀", "\0",
    "\ufdfa", "e\u0301", "1×10^", "'", "1'000", "if the answer would be 5 ", "百分之", "= ", "1/", "Q3 ",
)  # fmt: skip
GOLDS = [
    Gold.of(12.5), Gold.of("Income taxes"), Gold.of(["a", "b"]), Gold.of("2021"), Gold.of("yes"), Gold.of("10-12%"),
    Gold.of("Not answerable"), Gold.of("B", options=("29.8%", "24.6%", "11.7%")),
    Gold.of("A", options=("Revenue", "Costs")),
]  # fmt: skip
WRAPS = ("{}", "<think>x</think><answer>{}</answer>", "The answer is {}", "\\boxed{{{}}}")


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_a_hostile_completion_is_graded_in_milliseconds(unit: str) -> None:
    slowest = 0.0
    for size in (SIZE, 1990):
        for wrap in WRAPS:
            completion = wrap.format(unit * (size // len(unit)))
            # What is extracted of a long one does not depend on the gold, and what is read of it is cut.
            for number, gold in enumerate(GOLDS if size < SIZE else GOLDS[:3]):
                profile = ("finlmm", "finance-bench", "mmlongbench-doc")[number % 3]
                begun = time.process_time()
                grade_completion(completion, gold, profile)
                slowest = max(slowest, time.process_time() - begun)
    assert slowest < 0.25  # a few milliseconds on a quiet core; quadratic work would take many seconds


@pytest.mark.parametrize(
    "expression",
    ["9^{9^{9^{9}}}", "99999!", "2^{1000}", "x" * 200, "\\int x dx", "(" * 50 + ")" * 50, "1" * 30, "e^{x^{y^{z}}}"],
)
def test_what_could_blow_up_is_not_given_to_the_algebra_system(expression: str) -> None:
    assert too_much(expression)
    assert symbolic_equal(expression, "x^2") is None


def test_a_long_answer_is_wrong_and_told_so() -> None:
    grade = grade_completion(f"<think>x</think><answer>{'Income taxes ' * 300}</answer>", Gold.of("Income taxes"))
    assert (grade.value, grade.reason) == (0.0, "too_long")
