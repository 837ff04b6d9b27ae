"""Figures that say the same: exact copies, reprints in another report, the same picture again."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from finlmm_core.steps.sampling.words import words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_HASHES = 64
_BAND = 4  # rows a band: 16 bands of 4 find pairs of Jaccard .8 with probability .9998, of .5 with .64
_PRIME = (1 << 31) - 1
_ENOUGH = 6  # words and numbers from which on the text identifies a figure


def difference_hash(image: Image, side: int = 16) -> int:
    """Return the perceptual hash of an image: 256 bits, each whether a grey pixel is brighter than its left one."""
    import numpy as np
    from PIL import Image as PillowImage

    small = np.asarray(image.convert("L").resize((side + 1, side), PillowImage.Resampling.BOX), dtype=np.int16)
    bits = (small[:, 1:] > small[:, :-1] + 1).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def bits_apart(first: int, second: int) -> int:
    """Return in how many bits two perceptual hashes differ."""
    return (first ^ second).bit_count()


def _content(text: str) -> frozenset[str]:
    found = words_of(text)
    return found.words | found.numbers


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the share of the items of both sets that are in both."""
    either = len(first | second)
    return len(first & second) / either if either else 0.0


class _Sets:
    """Union-find with the smallest index as the name of a set."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        while self._parent[item] != item:
            self._parent[item] = self._parent[self._parent[item]]
            item = self._parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        one, other = sorted((self.find(first), self.find(second)))
        self._parent[other] = one


def same_figures(
    texts: Sequence[str], hashes: Sequence[str], open_image: Callable[[int], Image], least: float = 0.85
) -> list[int]:
    """Return for each figure the index of the first figure that says the same (its own where it is the first).

    Figures with the same image file are the same. Figures with words are the same when the Jaccard overlap of their
    words and numbers is at least ``least`` (candidates by MinHash with 16 bands of 4, Broder 1997). Figures with
    hardly any words are compared by a perceptual hash; 10 of 256 bits may differ.

    Args:
        texts: what each figure says.
        hashes: SHA-256 of each figure's image file.
        open_image: opens the image of a figure by index; called only for figures with hardly any words.
        least: Jaccard overlap, 0 to 1.
    """
    import numpy as np

    sets = _Sets(len(texts))
    first_with: dict[str, int] = {}
    for index, digest in enumerate(hashes):
        sets.join(index, first_with.setdefault(digest, index))
    parameters = np.random.RandomState(20130).randint(1, _PRIME, size=(2, _HASHES, 1)).astype(np.int64)
    worded: list[int] = []
    signatures = np.empty((len(texts), _HASHES), dtype=np.int32)
    pictures: list[tuple[int, int]] = []
    for index, text in enumerate(texts):
        if first_with[hashes[index]] != index:
            continue
        content = _content(text)
        if len(content) < _ENOUGH:
            pictures.append((index, difference_hash(open_image(index))))
            continue
        codes = np.array([zlib.crc32(item.encode()) & 0x7FFFFFFF for item in sorted(content)], dtype=np.int64)
        signatures[len(worded)] = ((parameters[0] * codes + parameters[1]) % _PRIME).min(axis=1)
        worded.append(index)
    _join_alike(texts, worded, _shared_bands(signatures[: len(worded)]), sets, least)
    _join_pictures(pictures, sets)
    return [sets.find(index) for index in range(len(texts))]


def _shared_bands(signatures: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return int32 ``[figures, bands]``: the number of the bucket that a band falls into, -1 where it is alone there.

    Hardly any band is shared: buckets are kept for those that are, so that a million figures need no 16 million lists.
    """
    import numpy as np

    count = len(signatures)
    found = np.full((count, _HASHES // _BAND), -1, dtype=np.int32)
    for band in range(found.shape[1] if count else 0):
        columns = signatures[:, band * _BAND : (band + 1) * _BAND].T
        order = np.lexsort(columns)
        new = np.ones(count, dtype=bool)
        new[1:] = (columns[:, order[1:]] != columns[:, order[:-1]]).any(axis=0)
        bucket = np.cumsum(new) - 1
        found[order, band] = np.where(np.bincount(bucket)[bucket] > 1, bucket, -1)
    return found


def _join_alike(
    texts: Sequence[str], worded: Sequence[int], bands: NDArray[np.int32], sets: _Sets, least: float
) -> None:
    """Join figures that share a bucket and most of their words and numbers."""
    import numpy as np

    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in np.flatnonzero((bands >= 0).any(axis=1)).tolist():
        index = worded[place]
        content = _content(texts[index])
        for band, number in enumerate(bands[place].tolist()):
            if number < 0:
                continue
            bucket = buckets[band, number]
            for other in dict.fromkeys(sets.find(o) for o in bucket):
                if sets.find(index) != other and jaccard(content, _content(texts[other])) >= least:
                    sets.join(index, other)
            if sets.find(index) == index:  # what joined another is found through that one
                bucket.append(index)


def _join_pictures(pictures: Sequence[tuple[int, int]], sets: _Sets) -> None:
    """Join figures whose perceptual hashes are at most 10 bits apart.

    Of 16 pieces of 16 bits at least 6 are then equal, so only figures that share a piece are compared; pieces of plain
    background (all bits 0) are shared by everything and not looked up.
    """
    buckets: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for index, bits in pictures:
        pieces = [(piece, bits >> (16 * piece) & 0xFFFF) for piece in range(16)]
        for key in [key for key in pieces if key[1]] or [(16, 0)]:
            for other, other_bits in buckets[key]:
                if sets.find(index) != sets.find(other) and bits_apart(bits, other_bits) <= 10:
                    sets.join(index, other)
            if sets.find(index) == index:
                buckets[key].append((index, bits))
