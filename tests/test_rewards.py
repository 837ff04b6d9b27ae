"""What each rule reward says of completions: its formula, its None, and what it refuses."""

from __future__ import annotations

import math

import pytest
from finlmm_rewards.accuracy import Accuracy
from finlmm_rewards.format import Format
from finlmm_rewards.image_selection import ImageSelection
from finlmm_rewards.length_penalties import Overlong, Repetition
from finlmm_rewards.thinking_length import ThinkingLength
from pydantic import ValidationError

from finlmm_core import Answer, FinlmmError, ImageRef, Reward, RewardContext, Sample, Score
from finlmm_core.domain import QuestionType
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards import RewardServices

THINKING = "Net revenue was 2,513 in 2021 and 2,846 in 2022, so it grew by 13.3%."


def sample(
    images: int = 0, gold: tuple[int, ...] = (), options: tuple[str, ...] = ("11.7%", "13.3%", "9.8%")
) -> Sample:
    return Sample(
        id=f"sample-{images}-{gold}",
        type=QuestionType.ARITHMETIC_REASONING,
        language="en",
        question="By what percentage did net revenue grow from 2021 to 2022?",
        options=options,
        answer=Answer(text="13.3%", option=1 if options else 0, value=13.3, unit="percent", decimals=1),
        images=tuple(ImageRef(sha256=f"{place:064x}", width=10, height=10) for place in range(images)),
        gold_images=gold,
        qa_id="qa",
        document_id="document",
        split="train",
    )


def said(reward: Reward, completion: str, about: Sample | None = None, **context: object) -> Score:
    values = {"sample": about or sample(), "completion": completion, "group_id": "g", **context}
    return reward.score([RewardContext.model_validate(values)])[0]


def written(think: str = THINKING, answer: str = "B", image: str | None = None) -> str:
    tail = "" if image is None else f"<image_selection>{image}</image_selection>"
    return f"<think>{think}</think><answer>{answer}</answer>{tail}"


# ------------------------------------------------------------------------------------------------------- format


def test_format_asks_for_two_tags_of_text_samples_and_three_where_an_image_is_to_be_selected() -> None:
    two, three = written(), written(image="2")
    assert [said(Format(), one).value for one in (two, three)] == [1.0, 0.0]
    assert [said(Format(), one, sample(3, (1,))).value for one in (two, three)] == [0.0, 1.0]


def test_format_asks_for_the_tags_that_its_options_name() -> None:
    reward = Format(Format.Options(tags=("answer",)))
    assert said(reward, "<answer>B</answer>").value == 1.0
    assert said(reward, written()).reason == "unasked_think"
    with pytest.raises(ValidationError, match="in this order"):
        Format.Options(tags=("answer", "think"))


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ("", "missing_think"),
        (written(think=" \u200b "), "empty_think"),
        (written(answer=""), "empty_answer"),
        (written() + " indeed", "text_outside"),
        (written() + "<answer>A</answer>", "repeated_answer"),
        (written(think="a<answer>B</answer>"), "unclosed_think"),
        ("<answer>B</answer><think>x</think>", "wrong_order"),
        (written(answer="B<|im_end|>"), "template_token"),
        (written(think="<|image_pad|>" * 3), "template_token"),
    ],
)
def test_format_names_what_is_wrong(completion: str, reason: str) -> None:
    assert said(Format(), completion) == Score(value=0.0, reason=reason)


def test_format_gives_nothing_for_a_completion_that_was_cut_off_or_selects_by_words() -> None:
    assert said(Format(), written(), truncated=True).reason == "truncated"
    assert said(Format(), written(image="the second"), sample(3, (1,))).reason == "no_index"


def test_the_release_takes_nested_and_empty_tags_for_the_right_form() -> None:
    release = Format(Format.Options(rule="release"))
    for completion in ("<think></think><answer></answer>", written(answer="A</answer><answer>B"), f"\n{written()}\n"):
        assert said(release, completion).value == 1.0
    assert said(release, written() + "x").value == 0.0


# ----------------------------------------------------------------------------------------------------- accuracy


def test_accuracy_takes_letter_text_and_value_and_nothing_outside_of_the_answer_tag() -> None:
    values = {
        answer: said(Accuracy(), written(answer=answer)).value for answer in ("B", "13.3%", "B. 13.3%", "A", "13.4%")
    }
    assert values == {"B": 1.0, "13.3%": 1.0, "B. 13.3%": 1.0, "A": 0.0, "13.4%": 0.0}
    assert said(Accuracy(), "The answer is B.").reason == "no_answer"
    anywhere = Accuracy(Accuracy.Options(answer_in="anywhere"))
    assert said(anywhere, "The answer is B.").value == 1.0


