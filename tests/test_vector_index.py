"""The index that finds hard distractors: exact where small, lists on disk where large, the same every time."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sample_corpus import corpus, shared_store

from finlmm_core import embed
from finlmm_core.embed import HashedTfIdf
from finlmm_core.steps.samples import Provenance, SamplesConfig, build_samples, read_rows
from finlmm_core.steps.sampling.config import SPLITS
from finlmm_core.steps.sampling.vector_index import ListsIndex, build_index


def made_up(count: int, dimensions: int, groups: int = 0, seed: int = 0) -> np.ndarray:
    """Return unit vectors, around ``groups`` centres or around none."""
    chance = np.random.default_rng(seed)
    rows = chance.standard_normal((count, dimensions), dtype=np.float32)
    if groups:
        centres = chance.standard_normal((groups, dimensions), dtype=np.float32)
        rows = centres[chance.integers(groups, size=count)] + np.float32(0.5) * rows
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pieces(vectors: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (vectors[start : start + size] for start in range(0, len(vectors), size))


def exact(vectors: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    scores = vectors[rows].astype(np.float64) @ vectors.astype(np.float64).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of the true nearest that were found; the first is the query itself."""
    return float(np.mean([len(set(a[1:]) & set(b[1:])) / (len(b) - 1) for a, b in zip(found, truth, strict=True)]))


VECTORS = made_up(6000, 24, groups=50)
ROWS = np.random.default_rng(1).choice(6000, 200, replace=False)


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListsIndex]:
    index = build_index(pieces(VECTORS, 1000), 6000, tmp_path_factory.mktemp("index") / "lists", exact_up_to=5999)
    assert isinstance(index, ListsIndex)
    yield index
    index.close()


def test_a_small_corpus_is_searched_exactly_and_uses_no_files(tmp_path: Path) -> None:
    index = build_index(pieces(VECTORS, 999), 6000, tmp_path / "none", exact_up_to=6000)
    assert (index.nearest(ROWS, 11) == exact(VECTORS, ROWS, 11)).all()
    assert "flat" in index.choice
    assert not (tmp_path / "none").exists()
    assert (build_index([VECTORS[:3]], 3, tmp_path, 10).nearest([0], 5)[0, 3:] == -1).all()


def test_lists_find_nearly_all_and_rank_them_as_exact_search_does(lists: ListsIndex) -> None:
    truth = exact(VECTORS, ROWS, 11)
    found = lists.nearest(ROWS, 11)
    assert (found[:, 0] == ROWS).all()
    assert recall(found, truth) >= 0.9
    assert lists.searched < 77 / 2
    whole = [list(a) == list(b) for a, b in zip(found, truth, strict=True)]
    assert np.mean(whole) > 0.8


def test_lists_are_the_same_whatever_the_pieces_and_the_other_queries(lists: ListsIndex, tmp_path: Path) -> None:
    found = lists.nearest(ROWS, 11)
    for size in (6000, 77):
        again = build_index(pieces(VECTORS, size), 6000, tmp_path / "again", exact_up_to=100)
        assert (again.nearest(ROWS, 11) == found).all()
        again.close()
    assert (lists.nearest(ROWS[:1], 11) == found[:1]).all()
    assert (lists.nearest(ROWS[::-1], 11) == found[::-1]).all()
    assert lists.nearest([], 11).shape == (0, 11)


