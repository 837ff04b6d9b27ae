"""Running text told from labels: what a chart never grows over."""

from __future__ import annotations

from collections.abc import Sequence

from finlmm_parsers.layout.text import is_cjk
from finlmm_parsers.layout.types import Line

_SERIES_SIGNS = frozenset("■□▪▫●○•◆◇▲△▼—–-━")


def text_length(text: str) -> int:
    """Return the length of a text in words, where two Chinese characters count as one."""
    wide = sum(1 for character in text if is_cjk(character))
    return len(text.split()) + wide // 2 if wide else len(text.split())


def prose_lines(lines: Sequence[Line]) -> list[bool]:
    """Tell for each line whether it is running text: seven words or more, or the end of a paragraph of such lines."""
    prose = []
    for line in lines:
        prose.append(line.upright and text_length(line.text) >= 7 and _is_worded(line) and not is_legend(line))
    by_top = sorted(range(len(lines)), key=lambda index: lines[index].y0)
    for position, index in enumerate(by_top):
        if not prose[index]:
            continue
        line = lines[index]
        for other_index in by_top[position + 1 :]:
            other = lines[other_index]
            if other.y0 - line.y1 > 0.8 * line.size:
                break
            below = abs(other.x0 - line.x0) < 1.5 * line.size and other.y0 > line.y0 + 2
            alike = abs(other.size - line.size) < 0.6 and other.bold == line.bold
            if below and alike and _is_worded(other):
                prose[other_index] = True
    _mark_narrow_columns(lines, by_top, prose)
    return prose


def _is_worded(line: Line) -> bool:
    """Tell whether a line is mostly letters."""
    letters = sum(1 for character in line.text if character.isalpha())
    return letters >= 0.6 * len(line.text.replace(" ", ""))


def _mark_narrow_columns(lines: Sequence[Line], by_top: Sequence[int], prose: list[bool]) -> None:
    """Mark paragraphs in columns too narrow for seven words: five lines or more, set flush left, four words each."""
    stacks: list[list[int]] = []
    for index in by_top:
        line = lines[index]
        if not line.upright:
            continue
        for stack in stacks:
            last = lines[stack[-1]]
            step = line.y0 - last.y1
            if (
                abs(line.x0 - last.x0) < 3.0
                and abs(line.size - last.size) < 0.6
                and -0.5 * line.size < step < line.size
            ):
                stack.append(index)
                break
        else:
            stacks.append([index])
    for stack in stacks:
        if len(stack) < 5:
            continue
        words = sum(text_length(lines[index].text) for index in stack)
        widths = sorted(lines[index].x1 - lines[index].x0 for index in stack)
        if widths[len(widths) // 2] < max(8.0 * lines[stack[0]].size, 0.7 * widths[4 * len(widths) // 5]):
            continue
        if words >= 3.5 * len(stack) and sum(_is_worded(lines[index]) for index in stack) > 0.7 * len(stack):
            for index in stack:
                prose[index] = True


def is_legend(line: Line) -> bool:
    """Tell a line that explains colours: a word of it is a square, a disc or a dash in the colour of a series."""
    signs = sum(1 for word in line.words[:-1] if word.text in _SERIES_SIGNS)
    return signs >= 2 or (signs == 1 and len(line.words) <= 6)
