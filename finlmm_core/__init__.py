"""finlmm: financial reports in, aligned multimodal reasoning data and better vision-language models out.

This is the public API for plugin authors: the hook marker, one base class a plugin kind, and the objects that flow.
"""

from finlmm_core.domain import (
    Alignment,
    Answer,
    Block,
    Box,
    Document,
    DocumentMeta,
    Evidence,
    Figure,
    ImageRef,
    Page,
    QAPair,
    Query,
    QuestionType,
    Rejected,
    Sample,
    Signal,
    Table,
)
from finlmm_core.errors import DocumentError, FinlmmError, MissingExtraError
from finlmm_core.plugins.bases import Aligner, Generator, OcrEngine, OcrLine, Parser, PluginOptions
from finlmm_core.plugins.specs import hookimpl

__version__ = "0.1.0"

__all__ = [
    "Aligner",
    "Alignment",
    "Answer",
    "Block",
    "Box",
    "Document",
    "DocumentError",
    "DocumentMeta",
    "Evidence",
    "Figure",
    "FinlmmError",
    "Generator",
    "ImageRef",
    "MissingExtraError",
    "OcrEngine",
    "OcrLine",
    "Page",
    "Parser",
    "PluginOptions",
    "QAPair",
    "Query",
    "QuestionType",
    "Rejected",
    "Sample",
    "Signal",
    "Table",
    "hookimpl",
]
