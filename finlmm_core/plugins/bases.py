"""One base class a plugin kind: what a plugin gets, what it returns, and what it may assume.

A plugin is a class with a ``name``, an ``Options`` model and an ``__init__(options)`` that does no heavy work: heavy
libraries are imported inside methods, so that listing plugins stays instant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from finlmm_core.domain import Box, Document, Figure, QAPair, Query, Rejected, Signal

if TYPE_CHECKING:
    from PIL.Image import Image

    from finlmm_core.store.images import ImageStore


class PluginOptions(BaseModel):
    """A plugin's options: closed and immutable; every field has a description and, where it can, a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Plugin(ABC):
    """What all kinds share.

    Attributes:
        name: how a config names the plugin. Third parties write ``vendor/name``.
        version: raise it whenever the same input and options give another result; runs that were made with another
            version are then not silently mixed.
        Options: the closed model of its options.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    Options: ClassVar[type[PluginOptions]] = PluginOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options = options if options is not None else self.Options()

    def __reduce__(self) -> tuple[type[Plugin], tuple[PluginOptions]]:
        """Travel to a worker process as class and options: loaded models stay where they are."""
        return (type(self), (self.options,))

    def check(self) -> None:
        """Raise MissingExtraError or FinlmmError if the plugin cannot work here (a library or a model is missing).

        Called once before a run's first step; must be quick.
        """


class OcrLine(NamedTuple):
    """One line of text that OCR read: box in **pixels** of the given image, confidence 0 to 1."""

    text: str
    box: Box
    confidence: float


class OcrEngine(Plugin):
    """Reads text in images. Models are loaded at the first call, once a process."""

    @abstractmethod
    def read(self, images: Sequence[Image]) -> list[list[OcrLine]]:
        """Return the lines of each image, top to bottom and left to right, ``[]`` where there is no text.

        Args:
            images: PIL images of mode RGB, L or RGBA, of any size.
        """


class Parser(Plugin):
    """Turns one PDF into a Document. A pure function of the file, the options and the versions."""

    @abstractmethod
    def parse(self, pdf: Path, images: ImageStore, ocr: OcrEngine | None) -> Document:
        """Return the parsed document.

        Args:
            pdf: the file.
            images: where crops are put; ``images.put(pil_image)`` returns the ImageRef.
            ocr: reads raster figures and scanned pages; without one their text stays empty.

        Raises:
            DocumentError: the file cannot be parsed (``not_a_pdf``, ``empty``, ``truncated``, ``encrypted``,
                ``too_many_pages``, ``page_too_large`` ...); the run sets it aside and goes on.
        """


class Generator(Plugin):
    """Writes questions from the text of one document; never looks at an image."""

    @abstractmethod
    def generate(self, document: Document) -> Iterable[QAPair | Rejected]:
        """Yield questions, and a Rejected for each candidate that a filter of its own dropped.

        The order is part of the result: the same document gives the same questions in the same order.
        """


class Aligner(Plugin):
    """Scores the figures of one report against questions. Aligners form a chain: each gets what the one before kept."""

    @abstractmethod
    def align(
        self, document: Document, queries: Sequence[Query], candidates: Sequence[Sequence[Figure]]
    ) -> list[list[Signal]]:
        """Return for each query the signals of the figures that stay in, in any order.

        Args:
            document: the report, for the surroundings of figures.
            queries: the questions, without any trace of where they came from.
            candidates: for each query the figures still in; a figure that gets no signal is out.
        """


#: The kinds of plugins: the name that people use and the base class.
KINDS: dict[str, type[Plugin]] = {
    "parser": Parser,
    "ocr": OcrEngine,
    "generator": Generator,
    "aligner": Aligner,
}
