"""Errors a user can act on.

Every error that a user may meet says what was given, what was expected and what to do next.
The command line prints the message without a traceback and ends with exit code 2.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any


class FinlmmError(Exception):
    """Something the user can mend. Its text is the whole message.

    Args:
        message: what was given and what was expected.
        hint: what to do next, shown on a line of its own.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\n  {hint}")
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes with message and hint kept apart, whatever a subclass's arguments are."""
        return (_rebuilt, (type(self), str(self), self.__dict__))


def _rebuilt(kind: type[FinlmmError], text: str, state: dict[str, Any]) -> FinlmmError:
    error = kind.__new__(kind, text)
    error.args = (text,)
    error.__dict__.update(state)
    return error


class ConfigError(FinlmmError):
    """One or more mistakes in a configuration, all reported at once.

    Args:
        problems: one line each, beginning with the path that the user wrote (``align.aligners[0]: ...``).
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "The configuration has a mistake:" if count == 1 else f"The configuration has {count} mistakes:"
        super().__init__("\n  ".join([head, *self.problems]))


class MissingExtraError(FinlmmError):
    """A plugin needs a library that is not installed.

    Args:
        what: the feature asked for, such as ``OCR engine 'easyocr'``.
        library: the import name that is missing.
        extra: the extra of finlmm that installs it.
    """

    def __init__(self, what: str, library: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the library '{library}', which is not installed.",
            hint=f"Install it with: pip install 'finlmm[{extra}]'",
        )


class CallFailed(FinlmmError):
    """One call of a model could not be had after all tries; other calls may go on.

    ``ModelBackend.generate`` returns it as ``Completion(text="", failed=reason)``, ``chat`` raises it. What concerns
    every call (a wrong key, no such model, a budget that is spent) is a plain FinlmmError.

    Args:
        reason: what went wrong and how often it was tried, beginning with a short stable name:
            ``timeout after 4 tries: ...``.
        hint: what to do next.
    """

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"a model did not answer: {reason}", hint=hint)
        self.reason = reason


#: What the system says of a disk that takes no more, and what to do about it.
_FULL = "Make room (bytes, or files where these are counted) and run the same command again: what is done is kept."
_NOT_WRITABLE = "Give a folder that can be written to, and run the same command again."
_DISK = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EIO: "The disk may be broken, or the connection to it: what is done is kept where it can still be read.",
    errno.EROFS: _NOT_WRITABLE,
}


def disk_error(error: OSError) -> FinlmmError | None:
    """Return what a user is told where the disk of the run is full, broken or cannot be written to; None otherwise."""
    hint = _DISK.get(error.errno) if error.errno is not None else None
    if hint is None:
        return None
    where = f" '{error.filename}'" if error.filename else ""
    return FinlmmError(f"Cannot write{where}: {error.strerror or error}.", hint=hint)


class DocumentError(Exception):
    """One document cannot be processed; it is set aside with this reason and the run goes on.

    Args:
        reason: a short, stable name that reports count by, such as ``encrypted`` or ``not_a_pdf``.
        detail: what was found, for a person to read.
        again: the cause lies outside of the document (an endpoint that is down): the next run tries it once more.
    """

    def __init__(self, reason: str, detail: str = "", *, again: bool = False) -> None:
        super().__init__(reason, detail)  # both arguments, so that the error survives pickling
        self.reason = reason
        self.detail = detail
        self.again = again

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason
