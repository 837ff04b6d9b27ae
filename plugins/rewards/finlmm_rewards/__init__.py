"""finlmm's own rewards, found through the entry-point group ``finlmm`` like anybody's."""

from __future__ import annotations

from finlmm_core import Reward, hookimpl


@hookimpl
def finlmm_rewards() -> list[type[Reward]]:
    """Return the rewards of this distribution."""
    from finlmm_rewards.accuracy import Accuracy
    from finlmm_rewards.adversarial import Adversarial
    from finlmm_rewards.blind_answer import BlindAnswer
    from finlmm_rewards.format import Format
    from finlmm_rewards.image_selection import ImageSelection
    from finlmm_rewards.judge import Judge
    from finlmm_rewards.length_penalties import Overlong, Repetition
    from finlmm_rewards.thinking_length import ThinkingLength

    return [Accuracy, Adversarial, BlindAnswer, Format, ImageSelection, Judge, Overlong, Repetition, ThinkingLength]
