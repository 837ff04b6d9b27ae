"""The built-in rewards keep the contract that third parties' rewards are held to, and none pays for cheating."""

from __future__ import annotations

import pytest
from finlmm_rewards.accuracy import Accuracy
from finlmm_rewards.format import Format
from finlmm_rewards.image_selection import ImageSelection
from finlmm_rewards.length_penalties import Overlong, Repetition
from finlmm_rewards.thinking_length import ThinkingLength

from finlmm_core import Reward, RewardContext, Score
from finlmm_core.rewards.cheats import cheats
from finlmm_core.testing.rewards import RewardContract, assert_no_cheat_wins


class TestFormat(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return Format()


class TestAccuracy(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return Accuracy()


class TestImageSelection(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return ImageSelection()


class TestThinkingLength(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return ThinkingLength()


class TestThinkingLengthInTokens(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return ThinkingLength(ThinkingLength.Options(unit="tokens", too_short=60, best_from=90, best_to=120))


class TestRepetition(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return Repetition()


class TestOverlong(RewardContract):
    @pytest.fixture
    def reward(self) -> Reward:
        return Overlong(Overlong.Options(max_tokens=2048, margin=512))


@pytest.mark.slow
@pytest.mark.parametrize("reward", [Format, Accuracy, ImageSelection, ThinkingLength, Repetition])
def test_no_cheat_wins_against_a_built_in_reward(reward: type[Reward]) -> None:
    assert_no_cheat_wins(reward)


class _EndsWithTheLetter(Reward):
    """A reward as one writes it in a hurry: the right letter anywhere in the completion."""

    name = "test/in-a-hurry"

    def score(self, batch: list[RewardContext]) -> list[Score]:  # type: ignore[override]
        return [Score(value=float(context.sample.answer.letter in context.completion)) for context in batch]


def test_a_reward_that_looks_for_the_letter_anywhere_is_caught_with_the_kinds_that_win() -> None:
    few = [cheat for cheat in cheats() if cheat.name in ("answer/all letters", "thinking/boxed", "tags/nothing")]
    with pytest.raises(AssertionError, match=r"answer/all letters earns 1\.000") as caught:
        assert_no_cheat_wins(_EndsWithTheLetter, cheats=few)
    assert "tags/nothing" not in str(caught.value)