@pytest.mark.parametrize("completion", ["", written(answer=" "), "<answer>B", "<answer>B</answer><answer>A</answer>"])
def test_accuracy_of_an_empty_open_or_repeated_answer_is_zero_and_not_unknown(completion: str) -> None:
    assert said(Accuracy(), completion) == Score(value=0.0, reason="no_answer")


def test_accuracy_cannot_judge_what_its_profile_leaves_to_a_judge() -> None:
    open_text = sample(options=()).model_copy(update={"answer": Answer(text="higher selling prices", option=0)})
    score = said(Accuracy(Accuracy.Options(profile="mme-finance")), written(answer="prices went up"), open_text)
    assert score.value is None and score.reason


def test_accuracy_uses_the_runs_grader_unless_its_options_name_one() -> None:
    near = written(answer="13.5%")
    asked = sample(options=())
    services = RewardServices(plugins=Plugins.isolated(), grader="chartqa")
    of_run, own = Accuracy(), Accuracy(Accuracy.Options(profile="finlmm"))
    for reward in (of_run, own):
        reward.prepare(services)
    assert [said(reward, near, asked).value for reward in (of_run, own)] == [1.0, 0.0]
    with pytest.raises(FinlmmError, match="finlm"):
        Accuracy(Accuracy.Options(profile="finlm")).prepare(services)


def test_the_releases_rule_takes_the_first_answer_and_equality_by_maths() -> None:
    release = Accuracy(Accuracy.Options(rule="release"))
    assert [said(release, written(answer=one)).value for one in ("b", "(B)", "13.3%", "A", "", "9**9**9**9")] == [
        1.0, 1.0, 1.0, 0.0, 0.0, 0.0,
    ]  # fmt: skip
    assert said(release, f"<answer>B</answer>{written(answer='A')}").value == 1.0
    assert said(release, written(answer="133/1000"), sample(options=())).value == 1.0


# ---------------------------------------------------------------------------------------------- image selection


@pytest.mark.parametrize(
    ("selection", "value", "reason"),
    [
        ("2", 1.0, ""),
        (" Image 2 ", 1.0, ""),
        ("1", 0.0, "other_image"),
        ("1, 2", 0.0, "other_image"),
        ("5", 0.0, "out_of_range"),
        ("all", 0.0, "no_selection"),
        (None, 0.0, "no_selection"),
    ],
)
def test_one_right_image_must_be_named_alone_counted_from_one(selection: str | None, value: float, reason: str) -> None:
    score = said(ImageSelection(), written(image=selection), sample(4, (1,)))
    assert (score.value, score.reason) == (value, reason)
    assert score.parts["chance"] == 0.25 and score.parts["over_chance"] == value - 0.25
    assert score.parts["out_of_range"] == float(reason == "out_of_range")


def test_a_sample_without_images_has_no_selection_to_judge() -> None:
    assert said(ImageSelection(), written(image="1")) == Score(value=None, reason="no_images")


def test_several_right_images_are_scored_by_f_beta_over_what_naming_all_gives() -> None:
    plain = ImageSelection(ImageSelection.Options(hedging="allowed"))
    about = sample(4, (0, 2))
    assert said(plain, written(image="1, 3"), about).value == 1.0
    assert said(plain, written(image="1"), about).value == pytest.approx(2 / 3)
    assert said(plain, written(image="1, 2, 3, 4"), about).value == pytest.approx(2 / 3)
    over = {
        image: said(ImageSelection(), written(image=image), about).value for image in ("1, 3", "1", "1,2,3,4", "1,2,3")
    }
    assert over == pytest.approx({"1, 3": 1.0, "1": 0.0, "1,2,3,4": 0.0, "1,2,3": 0.0})
    recall = ImageSelection(ImageSelection.Options(beta=2.0, hedging="allowed"))
    assert said(recall, written(image="1"), about).value == pytest.approx(5 * 1 * 0.5 / (4 * 1 + 0.5))


def test_chance_of_several_right_images_is_the_mean_over_all_ways_of_naming_as_many() -> None:
    from itertools import combinations

    about = sample(5, (1, 4))
    scores = [said(ImageSelection(), written(image=f"{a + 1}, {b + 1}"), about) for a, b in combinations(range(5), 2)]
    mean = sum(score.value or 0.0 for score in scores) / len(scores)
    assert scores[0].parts["chance"] == pytest.approx(mean)


