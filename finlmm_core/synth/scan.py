"""Scanned pages: a page is rendered, turned a little, made noisy and put into the report as one picture."""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from typing import Any

from finlmm_core.domain import Box
from finlmm_core.synth.sheet import Sheet


@dataclass(frozen=True)
class Scan:
    """A scanned page as JPEG, turned by so many degrees, counter-clockwise, about the page's middle."""

    encoded: bytes
    angle: float

    def reader(self) -> Any:
        """Return the picture for reportlab's ``drawImage``."""
        from reportlab.lib.utils import ImageReader

        return ImageReader(io.BytesIO(self.encoded))


def scan_page(sheet: Sheet, rng: random.Random, dpi: int = 150) -> Scan:
    """Return what a scanner would make of a sheet."""
    import numpy as np
    import pypdfium2
    from PIL import Image, ImageFilter
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(sheet.width, sheet.height), invariant=1)
    sheet.play(canvas)
    canvas.showPage()
    canvas.save()
    document = pypdfium2.PdfDocument(buffer.getvalue())
    image = document[0].render(scale=dpi / 72).to_pil().convert("L")
    document.close()
    angle = rng.choice([-1, 1]) * rng.uniform(0.15, 0.8)
    image = image.rotate(angle, resample=Image.Resampling.BILINEAR, fillcolor=255)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.55)))
    pixels: Any = np.asarray(image, dtype=np.float32)
    seeded = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    paper = rng.uniform(238, 250)
    pixels = 20 + pixels * (paper - 20) / 255 + seeded.normal(0, rng.uniform(2, 6), pixels.shape).astype(np.float32)
    shade = np.linspace(1.0, rng.uniform(0.94, 1.0), pixels.shape[1], dtype=np.float32)
    picture = Image.fromarray(np.clip(pixels * shade, 0, 255).astype(np.uint8))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=rng.choice([60, 70, 80]))
    return Scan(out.getvalue(), angle)


def rotate_box(box: Box, angle: float, sheet: Sheet) -> Box:
    """Return the box around a box that was turned with its page by ``angle`` degrees counter-clockwise."""
    turn = math.radians(angle)
    middle_x, middle_y = sheet.width / 2, sheet.height / 2
    corners = []
    for x, y in ((box[0], box[1]), (box[2], box[1]), (box[0], box[3]), (box[2], box[3])):
        dx, dy = x - middle_x, y - middle_y
        corners.append(
            (middle_x + dx * math.cos(turn) + dy * math.sin(turn), middle_y - dx * math.sin(turn) + dy * math.cos(turn))
        )
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Box(min(xs), min(ys), max(xs), max(ys)).rounded()
