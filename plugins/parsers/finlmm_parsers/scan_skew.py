"""Scans that lie a little askew: the angle of their lines of text and rules, and the picture turned upright.

Half a degree is enough for the two ends of a table's row to stand on different lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

#: Angles that are tried, in degrees. Feeders and hands leave less than two; more is a photograph of a page.
MOST, STEP, FINE_STEP = 2.0, 0.2, 0.04
#: Below this a page is straight enough: over its width a line rises by less than a quarter of a letter.
LEAST = 0.1
#: How much sharper the rows must be at the angle than upright, so that pages without text are left as they are.
SHARPER = 1.05
_STRIPS = 24


def straightened(image: Image) -> Image:
    """Return a page picture with its lines level; the same picture where they are, or where none are found.

    The picture is turned about its middle and keeps its size, so what is found in it lies within a few points of where
    it is on the page.
    """
    from PIL import Image as PillowImage

    angle = skew(np.asarray(image.convert("L")))
    if abs(angle) < LEAST:
        return image
    paper = tuple(int(value) for value in np.median(np.asarray(image.convert("RGB"))[::8, ::8], axis=(0, 1)))
    return image.convert("RGB").rotate(angle, resample=PillowImage.Resampling.BICUBIC, fillcolor=paper)


def skew(grey: NDArray[np.uint8]) -> float:
    """Return by how many degrees, counter-clockwise, a page picture must be turned for its lines to be level.

    Ink is summed along lines of each angle. Where the angle is right the sums change most from line to line: full in
    the rows of letters, empty between them (Postl's criterion of projection profiles). Columns are taken together in
    strips that are shifted up and down, which for such small angles is the same as turning.

    Args:
        grey: height x width.
    """
    height, width = grey.shape
    strip = width // _STRIPS
    if strip < 4 or height < 100:
        return 0.0
    paper = np.median(grey)
    ink = np.clip(paper - grey[:, : strip * _STRIPS].astype(np.float32) - 20.0, 0.0, 120.0)
    profiles = ink.reshape(height, _STRIPS, strip).sum(axis=2)
    rows = np.arange(height, dtype=np.float64)

    def sharpness(angle: float) -> float:
        total = np.zeros(height)
        for index in range(_STRIPS):
            shift = math.tan(math.radians(angle)) * ((index + 0.5) * strip - width / 2)
            total += np.interp(rows + shift, rows, profiles[:, index])
        return float(np.square(np.diff(total)).sum())

    count = round(MOST / STEP)
    best = max((sharpness(step * STEP), -abs(step), step * STEP) for step in range(-count, count + 1))[2]
    fine = round(STEP / FINE_STEP)
    score, _, best = max(
        (sharpness(best + step * FINE_STEP), -abs(step), best + step * FINE_STEP) for step in range(-fine, fine + 1)
    )
    upright = sharpness(0.0)
    return best if upright > 0.0 and score > SHARPER * upright else 0.0
