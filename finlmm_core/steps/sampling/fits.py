"""Whether another figure would answer the question too, so that it must not stand beside the right one as wrong."""

from __future__ import annotations

from typing import NamedTuple

from finlmm_core.domain import QAPair
from finlmm_core.steps.sampling.words import (
    COMMON_WORDS,
    Words,
    digits_that_count,
    fold,
    has_chinese,
    numbers_in,
    rounds_to,
    says,
    words_of,
    years_in,
)


class Asked(NamedTuple):
    """What a question needs of a figure."""

    labels: tuple[str, ...]  # evidence labels that the question says, all labels where it says none
    all_labels: tuple[str, ...]
    numbers: tuple[str, ...]  # sizes of the evidence numbers
    answer: tuple[str, ...]  # sizes of the numbers in the answer
    words: frozenset[str]  # telling words of the question
    periods: tuple[str, ...]  # years that the question names


def asked(question: QAPair) -> Asked:
    """Return what has to be in a figure for the question to be answerable from it."""
    said = words_of(question.question)
    labels = tuple(dict.fromkeys(label for e in question.evidence for label in e.labels if label.strip()))
    numbers = tuple(
        dict.fromkeys(
            number
            for e in question.evidence
            if e.value is not None
            for number in numbers_in(fold(e.text))
            if number not in years_in(question.question)
        )
    )
    years = years_in(question.question)
    answer = tuple(n for n in numbers_in(fold(question.answer.text)) if n not in years)
    return Asked(
        labels=tuple(label for label in labels if says(said, label)) or labels,
        all_labels=labels,
        numbers=numbers,
        answer=answer,
        words=frozenset(said.words - COMMON_WORDS - set(years)),
        periods=years,
    )


def why_it_fits(need: Asked, figure_text: str) -> str | None:
    """Return why a figure with this text would answer the question too, None where it would not.

    Reasons:
        holds_the_evidence: all numbers that the answer is made of are in it (as printed, or rounded to another scale
            beside the labels).
        shows_the_answer: the answer's own number is in it, with the labels.
        fits_the_question: everything that the question names - rows, columns, periods, terms - is in it, so a reader
            of the question alone could take it for the right figure.
    """
    text = words_of(figure_text)
    labelled = bool(need.all_labels) and all(says(text, label) for label in need.all_labels)
    if need.numbers:
        here = [number in text.numbers for number in need.numbers]
        weighty = sum(digits_that_count(number) for number in need.numbers) >= 4
        if all(here) and (weighty or labelled):
            return "holds_the_evidence"
        asked_for = bool(need.labels) and all(says(text, label) for label in need.labels)
        if asked_for and all(
            found or any(rounds_to(number, shown) or rounds_to(shown, number) for shown in text.numbers)
            for found, number in zip(here, need.numbers, strict=True)
        ):
            return "holds_the_evidence"
        if asked_for and any(digits_that_count(n) >= 2 and n in text.numbers for n in need.answer):
            return "shows_the_answer"
    if all(year in text.text for year in need.periods):
        if need.labels and all(says(text, label) for label in need.labels):
            return "fits_the_question"
        if need.words and _share_said(need.words, text) >= 0.85:
            return "fits_the_question"
    return None


def _share_said(words: frozenset[str], text: Words) -> float:
    found = sum(1 for word in words if word in text.words or (has_chinese(word) and word in text.squeezed))
    return found / len(words)
