"""What the report page is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finlmm_core.domain import Alignment, Document, QAPair, Rejected
from finlmm_core.steps.report.config import ReportConfig
from finlmm_core.store.images import ImageStore


@dataclass(frozen=True)
class ReportRecord:
    """One report of the run, as far as it came.

    Attributes:
        source: path below the input folder.
        document_id: SHA-256 of the file.
        pdf: where the file is now; pages are then shown as they are, else as a sketch of their blocks.
        pdf_sha256: what the file's hash must still be to be shown; any file is where it is empty.
        document: None where the report was set aside by the parser.
        rejected: what the steps dropped of it.
        set_aside: the reason where the report was set aside, with what was found.
    """

    source: str
    document_id: str
    pdf: Path | None = None
    pdf_sha256: str = ""
    document: Document | None = None
    questions: Sequence[QAPair] = ()
    alignments: Sequence[Alignment] = ()
    rejected: Sequence[Rejected] = ()
    set_aside: tuple[str, str] | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page. ``html`` is put in as it is: make it with ``finlmm_core.steps.report.html``.

    Attributes:
        id: of the element, and what links lead to.
        title: its heading.
        html: its content.
        style: rules that go behind the page's own.
        script: goes behind the page's own and runs with it, in a function of its own; the page's helpers are ``Page``.
    """

    id: str
    title: str
    html: str
    style: str = ""
    script: str = ""


@dataclass(frozen=True)
class ReportInput:
    """Everything on the page.

    Attributes:
        name: the run's name.
        records: the run's reports; iterated once, so they may be loaded on the way.
        images: the run's image store.
        samples: the samples folder; None where the run has none yet.
        rejected: what was left out before any report was read (files that are no reports).
        facts: name -> value, shown at the end: versions, plugins, options.
        sections: further parts (training curves, scores), shown after the gallery.
        threads: how many pictures are scaled and encoded at a time.
    """

    name: str
    records: Iterable[ReportRecord]
    images: ImageStore
    samples: Path | None
    config: ReportConfig = field(default_factory=ReportConfig)
    seed: int = 0
    rejected: Sequence[Rejected] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    sections: Sequence[Section] = ()
    threads: int = 1
