"""EasyOCR: CRAFT detection and CRNN recognition on torch, from a folder of weights.

On report crops it reads less well than RapidOCR and drops parentheses, which changes the sign of a number; it is here
for languages that RapidOCR's models do not know and for comparison.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from finlmm_core.domain import Box
from finlmm_core.errors import FinlmmError, MissingExtraError
from finlmm_core.plugins.bases import OcrEngine, OcrLine, PluginOptions
from finlmm_core.torchvision_shim import ensure_torchvision
from finlmm_ocr.pixels import rgb_on_white
from finlmm_ocr.reading_order import in_reading_order

if TYPE_CHECKING:
    from PIL.Image import Image


class EasyOcrOptions(PluginOptions):
    """Options of the EasyOCR engine."""

    languages: tuple[str, ...] = Field(
        default=("en",), min_length=1, description="EasyOCR's codes, such as 'en' or 'ch_sim'"
    )
    models: Path | None = Field(
        default=None,
        description="folder with craft_mlt_25k.pth and the languages' weights; default: ~/.EasyOCR/model. Nothing is "
        "downloaded",
    )
    threads: int = Field(default=1, ge=1, description="torch threads; workers are processes already")
    min_confidence: float = Field(default=0.2, ge=0, le=1, description="lines read with less confidence are dropped")
    gpu: bool = Field(default=False, description="use a GPU where torch finds one")


class EasyOcrEngine(OcrEngine):
    """EasyOCR without downloads; see the module."""

    name: ClassVar[str] = "easyocr"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[PluginOptions]] = EasyOcrOptions
    options: EasyOcrOptions

    def check(self) -> None:
        """Raise MissingExtraError where a library is missing, FinlmmError where the weights are."""
        for library in ("easyocr", "torch", "torchvision"):
            if importlib.util.find_spec(library) is None:
                raise MissingExtraError("OCR engine 'easyocr'", library, "easyocr")
        folder = _model_folder(self.options)
        if not (folder / "craft_mlt_25k.pth").is_file():
            raise FinlmmError(
                f"OCR engine 'easyocr' found no weights 'craft_mlt_25k.pth' in {folder}.",
                hint="Put EasyOCR's weights there, or set its option 'models' to the folder that holds them.",
            )

    def read(self, images: Sequence[Image]) -> list[list[OcrLine]]:
        """Return the lines of each image in reading order."""
        return [self._read_one(image) for image in images]

    def _read_one(self, image: Image) -> list[OcrLine]:
        import numpy as np

        if min(image.size) < 4:
            return []
        with warnings.catch_warnings():
            # torch tells of quantised tensors and pinned memory; neither is the user's doing.
            warnings.simplefilter("ignore")
            found = _reader(self.options).readtext(np.asarray(rgb_on_white(image))[:, :, ::-1])
        lines = []
        for corners, text, confidence in found:
            if not text.strip() or confidence < self.options.min_confidence:
                continue
            xs = [min(max(float(x), 0.0), float(image.width)) for x, _ in corners]
            ys = [min(max(float(y), 0.0), float(image.height)) for _, y in corners]
            box = Box(round(min(xs), 1), round(min(ys), 1), round(max(xs), 1), round(max(ys), 1))
            lines.append(OcrLine(" ".join(text.split()), box, round(min(1.0, float(confidence)), 4)))
        return in_reading_order(lines)


def _model_folder(options: EasyOcrOptions) -> Path:
    return options.models.expanduser() if options.models else Path.home() / ".EasyOCR" / "model"


@lru_cache(maxsize=1)
def _reader(options: EasyOcrOptions) -> Any:
    """Return the loaded reader of these options, once a process."""
    ensure_torchvision()  # before easyocr imports it
    import easyocr
    import torch

    torch.set_num_threads(options.threads)
    folder = str(_model_folder(options))
    try:
        return easyocr.Reader(
            list(options.languages),
            gpu=options.gpu,
            model_storage_directory=folder,
            user_network_directory=folder,
            download_enabled=False,
            verbose=False,
        )
    except FileNotFoundError as error:
        raise FinlmmError(
            f"OCR engine 'easyocr' found no weights for {', '.join(options.languages)} in {folder}: {error}",
            hint="Put EasyOCR's weights there, or set its option 'models' to the folder that holds them.",
        ) from error
    except ValueError as error:
        raise FinlmmError(
            f"OCR engine 'easyocr' cannot read the languages {', '.join(options.languages)}: {error}",
            hint="Use EasyOCR's codes; some languages can only be read together with 'en'.",
        ) from error
