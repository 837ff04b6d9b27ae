"""A page picture taken apart into what a drawn page is made of: filled shapes, lines, curves, photographs.

The shared finders of charts and tables look at painted paths. Here the paths of a page that is one picture are won
back from its pixels: the picture is reduced to its few main colours, and each connected patch of one colour becomes a
shape with bounds and colour: a bar, a pie's sector, an axis, a gridline, a curve. Where no few colours prevail, there
is a photograph, which becomes a raster of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from finlmm_core.domain import Box
from finlmm_parsers.primitives import Raster, Shape, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How far two colours must be apart (largest difference of a channel) to count as two.
COLOUR_STEP = 18
#: How far a pixel may be from its main colour: pictures are stored with loss.
COLOUR_NOISE = 24
#: A colour that covers less of the page than this is no colour of a drawing but an edge between two.
LEAST_SHARE = 0.0004
#: Main colours looked at; designed pages have about ten.
MOST_COLOURS = 32
#: Patches smaller than this in both directions, in points, are specks.
SMALLEST = 4.0
#: Share of its bounds that a patch covers to count as a rectangle.
SOLID_SHARE = 0.85
#: A straight line is at most so thick, in points.
THICKEST_LINE = 3.0
#: Patches thinner than this, in pixels, are lines, or blurred edges between two others.
THICKEST_EDGE = 4
#: Pixels over which the edge of a patch is blurred (JPEG stores colours at half the resolution).
BLUR = 4
#: How far a line's colour must be from what it is drawn on.
LINE_CONTRAST = 28
#: Edges closer than this, in points, that were one line before they were pixels.
SNAP = 1.2
#: Side of the cells, in points, in which photographs are looked for; how many colours (of 4,096) a lively cell has at
#: least; the share of a photograph's cells in which not even four colours make up most; its least side in points.
PHOTO_CELL = 6.0
PHOTO_COLOURS = 9
PHOTO_SHARE = 0.3
SMALLEST_PHOTO = 48.0


def shapes_of_picture(
    pixels: NDArray[np.uint8], words: Sequence[Word], points_per_pixel: float
) -> tuple[list[Shape], list[Raster]]:
    """Return the shapes and the photographs of a page picture, boxes in points.

    Args:
        pixels: height x width x 3, red green blue.
        words: what was read in the picture; it is wiped off before shapes are looked for.
        points_per_pixel: how long a pixel is on the page.
    """
    wiped, hidden = _without_text(pixels, words, points_per_pixel)
    palette, share = _main_colours(wiped)
    labels = _nearest(wiped, palette)
    photographs, in_photograph = _photographs(wiped, points_per_pixel)
    labels[in_photograph] = -1
    paper = int(np.argmax(share))
    solid = np.where(labels == paper, np.int8(paper), np.int8(-1))
    found: list[tuple[int, int, Shape]] = []
    for index, colour in enumerate(palette):
        if index != paper:
            found += _patches(labels, index, colour, points_per_pixel, solid)
    found = _aligned(found)
    ink, meeting = _line_work(solid, len(palette))
    strokes = _strokes(ink & ~in_photograph, wiped, solid, palette, points_per_pixel)
    found += _joined(strokes, hidden | meeting, points_per_pixel)
    # Painting order: large things first, as a page is painted; ties by place.
    found.sort(key=lambda entry: (-entry[0], entry[1]))
    return [shape for _, _, shape in found], photographs


def _without_text(
    pixels: NDArray[np.uint8], words: Sequence[Word], points: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Wipe each word off with the colour around it, so that letters are no shapes and cut no bars in two.

    Row by row where both sides of the word agree, so that bands and rules go on behind it; else column by column where
    above and below agree, so that the edge of a bar does. Return the wiped picture and where it was wiped.
    """
    wiped = pixels.copy()
    height, width = pixels.shape[:2]
    spans = []
    text = np.zeros((height, width), dtype=bool)
    for word in words:
        x0, x1 = max(0, int(word.x0 / points) - 2), min(width, int(word.x1 / points) + 3)
        y0, y1 = max(0, int(word.y0 / points) - 1), min(height, int(word.y1 / points) + 2)
        if x1 - x0 >= 2 and y1 - y0 >= 2:
            spans.append((x0, y0, x1, y1))
            text[y0:y1, x0:x1] = True
    columns = np.arange(width, dtype=np.int32)
    before = np.maximum.accumulate(np.where(text, 0, columns), axis=1)  # nearest column to the left without text
    after = np.minimum.accumulate(np.where(text, width - 1, columns)[:, ::-1], axis=1)[:, ::-1]
    for x0, y0, x1, y1 in spans:
        rows = np.arange(y0, y1)
        left = pixels[rows, before[rows, x0]].astype(np.int16)
        right = pixels[rows, after[rows, x1 - 1]].astype(np.int16)
        if (np.abs(left - right).max(axis=1) < COLOUR_STEP).mean() > 0.8:
            wiped[y0:y1, x0:x1] = ((left + right) // 2).astype(np.uint8)[:, None]
            continue
        above = pixels[max(0, y0 - 1), x0:x1].astype(np.int16)
        below = pixels[min(height - 1, y1), x0:x1].astype(np.int16)
        usual = np.median(np.concatenate([above, below, left, right]), axis=0)
        agree = np.abs(above - below).max(axis=1) < COLOUR_STEP
        wiped[y0:y1, x0:x1] = np.where(agree[:, None], above, usual).astype(np.uint8)[None]
    return wiped, text


def _main_colours(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Return the page's main colours and the share of the page that each covers, the most frequent first."""
    coarse = (pixels >> 3).astype(np.int32)
    codes = (coarse[..., 0] << 10) | (coarse[..., 1] << 5) | coarse[..., 2]
    counts = np.bincount(codes.ravel(), minlength=1 << 15)
    order = np.argsort(-counts, kind="stable")[:400]
    order = order[counts[order] > 0]
    total = codes.size
    palette: list[NDArray[np.int16]] = []
    shares: list[float] = []
    for code in order:
        colour = np.array([(code >> 10) * 8 + 4, (code >> 5 & 31) * 8 + 4, (code & 31) * 8 + 4], dtype=np.int16)
        share = counts[code] / total
        near = [i for i, known in enumerate(palette) if np.abs(known - colour).max() <= COLOUR_STEP]
        if near:
            shares[near[0]] += share
        elif len(palette) < MOST_COLOURS:
            palette.append(colour)
            shares.append(share)
    keep = [i for i, share in enumerate(shares) if share >= LEAST_SHARE]
    return np.stack([palette[i] for i in keep]), np.array([shares[i] for i in keep])


def _nearest(pixels: NDArray[np.uint8], palette: NDArray[np.int16]) -> NDArray[np.int8]:
    """Return for each pixel the index of its main colour, -1 where none is near (edges, photographs)."""
    coarse = np.arange(1 << 15)
    cube = np.stack([(coarse >> 10) * 8 + 4, (coarse >> 5 & 31) * 8 + 4, (coarse & 31) * 8 + 4], axis=1).astype(
        np.int16
    )
    distance = np.abs(cube[:, None] - palette[None]).max(axis=2)
    table = np.where(distance.min(axis=1) <= COLOUR_NOISE, distance.argmin(axis=1), -1).astype(np.int8)
    parts = (pixels >> 3).astype(np.int32)
    return table[(parts[..., 0] << 10) | (parts[..., 1] << 5) | parts[..., 2]]


def _photographs(pixels: NDArray[np.uint8], points: float) -> tuple[list[Raster], NDArray[np.bool_]]:
    """Return regions with many colours in most of their cells, and the mask of their pixels."""
    import cv2

    height, width = pixels.shape[:2]
    cell = max(4, round(PHOTO_CELL / points))
    rows, columns = height // cell, width // cell
    mask = np.zeros((height, width), dtype=bool)
    if not rows or not columns:
        return [], mask
    parts = (pixels[: rows * cell, : columns * cell] >> 4).astype(np.int16)
    codes = (parts[..., 0] << 8) | (parts[..., 1] << 4) | parts[..., 2]
    cells = np.sort(codes.reshape(rows, cell, columns, cell).transpose(0, 2, 1, 3).reshape(rows, columns, -1), axis=2)
    kinds = (np.diff(cells, axis=2) != 0).sum(axis=2) + 1
    busy = (kinds >= PHOTO_COLOURS).astype(np.uint8)
    varied = np.zeros(busy.shape, dtype=bool)
    for row, column in np.argwhere(busy):
        _, counts = np.unique(cells[row, column], return_counts=True)
        varied[row, column] = np.sort(counts)[-4:].sum() < 0.6 * cells.shape[2]
    closed = cv2.morphologyEx(busy, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=4)
    found = []
    for index in range(1, count):
        x, y, w, h = (int(value) * cell for value in stats[index, :4])
        filled = int(stats[index, 4]) * cell * cell / (w * h)
        of_photograph = varied[y // cell : (y + h) // cell, x // cell : (x + w) // cell].mean()
        if min(w, h) * points < SMALLEST_PHOTO or filled < 0.6 or of_photograph < PHOTO_SHARE:
            continue
        mask[y : y + h, x : x + w] = True
        digest = hashlib.blake2b(pixels[y : y + h, x : x + w].tobytes(), digest_size=12).hexdigest()
        found.append(Raster(*_points(x, y, x + w, y + h, points), w, h, digest))
    return found, mask


def _patches(
    labels: NDArray[np.int8], index: int, colour: NDArray[np.int16], points: float, solid: NDArray[np.int8]
) -> list[tuple[int, int, Shape]]:
    """Return the connected patches of one colour that are thicker than a line, each with its area and its place.

    Their pixels are marked in ``solid``; what is left unmarked at the end is drawn in lines.
    """
    import cv2

    count, labelled, stats, _ = cv2.connectedComponentsWithStats((labels == index).astype(np.uint8), connectivity=8)
    paint = int(colour[0]) << 16 | int(colour[1]) << 8 | int(colour[2])
    shapes = []
    for number in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[number])
        if min(w, h) < THICKEST_EDGE or area < 4 * THICKEST_EDGE:
            continue
        patch = labelled[y : y + h, x : x + w] == number
        solid_box = area >= SOLID_SHARE * w * h
        thickness = min(w, h) if solid_box else _thickness(patch.astype(np.uint8), area)
        if thickness < THICKEST_EDGE:
            continue
        solid[y : y + h, x : x + w][patch] = index
        if max(w, h) * points < SMALLEST:
            continue
        box = _points(x, y, x + w, y + h, points)
        if solid_box:
            shape = Shape(*box, segments=5, curved=False, fill=paint, stroke=None)
        elif thickness * points <= THICKEST_LINE and max(w, h) > 12 * thickness:
            width = round(thickness * points, 2)
            shape = Shape(*box, segments=8, curved=True, fill=None, stroke=paint, line_width=width, diagonal=True)
        else:
            shape = Shape(*box, segments=8, curved=True, fill=paint, stroke=None)
        shapes.append((area, y * labels.shape[1] + x, shape))
    return shapes


def _aligned(found: list[tuple[int, int, Shape]]) -> list[tuple[int, int, Shape]]:
    """Set edges and thicknesses of rectangles that are nearly equal equal: bars of one chart differ by their blur."""
    boxes = [i for i, (_, _, shape) in enumerate(found) if not shape.curved]
    edges = np.array([found[i][2][:4] for i in boxes])
    if len(edges) < 2:
        return found
    for side in range(4):
        edges[:, side] = _snapped(edges[:, side], SNAP)
    for low in (0, 1):
        thickness = edges[:, low + 2] - edges[:, low]
        middle = (edges[:, low + 2] + edges[:, low]) / 2
        alike = _snapped(thickness, SNAP)
        changed = np.abs(alike - thickness) > 1e-9
        # The end that others share stays where it is; else the middle does.
        shared = [(np.abs(edges[:, side, None] - edges[None, :, side]) < 1e-9).sum(axis=1) for side in (low, low + 2)]
        start = np.where(
            shared[0] > 1, edges[:, low], np.where(shared[1] > 1, edges[:, low + 2] - alike, middle - alike / 2)
        )
        ends_differ = (shared[0] > 1) & (shared[1] > 1)
        move = changed & ~ends_differ
        edges[:, low] = np.where(move, start, edges[:, low])
        edges[:, low + 2] = np.where(move, start + alike, edges[:, low + 2])
    result = list(found)
    for i, box in zip(boxes, edges, strict=True):
        area, place, shape = found[i]
        x0, y0, x1, y1 = (round(float(value), 2) for value in box)
        result[i] = (area, place, shape._replace(x0=x0, y0=y0, x1=x1, y1=y1))
    return result


def _snapped(values: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Replace values that lie within ``reach`` of the first of their group by the group's median."""
    order = np.argsort(values, kind="stable")
    result = values.copy()
    group: list[int] = []
    for index in [*order.tolist(), -1]:
        if index >= 0 and (not group or values[index] - values[group[0]] <= reach):
            group.append(index)
            continue
        result[group] = np.median(values[group])
        group = [index]
    return result


def _line_work(solid: NDArray[np.int8], colours: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the pixels that belong to lines, in no patch and not in the blur where two patches meet; and that blur."""
    import cv2

    meeting = np.zeros(solid.shape, dtype=np.uint8)
    for index in range(colours):
        mask = (solid == index).astype(np.uint8)
        if mask.any():
            meeting += cv2.dilate(mask, np.ones((2 * BLUR + 1, 2 * BLUR + 1), np.uint8))
    return (solid < 0) & (meeting <= 1), meeting > 1


def _strokes(
    ink: NDArray[np.bool_],
    pixels: NDArray[np.uint8],
    solid: NDArray[np.int8],
    palette: NDArray[np.int16],
    points: float,
) -> list[tuple[int, int, Shape]]:
    """Return connected lines, each with its area and its place: straight ones as thin rectangles, others as strokes."""
    import cv2

    count, labelled, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    shapes = []
    for number in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[number])
        long, short = max(w, h) * points, min(w, h) * points
        if long < 2 * SMALLEST or area < 8:
            continue
        patch = labelled[y : y + h, x : x + w] == number
        colour = np.median(pixels[y : y + h, x : x + w][patch], axis=0).astype(int)
        ground = _ground(solid, patch, x, y)
        if ground is None or np.abs(palette[ground] - colour).max() < LINE_CONTRAST:
            continue
        paint = int(colour[0]) << 16 | int(colour[1]) << 8 | int(colour[2])
        box = _points(x, y, x + w, y + h, points)
        if short <= THICKEST_LINE and long >= 3 * short:
            shape = Shape(*box, segments=5, curved=False, fill=paint, stroke=None)
        else:
            width = round(_thickness(patch.astype(np.uint8), area) * points, 2)
            shape = Shape(*box, segments=8, curved=True, fill=None, stroke=paint, line_width=width, diagonal=True)
        shapes.append((area, y * ink.shape[1] + x, shape))
    return shapes


def _joined(
    strokes: list[tuple[int, int, Shape]], hidden: NDArray[np.bool_], points: float
) -> list[tuple[int, int, Shape]]:
    """Join pieces of one straight line: what lies between them was wiped off with a word, or is a patch's edge.

    An axis is cut by the bars that stand on it, a table's rule by letters that touch it; the rules under the headings
    of two columns, with paper between them, stay apart.
    """
    result = [entry for entry in strokes if entry[2].curved]
    for low, across in ((0, 1), (1, 0)):
        level = low == 0
        lines = [entry for entry in strokes if not entry[2].curved and (_is_level(entry[2]) == level)]
        lines.sort(key=lambda entry: (round(_middle(entry[2].box, across)), entry[2].box[low]))
        kept: list[tuple[int, int, Shape]] = []
        for area, place, shape in lines:
            if kept:
                before_area, before_place, before = kept[-1]
                aligned = abs(_middle(shape.box, across) - _middle(before.box, across)) <= 1.0
                if aligned and _gap_is_hidden(before.box, shape.box, low, across, hidden, points):
                    bounds = Box.around((before.box, shape.box))
                    joined = before._replace(x0=bounds.x0, y0=bounds.y0, x1=bounds.x1, y1=bounds.y1)
                    kept[-1] = (before_area + area, min(before_place, place), joined)
                    continue
            kept.append((area, place, shape))
        result += kept
    return result


def _is_level(shape: Shape) -> bool:
    return shape.x1 - shape.x0 >= shape.y1 - shape.y0


def _middle(box: Box, across: int) -> float:
    return (box[across] + box[across + 2]) / 2


def _gap_is_hidden(before: Box, after: Box, low: int, across: int, hidden: NDArray[np.bool_], points: float) -> bool:
    """Tell whether all but little of the strip between two pieces of a line is hidden."""
    start, end = int(before[low + 2] / points), int(np.ceil(after[low] / points))
    if end <= start:
        return True
    top = int(min(before[across], after[across]) / points)
    bottom = int(max(before[across + 2], after[across + 2]) / points)
    strip = hidden[top : bottom + 1, start:end] if low == 0 else hidden[start:end, top : bottom + 1]
    return bool(strip.size) and float(strip.any(axis=low).mean()) >= 0.85


def _ground(solid: NDArray[np.int8], patch: NDArray[np.bool_], x: int, y: int) -> int | None:
    """Return the colour that a line is drawn on; None where its two sides differ: then it is a blurred edge."""
    import cv2

    pad = 6
    height, width = solid.shape
    top, left = max(0, y - pad), max(0, x - pad)
    bottom, right = min(height, y + patch.shape[0] + pad), min(width, x + patch.shape[1] + pad)
    around = np.zeros((bottom - top, right - left), dtype=np.uint8)
    around[y - top : y - top + patch.shape[0], x - left : x - left + patch.shape[1]] = patch
    beside = cv2.dilate(around, np.ones((2 * pad - 1, 2 * pad - 1), np.uint8))
    seen = solid[top:bottom, left:right][(beside == 1) & (around == 0)]
    seen = seen[seen >= 0]
    if not seen.size:
        return None
    counts = np.bincount(seen)
    most = int(np.argmax(counts))
    return most if counts[most] >= 0.75 * seen.size else None


def _thickness(patch: NDArray[np.uint8], area: int) -> float:
    """Mean thickness of a patch in pixels: twice its area over the length of its outline."""
    import cv2

    outlines, _ = cv2.findContours(patch, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    length = sum(len(outline) for outline in outlines)
    return 2.0 * area / max(1, length)


def _points(x0: float, y0: float, x1: float, y1: float, points: float) -> Box:
    return Box(round(x0 * points, 2), round(y0 * points, 2), round(x1 * points, 2), round(y1 * points, 2))
