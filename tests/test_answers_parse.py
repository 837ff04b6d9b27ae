"""Answers are read the way people write them, in English, Chinese and Japanese."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlmm_core.answers import Gold, grade_answer, parse_answer
from finlmm_core.answers.texts import anls, edit_distance, normal_text


@pytest.mark.parametrize(
    ("text", "value", "scale", "unit", "currency"),
    [
        ("1,234.5", "1234.5", 1, None, None),
        ("(1,234)", "-1234", 1, None, None),
        ("−12.5 %", "-12.5", 1, "percent", None),
        ("１，２３４．５％", "1234.5", 1, "percent", None),
        ("$1.2 billion", "1.2", 10**9, None, "USD"),
        ("12.3亿元", "12.3", 10**8, None, "CNY"),
        ("1,200万", "1200", 10**4, None, None),
        ("5,321百万円", "5321", 10**6, None, "JPY"),
        ("230 basis points", "230", 1, "basis_points", None),
        ("2.3个百分点", "2.3", 1, "percentage_points", None),
        ("-1.9ポイント", "-1.9", 1, "percentage_points", None),
        ("3.2x", "3.2", 1, "multiple", None),
        ("百分之12.5", "12.5", 1, "percent", None),
        (r"$12.5\%$", "12.5", 1, "percent", None),
        (r"\$1{,}944 \text{ million}", "1944", 10**6, None, "USD"),
        (r"-\frac{3}{4}", "-0.75", 1, None, None),
        ("1 1/2", "1.5", 1, "fraction", None),
        ("4.5e3", "4500", 1, None, None),
        (r"4.5 \times 10^{3}", "4500", 1, None, None),
        ("seven", "7", 1, None, None),
        ("第三", "3", 1, None, None),
        ("5M", "5", 10**6, None, None),
        ("**$66**", "66", 1, None, "USD"),
    ],
)
def test_a_number_is_read_with_its_unit(
    text: str, value: str, scale: int, unit: str | None, currency: str | None
) -> None:
    amount = parse_answer(text, expect="number").amount
    assert amount is not None
    assert (amount.value, amount.scale, amount.currency) == (Decimal(value), scale, currency)
    assert amount.unit == unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The margin in 2021 was 24.6% in the second quarter of 2020", "24.6"),
        ("(1,168 - 984) / 984 = 18.7%", "18.7"),
        ("Revenue of 2,846 and costs of 1,678 mean that profit is 1,168", "1168"),
        ("$5,466,312,000 or $5,466.312 million", "5466312000"),
        ("0.125 (12.5%)", "12.5"),
        (r"\frac{984}{4000} = 24.6\%", "24.6"),
    ],
)
def test_of_several_numbers_the_claimed_one_counts(text: str, value: str) -> None:
    amount = parse_answer(text, expect="number").amount
    assert amount is not None
    assert amount.value == Decimal(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("24.6%", "number"), ("FY2021", "period"), ("Q3 2021", "period"), ("10-12%", "range"), ("A, C", "letters"),
        ("yes", "yes_no"), ("Canada and Japan are", "text"), ("cannot be determined", "refusal"),
        ("无法确定", "refusal"),
        (r"\sqrt{2}/2", "symbolic"), ("", "none"), ("3, 4, 5", "list"), ("一年内偿付的债务", "text"),
        ("2017, by 12.1 percentage points", "number"),
    ],
)  # fmt: skip
def test_an_answer_is_seen_for_what_it_is(text: str, kind: str) -> None:
    assert parse_answer(text).kind == kind


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("137,347, 100,284, 72,849", ("137,347", "100,284", "72,849")),
        ("2019,2018", ("2019", "2018")),
        ("Canada, Japan, and Korea", ("Canada", "Japan", "Korea")),
        ("收入、成本和利润", ("收入", "成本", "利润")),
        ("1.5和2.5", ("1.5", "2.5")),
        ('["a", "b"]', ("a", "b")),
        ("- x\n- y", ("x", "y")),
    ],
)
def test_a_list_is_split_but_not_its_numbers(text: str, items: tuple[str, ...]) -> None:
    assert parse_answer(text, expect="list").items == items


@pytest.mark.parametrize(
    ("text", "yes"),
    [("Yes, it did.", True), ("No.", False), ("True", True), ("不是", False), ("是的", True), ("はい", True),
     ("いいえ", False), ("yes or no", None), ("yes no", None), ("nothing", None), ("Northern", None)],
)  # fmt: skip
def test_yes_and_no_are_read_at_the_start_and_never_both(text: str, yes: bool | None) -> None:
    assert parse_answer(text, expect="yes_no").yes is yes


def test_words_of_direction_belong_to_their_own_number() -> None:
    fell = parse_answer("costs rose by 3 while profit fell by 5%", expect="number").amounts
    assert [amount.direction for amount in fell] == [1, -1]


def test_the_words_of_a_text_keep_signs_and_letters_apart() -> None:
    assert normal_text("The  Net-Income.") == normal_text("net income")
    assert normal_text("A. -43.3%") != normal_text("-43.3%")
    assert normal_text("-5") != normal_text("5")
    assert normal_text("12.5") != normal_text("125")


@given(st.text(alphabet="abcde", max_size=40), st.text(alphabet="abcde", max_size=40))
def test_the_edit_distance_is_levenshteins(first: str, second: str) -> None:
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        previous, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    assert edit_distance(first, second) == row[-1]
    assert 0.0 <= anls(first, second) <= 1.0


numbers = st.decimals(min_value=-(10**9), max_value=10**9, places=2, allow_nan=False, allow_infinity=False)


@given(numbers)
def test_every_way_of_writing_a_number_is_that_number(value: Decimal) -> None:
    gold = Gold.of(f"{value}", scale=1)
    minus, digits = ("-", abs(value)) if value < 0 else ("", value)
    forms = [f"{value}", f"{value:,}", f"{minus}${digits:,}", f"**{value}**", f"\\boxed{{{value}}}"[7:-1], f"= {value}"]
    forms.append(f"({digits:,})" if value < 0 else f"+{value}")
    forms.append(f"{value}".translate(str.maketrans("0123456789.-", "０１２３４５６７８９．－")))
    for form in forms:
        assert grade_answer(form, gold).value == 1.0, form


@given(numbers, st.sampled_from(["thousand", "million", "billion"]))
def test_another_sign_scale_or_digit_is_another_number(value: Decimal, scale: str) -> None:
    if not value:
        return
    gold = Gold.of(f"{value} {scale}")
    other = {"thousand": "million", "million": "billion", "billion": "thousand"}[scale]
    for form in (f"{-value} {scale}", f"{value} {other}", f"{value * 10} {scale}", f"{value}%", f"{value + 1} {scale}"):
        assert grade_answer(form, gold).value == 0.0, form
    assert grade_answer(f"{value} {scale}", gold).value == 1.0
