"""Aligner ``ocr``: what a question names, found in what figures show.

Numbers, labels and periods of the question's evidence, and the question's own words, are looked for in each figure's
text (from the text layer or from OCR): as printed, normalised, and allowing for misread characters. What few figures
show counts more than what many show, so the evidence is a sum of inverse document frequencies over the report's
figures, in nats; its weights were fitted as docs/alignment.md tells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from pydantic import Field

from finlmm_aligners.derivable import MISS, operations_asked, sign_is_open, surprise
from finlmm_aligners.shown import FigureIndex, number_weight, printed_numbers
from finlmm_aligners.wording import asked_terms, unified
from finlmm_core.domain import Document, Figure, Query, Signal
from finlmm_core.plugins.bases import Aligner, PluginOptions
from finlmm_core.quantities import Number, find_periods, parse_number, parse_period

_DECIMALS_ASKED = re.compile(
    r"(?P<zh>[一两二三四1-4])位小数|(?P<en>one|two|three|four|[1-4])[- ]decimals?(?:[- ]places?)?", re.IGNORECASE
)
_COUNTS = {"一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "one": 1, "two": 2, "three": 3, "four": 4}


class OcrAlignerOptions(PluginOptions):
    """Options of the aligner 'ocr'."""

    keep: int = Field(default=50, ge=1, description="figures that stay in, best first")
    least_shown: float = Field(
        default=0.5, ge=0, le=1, description="share of known evidence's numbers that a figure must show to stay in"
    )
    least_label: float = Field(
        default=0.6, ge=0, le=1, description="share of some label's words that it must show where labels are known"
    )
    full_evidence: float = Field(
        default=20.0, gt=0, description="nats of evidence that score 1; a question that names more is scored by share"
    )
    words: float = Field(default=0.6, ge=0, description="weight of the question's and its labels' words")
    coverage: float = Field(
        default=2.5, ge=0, description="nats for all of the question's words, rare or not, where evidence is not known"
    )
    brevity: float = Field(
        default=0.45, ge=0, description="nats for saying e times fewer words than another figure, where it is not known"
    )
    answer_words: float = Field(default=0.5, ge=0, description="weight of words that only answer and options have")
    question_numbers: float = Field(default=0.9, ge=0, description="weight of numbers in the question")
    numbers: float = Field(default=2.4, ge=0, description="weight of the evidence's numbers and of those in an answer")
    all_numbers: float = Field(default=1.4, ge=0, description="nats for a figure that shows all of them")
    periods: float = Field(default=1.4, ge=0, description="weight of periods")
    row: float = Field(default=2.0, ge=0, description="nats where the numbers stand on lines that name a label")
    title: float = Field(default=4.0, ge=0, description="nats where the question spells out a figure's whole caption")
    derived: float = Field(
        default=1.0, ge=0, description="weight of an answer that can be computed from the figure's numbers"
    )


class Named(NamedTuple):
    """What a question names, taken apart."""

    words: tuple[str, ...]  # terms of the question and of the evidence's labels
    answer_words: tuple[str, ...]  # terms that only answer and options have
    question_numbers: tuple[str, ...]
    numbers: tuple[str, ...]  # of the evidence; where there is none, of an answer in words
    periods: tuple[str, ...]  # keys
    labels: tuple[frozenset[str], ...]  # terms of each label
    computed: Number | None  # an answer that is one number, where the evidence's numbers are not known


class OcrAligner(Aligner):
    """Matches evidence in figures' text; see the module."""

    name: ClassVar[str] = "ocr"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[PluginOptions]] = OcrAlignerOptions
    options: OcrAlignerOptions

    def align(
        self, document: Document, queries: Sequence[Query], candidates: Sequence[Sequence[Figure]]
    ) -> list[list[Signal]]:
        """Return for each query the best figures; the parts, in nats, are named as the options that weigh them.

        Rarity is taken over all figures of the report, whatever the chain before left.
        """
        index = FigureIndex(document.figures)
        place = {figure.id: number for number, figure in enumerate(document.figures)}
        return [
            self._signals(index, query, [place[figure.id] for figure in left])
            for query, left in zip(queries, candidates, strict=True)
        ]

    def _signals(self, index: FigureIndex, query: Query, left: Sequence[int]) -> list[Signal]:
        options = self.options
        named = named_in(query)
        # Where evidence is known, a figure either shows it or not: how long it is, and what the options say, is noise.
        known = bool(query.numbers or named.labels)
        found_numbers = [index.number_scores(number) for number in named.numbers]
        sums, most = {}, 0.0
        for part, weight, found in (
            ("words", options.words, [index.term_scores(term, by_length=not known) for term in named.words]),
            ("answer_words", 0.0 if known else options.answer_words, map(index.term_scores, named.answer_words)),
            ("question_numbers", options.question_numbers, map(index.number_scores, named.question_numbers)),
            ("numbers", options.numbers, found_numbers),
            ("periods", options.periods, map(index.period_scores, named.periods)),
        ):
            sums[part], part_most = _weighted(weight, found)
            most += part_most
        most += options.all_numbers * (len(named.numbers) > 1) + options.row * bool(named.labels)
        most += options.title * any(index.titles)
        scale = max(options.full_evidence, most)
        ranked = []
        for figure in left:
            parts = {part: scores.get(figure, 0.0) for part, scores in sums.items()}
            parts["title"] = options.title * _spelled_out(index.titles[figure], named.words)
            if not known:
                parts["coverage"] = options.coverage * _covered(index, figure, named.words)
                parts["brevity"] = options.brevity * math.log((1 + max(index.lengths)) / (1 + index.lengths[figure]))
            shown = _shown_of(found_numbers, named.numbers, figure)
            if known and shown is not None and shown < options.least_shown:
                continue
            if known and not any(self._shows_label(index, figure, label) for label in named.labels or [frozenset()]):
                continue
            if len(named.numbers) > 1:
                parts["all_numbers"] = options.all_numbers * (shown or 0.0) ** 2
            if named.labels:
                parts["row"] = options.row * _on_named_lines(index, figure, named)
            if named.computed is not None:
                parts["derived"] = options.derived * _derived(index, figure, query, named.computed)
            evidence = sum(parts.values())
            if known:  # without the evidence's numbers the rest is no more than the same subject
                evidence *= 0.6 if shown is None else 0.4 + 0.6 * shown
            ranked.append((evidence, figure, parts))
        ranked.sort(key=lambda one: (-one[0], one[1]))
        return [
            Signal(
                figure_id=index.figures[figure].id,
                score=round(min(1.0, evidence / scale), 6),
                parts={name: round(part, 4) for name, part in parts.items()},
            )
            for evidence, figure, parts in ranked[: options.keep]
        ]

    def _shows_label(self, index: FigureIndex, figure: int, label: frozenset[str]) -> bool:
        """Return whether the figure shows enough of a label's words; a label without words is shown by all."""
        found = sum(index.term_scores(term, by_length=False)[1].get(figure, 0.0) > 0 for term in label)
        return found >= self.options.least_label * len(label)


