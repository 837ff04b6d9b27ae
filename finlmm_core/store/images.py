"""The image store: files named by the hash of what they hold."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from finlmm_core.domain import ImageRef
from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import write_atomic

if TYPE_CHECKING:
    from PIL.Image import Image


class ImageStore:
    """Content-addressed images below one folder: ``ab/<sha256>.<ext>``.

    Storing the same pixels twice writes once. Several processes may write at the same time, and one that is killed
    leaves whole files only. Images are not flushed to disk one by one: one that a power failure tore is told by its
    length when it is stored again, and by its hash when it is read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, image: Image, format: Literal["png", "jpeg", "webp"] = "png") -> ImageRef:
        """Encode and store a PIL image; return its reference.

        PNG is written without loss and quickly (compression level 1); JPEG at quality 90.
        """
        buffer = io.BytesIO()
        if format == "png":
            image.save(buffer, "PNG", compress_level=1)
        elif format == "jpeg":
            image.convert("RGB").save(buffer, "JPEG", quality=90)
        else:
            image.save(buffer, "WEBP", lossless=True, quality=0, method=0)
        return self.put_bytes(buffer.getvalue(), image.width, image.height, format)

    def put_bytes(self, data: bytes, width: int, height: int, format: Literal["png", "jpeg", "webp"]) -> ImageRef:
        """Store an image that is encoded already."""
        ref = ImageRef(sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, format=format)
        path = self.path(ref)
        try:
            whole = path.stat().st_size == len(data)
        except FileNotFoundError:
            whole = False
        if not whole:
            write_atomic(path, data, flush=False)
        return ref

    def path(self, ref: ImageRef) -> Path:
        """Return where the image's file is."""
        return self.root / ref.sha256[:2] / f"{ref.sha256}.{ref.format}"

    def read_bytes(self, ref: ImageRef) -> bytes:
        """Return the encoded file; FinlmmError where it is missing or is not what was stored."""
        path = self.path(ref)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise FinlmmError(
                f"The image {ref.sha256[:12]}... is not in the store {self.root}.",
                hint="Images belong to the run that parsed the reports: copy the run folder whole, or parse again.",
            ) from None
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise FinlmmError(
                f"The image {ref.sha256[:12]}... in the store {self.root} is damaged.",
                hint="A power failure or a copy may have torn it: parse the reports again into a new run folder.",
            )
        return data

    def open(self, ref: ImageRef) -> Image:
        """Return the image, decoded, in mode RGB."""
        from PIL import Image as PillowImage

        with PillowImage.open(io.BytesIO(self.read_bytes(ref))) as image:
            return image.convert("RGB")
