"""Programs over evidence names compute exactly, and nothing but arithmetic gets through."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlmm_core.quantities import ProgramError, evaluate_program, program_names, round_half_up


@pytest.mark.parametrize(
    ("program", "result"),
    [
        ("(a - b) / b * 100", "-20"),
        ("sum(a, b, c)", "19"),
        ("mean(a, b)", "4.5"),
        ("median(a, b, c)", "5"),
        ("max(a, b, c) - min(a, b, c)", "6"),
        ("rank(b, a, b, c)", "2"),
        ("argmax(a, b, c)", "3"),
        ("argmin(a, b, c)", "1"),
        ("count(a > 4, b > 4, c > 4)", "2"),
        ("round(a / c, 2)", "0.40"),
        ("((c / b) ** (1 / 1) - 1) * 100", "100"),
        ("-a + abs(-b)", "1"),
    ],
)
def test_programs_compute(program: str, result: str) -> None:
    assert evaluate_program(program, {"a": 4, "b": 5, "c": 10}) == Decimal(result)


def test_floats_are_read_by_their_shortest_form_so_that_decimals_stay_exact() -> None:
    assert evaluate_program("a + b", {"a": 0.1, "b": 0.2}) == Decimal("0.3")


@pytest.mark.parametrize(
    "program",
    [
        "__import__('os')",
        "a.real",
        "a if b else c",
        "lambda: 1",
        "[a, b]",
        "{a}",
        "'x' * 9",
        "True",
        "a and b",
        "a < b < c",
        "print(a)",
        "sum(*a)",
        "sum()",
        "a := 3",
        "unknown + 1",
        "9 ** 9 ** 9",
        "(0 - a) ** 0.5",
        "1 / 0",
        "a +",
        "",
        "a" * 3000,
        "+".join(["a"] * 900),
        "(" * 500 + "a" + ")" * 500,
        "a\x00",
    ],
)
def test_everything_else_is_refused_with_a_program_error(program: str) -> None:
    with pytest.raises(ProgramError):
        evaluate_program(program, {"a": 1, "b": 2, "c": 3})


def test_names_are_told_without_functions() -> None:
    assert program_names("sum(a, b) / max(c, 3)") == {"a", "b", "c"}


@given(st.decimals(-(10**9), 10**9, places=4, allow_nan=False), st.integers(0, 3))
def test_rounding_is_half_away_from_zero(value: Decimal, digits: int) -> None:
    rounded = round_half_up(value, digits)
    step = Decimal(1).scaleb(-digits)
    assert abs(rounded - value) <= step / 2
    assert round_half_up(-value, digits) == -rounded


@given(st.text(alphabet="abc0123456789+-*/(). ,sumaxin<>=", max_size=40))
def test_any_text_is_a_number_or_a_program_error(program: str) -> None:
    with contextlib.suppress(ProgramError):
        assert evaluate_program(program, {"a": 1, "b": 2, "c": 3}).is_finite()
