"""Does the completion have the form that was asked for?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from pydantic import Field, field_validator

from finlmm_core import PluginOptions, Reward, RewardContext, Score
from finlmm_core.answers.selection import read_selection
from finlmm_core.answers.tags import TAGS, Tagged, read_tags
from finlmm_core.prompts import expected_tags
from finlmm_core.rewards.pieces import visible

Tag = Literal["think", "answer", "image_selection"]

#: Tokens of chat templates and of images, written out: '<|im_end|>', '<|image_pad|>', '<IMG_CONTEXT>', '<image>'.
_TEMPLATE_TOKEN = re.compile(r"<\|[^<>|]{1,40}\|>|</?s>|<(?:IMG_CONTEXT|image|img|video)>|\[/?INST\]")


class FormatOptions(PluginOptions):
    """Options of the reward 'format'."""

    tags: tuple[Tag, ...] | None = Field(
        default=None,
        description="tags that a completion must have, in this order; not given: think and answer, and image_selection "
        "where the prompt asks to select an image",
    )
    rule: Literal["exact", "release"] = Field(
        default="exact",
        description="'exact': each tag once, nothing outside or nested, all with visible content; 'release': the whole "
        "completion matches <think>.*</think><answer>.*</answer>..., whatever stands inside",
    )

    @field_validator("tags")
    @classmethod
    def _some_in_order(cls, tags: tuple[Tag, ...] | None) -> tuple[Tag, ...] | None:
        if tags is not None and (not tags or list(tags) != sorted(set(tags), key=TAGS.index)):
            raise ValueError(f"expected some of {', '.join(TAGS)}, each once and in this order")
        return tags


class Format(Reward):
    """1 if the completion is exactly the tags asked for (two for text samples, three for contrastive ones), else 0.

    Rule 'exact': every tag stands once, in order, closed, not nested, with nothing but white space between; inside each
    there is something to be seen (white space, zero-width and direction marks are not); ``<image_selection>`` holds one
    number or several with commas; no token of a chat template or of an image is written out; and the completion was not
    cut off. Rule 'release' is the public release's: the whole text matches the tags with ``.*`` inside.
    """

    name = "format"
    Options = FormatOptions
    options: FormatOptions

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return 0 or 1 a completion; the reason names the first thing wrong."""
        return [self._score(context) for context in batch]

    def _score(self, context: RewardContext) -> Score:
        tags = self.options.tags or expected_tags(context.sample)
        if self.options.rule == "release":
            fits = _release_pattern(tags).fullmatch(context.completion.strip())
            return _RIGHT if fits else Score(value=0.0, reason="no_match")
        problem = _problem(context.completion, read_tags(context.completion), tags)
        if problem is None and context.truncated:
            problem = "truncated"
        return _RIGHT if problem is None else Score(value=0.0, reason=problem)


_RIGHT = Score(value=1.0)


def _problem(completion: str, tagged: Tagged, tags: Sequence[str]) -> str | None:
    """Return what is wrong with the form as a short name, None where it is right."""
    for problem in tagged.problems:
        if problem.partition("_")[0] != "missing" or problem.partition("_")[2] in tags:
            return problem
    for tag in TAGS:
        text = getattr(tagged, tag)
        if (text is not None) != (tag in tags):
            return f"missing_{tag}" if text is None else f"unasked_{tag}"
        if text is not None and not visible(text):
            return f"empty_{tag}"
    if tagged.image_selection is not None and read_selection(tagged.image_selection) is None:
        return "no_index"
    if _TEMPLATE_TOKEN.search(completion):
        return "template_token"
    return None


@lru_cache(maxsize=16)
def _release_pattern(tags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"\s*".join(f"<{tag}>.*?</{tag}>" for tag in tags), re.DOTALL)
