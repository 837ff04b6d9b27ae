"""Right thinking with one thing made wrong in it, as a hurried reader or calculator would get it wrong.

Each corruption changes what the reasoning reads or does and leaves its style alone, so that who learns to tell the two
apart has to look at the reasoning. All draw from the given source of chance and from nothing else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from finlmm_core.domain import Sample
from finlmm_core.quantities import Number, find_numbers

_YEAR = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?![\d,]|\.\d)")
_UNITS: tuple[tuple[str, ...], ...] = (
    ("thousand", "million", "billion"),
    ("percent", "percentage points", "basis points"),
    ("千元", "万元", "百万元", "亿元"),
    ("个百分点", "个基点"),
)
_TURNS: tuple[tuple[str, str], ...] = (
    ("increase", "decrease"),
    ("increased", "decreased"),
    ("rose", "fell"),
    ("rise", "fall"),
    ("higher", "lower"),
    ("more", "less"),
    ("larger", "smaller"),
    ("largest", "smallest"),
    ("gain", "loss"),
    ("above", "below"),
    ("增加", "减少"),
    ("上升", "下降"),
    ("增长", "下降"),
    ("高于", "低于"),
    ("最大", "最小"),
    ("最高", "最低"),
)
_OPERAND = r"[$¥€£]?\(?\d[\d,]*(?:\.\d+)?%?\)?"
_OPERANDS = re.compile(
    rf"(?<![\d.,])(?P<a>{_OPERAND})(?P<by>\s*(?:[-−–/÷]|divided by|minus|less|除以|减去?)\s*)(?P<b>{_OPERAND})"
)
_STEP_END = re.compile(r"(?<=[.!?])\s+|(?<=;)\s+|(?<=[。！？；])|\n+")


def corrupted(thinking: str, sample: Sample, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield copies with one thing wrong in each, as kind and text: the kinds in random order, each at most once."""
    kinds = list(CORRUPTIONS)
    chance.shuffle(kinds)
    for kind in kinds:
        text = CORRUPTIONS[kind](thinking, sample, chance)
        if text is not None and text != thinking:
            yield kind, text


