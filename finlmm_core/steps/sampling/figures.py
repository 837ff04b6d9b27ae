"""The figures of all reports, reduced to what choosing distractors needs; no pixels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from finlmm_core.domain import Box, Document, FigureKind, ImageRef, Language, Split


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the corpus."""

    index: int
    id: str
    source: str
    group: str
    company: str | None
    year: int | None
    language: Language | None


@dataclass(frozen=True, slots=True)
class FigureEntry:
    """One figure that has an image."""

    index: int
    id: str
    report: int
    page: int
    box: Box
    kind: FigureKind
    caption: str
    text: str  # caption and content, for comparing
    image: ImageRef


class FigureIndex:
    """All figures with images, in the order of the corpus, findable by id and by report."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.figures: list[FigureEntry] = []
        self.by_report: dict[int, list[int]] = defaultdict(list)
        self.by_group: dict[str, list[int]] = defaultdict(list)
        self._by_id: dict[tuple[int, str], int] = {}
        #: For each figure the first figure that says the same; filled by the step.
        self.same: list[int] = []
        #: For each report its split; filled by the step.
        self.splits: list[Split] = []
        #: For each first figure of those that say the same, the one split that may use them; filled by the step.
        self.home: dict[int, Split] = {}

    def add(self, document: Document, group: str) -> Report:
        """Take in a document; return its entry."""
        meta = document.meta
        report = Report(len(self.reports), document.id, document.source, group, meta.company, meta.year, meta.language)
        self.reports.append(report)
        self.by_group[group].append(report.index)
        titles = {table.figure_id: table.title for table in document.tables}
        for figure in document.figures:
            if figure.image is None:
                continue
            title = titles.get(figure.id, "")
            head = figure.caption if title in figure.caption else f"{figure.caption}\n{title}".strip()
            entry = FigureEntry(
                index=len(self.figures),
                id=figure.id,
                report=report.index,
                page=figure.page,
                box=figure.box,
                kind=figure.kind,
                caption=figure.caption,
                text=f"{head}\n{figure.text}".strip(),
                image=figure.image,
            )
            self._by_id[report.index, figure.id] = entry.index
            self.by_report[report.index].append(entry.index)
            self.figures.append(entry)
        return report

    def find(self, report: int, figure_id: str) -> FigureEntry | None:
        """Return a report's figure, None where it has no such figure or the figure has no image."""
        index = self._by_id.get((report, figure_id))
        return None if index is None else self.figures[index]

    def split_of(self, figure: FigureEntry) -> Split:
        """Return the split that a figure's report is in."""
        return self.splits[figure.report]

    def at_home(self, figure: FigureEntry) -> bool:
        """Return whether the figure may be used in its report's split (a copy in another split may own it)."""
        return self.home[self.same[figure.index]] == self.split_of(figure)
