"""How a sample is put to a model: one wording for training, rewards and evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from finlmm_core.domain import Sample

if TYPE_CHECKING:
    from finlmm_core.plugins.bases import Message
    from finlmm_core.store.images import ImageStore


def conversation(sample: Sample, images: ImageStore | None = None) -> list[Message]:
    """Return the conversation that asks a sample's question, ready for the answer."""
    raise NotImplementedError
