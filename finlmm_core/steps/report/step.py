"""The report step of a run: hands what lies in the run's folder to the page."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finlmm_core.domain import Rejected
from finlmm_core.steps.report.model import ReportInput, ReportRecord, Section
from finlmm_core.steps.report.page import write_report
from finlmm_core.store.run import RunFolder

if TYPE_CHECKING:
    from finlmm_core.config import RunConfig
    from finlmm_core.steps.sources import Sources

PAGE = "index.html"


class RunReports:
    """The reports of a run, loaded one at a time, as far as each came."""

    def __init__(self, run: Path, sources: Sources) -> None:
        self._run = run
        self._sources = sources

    def __iter__(self) -> Iterator[ReportRecord]:
        from finlmm_core.steps.document_steps import DocumentContext  # imports plugins' bases, not wanted for options

        for source in self._sources.files:
            context = DocumentContext(self._run, self._sources.root, source)
            done: set[str] = set()
            rejected: list[Rejected] = []
            set_aside: tuple[str, str] | None = None
            for step in ("parse", "generate", "align"):
                store = context.store(step)
                header = store.header(source.sha256)
                if header is None:
                    break
                dropped = store.rejected(source.sha256)
                rejected += dropped
                if header.status == "set_aside":
                    last = dropped[-1] if dropped else Rejected(step=step, item_id=source.sha256, reason="set_aside")
                    set_aside = (last.reason, last.detail)
                    break
                done.add(step)
            yield ReportRecord(
                source=source.relative,
                document_id=source.sha256,
                pdf=context.pdf,
                pdf_sha256=source.sha256,
                document=context.document if "parse" in done else None,
                questions=context.questions if "generate" in done else (),
                alignments=context.alignments if "align" in done else (),
                rejected=rejected,
                set_aside=set_aside,
            )


def run_report_step(run: RunFolder, sources: Sources, config: RunConfig) -> dict[str, int]:
    """Write the report page of a run; return what it holds, by name."""
    import finlmm_core

    options = config.model_dump(mode="json", exclude_none=True, exclude={"out", "reports", "engine"})
    data = ReportInput(
        name=run.path.resolve().name,
        records=RunReports(run.path, sources),
        images=run.images,
        samples=run.step("samples") if run.record("samples") is not None else None,
        config=config.report,
        seed=config.seed,
        rejected=sources.rejected,
        facts={
            "finlmm": finlmm_core.__version__,
            "seed": str(config.seed),
            "options": json.dumps(options, ensure_ascii=False, indent=1),
        },
        sections=[*_audit(run.path), *_training(run.path), *_evaluation(run.path, config.seed)],
        threads=min(config.engine.resolved_workers(), os.cpu_count() or 1),
    )
    return write_report(data, run.step("report") / PAGE)


def _audit(run: Path) -> list[Section]:
    """Return the way to the audit's page; [] where the run has no audit."""
    from finlmm_core.audit.build import audit_link
    from finlmm_core.steps.report.html import joined, tag

    where = audit_link(run)
    if not where:
        return []
    said = joined(
        "Answers computed again from the parsed cells, what can be guessed without the image, copies, leaks between "
        "splits, readability: ",
        tag("a", "the audit of these samples", href=where),
        ".",
    )
    return [Section("audit", "Audit", tag("p", said, class_="lead"))]


def _training(run: Path) -> list[Section]:
    """Return the sections of the run's training; [] where nothing was trained."""
    if not (run / "train").is_dir():
        return []
    from finlmm_core.train.curves import training_sections  # only then: it reads with the grader's modules

    return training_sections(run)


def _evaluation(run: Path, seed: int) -> list[Section]:
    """Return the sections of the run's evaluations; [] where there are none."""
    if not (run / "eval").is_dir():
        return []
    from finlmm_core.evaluation.report import evaluation_sections  # only then: it compares with the benchmarks' plugins

    return evaluation_sections(run, seed)
