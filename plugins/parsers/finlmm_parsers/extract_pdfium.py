"""Words, shapes and rasters of a page, and rendered regions, through pdfium.

Built for speed: the text of a page comes in one call, boxes are asked for the first and the last character of each
word only, text objects are skipped by their type, and the handles travel as plain addresses.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from finlmm_core.domain import Box
from finlmm_core.errors import DocumentError
from finlmm_parsers import pdfium_library as pdfium
from finlmm_parsers.crops import Drawing
from finlmm_parsers.guards import check_file
from finlmm_parsers.primitives import PagePrimitives, Raster, Shape, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    _Floats = NDArray[np.float64]

_WORD = re.compile(r"\S+")
#: pdfium writes U+0002 or U+FFFE for a hyphen at the end of a line, with the next line's word right after it, and
#: other control characters for glyphs that it cannot name.
_ODD = re.compile("[\x00-\x08\x0e-\x1b\ufffe\uffff\u200b]")
_ODD_WORD = re.compile("[^\\s\x00-\x1f\ufffe\uffff\u200b]+[\x02\ufffe]?")
_BOLD_NAME = re.compile("bold|black|heavy|semibold|demi", re.IGNORECASE)
#: Forms nest; deeper than this is a broken or hostile file.
_DEEPEST_FORM = 12
#: More painted objects than this on a page (maps, hatchings, hostile files) are not looked at one by one.
_MOST_OBJECTS = 20_000
#: Shapes with more segments than this are not searched for curves beyond it.
_SEGMENTS_LOOKED_AT = 12
#: Paths thinner than this, in points, are rules and ticks: nothing more is asked of them.
_THIN = 2.0
#: Paths of rectangles with more segments than this are not taken apart.
_PIECE_SEGMENTS = 1000
#: Paths longer than this, in points, are cut to their clip paths; clip paths with more segments are passed over.
_LARGE = 60.0
_CLIP_SEGMENTS = 64


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


class PdfiumFile:
    """An open PDF. Use as a context manager; pages are loaded one at a time and freed at once.

    Args:
        path: the file.

    Raises:
        DocumentError: ``not_a_pdf``, ``empty``, ``encrypted`` or ``unreadable``.
    """

    def __init__(self, path: Path) -> None:
        self._lib = pdfium.library()
        self._document = _open(path)
        self._handle: int = ctypes.cast(self._document.raw, ctypes.c_void_p).value or 0
        self._page_handle: int | None = None
        self._page_number = 0
        self._floats = (ctypes.c_float * 8)()
        self._float_at = ctypes.addressof(self._floats)
        self._ints = (ctypes.c_uint * 8)()
        self._int_at = ctypes.addressof(self._ints)

    def __len__(self) -> int:
        return len(self._document)

    def __enter__(self) -> PdfiumFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free everything; the object cannot be used afterwards."""
        self._leave_page()
        self._document.close()

    def _enter_page(self, number: int) -> int:
        """Return the handle of a page (from 1). The last page used stays loaded, so that crops after text are cheap."""
        if self._page_number == number and self._page_handle is not None:
            return self._page_handle
        self._leave_page()
        handle = self._lib.FPDF_LoadPage(self._handle, number - 1)
        if not handle:
            raise DocumentError("unreadable", f"page {number} cannot be loaded")
        self._page_handle, self._page_number = handle, number
        return handle

    def _leave_page(self) -> None:
        if self._page_handle is not None:
            self._lib.FPDF_ClosePage(self._page_handle)
            self._page_handle = None

    def size(self, number: int) -> tuple[float, float]:
        """Return width and height, in points, of a page (from 1) as shown."""
        handle = self._enter_page(number)
        return self._lib.FPDF_GetPageWidthF(handle), self._lib.FPDF_GetPageHeightF(handle)

    def page(self, number: int) -> PagePrimitives:
        """Return what is painted on a page (from 1), crop box and rotation applied."""
        handle = self._enter_page(number)
        width, height = self.size(number)
        to_shown = self._to_shown(handle)
        words = self._words(handle, to_shown)
        shapes: list[Shape] = []
        rasters: list[Raster] = []
        for kind, painted, matrix in self._objects(handle, to_shown):
            if kind == pdfium.IMAGE:
                raster = self._raster(painted, matrix)
                if raster is not None:
                    rasters.append(raster)
            else:
                shape = self._shape(kind, painted, matrix)
                if shape is None:
                    continue
                pieces = self._pieces(painted, matrix, shape) if shape.segments > 7 and shape.fill is not None else []
                shapes += pieces or [shape]
        return PagePrimitives(number, width, height, words, shapes, rasters, "layer" if words else "none")

    def _to_shown(self, handle: int) -> Affine:
        """Return the transform from the page's own space (origin bottom left) to the page as shown."""
        self._lib.FPDF_GetPageBoundingBox(handle, self._float_at)  # left, top, right, bottom
        left, top, right, bottom = self._floats[0:4]
        turn = self._lib.FPDFPage_GetRotation(handle)
        if turn == 1:
            return Affine(0, 1, 1, 0, -bottom, -left)
        if turn == 2:
            return Affine(-1, 0, 0, 1, right, -bottom)
        if turn == 3:
            return Affine(0, -1, -1, 0, top, right)
        return Affine(1, 0, 0, -1, -left, top)

    # ------------------------------------------------------------------------------------------------- text

    def _words(self, handle: int, to_shown: Affine) -> list[Word]:
        lib = self._lib
        text_page = lib.FPDFText_LoadPage(handle)
        if not text_page:
            return []
        try:
            return self._words_of(text_page, to_shown)
        finally:
            lib.FPDFText_ClosePage(text_page)

    def _text(self, text_page: int) -> str:
        """Return the page's text, exactly one character for each of pdfium's character indices."""
        lib = self._lib
        count = lib.FPDFText_CountChars(text_page)
        if count <= 0:
            return ""
        buffer = ctypes.create_string_buffer(2 * count + 4)
        written = lib.FPDFText_GetText(text_page, 0, count, ctypes.addressof(buffer)) - 1
        text = buffer.raw[: 2 * max(written, 0)].decode("utf-16-le", "replace")
        if len(text) == count:
            return text
        codes = (lib.FPDFText_GetUnicode(text_page, index) for index in range(count))
        return "".join(chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " " for code in codes)

    def _words_of(self, text_page: int, to_shown: Affine) -> list[Word]:
        lib = self._lib
        text = self._text(text_page)
        pattern = _ODD_WORD if _ODD.search(text) else _WORD
        matches = list(pattern.finditer(text))
        if not matches:
            return []
        spans = [match.span() for match in matches]
        # The boxes of the first and the last character of each word, one after the other: left, top, right, bottom.
        buffer = (ctypes.c_float * (8 * len(spans)))()
        at = ctypes.addressof(buffer)
        get_box = lib.FPDFText_GetLooseCharBox
        for start, end in spans:
            get_box(text_page, start, at)
            get_box(text_page, end - 1, at + 16)
            at += 32
        corners = np.frombuffer(buffer, dtype=np.float32).astype(np.float64).reshape(-1, 8)
        x0, y0, x1, y1 = to_shown.bounds_of_all(
            np.minimum(corners[:, 0], corners[:, 4]),
            np.minimum(corners[:, 3], corners[:, 7]),
            np.maximum(corners[:, 2], corners[:, 6]),
            np.maximum(corners[:, 1], corners[:, 5]),
        )
        get_object = lib.FPDFText_GetTextObject
        styles: dict[int, tuple[float, bool, bool]] = {}
        fonts: dict[int, bool] = {}
        known: dict[tuple[float, ...], tuple[float, bool]] = {}
        shown_as = []
        for start, _ in spans:
            owner = get_object(text_page, start) or 0
            style = styles.get(owner)
            if style is None:
                style = styles[owner] = self._style(text_page, start, owner, to_shown, fonts, known)
            shown_as.append(style)
        texts = [match.group() for match in matches]
        texts = [text[:-1] + "-" if text[-1] in "\x02\ufffe" else text for text in texts]
        sizes, bolds, uprights = zip(*shown_as, strict=True)
        rows = zip(texts, x0.tolist(), y0.tolist(), x1.tolist(), y1.tolist(), sizes, bolds, uprights, strict=True)
        return list(map(Word._make, rows))

    def _style(
        self,
        text_page: int,
        index: int,
        owner: int,
        to_shown: Affine,
        fonts: dict[int, bool],
        known: dict[tuple[float, ...], tuple[float, bool]],
    ) -> tuple[float, bool, bool]:
        """Return font size as shown, boldness, and whether the writing runs left to right, for one text object."""
        lib = self._lib
        lib.FPDFText_GetMatrix(text_page, index, self._float_at)
        key = (lib.FPDFText_GetFontSize(text_page, index), *self._floats[0:4])
        found = known.get(key)
        if found is None:
            shown = to_shown.after(Affine(*key[1:]))
            size = round(key[0] * math.hypot(shown.c, shown.d), 2)
            found = known[key] = (size, shown.a > 0 and abs(shown.b) < 0.3 * shown.a)
        bold = False
        if owner:
            font = lib.FPDFTextObj_GetFont(owner) or 0
            is_bold = fonts.get(font)
            if is_bold is None:
                is_bold = fonts[font] = bool(font) and self._is_bold(font)
            bold = is_bold
        return found[0], bold, found[1]

    def _is_bold(self, font: int) -> bool:
        if self._lib.FPDFFont_GetWeight(font) >= 600:
            return True
        buffer = ctypes.create_string_buffer(128)
        length = self._lib.FPDFFont_GetBaseFontName(font, ctypes.addressof(buffer), 128)
        return 0 < length <= 128 and _BOLD_NAME.search(buffer.value.decode("utf-8", "replace")) is not None

    # ----------------------------------------------------------------------------------------------- painting

    def _objects(self, handle: int, to_shown: Affine) -> Iterator[tuple[int, int, Affine]]:
        """Yield type, handle and transform of each object that is not text, those inside forms included."""
        lib = self._lib
        get, kind_of = lib.FPDFPage_GetObject, lib.FPDFPageObj_GetType
        budget = _MOST_OBJECTS
        for index in range(lib.FPDFPage_CountObjects(handle)):
            painted = get(handle, index)
            kind = kind_of(painted)
            if kind == pdfium.TEXT:
                continue
            if kind == pdfium.FORM:
                for inner in self._inside(painted, to_shown, 1):
                    budget -= 1
                    if budget < 0:
                        return
                    yield inner
                continue
            budget -= 1
            if budget < 0:
                return
            yield kind, painted, to_shown

    def _inside(self, form: int, to_shown: Affine, depth: int) -> Iterator[tuple[int, int, Affine]]:
        lib = self._lib
        if depth > _DEEPEST_FORM:
            return
        if lib.FPDFPageObj_GetMatrix(form, self._float_at):
            to_shown = to_shown.after(Affine(*self._floats[0:6]))
        for index in range(lib.FPDFFormObj_CountObjects(form)):
            painted = lib.FPDFFormObj_GetObject(form, index)
            kind = lib.FPDFPageObj_GetType(painted)
            if kind == pdfium.FORM:
                yield from self._inside(painted, to_shown, depth + 1)
            elif kind != pdfium.TEXT:
                yield kind, painted, to_shown

    def _bounds(self, painted: int, matrix: Affine) -> tuple[float, float, float, float] | None:
        at = self._float_at
        if not self._lib.FPDFPageObj_GetBounds(painted, at, at + 4, at + 8, at + 12):
            return None
        return matrix.bounds(*self._floats[0:4])

    def _shape(self, kind: int, painted: int, matrix: Affine) -> Shape | None:
        bounds = self._bounds(painted, matrix)
        if bounds is None:
            return None
        if kind != pdfium.PATH:  # a shading: a smooth fill whose colours pdfium does not tell
            return Shape(*bounds, 4, False, 0x808080, None, 0.0)
        lib, ints, at = self._lib, self._ints, self._int_at
        lib.FPDFPath_GetDrawMode(painted, at, at + 4)
        filled, stroked = ints[0:2]
        if not filled and not stroked:
            return None  # a clip path
        fill = stroke = None
        if filled and lib.FPDFPageObj_GetFillColor(painted, at, at + 4, at + 8, at + 12):
            red, green, blue, alpha = ints[0:4]
            fill = red << 16 | green << 8 | blue if alpha else None
        line_width = 0.0
        if stroked and lib.FPDFPageObj_GetStrokeColor(painted, at, at + 4, at + 8, at + 12):
            red, green, blue, alpha = ints[0:4]
            stroke = red << 16 | green << 8 | blue if alpha else None
            if lib.FPDFPageObj_GetStrokeWidth(painted, self._float_at):
                line_width = self._floats[0] * matrix.scale
        if fill is None and stroke is None:
            return None
        segments = lib.FPDFPath_CountSegments(painted)
        x0, y0, x1, y1 = bounds
        thick = x1 - x0 > _THIN and y1 - y0 > _THIN
        curved = diagonal = False
        if thick:  # neither a rule nor a tick
            if segments != 5 or fill is None:
                curved, diagonal = self._course(painted, min(segments, _SEGMENTS_LOOKED_AT), fill is None)
            if x1 - x0 > _LARGE or y1 - y0 > _LARGE:
                clipped = self._clipped(painted, matrix, bounds)
                if clipped is None:
                    return None
                bounds = clipped
        return Shape(*bounds, segments, curved, fill, stroke, line_width, diagonal)

    def _course(self, painted: int, count: int, unfilled: bool) -> tuple[bool, bool]:
        """Tell whether a path has a curve, and whether an unfilled one has a slanted straight line."""
        lib, at = self._lib, self._float_at
        get, kind_of, point_of = lib.FPDFPath_GetPathSegment, lib.FPDFPathSegment_GetType, lib.FPDFPathSegment_GetPoint
        slanted = False
        x = y = 0.0
        for index in range(count):
            segment = get(painted, index)
            kind = kind_of(segment)
            if kind == pdfium.BEZIER_TO:
                return True, slanted
            if unfilled and not slanted:
                point_of(segment, at, at + 4)
                last_x, last_y, x, y = x, y, self._floats[0], self._floats[1]
                slanted = index > 0 and kind == pdfium.LINE_TO and abs(x - last_x) > 0.5 and abs(y - last_y) > 0.5
        return False, slanted

    def _pieces(self, painted: int, matrix: Affine, shape: Shape) -> list[Shape]:
        """Return the rectangles of a filled path that is made of nothing else, [] for other paths.

        Office programs paint all bars of a series, and some all shaded cells of a column, as one path.
        """
        if shape.curved or not 8 <= shape.segments <= _PIECE_SEGMENTS:
            return []
        lib, at = self._lib, self._float_at
        get, kind_of, point_of = lib.FPDFPath_GetPathSegment, lib.FPDFPathSegment_GetType, lib.FPDFPathSegment_GetPoint
        outlines: list[list[tuple[float, float]]] = []
        for index in range(shape.segments):
            segment = get(painted, index)
            kind = kind_of(segment)
            if kind == pdfium.BEZIER_TO:
                return []
            if kind == pdfium.MOVE_TO:
                if outlines and not _is_rectangle(outlines[-1]):
                    return []
                outlines.append([])
            elif not outlines:
                return []
            point_of(segment, at, at + 4)
            outlines[-1].append((self._floats[0], self._floats[1]))
        if len(outlines) < 2 or not _is_rectangle(outlines[-1]):
            return []
        if lib.FPDFPageObj_GetMatrix(painted, at):
            matrix = matrix.after(Affine(*self._floats[0:6]))
        pieces = []
        for outline in outlines:
            xs, ys = [point[0] for point in outline], [point[1] for point in outline]
            x0, y0, x1, y1 = matrix.bounds(min(xs), min(ys), max(xs), max(ys))
            x0, y0, x1, y1 = max(x0, shape.x0), max(y0, shape.y0), min(x1, shape.x1), min(y1, shape.y1)  # the clip
            if x1 > x0 and y1 > y0:
                pieces.append(Shape(x0, y0, x1, y1, 5, False, shape.fill, shape.stroke, shape.line_width))
        return pieces

    def _clipped(
        self, painted: int, matrix: Affine, bounds: tuple[float, float, float, float]
    ) -> tuple[float, float, float, float] | None:
        """Return the part of the bounds that the bounds of its clip paths leave; None where nothing is left."""
        lib, at = self._lib, self._float_at
        clip = lib.FPDFPageObj_GetClipPath(painted)
        if not clip:
            return bounds
        x0, y0, x1, y1 = bounds
        for path in range(max(0, lib.FPDFClipPath_CountPaths(clip))):
            xs, ys = [], []
            count = lib.FPDFClipPath_CountPathSegments(clip, path)
            for index in range(count if count <= _CLIP_SEGMENTS else 0):
                lib.FPDFPathSegment_GetPoint(lib.FPDFClipPath_GetPathSegment(clip, path, index), at, at + 4)
                xs.append(self._floats[0])
                ys.append(self._floats[1])
            if len(xs) < 3:
                continue
            left, top, right, bottom = matrix.bounds(min(xs), min(ys), max(xs), max(ys))
            x0, y0, x1, y1 = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _raster(self, painted: int, matrix: Affine) -> Raster | None:
        bounds = self._bounds(painted, matrix)
        if bounds is None:
            return None
        lib = self._lib
        bounds = self._clipped(painted, matrix, bounds)
        if bounds is None:
            return None
        self._ints[0] = self._ints[1] = 0
        lib.FPDFImageObj_GetImagePixelSize(painted, self._int_at, self._int_at + 4)
        width, height = self._ints[0:2]
        length = lib.FPDFImageObj_GetImageDataRaw(painted, None, 0)
        buffer = ctypes.create_string_buffer(length)
        lib.FPDFImageObj_GetImageDataRaw(painted, ctypes.addressof(buffer), length)
        digest = hashlib.blake2b(buffer, digest_size=12, key=b"%d %d" % (width, height)).hexdigest()
        return Raster(*bounds, width, height, digest)

    # ---------------------------------------------------------------------------------------------- rendering

    def render(self, number: int, box: Box | None, dpi: float, most_pixels: int = 16_000_000) -> Image:
        """Return a region of a page (from 1) as an RGB image.

        Args:
            number: the page.
            box: the region in points as shown; None for the whole page. It is cut to the page.
            dpi: pixels an inch; lowered where the image would have more than ``most_pixels``.
            most_pixels: the largest image, in pixels.
        """
        return self.draw(number, box, dpi, most_pixels).image()

    def draw(self, number: int, box: Box | None, dpi: float, most_pixels: int = 16_000_000) -> Drawing:
        """Return a region of a page as pixels that can be stored without being copied; arguments as for ``render``."""
        lib = self._lib
        handle = self._enter_page(number)
        page_width, page_height = self.size(number)
        x0, y0, x1, y1 = box if box is not None else (0.0, 0.0, page_width, page_height)
        x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(page_width, x1), min(page_height, y1)
        scale = dpi / 72.0
        area = max(1.0, (x1 - x0) * (y1 - y0) * scale * scale)
        if area > most_pixels:
            scale *= math.sqrt(most_pixels / area)
        left, top = math.floor(x0 * scale), math.floor(y0 * scale)
        width = max(1, math.ceil(x1 * scale) - left)
        height = max(1, math.ceil(y1 * scale) - top)
        drawing = Drawing(width, height)
        bitmap = lib.FPDFBitmap_CreateEx(width, height, pdfium.BITMAP_BGR, drawing.address + 1, drawing.stride)
        if not bitmap:
            raise DocumentError("unreadable", f"page {number}: no bitmap of {width} x {height} pixels")
        try:
            lib.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
            lib.FPDF_RenderPageBitmap(
                bitmap,
                handle,
                -left,
                -top,
                round(page_width * scale),
                round(page_height * scale),
                0,
                pdfium.RENDER_AS_RGB,
            )
        finally:
            lib.FPDFBitmap_Destroy(bitmap)
        return drawing


