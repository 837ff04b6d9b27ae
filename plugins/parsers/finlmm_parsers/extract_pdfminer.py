"""Pages of a PDF as primitives, read with pdfminer.six.

A second pair of eyes on the same contract as ``extract_pdfium.py``: pure Python, slower, and with other strengths
(no C code that could hang) and weaknesses (no rendering; unreadable fonts stay unreadable).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFPasswordIncorrect
from pdfminer.pdfexceptions import PDFException
from pdfminer.pdfinterp import PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.psexceptions import PSException

from finlmm_core.domain import TextSource
from finlmm_core.errors import DocumentError
from finlmm_parsers.glyphs import words_of
from finlmm_parsers.pdfminer_device import PrimitivesDevice, PrimitivesInterpreter
from finlmm_parsers.primitives import PagePrimitives

#: What pdfminer.six is known to raise on files that break the format; it checks little before it uses a value.
BROKEN_PDF_ERRORS = (
    PDFException,
    PSException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class PdfminerPages:
    """A PDF opened with pdfminer.six; a context manager.

    Args:
        pdf: the file.
        most_pages: more pages than this end in ``too_many_pages``.

    Raises:
        DocumentError: ``encrypted`` or ``broken``.
    """

    def __init__(self, pdf: Path, most_pages: int) -> None:
        self._file = pdf.open("rb")
        try:
            self._document = PDFDocument(PDFParser(self._file))
            self.pages: list[PDFPage] = []
            for page in PDFPage.create_pages(self._document):
                self.pages.append(page)
                if len(self.pages) > most_pages:
                    raise DocumentError("too_many_pages", f"more than {most_pages} pages")
        except (PDFPasswordIncorrect, PDFEncryptionError) as error:
            self._file.close()
            raise DocumentError("encrypted", f"pdfminer.six: {error or 'a password is needed'}") from error
        except DocumentError:
            self._file.close()
            raise
        except BROKEN_PDF_ERRORS as error:
            self._file.close()
            raise DocumentError("broken", f"pdfminer.six: {type(error).__name__}: {error}") from error
        self._resources = PDFResourceManager()

    def __enter__(self) -> PdfminerPages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.pages)

    def __iter__(self) -> Iterator[tuple[PagePrimitives, str]]:
        for index in range(len(self.pages)):
            yield self.read(index)

    def size(self, index: int) -> tuple[float, float]:
        """Return width and height, in points, of a page as shown."""
        box = _shown_box(self.pages[index])
        width, height = box[2] - box[0], box[3] - box[1]
        return (height, width) if self.pages[index].rotate in (90, 270) else (width, height)

    def read(self, index: int) -> tuple[PagePrimitives, str]:
        """Return a page's primitives, and what went wrong on it ('' where nothing did).

        A page that breaks off in the middle keeps what was drawn before.

        Args:
            index: counted from 0.
        """
        page = self.pages[index]
        width, height = self.size(index)
        device = PrimitivesDevice(self._resources, width, height)
        page.mediabox = _shown_box(page)  # pdfminer draws relative to the media box; what is shown is the crop box
        problem = ""
        try:
            PrimitivesInterpreter(self._resources, device).process_page(page)
        except BROKEN_PDF_ERRORS as error:
            problem = f"pdfminer.six: {type(error).__name__}: {error}"
        words = [
            word
            for word in words_of(device.glyphs)
            if 0 <= (word.x0 + word.x1) / 2 <= width and 0 <= (word.y0 + word.y1) / 2 <= height
        ]
        source: TextSource = "layer" if words else "none"
        return PagePrimitives(index + 1, width, height, words, device.shapes, device.rasters, source), problem


def _shown_box(page: PDFPage) -> tuple[float, float, float, float]:
    """The crop box within the media box, in the page's own coordinates; the media box where they do not meet."""
    media = _ordered(page.mediabox)
    crop = _ordered(page.cropbox)
    x0, y0 = max(media[0], crop[0]), max(media[1], crop[1])
    x1, y1 = min(media[2], crop[2]), min(media[3], crop[3])
    if x1 > x0 and y1 > y0:
        return (x0, y0, x1, y1)
    if media[2] > media[0] and media[3] > media[1]:
        return media
    return (0.0, 0.0, 612.0, 792.0)


def _ordered(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(value) for value in box)
    return (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
