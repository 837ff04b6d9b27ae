"""Which images a completion picked: the numbers in ``<image_selection>``, read once for rewards and evaluation."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finlmm_core.domain import Sample

#: Nobody picks among more images than this, and longer texts are padding.
_LONGEST = 200
_NUMBERS = re.compile(r"(?:image|图片?|第)?\s*(?<!\d)(\d{1,3})(?!\d)\s*(?:张|幅)?", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:\s|,|;|、|，|；|and|和|&)*", re.IGNORECASE)


def read_selection(text: str | None) -> frozenset[int] | None:
    """Return the images that the text names, counted from 1 as prompts count them; None where it is no selection.

    "2", "Image 2", "1, 3", "图2" and "1 and 3" are selections; prose around a number, a negative number, "0" or a
    number that stands twice are not: whoever hedges has not picked.

    Args:
        text: what stands in the tag, ``Tagged.image_selection``; None where the completion has none.
    """
    if text is None or len(text) > _LONGEST:
        return None
    found: list[int] = []
    reached = 0
    for match in _NUMBERS.finditer(text):
        if _BETWEEN.fullmatch(text, reached, match.start()) is None:
            return None
        found.append(int(match[1]))
        reached = match.end()
    if _BETWEEN.fullmatch(text, reached) is None or not found or 0 in found or len(set(found)) != len(found):
        return None
    return frozenset(found)


def picked_right(sample: Sample, text: str | None) -> bool:
    """Return whether exactly the sample's right images are named."""
    return read_selection(text) == {place + 1 for place in sample.gold_images}


def blind_chance(sample: Sample) -> float:
    """Return how often picking as many images as are right at random is right; 1 where there is nothing to pick."""
    return 1 / math.comb(len(sample.images), len(sample.gold_images))
