"""Options of the samples step."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finlmm_core.domain import Split

Tier = Literal["random", "same_report", "same_company", "nearest"]
#: Kinds of distractors, the easiest first.
TIERS: tuple[Tier, ...] = ("random", "same_report", "same_company", "nearest")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Closed(BaseModel):
    """Options: immutable, an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TierShares(Closed):
    """How often a distractor is drawn from each tier, relative to one another.

    Where a tier has nothing to give (no other year of the company, say) the next in the order same_company, nearest,
    same_report, random is asked, and the tier that gave the image is what the sample records.
    """

    random: float = Field(default=0.2, ge=0, description="a figure of another report")
    same_report: float = Field(default=0.35, ge=0, description="another figure of the same report")
    same_company: float = Field(default=0.2, ge=0, description="a figure of another year's report of the company")
    nearest: float = Field(default=0.25, ge=0, description="the figures whose words are nearest, over all reports")

    @model_validator(mode="after")
    def _some_tier(self) -> TierShares:
        if self.random + self.same_report + self.same_company + self.nearest <= 0:
            raise ValueError("at least one tier needs a share above 0")
        return self

    def of(self, tier: Tier) -> float:
        """Return the share of one tier."""
        shares: dict[Tier, float] = {
            "random": self.random,
            "same_report": self.same_report,
            "same_company": self.same_company,
            "nearest": self.nearest,
        }
        return shares[tier]


class SplitShares(Closed):
    """The share of companies in each split."""

    validation: float = Field(default=0.1, ge=0, lt=1, description="share of companies held out for validation")
    test: float = Field(default=0.1, ge=0, lt=1, description="share of companies held out for the final test")

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> SplitShares:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation ({self.validation}) and test ({self.test}) leave nothing to train on")
        return self

    @property
    def train(self) -> float:
        return 1.0 - self.validation - self.test

    def of(self, split: Split) -> float:
        """Return the share of one split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]


class SamplesConfig(Closed):
    """Everything that decides which samples are made of the kept pairs. The seed comes from the run."""

    min_distractors: int = Field(
        default=2, ge=1, le=15, description="a pair for which fewer distractors can be found is rejected"
    )
    max_distractors: int = Field(default=3, ge=1, le=15, description="wrong images beside the right one in a sample")
    vary_distractors: bool = Field(
        default=False, description="draw the number of distractors between min and max for each sample"
    )
    tiers: TierShares = Field(default=TierShares(), description="where distractors come from")
    same_kind: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="share of distractors drawn from figures of the right figure's kind first, so that 'the table' "
        "is not an answer",
    )
    also_gold: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of distractors drawn first from figures that are right for another question, so that no "
        "figure looks wrong by itself",
    )
    splits: SplitShares = Field(default=SplitShares(), description="share of companies held out")
    max_per_figure: int = Field(default=6, ge=1, description="contrastive samples of one right figure, at most")
    max_per_document: int = Field(default=150, ge=1, description="contrastive samples of one report, at most")
    max_text_per_document: int = Field(default=250, ge=1, description="text-only samples of one report, at most")
    max_text_per_context: int = Field(
        default=8, ge=1, description="text-only samples over one passage or table, at most"
    )
    text_from: Literal["all", "not_aligned"] = Field(
        default="all",
        description="which questions become text-only samples: all that carry their context, or only those without a "
        "contrastive sample, so that no question is met in both stages",
    )
    max_repeats: int = Field(
        default=3,
        ge=1,
        description="how often one question with one answer (a glossary term, say) may come back with other reports",
    )
    max_type_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="no question type may be more than this share of a split's samples of a kind",
    )
    max_context_characters: int = Field(
        default=6000, ge=200, description="a text-only sample with a longer passage or table is rejected"
    )
    near_duplicate: float = Field(
        default=0.85,
        gt=0.5,
        le=1,
        description="figures whose words and numbers overlap this much (Jaccard) count as one figure",
    )
    embedder: str = Field(
        default="tfidf",
        description="what finds the nearest figures: 'tfidf', or the folder or package of a "
        "sentence encoder (see finlmm_core.embed)",
    )
    neighbours: int = Field(default=50, ge=1, le=1000, description="nearest figures looked at for each right figure")
    exact_search_up_to: int = Field(
        default=50_000, ge=1, description="figures a split; FAISS searches exactly up to here, with IVF lists above"
    )
    rows_per_shard: int = Field(default=10_000, ge=1, description="rows of one parquet file, at most")
    rows_per_group: int = Field(default=64, ge=1, description="rows written at once, with their images in memory")

    @model_validator(mode="after")
    def _least_is_not_more_than_most(self) -> SamplesConfig:
        if self.min_distractors > self.max_distractors:
            raise ValueError(
                f"min_distractors ({self.min_distractors}) is more than max_distractors ({self.max_distractors})"
            )
        return self
