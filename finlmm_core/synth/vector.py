"""A matplotlib renderer that draws into a reportlab page: charts become vector paths, their text stays text."""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.font_manager import FontProperties

from finlmm_core.domain import Box
from finlmm_core.synth.fonts import FontFamily, text_width
from finlmm_core.synth.sheet import ink_box, is_cjk


class CanvasRenderer(RendererBase):
    """Draws a figure of 72 dots an inch, so that a pixel is a point.

    With ``canvas=None`` it only measures: ``ink`` collects the boxes of what would be painted, in points from the
    figure's top left corner.

    Args:
        width: of the figure, points.
        height: of the figure, points.
        family: reportlab fonts that stand in for matplotlib's.
        canvas: reportlab canvas, or None.
        left: where the figure's left edge is on the page, points.
        bottom: where its lower edge is, points from the bottom of the page.
    """

    def __init__(
        self, width: float, height: float, family: FontFamily, canvas: Any = None, left: float = 0, bottom: float = 0
    ) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.family = family
        self.canvas = canvas
        self.left, self.bottom = left, bottom
        self.ink: list[Box] = []
        self.dpi = 72

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.width, self.height

    def flipy(self) -> bool:
        return False

    def points_to_pixels(self, points: Any) -> Any:
        return points

    def font(self, prop: FontProperties) -> str:
        """Return the reportlab font for matplotlib's wish."""
        weight = prop.get_weight()
        bold = weight in ("bold", "semibold", "heavy") or (isinstance(weight, int) and weight >= 600)
        return self.family.bold if bold else self.family.regular

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        size = prop.get_size_in_points()
        return text_width(s, self.font(prop), size), 0.93 * size, 0.2 * size

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        size, font = prop.get_size_in_points(), self.font(prop)
        width = text_width(s, font, size)
        if angle == 0:
            above = self.height - y
            self.ink.append(ink_box(x, above, width, s, size))
        elif angle == 90:
            high = 0.86 if any(is_cjk(char) for char in s) else 0.72
            self.ink.append(Box(x - high * size, self.height - y - width, x + 0.2 * size, self.height - y))
        else:
            raise ValueError(f"text is drawn at 0 or 90 degrees, not {angle}")
        if self.canvas is None:
            return
        self.canvas.saveState()
        self.canvas.setFillColorRGB(*gc.get_rgb()[:3])
        self.canvas.setFont(font, size)
        if angle == 0:
            self.canvas.drawString(self.left + x, self.bottom + y, s)
        else:
            self.canvas.translate(self.left + x, self.bottom + y)
            self.canvas.rotate(90)
            self.canvas.drawString(0, 0, s)
        self.canvas.restoreState()

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:
        line_width = gc.get_linewidth()
        stroke = line_width > 0 and gc.get_rgb()[3] > 0
        fill = rgbFace is not None and (len(rgbFace) < 4 or rgbFace[3] > 0)
        if not stroke and not fill:
            return
        clip = gc.get_clip_rectangle()
        self._measure(path, transform, clip, line_width if stroke else 0.0, fill, rgbFace)
        if self.canvas is None:
            return
        canvas = self.canvas
        canvas.saveState()
        canvas.translate(self.left, self.bottom)
        if clip is not None:
            area = canvas.beginPath()
            area.rect(*clip.bounds)
            canvas.clipPath(area, stroke=0, fill=0)
        if stroke:
            canvas.setStrokeColorRGB(*gc.get_rgb()[:3])
            canvas.setLineWidth(line_width)
            canvas.setLineCap({"butt": 0, "round": 1, "projecting": 2}[gc.get_capstyle()])
            canvas.setLineJoin({"miter": 0, "round": 1, "bevel": 2}[gc.get_joinstyle()])
            _, dashes = gc.get_dashes()
            if dashes is not None:
                canvas.setDash([float(dash) for dash in dashes])
        if fill:
            canvas.setFillColorRGB(*rgbFace[:3])
        alpha = gc.get_alpha()
        if alpha is not None and alpha < 1:
            canvas.setFillAlpha(alpha)
        canvas.drawPath(self._outline(path, transform), stroke=int(stroke), fill=int(fill))
        canvas.restoreState()

    def _outline(self, path: Any, transform: Any) -> Any:
        outline = self.canvas.beginPath()
        x = y = 0.0
        for points, code in path.iter_segments(transform, simplify=False, curves=True):
            values = [float(value) for value in points]
            if code == path.MOVETO:
                outline.moveTo(*values)
            elif code == path.LINETO:
                outline.lineTo(*values)
            elif code == path.CURVE3:
                a, b, c, d = values
                outline.curveTo(
                    x + 2 / 3 * (a - x), y + 2 / 3 * (b - y), c + 2 / 3 * (a - c), d + 2 / 3 * (b - d), c, d
                )
            elif code == path.CURVE4:
                outline.curveTo(*values)
            elif code == path.CLOSEPOLY:
                outline.close()
                continue
            x, y = values[-2], values[-1]
        return outline

    def _measure(self, path: Any, transform: Any, clip: Any, line_width: float, fill: bool, face: Any) -> None:
        if line_width == 0 and face is not None and min(face[:3]) > 0.995:
            return  # white on white is no ink
        extents = path.get_extents(transform)
        half = line_width / 2
        x0, x1, y0, y1 = extents.x0 - half, extents.x1 + half, extents.y0 - half, extents.y1 + half
        if clip is not None:
            x0, x1, y0, y1 = max(x0, clip.x0), min(x1, clip.x1), max(y0, clip.y0), min(y1, clip.y1)
        if x1 > x0 and y1 > y0:
            self.ink.append(Box(x0, self.height - y1, x1, self.height - y0))
