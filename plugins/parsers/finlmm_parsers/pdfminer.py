"""The second parser: pages through pdfminer.six, layout and figures by the same analysis as the first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from finlmm_core.domain import Document
from finlmm_core.plugins.bases import OcrEngine, Parser
from finlmm_parsers.options import LayoutOptions

if TYPE_CHECKING:
    from finlmm_core.store.images import ImageStore


class PdfminerParser(Parser):
    """Reads PDF files with pdfminer.six (MIT), in pure Python; about ten times slower than ``pdfium``."""

    name = "pdfminer"
    version = "1"
    Options = LayoutOptions

    def parse(self, pdf: Path, images: ImageStore, ocr: OcrEngine | None) -> Document:
        """Return the parsed document; see ``Parser.parse``."""
        from finlmm_parsers.assemble import assemble
        from finlmm_parsers.extract_pdfminer import PdfminerFile

        options = cast(LayoutOptions, self.options)
        with PdfminerFile(pdf, options.max_pages) as file:
            return assemble(file, pdf, images, ocr, options)
