"""Joining words and lines to text: spaces in English, none between Chinese characters, hyphens mended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from finlmm_parsers.primitives import Word

# CJK ideographs, kana, full-width forms and CJK punctuation
CJK = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0002fa1f"
_CJK = re.compile(f"[{CJK}]")
_HYPHENS = "-\u00ad\u2010"
_HYPHEN_END = re.compile(r"[A-Za-z]{2,}[-\u00ad\u2010]$")


def is_cjk(character: str) -> bool:
    """Tell whether the character is written without spaces around it."""
    code = ord(character)
    return code >= 0x2E80 and (
        code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFE30 <= code <= 0xFE4F
        or 0xFF00 <= code <= 0xFFEF
        or 0x20000 <= code <= 0x2FA1F
    )


def has_cjk(text: str) -> bool:
    """Tell whether the text holds a CJK character."""
    return _CJK.search(text) is not None


def join_words(words: Sequence[Word]) -> str:
    """Return the words of one line as text; words that touch (a fragment of a word, CJK runs) are joined.

    A word is a fragment when it begins where the one before it ends (less than a twelfth of the font size).
    """
    if len(words) == 1:
        return words[0].text
    joined = " ".join([word[0] for word in words])
    if joined.isascii():  # nearly all lines: a space goes everywhere, unless words touch
        right = words[0][3]
        for word in words:
            if -0.5 * word[5] < word[1] - right < 0.08 * word[5] and word is not words[0]:
                break
            right = word[3]
        else:
            return joined
    before = words[0]
    text, right = before[0], before[3]
    parts = [text]
    for word in words[1:]:
        gap = word[1] - right
        size = word[5]
        if gap >= 0.08 * size:
            if gap >= 0.6 * size or word[0].isascii() or not (is_cjk(text[-1]) and is_cjk(word[0][0])):
                parts.append(" ")
        elif gap <= -0.5 * size:
            parts.append(" ")
        text, right = word[0], word[3]
        parts.append(text)
    return "".join(parts)


def join_lines(lines: Iterable[str]) -> str:
    """Return the lines of one paragraph as text.

    No space is put between Chinese characters; an English word parted by a hyphen at the end of a line is mended when
    the next line goes on in lower case (``"finan-", "cial"``), and keeps its hyphen otherwise (``"non-", "GAAP"``).
    """
    text = ""
    for line in lines:
        line = line.strip()
        if not line:
            continue
        if not text:
            text = line
        elif text[-1] in _HYPHENS and _HYPHEN_END.search(text[-6:]):
            if line[0].islower() and text[-1] != "\u2010":
                stem = text[:-1].rsplit(None, 1)[-1].lower()
                text = text + line if stem in _PREFIXES else text[:-1] + line
            else:
                text += line
        elif is_cjk(text[-1]) or is_cjk(line[0]):
            # between a CJK character and a Latin word printed text has at most a thin space
            text += line
        else:
            text += " " + line
    return text


# Prefixes and first halves that keep their hyphen when a compound is parted at a line's end.
_PREFIXES = frozenset(
    [
        "non",
        "self",
        "co",
        "pre",
        "post",
        "long",
        "short",
        "mid",
        "year",
        "high",
        "low",
        "well",
        "cross",
        "inter",
        "intra",
        "anti",
        "ex",
        "multi",
        "tax",
        "cash",
        "third",
        "first",
        "second",
        "full",
        "half",
        "fixed",
        "floating",
        "market",
        "fair",
        "risk",
        "available",
        "held",
        "on",
        "off",
        "end",
        "re",
        "over",
        "under",
        "company",
        "customer",
        "debt",
        "income",
        "interest",
        "asset",
        "dollar",
        "share",
        "stock",
        "follow",
        "start",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
    ]
)
