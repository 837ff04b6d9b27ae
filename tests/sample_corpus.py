"""A small corpus for tests of the samples and report steps: documents made by hand, figures drawn with Pillow."""

from __future__ import annotations

import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw

from finlmm_core.domain import (
    Alignment,
    Answer,
    Block,
    Box,
    Document,
    DocumentMeta,
    Evidence,
    Figure,
    Page,
    QAPair,
    QuestionType,
    Table,
    content_id,
)
from finlmm_core.steps.samples import DocumentRecord
from finlmm_core.store.images import ImageStore

SUBJECTS = [
    ("Net revenue", "Cost of sales", "Gross profit"),
    ("Cash and equivalents", "Short-term debt", "Trade receivables"),
    ("Headcount in Europe", "Headcount in Asia", "Headcount in Americas"),
    ("Research spending", "Marketing spending", "Legal spending"),
    ("Dividends paid", "Shares repurchased", "Shares issued"),
    ("Deferred tax assets", "Deferred tax liabilities", "Valuation allowance"),
]


def _number(*name: object) -> int:
    return 1_000 + int.from_bytes(hashlib.sha256(repr(name).encode()).digest()[:4], "big") % 98_000


def draw(lines: list[str], tint: int) -> Image.Image:
    """Return a picture of some lines of text with a bar beside each."""
    image = Image.new("RGB", (420, 40 + 30 * len(lines)), (255, 255, 255 - tint % 40))
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((10, 15 + 30 * number), line, fill=(0, 0, 0))
        pen.rectangle(
            (300, 15 + 30 * number, 310 + (tint * 7 + number * 31) % 100, 27 + 30 * number), fill=(40, 90, 160)
        )
    return image


def report(store: ImageStore, company: str, year: int, figures: int = 6, prefix: str = "") -> DocumentRecord:
    """Return a report with tables of two years, a growth question about each row, and each aligned."""
    document_id = hashlib.sha256(f"{prefix}{company}{year}".encode()).hexdigest()
    made: list[Figure] = []
    tables: list[Table] = []
    pages: list[Page] = []
    questions: list[QAPair] = []
    alignments: list[Alignment] = []
    for number in range(figures):
        rows = SUBJECTS[number % len(SUBJECTS)]
        values = [[_number(company, row, year), _number(company, row, year - 1)] for row in rows]
        lines = [f"in millions {year} {year - 1}"] + [
            f"{row} {a:,} {b:,}" for row, (a, b) in zip(rows, values, strict=True)
        ]
        figure_id = content_id(document_id, number)
        box = Box(72, 120, 520, 260)
        made.append(
            Figure(
                id=figure_id,
                page=number + 1,
                box=box,
                kind="table" if number % 2 == 0 else "chart",
                caption=f"{rows[0]} and others",
                text="\n".join(lines),
                text_source="layer",
                image=store.put(draw(lines, _number(company, year, number))),
            )
        )
        if number % 2 == 0:
            tables.append(
                Table(
                    figure_id=figure_id,
                    title=f"{rows[0]} and others",
                    header=("in millions", str(year), str(year - 1)),
                    rows=tuple((row, f"{a:,}", f"{b:,}") for row, (a, b) in zip(rows, values, strict=True)),
                    cell_boxes=((None, None, None),) * len(rows),
                )
            )
        pages.append(
            Page(number=number + 1, width=595, height=842, blocks=(Block(box=Box(72, 60, 520, 90), text="Prose."),))
        )
        for row, (a, b) in zip(rows, values, strict=True):
            change = round((a - b) / b * 100, 1)
            options = (f"{change}%", f"{-change}%", f"{round(change + 7.5, 1)}%", f"{round(change / 2 - 3, 1)}%")
            text = f"By what percentage did {row.lower()} change from {year - 1} to {year}?"
            qa_id = content_id(document_id, text)
            questions.append(
                QAPair(
                    id=qa_id,
                    document_id=document_id,
                    type=QuestionType.ARITHMETIC_REASONING if number % 3 else QuestionType.STATISTICS_REASONING,
                    language="en",
                    question=text,
                    options=options,
                    answer=Answer(text=options[0], option=0, value=change, unit="percent", decimals=1),
                    evidence=(
                        Evidence(name="a", text=f"{a:,}", value=a, labels=(row, str(year)), page=number + 1, box=box),
                        Evidence(name="b", text=f"{b:,}", value=b, labels=(row, str(year - 1)), page=number + 1),
                    ),
                    program="(a - b) / b * 100",
                    description=f"table of {row.lower()}",
                    context="\n".join(lines),
                    template=f"growth/{number % 5}",
                    generator="tables",
                    source_figure=figure_id,
                )
            )
            alignments.append(
                Alignment(
                    qa_id=qa_id,
                    figure_id=figure_id,
                    score=0.9,
                    margin=0.4,
                    signals={"retrieval": 0.8, "ocr": 1.0, "ocr.numbers": 1.0},
                )
            )
    return DocumentRecord(
        document=Document(
            id=document_id,
            source=f"{prefix}{company.split()[0].lower()}_{year}.pdf",
            pages=tuple(pages),
            figures=tuple(made),
            tables=tuple(tables),
            meta=DocumentMeta(company=company, year=year, language="en"),
        ),
        questions=questions,
        alignments=alignments,
    )


COMPANIES = ["Alder Inc.", "Birch Corp", "Cedar plc", "Dogwood Ltd", "Elm AG", "Fir Group", "Ginkgo NV", "Hazel SE"]


def corpus(companies: int = 8, years: tuple[int, ...] = (2020, 2022)) -> list[DocumentRecord]:
    """Return reports of some companies for some years; their images are in the shared store."""
    return list(_corpus(companies, years))


@lru_cache(maxsize=4)
def _corpus(companies: int, years: tuple[int, ...]) -> tuple[DocumentRecord, ...]:
    return tuple(report(shared_store(), company, year) for company in COMPANIES[:companies] for year in years)


_folder = tempfile.TemporaryDirectory(prefix="finlmm-test-images-")


def shared_store() -> ImageStore:
    """Return the store that all tests of a process share: drawing and writing the images once is enough."""
    return ImageStore(Path(_folder.name))
