"""The reward 'adversarial': a discriminator that learns during training how thinking that ends right reads."""

from finlmm_rewards.adversarial.reward import Adversarial

__all__ = ["Adversarial"]