def _covered(index: FigureIndex, figure: int, words: Sequence[str]) -> float:
    """Return the share of the words that a figure shows, each as well as it is shown."""
    found = (index.term_scores(word, by_length=False)[1].get(figure, 0.0) for word in words)
    return sum(found) / len(words) if words else 0.0


def _shown_of(found: Sequence[tuple[float, dict[int, float]]], numbers: Sequence[str], figure: int) -> float | None:
    """Return how much of the evidence's numbers a figure shows, 0 to 1, each by what it tells.

    None where there are none, or together no more than a digit that nearly any figure shows.
    """
    weights = [number_weight(number) for number in numbers]
    if sum(weights) < 0.5:
        return None
    shown = sum(weight * scores.get(figure, 0.0) for weight, (_, scores) in zip(weights, found, strict=True))
    return shown / sum(weights)


def _on_named_lines(index: FigureIndex, figure: int, named: Named) -> float:
    """Return the share of the numbers, each by what it tells, that stand on a line with most of some label's words.

    Where no number is known, the share of the labels that stand on some line with numbers.
    """
    lines = index.lines[figure]
    if not named.numbers:
        met = sum(any(_names(terms, label) for terms, _ in lines) for label in named.labels)
        return met / len(named.labels)
    told = met_weight = 0.0
    for number in named.numbers:
        weight = number_weight(number)
        told += max(1.0, weight)
        if any(number in numbers and any(_names(terms, label) for label in named.labels) for terms, numbers in lines):
            met_weight += weight
    return met_weight / told


