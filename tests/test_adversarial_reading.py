"""What the discriminator reads: marks of what can be checked, corrupted copies, and texts as tokens."""

from __future__ import annotations

import random
import time

import pytest
from adversarial_rollouts import completion, rollout_sample
from finlmm_rewards.adversarial.corruptions import CORRUPTIONS, corrupted
from finlmm_rewards.adversarial.encoder import HashedWords
from finlmm_rewards.adversarial.marks import marked
from finlmm_rewards.adversarial.reading import given_answer, read_thinking, reading

from finlmm_core import RewardContext
from finlmm_core.domain import Sample

SAMPLE = rollout_sample(1)
CHINESE = SAMPLE.model_copy(update={"language": "zh", "question": "2020年和2021年的平均值是多少？"})
TABLE = SAMPLE.model_copy(
    update={"context": "Revenue | 2020 | 2021\nSales | 396 | 366\nCosts of goods | 250 | 261\nTax 2024A | 1,208"}
)
THINKING = (
    "Sales was 396 million in 2020 and 366 million in 2021, so it fell by 30. 396 - 366 = 30. "
    "30 / 366 = 0.08197; that is -8.2%. Costs of goods were higher. So the answer is B."
)


@pytest.mark.parametrize(
    ("calculation", "mark"),
    [
        ("12 - 4 = 8", "[RIGHT]"),
        ("12 - 4 = 9", "[WRONG]"),
        ("4 - 12 = 8", "[WRONG]"),
        ("(12 - 4) / 4 * 100 = 200%", "[RIGHT]"),
        ("(12 - 4) / 4 = 200%", "[RIGHT]"),
        ("10 / 3 = 3.33", "[RIGHT]"),
        ("10 / 3 ≈ 3.4", "[WRONG]"),
        ("$12 × 10 = $120", "[RIGHT]"),
        ("12 ÷ 5 = 2.4", "[RIGHT]"),
        ("12 − 4 = 8", "[RIGHT]"),
        ("12-4+1=9", "[RIGHT]"),
        ("5 - (-7) = 12", "[RIGHT]"),
        ("2 ^ 10 = 1,024", "[RIGHT]"),
        ("12.5% + 2.5% = 15%", "[RIGHT]"),
        ("12 / 0 = 5", ""),
        ("a - b = 8", ""),
        ("12 - 4 = [MASK]", ""),
    ],
)
def test_calculations_are_worked_again(calculation: str, mark: str) -> None:
    marks = marked(f"We get {calculation}. Next.", SAMPLE).replace(" [UNREAD]", "")
    assert marks == f"We get {calculation} {mark}. Next.".replace(" .", ".")


def test_numbers_that_nobody_read_are_marked() -> None:
    assert marked("It was 366. 396 - 366 = 30; 30 * 12 = 360.", SAMPLE) == (
        "It was 366. 396 [UNREAD] - 366 = 30 [RIGHT]; 30 * 12 = 360 [RIGHT]."
    )
    assert marked("In 2020 it was 5, in 2019 it was 7.", SAMPLE) == "In 2020 it was 5, in 2019 [UNREAD] it was 7."
    assert marked("Sales 396, 397, and 1,208 in 2024.", TABLE) == "Sales 396, 397 [UNREAD], and 1,208 in 2024."


def test_the_reader_sees_neither_the_answer_nor_what_the_policy_writes_as_a_mark() -> None:
    text = completion(SAMPLE, True, random.Random(0)).replace("Half", "[RIGHT] [MASK] Half")
    context = RewardContext(sample=SAMPLE, completion=text, group_id="g")
    read = reading(SAMPLE, read_thinking(context), given_answer(context))
    assert read.question == SAMPLE.question
    assert SAMPLE.answer.text not in read.thinking
    assert "RIGHT MASK Half" in read.thinking
    assert read.thinking.count("[RIGHT]") == 1
    shown = reading(SAMPLE, "x", None, read_options=True)
    assert all(option in shown.question for option in SAMPLE.options)
    assert "[" not in reading(SAMPLE, "12 - 4 = 9, so 8.", None, marks=False).thinking.replace("[MASK]", "")


