"""Thumbnails of PDF pages, drawn in a process of their own.

A page that could be read may still take the library down, or for ever, when it is drawn; a build that is finished must
not end with that. The process is watched and, where it dies or stands still, the report's other pages are shown as
sketches. It draws only files that are still what the run read. It takes a request a line and gives a line a page.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from finlmm_core.errors import DocumentError
from finlmm_core.steps.report.pictures import data_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Seconds without an answer after which a page is given up; the first includes the start of the process.
PAGE_SECONDS = 30.0
#: Memory that drawing may ask for, in MB.
MEMORY_MB = 2048
_MOST_WAITING = 8  # rendered pages that wait to be scaled: each holds some megabytes
_PIECE = 1 << 16
_PROGRAM = f"from {__name__} import main; main()"


class PageDrawer:
    """Draws pages of PDF files; a context that ends the process it uses.

    Args:
        side: longest side of a picture, in pixels.
        quality: of JPEG, 1 to 95.
        threads: how many pictures are scaled and packed at a time.
        seconds: without an answer, after which a report's other pages are given up.
    """

    def __init__(self, side: int, quality: int, threads: int = 1, seconds: float = PAGE_SECONDS) -> None:
        self._options = {"side": side, "quality": quality}
        self._threads = threads
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = bytearray()

    def __enter__(self) -> PageDrawer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def pages(self, pdf: Path | None, sha256: str, numbers: Sequence[int]) -> dict[int, str]:
        """Return page number -> data URI for those pages (counted from 1) that can be drawn.

        Args:
            pdf: the file; no page is drawn where it is gone, or where its bytes are not those with this hash.
            sha256: of the file that was read; '' where any file will do.
            numbers: of the pages.
        """
        if pdf is None or not pdf.is_file() or not numbers:
            return {}
        request = {"pdf": str(pdf.absolute()), "sha256": sha256, "numbers": list(numbers), **self._options}
        found: dict[int, str] = {}
        try:
            self._send(request)
            while "end" not in (answer := self._answer()):
                found[answer["page"]] = answer["uri"]
        except (TimeoutError, EOFError, BrokenPipeError):
            self._end()  # the next report gets a new one
        return found

    def _send(self, request: dict[str, Any]) -> None:
        if self._process is None:
            command = [sys.executable, "-c", _PROGRAM, str(self._threads), str(os.getpid())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
            self._unread.clear()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def _answer(self) -> dict[str, Any]:
        """Return the next answer; TimeoutError where none comes in time, EOFError where the process has ended."""
        assert self._process is not None and self._process.stdout is not None
        deadline = time.monotonic() + self._seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                piece = os.read(self._process.stdout.fileno(), _PIECE)
                if not piece:
                    raise EOFError
                self._unread += piece
        line, _, rest = bytes(self._unread).partition(b"\n")
        self._unread[:] = rest
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        with contextlib.suppress(OSError):
            process.communicate()


def draw(request: dict[str, Any], threads: Executor) -> Iterator[tuple[int, str]]:
    """Yield (page number, data URI) of a request; nothing where the file is not what it was, or cannot be opened.

    Pages are rendered in the caller's thread, for pdfium bears no other, and scaled in the executor's.
    """
    import pypdfium2 as pdfium

    from finlmm_core.steps.sources import read_source

    path = Path(request["pdf"])
    try:
        data = read_source(path.resolve().parent, path)
        if request["sha256"] and hashlib.sha256(data).hexdigest() != request["sha256"]:
            return
        document = pdfium.PdfDocument(data)
    except (DocumentError, pdfium.PdfiumError):
        return
    side = request["side"]
    waiting: deque[tuple[int, pdfium.PdfBitmap, Future[str]]] = deque()

    def finished(most: int) -> Iterator[tuple[int, str]]:
        while len(waiting) > most:
            number, bitmap, uri = waiting.popleft()
            yield number, uri.result()
            bitmap.close()

    for number in request["numbers"]:
        if not 1 <= number <= len(document):
            continue
        try:
            page = document[number - 1]
            # rendered at twice the size and scaled down: thin lines and small print survive
            bitmap = page.render(scale=min(4.0, 2 * side / max(*page.get_size(), 1.0)))
        except pdfium.PdfiumError:
            continue
        waiting.append((number, bitmap, threads.submit(data_uri, bitmap.to_pil(), side, request["quality"])))
        page.close()
        yield from finished(_MOST_WAITING)
    yield from finished(0)
    document.close()


def serve(requests: IO[bytes], answers: IO[bytes], threads: int) -> None:
    """Answer requests until there are no more."""

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    with ThreadPoolExecutor(threads) as executor:
        for line in requests:
            for number, uri in draw(json.loads(line), executor):
                tell({"page": number, "uri": uri})
            tell({"end": True})


def main() -> None:
    """Be the process that draws; its arguments are the number of threads and the process that it is not to outlive."""
    from finlmm_core.engines.worker import die_with_parent, limit_memory

    die_with_parent(int(sys.argv[2]))
    limit_memory(MEMORY_MB)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other's to handle
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a library prints is no answer
        serve(sys.stdin.buffer, answers, int(sys.argv[1]))
