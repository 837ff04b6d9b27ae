"""The nearest vectors of a corpus by inner product: exact where it is small, inverted lists on disk where it is large.

Vectors arrive in pieces and are known by their number, in the order of arrival; queries are members::

    index = build_index(pieces, count, scratch / "train", exact_up_to=50_000)
    rows = index.nearest([0, 7], 51)  # int64 [2, 51], the member itself among them, -1 where there are fewer
    index.close()

* :class:`FlatIndex` holds all vectors in memory and compares with each (FAISS).
* :class:`ListsIndex` is an inverted file (IVF): spherical k-means (FAISS) on a fixed sample of the vectors makes about
  ``sqrt(n)`` lists; a query looks only into the lists whose centres are nearest. How many it needs is measured while
  the index is built: as many as find 97 % of the ten nearest of 256 members, which were searched exactly on the way.
  So vectors without clusters cost more time, not more errors. The vectors lie list after list in one memory-mapped
  file. Queries are worked off together, list by list, so that a list is read once for all that look into it and
  compared with them in one matrix product.

Results depend on nothing but the vectors: the sizes of the arriving pieces, the number of threads and the other queries
change nothing (all is reckoned in blocks of fixed size on one thread, and ranks are decided in double precision).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Numbers = NDArray[np.int64]

_SEED = 1234
_TRAINED_ON = 64  # vectors a list, for k-means; more hardly moves the centres
_ROUNDS_OF_TRAINING = 10
_READ_AT_ONCE = 16_384  # vectors
_MEASURED_WITH = 256  # members that the number of lists to search is measured with
_MEASURED_NEAREST = 10
_RECALL = 0.97  # asked of the members it is measured with; what it must hold of all is 0.95
_LEAST_SEARCHED = 8  # lists
_QUERIES_AT_ONCE = 4096
_SPARE = 8  # candidates more than asked for, whose rank is then decided in double precision
_ROUNDS = (0, 1, 8, 32)  # ranks of lists that are searched before the bound on the score is drawn tighter


class VectorIndex(Protocol):
    """Finds the members of a corpus of vectors that are nearest to some of them."""

    @property
    def choice(self) -> str:
        """What it is, in words."""

    def nearest(self, rows: Sequence[int] | Numbers, count: int) -> Numbers:
        """Return int64 ``[len(rows), count]``: the members nearest to each of ``rows``, nearest first, itself among
        them; -1 where there are fewer."""

    def close(self) -> None:
        """Let go of the vectors and remove their files."""


def build_index(pieces: Iterable[Vectors], count: int, folder: Path, exact_up_to: int) -> VectorIndex:
    """Return an index over ``count`` vectors: flat up to ``exact_up_to``, inverted lists above.

    Args:
        pieces: float32 ``[any number, dimensions]``, L2-normalised rows, together ``count``.
        count: how many vectors there are in all.
        folder: a place that inverted lists may use; made where needed, removed by ``close`` and after a failure.
        exact_up_to: the largest number of vectors that is searched exactly.

    Raises:
        ValueError: the pieces hold another number of vectors, or vectors of several widths.
    """
    if count <= exact_up_to:
        return FlatIndex(pieces, count)
    return ListsIndex(pieces, count, folder)


class FlatIndex:
    """Exact search in memory."""

    def __init__(self, pieces: Iterable[Vectors], count: int) -> None:
        import numpy as np

        held = [piece for piece in pieces if len(piece)]
        self._vectors = held[0] if len(held) == 1 else np.concatenate(held) if held else np.zeros((0, 1), np.float32)
        if len(self._vectors) != count:
            raise ValueError(f"expected {count} vectors, got {len(self._vectors)}")

    @property
    def choice(self) -> str:
        """What it is, in words."""
        return f"flat, {len(self._vectors)} vectors"

    def nearest(self, rows: Sequence[int] | Numbers, count: int) -> Numbers:
        """Return the members nearest to each of ``rows`` (see VectorIndex)."""
        import faiss

        with _one_thread():
            index = faiss.IndexFlatIP(self._vectors.shape[1])
            index.add(self._vectors)
            found: Numbers = index.search(self._vectors[list(rows)], count)[1]
        return found

    def close(self) -> None:
        """Let go of the vectors."""
        self._vectors = self._vectors[:0]


class ListsIndex:
    """Inverted lists over vectors in a memory-mapped file; see the module's docstring.

    Memory while it is built: the training sample (64 vectors a list) and one block; disk: the vectors twice, once
    when it is finished. The folder belongs to the index. A process that is killed leaves it behind; it is never read
    again, and the next index at the same place removes it.
    """

    def __init__(self, pieces: Iterable[Vectors], count: int, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder
        try:
            with _one_thread():
                arrived = folder / "arrived.f32"
                self._dimensions = _write(pieces, count, arrived)
                self._count = count
                self._train(arrived)
                self._sort(arrived, folder / "lists.f32")
                self._vectors = _mapped(folder / "lists.f32", self._dimensions)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def choice(self) -> str:
        """What it is, in words."""
        return (
            f"inverted lists, {self._count} vectors in {len(self._centres)} lists of which {self.searched} are searched"
        )

    def close(self) -> None:
        """Remove the files."""
        self._vectors = self._vectors[:0].copy()
        shutil.rmtree(self._folder, ignore_errors=True)

    # ---------------------------------------------------------------------------------------------------- build

    def _train(self, arrived: Path) -> None:
        """Find the centres of the lists by spherical k-means on a sample."""
        import faiss
        import numpy as np

        lists = max(1, round(math.sqrt(self._count)))
        chance = np.random.RandomState(_SEED)
        sample = _mapped(arrived, self._dimensions)[_some(chance, self._count, lists * _TRAINED_ON)]
        training = faiss.Clustering(self._dimensions, lists)
        training.seed, training.niter, training.spherical = _SEED, _ROUNDS_OF_TRAINING, True
        training.max_points_per_centroid = _TRAINED_ON
        training.min_points_per_centroid = 1
        quantizer = faiss.IndexFlatIP(self._dimensions)
        training.train(np.ascontiguousarray(sample), quantizer)
        self._centres = quantizer.reconstruct_n(0, lists)

    def _sort(self, arrived: Path, target: Path) -> None:
        """Write the vectors list after list; on the way find out how many lists have to be searched."""
        import numpy as np

        measured = _some(np.random.RandomState(_SEED + 1), self._count, _MEASURED_WITH)
        truth = _Best(len(measured), _MEASURED_NEAREST + 1)
        queries = np.ascontiguousarray(_mapped(arrived, self._dimensions)[measured])
        lists = np.empty(self._count, dtype=np.int32)
        for start, block in _blocks(arrived, self._dimensions):
            lists[start : start + len(block)] = (block @ self._centres.T).argmax(axis=1)
            truth.take_all(queries @ block.T, start)
        self.searched = self._lists_needed(queries, measured, truth.rows, lists)

        order = np.argsort(lists, kind="stable")
        self._ends = np.concatenate([[0], np.cumsum(np.bincount(lists, minlength=len(self._centres)))])
        self._row_at = order.astype(np.int64)
        self._place_of = np.empty(self._count, dtype=np.int64)
        self._place_of[order] = np.arange(self._count)
        there = _mapped(arrived, self._dimensions)
        with target.open("wb") as file:
            for start in range(0, self._count, _READ_AT_ONCE):
                file.write(there[order[start : start + _READ_AT_ONCE]].data)
        del there
        arrived.unlink()

    def _lists_needed(self, queries: Vectors, members: Numbers, nearest: Numbers, lists: NDArray[np.int32]) -> int:
        """Return the least number of lists in which the wanted share of the members' true nearest lies."""
        import numpy as np

        order = np.argsort(-(queries @ self._centres.T), axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
        others = (nearest >= 0) & (nearest != members[:, None])
        needed = np.sort(np.take_along_axis(rank, lists[nearest], axis=1)[others]) + 1
        enough = int(needed[math.ceil(_RECALL * len(needed)) - 1]) if len(needed) else 1
        return min(max(enough, _LEAST_SEARCHED), len(self._centres))

    # --------------------------------------------------------------------------------------------------- search

    def nearest(self, rows: Sequence[int] | Numbers, count: int) -> Numbers:
        """Return the members nearest to each of ``rows`` (see VectorIndex)."""
        import numpy as np

        found = np.full((len(rows), count), -1, dtype=np.int64)
        places = self._place_of[np.asarray(rows, dtype=np.int64)]
        order = np.argsort(places, kind="stable")  # neighbours look into the same lists
        with _one_thread():
            for start in range(0, len(order), _QUERIES_AT_ONCE):
                part = order[start : start + _QUERIES_AT_ONCE]
                found[part] = self._nearest_of(np.ascontiguousarray(self._vectors[places[part]]), count)
        return found

    def _nearest_of(self, queries: Vectors, count: int) -> Numbers:
        import numpy as np

        likeness = queries @ self._centres.T
        chosen = np.argpartition(-likeness, self.searched - 1, axis=1)[:, : self.searched]
        by_rank = np.argsort(-np.take_along_axis(likeness, chosen, axis=1), axis=1, kind="stable")
        chosen = np.take_along_axis(chosen, by_rank, axis=1)
        best = _Best(len(queries), count + _SPARE)
        for first, end in zip(_ROUNDS, (*_ROUNDS[1:], self.searched), strict=True):
            if first < self.searched:
                self._look(queries, chosen[:, first : min(end, self.searched)], best)
        return self._ranked(queries, best.rows, count)

    def _look(self, queries: Vectors, chosen: Numbers, best: _Best) -> None:
        """Compare the queries with the vectors of their lists, list by list; keep what is above each query's bound."""
        import numpy as np

        askers = np.repeat(np.arange(len(queries)), chosen.shape[1])
        wanted = chosen.ravel()
        order = np.argsort(wanted, kind="stable")
        askers, wanted = askers[order], wanted[order]
        starts = np.flatnonzero(np.diff(wanted, prepend=-1))
        bound = best.bound()
        for start, end in zip(starts, (*starts[1:], len(wanted)), strict=True):
            who = askers[start:end]
            first, last = self._ends[wanted[start]], self._ends[wanted[start] + 1]
            for here in range(first, last, _READ_AT_ONCE):
                block = self._vectors[here : min(here + _READ_AT_ONCE, last)]
                best.take(who, queries[who] @ block.T, here, bound[who])
        best.settle()

    def _ranked(self, queries: Vectors, places: Numbers, count: int) -> Numbers:
        """Return the rows at the best of the places, ranked in double precision, the lower row first where equal."""
        import numpy as np

        found = np.full((len(queries), count), -1, dtype=np.int64)
        for start in range(0, len(queries), 256):
            part = places[start : start + 256]
            vectors = self._vectors[np.maximum(part, 0)].astype(np.float64)
            scores = np.einsum("qcd,qd->qc", vectors, queries[start : start + 256].astype(np.float64))
            scores[part < 0] = -np.inf
            rows = np.where(part < 0, -1, self._row_at[np.maximum(part, 0)])
            order = np.lexsort((rows, -scores), axis=1)[:, :count]
            found[start : start + 256, : order.shape[1]] = np.take_along_axis(rows, order, axis=1)
        return found


class _Best:
    """The best candidates of each query so far."""

    def __init__(self, queries: int, count: int) -> None:
        import numpy as np

        self.scores = np.full((queries, count), -np.inf, dtype=np.float32)
        self.rows = np.full((queries, count), -1, dtype=np.int64)
        self._waiting: list[tuple[Numbers, Numbers, Vectors]] = []

    def bound(self) -> Vectors:
        """Return for each query the score that a candidate has to be above."""
        least: Vectors = self.scores.min(axis=1)
        return least

    def take(self, who: Numbers, scores: Vectors, first: int, bound: Vectors) -> None:
        """Take the candidates ``first``, ``first + 1``, ... with these scores ``[len(who), candidates]``."""
        import numpy as np

        count = self.scores.shape[1]
        if scores.shape[1] > count and np.isinf(bound).any():  # nothing bounds them yet
            columns = np.argpartition(-scores, count - 1, axis=1)[:, :count]
            asked = np.repeat(np.arange(len(who)), count)
            columns = columns.ravel()
        else:
            flat = np.flatnonzero(scores > bound[:, None])
            asked, columns = np.divmod(flat, scores.shape[1])
        self._waiting.append((who[asked], columns + first, scores[asked, columns]))

    def take_all(self, scores: Vectors, first: int) -> None:
        """Take candidates for all queries, at once."""
        import numpy as np

        self.take(np.arange(len(scores)), scores, first, self.bound())
        self.settle()

    def settle(self) -> None:
        """Keep the best of what was taken."""
        import numpy as np

        queries, count = self.scores.shape
        held = np.repeat(np.arange(queries), count)
        who = np.concatenate([held, *(w for w, _, _ in self._waiting)])
        rows = np.concatenate([self.rows.ravel(), *(r for _, r, _ in self._waiting)])
        scores = np.concatenate([self.scores.ravel(), *(s for _, _, s in self._waiting)])
        self._waiting = []
        order = np.lexsort((rows, -scores, who))
        # each query has at least ``count`` entries: those that it had
        starts = np.searchsorted(who[order], np.arange(queries))
        kept = order[starts[:, None] + np.arange(count)]
        self.rows, self.scores = rows[kept], scores[kept]


def _one_thread() -> Any:
    """Return a context in which FAISS and matrix products use one thread: sums are then of one order everywhere."""
    import faiss  # noqa: F401 - its libraries have to be loaded to be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def _write(pieces: Iterable[Vectors], count: int, path: Path) -> int:
    """Write the pieces one after the other; return how many numbers a vector has."""
    written, dimensions = 0, 0
    with path.open("wb") as file:
        for piece in pieces:
            if not len(piece):
                continue
            dimensions = dimensions or piece.shape[1]
            if piece.shape[1] != dimensions:
                raise ValueError(f"vectors of {dimensions} and of {piece.shape[1]} numbers")
            _put(file, piece)
            written += len(piece)
    if written != count:
        raise ValueError(f"expected {count} vectors, got {written}")
    return dimensions


def _put(file: IO[bytes], piece: Vectors) -> None:
    import numpy as np

    file.write(np.ascontiguousarray(piece, dtype=np.float32).data)


def _mapped(path: Path, dimensions: int) -> Vectors:
    import numpy as np

    flat = np.memmap(path, dtype=np.float32, mode="r")
    return flat.reshape(-1, dimensions)


def _blocks(path: Path, dimensions: int) -> Iterator[tuple[int, Vectors]]:
    """Yield the vectors of a file in blocks of fixed size, with the number of the first; read, not mapped."""
    import numpy as np

    start = 0
    with path.open("rb") as file:
        while len(block := np.fromfile(file, dtype=np.float32, count=_READ_AT_ONCE * dimensions)):
            yield start, block.reshape(-1, dimensions)
            start += len(block) // dimensions


def _some(chance: Any, count: int, wanted: int) -> Numbers:
    """Return up to ``wanted`` different numbers below ``count``, in order."""
    import numpy as np

    chosen = np.arange(count) if wanted >= count else chance.choice(count, wanted, replace=False)
    return np.sort(chosen).astype(np.int64)
