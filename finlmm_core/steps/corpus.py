"""All documents of a run, as the steps that look across documents read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finlmm_core.steps.document_steps import DocumentContext
from finlmm_core.steps.samples import CorpusRecord
from finlmm_core.steps.sources import Sources


class RunCorpus:
    """All documents of a run that went through every document step; can be iterated more than once."""

    def __init__(self, run: Path, sources: Sources) -> None:
        self.run = run
        self.sources = sources

    def __iter__(self) -> Iterator[CorpusRecord]:
        for source in self.sources.files:
            context = DocumentContext(self.run, self.sources.root, source)
            header = context.store("align").header(source.sha256)
            if header is not None and header.status == "done":
                yield context  # what is not asked for is not loaded
