"""Masking: the final answer is hidden whether right or wrong, what the reasoning read stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finlmm_core.domain import Answer, Evidence, QuestionType, Sample
from finlmm_core.rewards.masking import mask_answer


def sample(
    question: str,
    options: tuple[str, ...],
    option: int,
    cells: dict[str, float],
    *,
    language: str = "en",
    labels: tuple[str, ...] = (),
    **answer: object,
) -> Sample:
    """A sample with the given right option; cells are its evidence as printed."""
    evidence = tuple(
        Evidence(name=name, text=text, value=value, labels=labels[number : number + 1], page=1)
        for number, (name, (text, value)) in enumerate(zip("abcdefgh", cells.items(), strict=False))
    )
    return Sample(
        id="sample",
        type=QuestionType.ARITHMETIC_REASONING,
        language=language,  # type: ignore[arg-type]
        question=question,
        options=options,
        answer=Answer(text=options[option], option=option, **answer),  # type: ignore[arg-type]
        evidence=evidence,
        qa_id="qa",
        document_id="document",
        split="train",
    )


GROWTH = sample(
    "What is the percent change in revenue from 2017 to 2018?",
    ("-16.0%", "14.8%", "8.2%", "26.4%"),
    2,
    {"396": 396.0, "366": 366.0},
    value=8.2,
    unit="percent",
    decimals=1,
)
AMOUNT = sample(
    "By how much did revenue exceed cost in 2018?",
    ("$1,944 million", "$944 million", "$2,120 million", "$3,020 million"),
    0,
    {"2,482": 2482.0, "538": 538.0},
    value=1944.0,
    unit="USD",
    scale=10**6,
    decimals=0,
)
LARGEST = sample(
    "What was the highest revenue over 2016, 2017 and 2018?",
    ("$1,211 million", "$1,520 million", "$1,569 million", "$1,342 million"),
    2,
    {"1,211": 1211.0, "1,569": 1569.0, "1,342": 1342.0},
    value=1569.0,
    unit="USD",
    scale=10**6,
    decimals=0,
)
LABEL = sample(
    "Which segment has the least value in 2018?",
    ("Health Care (Segments)", "Consumer (Segments)", "Electronics and Energy", "Safety and Graphics"),
    1,
    {"1,569": 1569.0, "1,520": 1520.0, "1,211": 1211.0},
    labels=("Safety and Graphics", "Health Care (Segments)", "Consumer (Segments)"),
    unit="label",
)
RANK = sample(
    "What place does Consumer take?",
    ("third", "first", "fourth", "fifth"),
    3,
    {"4.8": 4.8, "1.9": 1.9},
    value=5.0,
    unit="count",
    decimals=0,
)
CHINESE = sample(
    "营业总收入从2023年到2024年的变动百分比是多少？",
    ("98.0%", "26.4%", "27.7%", "16.3%"),
    2,
    {"57,796": 57796.0, "45,250": 45250.0},
    language="zh",
    value=27.7,
    unit="percent",
    decimals=1,
)
CAUSE = sample(
    "What explains that interest expense decreased $72 million?",
    (
        "the impact of lost sales from divested businesses",
        "the $96 million debt charge that was not repeated in 2018",
        "strategic investments in productivity and portfolio actions",
    ),
    1,
    {},
)


@pytest.mark.parametrize(
    "written",
    [
        "8.2%",
        "8.2 percent",
        "8.20 %",
        "８.２％",
        "0.082",
        "8.197%",
        "8.19672",
        "0.0819672",
        "about 8%",
        "(8.2%)",
        "-8.2%",
    ],
)
def test_a_number_is_hidden_in_every_written_form(written: str) -> None:
    masked = mask_answer(f"Revenue was 396 and before 366. Dividing gives {written} in all. Done.", GROWTH)
    assert "Revenue was 396 and before 366." in masked
    assert "[MASK]" in masked
    assert "8.1" not in masked and "8.2" not in masked and "082" not in masked and "８" not in masked


@pytest.mark.parametrize(
    "written",
    ["1,944", "$1,944 million", "1.944 billion", "$1,944,000,000", "19.44亿美元", "USD 1944 million", "(1,944)"],
)
def test_an_amount_is_hidden_in_every_scale(written: str) -> None:
    masked = mask_answer(f"2,482 less 538 leaves {written} for 2018. Done.", AMOUNT)
    assert masked.startswith("2,482 less 538 leaves")
    assert "944" not in masked and "19.44" not in masked and "[MASK]" in masked


@pytest.mark.parametrize(
    "conclusion",
    [
        "So the answer is {}.",
        "Therefore, {} is the correct answer.",
        "**Final answer: {}**",
        "Hence I choose {} because it fits.",
        "\\boxed{{{}}}",
        "This matches {}.",
        "The correct option is: {}",
        "{} it is.",
        "答案是{}。",
        "因此应选{}。",
        "故选 {}",
    ],
)
def test_a_conclusion_reads_the_same_whatever_it_concludes(conclusion: str) -> None:
    body = "Revenue was 396 in 2018 and 366 in 2017, that is 30 more.\n"
    wanted = {
        mask_answer(body + conclusion.format(answer), GROWTH, given=answer)
        for answer in ("8.2%", "14.8%", "-16.0%", "77.1%")
    }
    assert len(wanted) == 1
    letters = {mask_answer(body + conclusion.format(f"({letter})"), GROWTH, given=letter) for letter in "ABCD"}
    assert len(letters) == 1
    for masked in wanted | letters:
        assert masked.startswith(body.strip()), "what the reasoning read and computed on the way must stay"


def test_the_result_of_a_wrong_calculation_is_hidden_like_that_of_a_right_one() -> None:
    right = "(396 - 366) / 366 * 100 = 8.2%. So the answer is C."
    wrong = "(396 - 366) / 366 * 100 = 9.3%. So the answer is C."
    assert mask_answer(right, GROWTH, given="C") == mask_answer(wrong, GROWTH, given="C")


def test_an_answer_that_does_not_follow_reads_like_one_that_does() -> None:
    follows = "(396 - 366) / 366 * 100 = 8.2%. So the answer is 8.2%."
    does_not = "(396 - 366) / 366 * 100 = 8.2%. So the answer is 14.8%."
    assert mask_answer(follows, GROWTH, given="8.2%") == mask_answer(does_not, GROWTH, given="14.8%")


def test_a_result_on_the_way_stays_and_the_last_one_goes_whatever_is_then_answered() -> None:
    masked = {
        mask_answer(f"396 - 366 = 30; 30 by 366 gives {value}. So the answer is {answer}.", GROWTH, given=answer)
        for value, answer in (("8.2%", "8.2%"), ("8.2%", "C"), ("9.7%", "C"), ("9.7%", "3.3%"), ("7.1%", "7.1%"))
    }
    assert masked == {"396 - 366 = 30; 30 by 366 gives [MASK]. So the answer is [MASK]."}


def test_all_options_are_hidden_when_they_are_gone_through() -> None:
    masked = mask_answer("Options: A -16.0% no, B 14.8% no, C 8.2% yes, D 26.4% no.", GROWTH, given="C")
    assert masked == "Options: [MASK] no, [MASK] no, [MASK] yes, [MASK] no."


def test_cells_that_are_the_answer_stay_where_they_are_read_and_go_where_it_is_concluded() -> None:
    body = "The values are 1,211 for 2016, 1,569 for 2017 and 1,342 for 2018. "
    masked = {mask_answer(f"{body}The highest of them is {value}.", LARGEST) for value in ("1,569", "1,342", "1,520")}
    assert masked == {f"{body}The highest of them is [MASK]."}


def test_labels_stay_where_they_are_read_and_go_where_it_is_concluded() -> None:
    body = "Safety and Graphics 1,569, Health Care 1,520, Consumer 1,211. "
    for ending in ("{} had the least.", "So {} is the lowest.", "The answer is {}."):
        masked = {mask_answer(body + ending.format(name), LABEL) for name in ("Consumer", "Health Care", "consumer")}
        assert masked == {body + ending.format("[MASK]")}


def test_labels_with_commas_and_points_are_hidden_whole() -> None:
    options = ("Property, plant and equipment", "Goodwill", "Cash at 3M Co. and Sons", "The year 2015, by 4 points")
    sample_ = LABEL.model_copy(
        update={"options": options, "answer": LABEL.answer.model_copy(update={"text": "Goodwill"})}
    )
    for ending in ("That is {}: option B.", 'So option C, "{}", is right.', "The answer is {}.", "{} is the answer."):
        assert len({mask_answer(f"Side by side: 106, 98. {ending.format(text)}", sample_) for text in options}) == 1


def test_counts_are_hidden_where_they_are_told() -> None:
    count = RANK.model_copy(
        update={"options": ("3", "4", "5", "2"), "answer": RANK.answer.model_copy(update={"text": "2"})}
    )
    masked = {mask_answer(f"12 > 10, yes; 8 > 10, no; that is {n} of 6. So it is {n}.", count) for n in (2, 3, 4, 5)}
    assert masked == {"12 > 10, yes; 8 > 10, no; that is [MASK] of 6. So it is [MASK]."}


def test_places_are_hidden_as_words_and_as_numbers() -> None:
    body = "The values are 4.8, 4.1, 3.3, 2.5 and 1.9. "
    masked = {mask_answer(f"{body}So Consumer comes {place}.", RANK) for place in ("fifth", "first", "5th", "2nd")}
    assert masked == {f"{body}So Consumer comes [MASK]."}


def test_texts_are_hidden_wherever_they_stand() -> None:
    masked = {
        mask_answer(f"The report names {option.upper()} as the cause. That settles it.", CAUSE, given=option)
        for option in (*CAUSE.options, "an explanation that no option gives")
    }
    assert masked == {"The report names [MASK] as the cause. That settles it."}


def test_chinese_thinking_keeps_its_cells_and_loses_its_answer() -> None:
    masked = {
        mask_answer(f"2024年为57,796，2023年为45,250，57,796/45,250-1={value}。因此答案是{letter}。", CHINESE)
        for value, letter in (("27.7%", "C"), ("26.4%", "B"), ("31.9%", "A"))
    }
    assert masked == {"2024年为57,796，2023年为45,250，57,796/45,250-1=[MASK]。因此答案是[MASK]。"}


def test_years_and_small_numbers_are_not_taken_for_answers() -> None:
    thinking = "In 2018 there were 5 segments in 2 regions. They are listed by size. Consumer comes last."
    assert mask_answer(thinking, RANK) == thinking


def test_the_mask_can_be_chosen_and_text_without_an_answer_is_left_alone() -> None:
    assert mask_answer("So the answer is C.", GROWTH, mask="___") == "So the answer is ___."
    assert mask_answer("", GROWTH) == ""
    assert mask_answer("Revenue was 396.\nIt was 366 before.\nA rise.", GROWTH).endswith("\nA rise.")


_ANSWERS = st.one_of(
    st.sampled_from(GROWTH.options),
    st.decimals(min_value="0.1", max_value="99.9", places=1).map(lambda value: f"{value}%"),
    st.sampled_from(["A", "B", "C", "D"]),
)


@settings(max_examples=150, deadline=None)
@given(
    one=_ANSWERS,
    other=_ANSWERS,
    ending=st.sampled_from(
        ["So the answer is {}.", "Thus {} is correct.", "Final answer: {}", "I pick {}.", "Therefore: {}", "所以选{}。"]
    ),
    steps=st.lists(
        st.sampled_from(["Revenue in 2018 was 396.", "In 2017 it was 366.", "396 - 366 = 30.", "It rose."]), min_size=1
    ),
)
def test_swapping_the_answer_changes_nothing(one: str, other: str, ending: str, steps: list[str]) -> None:
    body = " ".join(steps) + "\n"
    assert mask_answer(body + ending.format(one), GROWTH, given=one) == mask_answer(
        body + ending.format(other), GROWTH, given=other
    )


@pytest.mark.parametrize(
    "hostile",
    [
        "a",
        "= ",
        "1,",
        "answer is ",
        "(",
        "\\boxed{",
        " is correct",
        "so ",
        "A ",
        "1 = ",
        "no stop here is the ",
        ". ",
        "9",
        "Therefore 8.2%. ",
        "So 366 gives 7.",
    ],
)
def test_hostile_text_takes_linear_time(hostile: str) -> None:
    begun = time.process_time()
    mask_answer(hostile * 4000, GROWTH, given=hostile * 4000)
    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize("options", [("Yes", "No"), ("True", "False"), ("是", "否")])
def test_what_decides_between_yes_and_no_is_hidden_in_conclusions(options: tuple[str, str]) -> None:
    asked = sample("Was the profit of 2022 30 or more?", options, 0, {"40": 40.0})
    read = "Figure 1 shows costs. The profit of 2022 was {}. Therefore {} in 2022 against 30: {}."
    masked = [
        mask_answer(read.format(n, n, answer), asked, given=letter)
        for n, answer, letter in ((40, options[0], "A"), (10, options[1], "B"))
    ]
    # What was read stays, with the year; the number concluded from would say what the answer is.
    assert [text.partition("Therefore")[2] for text in masked] == [" [MASK] in 2022 against [MASK]."] * 2
    assert "was 40" in masked[0] and "was 10" in masked[1]
    other = sample("Was the profit of 2022 30 or more?", ("Profit rose", "Profit fell"), 0, {"40": 40.0})
    assert "Therefore 40" in mask_answer("It was 40. Therefore 40 against 30.", other)
