"""Words that the English grammars share: how numbers and periods are led in, and which words can name a measure."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re

from finlmm_generators.labels import is_generic
from finlmm_generators.stated import NUMBER_MARKS, PERIOD_MARKS

ABOUT = r"(?:(?:approximately|about|roughly|around|just|only|a\s+record|fully|c\.)\s*)?"
NUMBER = rf"{ABOUT}[{NUMBER_MARKS}](?:\s+per\s+(?:diluted\s+|basic\s+|common\s+|ordinary\s+)*share)?"
PERIOD = rf"(?:the\s+)?(?:(?:fiscal|calendar|full)\s+)?(?:years?\s+)?(?:end\s+of\s+)?[{PERIOD_MARKS}]"
PREPOSITION = r"(?:as\s+of|as\s+at|at|in|for|during|on)"
NUMBERS = rf"{NUMBER}(?:\s*,\s*{NUMBER})*,?\s+and\s+{NUMBER}"
END = r"(?=\s*[.;,(]|\s+(?:respectively|due|driven|primarily|mainly|reflecting|as\s+a\s+result|because|which|and|with|net|or|an?\s+(?:increase|decrease))\b|\s*\Z)"
ARTICLE = re.compile(r"\A(?:the|our|an?|its|total\s+amount\s+of\s+the)\s+", re.IGNORECASE)
_UNCLEAR = re.compile(
    r"\b(?:this|that|these|those|such|it|they|them|he|she|his|her|which|who|whom|above|below|following|former|latter|same|"
    r"we|us|you|there|table|chart|figure|note|was|were|is|are|has|had|have|been|increased|decreased|rose|fell|grew|declined|because|due|"
    r"if|when|while|although|would|could|may|might|will|expects?|included?|includes|employed|resulted|resulting|offset|driven|related\s+to\s+the|range[ds]?|between|less|than|respectively)\b|[;:“”\"]",
    re.IGNORECASE,
)


def measure_problem(measure: str) -> str | None:
    """Return why words do not name a measure, None where they do."""
    words = measure.split()
    if not 1 <= len(words) <= 14 or sum(character.isalpha() for character in measure) < 3 or is_generic(measure):
        return "measure_too_long" if len(words) > 14 else "measure_too_short"
    if _UNCLEAR.search(measure) or re.match(
        r"(?:and|or|but|of|for|in|on|at|as|to|by|with|from|excluding|including|during)\b", measure, re.IGNORECASE
    ):
        return "measure_unclear"
    if re.search(r"\b(?:of|the|and|a|an|to|in|for|with|from)\Z", measure, re.IGNORECASE) or measure.count(
        "("
    ) != measure.count(")"):
        return "measure_unclear"
    return None
