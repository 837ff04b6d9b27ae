"""Text from outside as a terminal or a log may show it: nothing in it moves the cursor, changes colours or hides."""

from __future__ import annotations

import re

# Control characters of both blocks, line and paragraph separators, what turns the direction of writing around, and
# half pairs of surrogates, by which Python carries bytes of file names that are no UTF-8.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible_line(text: str) -> str:
    r"""Return text on one line, with what a terminal would act on written out: ``\x1b``, ``\n``, ``\u202e``."""
    return _UNSAFE.sub(_written, text)


def visible_text(text: str) -> str:
    """Return text with line ends and tabs as they are, and what else a terminal would act on written out."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else _written(found), text)


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name
        return f"\\x{code - 0xDC00:02x}"
    named = {9: "\\t", 10: "\\n", 13: "\\r"}
    return named.get(code, f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
