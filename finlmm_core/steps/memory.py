"""How a process that reads documents hands memory back."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt's parameters, from malloc.h
#: Blocks up to this size come from the heap, and the heap's free end is kept up to twice this size.
_KEPT_BYTES = 128 * 1024 * 1024


@functools.cache
def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next block, within limits, instead of handing it back at once.

    Pictures and an OCR model's intermediate results are blocks of some megabytes that come and go hundreds of times a
    document. Each time that such a block is asked of the system anew, its pages are cleared one by one, which took a
    twentieth to a fifth of the time of OCR. Nothing is done where the C library has no such setting, or where the
    environment sets it.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, 2 * _KEPT_BYTES)


def hand_back_memory() -> None:
    """Give the system what this process has freed, between two documents.

    What is kept for the next block within a document (``keep_freed_memory``) would otherwise be cut up by blocks that
    stay, and a process would grow by a megabyte a document without holding more: 27 % from the second to the fifth
    hundred of reports. Handing back takes some milliseconds. Nothing is done where the C library has no such call.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
