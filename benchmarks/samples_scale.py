"""What the samples step costs at scale: CPU seconds and memory for many pairs, images read and written.

The records are made up on the fly (tables of two years, each row asked about) with images of about 50 kB that do not
compress, so that memory shows whether images are held. Usage::

    python benchmarks/samples_scale.py --reports 500
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from finlmm_core.domain import (
    Alignment,
    Answer,
    Box,
    Document,
    DocumentMeta,
    Evidence,
    Figure,
    ImageRef,
    Page,
    QAPair,
    QuestionType,
    content_id,
)
from finlmm_core.steps.samples import DocumentRecord, Provenance, SamplesConfig, build_samples
from finlmm_core.store.images import ImageStore

FIGURES = 12
ROWS = 5
BOX = Box(72, 120, 520, 260)


class MadeUpImages(ImageStore):
    """Gives one of twenty noise images for every reference; writes nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        chance = random.Random(0)
        self._files = []
        for _ in range(20):
            buffer = io.BytesIO()
            Image.frombytes("RGB", (160, 110), chance.randbytes(160 * 110 * 3)).save(buffer, "PNG", compress_level=1)
            self._files.append(buffer.getvalue())

    def read_bytes(self, ref: ImageRef) -> bytes:
        return self._files[int(ref.sha256[:6], 16) % len(self._files)]


class MadeUpReports:
    """Reports with figures, questions and alignments, the same each time they are iterated."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[DocumentRecord]:
        return (_record(number) for number in range(self.count))


def _word(*name: object) -> str:
    digest = hashlib.sha256(repr(name).encode()).digest()
    return "".join("aeiou"[b % 5] if place % 2 else "bcdfglmnprst"[b % 12] for place, b in enumerate(digest[:8]))


def _record(number: int) -> DocumentRecord:
    document_id = hashlib.sha256(f"report {number}".encode()).hexdigest()
    chance = random.Random(number)
    figures, questions, alignments = [], [], []
    for place in range(FIGURES):
        rows = [
            (f"{_word(chance.random())} {_word(place, line)}", chance.randint(1000, 99999), chance.randint(1000, 99999))
            for line in range(ROWS)
        ]
        text = "\n".join(["in millions 2021 2020", *(f"{name} {a:,} {b:,}" for name, a, b in rows)])
        figure = Figure(
            id=content_id(document_id, place),
            page=place + 1,
            box=BOX,
            kind="table",
            text=text,
            text_source="layer",
            image=ImageRef(sha256=hashlib.sha256(f"{number} {place}".encode()).hexdigest(), width=160, height=110),
        )
        figures.append(figure)
        for name, a, b in rows:
            asked = f"By how much did {name} change from 2020 to 2021?"
            options = (f"{a - b:,}", f"{b - a:,}", f"{a + b:,}", f"{a - b + 111:,}")
            questions.append(
                QAPair(
                    id=content_id(document_id, asked),
                    document_id=document_id,
                    type=QuestionType.ARITHMETIC_REASONING,
                    language="en",
                    question=asked,
                    options=options,
                    answer=Answer(text=options[0], option=0, value=a - b),
                    evidence=(
                        Evidence(name="a", text=f"{a:,}", value=a, labels=(name, "2021"), page=place + 1),
                        Evidence(name="b", text=f"{b:,}", value=b, labels=(name, "2020"), page=place + 1),
                    ),
                    program="a - b",
                    context=text,
                    generator="made_up",
                )
            )
            alignments.append(Alignment(qa_id=questions[-1].id, figure_id=figure.id, score=0.9, margin=0.5))
    document = Document(
        id=document_id,
        source=f"report_{number}.pdf",
        pages=tuple(Page(number=place + 1, width=595, height=842) for place in range(FIGURES)),
        figures=tuple(figures),
        meta=DocumentMeta(company=f"{_word('company', number)} {number}", year=2021, language="en"),
    )
    return DocumentRecord(document, questions, alignments)


def main() -> None:
    """Print CPU seconds a thousand pairs, peak memory and bytes written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=500, help=f"made-up reports of {FIGURES} figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.process_time()
        summary = build_samples(
            MadeUpReports(arguments.reports), MadeUpImages(folder), SamplesConfig(), 0, folder / "samples", Provenance()
        )
        seconds = time.process_time() - began
        written = sum(path.stat().st_size for path in (folder / "samples").rglob("*.parquet"))
    pairs = sum(summary.contrastive.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for what, value, unit in (
        ("samples.cpu_seconds_per_1000_pairs", round(1000 * seconds / max(1, pairs), 2), "seconds"),
        ("samples.peak_memory", round(peak, 1), "MB"),
        ("samples.written", round(written / 1e6, 1), "MB"),
    ):
        print(json.dumps({"what": what, "value": value, "unit": unit, "n": pairs}))


if __name__ == "__main__":
    main()
