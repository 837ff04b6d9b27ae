"""Tesseract through pytesseract: fast on a CPU, for pages and crops with plain print."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from finlmm_core.domain import Box
from finlmm_core.errors import FinlmmError, MissingExtraError
from finlmm_core.plugins.bases import OcrEngine, OcrLine, PluginOptions
from finlmm_ocr.pixels import enlarged, rgb_on_white
from finlmm_ocr.reading_order import in_reading_order

if TYPE_CHECKING:
    from PIL.Image import Image


class TesseractOptions(PluginOptions):
    """Options of the tesseract engine."""

    languages: tuple[str, ...] = Field(
        default=("eng",), min_length=1, description="Tesseract's codes, such as 'eng' or 'chi_sim'; all at once"
    )
    page_mode: int = Field(default=11, ge=3, le=13, description="page segmentation mode; 11: sparse text, 6: one block")
    min_confidence: float = Field(default=0.3, ge=0, le=1, description="words read with less confidence are dropped")
    min_side: int = Field(
        default=1200, ge=0, description="pixels; an image whose longer side is shorter is enlarged to this; 0: never"
    )
    seconds: float = Field(default=60.0, gt=0, description="time limit an image; an image that takes longer is empty")
    binary: str = Field(default="tesseract", description="the program: a name on the PATH, or its full path")


class TesseractEngine(OcrEngine):
    """Tesseract 4 or 5; see the module."""

    name: ClassVar[str] = "tesseract"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[PluginOptions]] = TesseractOptions
    options: TesseractOptions

    def check(self) -> None:
        """Raise MissingExtraError without pytesseract, FinlmmError without the program or a language's data."""
        if importlib.util.find_spec("pytesseract") is None:
            raise MissingExtraError("OCR engine 'tesseract'", "pytesseract", "tesseract")
        if shutil.which(self.options.binary) is None:
            raise FinlmmError(
                f"OCR engine 'tesseract' needs the program '{self.options.binary}', which is not installed.",
                hint="Install it: apt-get install tesseract-ocr (Debian, Ubuntu), brew install tesseract (macOS), "
                "or set its option 'binary' to the program's path.",
            )
        installed = set(self._library().get_languages(config=""))
        missing = [language for language in self.options.languages if language not in installed]
        if missing:
            packages = " ".join(f"tesseract-ocr-{language.replace('_', '-')}" for language in missing)
            raise FinlmmError(
                f"Tesseract has no data for {', '.join(missing)}; installed: {', '.join(sorted(installed)) or 'none'}.",
                hint=f"Install it: apt-get install {packages}",
            )

    def read(self, images: Sequence[Image]) -> list[list[OcrLine]]:
        """Return the lines of each image in reading order; words far apart on one line are lines of their own."""
        return [self._read_one(image) for image in images]

    def _library(self) -> Any:
        import pytesseract

        os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # workers are processes already
        pytesseract.pytesseract.tesseract_cmd = self.options.binary
        return pytesseract

    def _read_one(self, image: Image) -> list[OcrLine]:
        library = self._library()
        if min(image.size) < 4:
            return []
        prepared, zoom = enlarged(rgb_on_white(image), self.options.min_side)
        try:
            found = library.image_to_data(
                prepared,
                lang="+".join(self.options.languages),
                config=f"--psm {self.options.page_mode}",
                output_type=library.Output.DICT,
                timeout=self.options.seconds,
            )
        except library.TesseractNotFoundError:
            self.check()
            raise
        except RuntimeError as error:
            if "timeout" in str(error).lower():
                return []
            raise
        lines: list[OcrLine] = []
        words: list[OcrLine] = []
        last: tuple[int, ...] = ()
        for number, text in enumerate(found["text"]):
            confidence = float(found["conf"][number]) / 100
            if not text.strip() or confidence < self.options.min_confidence:
                continue
            x0, y0 = found["left"][number] / zoom, found["top"][number] / zoom
            box = Box(
                x0,
                y0,
                min(float(image.width), x0 + found["width"][number] / zoom),
                min(float(image.height), y0 + found["height"][number] / zoom),
            )
            line = tuple(found[key][number] for key in ("block_num", "par_num", "line_num"))
            # A gap wider than the print is high parts the cells of a table or the labels of an axis.
            if words and (line != last or box.x0 - words[-1].box.x1 > 1.5 * box.height):
                lines.append(_joined(words))
                words = []
            words.append(OcrLine(text.strip(), box, confidence))
            last = line
        if words:
            lines.append(_joined(words))
        return in_reading_order(lines)


def _joined(words: Sequence[OcrLine]) -> OcrLine:
    """Return words of one line as one; Chinese characters stand side by side."""
    text = words[0].text
    for before, word in pairwise(words):
        wide = before.text[-1] >= "\u2e80" and word.text[0] >= "\u2e80"
        text += word.text if wide else f" {word.text}"
    box = Box.around(word.box for word in words)
    confidence = sum(word.confidence for word in words) / len(words)
    return OcrLine(text, Box(*(round(side, 1) for side in box)), round(min(1.0, confidence), 4))