def test_mapped_and_held_vectors_give_the_same(lists: ListsIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lists.nearest(ROWS, 30)
    mapped = lists._vectors
    assert isinstance(mapped.base, np.memmap)
    monkeypatch.setattr(lists, "_vectors", np.array(mapped))
    assert (lists.nearest(ROWS, 30) == found).all()


def test_vectors_without_clusters_are_searched_in_more_lists(lists: ListsIndex, tmp_path: Path) -> None:
    plain = made_up(6000, 24)
    index = ListsIndex(pieces(plain, 6000), 6000, tmp_path / "lists")
    assert index.searched > 1.3 * lists.searched
    assert recall(index.nearest(ROWS, 11), exact(plain, ROWS, 11)) >= 0.9
    index.close()
    assert list(tmp_path.iterdir()) == []


def test_equal_and_empty_vectors_do_no_harm(tmp_path: Path) -> None:
    vectors = VECTORS[:400].copy()
    vectors[100:350] = vectors[100]
    vectors[350:] = 0
    index = build_index([vectors], 400, tmp_path / "lists", exact_up_to=1)
    found = index.nearest([100, 399], 20)
    assert list(found[0]) == list(range(100, 120))
    assert len(set(found[1])) == 20
    assert (index.nearest([0], 500)[0, 400:] == -1).all()


def test_what_a_killed_process_left_is_not_read_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "arrived.f32").write_bytes(b"half")
    (folder / "lists.f32").write_bytes(b"half")
    index = build_index([VECTORS], 6000, folder, exact_up_to=1)
    assert [path.name for path in folder.iterdir()] == ["lists.f32"]
    assert (folder / "lists.f32").stat().st_size == VECTORS.nbytes
    index.close()
    for wrong in ([VECTORS[:5]], [VECTORS[:3], VECTORS[:3, :8]]):
        with pytest.raises(ValueError, match="vectors"):
            build_index(wrong, 6, folder, exact_up_to=1)
    assert list(tmp_path.iterdir()) == []


def test_texts_embedded_in_pieces_give_the_same_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"net revenue of segment {n % 7} was {n * 37:,} in 20{n % 20:02d} 营业收入" for n in range(60)]
    whole = HashedTfIdf().fit(texts).embed(texts)
    fitted = HashedTfIdf().fit(texts)
    assert (np.concatenate([fitted.embed(texts[:17]), fitted.embed(texts[17:])]) == whole).all()
    assert (fitted.embed(texts) == whole).all()  # once more, when nothing is kept
    monkeypatch.setattr(embed, "_FITTED_ON", 20)
    sampled = HashedTfIdf().fit(texts).embed(texts)
    assert np.allclose(np.linalg.norm(sampled, axis=1), 1, atol=1e-5)
    assert (sampled * whole).sum(axis=1).mean() > 0.9


def test_samples_with_lists_are_those_with_exact_search_where_all_lists_are_searched(tmp_path: Path) -> None:
    found = []
    for name, threshold in (("exact", 50_000), ("lists", 2)):
        config = SamplesConfig(exact_search_up_to=threshold)
        build_samples(corpus(companies=3), shared_store(), config, 7, tmp_path / name, Provenance())
        columns = ["id", "answer_letter", "gold_image", "figures"]
        found.append([row for split in SPLITS for row in read_rows(tmp_path / name, "contrastive", split, columns)])
        assert sorted(path.name for path in (tmp_path / name).iterdir() if path.is_dir()) == ["contrastive", "text"]
    assert any(figure["tier"] == "nearest" for row in found[0] for figure in row["figures"])
    assert found[0] == found[1]


# ------------------------------------------------------------------------------------------------------------ slow

_SCRIPT = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_vector_index import made_up, pieces
from finlmm_core.steps.sampling.vector_index import build_index
vectors = made_up(100_000, 96, groups=300)
print("begun", flush=True)
index = build_index(pieces(vectors, int(sys.argv[3])), 100_000, Path(sys.argv[2]), 50_000)
print(hashlib.sha256(index.nearest(range(0, 100_000, 50), 51).tobytes()).hexdigest())
"""


def _run(folder: Path, size: int, threads: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", _SCRIPT, str(Path(__file__).parent), str(folder), str(size)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_hundred_thousand_vectors_on_other_threads_and_after_a_kill(tmp_path: Path) -> None:
    vectors = made_up(100_000, 96, groups=300)
    rows = np.arange(0, 100_000, 50)
    index = build_index(pieces(vectors, 4096), 100_000, tmp_path / "here", exact_up_to=50_000)
    found = index.nearest(rows, 51)
    assert recall(found[:200, :11], exact(vectors, rows[:200], 11)) >= 0.95
    index.close()
    killed = _run(tmp_path / "there", 1000, 1)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "begun\n"
    deadline = time.monotonic() + 60
    while not (tmp_path / "there" / "arrived.f32").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert (tmp_path / "there").exists()
    answer, _ = _run(tmp_path / "there", 30_000, 2).communicate()
    assert answer.split() == ["begun", hashlib.sha256(found.tobytes()).hexdigest()]
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["lists.f32"]
