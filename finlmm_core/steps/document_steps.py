"""The steps that take one document at a time: what each reads, runs and stores.

A step is a pure function of the step before it, its options and its plugins' versions. It is pickled to worker
processes, plugins and all, so nothing is looked up there.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from finlmm_core.domain import Alignment, Document, QAPair, Rejected
from finlmm_core.errors import DocumentError
from finlmm_core.plugins.bases import Aligner, Generator, ModelBackend, OcrEngine, Parser
from finlmm_core.steps.align import AlignConfig, align_document
from finlmm_core.steps.services import DocumentServices
from finlmm_core.steps.sources import SourceFile, check_unchanged
from finlmm_core.store.documents import DocumentStore
from finlmm_core.store.images import ImageStore
from finlmm_core.store.run import STEP_FOLDERS


class StepResult(NamedTuple):
    """What a step made of a document."""

    result: str  # JSON
    rejected: Sequence[Rejected]
    counts: dict[str, int]


class DocumentContext:
    """One document on its way through the steps; earlier results are loaded only where they are asked for."""

    def __init__(self, run: Path, reports: Path, source: SourceFile, images: ImageStore | None = None) -> None:
        self.run = run
        self.source = source
        self.reports = reports
        self.pdf = reports / source.relative
        self.images = images or ImageStore(run / "images")

    def store(self, step: str) -> DocumentStore:
        """Return the files of a step."""
        return DocumentStore(self.run / STEP_FOLDERS[step], step)

    @cached_property
    def document(self) -> Document:
        return Document.model_validate(self.store("parse").result(self.source.sha256))

    @cached_property
    def questions(self) -> list[QAPair]:
        stored = self.store("generate").result(self.source.sha256)
        return [QAPair.model_validate(item) for item in stored]

    @cached_property
    def alignments(self) -> list[Alignment]:
        return [Alignment.model_validate(item) for item in self.store("align").result(self.source.sha256)]


#: The model backends of one plugin, by the option that names each.
Models = Mapping[str, ModelBackend]


class DocumentStep(ABC):
    """A step that takes one document at a time.

    Attributes:
        name: as the command line names it.
        fingerprint: resolved options and plugin versions; enters the step's key.
    """

    name: ClassVar[str]

    def __init__(self, fingerprint: dict[str, Any], models: Sequence[Models] = ()) -> None:
        self.fingerprint = fingerprint
        self.models = tuple(models)
        self._prepared_in = 0  # the process in which plugins have what they ask for

    @abstractmethod
    def run(self, context: DocumentContext) -> StepResult:
        """Return the step's result for one document; raise DocumentError to set the document aside."""

    @property
    def asks_models(self) -> bool:
        """Whether a document may have to wait for a model."""
        return any(self.models)

    def usage(self) -> dict[str, float]:
        """Return what this process has used up of the step's model backends so far, see ``ModelBackend.usage``."""
        total: Counter[str] = Counter()
        for backend in {id(one): one for those in self.models for one in those.values()}.values():
            total.update(backend.usage())
        return dict(total)

    def _prepare(self, plugins: Sequence[Generator | Aligner], images: ImageStore | None) -> None:
        """Hand each plugin its models once a process; instances travel to workers without what they hold."""
        if self._prepared_in == os.getpid():
            return
        for plugin, models in zip(plugins, self.models or ({},) * len(plugins), strict=True):
            plugin.prepare(DocumentServices(models, images))
        self._prepared_in = os.getpid()


class ParseStep(DocumentStep):
    """PDF to Document."""

    name = "parse"

    def __init__(self, fingerprint: dict[str, Any], parser: Parser, ocr: OcrEngine | None) -> None:
        super().__init__(fingerprint)
        self.parser = parser
        self.ocr = ocr

    def run(self, context: DocumentContext) -> StepResult:
        check_unchanged(context.reports, context.source)
        parsed = self.parser.parse(context.pdf, context.images, self.ocr)
        if parsed.id != context.source.sha256:
            raise DocumentError(
                "changed_while_read",
                f"the file's SHA-256 is {parsed.id}, and was {context.source.sha256} when the run began",
            )
        rejected = parsed.rejected
        document = parsed.model_copy(update={"source": context.source.relative, "rejected": ()})
        context.document = document
        kinds = Counter(figure.kind for figure in document.figures)
        counts = {
            "pages": len(document.pages),
            "blocks": sum(len(page.blocks) for page in document.pages),
            "figures": len(document.figures),
            "charts": kinds["chart"],
            "tables": kinds["table"],
            "images": kinds["image"],
        }
        return StepResult(document.model_dump_json(), rejected, counts)


class GenerateStep(DocumentStep):
    """Document to questions."""

    name = "generate"

    def __init__(
        self, fingerprint: dict[str, Any], generators: Sequence[Generator], models: Sequence[Models] = ()
    ) -> None:
        super().__init__(fingerprint, models)
        self.generators = tuple(generators)

    def run(self, context: DocumentContext) -> StepResult:
        self._prepare(self.generators, None)
        questions: list[QAPair] = []
        rejected: list[Rejected] = []
        seen: set[str] = set()
        for generator in self.generators:
            for item in generator.generate(context.document):
                if isinstance(item, Rejected):
                    rejected.append(item)
                elif item.id in seen:
                    rejected.append(Rejected(step="generate", item_id=item.id, reason="duplicate_question"))
                else:
                    seen.add(item.id)
                    questions.append(item)
        context.questions = questions
        counts = {"questions": len(questions), **_by_type(question.type.value for question in questions)}
        return StepResult(_json_list(questions), rejected, counts)


class AlignStep(DocumentStep):
    """Questions to the one figure that each is about."""

    name = "align"

    def __init__(
        self,
        fingerprint: dict[str, Any],
        chain: Sequence[Aligner],
        config: AlignConfig,
        models: Sequence[Models] = (),
    ) -> None:
        super().__init__(fingerprint, models)
        self.chain = tuple(chain)
        self.config = config

    def run(self, context: DocumentContext) -> StepResult:
        self._prepare(self.chain, context.images)
        alignments, rejected = align_document(context.document, context.questions, self.chain, self.config)
        types = {question.id: question.type.value for question in context.questions}
        counts = {"kept": len(alignments), **_by_type(types[alignment.qa_id] for alignment in alignments)}
        return StepResult(_json_list(alignments), rejected, counts)


def _by_type(types: Any) -> dict[str, int]:
    return dict(sorted(Counter(types).items()))


def _json_list(items: Sequence[Any]) -> str:
    return "[" + ",\n".join(item.model_dump_json() for item in items) + "]"
