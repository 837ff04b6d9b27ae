"""Comparing LaTeX and symbolic answers with math-verify, bounded in size instead of in time.

math-verify ends what takes too long by a signal, which works on the main thread only. Here its timers are off, and what
it is given is bounded: length, depth, digits, powers, and commands that do not blow up.
"""

from __future__ import annotations

import logging
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from finlmm_core.errors import MissingExtraError

_LONGEST = 160
_DEEPEST = 6
_ALLOWED = frozenset(
    {
        "frac", "dfrac", "tfrac", "sqrt", "pi", "infty", "cup", "cap", "le", "leq", "ge", "geq", "pm", "ln", "log",
        "sin", "cos", "tan", "alpha", "beta", "theta", "cdot", "times", "left", "right", "text", "mathrm", "approx",
        "in", "emptyset", "circ", "to", "dots",
    }
)  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_PROSE = re.compile(r"(?<![A-Za-z\\])(?!(?:sqrt|asin|acos|atan)\b)[A-Za-z]{4,}|[A-Za-z]{2,3}[ ][A-Za-z]{2,3}[ ]")
_DIGITS = re.compile(r"\d{13}")
_POWER = re.compile(r"(?:\^|\*\*)[ ]?\{?[ ]?-?(?P<exponent>[^{}\s]{0,12})")


def too_much(text: str) -> bool:
    """Return whether a text is prose, or an expression that is more than is given to the algebra system."""
    if len(text) > _LONGEST or _DIGITS.search(text) or "!" in text or text.count("^") + text.count("**") > 3:
        return True
    if _PROSE.search(text):
        return True
    if any(command not in _ALLOWED for command in _COMMAND.findall(text)):
        return True
    depth = deepest = 0
    for character in text:
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(character, 0)
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        return True
    for found in _POWER.finditer(text):
        exponent = found["exponent"]
        if re.search(r"\d{3}", exponent) or "^" in exponent or (exponent.isdigit() and int(exponent) > 20):
            return True
    return False


@lru_cache(maxsize=2048)
def symbolic_equal(given: str, gold: str) -> bool | None:
    """Return whether two expressions are equal; None where one of them cannot be read or is more than is tried.

    Raises:
        MissingExtraError: math-verify is not installed.
    """
    if too_much(given) or too_much(gold):
        return None
    first, second = _parse(gold), _parse(given)
    if not first or not second:
        return None
    from math_verify import verify

    return bool(verify(first, second, timeout_seconds=None))


@lru_cache(maxsize=2048)
def symbolic_value(text: str) -> Decimal | None:
    """Return the real number that an expression without variables is, to 15 digits; None where it is none.

    Raises:
        MissingExtraError: math-verify is not installed.
    """
    if too_much(text):
        return None
    for read in _parse(text)[:1]:
        if getattr(read, "is_number", False) and read.is_real and read.is_finite:
            return Decimal(str(read.evalf(15)))
    return None


def _parse(text: str) -> list[Any]:
    """Return what math-verify reads of an expression: sympy's form first, [] where it reads nothing."""
    try:
        from math_verify import parse
    except ImportError:
        raise MissingExtraError("grading LaTeX and symbolic answers", "math_verify", "train") from None
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns at every call that its timers are off
    return list(parse(f"${text}$", parsing_timeout=None))
