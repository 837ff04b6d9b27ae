"""Row labels of several lines, and section labels: what a row without values belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from finlmm_parsers.layout.rules import Band
from finlmm_parsers.layout.text import is_cjk
from finlmm_parsers.layout.values import is_leader
from finlmm_parsers.primitives import Word

_TIGHT = 0.55  # em; lines of one label stand closer than this
_OPEN_END = re.compile(
    r"(?:[,&/–—-]|\b(?:of|and|or|the|to|in|for|on|by|from|with|a|an|at|as|per|that|is|are|than|under|into|its|our))$",
    re.IGNORECASE,
)
_MARKER = re.compile(r"^[•●▪■◆·]|^\(?[a-z\d]{1,2}[.)]$")


@dataclass
class Label:
    """The stub's words in one printed row of a body, and whether the row has cells beside them."""

    words: list[Word]
    data: bool
    y0: float
    y1: float
    segment: int = 0  # rows of one shaded band, or between two bands, have the same number
    x0: float = 0.0
    x1: float = 0.0
    size: float = 0.0
    bold: bool = False

    def __post_init__(self) -> None:
        if self.words:
            self.x0, self.x1 = self.words[0].x0, max(w.x1 for w in self.words)
            self.size = self.words[0].size
            self.bold = sum(w.bold for w in self.words) * 2 > len(self.words)

    @property
    def text(self) -> str:
        return " ".join(w.text for w in self.words)


def number_segments(labels: list[Label], bands: list[Band], x0: float, x1: float) -> bool:
    """Number the rows by the shaded bands that they stand in; False where the table is not shaded row by row."""
    if not labels:
        return False
    top, bottom = labels[0].y0 - 4, labels[-1].y1 + 4
    stub = [
        b
        for b in bands
        if b.y0 >= top - 30 and b.y1 <= bottom + 30 and b.x0 <= x0 + 6 and b.x1 >= x0 + 0.5 * (x1 - x0) and b.y1 > top
    ]
    if len(stub) < 2 or max(b.y1 - b.y0 for b in stub) > 0.6 * (bottom - top):
        return False
    starts = [b.y0 for b in stub]
    for label in labels:
        middle = (label.y0 + label.y1) / 2
        k = bisect_right(starts, middle) - 1
        label.segment = 2 * k + 1 if k >= 0 and stub[k].y1 >= middle else 2 * k + 2
    return True


def attach(labels: list[Label], right: float, shaded: bool) -> list[int | None]:
    """Return for each row the index of the data row that its label belongs to (its own for a data row), None for
    section labels.

    A label of several lines has its values beside its first line or beside its last. Where only the lines tell (a
    line that begins in lower case must go on from the one above), the whole table is taken to do as most do.
    """
    counts = Counter(label.segment for label in labels if label.data) if shaded else Counter()
    count = len(labels)
    joined = [False] * count  # joined[i]: label i goes on with label i - 1
    first_line = last_line = 0
    for i in range(1, count):
        above, below = labels[i - 1], labels[i]
        joined[i] = _goes_on(above, below, right, counts if shaded else None)
        if joined[i] and below.words and below.words[0].text[0].islower():
            if above.data and not below.data and (i + 1 == count or not joined_lower(labels, i + 1)):
                first_line += 1
            elif below.data and not above.data:
                last_line += 1
    home: list[int | None] = [i if label.data else None for i, label in enumerate(labels)]
    i = 0
    while i < count:
        if labels[i].data:
            i += 1
            continue
        end = i
        while end < count and not labels[end].data:
            end += 1
        up = i  # rows i..up-1 go on from the data row above
        if i > 0 and labels[i - 1].words:
            while up < end and joined[up]:
                up += 1
            if up > i and labels[up - 1].words[-1].text[-1] in ":：":
                up = i  # a section label, whatever it begins with
        down = end  # rows down..end-1 go on to the data row below
        if end < count:
            if not labels[end].words:
                if labels[end].y0 - labels[end - 1].y1 < 0.6 * labels[end - 1].size and labels[end - 1].words:
                    down = end - 1
            elif joined[end]:
                down = end - 1
            while down < end and down > i and joined[down]:
                down -= 1
        if up > down:  # both could have them
            if last_line > first_line or (last_line == first_line and _nearer_below(labels, i, end)):
                up = down
            else:
                down = up
        for k in range(i, up):
            home[k] = i - 1
        for k in range(down, end):
            home[k] = end
        i = end
    return home


def joined_lower(labels: list[Label], i: int) -> bool:
    """Tell whether row i begins in lower case, and so goes on from the row above it."""
    return bool(labels[i].words) and labels[i].words[0].text[0].islower()


def _nearer_below(labels: list[Label], start: int, end: int) -> bool:
    if start == 0:
        return True
    above = labels[start].y0 - labels[start - 1].y1
    below = labels[end].y0 - labels[end - 1].y1 if end < len(labels) else 1e9
    return below <= above + 0.5


def _goes_on(above: Label, below: Label, right: float, counts: Counter[int] | None) -> bool:
    """Tell whether the label in ``below`` continues the label in ``above``."""
    if not above.words or not below.words:
        return False
    size = max(above.size, below.size)
    gap = below.y0 - above.y1
    if gap > _TIGHT * size or abs(above.size - below.size) > 0.8 or below.x0 < above.x0 - 2 * size:
        return False
    text = above.words[-1].text
    if is_leader(text):
        return False  # the dots lead from the end of a label to its values
    if text[-1] in ":：" or _MARKER.match(below.words[0].text):
        return False
    if counts is not None:
        if above.segment != below.segment:
            return False
        if counts[above.segment] == 1 and above.segment % 2:
            return True
    if above.bold != below.bold or (above.data and below.data):
        return False
    begin = below.words[0].text[0]
    if begin.islower():
        return True
    if _OPEN_END.search(text):
        return True
    word = below.words[0]
    width = size if is_cjk(begin) else word.x1 - word.x0
    return above.x1 + 0.25 * size + width > right + 1 and above.x1 - above.x0 > 5 * size


_TOTAL = re.compile(
    r"\b(?:sub-?)?totals?\b|\bnet cash\b|合计|合計|总计|總計|小计|小計|总额|總額|净额|淨額", re.IGNORECASE
)
_WORD = re.compile(r"[a-z]{5,}")


def is_total(label: str, group: str, outside: bool) -> bool:
    """Tell whether a row sums up a section: it says so, or it names the section's subject again outside its indent."""
    if _TOTAL.search(label):
        return True
    return outside and bool(set(_WORD.findall(label.lower())) & set(_WORD.findall(group.lower())))
