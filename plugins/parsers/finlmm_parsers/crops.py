"""Crops: how large they are, and a PNG encoder that costs a third of Pillow's time on rendered pages."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box, ImageRef

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from finlmm_core.store.images import ImageStore


def crop_dpi(box: Box, dpi: float, longest_side: int) -> float:
    """Return the resolution at which the longest side of a box (points) has at most so many pixels."""
    longest = max(box.width, box.height, 1.0)
    return min(dpi, longest_side * 72.0 / longest)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG file of an array (height, width, 3) in RGB or (height, width) in grey.

    Rendered pages are mostly flat, so rows are stored without a filter and compressed at the fastest level; trying the
    five row filters, as Pillow does, takes longer than all the rest.
    """
    height, width = pixels.shape[:2]
    colour_type = 2 if pixels.ndim == 3 else 0
    rows = np.zeros((height, 1 + pixels[0].size), np.uint8)  # the leading byte of each row: no filter
    rows[:, 1:] = pixels.reshape(height, -1)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(memoryview(rows).cast("B"), 1)),
        (b"IEND", b""),
    ):
        parts += [struct.pack(">I", len(data)), name, data, struct.pack(">I", zlib.crc32(name + data))]
    return b"".join(parts)


def put_crop(images: ImageStore, image: Image) -> ImageRef:
    """Store an RGB image without loss, as grey where it has no colour; return its reference."""
    pixels = np.asarray(image)
    if _is_grey(pixels):
        pixels = pixels[:, :, 1]
    return images.put_bytes(encode_png(pixels), image.width, image.height, "png")


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    sample = pixels[::7]  # most coloured crops are told by a few rows
    if (sample[:, :, 0] != sample[:, :, 1]).any() or (sample[:, :, 1] != sample[:, :, 2]).any():
        return False
    return bool((pixels[:, :, 0] == pixels[:, :, 1]).all() and (pixels[:, :, 1] == pixels[:, :, 2]).all())
