"""The final answer of a completion is found wherever it is meant, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finlmm_core.answers import extract_answer, read_tags

TAGGED = "<think>{}</think><answer>{}</answer>"


@pytest.mark.parametrize(
    ("completion", "text", "how"),
    [
        (TAGGED.format("a guess: 7", "24.6%"), "24.6%", "answer_tag"),
        (TAGGED.format("x", "The answer is B.") + "<image_selection>2</image_selection>", "B.", "answer_tag"),
        (TAGGED.format("x", "**Answer:** B"), "B", "answer_tag"),
        (TAGGED.format("x", "答案是B"), "B", "answer_tag"),
        (TAGGED.format("x", r"\boxed{24.6\%}"), r"24.6\%", "answer_tag"),
        ("reasoning goes on</think><answer>B</answer>", "B", "answer_tag"),
        ("<think>so 7, or 8</think>\nThe answer is 8.", "8.", "phrase"),
        (r"First \boxed{1}, then \boxed{\frac{3}{4}}.", r"\frac{3}{4}", "boxed"),
        (r"\boxed{\boxed{5}}", "5", "boxed"),
        ("Therefore, the answer is **66**.", "**66**.", "phrase"),
        ("The answer to the first question is 5 because revenue rose.", "5", "phrase"),
        ("So the correct option is (C).", "(C).", "phrase"),
        ("**Final Answer:**\n\n**12.5%**\n", "12.5%**", "phrase"),
        ("### Final Answer:\nTherefore, the answer is 7.", "7.", "phrase"),
        ("综上，答案为：B。因为收入上升", "B。", "phrase"),
        ("利润下降，故选C", "C", "phrase"),
        ("答えは はい", "はい", "phrase"),
        ("Revenue was 5.\n\nB\n```\n---\n", "B", "last_line"),
        ("\n".join(f"step {n}: still 3" for n in range(5000)) + "\nAnswer: 42", "42", "phrase"),
    ],
)
def test_the_answer_is_found(completion: str, text: str, how: str) -> None:
    extracted = extract_answer(completion)
    assert (extracted.text, extracted.how) == (text, how)


@pytest.mark.parametrize(
    ("completion", "how"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("---\n...\n", "empty"),
        (TAGGED.format("B", ""), "empty_tag"),
        ("<think>the answer is B", "only_thinking"),
        ("<think>x</think><answer>B", "bad_tags"),
        ("<think>x</think><answer>A</answer><answer>B</answer>", "bad_tags"),
        ("<answer>A<answer>B</answer></answer>", "bad_tags"),
        ("<think>x<answer>B</answer></think>", "bad_tags"),
    ],
)
def test_where_there_is_no_answer_none_is_made_up(completion: str, how: str) -> None:
    extracted = extract_answer(completion)
    assert extracted.text is None
    assert extracted.how == how


def test_of_a_tagged_completion_only_the_answer_counts_where_that_is_asked() -> None:
    assert extract_answer("<think>x</think>The answer is B", tagged_only=True).how == "bad_tags"
    assert extract_answer("The answer is B", tagged_only=True).text == "B"


def test_earlier_answers_are_told() -> None:
    assert extract_answer("The answer is A\nNo: the answer is B.").others == ("A",)
    assert extract_answer(r"\boxed{1} \boxed{2} \boxed{2}").others == ("1",)
    assert extract_answer(TAGGED.format("x", r"A \boxed{B}")).others == ("A",)


def test_lines_that_follow_each_other_are_one_list() -> None:
    listed = "These are they:\n- Canada\n- Japan"
    assert extract_answer(listed, several=True).text == "- Canada\n- Japan"
    assert extract_answer("The answer is:\nCanada\nJapan\n\nThanks.", several=True).text == "Canada\nJapan"
    assert extract_answer(listed).text == "- Japan"


@pytest.mark.parametrize(
    ("response", "claim"),
    [
        ("Sales were $5 million. This is shown on page 7.", "Sales were $5 million."),
        ("Costs were 3.\n\nSo the margin is 40%. It is on page 2.", "So the margin is 40%."),
        ("Therefore, the ratio is calculated as:\n\n12 / 5\n= 2.4", "= 2.4"),
        ("The 2018 filing says more. Net debt is $8.7 billion.", "Net debt is $8.7 billion."),
    ],
)
def test_a_free_text_states_its_result_where_it_concludes(response: str, claim: str) -> None:
    assert extract_answer(response, prose=True).text == claim


def test_what_would_be_the_answer_is_none() -> None:
    assert extract_answer("If costs are not shown, then the answer would be 0.\nAnswer: 7").others == ()


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="<>/thinkanswer boxed\\{}AB=.\n答案是", max_size=200))
def test_any_text_gives_an_answer_or_a_reason(completion: str) -> None:
    extracted = extract_answer(completion)
    assert (extracted.text is None) == (extracted.how in ("empty", "empty_tag", "bad_tags", "only_thinking"))
    if extracted.text is not None:
        assert extracted.text.strip()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_the_thinking_never_changes_the_answer(thinking: str, answer: str) -> None:
    if "<" in thinking + answer:
        return
    completion = TAGGED.format(thinking, answer)
    assert extract_answer(completion) == extract_answer(TAGGED.format("", answer))
    assert read_tags(completion).answer == answer.strip()
