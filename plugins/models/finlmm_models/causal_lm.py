"""Text-only language models: for the text-only stage, for judging, and for writing questions."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from finlmm_core import Sample
from finlmm_core.plugins.bases import Message
from finlmm_core.prompts import flat_text
from finlmm_core.store.images import ImageStore
from finlmm_models.families import CAUSAL_LM, Family
from finlmm_models.local import LocalBackend
from finlmm_models.options import LocalOptions


class CausalLMOptions(LocalOptions):
    """Options of the backend ``causal-lm``."""

    path: str = Field(default=CAUSAL_LM.default_path, description="folder with the model, or its id on the hub")


class CausalLM(LocalBackend):
    """Any text-only model that transformers' AutoModelForCausalLM loads and that has a chat template."""

    name: ClassVar[str] = "causal-lm"
    Options: ClassVar[type[CausalLMOptions]] = CausalLMOptions
    options: CausalLMOptions
    family: ClassVar[Family] = CAUSAL_LM

    def messages(self, sample: Sample, images: ImageStore | None = None) -> list[Message]:
        """Return the conversation with strings for contents, which is what templates of text-only models take."""
        return flat_text(super().messages(sample, images))
