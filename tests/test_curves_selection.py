"""What counts as picking an image: rewards and evaluation read it with the same function."""

from __future__ import annotations

import pytest

from finlmm_core.answers.selection import read_selection


@pytest.mark.parametrize(
    ("text", "images"),
    [("2", {2}), (" Image 2 ", {2}), ("1, 3", {1, 3}), ("图2", {2}), ("第2张", {2}), ("1 and 3", {1, 3}), ("12", {12})],
)
def test_numbers_of_images_are_a_selection(text: str, images: set[int]) -> None:
    assert read_selection(text) == images


@pytest.mark.parametrize(
    "text", [None, "", "none", "0", "-1", "1.5", "1234", "1 1", "1, 2, 1", "the second", "2 " * 200, "1 or 2", "not 2"]
)
def test_hedges_prose_and_impossible_numbers_are_none(text: str | None) -> None:
    assert read_selection(text) is None
