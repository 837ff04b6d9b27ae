"""Text as rewards measure it: what can be seen of it, and pieces about as long as tokens."""

from __future__ import annotations

import re
from functools import lru_cache
from zlib import crc32

#: A Chinese character, up to six letters or digits, or a single sign: about what vocabularies of 100,000 tokens make.
_PIECE = re.compile(r"[一-鿿]|[^\W_一-鿿]{1,6}|[^\w\s]|_")


def pieces(text: str) -> list[str]:
    """Return the text in pieces, one for about each token of a large vocabulary."""
    return _PIECE.findall(text)


def piece_ids(text: str) -> tuple[int, ...]:
    """Return a number for each piece: the same piece, the same number, in every process."""
    return tuple(map(_piece_id, pieces(text)))


@lru_cache(maxsize=65536)
def _piece_id(piece: str) -> int:
    return crc32(piece.encode("utf-8", "surrogatepass")) & 0x7FFFFFFF


def visible(text: str) -> str:
    """Return what a reader sees: ``printed``, with runs of white space as one space."""
    return " ".join(printed(text).split())


def printed(text: str) -> str:
    """Return the text without characters that show nothing, white space apart.

    Left out are control and format characters (zero-width, direction marks, soft hyphens, tags), fillers, unassigned
    and private-use characters.
    """
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c.isspace())
    return text if text.isascii() else _BLANK.sub("", text)


#: Printable by Python's rule, yet nothing is seen: fillers, blank braille, variation selectors, joiners.
_BLANK = re.compile("[\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\ufe00-\ufe0f]")