def another_year(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Take one year for the one next to it, or for another that the question or the thinking names."""
    years = list(_YEAR.finditer(thinking))
    if not years:
        return None
    hit = chance.choice(years)
    named = {match.group() for match in _YEAR.finditer(f"{sample.question} {thinking}")} - {hit.group()}
    near = {str(int(hit.group()) + step) for step in (-1, 1)}
    year = chance.choice(sorted(named | near))
    return thinking[: hit.start()] + year + thinking[hit.end() :]


def another_unit(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Take one unit or scale for another: millions for thousands, percent for percentage points, percent for none."""
    found: list[tuple[int, int, str]] = []
    for family in _UNITS:
        for unit in family:
            for match in re.finditer(re.escape(unit) + r"(?![A-Za-z])", thinking):
                found += [(match.start(), match.end(), other) for other in family if other != unit]
    found += [(match.start(), match.end(), "") for match in re.finditer(r"(?<=\d)[ ]?%", thinking)]
    if not found:
        return None
    start, end, unit = chance.choice(found)
    return thinking[:start] + unit + thinking[end:]


def another_sign(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Turn a direction round, or lose or gain a number's minus."""
    found: list[tuple[int, int, str]] = []
    for pair in _TURNS:
        for word, other in (pair, pair[::-1]):
            edge = r"\b" if word.isascii() else ""
            for match in re.finditer(rf"{edge}{word}{edge}", thinking, re.IGNORECASE):
                found.append((match.start(), match.end(), other.capitalize() if match.group()[0].isupper() else other))
    for number in find_numbers(thinking):
        if number.value < 0:
            found.append((number.start, number.end, number.text.strip("()-−–").strip()))
    if not found:
        return None
    start, end, text = chance.choice(found)
    return thinking[:start] + text + thinking[end:]


def another_row(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Read another row: one label of the evidence stands for another, or a label of the question's context does."""
    labels = list(dict.fromkeys(item.labels[0] for item in sample.evidence if item.labels and len(item.labels[0]) > 1))
    present = [label for label in labels if label in thinking]
    if not present:
        return None
    label = chance.choice(present)
    others = [other for other in labels if other != label] or _neighbours(sample, label)
    if not others:
        return None
    places = [match.start() for match in re.finditer(re.escape(label), thinking)]
    start = chance.choice(places)
    return thinking[:start] + chance.choice(others) + thinking[start + len(label) :]


def another_value(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Read a neighbouring cell where the context shows one, else misread two digits; where it is read, not after."""
    read = {abs(item.value) for item in sample.evidence if item.value is not None}
    numbers = [number for number in find_numbers(thinking) if _is_cell(number, read)]
    if not numbers:
        return None
    number = chance.choice(numbers)
    digits = re.search(r"\d[\d,]*(?:\.\d+)?", number.text)
    assert digits is not None  # find_numbers finds digits
    same = [
        other
        for other in find_numbers(sample.context)
        if other.value != number.value
        and other.decimals == number.decimals
        and not _YEAR.fullmatch(other.text)
        and 0.2 < abs(float(other.value)) / max(abs(float(number.value)), 1e-9) < 5
    ]
    if same:
        found = re.search(r"\d[\d,]*(?:\.\d+)?", chance.choice(same).text)
        written = found.group() if found else digits.group()
    else:
        written = _misread(digits.group(), chance)
    start = number.start + digits.start()
    return thinking[:start] + written + thinking[number.start + digits.end() :]


def another_result(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Get an intermediate calculation wrong in one or two digits."""
    results = list(re.finditer(r"(?:=|≈|得到?|等于)\s*[$¥€£]?(?P<digits>-?\d[\d,]*(?:\.\d+)?)", thinking))
    if not results:
        return None
    hit = chance.choice(results)
    return thinking[: hit.start("digits")] + _misread(hit["digits"], chance) + thinking[hit.end("digits") :]


def dropped_step(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Leave out a sentence, or a part between semicolons, that holds a number, never the last."""
    starts = [0, *(match.end() for match in _STEP_END.finditer(thinking)), len(thinking)]
    pieces = [thinking[start:end] for start, end in pairwise(starts) if thinking[start:end].strip()]
    steps = [place for place, piece in enumerate(pieces[:-1]) if re.search(r"\d", piece)]
    if len(pieces) < 3 or not steps:
        return None
    gone = chance.choice(steps)
    return "".join(piece for place, piece in enumerate(pieces) if place != gone).strip()


def swapped_operands(thinking: str, sample: Sample, chance: random.Random) -> str | None:
    """Subtract or divide the other way round."""
    found = [match for match in _OPERANDS.finditer(thinking) if match["a"] != match["b"]]
    if not found:
        return None
    hit = chance.choice(found)
    return thinking[: hit.start()] + hit["b"] + hit["by"] + hit["a"] + thinking[hit.end() :]


def _is_cell(number: Number, read: set[float]) -> bool:
    return abs(float(number.value)) in read


def _neighbours(sample: Sample, label: str) -> list[str]:
    """Return other row labels of a context that is a table written as text."""
    rows = re.findall(r"^\W*([^\d|\n]{3,60}?)\s*[|:：\t]", sample.context, re.MULTILINE)
    whole = [row.strip() for row in dict.fromkeys(rows) if row.count("(") == row.count(")")]
    return [row for row in whole if len(row) > 2 and row != label][:20]


def _misread(digits: str, chance: random.Random) -> str:
    """Swap two neighbouring digits that differ, or change one."""
    places = [place for place, character in enumerate(digits) if character.isdigit()]
    swaps = [
        (one, other)
        for one, other in pairwise(places)
        if digits[one] != digits[other] and not (one == places[0] and digits[other] == "0")
    ]
    written = list(digits)
    if swaps and chance.random() < 0.5:
        one, other = chance.choice(swaps)
        written[one], written[other] = written[other], written[one]
    else:
        place = chance.choice(places)
        lowest = 1 if place == places[0] and len(places) > 1 else 0
        written[place] = chance.choice([d for d in "0123456789"[lowest:] if d != digits[place]])
    return "".join(written)


#: What can be made wrong, by the name under which it is measured.
CORRUPTIONS: dict[str, Callable[[str, Sample, random.Random], str | None]] = {
    "year": another_year,
    "unit": another_unit,
    "sign": another_sign,
    "row": another_row,
    "value": another_value,
    "result": another_result,
    "step": dropped_step,
    "operands": swapped_operands,
}
