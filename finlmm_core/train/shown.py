"""Prompts as a person reads them, before anything is loaded: what the model will be asked, and the right answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from finlmm_core.domain import ImageRef, Sample
from finlmm_core.prompts import LETTERS

if TYPE_CHECKING:
    from finlmm_core.plugins.bases import ModelBackend


def shown_prompts(samples: Sequence[Sample], backend: ModelBackend, count: int, head: str = "") -> Iterator[str]:
    """Yield the prompts of samples spread over the whole, images as marks like ``[image 640x400]``.

    Args:
        samples: of a stage.
        backend: whose wording is shown.
        count: how many, at most.
        head: stands before each one's number.
    """
    if not count:
        return
    step = max(1, len(samples) // count)
    for number, sample in enumerate(samples[::step][:count], start=1):
        yield f"--- {head}prompt {number} of {min(count, len(samples))}, sample {sample.id}"
        sizes = iter(sample.images)
        for message in backend.messages(sample):
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            written = "".join(_mark(next(sizes)) if part["type"] == "image" else part["text"] for part in parts)
            yield f"[{message['role']}]\n{written}"
        letter = f"{LETTERS[sample.answer.option]}, " if sample.options else ""
        images = f"; right image {', '.join(str(place + 1) for place in sample.gold_images)}" if sample.images else ""
        yield f"[right answer] {letter}{sample.answer.text}{images}\n"


def _mark(image: ImageRef) -> str:
    return f"[image {image.width}x{image.height}]"
