"""Goes once over a run's reports and keeps what the page shows: counts, chosen samples, examples of rejections."""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finlmm_core.domain import Box, Document, ImageRef, QAPair, Rejected
from finlmm_core.steps.report.drawing import PageDrawer
from finlmm_core.steps.report.model import ReportInput, ReportRecord
from finlmm_core.steps.report.pictures import figure_uris
from finlmm_core.steps.sampling.chance import unit
from finlmm_core.steps.sampling.config import SPLITS
from finlmm_core.steps.sampling.parquet import read_rows
from finlmm_core.steps.sampling.rows import COLUMNS, Row, SampleKind
from finlmm_core.steps.sampling.summary import SamplesSummary

_BLOCKS_OF_A_SKETCH = 120
_EXAMPLE_CHARACTERS = 600


@dataclass
class ReportCounts:
    """What became of one report."""

    source: str
    document_id: str
    set_aside: tuple[str, str] | None
    pages: int = 0
    charts: int = 0
    tables: int = 0
    images: int = 0
    questions: int = 0
    kept: int = 0
    company: str = ""
    year: int | None = None
    language: str = ""
    rejected: int = 0

    @property
    def figures(self) -> int:
        return self.charts + self.tables + self.images


@dataclass
class Gathered:
    """Everything that the page's sections are made of."""

    reports: list[ReportCounts] = field(default_factory=list)
    #: (question type, language) -> stage ('written', 'kept') -> how many
    questions: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: step -> reason -> how many
    rejections: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: step -> reason -> examples for the page
    examples: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    samples: list[Row] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    pages: dict[str, Row] = field(default_factory=dict)
    summary: SamplesSummary | None = None
    left_out: int = 0  # chosen samples that the page had no room for

    @property
    def has_build(self) -> bool:
        """Whether reports were read: a run may hold a training or an evaluation alone."""
        return bool(self.reports or self.rejections or self.summary)


