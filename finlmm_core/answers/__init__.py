"""The one grader: what a completion's answer is, what it means, and whether it is right."""

from finlmm_core.answers.tags import Tagged, read_tags

__all__ = ["Tagged", "read_tags"]
