"""What happens beside a training step: metrics are written, checkpoints marked, signals heeded."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finlmm_core.errors import FinlmmError
from finlmm_core.rewards.reward_set import RewardSet
from finlmm_core.train.checkpoints import mark_whole, rotate, save_states, states_digest
from finlmm_core.train.events import TrainEvents
from finlmm_core.train.parallel import agreed, gathered, wait_for_all


class MetricsFile(TrainerCallback):
    """Writes ``metrics.jsonl``, a line a log, and tells the events; in the first process alone."""

    def __init__(self, path: Path, events: TrainEvents) -> None:
        self.path = path
        self.events = events

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Append a line; it is on disk when this returns."""
        if not state.is_world_process_zero or not logs:
            return
        metrics = {
            name: value
            for name, value in logs.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **metrics}) + "\n")
        self.events.logged(state.global_step, metrics)


def drop_metrics_after(path: Path, step: int) -> None:
    """Drop the lines after a step, and a torn one: a resumed run writes them again."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (json.JSONDecodeError, KeyError, TypeError):
            break
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


class Keeping(TrainerCallback):
    """Makes a checkpoint whole: the rewards' states, the mark; then deletes old ones.

    Old checkpoints are deleted here and not by the Trainer, which does it before the new one is whole.

    Args:
        rewards: whose states are kept.
        keep: checkpoints that stay, None for all.
        before: called in the first process before the mark is written, to flush what belongs to the checkpoint.
    """

    def __init__(self, rewards: RewardSet, keep: int | None, before: Callable[[], None]) -> None:
        self.rewards = rewards
        self.keep = keep
        self.before = before

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Log at every checkpoint, so that a resumed run begins a log interval where the straight one does."""
        if control.should_save:
            control.should_log = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Finish the checkpoint that the Trainer has just written."""
        states = self.rewards.state_dict()
        if len(set(gathered([states_digest(states)]))) > 1:
            raise FinlmmError(
                "the processes hold different states of the rewards that learn.",
                hint="observe() has to do the same everywhere: draw random numbers from the run's seed alone.",
            )
        wait_for_all()  # every process writes its random states
        folder = Path(args.output_dir)
        if state.is_world_process_zero:
            checkpoint = folder / f"checkpoint-{state.global_step}"
            self.before()
            save_states(states, checkpoint)
            mark_whole(checkpoint)
            rotate(folder, self.keep)
        wait_for_all()


class Stopping(TrainerCallback):
    """Heeds SIGTERM and Ctrl-C: a checkpoint at the end of the generation round, then the run stops.

    A second Ctrl-C stops at once, without a checkpoint.

    Args:
        steps_a_round: optimizer steps of a generation round; within one nothing can resume exactly.
        saves: whether checkpoints are written at all.
    """

    def __init__(self, steps_a_round: int, saves: bool) -> None:
        self.steps_a_round = steps_a_round
        self.saves = saves
        self.asked: str | None = None  # name of the signal
        self.stopped: str | None = None  # set when the run stops for it

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Heed the signals inside; only the main thread of a program can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop at the end of a round; the processes agree, since a signal does not reach them at the same time."""
        if state.global_step % self.steps_a_round or not agreed(self.asked is not None):
            return
        self.stopped = self.asked or "a signal to another process"
        control.should_save = self.saves
        control.should_log = True
        control.should_training_stop = True