@pytest.mark.parametrize("hostile", ["1 + ", "1+1=", "(1", "9", "1 ", "= ", "1,", "-1", "1^9", "(" * 9 + "1"])
def test_marking_hostile_text_takes_linear_time(hostile: str) -> None:
    begun = time.process_time()
    marked(hostile * 3000, TABLE)
    assert time.process_time() - begun < 2.0


# ------------------------------------------------------------------------------------------------ corruptions


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_corruption_changes_one_thing(kind: str) -> None:
    seen = {CORRUPTIONS[kind](THINKING, TABLE, random.Random(seed)) for seed in range(20)}
    if kind == "value":  # none of the numbers is a cell of the evidence
        assert seen == {None}
        return
    if kind == "row":
        assert seen == {None}
        return
    for text in seen:
        assert text is not None and text != THINKING
        if kind == "step":
            assert len(text) < len(THINKING) and text.endswith("So the answer is B.")
        elif kind == "operands":
            assert sorted(text) == sorted(THINKING)
        else:
            words = [one for one in text.split() if one not in THINKING.split()]
            assert len(words) <= 2
    assert len(seen) > 1


def test_rows_and_values_are_taken_from_the_neighbours() -> None:
    sample = rollout_sample(2)
    name, first = sample.evidence[0].labels[0], sample.evidence[0].text
    second = sample.evidence[1].text
    table = f"{name} | {first} | {second}\nGoodwill | 311 | 299\nOther assets | 512 | 488"
    with_table = sample.model_copy(update={"context": table})
    thinking = f"{name} was {first} in 2020 and {second} in 2021."
    rows = {CORRUPTIONS["row"](thinking, with_table, random.Random(seed)) for seed in range(20)}
    assert rows == {thinking.replace(name, other) for other in ("Goodwill", "Other assets")}
    for seed in range(20):
        text = CORRUPTIONS["value"](thinking, with_table, random.Random(seed))
        assert text is not None
        assert {number for number in text.replace(".", " ").split() if number.isdigit()} <= {
            first, second, "311", "299", "512", "488", "2020", "2021",
        }  # fmt: skip


def test_corruptions_depend_on_the_given_chance_alone() -> None:
    def made(seed: int) -> list[tuple[str, str]]:
        return list(corrupted(THINKING, TABLE, random.Random(seed)))

    random.seed(1)
    first = made(5)
    random.seed(2)
    assert made(5) == first
    assert made(6) != first
    assert {kind for kind, _ in first} == {"year", "unit", "sign", "result", "step", "operands"}


def test_chinese_thinking_is_corrupted_too() -> None:
    thinking = "2020年为120百万元，2021年为100百万元，减少了20百万元。120 - 100 = 20。占比为16.7%。因此选B。"
    kinds = dict(corrupted(thinking, CHINESE, random.Random(3)))
    assert {"year", "unit", "sign", "result", "step", "operands"} <= kinds.keys()
    assert "增加" in kinds["sign"]
    assert "100 - 120" in kinds["operands"]


def test_thinking_with_nothing_to_corrupt_stays_out() -> None:
    sample: Sample = SAMPLE
    assert list(corrupted("It is clear.", sample, random.Random(0))) == []
    assert list(corrupted("", sample, random.Random(0))) == []


# ----------------------------------------------------------------------------------------------------- tokens


def test_the_tiny_tokenizer_reads_numbers_digit_by_digit_and_chinese_by_character() -> None:
    words = HashedWords()
    one, other, marks, chinese = words.ids(["Revenue 12.5", "revenue 125", "[MASK] [RIGHT] [WRONG] [UNREAD]", "增长率"])
    assert [one[0], *one[1:3], one[4]] == other[:4]
    assert marks == [3, 4, 5, 16]
    assert len(chinese) == 3
    assert words.ids([""]) == [[]]
