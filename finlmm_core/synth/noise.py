"""What surrounds figures in designed reports and is none: logos, photographs, decorative shapes."""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from finlmm_core.domain import Box
from finlmm_core.synth.sheet import Color, Sheet


@dataclass(frozen=True)
class Logo:
    """A company's mark with its name: drawn as shapes, or as one picture."""

    kind: Literal["shapes", "picture"]
    shape: int
    color: Color
    second: Color
    name: str
    font: str

    def size(self, width: float) -> tuple[float, float]:
        return width, width * 0.27

    def draw(self, sheet: Sheet, x: float, y: float, width: float) -> Box:
        """Draw the logo with its top left corner at (x, y)."""
        width, height = self.size(width)
        if self.kind == "picture":
            return sheet.image(Box(x, y, x + width, y + height), _logo_picture(self), mask=True)
        boxes = [self._mark(sheet, x, y, height)]
        size = height * 0.55
        from finlmm_core.synth.fonts import text_width

        while text_width(self.name, self.font, size) > width - height * 1.2:
            size *= 0.94
        boxes.append(sheet.text(x + height * 1.2, y + height * 0.7, self.name, self.font, size, self.color))
        return Box.around(boxes)

    def _mark(self, sheet: Sheet, x: float, y: float, side: float) -> Box:
        if self.shape == 0:
            box = sheet.circle(x + side / 2, y + side / 2, side / 2, self.color)
            sheet.circle(x + side / 2, y + side / 2, side / 4, self.second)
            return box
        if self.shape == 1:
            return sheet.polygon([(x, y + side), (x + side / 2, y), (x + side, y + side)], self.color)
        if self.shape == 2:
            box = sheet.rect(Box(x, y, x + side, y + side), fill=self.color)
            sheet.rect(Box(x + side * 0.3, y + side * 0.3, x + side, y + side), fill=self.second)
            return box
        points = [
            (x + side / 2 + side / 2 * math.cos(math.pi / 3 * k), y + side / 2 + side / 2 * math.sin(math.pi / 3 * k))
            for k in range(6)
        ]
        return sheet.polygon(points, self.color)


@lru_cache(maxsize=64)
def _logo_picture(logo: Logo) -> bytes:
    from PIL import Image, ImageDraw

    width, height = 370, 100
    image = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    color = tuple(int(255 * part) for part in logo.color)
    second = tuple(int(255 * part) for part in logo.second)
    if logo.shape == 0:
        draw.ellipse((2, 2, 98, 98), fill=color)
        draw.arc((22, 22, 78, 78), 20, 300, fill=second, width=14)
    elif logo.shape == 1:
        draw.polygon([(2, 98), (50, 2), (98, 98)], fill=color)
        draw.polygon([(34, 98), (50, 62), (66, 98)], fill=second)
    elif logo.shape == 2:
        draw.rounded_rectangle((2, 2, 98, 98), 22, fill=color)
        draw.line((24, 74, 44, 40, 60, 58, 80, 24), fill=second, width=10)
    else:
        for index in range(3):
            draw.rectangle((4 + index * 34, 70 - index * 30, 30 + index * 34, 96), fill=color if index < 2 else second)
    # Bars stand for a word mark, so that no font of the machine is needed.
    chars = random.Random(logo.name)
    x = 118
    for _ in range(min(9, max(4, len(logo.name)))):
        wide = chars.randint(14, 26)
        draw.rectangle((x, 34, x + 6, 80), fill=color)
        at = chars.choice([34, 54, 74])
        draw.rectangle((x, at, x + wide, at + 6), fill=color)
        x += wide + 6
        if x > width - 30:
            break
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def photo(rng: random.Random, kind: int, width: int, height: int) -> bytes:
    """Return a JPEG that looks like a photograph: hills under a sky, a skyline, or blurred lights."""
    import numpy as np
    from PIL import Image, ImageFilter

    seeded = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    x = np.linspace(0, 1, width)
    y = np.linspace(0, 1, height)[:, None]
    low, high = seeded.uniform(120, 220, 3), seeded.uniform(60, 200, 3)
    picture = low + (high - low) * y[..., None] + np.zeros((height, width, 1))
    if kind % 3 == 0:
        for layer in range(5):
            ridge = (
                0.35
                + 0.13 * layer
                + sum(
                    seeded.uniform(0.01, 0.06) * np.sin(2 * np.pi * (seeded.uniform(0.5, 5) * x + seeded.uniform()))
                    for _ in range(5)
                )
            )
            shade = seeded.uniform(20, 140, 3) * (1 - 0.12 * layer)
            picture = np.where((y > ridge)[..., None], shade + 25 * (y - ridge)[..., None], picture)
    elif kind % 3 == 1:
        for _ in range(26):
            left = seeded.uniform(-0.05, 1)
            wide, tall = seeded.uniform(0.03, 0.12), seeded.uniform(0.2, 0.75)
            inside = ((x >= left) & (x < left + wide))[None, :] & (y > 1 - tall)
            picture = np.where(inside[..., None], seeded.uniform(30, 150, 3), picture)
            lit = inside & ((np.sin(x * seeded.uniform(150, 300)) > 0.3)[None, :]) & (np.sin(y * 220) > 0.2)
            picture = np.where(lit[..., None], seeded.uniform(140, 240, 3), picture)
    else:
        for _ in range(40):
            cx, cy, radius = seeded.uniform(), seeded.uniform(), seeded.uniform(0.03, 0.15)
            inside = ((x - cx) ** 2)[None, :] + ((y - cy) * height / width) ** 2 < radius**2
            picture = np.where(inside[..., None], 0.55 * picture + 0.45 * seeded.uniform(60, 255, 3), picture)
    picture = picture + seeded.normal(0, 9, (height, width, 1)) + seeded.normal(0, 4, (height, width, 3))
    image = Image.fromarray(np.clip(picture, 0, 255).astype("uint8")).filter(ImageFilter.GaussianBlur(0.8))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def cover_shapes(rng: random.Random, sheet: Sheet, accent: Color, second: Color) -> list[Box]:
    """Decorate a cover with large shapes; return their boxes."""
    width, height = sheet.width, sheet.height
    kind = rng.randrange(4)
    if kind == 0:
        return [
            sheet.rect(Box(0, 0, width, height * 0.36), fill=accent),
            sheet.polygon([(0, height * 0.36), (width, height * 0.36), (width, height * 0.46)], second),
        ]
    if kind == 1:
        return [
            sheet.rect(Box(0, height * 0.72, width, height), fill=accent),
            sheet.circle(width * 0.82, height * 0.72, 70, second),
        ]
    if kind == 2:
        return [
            sheet.rect(Box(0, 0, width * 0.2, height), fill=accent),
            sheet.rect(Box(width * 0.2, height * 0.6, width, height * 0.62), fill=second),
        ]
    return [
        sheet.circle(width * (0.2 + 0.2 * index), height * 0.85, 30 + 14 * index, accent if index % 2 else second)
        for index in range(4)
    ]