def _names(terms: frozenset[str], label: frozenset[str]) -> bool:
    return len(label & terms) >= 0.6 * len(label)


def _derived(index: FigureIndex, figure: int, query: Query, answer: Number) -> float:
    """Return the nats, never negative, by which the figure's numbers explain the answer."""
    question = unified(query.question)
    asked = _DECIMALS_ASKED.search(question)
    decimals = answer.decimals
    if asked:
        count = (asked["zh"] or asked["en"]).lower()
        decimals = max(decimals, _COUNTS.get(count, 0) or int(count))
    found = surprise(
        index.values[figure],
        float(answer.value),
        decimals,
        operations_asked(question),
        unsigned=sign_is_open(question),
    )
    return found - MISS


def _spelled_out(title: frozenset[str], words: Sequence[str]) -> float:
    """Return the square of the share of a caption's terms that a question has; captions of one term tell nothing."""
    if len(title) < 2:
        return 0.0
    return (len(title & set(words)) / len(title)) ** 2


def named_in(query: Query) -> Named:
    """Take a question apart into what is looked for in figures."""
    words = dict.fromkeys(asked_terms(query.question))
    labels = [frozenset(asked_terms(label)) for label in query.labels]
    for label in query.labels:
        words.update(dict.fromkeys(asked_terms(label)))
    in_answer = [query.answer, *query.options]
    answer_words = [term for term in dict.fromkeys(asked_terms(" ".join(in_answer))) if term not in words]
    single = None if parse_period(query.answer) else parse_number(query.answer)
    if query.numbers:
        numbers = _keys(query.numbers)
    elif single is None and not query.labels:
        numbers = _keys([query.answer])
    else:
        numbers = ()
    told = [query.question, *([] if single else [query.answer]), *query.options, *query.periods, *query.labels]
    return Named(
        words=tuple(words),
        answer_words=tuple(answer_words),
        question_numbers=tuple(key for key in _keys([query.question]) if key not in numbers),
        numbers=numbers,
        periods=tuple(dict.fromkeys(period.key for text in told for period in find_periods(text))),
        labels=tuple(label for label in labels if label),
        computed=single if not query.numbers else None,
    )


def _keys(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of the numbers in texts, once each; periods and 'two decimals' are none."""
    found: dict[str, None] = {}
    for text in texts:
        plain = _DECIMALS_ASKED.sub(" ", text)
        for period in reversed(find_periods(plain)):
            plain = f"{plain[: period.start]} {plain[period.end :]}"
        found.update(dict.fromkeys(key for key, _ in printed_numbers(plain)))
    return tuple(found)


def _weighted(weight: float, found: Iterable[tuple[float, dict[int, float]]]) -> tuple[dict[int, float], float]:
    """Return each figure's sum of weight times rarity times match, and the most that one could reach.

    What no figure shows does not tell which one is meant, so it does not count in the most.
    """
    sums: dict[int, float] = {}
    most = 0.0
    for rarity, scores in found:
        most += weight * rarity if scores else 0.0
        for figure, match in scores.items():
            sums[figure] = sums.get(figure, 0.0) + weight * rarity * match
    return sums, most
