"""Alignment on real reports, where the truth is the table that a question was generated from; and the yield.

Usage: python benchmarks/self_alignment.py --run runs/dev
Prints, over the questions whose generator recorded ``source_figure``: ``self_align.precision`` (kept pairs whose figure
is the source, or shows the same picture) and ``self_align.coverage`` (kept, of all such questions); the same a report
(``self_align.<report>``); and ``build.kept_per_report`` (the fewest kept pairs of any English report with a text
layer) with the count of each report.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from finlmm_core.domain import Document
from finlmm_core.steps.corpus import RunCorpus
from finlmm_core.steps.samples import DocumentRecord
from finlmm_core.steps.sources import read_sources


def judged(record: DocumentRecord) -> Iterator[bool]:
    """Yield for each kept pair with a known source whether the figure is the right one."""
    images = {figure.id: figure.image for figure in record.document.figures}
    questions = {question.id: question for question in record.questions}
    for alignment in record.alignments:
        source = questions[alignment.qa_id].source_figure
        if source is not None:
            same_picture = images.get(source) is not None and images[source] == images.get(alignment.figure_id)
            yield alignment.figure_id == source or same_picture


def has_text_layer(document: Document) -> bool:
    """Return whether most pages have their text from the PDF and not from OCR."""
    return sum(page.text_source == "layer" for page in document.pages) > len(document.pages) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    run = parser.parse_args().run
    right = kept = asked = 0
    yields: dict[str, int] = {}
    for record in RunCorpus(run, read_sources(run)):
        marks = list(judged(record))
        known = sum(question.source_figure is not None for question in record.questions)
        right, kept, asked = right + sum(marks), kept + len(marks), asked + known
        precision = sum(marks) / len(marks) if marks else None
        line(f"self_align.{record.document.source}", precision, "precision", len(marks))
        if record.document.meta.language == "en" and has_text_layer(record.document):
            yields[record.document.source] = len(record.alignments)
    line("self_align.precision", right / kept if kept else None, "share", kept)
    line("self_align.coverage", kept / asked if asked else None, "share", asked)
    line("build.kept_per_report", min(yields.values(), default=None), "pairs", len(yields), reports=yields)


def line(what: str, value: float | None, unit: str, n: int, **more: object) -> None:
    """Print one measurement."""
    rounded = round(value, 4) if value is not None else None
    print(json.dumps({"what": what, "value": rounded, "unit": unit, "n": n, **more}, ensure_ascii=False))


if __name__ == "__main__":
    main()
