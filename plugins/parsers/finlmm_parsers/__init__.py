"""finlmm's own parsers: this module only names them; each class's file imports its heavy libraries inside methods."""

from __future__ import annotations

from finlmm_core import hookimpl


@hookimpl
def finlmm_parsers() -> list[type]:
    from finlmm_parsers.pdfium import PdfiumParser
    from finlmm_parsers.pdfminer import PdfminerParser

    return [PdfiumParser, PdfminerParser]
