"""Lines to blocks in reading order: paragraphs, headings, list items, captions and notes, columns kept apart."""

from __future__ import annotations

import re
from collections import Counter

from finlmm_core.domain import Block, BlockKind, Box
from finlmm_parsers.layout.captions import is_source_note, numbered_caption
from finlmm_parsers.layout.reading_order import reading_order
from finlmm_parsers.layout.text import is_cjk, join_lines
from finlmm_parsers.layout.types import Line
from finlmm_parsers.primitives import PagePrimitives

_MARKER = re.compile(
    r"^(?:[•●▪■◆◼►▶➢➤‣⁃∙·○□✓]|[–—-](?=\s)|\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)](?=\s|$)|（[一二三四五六七八九十\d]{1,3}）"
    r"|[一二三四五六七八九十]{1,3}、|[①-⑳])"
)
_BULLET = re.compile(r"^[•●▪■◆◼►▶➢➤‣⁃∙·○□✓–—-]+$|^\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)]$|^[①-⑳]$")
_CLOSING = "\"'”’)）"
_FULL_STOPS = frozenset(".!?。！？:：;；")


class Draft:
    """A block while lines are added to it."""

    __slots__ = ("lines", "size", "x0", "x1", "y0", "y1")

    def __init__(self, line: Line) -> None:
        self.lines = [line]
        self.x0, self.y0, self.x1, self.y1 = line.x0, line.y0, line.x1, line.y1
        self.size = line.size

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self.x0, self.x1 = min(self.x0, line.x0), max(self.x1, line.x1)
        self.y0, self.y1 = min(self.y0, line.y0), max(self.y1, line.y1)


def find_blocks(page: PagePrimitives, lines: list[Line], taken: list[Box]) -> list[Block]:
    """Return the blocks of a page in reading order, made of the lines that lie in no taken box.

    Args:
        page: where the lines come from.
        lines: from ``find_lines``.
        taken: boxes of tables and figures; their text is theirs, and reading goes around them.
    """
    free = [line for line in lines if not _is_taken(line, taken)] if taken else lines
    if not free:
        return []
    drafts = _stack(_join_rows(free))
    letters: Counter[float] = Counter()
    for line in free:
        letters[line.size] += len(line.text)
    sizes: Counter[float] = Counter()
    for size, count in letters.items():
        sizes[round(size, 1)] += count
    body_size = max(sizes.items(), key=lambda item: (item[1], -item[0]))[0]
    items = [(d.x0, d.y0, d.x1, d.y1) for d in drafts] + [tuple(b) for b in taken]
    blocks: list[Block] = []
    for index in reading_order(items):
        if index >= len(drafts):
            continue
        draft = drafts[index]
        text = join_lines(line.text for line in draft.lines)
        if not text:
            continue
        blocks.append(
            Block.model_construct(  # nothing to check: all three are made right here
                box=Box(draft.x0, draft.y0, draft.x1, draft.y1).rounded(),
                text=text,
                kind=_kind(draft, text, body_size),
            )
        )
    return blocks


def _is_taken(line: Line, taken: list[Box]) -> bool:
    x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
    return any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in taken)


