"""What is dropped, and why: every filter has a name, and what it drops is kept as a Rejected.

Reasons: ``tiny``, ``decoration``, ``repeated_logo``, ``blank``, ``photo``, ``no_data``, ``near_duplicate``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box, Rejected

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_NUMBER = re.compile(r"\d[\d,.]*")


def reject(page: int, box: Box, reason: str, detail: str = "") -> Rejected:
    """Return the record of a dropped region of a page."""
    at = ",".join(f"{value:.1f}" for value in box)
    return Rejected(step="parse", item_id=f"{page}:{at}", reason=reason, detail=detail)


def count_numbers(text: str) -> int:
    """Return how many numbers stand in a text."""
    return len(_NUMBER.findall(text))


@dataclass(frozen=True, slots=True)
class Look:
    """What colours and shapes tell of a picture without reading it."""

    flat: float  # share of pixels in the eight most frequent colours (of 32,768): near 1 for charts, low for photos
    blank: bool  # all but a few pixels have one colour
    fingerprint: NDArray[np.bool_]  # 256 signs of horizontal differences, see look_at
    small: NDArray[np.float32]  # 32 x 32 grey values


def look_at(image: Image) -> Look:
    """Return the look of an RGB image.

    The fingerprint is a difference hash (is the right neighbour brighter?) over 16 rows of 17 grey values.
    """
    from PIL import Image as PillowImage

    width, height = image.size
    step = max(1.0, max(width, height) / 200.0)
    small = image.resize(
        (max(1, round(width / step)), max(1, round(height / step))), PillowImage.Resampling.NEAREST
    ).convert("RGB")
    pixels = np.asarray(small).reshape(-1, 3).astype(np.int32) >> 3
    counts = np.bincount(pixels[:, 0] << 10 | pixels[:, 1] << 5 | pixels[:, 2], minlength=1)
    counts = np.sort(counts)[::-1]
    total = len(pixels)
    grey = image.convert("L")
    thumb = np.asarray(grey.resize((17, 16), PillowImage.Resampling.BOX), dtype=np.int16)
    return Look(
        flat=float(counts[:8].sum() / total),
        blank=bool(counts[0] > 0.998 * total),
        fingerprint=(thumb[:, 1:] > thumb[:, :-1]).ravel(),
        small=np.asarray(grey.resize((32, 32), PillowImage.Resampling.BOX), dtype=np.float32),
    )


@dataclass(slots=True)
class NearDuplicates:
    """Remembers pictures of a document and tells when one comes again.

    Two pictures are the same when at most ``most_bits`` of 256 fingerprint bits differ and their grey values differ by
    less than ``most_grey`` (of 255) on average: charts of one template with other numbers stay apart.
    """

    most_bits: int = 6
    most_grey: float = 2.0
    _seen: list[tuple[Look, float, int]] = field(default_factory=list)

    def first_page_of(self, look: Look, aspect: float, page: int) -> int | None:
        """Return the page on which the picture was seen before, or None and remember it.

        Args:
            look: the picture.
            aspect: its width over its height; pictures of another shape are others.
            page: where it stands now.
        """
        for other, other_aspect, other_page in self._seen:
            if abs(aspect / other_aspect - 1) > 0.03:
                continue
            if np.count_nonzero(look.fingerprint != other.fingerprint) > self.most_bits:
                continue
            if float(np.abs(look.small - other.small).mean()) < self.most_grey:
                return other_page
        self._seen.append((look, aspect, page))
        return None


def repeated(digests: Sequence[tuple[int, str]], most_pages: int) -> set[str]:
    """Return the digests that stand on more than ``most_pages`` pages.

    Args:
        digests: (page, digest) of every raster of the document.
        most_pages: a picture on more pages than this is furniture.
    """
    pages: dict[str, set[int]] = {}
    for page, digest in digests:
        pages.setdefault(digest, set()).add(page)
    return {digest for digest, found in pages.items() if len(found) > most_pages}


def picture_verdict(look: Look, text: str, read: bool) -> str | None:
    """Return the reason to drop a picture, or None to keep it.

    Args:
        look: its colours.
        text: what is written in it, from the text layer and from OCR.
        read: whether OCR has read it. Without OCR only the colours speak.
    """
    if look.blank:
        return "blank"
    numbers = count_numbers(text)
    words = len(text.split())
    if look.flat < 0.5 and numbers < 4:
        return "photo"
    if read and numbers < 2 and words < 12:
        return "photo" if look.flat < 0.75 else "no_data"
    return None
