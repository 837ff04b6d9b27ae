"""Options of the backends that hold their weights in this process."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finlmm_core import ModelOptions


class LoraOptions(BaseModel):
    """Low-rank adapters: only they train, the model's own weights stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1, description="of the adapters: their size")
    alpha: float = Field(default=32.0, gt=0, description="the adapters' output is multiplied by alpha / rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of the adapters' inputs left out in training")
    targets: tuple[str, ...] = Field(
        default=(),
        description="last part of the names of linear layers that get adapters, such as ['q_proj', 'v_proj']; "
        "all linear layers but the output layer if empty",
    )
    vision: bool = Field(default=False, description="adapters in the vision tower and its projector too")


class LocalOptions(ModelOptions):
    """Options that all local backends have."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="of the weights in memory. 'auto': float32 on the CPU and for training all weights (mixed "
        "precision is the trainer's business), bfloat16 on a GPU for generation and under LoRA",
    )
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto", description="implementation of attention; 'auto' is what transformers takes"
    )
    device: str = Field(
        default="auto",
        description="where generation runs: 'auto' is this process's GPU or else the CPU, 'spread' lays the layers "
        "over all GPUs, or a torch device such as 'cuda:1'; in training the trainer places the model",
    )
    lora: LoraOptions | None = Field(default=None, description="train low-rank adapters instead of all weights")
    freeze: tuple[Literal["vision", "projector", "language", "embeddings"], ...] = Field(
        default=(), description="parts whose weights stay as they are in training; 'embeddings' is the output layer too"
    )
    batch_tokens: int = Field(
        default=32768,
        ge=1,
        description="padded tokens, prompts and completions, that are generated at a time; lower it where memory runs "
        "out",
    )

    @model_validator(mode="after")
    def _something_trains(self) -> LocalOptions:
        if self.lora is not None and self.freeze:
            raise ValueError(
                "'freeze' says nothing beside 'lora': under LoRA only the adapters train. Leave 'freeze' out; "
                "lora.vision and lora.targets say where adapters go"
            )
        return self


class VisionOptions(LocalOptions):
    """Options of backends that see images."""

    min_pixels: int | None = Field(
        default=None, ge=1, description="smaller images are made larger; the checkpoint's own limit if not given"
    )
    max_pixels: int | None = Field(
        default=None, ge=1, description="larger images are made smaller; the checkpoint's own limit if not given"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> VisionOptions:
        if self.min_pixels and self.max_pixels and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels ({self.min_pixels}) is larger than max_pixels ({self.max_pixels})")
        return self
