"""Grammar of Chinese paragraphs that state one measure for several periods."""

from __future__ import annotations

from collections.abc import Iterator

from finlmm_generators.stated import Reading, Unread


def read_chinese(text: str) -> Iterator[Reading | Unread]:
    """Yield what a paragraph states."""
    yield from ()
