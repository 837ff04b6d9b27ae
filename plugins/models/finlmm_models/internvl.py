"""InternVL3 in transformers' own classes (checkpoints whose names end in ``-hf``)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from finlmm_models.families import INTERNVL, Family
from finlmm_models.local import LocalBackend
from finlmm_models.options import VisionOptions


class InternVLOptions(VisionOptions):
    """Options of the backend ``internvl``."""

    path: str = Field(default=INTERNVL.default_path, description="folder with the model, or its id on the hub")


class InternVL(LocalBackend):
    """InternVL3 in transformers' own classes, run in this process.

    An image is cut into tiles of 448 x 448 pixels with 256 tokens each, and a thumbnail where there are several.
    ``min_pixels`` and ``max_pixels`` limit how many tiles: one at least, as many as fit into ``max_pixels`` at most.
    """

    name: ClassVar[str] = "internvl"
    Options: ClassVar[type[InternVLOptions]] = InternVLOptions
    options: InternVLOptions
    family: ClassVar[Family] = INTERNVL
    sees_images: ClassVar[bool] = True

    def _limit_pixels(self, processor: Any) -> None:
        images = processor.image_processor
        tile = images.size["height"] * images.size["width"]
        if self.options.min_pixels is not None:
            images.min_patches = max(1, self.options.min_pixels // tile)
        if self.options.max_pixels is not None:
            images.max_patches = max(1, self.options.max_pixels // tile)
        images.min_patches = min(images.min_patches, images.max_patches)
