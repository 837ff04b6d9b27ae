"""RapidOCR: PP-OCR detection and recognition on onnxruntime, for English and Chinese, with models in its package."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from finlmm_core.domain import Box
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import OcrEngine, OcrLine, PluginOptions
from finlmm_ocr.pixels import enlarged, rgb_on_white
from finlmm_ocr.reading_order import in_reading_order

if TYPE_CHECKING:
    from PIL.Image import Image


class RapidOcrOptions(PluginOptions):
    """Options of the RapidOCR engine."""

    max_side: int = Field(
        default=1280, ge=64, description="pixels; text is searched in a copy whose longer side is at most this"
    )
    min_side: int = Field(
        default=800, ge=0, description="pixels; an image whose longer side is shorter is enlarged to this; 0: never"
    )
    threads: int = Field(default=1, ge=1, description="threads an onnxruntime session; workers are processes already")
    min_confidence: float = Field(default=0.5, ge=0, le=1, description="lines read with less confidence are dropped")
    box_threshold: float = Field(default=0.4, ge=0, le=1, description="mean score that a text region must have")
    dilate: bool = Field(default=False, description="thicken regions before boxes are drawn; joins close lines")
    upside_down: bool = Field(
        default=False, description="turn lines that seem to stand on their head; costs accuracy on upright ones"
    )
    batch_size: int = Field(default=6, ge=1, description="lines recognised at a time, padded to the widest of them")
    pad_width: int = Field(
        default=96, ge=48, description="pixels at height 48 that a line is padded to at least; narrower misreads digits"
    )
    models: Path | None = Field(
        default=None, description="folder with other PP-OCR ONNX files (*_det_*, *_rec_*, *_cls_*); default: built in"
    )


class RapidOcrEngine(OcrEngine):
    """PP-OCR by RapidOCR. Nothing is ever downloaded: models are files of its package or of the folder ``models``.

    The defaults were measured on crops of labelled report pages, see docs/ocr.md.
    """

    name: ClassVar[str] = "rapidocr"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[PluginOptions]] = RapidOcrOptions
    options: RapidOcrOptions

    def check(self) -> None:
        """Raise FinlmmError where a library or a model file is missing."""
        _model_files(self.options.models)

    def read(self, images: Sequence[Image]) -> list[list[OcrLine]]:
        """Return the lines of each image in reading order."""
        return [self._read_one(image) for image in images]

    def _read_one(self, image: Image) -> list[OcrLine]:
        import numpy as np

        if min(image.size) < 4:
            return []
        prepared, zoom = enlarged(rgb_on_white(image), self.options.min_side)
        pixels = np.ascontiguousarray(np.asarray(prepared)[:, :, ::-1])  # RapidOCR takes arrays as BGR
        result = _session(self.options)(pixels)
        if result.boxes is None or result.txts is None or result.scores is None:
            return []
        lines = []
        for corners, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
            if not text.strip():
                continue
            xs = [min(max(float(x) / zoom, 0.0), float(image.width)) for x, _ in corners]
            ys = [min(max(float(y) / zoom, 0.0), float(image.height)) for _, y in corners]
            box = Box(round(min(xs), 1), round(min(ys), 1), round(max(xs), 1), round(max(ys), 1))
            lines.append(OcrLine(" ".join(text.split()), box, round(float(score), 4)))
        return in_reading_order(lines)


def _model_files(folder: Path | None) -> dict[str, Path]:
    """Return the detection, recognition and direction models, or say which is missing."""
    for library in ("rapidocr", "onnxruntime"):
        if importlib.util.find_spec(library) is None:  # both belong to the base install: no extra brings them
            raise FinlmmError(
                f"OCR engine 'rapidocr' needs the library '{library}', which is not installed.",
                hint="Install finlmm again with its dependencies: pip install finlmm",
            )
    if folder is None:
        spec = importlib.util.find_spec("rapidocr")
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent / "models"
    files = {}
    for part in ("det", "rec", "cls"):
        found = sorted(folder.glob(f"*_{part}_*.onnx"))
        if not found:
            raise FinlmmError(
                f"OCR engine 'rapidocr' found no model '*_{part}_*.onnx' in {folder}.",
                hint="Reinstall rapidocr (its wheel carries the models), or set the option 'models' to a folder.",
            )
        files[part] = found[0]
    return files


@lru_cache(maxsize=2)
def _session(options: RapidOcrOptions) -> Any:
    """Return the loaded engine of these options, once a process."""
    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    files = _model_files(options.models)
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": options.min_confidence,
            "Global.use_cls": options.upside_down,
            "Global.max_side_len": 4000,
            "EngineConfig.onnxruntime.intra_op_num_threads": options.threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(files["det"]),
            "Det.limit_type": "max",
            "Det.limit_side_len": options.max_side,
            "Det.box_thresh": options.box_threshold,
            "Det.use_dilation": options.dilate,
            "Rec.model_path": str(files["rec"]),
            "Rec.rec_batch_num": options.batch_size,
            "Rec.rec_img_shape": [3, 48, options.pad_width],
            "Cls.model_path": str(files["cls"]),
        }
    )
