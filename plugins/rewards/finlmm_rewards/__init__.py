"""finlmm's own rewards, found through the entry-point group ``finlmm`` like anybody's."""

from __future__ import annotations

from finlmm_core import Reward, hookimpl


@hookimpl
def finlmm_rewards() -> list[type[Reward]]:
    """Return the rewards of this distribution."""
    from finlmm_rewards.format import Format
    from finlmm_rewards.image_selection import ImageSelection
    from finlmm_rewards.thinking_length import ThinkingLength

    return [Format, ImageSelection, ThinkingLength]
