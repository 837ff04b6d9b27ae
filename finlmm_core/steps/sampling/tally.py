"""Counts what the samples step makes, for the card, the report page and the manifest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from finlmm_core.steps.sampling.config import SPLITS
from finlmm_core.steps.sampling.figures import FigureIndex
from finlmm_core.steps.sampling.rows import Row, SampleKind
from finlmm_core.steps.sampling.summary import SamplesSummary, SourceCount


@dataclass
class KindCounts:
    """Counts of one kind of samples."""

    splits: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    generators: Counter[str] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    reports: Counter[int] = field(default_factory=Counter)


class Tally:
    """Everything that is counted while questions are read and rows written."""

    def __init__(self) -> None:
        self.questions: Counter[int] = Counter()  # by report
        self.aligned: Counter[int] = Counter()
        self.rejections: Counter[str] = Counter()
        self.kinds: dict[SampleKind, KindCounts] = {"text": KindCounts(), "contrastive": KindCounts()}
        self.tiers: Counter[str] = Counter()
        self.positions: dict[int, Counter[int]] = defaultdict(Counter)
        self.shortcuts: dict[str, float] = defaultdict(float)

    def add(self, kind: SampleKind, row: Row, report: int) -> None:
        """Count a row that was written."""
        counts = self.kinds[kind]
        counts.splits[row["split"]] += 1
        counts.types[row["type"]] += 1
        counts.languages[row["language"]] += 1
        counts.generators[row["generator"]] += 1
        counts.letters[row["answer_letter"]] += 1
        counts.reports[report] += 1
        if kind == "contrastive":
            self.tiers.update(figure["tier"] for figure in row["figures"] if figure["tier"] != "gold")
            self.positions[len(row["figures"])][row["gold_image"]] += 1
            self._add_shortcuts(row)

    def _add_shortcuts(self, row: Row) -> None:
        """Count how often a rule that does not read the question picks the right option or image."""
        lengths = [len(option) for option in row["options"]]
        kinds = [figure["kind"] for figure in row["figures"]]
        areas = [figure["width"] * figure["height"] for figure in row["figures"]]
        gold = row["gold_image"]
        tables = [place for place, kind in enumerate(kinds) if kind == "table"] or list(range(len(kinds)))
        found = {
            "option_chance": 1 / len(lengths),
            "option_longest": (lengths[row["answer_option"]] == max(lengths)) / lengths.count(max(lengths)),
            "image_chance": 1 / len(kinds),
            "image_table": (gold in tables) / len(tables),
            "image_largest": (areas[gold] == max(areas)) / areas.count(max(areas)),
            "image_smallest": (areas[gold] == min(areas)) / areas.count(min(areas)),
        }
        for name, value in found.items():
            self.shortcuts[name] += value

    def summary(
        self, index: FigureIndex, refused: Mapping[str, int], files: dict[str, dict[str, list[str]]]
    ) -> SamplesSummary:
        """Return the counts of the finished step."""
        text, contrastive = self.kinds["text"], self.kinds["contrastive"]
        pairs = sum(contrastive.splits.values())

        def by_kind(name: str) -> dict[str, dict[str, int]]:
            return {kind: dict(sorted(getattr(counts, name).items())) for kind, counts in self.kinds.items()}

        return SamplesSummary(
            reports=len(index.reports),
            groups=len(index.by_group),
            figures=len(index.figures),
            figures_same=sum(1 for number, first in enumerate(index.same) if number != first),
            questions=sum(self.questions.values()),
            aligned=sum(self.aligned.values()),
            text={split: text.splits[split] for split in SPLITS},
            contrastive={split: contrastive.splits[split] for split in SPLITS},
            types=by_kind("types"),
            languages=by_kind("languages"),
            generators=by_kind("generators"),
            tiers=dict(sorted(self.tiers.items())),
            letters=by_kind("letters"),
            positions={
                str(count): {str(place): found[place] for place in range(count)}
                for count, found in sorted(self.positions.items())
            },
            shortcuts={name: round(found / pairs, 4) for name, found in sorted(self.shortcuts.items())},
            refused_distractors=dict(sorted(refused.items())),
            rejections=dict(sorted(self.rejections.items())),
            sources=tuple(
                SourceCount(
                    document_id=report.id,
                    report=report.source,
                    company=report.company,
                    year=report.year,
                    language=report.language,
                    split=index.splits[report.index],
                    figures=len(index.by_report[report.index]),
                    questions=self.questions[report.index],
                    aligned=self.aligned[report.index],
                    text=text.reports[report.index],
                    contrastive=contrastive.reports[report.index],
                )
                for report in index.reports
            ),
            files=files,
        )
