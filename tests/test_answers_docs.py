"""The table of examples in docs/grading.md is what the grader does, and the page names what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from finlmm_core.answers import PROFILES, Gold, Profile, grade_answer

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "grading.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| (\S+) \| `(\{.*?\})` \| `(.*)` \| (1|0|None) \| (\S+) \|")
ROWS = [match.groups() for line in PAGE.splitlines() if (match := ROW.fullmatch(line))]


def test_the_page_has_its_examples() -> None:
    assert len(ROWS) > 80
    assert {row[0] for row in ROWS} >= set(PROFILES) - {"mmstar"}


@pytest.mark.parametrize(("profile", "gold", "given", "value", "reason"), ROWS)
def test_an_example_is_graded_as_the_page_says(profile: str, gold: str, given: str, value: str, reason: str) -> None:
    grade = grade_answer(given, Gold.of(**json.loads(gold)), profile)
    assert (grade.value, grade.reason) == (None if value == "None" else float(value), reason)


def test_every_profile_is_on_the_page_and_every_setting_is_described() -> None:
    for name in PROFILES:
        assert f"| `{name}` |" in PAGE
    undescribed = [name for name, field in Profile.model_fields.items() if not field.description]
    assert undescribed in ([], ["name"], ["name", "anls_threshold"])
