"""finlmm's own OCR engines: this module only names them; each class's file imports its heavy libraries inside methods."""

from __future__ import annotations

from finlmm_core import hookimpl


@hookimpl
def finlmm_ocr_engines() -> list[type]:
    from finlmm_ocr.rapidocr import RapidOcrEngine

    return [RapidOcrEngine]
