"""What the samples step says of itself: counts that the card, the report page and the manifest show."""

from __future__ import annotations

from pydantic import Field

from finlmm_core.domain import Frozen


class Provenance(Frozen):
    """What made the pairs, for every row to name."""

    finlmm: str = Field(default="", description="version of finlmm")
    plugins: dict[str, str] = Field(
        default={}, description="step and plugin -> distribution and version, for each plugin of the run"
    )
    config_key: str = Field(default="", description="key of the step: hash of options, plugins and inputs")


class SourceCount(Frozen):
    """One report and what came of it."""

    document_id: str
    report: str
    company: str | None
    year: int | None
    language: str | None
    split: str
    figures: int
    questions: int
    aligned: int
    text: int = 0
    contrastive: int = 0


class SamplesSummary(Frozen):
    """Counts of the samples step."""

    reports: int
    groups: int = Field(description="companies, and reports that name none")
    figures: int
    figures_same: int = Field(description="figures that say the same as an earlier one")
    questions: int
    aligned: int
    text: dict[str, int] = Field(description="text-only samples by split")
    contrastive: dict[str, int] = Field(description="contrastive samples by split")
    types: dict[str, dict[str, int]] = Field(description="kind -> question type -> samples")
    languages: dict[str, dict[str, int]] = Field(description="kind -> language -> samples")
    generators: dict[str, dict[str, int]] = Field(description="kind -> generator -> samples")
    tiers: dict[str, int] = Field(description="tier -> distractors")
    letters: dict[str, dict[str, int]] = Field(description="kind -> letter of the right option -> samples")
    positions: dict[str, dict[str, int]] = Field(description="number of images -> place of the right one -> samples")
    shortcuts: dict[str, float] = Field(
        description="how often a rule that does not read the question would be right: chance, longest option, the odd "
        "kind of figure, the largest image"
    )
    refused_distractors: dict[str, int] = Field(description="reason -> candidates refused as distractors")
    rejections: dict[str, int] = Field(description="reason -> questions not used")
    sources: tuple[SourceCount, ...] = ()
    files: dict[str, dict[str, list[str]]] = Field(default={}, description="kind -> split -> files")

    @property
    def samples(self) -> int:
        """How many samples of both kinds there are."""
        return sum(self.text.values()) + sum(self.contrastive.values())

    @property
    def counts(self) -> dict[str, int]:
        """The counts that the step's manifest states."""
        counts = {"samples": self.samples}
        for kind, splits in (("text", self.text), ("contrastive", self.contrastive)):
            counts[kind] = sum(splits.values())
            counts.update({f"{kind}.{split}": count for split, count in splits.items()})
        return counts
