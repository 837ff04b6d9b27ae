"""What a question must not say: its own answer, or where on the page a figure stands."""

from __future__ import annotations

import re
from decimal import Decimal

from finlmm_core.quantities import find_numbers

_POSITION = re.compile(
    r"\b(?:table|figure|fig\.|chart|graph|exhibit|diagram|image|picture)\s*(?:no\.?\s*)?\d+"
    r"|\b(?:above|below|following|preceding|adjacent|accompanying|previous|next)\s+(?:table|figure|chart|graph|page|image|schedule|section)"
    r"|\b(?:table|figure|chart|graph|image|schedule)\s+(?:above|below|on\s+page)|\bpage\s+\d+|\bp\.\s?\d+"
    r"|(?:上|下|左|右|本|此)[表图]|如[图表]|[图表]\s?\d+|第\s?\d+\s?页|[上下]方的?[图表]",
    re.IGNORECASE,
)


def names_position(question: str) -> bool:
    """Whether the question points at a figure by number, page or place instead of by what it shows."""
    return bool(_POSITION.search(question))


def leaks_answer(question: str, answer: str, value: Decimal | None = None) -> bool:
    """Whether the question holds the answer's words or its number.

    Args:
        question: as asked.
        answer: the right option's text.
        value: the answer's number; the question must not print it (as a number of its own, in any format).
    """
    folded, wanted = question.casefold(), answer.casefold().strip()
    if len(wanted) >= 2 and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded):
        return True
    if value is not None:
        return any(abs(number.value) == abs(value) for number in find_numbers(question))
    return False
