"""The samples step: kept pairs become text-only samples and multi-image contrastive samples.

This is the only step that looks across documents: it drops duplicates, holds out companies, and draws wrong images
for each right one. It reads the corpus twice, document by document: once to decide, once to write; of a document only
the words of its figures stay in memory.

::

    summary = build_samples(corpus, images, SamplesConfig(), seed=0, folder=run / "samples", provenance=provenance)
    for sample in read_samples(run / "samples", "contrastive", "train"):
        ...
    datasets.load_dataset("parquet", data_files=str(run / "samples/contrastive/train-*.parquet"))
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from finlmm_core.domain import Alignment, Document, QAPair, Rejected, Split, content_id
from finlmm_core.steps.sampling.card import write_card
from finlmm_core.steps.sampling.chance import Chance, Deck
from finlmm_core.steps.sampling.config import SPLITS, SamplesConfig, SplitShares, TierShares
from finlmm_core.steps.sampling.distractors import DistractorChooser, Embedder, NearestFigures, embedder_named
from finlmm_core.steps.sampling.duplicates import same_figures
from finlmm_core.steps.sampling.figures import FigureIndex
from finlmm_core.steps.sampling.parquet import RecentImages, SplitWriter, read_rows, read_samples
from finlmm_core.steps.sampling.rows import Row, SampleKind, common_row, contrastive_columns, shuffle_options
from finlmm_core.steps.sampling.selection import (
    Candidate,
    candidate,
    fault_of,
    text_fault_of,
    within_caps,
    without_duplicates,
    without_leaks,
)
from finlmm_core.steps.sampling.splits import assign_splits, group_of, owner
from finlmm_core.steps.sampling.summary import Provenance, SamplesSummary
from finlmm_core.steps.sampling.tally import Tally
from finlmm_core.store.images import ImageStore

__all__ = [
    "SAMPLES_VERSION",
    "DocumentRecord",
    "Provenance",
    "SampleKind",
    "SamplesConfig",
    "SamplesSummary",
    "SplitShares",
    "TierShares",
    "build_samples",
    "read_rows",
    "read_samples",
]


#: Raised whenever the same corpus and options give other samples; part of the step's key.
SAMPLES_VERSION = 1


class CorpusRecord(Protocol):
    """All that the steps before made of one report. The document is asked for in the first reading only."""

    @property
    def document(self) -> Document: ...

    @property
    def questions(self) -> Sequence[QAPair]: ...

    @property
    def alignments(self) -> Sequence[Alignment]: ...


@dataclass(frozen=True)
class DocumentRecord:
    """A CorpusRecord that is held in memory."""

    document: Document
    questions: Sequence[QAPair] = ()
    alignments: Sequence[Alignment] = ()


def build_samples(
    corpus: Iterable[CorpusRecord],
    images: ImageStore,
    config: SamplesConfig,
    seed: int,
    folder: Path,
    provenance: Provenance,
    embedder: Embedder | None = None,
    progress: Callable[[int], None] | None = None,
) -> SamplesSummary:
    """Write the samples folder of a run, whole or not at all, and return its counts.

    Written are ``text/`` and ``contrastive/`` (parquet by split), ``rejected.jsonl`` (a Rejected a line),
    ``summary.json`` and ``README.md`` (the dataset card). The same corpus, options and seed give the same bytes.

    Args:
        corpus: the records of the run; iterated twice, with the same result.
        images: the run's image store.
        config: the step's options.
        seed: the run's seed.
        folder: where to write; what is there is replaced once the new folder is complete.
        provenance: versions to name in every row and in the card.
        embedder: of the figures' words, for the nearest distractors; that of the options where not given.
        progress: called with the number of reports done, twice up to the number of reports (two readings).

    Raises:
        ValueError: the corpus can be read only once.
        FinlmmError: an image is missing from the store.
    """
    if iter(corpus) is corpus:
        raise ValueError("build_samples reads the corpus twice: give a list, or an object whose __iter__ starts anew")
    working = folder.with_name(f"{folder.name}.writing")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    try:
        with (working / "rejected.jsonl").open("w", encoding="utf-8", newline="\n") as rejected:
            step = _Step(images, config, seed, working, provenance, embedder, rejected, progress)
            summary = step.run(corpus)
        (working / "summary.json").write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
        write_card(working / "README.md", summary, config, seed, provenance)
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise
    _replace(working, folder)
    return summary


def _replace(working: Path, folder: Path) -> None:
    """Put the finished folder where the old one is; between the two renames there is none, never half of one.

    Files of the old folder that this step does not write (the run's note of its options) move along.
    """
    for path in sorted(folder.glob("*.json")) if folder.exists() else []:
        if not (working / path.name).exists() and path.name != "manifest.json":
            shutil.copyfile(path, working / path.name)
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    working.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


class _Step:
    """One run of the step: the state that its two readings of the corpus share."""

    def __init__(
        self,
        images: ImageStore,
        config: SamplesConfig,
        seed: int,
        working: Path,
        provenance: Provenance,
        embedder: Embedder | None,
        rejected: TextIO,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.images = images
        self.config = config
        self.seed = seed
        self.working = working
        self.provenance = provenance
        self.embedder = embedder
        self._rejected = rejected
        self._progress = progress
        self._done = 0
        self.index = FigureIndex()
        self.tally = Tally()
        self._decks: dict[tuple[object, ...], Deck] = {}

    def reject(self, item: str, reason: str, detail: str) -> None:
        """Write down that a question is not used, or not used as one kind of sample."""
        record = Rejected(step="samples", item_id=item, reason=reason, detail=detail[:500])
        self._rejected.write(record.model_dump_json() + "\n")
        self.tally.rejections[reason] += 1

    def run(self, corpus: Iterable[CorpusRecord]) -> SamplesSummary:
        candidates = self.read(corpus)
        self.split(candidates)
        candidates = without_leaks(candidates, self.index, self.config, self.seed, self.reject)
        candidates = without_duplicates(candidates, self.config, self.reject)
        chosen: dict[SampleKind, list[Candidate]] = {
            "contrastive": [c for c in candidates if c.figure is not None],
            "text": [
                c
                for c in candidates
                if c.context_key is not None and (self.config.text_from == "all" or c.figure is None)
            ],
        }
        for kind in chosen:
            chosen[kind] = within_caps(chosen[kind], kind, self.index, self.config, self.reject)
        gold = sorted({c.figure for c in chosen["contrastive"] if c.figure is not None})
        nearest = NearestFigures(
            self.index,
            gold,
            self.embedder or embedder_named(self.config.embedder),  # what it learned goes with it
            self.config,
            # inside the folder that is written: what a killed process leaves of it goes with that at the next start
            self.working / "vectors",
        )
        chooser = DistractorChooser(self.index, gold, nearest, self.config, self.seed)
        files = self.write(corpus, chosen, chooser)
        return self.tally.summary(self.index, chooser.refused, files)

    def _tick(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done)

    def read(self, corpus: Iterable[CorpusRecord]) -> list[Candidate]:
        """Take in what selection needs of every report."""
        found: list[Candidate] = []
        for record in corpus:
            report = self.index.add(record.document, group_of(record.document))
            alignments = {a.qa_id: a for a in record.alignments}
            for question in record.questions:
                self.tally.questions[report.index] += 1
                alignment = alignments.get(question.id)
                self.tally.aligned[report.index] += alignment is not None
                fault = fault_of(question)
                if fault is not None:
                    self.reject(question.id, *fault)
                    continue
                right = None
                if alignment is not None:
                    right = self.index.find(report.index, alignment.figure_id)
                    if right is None:
                        self.reject(question.id, "figure_missing", alignment.figure_id)
                text_fault = text_fault_of(question, self.config)
                if text_fault is not None:
                    self.reject(question.id, *text_fault)
                    if right is None:
                        continue
                found.append(
                    candidate(
                        question,
                        report,
                        right,
                        alignment.score if alignment else 0.0,
                        alignment.margin if alignment else 0.0,
                        text_fault is None,
                        self.seed,
                    )
                )
            self._tick()
        return found

    def split(self, candidates: Sequence[Candidate]) -> None:
        """Assign splits, and find which figures say the same and which split may use them."""
        index, config = self.index, self.config
        pairs = any(c.figure is not None for c in candidates)
        giving = {report.group: 0 for report in index.reports}
        for item in candidates:
            giving[index.reports[item.report].group] += item.figure is not None or not pairs
        splits = assign_splits(giving, config.splits, self.seed)
        index.splits = [splits[report.group] for report in index.reports]
        index.same = same_figures(
            [figure.text for figure in index.figures],
            [figure.image.sha256 for figure in index.figures],
            lambda number: self.images.open(index.figures[number].image),
            config.near_duplicate,
        )
        present: dict[int, set[Split]] = {}
        for figure in index.figures:
            present.setdefault(index.same[figure.index], set()).add(index.split_of(figure))
        index.home = {
            first: next(iter(found))
            if len(found) == 1
            else owner(index.figures[first].image.sha256, found, config.splits, self.seed)
            for first, found in present.items()
        }

    def write(
        self,
        corpus: Iterable[CorpusRecord],
        chosen: Mapping[SampleKind, Sequence[Candidate]],
        chooser: DistractorChooser,
    ) -> dict[str, dict[str, list[str]]]:
        """Read the corpus again and write the rows; return the files by kind and split."""
        wanted: dict[SampleKind, set[tuple[int, str]]] = {
            kind: {(c.report, c.qa_id) for c in items} for kind, items in chosen.items()
        }
        config = self.config
        images = RecentImages(self.images)
        writers = {
            (kind, split): SplitWriter(self.working, kind, split, images, config.rows_per_shard, config.rows_per_group)
            for kind in chosen
            for split in SPLITS
        }
        try:
            for number, record in enumerate(corpus):
                split = self.index.splits[number]
                alignments = {a.qa_id: a for a in record.alignments}
                for question in record.questions:
                    key = (number, question.id)
                    if key in wanted["text"]:
                        wanted["text"].discard(key)
                        row = self.row("text", question, number, split)
                        writers["text", split].add(row)
                        self.tally.add("text", row, number)
                    if key in wanted["contrastive"]:
                        wanted["contrastive"].discard(key)
                        contrastive = self.contrastive(question, number, alignments[question.id], chooser)
                        if contrastive is not None:
                            writers["contrastive", split].add(contrastive)
                            self.tally.add("contrastive", contrastive, number)
                self._tick()
            files: dict[str, dict[str, list[str]]] = {kind: {} for kind in chosen}
            for (kind, split), writer in writers.items():
                names = writer.close()
                if names:
                    files[kind][split] = names
            return files
        except BaseException:
            for writer in writers.values():
                writer.abandon()
            raise

    def _deal(self, size: int, *name: object) -> int:
        """Return the next place out of ``size``, evenly within everything of this name."""
        key = (size, *name)
        if key not in self._decks:
            self._decks[key] = Deck(size, self.seed, *key)
        return self._decks[key].deal()

    def row(self, kind: SampleKind, question: QAPair, report: int, split: Split) -> Row:
        """Return the columns that both kinds have, with the options in a new order."""
        count = len(question.options)
        place = self._deal(count, "letter", kind, split, question.type.value)
        wrong_order = Chance("options", self.seed, kind, question.id).shuffled(range(count - 1))
        options, answer = shuffle_options(question, place, wrong_order)
        sample_id = content_id(kind, question.id)
        found = self.index.reports[report]
        return common_row(sample_id, question, options, answer, found, split, self.provenance.plugins)

    def contrastive(
        self,
        question: QAPair,
        report: int,
        alignment: Alignment,
        chooser: DistractorChooser,
    ) -> Row | None:
        """Return the row of a question with its right image among wrong ones; None where too few may stand there."""
        right = self.index.find(report, alignment.figure_id)
        if right is None:
            raise ValueError("the corpus changed between its two readings")
        distractors = chooser.choose(question, right)
        if len(distractors) < self.config.min_distractors:
            self.reject(question.id, "too_few_distractors", f"{len(distractors)} of {self.config.min_distractors}")
            return None
        split = self.index.splits[report]
        distractors = Chance("images", self.seed, question.id).shuffled(distractors)
        count = len(distractors) + 1
        place = self._deal(count, "image", split)
        row = self.row("contrastive", question, report, split)
        row.update(contrastive_columns(right, place, distractors, alignment, self.index))
        row["context"] = ""  # the figure is what the answer is read from
        return row
