"""Text from outside as a terminal, a log or a file of a run may hold it.

Nothing in it moves the cursor, changes colours or hides, and nothing in it is a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

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


_SECRET_NAME = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_|$)", re.IGNORECASE)
_LEAST_SECRET = 8  # characters; shorter values are switches and names
_USER_INFO = re.compile(r"(?<=://)[^/\s@'\"<>]+@")


def without_secrets(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return text without the keys of the environment and without user and password in URLs.

    Whatever a plugin or a library puts into an error ends up in files that are passed on. A variable counts whose
    name says that it holds a secret (``OPENAI_API_KEY``, ``HF_TOKEN``, ``AWS_SECRET_ACCESS_KEY``).

    Args:
        text: to be kept or shown.
        environment: variables; those of this process if None.
    """
    found = os.environ if environment is None else environment
    secrets = {value.strip(): name for name, value in found.items() if _SECRET_NAME.search(name)}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, f"[{secrets[secret]}]")
    return _USER_INFO.sub("[user]@", text)
