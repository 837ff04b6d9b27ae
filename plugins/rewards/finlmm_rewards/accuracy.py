"""Is the answer right?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field

from finlmm_core import MissingExtraError, PluginOptions, Reward, RewardContext, Sample, Score
from finlmm_core.answers import get_profile, grade_sample, read_tags
from finlmm_core.answers.symbolic import too_much
from finlmm_core.rewards.services import RewardServices

#: A longer answer is no answer; it also bounds what the release's rule hands to its parser.
_LONGEST = 2000
_POWERS = re.compile(r"\^|\*\*")
_FIRST_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


class AccuracyOptions(PluginOptions):
    """Options of the reward 'accuracy'."""

    profile: str | None = Field(
        default=None, description="profile of the grader, see docs/grading.md; that of the run ([train] grader) if none"
    )
    answer_in: Literal["tag", "anywhere"] = Field(
        default="tag",
        description="'tag': only what stands in the completion's one <answer> counts; 'anywhere': the grader looks for "
        "the answer also outside of tags (boxed, 'the answer is', last line)",
    )
    rule: Literal["grader", "release"] = Field(
        default="grader",
        description="'grader': finlmm's; 'release': what stands in the first <answer> is the option's letter, its "
        "text, or equal by math-verify",
    )


class Accuracy(Reward):
    """1 if the grader says that the answer is right, 0 if not, None where the grader cannot judge the sample.

    A completion without an answer (no tag, a tag left open or written twice, nothing inside) earns 0. None depends on
    the sample alone, never on the completion: else a policy could write what cannot be judged.
    """

    name = "accuracy"
    Options = AccuracyOptions
    options: AccuracyOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self._profile = self.options.profile or "finlmm"

    def check(self) -> None:
        """Refuse an unknown profile, and the release's rule without math-verify."""
        get_profile(self._profile)
        if self.options.rule == "release":
            _math_verify()

    def prepare(self, services: RewardServices) -> None:
        """Take the run's profile where the options name none."""
        self._profile = self.options.profile or services.grader
        self.check()

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return the grade of each completion, with the grader's reason."""
        return [self._score(context.sample, context.completion) for context in batch]

    def _score(self, sample: Sample, completion: str) -> Score:
        if self.options.rule == "release":
            return _by_release(sample, completion)
        if self.options.answer_in == "tag":
            answer = read_tags(completion).answer
            if not answer:
                return _NO_ANSWER
            completion = f"<answer>{answer}</answer>"
        grade = grade_sample(sample, completion, self._profile)
        return Score(value=grade.value, reason=grade.reason)


_NO_ANSWER = Score(value=0.0, reason="no_answer")


def _by_release(sample: Sample, completion: str) -> Score:
    """Return 1 where the first answer equals the option's letter or text, or the gold by math-verify.

    The release compares with "the option's letter, the option's text, or normalised maths"; what that does not say
    (letters also with a point or in parentheses, texts without case and outer space, math-verify for the maths, bounded
    like the grader's own) is as graders of the field commonly do.
    """
    found = _FIRST_ANSWER.search(completion)
    answer = found[1].strip() if found else ""
    if not answer or len(answer) > _LONGEST:
        return _NO_ANSWER
    if sample.options:
        if answer.strip("().: ").upper() == sample.answer.letter:
            return Score(value=1.0, reason="letter")
        if answer.casefold() == sample.options[sample.answer.option].strip().casefold():
            return Score(value=1.0, reason="text")
    if answer.casefold() == sample.answer.text.strip().casefold():
        return Score(value=1.0, reason="text")
    if too_much(answer.replace("\\boxed", "")) or len(_POWERS.findall(answer)) > 1:  # towers would take for ever
        return Score(value=0.0, reason="too_much")
    right = _equal_by_maths(answer, sample.answer.text)
    return Score(value=float(right), reason="maths" if right else "different")


@lru_cache(maxsize=4096)
def _equal_by_maths(answer: str, gold: str) -> bool:
    parse, verify = _math_verify()
    first, second = parse(gold, parsing_timeout=None), parse(answer, parsing_timeout=None)
    return bool(first and second and verify(first, second, timeout_seconds=None))


def _math_verify() -> tuple[Any, Any]:
    try:
        from math_verify import parse, verify
    except ImportError:
        raise MissingExtraError("rule 'release' of the reward 'accuracy'", "math_verify", "train") from None
    return parse, verify
