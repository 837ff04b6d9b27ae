"""What is looked at in a file's bytes before a PDF library touches them.

Libraries repair what they can, silently: half a download opens as a shorter report. And they inflate what they are
told to: a kilobyte can ask for gigabytes. Both are told from the bytes alone. What cannot be told from outside (a loop
within a library) is the engine's to stop, by its limits of time and memory a document.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from finlmm_core.errors import DocumentError

#: A stream that inflates to more bytes than this is a bomb: the largest real ones, page pictures, have about 100 MB.
MOST_STREAM_BYTES = 384 * 1024 * 1024
#: Deflate packs at most 1,032 to 1, so shorter streams cannot become too long at one go.
_SUSPICIOUS_BYTES = MOST_STREAM_BYTES // 1032
#: Junk that mail gateways and web servers leave behind the end of a file.
_JUNK_BYTES = 4096

_STREAM = re.compile(rb"stream\r?\n")
_END = re.compile(rb"startxref\s+\d+\s+%%EOF")
_OBJECT = re.compile(rb"\d+\s+\d+\s+obj\b")
_EMPTY_TREE = re.compile(rb"/Type\s*/Pages\b[^>]{0,400}?(?:/Count\s+0\b|/Kids\s*\[\s*\])")
_PIECE = 1 << 20


def check_file(path: Path) -> None:
    """Refuse files that are no PDF, that were cut off, or that hold a stream of unreasonable size.

    Raises:
        DocumentError: ``unreadable``, ``empty``, ``not_a_pdf``, ``truncated`` or ``stream_too_large``.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError("unreadable", f"the file cannot be read: {error.strerror}") from error
    if not data.strip(b"\0 \t\r\n"):
        raise DocumentError("empty", f"the file has {len(data)} bytes, all of them blank")
    if b"%PDF-" not in data[:1024]:
        raise DocumentError("not_a_pdf", "there is no %PDF- in the first 1,024 bytes")
    _check_end(data)
    _check_streams(data)


def why_unopened(path: Path, code: int | None, message: str) -> DocumentError:
    """Return the reason why pdfium could not open a file.

    pdfium's error code may be left over from a file before: it counts only where the file's bytes bear it out.

    Args:
        path: the file.
        code: pdfium's last error (FPDF_GetLastError): 4 password, 5 security.
        message: pdfium's message.
    """
    data = path.read_bytes()
    if b"/Encrypt" in data and code in (4, 5):
        return DocumentError("encrypted", "a password is needed, or the encryption is unknown")
    if _EMPTY_TREE.search(data):
        return DocumentError("no_pages", "the file has no pages")
    return DocumentError("unreadable", f"pdfium cannot open it: {message}")


def _check_end(data: bytes) -> None:
    """Refuse a file whose last part has no end: each part of a PDF, updates included, closes with startxref and %%EOF.

    A file that is cut in its second half may still have the end mark of its first part.
    """
    end = 0
    for match in _END.finditer(data):
        end = match.end()
    if not end:
        # Some writers leave out the last mark; then the trailer at least must be there, near the end.
        if data.rfind(b"startxref") > max(data.rfind(b"endobj"), len(data) - _JUNK_BYTES):
            return
        raise DocumentError("truncated", f"the file's {len(data)} bytes have no end mark (startxref, %%EOF)")
    if len(data) - end > _JUNK_BYTES and _OBJECT.search(data, end):
        raise DocumentError("truncated", f"{len(data) - end} bytes follow the last end mark and have none of their own")


def _check_streams(data: bytes) -> None:
    for match in _STREAM.finditer(data):
        start = match.end()
        end = data.find(b"endstream", start)
        end = len(data) if end < 0 else end
        head = data[max(0, start - 600) : start]
        head = head[head.rfind(b" obj") + 1 :]
        layers = head.count(b"/FlateDecode") + head.count(b"/Fl ") + head.count(b"/Fl]") + head.count(b"/Fl/")
        if layers and (end - start > _SUSPICIOUS_BYTES or layers > 1):
            _check_stream(data[start:end], layers)


def _check_stream(packed: bytes, layers: int) -> None:
    """Inflate a stream piece by piece, keeping it only where another layer is below, and count."""
    for layer in range(layers):
        inflater = zlib.decompressobj()
        kept = bytearray()
        length = 0
        waiting = packed
        try:
            while waiting and not inflater.eof:
                piece = inflater.decompress(waiting, _PIECE)
                length += len(piece)
                if length > MOST_STREAM_BYTES:
                    raise DocumentError(
                        "stream_too_large",
                        f"a stream of {len(packed)} bytes inflates to more than {MOST_STREAM_BYTES >> 20} MB",
                    )
                if layer + 1 < layers:
                    kept += piece
                if not piece and inflater.unconsumed_tail == waiting:
                    break
                waiting = inflater.unconsumed_tail
        except zlib.error:
            return  # encrypted, coded otherwise, or damaged: the library will say
        packed = bytes(kept)
