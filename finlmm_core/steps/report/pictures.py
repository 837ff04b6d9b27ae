"""Pictures for the page as small JPEG data URIs; those of PDF pages are drawn elsewhere (``drawing.py``)."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from finlmm_core.domain import ImageRef
from finlmm_core.store.images import ImageStore

if TYPE_CHECKING:
    from PIL.Image import Image


def data_uri(image: Image, side: int, quality: int) -> str:
    """Return an image, no side longer than ``side`` pixels, as a JPEG data URI."""
    from PIL import Image as PillowImage

    picture = image.convert("RGB")
    longest = max(picture.size)
    if longest > side:
        size = (max(1, round(picture.width * side / longest)), max(1, round(picture.height * side / longest)))
        picture = picture.resize(size, PillowImage.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def figure_uri(images: ImageStore, ref: ImageRef, side: int, quality: int) -> str:
    """Return a figure of the store as a JPEG data URI."""
    return data_uri(images.open(ref), side, quality)


def figure_uris(
    images: ImageStore, wanted: Iterable[tuple[ImageRef, int]], quality: int, threads: Executor
) -> list[str]:
    """Return figures of the store as JPEG data URIs, each no side longer than the pixels given with it.

    They are made in the executor's threads: Pillow lets others run while it scales, packs and unpacks.
    """
    return list(threads.map(lambda figure: figure_uri(images, figure[0], figure[1], quality), wanted))
