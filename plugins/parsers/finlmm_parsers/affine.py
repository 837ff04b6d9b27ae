"""Plane transforms of rectangles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Floats = NDArray[np.float64]


class Affine(NamedTuple):
    """x' = a x + c y + e, y' = b x + d y + f."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def after(self, first: Affine) -> Affine:
        """Return the transform that applies ``first`` and then this one."""
        return Affine(
            self.a * first.a + self.c * first.b,
            self.b * first.a + self.d * first.b,
            self.a * first.c + self.c * first.d,
            self.b * first.c + self.d * first.d,
            self.a * first.e + self.c * first.f + self.e,
            self.b * first.e + self.d * first.f + self.f,
        )

    def bounds(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        """Return the upright bounds of a transformed rectangle."""
        a, b, c, d, e, f = self
        ax, bx, cy, dy = a * x0, a * x1, c * y0, c * y1
        left, right = (ax, bx) if ax < bx else (bx, ax)
        low, high = (cy, dy) if cy < dy else (dy, cy)
        sx, tx, sy, ty = b * x0, b * x1, d * y0, d * y1
        top, bottom = (sx, tx) if sx < tx else (tx, sx)
        up, down = (sy, ty) if sy < ty else (ty, sy)
        return left + low + e, top + up + f, right + high + e, bottom + down + f

    def bounds_of_all(self, x0: _Floats, y0: _Floats, x1: _Floats, y1: _Floats) -> tuple[_Floats, ...]:
        """Return the upright bounds of many transformed rectangles, as four arrays."""
        a, b, c, d, e, f = self
        return (
            np.minimum(a * x0, a * x1) + np.minimum(c * y0, c * y1) + e,
            np.minimum(b * x0, b * x1) + np.minimum(d * y0, d * y1) + f,
            np.maximum(a * x0, a * x1) + np.maximum(c * y0, c * y1) + e,
            np.maximum(b * x0, b * x1) + np.maximum(d * y0, d * y1) + f,
        )

    @property
    def scale(self) -> float:
        """How much lengths grow, on average over directions."""
        return math.sqrt(abs(self.a * self.d - self.b * self.c))
