"""The default parser: pages through pdfium, layout and figures by finlmm's own analysis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from finlmm_core.domain import Document
from finlmm_core.plugins.bases import OcrEngine, Parser
from finlmm_parsers.options import LayoutOptions

if TYPE_CHECKING:
    from finlmm_core.store.images import ImageStore


class PdfiumParser(Parser):
    """Reads PDF files with pypdfium2 (Apache-2.0/BSD-3-Clause)."""

    name = "pdfium"
    version = "1"
    Options = LayoutOptions

    def parse(self, pdf: Path, images: ImageStore, ocr: OcrEngine | None) -> Document:
        """Return the parsed document; see ``Parser.parse``."""
        from finlmm_parsers.assemble import assemble
        from finlmm_parsers.extract_pdfium import PdfiumFile

        with PdfiumFile(pdf) as file:
            return assemble(file, pdf, images, ocr, cast(LayoutOptions, self.options))
