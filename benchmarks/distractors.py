"""The index of hard distractors at scale: recall against exact search, CPU time a query, memory, disk.

Usage: python benchmarks/distractors.py [--count 1000000] [--dimensions 384] [--queries 4096] [--seed 0]
           [--kinds clustered plain] [--small 50000]

Vectors are made up in pieces, in two kinds. Both share mean and spectrum with the embeddings of real figures (946
figures of 11 reports by all-MiniLM-L6-v2: length of the mean .553, mean cosine of two figures .305, 57 effective
dimensions).

* ``clustered`` also has their neighbourhoods. A vector is mean + report + topic + rest: the reports' share of the
  variance is the real one (.11, analysis of variance over the reports); the topics' (.5, 400 topics, Zipf .8) and the
  spread of the rest (log-normal, sigma .5) are those with which 11 made-up reports of 86 figures come out as the real
  ones do: median cosine of the nearest .79 (real .79), of the tenth nearest .58 (.61), intrinsic dimension 10.4 (9.4;
  maximum likelihood over 20 neighbours, Levina and Bickel 2005). The number of topics does not grow with the corpus.
* ``plain`` is the harder kind: the same mean and spectrum, but one Gaussian without any cluster.

Queries are members, the member itself left out, as in use. The exact search that gives the truth runs in a process of
its own, so that ``distractors.gb`` is the peak resident memory (mapped files included) of the process that builds and
searches. CPU seconds of the build leave out the making of the vectors. One thread. Prints JSON lines for each kind,
and for a corpus at the threshold up to which search is exact (``--small``).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from finlmm_core.steps.sampling.config import SamplesConfig
from finlmm_core.steps.sampling.vector_index import build_index

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
NEAREST = 10
PIECE = 10_000
MEAN = 0.553  # length of the mean of the real unit vectors
#: Rank of a principal component -> its share of the variance, of the real embeddings (384 dimensions).
SPECTRUM = {1: 0.0649, 2: 0.0428, 4: 0.0343, 8: 0.0224, 16: 0.0146, 32: 0.0078, 64: 0.0037, 128: 0.0014, 256: 0.0002}
LAST = 0.00004
REPORT, FIGURES = 0.11, 86  # share of the variance; figures a report
TOPIC, TOPICS, ZIPF = 0.5, 400, 0.8
TAIL = 0.5


class MadeUpVectors:
    """Unit vectors float32 in pieces of 10,000, the same each time they are iterated."""

    def __init__(self, kind: str, count: int, dimensions: int, seed: int) -> None:
        self.kind, self.count, self.dimensions, self.seed = kind, count, dimensions, seed
        self.seconds = 0.0  # CPU time of making them
        ranks = np.log([*SPECTRUM, 384])
        shares = np.exp(
            np.interp(np.log(np.linspace(1, 384, dimensions)), ranks, np.log([*SPECTRUM.values(), LAST]))
        ).astype(np.float32)
        self._spread = np.sqrt(shares / shares.sum() * (1 - MEAN**2))
        chance = np.random.default_rng([seed, 0])
        mean = chance.standard_normal(dimensions, dtype=np.float32)
        self._mean = mean * (MEAN / np.linalg.norm(mean))
        self._topics = chance.standard_normal((TOPICS, dimensions), dtype=np.float32)
        weights = 1 / np.arange(1, TOPICS + 1) ** ZIPF
        self._weights = weights / weights.sum()

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, self.count, PIECE):
            began = time.process_time()
            chance = np.random.default_rng([self.seed, 1, start])
            count = min(PIECE, self.count - start)
            rows = chance.standard_normal((count, self.dimensions), dtype=np.float32)
            if self.kind == "clustered":
                reports = chance.standard_normal((count // FIGURES + 1, self.dimensions), dtype=np.float32)
                topics = self._topics[chance.choice(TOPICS, count, p=self._weights)]
                spread = np.exp(TAIL * chance.standard_normal(count) - TAIL**2).astype(np.float32)
                rows *= (np.float32((1 - REPORT - TOPIC) ** 0.5) * spread)[:, None]
                rows += np.float32(REPORT**0.5) * reports[np.arange(count) // FIGURES]
                rows += np.float32(TOPIC**0.5) * topics
            rows = rows * self._spread + self._mean
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            self.seconds += time.process_time() - began
            yield rows

    def queries(self, count: int) -> np.ndarray:
        """Return the numbers of the members that are asked for."""
        chosen = np.random.default_rng([self.seed, 2]).choice(self.count, min(count, self.count), replace=False)
        return np.sort(chosen)


def exact(vectors: MadeUpVectors, members: np.ndarray) -> np.ndarray:
    """Return int64 [members, NEAREST] by comparing with every vector; nothing of the index is used."""
    queries = np.empty((len(members), vectors.dimensions), dtype=np.float32)
    start = 0
    for piece in vectors:
        inside = np.flatnonzero((members >= start) & (members < start + len(piece)))
        queries[inside] = piece[members[inside] - start]
        start += len(piece)
    best = np.full((len(members), NEAREST), -np.inf, dtype=np.float32)
    rows = np.full((len(members), NEAREST), -1, dtype=np.int64)
    start = 0
    for piece in vectors:
        scores = queries @ piece.T
        inside = np.flatnonzero((members >= start) & (members < start + len(piece)))
        scores[inside, members[inside] - start] = -np.inf
        top = np.argpartition(scores, scores.shape[1] - NEAREST, axis=1)[:, -NEAREST:]
        all_scores = np.concatenate([best, np.take_along_axis(scores, top, axis=1)], axis=1)
        all_rows = np.concatenate([rows, top + start], axis=1)
        order = np.argsort(-all_scores, axis=1, kind="stable")[:, :NEAREST]
        best, rows = np.take_along_axis(all_scores, order, axis=1), np.take_along_axis(all_rows, order, axis=1)
        start += len(piece)
    return rows


def build_and_search(vectors: MadeUpVectors, members: np.ndarray, folder: Path) -> dict[str, object]:
    """Return what was found and what it cost."""
    began = time.process_time()
    index = build_index(vectors, vectors.count, folder / "index", SamplesConfig().exact_search_up_to)
    build = time.process_time() - began - vectors.seconds
    disk = sum(path.stat().st_size for path in (folder / "index").glob("*"))
    began = time.process_time()
    found = index.nearest(members, NEAREST + 1)
    search = time.process_time() - began
    choice = index.choice
    index.close()
    others = [[row for row in rows if row != member][:NEAREST] for rows, member in zip(found, members, strict=True)]
    np.save(folder / "found.npy", np.array(others, dtype=np.int64))
    return {
        "ms": 1000 * search / len(members),
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "build_seconds": build,
        "disk_gb": disk / 1e9,
        "choice": choice,
    }


def measure(kind: str, count: int, arguments: argparse.Namespace) -> None:
    """Print the lines of one kind of vectors and one size."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, __file__, "--count", str(count), "--kinds", kind, "--folder", name]
        command += ["--dimensions", str(arguments.dimensions), "--queries", str(arguments.queries)]
        command += ["--seed", str(arguments.seed)]
        for role in ("index", "truth"):
            subprocess.run([*command, "--role", role], check=True, env={**os.environ, **ONE_THREAD})
        cost = json.loads((Path(name) / "cost.json").read_text())
        found, truth = (np.load(Path(name) / f"{what}.npy") for what in ("found", "truth"))
    shared = [len(set(one) & set(other)) / NEAREST for one, other in zip(found, truth, strict=True)]
    values = {"recall": (float(np.mean(shared)), "ratio")}
    units = {"ms": "CPU ms a query", "gb": "GB", "build_seconds": "CPU seconds", "disk_gb": "GB"}
    values.update({what: (cost[what], unit) for what, unit in units.items()})
    for what, (value, unit) in values.items():
        line = {"what": f"distractors.{what}", "value": round(value, 4), "unit": unit, "n": count, "kind": kind}
        print(json.dumps(line | {"choice": cost["choice"]}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="vectors")
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=4096, help="members asked for, in one batch as in use")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=["clustered", "plain"], default=["clustered", "plain"])
    parser.add_argument("--small", type=int, default=SamplesConfig().exact_search_up_to, help="0: leave it out")
    parser.add_argument("--role", choices=["index", "truth"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        vectors = MadeUpVectors(arguments.kinds[0], arguments.count, arguments.dimensions, arguments.seed)
        members = vectors.queries(arguments.queries)
        if arguments.role == "truth":
            np.save(arguments.folder / "truth.npy", exact(vectors, members))
        else:
            cost = build_and_search(vectors, members, arguments.folder)
            (arguments.folder / "cost.json").write_text(json.dumps(cost))
        return
    for kind in arguments.kinds:
        measure(kind, arguments.count, arguments)
    if arguments.small:
        measure(arguments.kinds[0], arguments.small, arguments)


if __name__ == "__main__":
    main()
