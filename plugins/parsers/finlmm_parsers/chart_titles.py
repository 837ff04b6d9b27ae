"""Titles over charts: on a rule of the chart's width, or bold or centred right above it."""

from __future__ import annotations

from collections.abc import Sequence

from finlmm_core.domain import Box
from finlmm_parsers.chart_legends import Seed
from finlmm_parsers.chart_marks import THIN
from finlmm_parsers.chart_prose import text_length
from finlmm_parsers.layout.captions import is_source_note, numbered_caption
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives


def with_title_rule(page: PagePrimitives, seed: Seed, lines: Sequence[Line]) -> Box:
    """Grow up to a rule as wide as the chart that stands over it with nothing between: a title stands on it."""
    box, core = seed.box, seed.core
    best: Box | None = None
    for shape in page.shapes:
        if shape[3] - shape[1] > THIN or shape[2] - shape[0] < 0.7 * box.width or shape[3] > box.y0:
            continue
        slack = 0.12 * box.width
        if abs(shape[0] - box.x0) > slack or abs(shape[2] - box.x1) > slack:
            continue
        reach = max(0.6 * core.height + 30, box.y0 - seed.ceiling + 15 if seed.ceiling else 0.0)
        if box.y0 - shape[3] < reach and (best is None or shape[1] > best.y0):
            best = shape.box
    if best is None:
        return box
    if _under_running_head(page, best, seed, lines):
        return box
    between = Box(box.x0, best.y1, box.x1, box.y0)
    if any(between.overlap(line.box) > 0.3 * line.box.area for line in lines):
        return box
    return Box.around((box, best))


def _under_running_head(page: PagePrimitives, rule: Box, seed: Seed, lines: Sequence[Line]) -> bool:
    """Tell whether a rule is the one under the running head: at the page's top, and no title stands on it.

    A title is bold or larger than the chart's labels; a running head is small print, or a logo.
    """
    if rule.y1 > 0.12 * page.height:
        return False
    least = 1.3 * seed.label_size if seed.label_size else 10.0
    return not any(
        line.y1 <= rule.y1 + 2
        and line.x0 < rule.x1
        and line.x1 > rule.x0
        and line.size > (0.75 * least if line.bold else least)
        for line in lines
    )


def add_title(
    page: PagePrimitives,
    seed: Seed,
    seeds: Sequence[Seed],
    lines: Sequence[Line],
    prose: Sequence[bool],
    blocked: Sequence[Box],
) -> None:
    """Grow over the title right above the chart or its frame: a bold or large line, with a subtitle under it.

    Lines are followed upwards while they stand close and within the chart's width; what is taken ends with the last
    bold one. Without a bold one a single short line is taken.
    """
    _add_framed_title(seed, seeds, lines, prose)
    top = seed.box.y0
    if seed.frame is not None and seed.frame.y0 < top and seed.frame.area < 4 * seed.box.area:
        top = seed.frame.y0
    left, right = seed.box.x0, seed.box.x1
    if seed.frame is not None and seed.frame.area < 4 * seed.box.area:
        left, right = min(left, seed.frame.x0), max(right, seed.frame.x1)
    others = [other.box for other in seeds if other is not seed]
    rules = [shape for shape in page.shapes if shape[3] - shape[1] <= THIN + 0.5 and shape[2] - shape[0] > 30]
    stack: list[Line] = []
    above = sorted(
        (line for line in lines if line.upright and line.y1 <= top + 0.5 * line.size and line.y0 > top - 120),
        key=lambda line: -line.y1,
    )
    body = _body_size(lines, prose)
    titled = _has_title(seed, lines)
    wedges = seed.marks[0].kind == "wedges"
    # a pie is set in the middle of its place: the title over it may stand off to the left, and higher
    aside = 0.8 * (right - left) if wedges else 12.0
    inside = [line for line in above if line.x0 >= left - aside and line.x1 <= right + 12]
    for line in inside:
        far = 1.6 * line.size
        if wedges and not stack and not titled and not prose[lines.index(line)]:
            far = max(far, 0.35 * seed.core.height)
        if top - line.y1 > far or len(stack) == 6:
            break
        if line.x0 < left - 12 and (stack or (seed.label_size and line.size > 1.4 * seed.label_size)):
            break
        if _is_heading(line, left, right, body, titled):
            break
        if numbered_caption(line.text) or is_source_note(line.text):
            break
        centred = abs(line.x0 + line.x1 - left - right) < 0.12 * (right - left)
        if not centred and any(
            rule[1] >= line.y1 - 2 and rule[3] <= top + 2 and rule[0] < line.x1 and rule[2] > line.x0 for rule in rules
        ):
            break  # a heading over a rule; a title that is centred on the chart may have a rule under it
        if any(box.covers(line.box) > 0.3 for box in (*others, *blocked)):
            break
        stack.append(line)
        top = min(top, line.y0)
    last = max((place for place, line in enumerate(stack) if line.bold), default=-1)
    centred = bool(stack) and abs(stack[0].x0 + stack[0].x1 - left - right) < 0.12 * (right - left)
    if last < 0 and stack:
        words = text_length(stack[0].text)
        if (words <= 9 and not prose[lines.index(stack[0])]) or (words <= 14 and centred):
            last = 0
        if not stack[0].bold and any(
            abs(line.size - stack[0].size) < 0.3
            and (line is stack[1] if len(stack) > 1 else _ends_paragraph(line, stack[0]) and prose[lines.index(line)])
            for line in above
        ):
            last = -1  # the last line of a paragraph
    taken = stack[: max(0, last + 1)]
    running = [line for line in taken if not line.bold]
    if not taken or len(running) > 3:
        return
    if not (centred and len(taken) == 1) and any(_is_body(line, lines, prose, body) for line in running):
        return
    seed.box = Box.around((seed.box, *(line.box for line in taken)))


