"""Images as OCR engines want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def rgb_on_white(image: Image) -> Image:
    """Return the image in mode RGB, what is transparent white."""
    from PIL import Image as PillowImage

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        image = PillowImage.alpha_composite(PillowImage.new("RGBA", image.size, "white"), layered)
    return image.convert("RGB")


def enlarged(image: Image, longer_side: int, most: float = 3.0) -> tuple[Image, float]:
    """Return the image with its longer side at least so many pixels, and by how much it was enlarged.

    Past ``most`` an enlargement only smears: the pixels were not there.
    """
    from PIL import Image as PillowImage

    longer = max(image.size)
    if longer >= longer_side:
        return image, 1.0
    zoom = min(longer_side / longer, most)
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    return image.resize(size, PillowImage.Resampling.BICUBIC), zoom
