"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL; which one is told by the checkpoint."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from finlmm_models.families import QWEN_VL, Family
from finlmm_models.local import LocalBackend
from finlmm_models.options import VisionOptions


class QwenVLOptions(VisionOptions):
    """Options of the backend ``qwen-vl``."""

    path: str = Field(default=QWEN_VL.default_path, description="folder with the model, or its id on the hub")


class QwenVL(LocalBackend):
    """Qwen2-VL, Qwen2.5-VL and Qwen3-VL, run in this process by transformers.

    A token stands for 28 x 28 pixels of an image (Qwen3-VL: 32 x 32) after it was fitted into ``min_pixels`` and
    ``max_pixels``.
    """

    name: ClassVar[str] = "qwen-vl"
    Options: ClassVar[type[QwenVLOptions]] = QwenVLOptions
    options: QwenVLOptions
    family: ClassVar[Family] = QWEN_VL
    sees_images: ClassVar[bool] = True

    def _limit_pixels(self, processor: Any) -> None:
        images = processor.image_processor
        size = dict(images.size)
        if self.options.min_pixels is not None:
            size["shortest_edge"] = self.options.min_pixels  # so named, but a number of pixels
        if self.options.max_pixels is not None:
            size["longest_edge"] = self.options.max_pixels
        size["shortest_edge"] = min(size["shortest_edge"], size["longest_edge"])
        images.size = type(images.size)(**{key: size[key] for key in ("shortest_edge", "longest_edge")})
