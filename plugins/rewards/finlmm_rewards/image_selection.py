"""Did the completion pick the right images?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import Literal

from pydantic import Field

from finlmm_core import PluginOptions, Reward, RewardContext, Score
from finlmm_core.answers import read_tags
from finlmm_core.answers.selection import read_selection

_FIRST_SELECTION = re.compile(r"<image_selection>\s*(\d{1,9})\s*</image_selection>")


class ImageSelectionOptions(PluginOptions):
    """Options of the reward 'image_selection'."""

    beta: float = Field(
        default=1.0, gt=0, description="of F-beta where several images are right; above 1 recall counts more"
    )
    hedging: Literal["refused", "allowed"] = Field(
        default="refused",
        description="where several images are right: 'refused' gives 0 for naming more than are right, and F-beta over "
        "what naming every image would give; 'allowed' is plain F-beta",
    )
    rule: Literal["exact", "release"] = Field(
        default="exact",
        description="'release': 1 if the first <image_selection> that holds a number holds that of a right image",
    )


class ImageSelection(Reward):
    """1 if ``<image_selection>`` holds the number of the right image, counted from 1 as in the prompt, else 0.

    Where one image is right, exactly that one must be named. Where m of n images are right, the score is F-beta of the
    named ones, by default over what naming every image would give, which is the best that a blind guess can expect:
    ``max(0, (F - F_all) / (1 - F_all))``, and 0 for naming more than m. A number beyond the images makes the score 0.
    None where there is nothing to select: no images, or no right one among them.

    Parts: ``chance`` (what guessing as many images as are right would give), ``over_chance`` (value minus chance),
    ``out_of_range``; where several are right ``precision`` and ``recall``.
    """

    name = "image_selection"
    Options = ImageSelectionOptions
    options: ImageSelectionOptions

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return the score of each completion."""
        return [self._score(context) for context in batch]

    def _score(self, context: RewardContext) -> Score:
        images = len(context.sample.images)
        right = frozenset(index + 1 for index in context.sample.gold_images)
        if not images or not right:
            return _NO_IMAGES
        if self.options.rule == "release":
            found = _FIRST_SELECTION.search(context.completion)
            named = frozenset((int(found[1]),)) if found else None
            value = float(named is not None and named <= right)
            return _scored(value, len(right) / images, "" if named else "no_selection", named, images)
        named = read_selection(read_tags(context.completion).image_selection)
        refused = self.options.hedging == "refused"
        chance = _chance(images, len(right), self.options.beta, refused)
        if named is None:
            return _scored(0.0, chance, "no_selection", None, images)
        if max(named) > images:
            return _scored(0.0, chance, "out_of_range", named, images)
        if len(right) == 1:
            return _scored(float(named == right), chance, "" if named == right else "other_image", named, images)
        hits = len(named & right)
        value = _value(hits, len(named), len(right), images, self.options.beta, refused)
        score = _scored(value, chance, "" if named == right else "other_images", named, images)
        return score.model_copy(
            update={"parts": score.parts | {"precision": hits / len(named), "recall": hits / len(right)}}
        )


_NO_IMAGES = Score(value=None, reason="no_images")


def _scored(value: float, chance: float, reason: str, named: frozenset[int] | None, images: int) -> Score:
    outside = float(named is not None and max(named) > images)
    parts = {"chance": chance, "over_chance": value - chance, "out_of_range": outside}
    return Score(value=value, parts=parts, reason=reason)


def _f_beta(hits: int, named: int, right: int, beta: float) -> float:
    """Return ``(1 + b²) P R / (b² P + R)`` for precision P and recall R."""
    return (1 + beta**2) * hits / (beta**2 * right + named)


def _value(hits: int, named: int, right: int, images: int, beta: float, refused: bool) -> float:
    score = _f_beta(hits, named, right, beta)
    if not refused or right == images:
        return score
    if named > right:
        return 0.0
    everything = _f_beta(right, images, right, beta)
    return max(0.0, (score - everything) / (1 - everything))


@lru_cache(maxsize=1024)
def _chance(images: int, right: int, beta: float, refused: bool) -> float:
    """Return what naming ``right`` images at random is worth: the mean over the hypergeometric number of hits."""
    if right == 1:
        return 1 / images
    ways = comb(images, right)
    return sum(
        comb(right, hits)
        * comb(images - right, right - hits)
        / ways
        * _value(hits, right, right, images, beta, refused)
        for hits in range(max(0, 2 * right - images), right + 1)
    )
