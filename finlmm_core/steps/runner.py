"""Runs steps over a folder of reports: skips what is done, refuses what was begun otherwise, loses nothing.

Neighbouring document steps are taken together, one document through all of them, so that a worker that has a parsed
document in memory need not load it again and no step waits for the slowest document of the one before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from pydantic import Field

import finlmm_core
from finlmm_core.audit.run import AuditResult
from finlmm_core.config import RunConfig
from finlmm_core.domain import Frozen
from finlmm_core.engines import make_engine
from finlmm_core.errors import FinlmmError, disk_error
from finlmm_core.plugins.manager import Plugins
from finlmm_core.steps.begin import open_run, resolved_options, sources_of, stale_steps
from finlmm_core.steps.corpus import RunCorpus
from finlmm_core.steps.document_steps import DocumentContext, DocumentStep
from finlmm_core.steps.plan import (
    STEPS,
    DocumentWork,
    Done,
    make_document_steps,
    may_pass,
)
from finlmm_core.steps.plugin_versions import plugin_versions
from finlmm_core.steps.progress import Progress
from finlmm_core.steps.remote_work import RemoteWork
from finlmm_core.steps.report.step import run_report_step
from finlmm_core.steps.samples import SAMPLES_VERSION, Provenance, build_samples
from finlmm_core.steps.sources import SourceFile, Sources, write_sources
from finlmm_core.steps.totals import StepTotals, Totals
from finlmm_core.store.atomic import write_atomic
from finlmm_core.store.documents import DocumentStore, Header
from finlmm_core.store.manifest import SCHEMA_VERSION, StepRecord, git_revision, key_of
from finlmm_core.store.remote import RemoteFolder
from finlmm_core.store.remote_run import RemoteRunFolder
from finlmm_core.store.run import CONFIG_FILE, RunFolder

if TYPE_CHECKING:
    from finlmm_core.audit.build import AuditProcess, BuildAudit


class StepSummary(Frozen):
    """How a step went in this run."""

    record: StepRecord
    seconds: float = Field(description="of work, summed over processes; 0 where nothing was left to do")
    worked_on: int = Field(description="documents (or, for later steps, 1) that had to be done; the others were kept")
    usage: dict[str, float] = Field(
        default={}, description="calls, tokens and cost of the model backends asked in this run, summed over processes"
    )


class RunSummary(Frozen):
    """How a run went."""

    run: Path
    url: str | None = Field(default=None, description="where the run is; ``run`` is its working copy then")
    steps: dict[str, StepSummary]
    audit: AuditResult | None = Field(default=None, description="of the samples; None where that was not asked for")
    set_aside: tuple[tuple[str, str, str], ...] = Field(description="(report, reason, detail), by report")
    may_pass: tuple[str, ...] = Field(
        default=(), description="reports set aside for a reason that may not come again, see ``retry`` of run_steps"
    )
    wall_seconds: float
    peak_worker_mb: float


def run_steps(
    config: RunConfig,
    plugins: Plugins,
    *,
    first: str = STEPS[0],
    last: str = STEPS[-1],
    fresh: bool = False,
    retry: bool = False,
    progress: Progress | None = None,
) -> RunSummary:
    """Run the steps from ``first`` to ``last`` and return what came out.

    Documents and steps whose key is unchanged are kept as they are.

    Args:
        config: the whole configuration; ``config.out`` is the run's folder.
        plugins: where plugins are looked up.
        first: first step, one of STEPS.
        last: last step.
        fresh: do a step again, and all after it, where its options differ from those it was begun with.
        retry: take documents through the steps again that were set aside for a reason that may pass: a limit of time
            or memory, a crash, a plugin's error, a file that changed while it was read.
        progress: hears of progress.

    Raises:
        FinlmmError: a step was begun with other options and ``fresh`` is not set, a result that is needed is missing,
            another process works in the folder, a plugin cannot work here, the disk is full or cannot be written to.
    """
    if config.out is None:
        raise FinlmmError("No folder for the run was given.", hint="Give one with -o, or as 'out' in the config.")
    names = STEPS[STEPS.index(first) : STEPS.index(last) + 1]
    if not names:
        raise FinlmmError(f"--from {first} comes after --to {last}.", hint=f"The order is: {', '.join(STEPS)}.")
    run = open_run(config, config.out)
    # All that can be wrong is found before anything is written.
    document_steps = make_document_steps(config, plugins, names)
    sources = sources_of(config, run, first)
    options = resolved_options(config, document_steps, names)
    stale = stale_steps(run, names, options, fresh)
    going = _Run(config, plugins, run, sources, names, document_steps, options, stale, retry, progress or Progress())
    try:
        return going.go()
    except OSError as error:
        told = disk_error(error)
        if told is None:
            raise
        raise told from error


class _Run:
    """One call of run_steps."""

    def __init__(
        self,
        config: RunConfig,
        plugins: Plugins,
        run: RunFolder,
        sources: Sources,
        names: Sequence[str],
        document_steps: Sequence[DocumentStep],
        options: dict[str, dict[str, Any]],
        stale: Sequence[str],
        retry: bool,
        progress: Progress,
    ) -> None:
        self.config = config
        self.plugins = plugins
        self.run = run
        self.sources = sources
        self.names = names
        self.document_steps = document_steps
        self.options = options
        self.stale = stale
        self.retry = retry
        self.progress = progress
        self.started = time.monotonic()
        self.peak_mb = 0.0
        self.summaries: dict[str, StepSummary] = {}
        self.audit: AuditResult | None = None
        self.auditor: AuditProcess | None = None

    def go(self) -> RunSummary:
        with self.run.locked():
            for name in self.stale:
                self.run.remove(name)
            places = {"out", "working_copy"}
            text = tomli_w.dumps(self.config.model_dump(mode="json", exclude_none=True, exclude=places))
            write_atomic(self.run.path / CONFIG_FILE, text.encode())
            if STEPS[0] in self.names:
                write_sources(self.sources, self.run.path)
            self.run.publish()
            for name in self.names:
                self.run.begin(name, self.options[name])
            if self.document_steps:
                self._run_document_steps()
            try:
                if "samples" in self.names:
                    self._run_samples()
                if "report" in self.names:
                    audit = self._begin_audit()
                    self._run_report()
                    if audit is not None:
                        self._finish_audit(audit)
            finally:
                if self.auditor is not None:
                    self.auditor.end()
        aside = list(self._aside())
        return RunSummary(
            run=self.run.path,
            url=self.run.remote.url if isinstance(self.run, RemoteRunFolder) else None,
            steps=self.summaries,
            audit=self.audit,
            set_aside=tuple(
                (source.relative, item.reason, item.detail)
                for source, store, _ in aside
                for item in store.rejected(source.sha256)
            ),
            may_pass=tuple(source.relative for source, _, header in aside if may_pass(header)),
            wall_seconds=round(time.monotonic() - self.started, 2),
            peak_worker_mb=round(self.peak_mb, 1),
        )

    # ------------------------------------------------------------------------------------------ document steps

    def _run_document_steps(self) -> None:
        engine = make_engine(self.config.engine)
        work = self._work()
        label = " + ".join(step.name for step in self.document_steps)
        totals = Totals([step.name for step in self.document_steps])
        tasks: list[SourceFile] = []
        for source in self.sources.files:
            finished = work.finished(source)
            if finished is None:
                tasks.append(source)
            else:
                totals.add(source.sha256, finished)
        # The longest first: one long document begun last would keep a single worker busy at the end.
        tasks.sort(key=lambda source: (-source.cost, source.relative))
        self.progress.begin(label, len(tasks))
        for outcome in engine.map(work, tasks):
            self.peak_mb = max(self.peak_mb, outcome.peak_mb)
            note = ""
            if outcome.failure is not None:
                stage = outcome.stage or self.document_steps[0].name
                totals.add(outcome.task.sha256, work.failed(outcome.task, stage, outcome.failure))
                note = f"{outcome.task.relative}: set aside in {stage}: {outcome.failure.reason}"
            elif outcome.result is not None:
                totals.add(outcome.task.sha256, outcome.result)
                note = _set_aside_note(outcome.task, outcome.result)
            self.progress.advance(label, note)
        self.run.pull()
        self.progress.end(label)
        for step in self.document_steps:
            self._finish_document_step(step, totals[step.name])

    def _work(self) -> DocumentWork | RemoteWork:
        # Absolute: workers may be started elsewhere.
        work = DocumentWork(self.run.path.absolute(), self.sources.root, self.document_steps, self.retry)
        reports = RemoteFolder(self.sources.url) if self.sources.url is not None else None
        run = self.run.remote if isinstance(self.run, RemoteRunFolder) else None
        return work if reports is None and run is None else RemoteWork(work, reports, run)

    def _finish_document_step(self, step: DocumentStep, totals: StepTotals) -> None:
        keys = totals.keys(self.sources.files)
        rejections = totals.rejections
        if step.name == STEPS[0]:
            rejections.update(item.reason for item in self.sources.rejected)
        record = self._record(
            step.name,
            key_of(step.name, SCHEMA_VERSION, step.fingerprint, keys),
            inputs=len(keys),
            set_aside=totals.set_aside,
            counts=dict(sorted(totals.counts.items())),
            rejections=dict(sorted(rejections.items())),
        )
        self._finish(record, totals.seconds, totals.worked_on, dict(totals.usage))

    # --------------------------------------------------------------------------------------- whole-run steps

    def _run_samples(self) -> None:
        align_keys = self._keys("align")
        key = key_of("samples", SCHEMA_VERSION, SAMPLES_VERSION, self.options["samples"], align_keys)
        before = self.run.record("samples")
        if before is not None and before.key == key:
            self._finish(before, 0.0, 0)
            return
        started = time.monotonic()
        self._load_audit()
        self.run.remove("samples")
        self.run.begin("samples", self.options["samples"])
        self.progress.begin("samples", 1)
        summary = build_samples(
            RunCorpus(self.run.path, self.sources),
            self.run.images,
            self.config.samples,
            self.config.seed,
            self.run.step("samples"),
            Provenance(
                finlmm=finlmm_core.__version__,
                plugins=plugin_versions(self.run),
                config_key=key,
            ),
        )
        self.progress.advance("samples")
        self.progress.end("samples")
        record = self._record(
            "samples", key, inputs=len(align_keys), counts=summary.counts, rejections=summary.rejections
        )
        self._finish(record, time.monotonic() - started, 1)

    def _run_report(self) -> None:
        started = time.monotonic()
        samples = self.run.record("samples")
        if samples is None:
            raise FinlmmError(
                f"{self.run.path} has no samples yet.", hint=f"Run that step first: finlmm samples {self.run.path}"
            )
        self.progress.begin("report", 1)
        counts = run_report_step(self.run, self.sources, self.config)
        self.progress.advance("report")
        self.progress.end("report")
        key = key_of("report", SCHEMA_VERSION, self.options["report"], samples.key)
        self._finish(self._record("report", key, inputs=1, counts=counts), time.monotonic() - started, 1)

    def _load_audit(self) -> None:
        """Begin the process that will measure the samples, where there will be many; it loads while they are made."""
        aligned = self.run.record("align")
        beside = self.config.engine.resolved_workers() > 1 and self.config.audit.enabled and "report" in self.names
        if beside and aligned is not None:
            from finlmm_core.audit.build import WORTH_A_PROCESS, AuditProcess

            if aligned.counts.get("kept", 0) >= WORTH_A_PROCESS:
                self.auditor = AuditProcess()

    def _begin_audit(self) -> BuildAudit | None:
        """Begin to measure the samples; None where that is not asked for, or no samples were made in this run."""
        samples = self.summaries.get("samples")
        if not self.config.audit.enabled or samples is None or not samples.record.counts.get("samples"):
            return None
        from finlmm_core.audit.build import BuildAudit

        beside = self.config.engine.resolved_workers() > 1
        return BuildAudit(self.run, self.config.audit, self.config.seed, beside=beside, process=self.auditor)

    def _finish_audit(self, audit: BuildAudit) -> None:
        self.progress.begin("audit", 1)
        self.audit, seconds = audit.result()
        self.progress.advance("audit")
        self.progress.end("audit")
        self.options["audit"] = self.run.begun_with("audit") or {}
        counts = {"findings": sum(self.audit.reasons.values()), "limits_passed": len(self.audit.violations)}
        self._finish(
            self._record("audit", audit.key, inputs=self.audit.samples, counts=counts), seconds, int(seconds > 0)
        )

    # ------------------------------------------------------------------------------------------------ helpers

    def _record(self, step: str, key: str, **values: Any) -> StepRecord:
        return StepRecord(
            step=step,
            key=key,
            finlmm=finlmm_core.__version__,
            git_revision=git_revision(),
            seed=self.config.seed,
            options=self.options[step],
            **values,
        )

    def _finish(
        self, record: StepRecord, seconds: float, worked_on: int, usage: Mapping[str, float] | None = None
    ) -> None:
        self.run.write_record(record)
        used = {name: round(value, 6) for name, value in sorted((usage or {}).items())}
        if worked_on:
            self.run.add_timing(
                {
                    "step": record.step,
                    "seconds": round(seconds, 3),
                    "worked_on": worked_on,
                    "workers": self.config.engine.resolved_workers(),
                    "peak_worker_mb": round(self.peak_mb, 1),
                    **({"usage": used} if used else {}),
                }
            )
        self.summaries[record.step] = StepSummary(
            record=record, seconds=round(seconds, 3), worked_on=worked_on, usage=used
        )
        self.plugins.manager.hook.finlmm_step_finished(record=record)

    def _keys(self, step: str) -> list[str]:
        """Return the keys of all documents that have a result of a step."""
        keys = []
        for source in self.sources.files:
            header = DocumentContext(self.run.path, self.sources.root, source).store(step).header(source.sha256)
            if header is not None and header.status == "done":
                keys.append(header.key)
        if not keys and self.run.record(step) is None:
            raise FinlmmError(
                f"{self.run.path} has no result of the step '{step}' yet.",
                hint=f"Run that step first: finlmm {step} {self.run.path}",
            )
        return keys

    def _aside(self) -> Iterator[tuple[SourceFile, DocumentStore, Header]]:
        """Yield the documents that steps of this run set aside; their files are looked at where there are any."""
        steps = [step for step in self.document_steps if self.summaries[step.name].record.set_aside]
        for source in self.sources.files if steps else ():
            context = DocumentContext(self.run.path, self.sources.root, source)
            for step in steps:
                store = context.store(step.name)
                header = store.header(source.sha256)
                if header is not None and header.status == "set_aside":
                    yield source, store, header


def _set_aside_note(source: SourceFile, done: Sequence[Done]) -> str:
    for item in done:
        if item.header.status == "set_aside":
            reasons = ", ".join(item.header.rejections)
            return f"{source.relative}: set aside in {item.step}: {reasons}"
    return ""