def _join_rows(lines: list[Line]) -> list[Line]:
    """Join a bullet or number that a tab parts from its text, and pieces of a line that justification pulled apart."""
    joined: list[Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is not None and last.row == line.row:
            gap = line.x0 - last.x1
            if 0 <= gap < 4.0 * line.size and _BULLET.match(last.text):
                joined[-1] = Line([*last.words, *line.words], line.row, f"{last.text} {line.text}")
                continue
            if 0 <= gap < 1.3 * line.size and line.size == last.size and _is_prose(last, line):
                joined[-1] = Line([*last.words, *line.words], line.row, f"{last.text} {line.text}")
                continue
        joined.append(line)
    return joined


def _is_prose(left: Line, right: Line) -> bool:
    return left.x1 - left.x0 > 6 * left.size and right.text[0].islower() and not _has_ended(left.text)


def _has_ended(text: str) -> bool:
    """Tell whether a line ends a sentence."""
    end = text.rstrip(_CLOSING)
    return bool(end) and end[-1] in _FULL_STOPS


def _stack(lines: list[Line]) -> list[Draft]:
    done: list[Draft] = []
    active: list[Draft] = []
    row_of_last = -1
    for line in lines:
        if line.row != row_of_last:
            row_of_last = line.row
            active = [d for d in active if line.y0 - d.y1 < 1.2 * d.size]
        best, best_shared = None, 0.0
        line_x0, line_x1 = line.x0, line.x1
        for draft in active:
            last = draft.lines[-1]
            if last.row == line.row:
                continue
            x0, x1 = draft.x0, draft.x1
            shared = (line_x1 if line_x1 < x1 else x1) - (line_x0 if line_x0 > x0 else x0)
            if shared > best_shared and shared > 0.5 * min(line_x1 - line_x0, x1 - x0):
                best, best_shared = draft, shared
        if best is not None and _continues(best, line):
            best.add(line)
            continue
        draft = Draft(line)
        if best is not None:
            active.remove(best)
        active.append(draft)
        done.append(draft)
    return done


def _continues(draft: Draft, line: Line) -> bool:
    last = draft.lines[-1]
    size = max(draft.size, line.size)
    gap = line.y0 - last.y1
    if abs(line.size - last.size) > 0.12 * size or gap < -0.6 * size:
        return False
    pitch_limit = 0.75 * size
    if len(draft.lines) > 1:
        pitch = draft.lines[-1].y1 - draft.lines[-2].y1
        if line.y1 - last.y1 > 1.25 * pitch + 0.5:
            return False
        pitch_limit = max(pitch_limit, 1.1 * size)
    if gap > pitch_limit or _MARKER.match(line.text) or numbered_caption(line.text) or is_source_note(line.text):
        return False
    if line.bold != last.bold and (last.bold or line.bold) and _whole_line_bold_change(last, line):
        return False
    width = draft.x1 - draft.x0
    ended = _has_ended(last.text)
    short = last.x1 < draft.x1 - 0.12 * width - size
    if ended and (short or line.x0 > draft.x0 + 1.2 * size) and len(draft.lines) > 1:
        return False
    if ended and line.x0 > last.x0 + 1.2 * size and not _MARKER.match(draft.lines[0].text):
        return False
    # an indented line after a line that fills the column begins a paragraph (Chinese reports: two characters)
    return not (len(draft.lines) > 1 and line.x0 > draft.lines[-1].x0 + 1.5 * size and (ended or is_cjk(line.text[0])))


def _whole_line_bold_change(last: Line, line: Line) -> bool:
    """A bold line under or over a plain one is a heading of its own unless the bold only opens or closes a sentence."""
    if all(w.bold for w in last.words) and not any(w.bold for w in line.words):
        return True
    return all(w.bold for w in line.words) and not any(w.bold for w in last.words)


def _kind(draft: Draft, text: str, body_size: float) -> BlockKind:
    if numbered_caption(text) and len(text) < 300:
        return "caption"
    if is_source_note(text):
        return "note"
    first = draft.lines[0]
    bold = all(line.bold for line in draft.lines)
    wide = is_cjk(text[0])
    short = len(text) <= (40 if wide else 130) and len(draft.lines) <= 3
    letters = sum(1 for c in text[:40] if c.isalpha()) if short else 0
    ended = text[-1] in ".。;；,，" and not text.endswith(("Inc.", "Ltd.", "Co.", "Corp."))
    large = first.size > 1.12 * body_size
    if short and letters >= 2 and not ended and (large or bold or (text.isupper() and letters > 3)):
        return "heading"
    if _MARKER.match(text):
        if first.size < 0.9 * body_size:
            return "note"
        return "list_item"
    if first.size < 0.88 * body_size and re.match(r"^\(?[*†‡§\d]{1,3}\)?\s", text):
        return "note"
    return "paragraph"
