"""Comparing answers that are words."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ARTICLES = re.compile(r"\b(?:a|an|the)[ ]+(?=[^\W\d_])")
# A point, a comma or a sign at a digit belongs to a number.
_PUNCTUATION = re.compile(r"(?:[\s\"'“”‘’「」『』《》;:!?。；：！？、·*_`#()\[\]{}<>|~]|[.,，](?!\d)|-(?![\d.$€£¥(]))+")
_LATEX_WORD = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathit|mbox|operatorname)[ ]?\{([^{}]{0,400})\}")
_LONGEST = 2000  # characters of a text answer that are compared


@lru_cache(maxsize=8192)
def normal_text(text: str) -> str:
    """Return the words of a text for comparing: compatibility forms, case, punctuation, articles and spaces removed.

    Between two words one space stays, so that 'net income' and 'netincome' differ.
    """
    text = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().replace("&", " and ")
    return " ".join(_PUNCTUATION.sub(" ", _ARTICLES.sub(" ", text)).split())


def without_markup(text: str) -> str:
    """Return the text without Markdown emphasis, LaTeX delimiters and LaTeX text commands."""
    if "\\" in text:
        text = _LATEX_WORD.sub(r"\1", text)
        for command, plain in _LATEX:
            text = text.replace(command, plain)
    if text.count("$") == 2 and len(text) > 2 and text.startswith("$") and text.rstrip(" .").endswith("$"):
        text = text.strip(" .")[1:-1]
    text = text.replace("**", "").replace("__", "").replace("`", "")
    return text.strip().lstrip("#>").strip()


_LATEX = (
    ("\\left", ""), ("\\right", ""), ("\\(", ""), ("\\)", ""), ("\\[", ""), ("\\]", ""), ("\\,", ""), ("\\!", ""),
    ("\\;", " "), ("\\:", " "), ("\\ ", " "), ("\\quad", " "), ("\\%", "%"), ("\\$", "$"), ("\\&", "&"), ("\\#", "#"),
    ("{,}", ","), ("\\approx", "≈"), ("\\times", "×"), ("\\cdot", "×"), ("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"),
    ("^{\\circ}", "°"), ("^\\circ", "°"), ("\\pounds", "£"), ("\\euro", "€"), ("\\yen", "¥"),
)  # fmt: skip


def edit_distance(first: str, second: str) -> int:
    """Return the Levenshtein distance of two strings.

    Myers' bit-parallel algorithm (1999) as given by Hyyrö (2001): one step of integer arithmetic a character of the
    second string, so that 2,000 characters against 2,000 take about a millisecond.
    """
    if not first:
        return len(second)
    positions: dict[str, int] = {}
    for place, character in enumerate(first):
        positions[character] = positions.get(character, 0) | 1 << place
    full = (1 << len(first)) - 1
    top = 1 << (len(first) - 1)
    positive, negative, distance = full, 0, len(first)
    for character in second:
        equal = positions.get(character, 0)
        vertical = equal | negative
        equal = (((equal & positive) + positive) ^ positive) | equal
        horizontal_positive = negative | ~(equal | positive) & full
        horizontal_negative = positive & equal
        if horizontal_positive & top:
            distance += 1
        elif horizontal_negative & top:
            distance -= 1
        horizontal_positive = (horizontal_positive << 1 | 1) & full
        horizontal_negative = (horizontal_negative << 1) & full
        positive = horizontal_negative | ~(vertical | horizontal_positive) & full
        negative = horizontal_positive & vertical
    return distance


def anls(given: str, gold: str) -> float:
    """Return the normalised Levenshtein similarity of two texts, 0 to 1 (Biten et al., 2019, before its threshold)."""
    first, second = normal_text(given), normal_text(gold)
    longest = max(len(first), len(second))
    return 1.0 - edit_distance(first, second) / longest if longest else 1.0
