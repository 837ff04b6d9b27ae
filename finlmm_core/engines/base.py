"""What engines have in common: the work they are handed and what they hand back."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from finlmm_core.errors import DocumentError, FinlmmError, disk_error
from finlmm_core.escapes import without_secrets

Task = TypeVar("Task")
Result = TypeVar("Result")
Task_contra = TypeVar("Task_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)


class Work(Protocol[Task_contra, Result_co]):
    """What is done with one task. It must survive pickling; ``tell`` reports the stage that has begun."""

    def __call__(self, task: Task_contra, tell: Callable[[str], None]) -> Result_co: ...


class Limits(NamedTuple):
    """What one document may cost."""

    seconds: float
    memory_mb: int


class Outcome(NamedTuple, Generic[Task, Result]):
    """How one task ended: with a result, or with the reason why there is none."""

    task: Task
    result: Result | None
    failure: DocumentError | None
    stage: str  # the stage that was under way when it failed, '' where none had begun
    seconds: float  # wall clock
    peak_mb: float  # largest resident memory seen of the process that did it


class Engine(ABC):
    """Maps work over tasks; the order of outcomes is the order in which tasks end."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    @abstractmethod
    def map(self, work: Work[Task, Result], tasks: Sequence[Task]) -> Iterator[Outcome[Task, Result]]:
        """Yield an outcome for each task, failed ones included.

        Raises:
            FinlmmError: something that the user must mend, such as a full disk; tasks under way are given up.
        """


def failure_of(error: Exception) -> DocumentError:
    """Return why a document failed, or raise what concerns the whole run and not just the document.

    This is the one place where any exception of a plugin becomes a reason: bad input never ends a run, and a plugin's
    bug on one document must not take the others along. The traceback is kept.
    """
    if isinstance(error, DocumentError):
        return error
    if isinstance(error, FinlmmError):
        raise error
    of_the_disk = disk_error(error) if isinstance(error, OSError) else None
    if of_the_disk is not None:
        raise of_the_disk from error
    if isinstance(error, MemoryError):
        return DocumentError("memory_limit", "a piece of work asked for more memory than a document may use")
    trace = without_secrets("".join(traceback.format_exception(error)))[-4000:]
    return DocumentError("error", without_secrets(f"{type(error).__name__}: {error}") + f"\n{trace}")
