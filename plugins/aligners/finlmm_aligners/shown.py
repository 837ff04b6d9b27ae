"""What the figures of one report show, indexed so that many questions can be asked of it cheaply."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from finlmm_aligners.wording import shown_terms
from finlmm_core.domain import Figure
from finlmm_core.quantities import find_periods, normalise_characters

_NUMBER = re.compile(r"(?<![\d.,])(?<![A-Za-z]-)\d[\d,]*(?:\.\d+)?|(?<![\d.,])\.\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
#: Digits that OCR takes for one another, and letters that it reads for digits.
_CONFUSED = str.maketrans({"8": "3", "6": "5", "9": "4", "7": "1"})

#: Saturation of repeated terms and length normalisation, Robertson's usual values (BM25).
K1, B = 1.2, 0.6


def number_key(digits: str) -> str:
    """Return one form of a printed number: no separators, no sign, no trailing zeros ('1,250.0' and '1250' are one)."""
    value = Decimal(digits.replace(",", ""))
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.lstrip("0") or "0"


def number_weight(key: str) -> float:
    """Return how much a number tells by itself: a single digit stands in most figures, four digits in few."""
    digits = len(key.replace(".", ""))
    return {1: 0.25, 2: 0.6}.get(digits, 1.0 if digits < 5 else 1.2)


def printed_numbers(text: str) -> list[tuple[str, float]]:
    """Return (key, value) of each number of a text in order, years left out."""
    found = []
    for match in _NUMBER.finditer(normalise_characters(text)):
        digits = match.group()
        if not _YEAR.fullmatch(digits):
            key = number_key(digits)
            found.append((key, float(key)))
    return found


def without_axis(values: Sequence[float]) -> list[float]:
    """Return the numbers without an axis: four or more in one direction at one round distance (0, 50, 100, 150).

    In reading order the marks of a vertical axis have values between them, so they are looked for by value.
    """
    distinct = sorted(set(values))
    known = set(distinct)
    axis: set[float] = set()
    for i, low in enumerate(distinct):
        for high in distinct[i + 1 :]:
            step = high - low
            if not _round_step(step) or abs(low / step - round(low / step)) > 1e-6:
                continue
            marks = [low]
            while round(marks[-1] + step, 6) in known:
                marks.append(round(marks[-1] + step, 6))
            if len(marks) >= 4 and len(marks) > len(axis):
                axis = set(marks)
    return [value for value in values if value not in axis]


def _round_step(step: float) -> bool:
    leading = f"{step:.6e}".split("e")[0].rstrip("0").rstrip(".")
    return leading in {"1", "2", "2.5", "5"}


class FigureIndex:
    """Terms, numbers and periods of a report's figures.

    Figures are named by their position in the given sequence.
    """

    def __init__(self, figures: Sequence[Figure]) -> None:
        self.figures = list(figures)
        self.size = len(self.figures)
        self.terms: dict[str, dict[int, int]] = defaultdict(dict)
        self.numbers: dict[str, set[int]] = defaultdict(set)
        self.periods: dict[str, set[int]] = defaultdict(set)
        self.years: list[set[int]] = []
        self.values: list[list[float]] = []
        self.lengths: list[int] = []
        self.titles: list[frozenset[str]] = []
        self.lines: list[list[tuple[frozenset[str], frozenset[str]]]] = []
        self._blurred: dict[str, set[str]] = defaultdict(set)
        self._grams: dict[str, set[str]] = defaultdict(set)
        self._found: dict[tuple[str, bool], tuple[float, dict[int, float]]] = {}
        for number, figure in enumerate(self.figures):
            self._add(number, figure)
        self.mean_length = sum(self.lengths) / max(1, self.size) or 1.0
        for key in self.numbers:
            self._blurred[_blurred(key)].add(key)
        for term in self.terms:
            for gram in _grams(term):
                self._grams[gram].add(term)

    def _add(self, number: int, figure: Figure) -> None:
        text = figure.text if figure.caption in figure.text else f"{figure.caption}\n{figure.text}"
        counted = Counter(shown_terms(text))
        self.titles.append(frozenset(shown_terms(figure.caption)))
        for term, count in counted.items():
            self.terms[term][number] = count
        self.lengths.append(sum(counted.values()))
        years: set[int] = set()
        for period in find_periods(text):
            self.periods[period.key.rstrip("E")].add(number)
            years.add(period.year)
        for year in _YEAR.findall(text):
            self.periods[year].add(number)
            years.add(int(year))
        self.years.append(years)
        values: list[float] = []
        lines = []
        for line in text.split("\n"):
            printed = printed_numbers(line)
            for key, value in printed:
                self.numbers[key].add(number)
                values.append(value)
            if printed:
                lines.append((frozenset(shown_terms(line)), frozenset(key for key, _ in printed)))
        self.values.append(without_axis(values))
        self.lines.append(lines)

    # ------------------------------------------------------------------------------------------------- rarity

    def rarity(self, frequency: int) -> float:
        """Return the inverse document frequency of what stands in so many figures: ``log(1 + (n-f+.5)/(f+.5))``."""
        return math.log(1 + (self.size - frequency + 0.5) / (frequency + 0.5))

    # ---------------------------------------------------------------------------------------------- look-ups

    def term_scores(self, term: str, by_length: bool = True) -> tuple[float, dict[int, float]]:
        """Return a term's rarity and, for each figure that shows it, how well (0 to 1).

        A figure that does not show an English word as it is may show one of its family ('approve', 'approval'), or
        what OCR made of it.

        Args:
            term: a stemmed word or a pair of Chinese characters.
            by_length: whether repetition counts a little and long figures count less (BM25), or only presence.
        """
        if (term, by_length) not in self._found:
            scores: dict[int, float] = {}
            exact = self.terms.get(term, {})
            for shown, quality in [(term, 1.0), *self._related(term)]:
                for figure, count in self.terms.get(shown, {}).items():
                    length = 1 - B + B * self.lengths[figure] / self.mean_length if by_length else 0.0
                    score = quality * min(1.0, count * (K1 + 1) / (count + K1 * length))
                    scores[figure] = max(score, scores.get(figure, 0.0))
            self._found[term, by_length] = self.rarity(len(exact) or len(scores)), scores
        return self._found[term, by_length]

    def _related(self, term: str) -> list[tuple[str, float]]:
        """Return shown English words that may be the given one, each with how likely, at most 0.8."""
        if len(term) < 3 or not term.isascii():
            return []
        grams = _grams(term)
        shared: Counter[str] = Counter(other for gram in sorted(grams) for other in self._grams.get(gram, ()))
        found = []
        for other, count in sorted(shared.items()):
            if other == term:
                continue
            likeness = 2 * count / (len(grams) + len(_grams(other)))
            if len(term) >= 5 and likeness >= 0.7:  # a misread letter
                found.append((other, 0.8 * likeness))
            elif len(term) >= 5 and _common_prefix(term, other) >= max(5, 0.6 * max(len(term), len(other))):
                found.append((other, 0.6))  # one word family
            elif (len(term) >= 4 and term in other) or (
                len(term) == 3 and len(other) >= 6 and (other.startswith(term) or other.endswith(term))
            ):
                found.append((other, 0.6))  # OCR lost the space between two words, or a compound
        return found

    def number_scores(self, digits: str) -> tuple[float, dict[int, float]]:
        """Return a number's weight (rarity times what it tells) and how well each figure shows it.

        1 as printed; 0.8 in another scale ('1.25' billion for '1,250' million); 0.7 rounded; in a text that OCR read,
        0.4 where one digit may have been taken for another.
        """
        key = number_key(digits)
        scores: dict[int, float] = dict.fromkeys(self.numbers.get(key, ()), 1.0)
        significant = key.replace(".", "").lstrip("0").rstrip("0")
        if len(significant) >= 3:
            for other in _scaled(key):
                for figure in self.numbers.get(other, ()):
                    scores.setdefault(figure, 0.8)
            for other in _rounded(key):
                for figure in self.numbers.get(other, ()):
                    scores.setdefault(figure, 0.7)
            for other in sorted(self._blurred.get(_blurred(key), ())):
                if sum(a != b for a, b in zip(other, key, strict=True)) == 1:
                    for figure in self.numbers[other]:
                        if self.figures[figure].text_source == "ocr":
                            scores.setdefault(figure, 0.4)
        return self.rarity(len(scores)) * number_weight(key), scores

    def period_scores(self, key: str) -> tuple[float, dict[int, float]]:
        """Return a period's rarity and how well each figure shows it.

        0.6 where a year is not printed but lies on an axis that is labelled at intervals, half where of a quarter only
        the year stands there.
        """
        key = key.rstrip("E")
        scores: dict[int, float] = dict.fromkeys(self.periods.get(key, ()), 1.0)
        exact = len(scores)
        if len(key) > 4:
            for figure in self.periods.get(key[:4], ()):
                scores.setdefault(figure, 0.5)
        else:
            for figure, years in enumerate(self.years):
                if len(years) >= 3 and min(years) < int(key) < max(years):
                    scores.setdefault(figure, 0.6)
        return self.rarity(exact or len(scores)), scores


def _common_prefix(one: str, other: str) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _scaled(key: str) -> Iterable[str]:
    value = Decimal(key)
    for power in (-9, -6, -4, -3, 3, 4, 6, 9):
        yield number_key(format(value.scaleb(power), "f"))


def _rounded(key: str) -> Iterable[str]:
    """Yield the number rounded to fewer decimals, while three significant digits are left."""
    whole, _, fraction = key.partition(".")
    value = Decimal(key)
    for decimals in range(len(fraction) - 1, -1, -1):
        if len((whole.lstrip("0") + fraction[:decimals]).lstrip("0")) >= 3:
            yield number_key(format(value.quantize(Decimal(1).scaleb(-decimals)), "f"))


def _blurred(key: str) -> str:
    return key.translate(_CONFUSED)


def _grams(term: str) -> frozenset[str]:
    padded = f" {term} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))
