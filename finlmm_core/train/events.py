"""What a training tells while it runs: to a terminal, to a file, to a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class TrainEvents(Protocol):
    """Hears of stages and steps in the main process; what it raises ends the run."""

    def stage_began(self, name: str, method: str, steps: int, done: int) -> None:
        """A stage is about to do steps ``done`` to ``steps`` (done > 0 where it was resumed)."""

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        """Metrics of the steps since the last call, by TRL's names: 'reward', 'rewards/accuracy/mean', 'loss' ..."""

    def told(self, line: str) -> None:
        """Something that is worth a line, such as a torn checkpoint that was passed over."""

    def evaluated(self, stage: str, metrics: Mapping[str, float]) -> None:
        """Held-out samples were answered: before the first stage (stage '') or after the named one."""

    def stage_ended(self, name: str, seconds: float) -> None:
        """A stage's output folder is whole."""


class Silent:
    """Says nothing."""

    def stage_began(self, name: str, method: str, steps: int, done: int) -> None:
        pass

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        pass

    def told(self, line: str) -> None:
        pass

    def evaluated(self, stage: str, metrics: Mapping[str, float]) -> None:
        pass

    def stage_ended(self, name: str, seconds: float) -> None:
        pass
