"""What the discriminator gets to read of a completion: the question and the thinking, its final answer hidden."""

from __future__ import annotations

import re
from typing import NamedTuple

from finlmm_core.answers import extract_answer, read_tags
from finlmm_core.domain import RewardContext, Sample
from finlmm_core.rewards.masking import mask_answer
from finlmm_rewards.adversarial.marks import marked

_OURS = re.compile(r"\[(MASK|RIGHT|WRONG|UNREAD)\]")


class Reading(NamedTuple):
    """What is read of one completion."""

    question: str
    thinking: str


def read_thinking(context: RewardContext) -> str:
    """Return what stands in the think tag; '' where it is missing, unclosed or repeated."""
    return read_tags(context.completion).think or ""


def reading(
    sample: Sample, thinking: str, given: str | None, *, read_options: bool = False, marks: bool = True
) -> Reading:
    """Return what is read of a thinking.

    Args:
        sample: whose question was answered; of it only the question (and its options) are read.
        thinking: as the policy wrote it.
        given: the answer that the completion gives, to be hidden in the thinking.
        read_options: whether the options are shown.
        marks: whether calculations are worked again, numbers looked up, and both marked.
    """
    thinking = thinking.encode("utf-8", "replace").decode()  # half a character, which tokenizers cannot read
    hidden = mask_answer(_OURS.sub(r"\1", thinking), sample, given=given)
    question = sample.question
    if read_options and sample.options:
        question = f"{question} {' | '.join(sample.options)}"
    return Reading(_OURS.sub(r"\1", question), marked(hidden, sample) if marks else hidden)


def given_answer(context: RewardContext) -> str | None:
    """Return the final answer of a completion as written, None where it has none."""
    return extract_answer(context.completion).text
