"""Which steps a run takes, made of its configuration, and the work that is done with one document."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.config import RunConfig
from finlmm_core.domain import Rejected
from finlmm_core.errors import DocumentError, FinlmmError
from finlmm_core.escapes import without_secrets
from finlmm_core.plugins.bases import Aligner, Generator, OcrEngine, Parser
from finlmm_core.plugins.manager import Plugins
from finlmm_core.steps.document_steps import AlignStep, DocumentContext, DocumentStep, GenerateStep, ParseStep
from finlmm_core.steps.memory import hand_back_memory, keep_freed_memory
from finlmm_core.steps.model_plugins import describe_asking, models_of
from finlmm_core.steps.sources import SourceFile
from finlmm_core.store.documents import Header
from finlmm_core.store.images import ImageStore
from finlmm_core.store.manifest import SCHEMA_VERSION, key_of

#: All steps in order. The first three take one document at a time.
STEPS = ("parse", "generate", "align", "samples", "report")
DOCUMENT_STEPS = STEPS[:3]
#: Reasons that may lie in the machine, its load or a plugin and not in the document: ``--retry`` tries these again.
MAY_PASS = frozenset({"time_limit", "memory_limit", "crashed", "error", "changed_while_read"})


def make_document_steps(config: RunConfig, plugins: Plugins, names: Sequence[str]) -> list[DocumentStep]:
    """Return the named document steps with their plugins made and checked.

    Raises:
        FinlmmError: a plugin cannot work here, such as one whose library is not installed.
    """
    makers: dict[str, Callable[[RunConfig, Plugins], DocumentStep]] = {
        "parse": _parse_step,
        "generate": _generate_step,
        "align": _align_step,
    }
    return [makers[name](config, plugins) for name in names if name in makers]


def _parse_step(config: RunConfig, plugins: Plugins) -> ParseStep:
    parser = plugins.create("parser", config.parse.parser, "parse.parser")
    assert isinstance(parser, Parser)
    parser.check()
    ocr: OcrEngine | None = None
    if config.parse.ocr != "none":
        engine = plugins.create("ocr", config.parse.ocr, "parse.ocr")
        assert isinstance(engine, OcrEngine)
        engine.check()
        ocr = engine
    fingerprint = {
        "parser": plugins.describe("parser", parser),
        "ocr": plugins.describe("ocr", ocr) if ocr is not None else "none",
    }
    return ParseStep(fingerprint, parser, ocr)


def _generate_step(config: RunConfig, plugins: Plugins) -> GenerateStep:
    generators, models, described = [], [], []
    for number, ref in enumerate(config.generate.generators):
        generator = plugins.create("generator", ref, f"generate.generators[{number}]")
        assert isinstance(generator, Generator)
        generator.check()
        generators.append(generator)
        models.append(models_of(generator, plugins, f"generate.generators[{number}]", config.engine.resolved_workers()))
        described.append(describe_asking("generator", generator, models[-1], plugins))
    return GenerateStep({"generators": described}, generators, models)


def _align_step(config: RunConfig, plugins: Plugins) -> AlignStep:
    chain, models, described = [], [], []
    for number, ref in enumerate(config.align.aligners):
        aligner = plugins.create("aligner", ref, f"align.aligners[{number}]")
        assert isinstance(aligner, Aligner)
        aligner.check()
        chain.append(aligner)
        models.append(models_of(aligner, plugins, f"align.aligners[{number}]", config.engine.resolved_workers()))
        described.append({**describe_asking("aligner", aligner, models[-1], plugins), "weight": ref.weight})
    options = config.align.model_dump(mode="json", exclude={"aligners"})
    return AlignStep({**options, "aligners": described}, chain, config.align, models)


class Done(NamedTuple):
    """One step of one document: its header, and the seconds it took (0 where it was done before)."""

    step: str
    header: Header
    seconds: float
    usage: Mapping[str, float] = {}  # of model backends, see ``ModelBackend.usage``


class DocumentWork:
    """What is done with one document: its steps in order, those with an unchanged key left out.

    An instance is pickled to worker processes.

    Args:
        run: the run's folder.
        reports: the folder of the reports.
        steps: in order.
        retry: whether documents that were set aside for a reason that may pass are taken through the steps again.
        images: where images are read and stored, the run's own where None.
    """

    def __init__(
        self,
        run: Path,
        reports: Path,
        steps: Sequence[DocumentStep],
        retry: bool = False,
        images: ImageStore | None = None,
    ) -> None:
        self.run = run
        self.reports = reports
        self.steps = tuple(steps)
        self.retry = retry
        self.images = images

    def moved(self, run: Path, reports: Path, images: ImageStore | None) -> DocumentWork:
        """Return the same work with other folders, and with images read and stored elsewhere."""
        return DocumentWork(run, reports, self.steps, self.retry, images)

    def reads_report(self, task: SourceFile) -> bool:
        """Tell whether there is work left that reads the report's file."""
        step = self.steps[0]
        if step.name != STEPS[0]:
            return False
        context = DocumentContext(self.run, self.reports, task, self.images)
        header = context.store(step.name).header(task.sha256)
        return not self._stands(header, self.key(step, task.sha256))

    def first_key(self, context: DocumentContext) -> str | None:
        """Return the key of what the first step reads; None where a step before it set the document aside."""
        first = self.steps[0].name
        if first == STEPS[0]:
            return context.source.sha256
        earlier = STEPS[: STEPS.index(first)]
        header = context.store(earlier[-1]).header(context.source.sha256)
        if header is not None:
            return header.key if header.status == "done" else None
        for step in earlier[:-1]:  # what a step sets aside has no file of the steps after it
            ended = context.store(step).header(context.source.sha256)
            if ended is not None and ended.status == "set_aside":
                return None
        raise FinlmmError(
            f"'{context.source.relative}' has no result of the step '{earlier[-1]}' in {self.run}.",
            hint=f"Run that step first: finlmm {earlier[-1]} {self.run}",
        )

    def key(self, step: DocumentStep, input_key: str) -> str:
        """Return the key of a step for a document whose earlier result has the given key."""
        return key_of(step.name, SCHEMA_VERSION, step.fingerprint, input_key)

    def finished(self, task: SourceFile) -> list[Done] | None:
        """Return the steps of a document that has them all with unchanged keys; None where there is work left."""
        context = DocumentContext(self.run, self.reports, task, self.images)
        done: list[Done] = []
        input_key = self.first_key(context)
        for step in self.steps:
            if input_key is None:
                break
            key = self.key(step, input_key)
            header = context.store(step.name).header(task.sha256)
            if header is None or not self._stands(header, key):
                return None
            done.append(Done(step.name, header, 0.0))
            input_key = key if header.status == "done" else None
        return done

    def __call__(self, task: SourceFile, tell: Callable[[str], None]) -> list[Done]:
        """Take one document through the steps."""
        keep_freed_memory()

        def make(context: DocumentContext, step: DocumentStep, key: str) -> Done:
            tell(step.name)
            started = time.monotonic()
            used = step.usage()
            try:
                made = step.run(context)
            except DocumentError as error:
                header = self.set_aside(context, step, key, error)
            else:
                store = context.store(step.name)
                header = store.write(task.sha256, key, made.result, made.rejected, made.counts)
            usage = {name: value - used.get(name, 0) for name, value in step.usage().items()}
            return Done(step.name, header, time.monotonic() - started, usage)

        try:
            return self._through(task, make)
        finally:
            hand_back_memory()

    def failed(self, task: SourceFile, stage: str, failure: DocumentError) -> list[Done]:
        """Write down that a document's process was ended during a stage; return the steps that it has."""

        def give_up(context: DocumentContext, step: DocumentStep, key: str) -> Done:
            return Done(step.name, self.set_aside(context, step, key, failure), 0.0)

        return self._through(task, give_up, again=stage)

    def _through(
        self, task: SourceFile, make: Callable[[DocumentContext, DocumentStep, str], Done], again: str = ""
    ) -> list[Done]:
        """Go through the steps, making those without a result of the right key, and the one to be made again."""
        context = DocumentContext(self.run, self.reports, task, self.images)
        done: list[Done] = []
        input_key = self.first_key(context)
        for step in self.steps:
            if input_key is None:
                self._forget(context, step)
                continue
            key = self.key(step, input_key)
            header = context.store(step.name).header(task.sha256)
            if header is None or step.name == again or not self._stands(header, key):
                done.append(make(context, step, key))
            else:
                done.append(Done(step.name, header, 0.0))
            input_key = key if done[-1].header.status == "done" else None
        return done

    def set_aside(self, context: DocumentContext, step: DocumentStep, key: str, error: DocumentError) -> Header:
        """Keep the reason why a document has no result; not under its key where it is to be tried again."""
        detail = without_secrets(error.detail)
        reason = Rejected(step=step.name, item_id=context.source.sha256, reason=error.reason, detail=detail)
        # What a model has answered when time is up is in its cache, so the next run gets further.
        again = error.again or (error.reason == "time_limit" and step.asks_models)
        kept = key_of(key, "again") if again else key
        return context.store(step.name).write(context.source.sha256, kept, "null", [reason], {}, "set_aside")

    def _stands(self, header: Header | None, key: str) -> bool:
        """Tell whether a step need not be done again for a document that has this header of it."""
        return header is not None and header.key == key and not (self.retry and may_pass(header))

    def _forget(self, context: DocumentContext, step: DocumentStep) -> None:
        """Remove what an earlier run had made of a document that is set aside now."""
        store = context.store(step.name)
        store.path(context.source.sha256).unlink(missing_ok=True)
        store.rejected_path(context.source.sha256).unlink(missing_ok=True)


def may_pass(header: Header) -> bool:
    """Tell whether a document was set aside for a reason that may not come again."""
    return header.status == "set_aside" and not MAY_PASS.isdisjoint(header.rejections)


def changed_options(before: Any, now: Any, path: str = "") -> list[str]:
    """Return the paths at which two resolved options differ, each with what it was and what it is."""
    if isinstance(before, dict) and isinstance(now, dict):
        lines = []
        for name in sorted(before.keys() | now.keys()):
            lines += changed_options(before.get(name), now.get(name), f"{path}.{name}".lstrip("."))
        return lines
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        lines = []
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            lines += changed_options(one, other, f"{path}[{number}]")
        return lines
    return [] if before == now else [f"{path}: was {_shown(before)}, is {_shown(now)}"]


def _shown(value: Any) -> str:
    text = "not set" if value is None else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