# ---------------------------------------------------------------------------------------------- thinking length


@pytest.mark.parametrize(
    ("length", "value"),
    [(0, 0.0), (75, 0.3), (300, 0.6), (375, 0.8), (450, 1.0), (600, 1.0), (900, 0.95), (1200, 0.9), (50_000, 0.9)],
)
def test_the_releases_curve_of_thinking_length(length: int, value: float) -> None:
    release = ThinkingLength(ThinkingLength.Options(over="release", fresh_only=False))
    assert said(release, written(think="x" * length)).value == pytest.approx(value)


def test_over_long_thinking_falls_to_nothing_where_it_is_penalised() -> None:
    reward = ThinkingLength(ThinkingLength.Options(zero_at=1000))
    sentences = "".join(f"In {1000 + n} the ratio stood at {n * 7 % 97} points. " for n in range(40))
    values = [said(reward, written(think=sentences[:length])).value for length in (550, 800, 1000, 1400)]
    assert values == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=0.01)


def test_padding_does_not_make_thinking_longer() -> None:
    reward = ThinkingLength()
    honest = said(reward, written()).value
    assert honest is not None and 0.2 < honest < 0.4
    for padding in (f" {THINKING}" * 6, " \n" * 400, "\u200b" * 400, "." * 400, f" {sample().question}" * 4):
        padded = said(reward, written(think=THINKING + padding))
        assert padded.value == pytest.approx(honest, abs=0.02), repr(padding[:20])
        assert padded.parts["length"] > 300 or padding.isspace()


def test_thinking_is_counted_in_tokens_by_the_tokenizer_or_by_the_completions_own() -> None:
    reward = ThinkingLength(ThinkingLength.Options(unit="tokens", too_short=10, best_from=20, best_to=30))
    with pytest.raises(FinlmmError, match="neither a tokenizer"):
        said(reward, written())
    tokens = tuple(range(40))
    share = len(THINKING) / len(written())
    assert said(reward, written(), token_ids=tokens).parts["length"] == round(40 * share)
    reward.prepare(RewardServices(plugins=Plugins.isolated(), count_tokens=lambda text: len(text.split())))
    assert said(reward, written(), token_ids=tokens).parts["length"] == len(THINKING.split())


def test_lengths_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValidationError, match="expected too_short < best_from < best_to < zero_at"):
        ThinkingLength.Options(best_from=700)


# --------------------------------------------------------------------------------------- repetition and overlong


def test_repetition_is_trls_penalty_moved_to_zero_and_one_with_a_free_share() -> None:
    from trl.rewards import get_repetition_penalty_reward

    tokens = (1, 2, 3, 4, 1, 2, 3, 4, 1, 2)
    penalty = get_repetition_penalty_reward(3, -1.0)([list(tokens)])[0]
    reward = Repetition(Repetition.Options(ngram=3, allowed=0.2))
    score = said(reward, "x", token_ids=tokens)
    assert score.value == pytest.approx((1 + penalty) / 0.8) and score.parts["repeated"] == pytest.approx(-penalty)
    assert said(reward, "x", token_ids=tuple(range(50))).value == 1.0
    assert said(reward, "x", token_ids=(7,) * 500).value == pytest.approx(0.0, abs=0.01)
    assert said(reward, "").value == 0.0


def test_repetition_without_tokens_reads_pieces_of_the_text() -> None:
    assert said(Repetition(), written(think="let us think step by step. " * 40)).value == pytest.approx(0.0, abs=0.2)
    assert said(Repetition(), written()).value == 1.0


def test_overlong_falls_over_the_margin_before_the_limit() -> None:
    reward = Overlong(Overlong.Options(max_tokens=100, margin=20))
    values = [said(reward, "x", token_ids=(1,) * count).value for count in (1, 80, 90, 100, 101)]
    assert values == pytest.approx([1.0, 1.0, 0.5, 0.0, 0.0])
    with pytest.raises(ValidationError, match="margin 200 is more"):
        Overlong.Options(max_tokens=100, margin=200)


def test_every_score_of_a_long_hostile_completion_is_finite() -> None:
    hostile = "<think>" + "𝟙\u202e(" * 30_000 + "</think><answer>" + "9" * 50_000 + "</answer>"
    for reward in (Format(), Accuracy(), ImageSelection(), ThinkingLength(), Repetition()):
        score = said(reward, hostile, sample(3, (1,)))
        assert score.value is not None and math.isfinite(score.value)
