"""What a step made of all documents together, taken in one document at a time.

A run over a million reports keeps a key a document and step, and nothing else of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from finlmm_core.steps.sources import SourceFile

if TYPE_CHECKING:
    from finlmm_core.steps.plan import Done


class StepTotals:
    """Sums over documents.

    Attributes:
        counts: what came out, by name.
        rejections: what was dropped, by reason.
        usage: of model backends.
        seconds: of work.
        worked_on: documents that were not done before.
        set_aside: documents that the step set aside.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()
        self.usage: Counter[str] = Counter()
        self.seconds = 0.0
        self.worked_on = 0
        self.set_aside = 0
        self._keys: dict[str, str] = {}

    def add(self, document_id: str, done: Done) -> None:
        """Take in what the step made of a document."""
        self.counts.update(done.header.counts)
        self.rejections.update(done.header.rejections)
        self.usage.update(done.usage)
        self.seconds += done.seconds
        self.worked_on += done.seconds > 0
        self.set_aside += done.header.status == "set_aside"
        self._keys[document_id] = done.header.key

    def keys(self, files: Iterable[SourceFile]) -> list[str]:
        """Return the keys of the documents that came to this step, in the order of the reports."""
        return [self._keys[source.sha256] for source in files if source.sha256 in self._keys]


class Totals:
    """The totals of several steps, by name."""

    def __init__(self, steps: Sequence[str]) -> None:
        self._of = {step: StepTotals() for step in steps}

    def __getitem__(self, step: str) -> StepTotals:
        return self._of[step]

    def add(self, document_id: str, done: Iterable[Done]) -> None:
        """Take in the steps of a document."""
        for item in done:
            self._of[item.step].add(document_id, item)
