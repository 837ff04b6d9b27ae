"""A training that stops: what happened, at which step, and the command that goes on from there."""

from __future__ import annotations

import re

from finlmm_core.errors import FinlmmError

#: What gloo and NCCL say in the processes that are left when one is gone.
_LOST = re.compile(r"[Cc]onnection (?:closed|reset) by peer|remote process exited|NCCL.*(?:abort|timeout)", re.DOTALL)


class TrainingStopped(FinlmmError):
    """A training ended before its last step.

    Its exit code is 1: other than a mistake in what was given (2), the same command may well succeed later.

    Args:
        stage: name of the stage.
        step: optimizer steps that were done.
        what: what happened.
        saved: step of the last checkpoint, None where there is none.
        command: what resumes the run.
    """

    exit_code = 1

    def __init__(self, stage: str, step: int, what: str, saved: int | None, command: str) -> None:
        kept = "Nothing was saved yet" if saved is None else f"Everything up to step {saved} is saved"
        super().__init__(
            f"the stage '{stage}' stopped after step {step}: {what}", hint=f"{kept}. Go on with: {command}"
        )
        self.stage = stage
        self.step = step
        self.saved = saved


def what_happened(error: BaseException) -> str | None:
    """Return what an exception that ended a training means for its user; None for a mistake in the program."""
    if isinstance(error, FinlmmError):
        return error.message if error.hint is None else f"{error.message} {error.hint}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted."
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _no_memory(error):
        return (
            f"out of memory ({_first_line(error)}). Lower 'per_device_train_batch_size' (and raise "
            "'gradient_accumulation_steps'), 'max_completion_length' or the images' size, or use LoRA."
        )
    if isinstance(error, RuntimeError) and "probability tensor contains" in str(error):
        return "the model's probabilities are no numbers any more. Lower 'learning_rate', or set 'max_grad_norm'."
    if isinstance(error, RuntimeError) and _LOST.search(str(error)):
        return "the connection to another process was lost; its own message tells why."
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {_first_line(error)}"
    return None


def _no_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:300]
