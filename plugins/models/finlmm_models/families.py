"""What finlmm knows of a family of models: its checkpoints' ``model_type``, and which part of it a weight belongs to.

The names are those of the module trees of transformers 5 (``model.named_parameters()``); the names in checkpoint files
may differ, transformers maps between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["vision", "projector", "language", "embeddings"]


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        backend: name of the backend that takes it.
        title: how people call its models.
        model_types: what ``config.json`` of its checkpoints says; () where any text-only model will do.
        default_path: its id on the hub that a run starts from if it names none.
        auto_class: the class of transformers that loads it.
        prefixes: (beginning of a module's name, part); the longest that fits decides. Embeddings and the output layer
            are told by what the model itself says they are.
        image_tokens: tokens that stand for images and videos, and those that enclose them.
    """

    backend: str
    title: str
    model_types: tuple[str, ...]
    default_path: str
    auto_class: str
    prefixes: tuple[tuple[str, Part], ...]
    image_tokens: tuple[str, ...] = ()

    def part_of(self, name: str) -> Part:
        """Return which part a module or weight belongs to by its name; 'language' where no prefix fits."""
        fitting = [(len(prefix), part) for prefix, part in self.prefixes if name.startswith(prefix)]
        return max(fitting)[1] if fitting else "language"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts that a model of the family has."""
        seen: tuple[Part, ...] = ("vision", "projector") if self.prefixes else ()
        return (*seen, "language", "embeddings")


QWEN_VL = Family(
    backend="qwen-vl",
    title="Qwen2-VL, Qwen2.5-VL and Qwen3-VL",
    model_types=("qwen2_vl", "qwen2_5_vl", "qwen3_vl"),
    default_path="Qwen/Qwen2.5-VL-3B-Instruct",
    auto_class="AutoModelForImageTextToText",
    prefixes=(
        ("model.visual.", "vision"),
        ("model.visual.merger.", "projector"),
        ("model.visual.deepstack_merger_list.", "projector"),
        ("model.language_model.", "language"),
    ),
    # The positions of an image are found by its opening token, so that one may not be generated either.
    image_tokens=("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
)
INTERNVL = Family(
    backend="internvl",
    title="InternVL3 in the layout of transformers ('-hf')",
    model_types=("internvl",),
    default_path="OpenGVLab/InternVL3-2B-hf",
    auto_class="AutoModelForImageTextToText",
    prefixes=(
        ("model.vision_tower.", "vision"),
        ("model.multi_modal_projector.", "projector"),
        ("model.language_model.", "language"),
    ),
    image_tokens=("<IMG_CONTEXT>", "<img>", "</img>", "<video>"),
)
CAUSAL_LM = Family(
    backend="causal-lm",
    title="text-only language models",
    model_types=(),
    default_path="Qwen/Qwen2.5-1.5B-Instruct",
    auto_class="AutoModelForCausalLM",
    prefixes=(),
)
FAMILIES = (QWEN_VL, INTERNVL, CAUSAL_LM)