def _add_framed_title(seed: Seed, seeds: Sequence[Seed], lines: Sequence[Line], prose: Sequence[bool]) -> None:
    """Grow over what stands above the chart in the frame that it has for itself, where that is a line or two."""
    frame = seed.frame
    if frame is None or frame.area > 6 * seed.box.area or any(frame.overlap(o.core) for o in seeds if o is not seed):
        return
    within = frame.grown(2.0)
    framed = [
        (line, running)
        for line, running in zip(lines, prose, strict=True)
        if line.y1 <= seed.box.y0 + 0.5 * line.size and within.covers(line.box) > 0.95
    ]
    # a frame that nobody sees may lie close under running text, which is wider than the chart or ends as sentences do
    if 0 < len(framed) <= 2 and not any(
        (running and not line.bold and (len(framed) > 1 or line.x1 > frame.x1 - 0.1 * frame.width))
        or line.text.endswith((".", "。", "；", ";"))
        or line.y0 < frame.y0 - 1.0
        or numbered_caption(line.text)
        or is_source_note(line.text)
        for line, running in framed
    ):
        seed.box = Box.around((seed.box, *(line.box for line, _ in framed)))


def _has_title(seed: Seed, lines: Sequence[Line]) -> bool:
    """Tell whether the chart has taken in a title: the first line in it stands out from the others."""
    inside = sorted((line for line in lines if seed.box.covers(line.box) > 0.6), key=lambda line: (line.y0, line.x0))
    if len(inside) < 3 or sum(character.isalpha() for character in inside[0].text) < 4:
        return False
    sizes = sorted(line.size for line in inside[1:])
    most_bold = 2 * sum(line.bold for line in inside) > len(inside)
    return inside[0].y1 <= seed.core.y0 + 2 and (
        inside[0].size > 1.08 * sizes[len(sizes) // 2] or (inside[0].bold and not most_bold)
    )


def _is_heading(line: Line, left: float, right: float, body: float, titled: bool) -> bool:
    """Tell whether a line over a chart heads the section: much larger than running text, and not set for the chart.

    Where the page has no running text, only a chart that has a title already can tell; headings are 15 points or more.
    """
    if abs(line.x0 + line.x1 - left - right) < 0.12 * (right - left):
        return False
    return line.size > 1.45 * body if body else titled and line.size > 15.0


def _ends_paragraph(above: Line, line: Line) -> bool:
    """Tell whether a line stands right under another, flush with it."""
    return 0.0 <= line.y0 - above.y1 + 1.0 < 0.8 * line.size and abs(above.x0 - line.x0) < 2.0


def _body_size(lines: Sequence[Line], prose: Sequence[bool]) -> float:
    """Return the font size of most running text, 0 where there is none."""
    sizes: dict[float, int] = {}
    for line, running in zip(lines, prose, strict=True):
        if running and not line.bold:
            size = round(line.size * 2) / 2
            sizes[size] = sizes.get(size, 0) + len(line.text)
    return max(sizes, key=lambda size: (sizes[size], size), default=0.0)


def _is_body(line: Line, lines: Sequence[Line], prose: Sequence[bool], body: float) -> bool:
    """Tell whether a line is set like the page's running text, and so is no subtitle."""
    return prose[lines.index(line)] and line.size > body - 0.6
