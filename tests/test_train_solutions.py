"""Worked solutions: right, exact, in the completion format, and worded for people."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from solution_samples import all_shapes, cells, sample

from finlmm_core.answers import gold_problem, read_tags
from finlmm_core.domain import Language, RewardContext, Sample
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import WeightedPluginRef
from finlmm_core.quantities import evaluate_program
from finlmm_core.rewards import RewardServices, RewardSet
from finlmm_core.train.solutions import solution

SHAPES: list[tuple[str, Sample]] = [
    (f"{name}, {language}, {images} images", one)
    for language in ("en", "zh")
    for images in (0, 4)
    for name, one in all_shapes(language, images).items()  # type: ignore[arg-type]
]
each_shape = pytest.mark.parametrize("one", [one for _, one in SHAPES], ids=[name for name, _ in SHAPES])
STEP = re.compile(r"([\d,.()|+\-*/^ ]+) ([=≈]) (-?[\d,]+(?:\.\d+)?)")
ENDS = re.compile(r"\. |。|; |；|: |：|\.?$")


def thinking(one: Sample) -> str:
    text = solution(one)
    assert text is not None
    think = read_tags(text).think
    assert think
    return think


@pytest.fixture(scope="module")
def rewards() -> RewardSet:
    plugins = Plugins.load()
    made = RewardSet.create(
        [WeightedPluginRef(name=name) for name in ("format", "accuracy", "image_selection")], plugins
    )
    made.prepare(RewardServices(plugins=plugins))
    return made


def full_marks(rewards: RewardSet, samples: list[Sample]) -> None:
    contexts = [
        RewardContext(sample=one, completion=solution(one) or "", group_id=str(n)) for n, one in enumerate(samples)
    ]
    scored = rewards.score(contexts).scores
    for place, one in enumerate(samples):
        values = {name: scores[place].value for name, scores in scored.items()}
        wanted = 1.0 if one.images else None
        assert values == {"format": 1.0, "accuracy": 1.0, "image_selection": wanted}, contexts[place].completion


def wrong_steps(text: str) -> list[str]:
    """Return the steps of a solution that do not hold, computed again from the digits that are written."""
    wrong = []
    for left, sign, right in (step.groups() for part in ENDS.split(text) if (step := STEP.fullmatch(part))):
        program = re.sub(r"\|(.*)\|", r"abs(\1)", left.strip()).replace(",", "").replace("^", "**")
        value = evaluate_program(program, {})
        shown = Decimal(right.replace(",", ""))
        allowed = Decimal(0) if sign == "=" else Decimal("0.5").scaleb(-len(right.partition(".")[2]))
        if abs(value - shown) > allowed:
            wrong.append(f"{left} {sign} {right}")
    return wrong


def test_every_shape_earns_full_marks(rewards: RewardSet) -> None:
    samples = [one for _, one in SHAPES]
    assert [gold_problem(one) for one in samples] == [None] * len(samples)
    full_marks(rewards, samples)


@each_shape
def test_every_step_holds_in_the_digits_that_are_shown(one: Sample) -> None:
    assert wrong_steps(thinking(one)) == []


def test_a_wrong_step_would_be_found() -> None:
    assert wrong_steps("150 - 120 = 40; 30 / 120 * 100 = 25; 2 / 3 ≈ 0.66") == ["150 - 120 = 40", "2 / 3 ≈ 0.66"]


def test_the_steps_are_those_of_the_program() -> None:
    growth = all_shapes("en", 0)["growth"]
    assert "6,021 - 5,853 = 168; 168 / 5,853 * 100 ≈ 2.87032" in thinking(growth)
    cagr = all_shapes("en", 0)["cagr"]
    assert "127 / 132 ≈ 0.962121; 0.962121^(1 / 4) ≈ 0.990393" in thinking(cagr)
    assert "7 + 107 + (-57) = 57; 57 / 3 = 19" in thinking(all_shapes("en", 0)["mean"])
    assert "80 - 120 = -40" in thinking(all_shapes("en", 0)["change"])


def test_so_many_digits_are_shown_that_they_round_to_the_answer() -> None:
    # 0.1244999... rounds to 0.12, and so must what is shown of it.
    one = sample("a / b", cells("1,244,999", "10,000,001"), "0.1", value=0.1245, unit="ratio", decimals=4)
    shown = re.search(r"≈ (0\.\d+)", thinking(one))
    assert shown and round(float(shown[1]), 4) == 0.1245


def test_a_ranking_lists_the_items_and_says_how_many_are_ahead() -> None:
    text = thinking(all_shapes("en", 0)["rank"])
    assert '39 ("Net sales"), 36 ("Other income (Operating)"), 9 ("Cost of sales")' in text
    assert '2 values are larger than "Cost of sales"' in text


def test_a_label_with_a_margin_says_the_margin() -> None:
    assert "44.6 - 40.4 = 4.2" in thinking(all_shapes("en", 4)["which and by how much"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_right_image_is_named_with_what_it_shows(language: Language) -> None:
    mark = {"en": r"[Ii]mage 4", "zh": "图4"}[language]
    for name, one in all_shapes(language, 4).items():
        first = re.split(r"\. |。", thinking(one))[0]
        assert re.search(mark, first), f"{name}: {first}"
        row = next((item.labels[0] for item in one.evidence if item.labels), None)
        assert row is None or row in first
        assert solution(one).endswith("<image_selection>4</image_selection>")  # type: ignore[union-attr]


def test_text_samples_name_no_image() -> None:
    for name, one in all_shapes("en", 0).items():
        text = solution(one) or ""
        assert "mage" not in text and "<image_selection>" not in text, name


def test_several_right_images_are_all_named() -> None:
    one = all_shapes("en", 4)["growth"].model_copy(update={"gold_images": (0, 2)})
    assert solution(one).endswith("<image_selection>1, 3</image_selection>")  # type: ignore[union-attr]


def test_without_options_the_answer_itself_is_given(rewards: RewardSet) -> None:
    one = all_shapes("en", 0)["growth"].model_copy(update={"options": ()})
    assert solution(one).endswith("<answer>2.9%</answer>")  # type: ignore[union-attr]
    assert "option" not in thinking(one)
    full_marks(rewards, [one])


def test_samples_are_worded_in_several_ways_and_each_always_in_the_same() -> None:
    growth = all_shapes("en", 4)["growth"]
    many = [growth.model_copy(update={"id": f"{n}"}) for n in range(60)]
    assert len({thinking(one) for one in many}) > 30
    assert [solution(one) for one in many] == [solution(one) for one in many]


@pytest.mark.parametrize(
    "one",
    [
        sample("a - b", cells("80", "120"), "41", value=41.0, decimals=0),
        sample("a - zz", cells("80", "120"), "-40", value=-40.0, decimals=0),
        sample("a / (b - b)", cells("80", "120"), "1", value=1.0, decimals=0),
        sample("import os", cells("80", "120"), "1", value=1.0, decimals=0),
        sample("argmax(a, b)", cells("80", "120"), "Net sales of 1999", unit="label"),
        sample(None, (), "1", value=1.0),
    ],
    ids=["another answer", "no such evidence", "no result", "no program", "another label", "no evidence"],
)
def test_what_does_not_lead_to_the_answer_has_no_solution(one: Sample) -> None:
    if one.answer.unit == "label":
        one = one.model_copy(update={"evidence": cells("80", "120", by="row")})
    assert solution(one) is None