class _Few:
    """Keeps a few items by chance rank, so that the choice does not depend on the order."""

    def __init__(self, most: int, seed: int) -> None:
        self._most = most
        self._seed = seed
        self._heap: list[tuple[float, int, str, Any]] = []
        self._offered = 0
        self._names: set[str] = set()

    def offer(self, name: str, item: Any) -> None:
        if name in self._names:
            return
        rank = -unit("example", self._seed, name)
        self._offered += 1  # settles equal ranks, so that items are never compared
        entry = (rank, -self._offered, name, item)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif self._heap and entry[:2] > self._heap[0][:2]:
            self._names.discard(heapq.heapreplace(self._heap, entry)[2])
        else:
            return
        self._names.add(name)

    def items(self) -> list[Any]:
        return [item for *_, item in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def gather(data: ReportInput) -> Gathered:
    """Return what the page shows of a run."""
    found = Gathered()
    if data.samples is not None and (data.samples / "summary.json").is_file():
        found.summary = SamplesSummary.model_validate_json((data.samples / "summary.json").read_bytes())
    chosen = _choose_samples(data, found.summary)
    few: dict[tuple[str, str], _Few] = {}

    def reject(item: Rejected, example: Row) -> None:
        found.rejections[item.step][item.reason] += 1
        key = (item.step, item.reason)
        few.setdefault(key, _Few(data.config.rejected, data.seed)).offer(
            f"{item.item_id} {item.detail} {example.get('report')}", example
        )

    for item in data.rejected:
        reject(item, {"id": item.item_id, "detail": item.detail})
    by_report: dict[str, list[Row]] = defaultdict(list)
    for row in chosen:
        by_report[row["document_id"]].append(row)
    late = _rejected_by_samples(data, found, few)
    budget = _Budget(data.config.max_megabytes)
    drawer = PageDrawer(data.config.page_side, data.config.jpeg_quality, data.threads)
    with ThreadPoolExecutor(data.threads) as threads, drawer:
        for record in data.records:
            found.reports.append(_count(record, found))
            questions = {question.id: question for question in record.questions}
            for item in record.rejected:
                reject(item, _example(item, record, questions.get(item.item_id)))
            if late:
                _fill_questions(record, late)
            if record.document is not None:
                rows = by_report.get(record.document_id, [])
                _take_pages(record, record.document, rows, data, found, budget, drawer)
        _take_figures(chosen, data, found, budget, threads)
    for (step, reason), examples in sorted(few.items()):
        found.examples.setdefault(step, {})[reason] = examples.items()
    return found


# ------------------------------------------------------------------------------------------------------- samples


def _light_rows(folder: Path, kind: SampleKind) -> Iterator[Row]:
    for split in SPLITS:
        yield from read_rows(folder, kind, split, ["id", "type", "report"])


def _choose_samples(data: ReportInput, summary: SamplesSummary | None) -> list[Row]:
    """Return full rows (without image bytes) of samples in turn over reports and types, in chance order."""
    if data.samples is None or summary is None:
        return []
    chosen: list[Row] = []
    wanted: tuple[tuple[SampleKind, int], ...] = (
        ("contrastive", data.config.samples),
        ("text", data.config.text_samples),
    )
    for kind, most in wanted:
        strata: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
        for row in _light_rows(data.samples, kind):
            strata[row["type"], row["report"]].append((unit("gallery", data.seed, row["id"]), row["id"]))
        turns = sorted(
            (turn, rank, sample_id)
            for members in strata.values()
            for turn, (rank, sample_id) in enumerate(sorted(members))
        )
        order = {sample_id: place for place, (_, _, sample_id) in enumerate(turns[:most])}
        columns = [name for name in COLUMNS[kind] if name != "images"]
        rows = [
            {**row, "sample": kind}
            for split in SPLITS
            for row in read_rows(data.samples, kind, split, columns, order.keys())
        ]
        chosen += sorted(rows, key=lambda row: order[row["id"]])
    return chosen


class _Budget:
    """How much may still go into the page, in characters; text and styles get a part of it."""

    def __init__(self, megabytes: float) -> None:
        self.left = int(megabytes * 1_000_000 * 0.97)

    def take(self, characters: int) -> bool:
        if characters > self.left:
            return False
        self.left -= characters
        return True


def _take_pages(
    record: ReportRecord,
    document: Document,
    rows: list[Row],
    data: ReportInput,
    found: Gathered,
    budget: _Budget,
    drawer: PageDrawer,
) -> None:
    """Put the pages of a report that samples need into the page: a picture, or a sketch of its blocks."""
    numbers = sorted({number for row in rows for number in _pages_of(row)})
    if not numbers:
        return
    # pages may use half of the room: a figure says more than its page
    config = data.config
    pictures = drawer.pages(record.pdf, record.pdf_sha256, numbers)
    pages = {page.number: page for page in document.pages}
    for number in numbers:
        page = pages.get(number)
        if page is None:
            continue
        entry: Row = {"width": round(page.width, 1), "height": round(page.height, 1)}
        picture = pictures.get(number)
        if (
            picture is not None
            and budget.left - len(picture) > config.max_megabytes * 500_000
            and budget.take(len(picture))
        ):
            entry["picture"] = picture
        else:
            entry["blocks"] = [_whole(block.box) for block in page.blocks[:_BLOCKS_OF_A_SKETCH]]
            entry["figures"] = [_whole(figure.box) for figure in document.figures if figure.page == number]
        found.pages[f"{record.document_id[:16]}/{number}"] = entry


def _pages_of(row: Row) -> list[int]:
    if row["sample"] == "contrastive":
        return [row["figures"][row["gold_image"]]["page"]]
    return [evidence["page"] for evidence in row["evidence"][:1]]


def _whole(box: Box) -> list[int]:
    return [round(value) for value in box]


def _take_figures(chosen: list[Row], data: ReportInput, found: Gathered, budget: _Budget, threads: Executor) -> None:
    """Put chosen samples with their figures into the page, as long as there is room."""
    config = data.config
    for row in chosen:
        wanted: dict[str, tuple[ImageRef, int]] = {}
        for place, figure in enumerate(row.get("figures") or []):
            gold = place == row["gold_image"]
            # the right figure is read closely, the others are told apart
            key = f"{figure['sha256'][:20]}{'' if gold else '-small'}"
            figure["picture"] = key
            if key not in found.pictures and key not in wanted:
                ref = ImageRef(
                    sha256=figure["sha256"], width=figure["width"], height=figure["height"], format=figure["format"]
                )
                side = config.image_side if gold else max(100, config.image_side // 2)
                wanted[key] = (ref, side)
        new = dict(zip(wanted, figure_uris(data.images, wanted.values(), config.jpeg_quality, threads), strict=True))
        size = sum(map(len, new.values())) + len(json.dumps(row, ensure_ascii=False, default=str).encode())
        if not budget.take(size):
            found.left_out += 1
            continue
        found.pictures.update(new)
        found.samples.append(row)


# ---------------------------------------------------------------------------------------------------- rejections


def _rejected_by_samples(data: ReportInput, found: Gathered, few: dict[tuple[str, str], _Few]) -> dict[str, list[Row]]:
    """Count what the samples step dropped; return question id -> examples that want the question's words."""
    if data.samples is None or not (data.samples / "rejected.jsonl").is_file():
        return {}
    with (data.samples / "rejected.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            item = Rejected.model_validate_json(line)
            found.rejections[item.step][item.reason] += 1
            example: Row = {"id": item.item_id, "detail": item.detail}
            key = (item.step, item.reason)
            few.setdefault(key, _Few(data.config.rejected, data.seed)).offer(item.item_id, example)
    wanting: dict[str, list[Row]] = defaultdict(list)
    for examples in few.values():
        for example in examples.items():
            wanting[example["id"]].append(example)
    return wanting


def _fill_questions(record: ReportRecord, wanting: dict[str, list[Row]]) -> None:
    for question in record.questions:
        for example in wanting.get(question.id, []):
            example.update(_words_of(question), report=record.source)


def _words_of(question: QAPair) -> Row:
    return {
        "question": question.question[:_EXAMPLE_CHARACTERS],
        "answer": question.answer.text[:_EXAMPLE_CHARACTERS],
        "type": question.type.value,
    }


def _example(item: Rejected, record: ReportRecord, question: QAPair | None) -> Row:
    example: Row = {"id": item.item_id, "detail": item.detail[:_EXAMPLE_CHARACTERS], "report": record.source}
    return example if question is None else {**example, **_words_of(question)}


def _count(record: ReportRecord, found: Gathered) -> ReportCounts:
    counts = ReportCounts(record.source, record.document_id, record.set_aside, rejected=len(record.rejected))
    document = record.document
    if document is not None:
        kinds = Counter(figure.kind for figure in document.figures)
        counts.pages = len(document.pages)
        counts.charts, counts.tables, counts.images = kinds["chart"], kinds["table"], kinds["image"]
        counts.company = document.meta.company or ""
        counts.year = document.meta.year
        counts.language = document.meta.language or ""
    kept = {alignment.qa_id for alignment in record.alignments}
    counts.questions = len(record.questions)
    counts.kept = len(kept)
    for question in record.questions:
        stage = found.questions[question.type.value, question.language]
        stage["written"] += 1
        stage["kept"] += question.id in kept
    return counts


def total(reports: Iterable[ReportCounts], name: str) -> int:
    """Return the sum of one count over reports."""
    return sum(getattr(report, name) for report in reports)
