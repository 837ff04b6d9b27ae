"""Crops: how large they are, and a PNG encoder that costs a fraction of Pillow's time on rendered pages.

Nearly all of Pillow's time goes into trying row filters and into zlib; flat pages need no filter, and zlib-ng takes a
third of zlib's time. (ISA-L is twice as fast again, but about one crop in ten thousand came out in other bytes from one
process to the next, and images are named by their bytes.)
"""

from __future__ import annotations

import ctypes
import struct
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


class Drawing:
    """Pixels in the layout of a PNG's rows: a zero byte (no filter), then red, green, blue of each pixel.

    All pixels are white at first. A renderer that writes into it needs no copy before the pixels are compressed.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.stride = 1 + 3 * width
        self.buffer = bytearray(b"\xff") * (self.stride * height)
        np.frombuffer(self.buffer, np.uint8)[:: self.stride] = 0

    @property
    def address(self) -> int:
        """Where the buffer is in memory; the first pixel follows one byte later."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The pixels as an array (height, width, 3) in RGB that shares their memory."""
        rows = np.frombuffer(self.buffer, np.uint8).reshape(self.height, self.stride)
        return np.lib.stride_tricks.as_strided(rows[:, 1:], (self.height, self.width, 3), (self.stride, 3, 1))

    def image(self) -> Image:
        """Return the pixels as a PIL image."""
        from PIL import Image as PillowImage

        return PillowImage.fromarray(np.ascontiguousarray(self.pixels))

    def encode(self) -> bytes:
        """Return a PNG file, in grey where no pixel has a colour.

        Rendered pages are mostly flat, so rows are stored without a filter and compressed at the fastest level; trying
        the five row filters, as Pillow does, takes longer than all the rest.
        """
        pixels = self.pixels
        if not _is_grey(pixels):
            return _png(self.width, self.height, 2, self.buffer)
        rows = np.zeros((self.height, 1 + self.width), np.uint8)
        rows[:, 1:] = pixels[:, :, 1]
        return _png(self.width, self.height, 0, rows.data.cast("B"))


def _png(width: int, height: int, colour_type: int, rows: bytearray | memoryview) -> bytes:
    from zlib_ng import zlib_ng

    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
        (b"IDAT", zlib_ng.compress(rows, 1)),
        (b"IEND", b""),
    ):
        check = zlib_ng.crc32(data, zlib_ng.crc32(name))
        parts += [struct.pack(">I", len(data)), name, data, struct.pack(">I", check)]
    return b"".join(parts)


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    for part in (pixels[::61], pixels[::7], pixels):  # most coloured crops are told by a few rows
        red, green, blue = part[:, :, 0], part[:, :, 1], part[:, :, 2]
        if not (np.array_equal(red, green) and np.array_equal(green, blue)):
            return False
    return True


def put_crop(images: ImageStore, drawing: Drawing) -> ImageRef:
    """Store a drawing without loss; return its reference."""
    return images.put_bytes(drawing.encode(), drawing.width, drawing.height, "png")
