"""finlmm's own OCR engines: named here, each in a file that imports its heavy libraries inside methods."""

from __future__ import annotations

from finlmm_core import hookimpl


@hookimpl
def finlmm_ocr_engines() -> list[type]:
    from finlmm_ocr.easyocr import EasyOcrEngine
    from finlmm_ocr.rapidocr import RapidOcrEngine
    from finlmm_ocr.tesseract import TesseractEngine

    return [RapidOcrEngine, EasyOcrEngine, TesseractEngine]
