"""What pdfminer.six's interpreter draws on: a device that notes glyphs, painted paths and pictures as they come.

pdfminer's own layout objects know no clipping, no crop box and no spot colours, and grouping them costs more than
reading the page; this device keeps what the shared layout needs and nothing else.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from pdfminer.pdfdevice import PDFTextDevice
from pdfminer.pdffont import PDFUnicodeNotDefined
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdftypes import PDFStream, dict_value, list_value, num_value, resolve1
from pdfminer.utils import apply_matrix_pt, apply_matrix_rect, mult_matrix

from finlmm_parsers.glyphs import Glyph
from finlmm_parsers.pdfminer_colour import named_colour_space, rgb_of
from finlmm_parsers.primitives import Raster, Shape

Rectangle = tuple[float, float, float, float]
Point = tuple[float, float]

#: Forms drawn on one page, nested ones counted each time: a page that draws more is a bomb, not a page.
MOST_FORMS = 50_000
#: Forms within forms; deeper ones are not drawn.
DEEPEST_FORM = 60
#: Marks (glyphs, paths, pictures) on one page.
MOST_MARKS = 2_000_000

#: Width of a letter, in font sizes, where a font tells nothing.
UNKNOWN_WIDTH = 0.5

_BOLD_NAMES = ("bold", "black", "heavy", "semibold", "demi")


class PageTooComplexError(ValueError):
    """A page draws more than any page of a report does; what was drawn before is kept."""


class PrimitivesDevice(PDFTextDevice):
    """Collects one page's marks. Coordinates come out in points with the origin top left.

    Args:
        resources: pdfminer's font cache, one a document.
        width: of the page as shown, in points.
        height: of the page as shown, in points.
    """

    def __init__(self, resources: PDFResourceManager, width: float, height: float) -> None:
        super().__init__(resources)
        self.width = width
        self.height = height
        self.glyphs: list[Glyph] = []
        self.shapes: list[Shape] = []
        self.rasters: list[Raster] = []
        self.clip: Rectangle = (0.0, 0.0, width, height)  # origin bottom left, as pdfminer's matrices have it
        self.seen_through = (False, False)  # whether fills and strokes are wholly transparent now
        self.forms = 0
        self._character_space = 0.0
        self._fonts: dict[int, tuple[bool, float, float, bool]] = {}
        self._fonts_held: list[Any] = []  # an id is a font's only while the font lives

    # ------------------------------------------------------------------------------------------------- text

    def render_string(self, textstate: Any, seq: Any, ncs: Any, graphicstate: Any) -> None:
        self._character_space = textstate.charspace * textstate.scaling * 0.01
        if textstate.font is not None:
            super().render_string(textstate, seq, ncs, graphicstate)

    def render_char(
        self,
        matrix: Any,
        font: Any,
        fontsize: float,
        scaling: float,
        rise: float,
        cid: int,
        ncs: Any,
        graphicstate: Any,
    ) -> float:
        try:
            text = font.to_unichr(cid)
        except PDFUnicodeNotDefined:
            text = "\ufffd"  # so that a page of unreadable codes can be told from a page of words
        bold, ascent, descent, widthless = self._font(font)
        a, b, c, d, _, _ = matrix
        advance = (UNKNOWN_WIDTH if widthless else font.char_width(cid)) * fontsize * scaling
        scale_across = math.hypot(c, d)
        size = abs(fontsize) * scale_across
        if font.is_vertical():
            across, down = font.char_disp(cid)
            left = -(fontsize * 0.5 if across is None else across * fontsize * 0.001)
            top = (1000 - down) * fontsize * 0.001 + rise
            bounds = (left, top + advance, left + fontsize, top)
            scale_along = math.hypot(c, d) or 1.0
            direction = (c / scale_along, d / scale_along)
        else:
            bounds = (0.0, descent * fontsize + rise, advance, ascent * fontsize + rise)
            scale_along = math.hypot(a, b) or 1.0
            direction = (a / scale_along, b / scale_along)
        if font.is_vertical():
            advance_length = abs(advance) * scale_along
            direction = (-direction[0], -direction[1])
        else:
            advance_length = advance * scale_along
        if not size or len(self.glyphs) > MOST_MARKS:
            self._refuse_too_many()
            return advance
        x0, y0, x1, y1 = apply_matrix_rect(matrix, bounds)
        pen_x, pen_y = apply_matrix_pt(matrix, (0, rise))
        self.glyphs.append(
            Glyph(
                text=text,
                x=pen_x,
                y=self.height - pen_y,
                direction_x=direction[0],
                direction_y=-direction[1],
                advance=advance_length,
                spacing=self._character_space * scale_along,
                size=size,
                bold=bold,
                box=(min(x0, x1), self.height - max(y0, y1), max(x0, x1), self.height - min(y0, y1)),
            )
        )
        return advance

    def _font(self, font: Any) -> tuple[bool, float, float, bool]:
        """Bold or not, ascent and descent in font sizes (usual ones for nonsense), whether it has no widths."""
        key = id(font)
        if key not in self._fonts:
            name = str(getattr(font, "fontname", "") or "").lower()
            descriptor = getattr(font, "descriptor", None) or {}
            flags = resolve1(descriptor.get("Flags", 0)) or 0
            weight = resolve1(descriptor.get("FontWeight", 0)) or 0
            bold = any(part in name for part in _BOLD_NAMES)
            bold = bold or (isinstance(flags, int) and bool(flags & 1 << 18))
            bold = bold or (isinstance(weight, (int, float)) and weight >= 600)
            ascent, descent = font.get_ascent(), font.get_descent()
            if not 0.4 <= ascent <= 1.4:
                ascent = 0.9
            if not -0.6 <= descent <= -0.05:
                descent = -0.22
            # A font that is neither in the file nor one of the standard ones has no widths at all.
            widthless = not font.default_width and not any(font.widths.values())
            self._fonts[key] = (bold, ascent, descent, widthless)
            self._fonts_held.append(font)
        return self._fonts[key]

    # ------------------------------------------------------------------------------------------------- paths

    def paint_path(self, graphicstate: Any, stroke: bool, fill: bool, evenodd: bool, path: Any) -> None:
        outlines: list[list[Point]] = []  # a moved pen begins another
        segments = 0
        curved = diagonal = False
        for part in path:
            numbers = part[1:]
            points = [apply_matrix_pt(self.ctm, pair) for pair in zip(numbers[::2], numbers[1::2], strict=False)]
            segments += len(points)
            if part[0] == "m" or not outlines:
                outlines.append([])
            elif part[0] == "l" and outlines[-1] and not fill:
                (x, y), (last_x, last_y) = points[-1], outlines[-1][-1]
                diagonal |= abs(x - last_x) > 0.5 and abs(y - last_y) > 0.5
            curved |= part[0] in "cvy"
            outlines[-1] += points
        outlines = [outline for outline in outlines if len(outline) > 1]
        if not outlines:
            return
        fill, stroke = fill and not self.seen_through[0], stroke and not self.seen_through[1]
        if not fill and not stroke:
            return
        if segments == 4 and path[-1][0] == "h":
            segments = 5  # a closed rectangle, as other readers count it
        a, b, c, d, _, _ = self.ctm
        line_width = graphicstate.linewidth * math.sqrt(abs(a * d - b * c)) if stroke else 0.0
        shape = Shape(
            *(0.0, 0.0, 0.0, 0.0),
            segments=segments,
            curved=curved,
            fill=rgb_of(graphicstate.ncolor, graphicstate.ncs) if fill else None,
            stroke=rgb_of(graphicstate.scolor, graphicstate.scs) if stroke else None,
            line_width=line_width,
            diagonal=diagonal,
        )
        if fill and not curved and len(outlines) > 1 and all(_is_rectangle(outline) for outline in outlines):
            for outline in outlines:
                self._add_shape(shape._replace(segments=5), outline, line_width / 2)
        else:
            self._add_shape(shape, [point for outline in outlines for point in outline], line_width / 2)

    def _add_shape(self, shape: Shape, points: Sequence[Point], margin: float) -> None:
        xs = [x for x, _ in points]
        ys = [y for _, y in points]
        seen = self._shown((min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin))
        if seen is None:
            return
        if len(self.shapes) > MOST_MARKS:
            self._refuse_too_many()
        x0, y0, x1, y1 = seen
        self.shapes.append(shape._replace(x0=x0, y0=y0, x1=x1, y1=y1))

    # ------------------------------------------------------------------------------------------------- pictures

    def render_image(self, name: str, stream: PDFStream) -> None:
        bounds = apply_matrix_rect(self.ctm, (0, 0, 1, 1))
        seen = self._shown(bounds)
        if seen is None:
            return
        width = int(num_value(stream.get_any(("W", "Width"), 0)))
        height = int(num_value(stream.get_any(("H", "Height"), 0)))
        data = stream.rawdata if stream.rawdata is not None else stream.data or b""
        digest = hashlib.sha256(data)
        digest.update(f"{width}x{height}".encode())
        self.rasters.append(Raster(*seen, pixel_width=width, pixel_height=height, digest=digest.hexdigest()[:24]))

    def _shown(self, bounds: Rectangle) -> Rectangle | None:
        """The part within the clip, origin top left; None where nothing of it is seen (lines have no extent)."""
        x0, y0 = max(bounds[0], self.clip[0]), max(bounds[1], self.clip[1])
        x1, y1 = min(bounds[2], self.clip[2]), min(bounds[3], self.clip[3])
        if x1 < x0 or y1 < y0:
            return None
        return (x0, self.height - y1, x1, self.height - y0)

    def _refuse_too_many(self) -> None:
        if len(self.glyphs) > MOST_MARKS or len(self.shapes) > MOST_MARKS:
            raise PageTooComplexError(f"more than {MOST_MARKS} marks")


def _is_rectangle(outline: Sequence[Point]) -> bool:
    """Tell whether points are the corners of an upright rectangle; the first may come again at the end."""
    corners = outline[:4] if len(outline) == 5 and outline[4] == outline[0] else outline
    if len(corners) != 4:
        return False
    xs, ys = sorted(x for x, _ in corners), sorted(y for _, y in corners)
    small = 0.001 * (xs[3] - xs[0] + ys[3] - ys[0])
    pairs = xs[1] - xs[0] <= small and xs[3] - xs[2] <= small and ys[1] - ys[0] <= small and ys[3] - ys[2] <= small
    upright = all(
        abs(one[0] - other[0]) <= small or abs(one[1] - other[1]) <= small
        for one, other in zip(corners, (*corners[1:], corners[0]), strict=True)
    )
    return pairs and upright


class PrimitivesInterpreter(PDFPageInterpreter):
    """pdfminer's interpreter with clipping, named colour spaces, and limits on forms within forms."""

    device: PrimitivesDevice

    def __init__(self, rsrcmgr: PDFResourceManager, device: PrimitivesDevice, depth: int = 0) -> None:
        super().__init__(rsrcmgr, device)
        self.depth = depth
        self._clip_pending = False
        self._saved: list[tuple[Rectangle, tuple[bool, bool]]] = []

    def dup(self) -> PrimitivesInterpreter:
        return PrimitivesInterpreter(self.rsrcmgr, self.device, self.depth + 1)

    def init_resources(self, resources: Any) -> None:
        super().init_resources(resources)
        spaces = dict_value(resources).get("ColorSpace") if resources else None
        if spaces is None:
            return
        for name, specification in dict_value(spaces).items():
            space = named_colour_space(specification)
            if space is not None:
                self.csmap[name] = space

    def do_q(self) -> None:
        super().do_q()
        self._saved.append((self.device.clip, self.device.seen_through))

    def do_Q(self) -> None:
        super().do_Q()
        if self._saved:
            self.device.clip, self.device.seen_through = self._saved.pop()

    def do_gs(self, name: Any) -> None:
        super().do_gs(name)
        states = dict_value(self.resources.get("ExtGState") or {}) if self.resources else {}
        state = dict_value(states.get(getattr(name, "name", name)) or {})
        fill, stroke = self.device.seen_through
        if "ca" in state:
            fill = resolve1(state["ca"]) == 0
        if "CA" in state:
            stroke = resolve1(state["CA"]) == 0
        self.device.seen_through = (fill, stroke)

    def do_W(self) -> None:
        self._clip_pending = True

    def do_W_a(self) -> None:
        self._clip_pending = True

    def _end_path(self) -> None:
        """Apply a clip operator: PDF lets it act after the path it stands beside has been painted."""
        if not self._clip_pending:
            return
        self._clip_pending = False
        pairs = [part[1:][i : i + 2] for part in self.curpath for i in range(0, len(part) - 1, 2)]
        points = [apply_matrix_pt(self.ctm, pair) for pair in pairs if len(pair) == 2]
        if points:
            self._clip_to(
                (
                    min(x for x, _ in points),
                    min(y for _, y in points),
                    max(x for x, _ in points),
                    max(y for _, y in points),
                )
            )

    def _clip_to(self, bounds: Rectangle) -> None:
        x0, y0, x1, y1 = self.device.clip
        self.device.clip = (max(x0, bounds[0]), max(y0, bounds[1]), min(x1, bounds[2]), min(y1, bounds[3]))

    def do_n(self) -> None:
        self._end_path()
        super().do_n()

    def do_S(self) -> None:
        path = self.curpath
        super().do_S()
        self._after(path)

    def do_f(self) -> None:
        path = self.curpath
        super().do_f()
        self._after(path)

    def do_F(self) -> None:
        self.do_f()  # the obsolete name of the same operator, which pdfminer leaves out

    def do_f_a(self) -> None:
        path = self.curpath
        super().do_f_a()
        self._after(path)

    def do_B(self) -> None:
        path = self.curpath
        super().do_B()
        self._after(path)

    def do_B_a(self) -> None:
        path = self.curpath
        super().do_B_a()
        self._after(path)

    def _after(self, path: Any) -> None:
        if self._clip_pending:
            self.curpath = path
            self._end_path()
            self.curpath = []

    def do_Do(self, xobjid_arg: Any) -> None:
        self.device.forms += 1
        if self.depth > DEEPEST_FORM:
            return
        if self.device.forms > MOST_FORMS:
            raise PageTooComplexError(f"more than {MOST_FORMS} forms")
        clip, seen_through = self.device.clip, self.device.seen_through
        name = xobjid_arg.name if hasattr(xobjid_arg, "name") else xobjid_arg
        form = resolve1(self.xobjmap.get(name))
        if isinstance(form, PDFStream) and "BBox" in form and "Width" not in form:
            box = [float(num_value(value)) for value in list_value(form["BBox"])]
            matrix = [float(num_value(value)) for value in list_value(form.get("Matrix", [1, 0, 0, 1, 0, 0]))]
            if len(box) == 4 and len(matrix) == 6:
                bounds = apply_matrix_rect(mult_matrix(tuple(matrix), self.ctm), tuple(box))
                self._clip_to(bounds)
        super().do_Do(xobjid_arg)
        self.device.clip, self.device.seen_through = clip, seen_through
        self.device.set_ctm(self.ctm)  # a form's interpreter leaves its own matrix behind