def _is_rectangle(outline: list[tuple[float, float]]) -> bool:
    """Tell whether four or five points (the last may be the first again) are the corners of an upright rectangle."""
    if len(outline) == 5 and outline[4] == outline[0]:
        outline = outline[:4]
    if len(outline) != 4:
        return False
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = outline
    small = 0.001 * (abs(ax - cx) + abs(ay - cy))
    first = abs(ax - bx) <= small and abs(by - cy) <= small and abs(cx - dx) <= small and abs(dy - ay) <= small
    second = abs(ay - by) <= small and abs(bx - cx) <= small and abs(cy - dy) <= small and abs(dx - ax) <= small
    return first or second


def _open(path: Path):  # type: ignore[no-untyped-def]  # pypdfium2 has no types
    check_file(path)
    helpers = pdfium.library().helpers
    try:
        document = helpers.PdfDocument(path)
    except helpers.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code in (helpers.raw.FPDF_ERR_PASSWORD, helpers.raw.FPDF_ERR_SECURITY):
            raise DocumentError("encrypted", "a password is needed") from None
        if code == helpers.raw.FPDF_ERR_SUCCESS:  # pdfium's answer to an empty page tree
            raise DocumentError("no_pages", "the file has no pages") from None
        raise DocumentError("unreadable", f"pdfium cannot open it: {error}") from None
    if len(document) == 0:
        raise DocumentError("no_pages", "the file has no pages")
    return document
