"""What rewards that ask a model share: messages, and quoting a policy's text so that it stays a quotation."""

from __future__ import annotations

import json
import re

from finlmm_core import Sample
from finlmm_core.plugins.bases import Message
from finlmm_core.prompts import LETTERS

_INSTRUCTION = re.compile(r"\[(?=/?INST)")
_LEFT_OUT = "\n[... {count} characters left out ...]\n"


def quoted(text: str, longest: int) -> str:
    """Return a text as one JSON string that a model reads as data.

    Quotes, line breaks and control characters are escaped, so the text cannot end its own quotation; ``<`` and what
    begins ``[INST]`` are written as escapes, so that no token of a chat template and no tag stands in it. Invisible and
    direction characters are escaped too.

    Args:
        text: what a policy wrote.
        longest: characters that are kept; of a longer text the middle is left out, and said so.
    """
    encoded = json.dumps(shortened(text, longest), ensure_ascii=False).replace("<", "\\u003c")
    encoded = _INSTRUCTION.sub(r"\\u005b", encoded)
    return "".join(c if c.isprintable() or c == "\u3000" else _escaped(c) for c in encoded)


def shortened(text: str, longest: int) -> str:
    """Return a text of about so many characters at most: of a longer one the middle is left out, and said so."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return text[:half] + _LEFT_OUT.format(count=len(text) - 2 * half) + text[-half:]


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else "\ufffd"


def turns(system: str, user: str) -> list[Message]:
    """Return a conversation of a system turn and a user turn of text."""
    return [
        {"role": "system", "content": [{"type": "text", "text": system}]},
        {"role": "user", "content": [{"type": "text", "text": user}]},
    ]


def asked(sample: Sample) -> str:
    """Return a sample's question with its options as lines with letters, without its context."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, sample.options, strict=False)]
    return "\n".join([sample.question, *lines])
