"""The one way to transformers: its import needs a mended torchvision, and its progress bars have no place in a log."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from finlmm_core.errors import MissingExtraError


def import_transformers(what: str) -> Any:
    """Return the module ``transformers``, imported so that its vision models work here.

    Args:
        what: the feature that needs it, for the message where it is missing.

    Raises:
        MissingExtraError: transformers or torch is not installed.
    """
    for library in ("torch", "transformers"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError(what, library, "train")
    from finlmm_core.torchvision_shim import ensure_torchvision

    ensure_torchvision()
    import transformers

    return transformers


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keep transformers' bars of loading and saving off the terminal."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
