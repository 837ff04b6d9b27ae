"""A run's rewards put together with their weights, what they are offered, and what is measured of them."""

from finlmm_core.rewards.reward_set import RewardSet, Scored
from finlmm_core.rewards.services import RewardServices

__all__ = ["RewardServices", "RewardSet", "Scored"]
