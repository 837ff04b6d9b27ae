"""Texts as vectors: near texts are near, rows are unit vectors, the same text gives the same bytes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from finlmm_core.embed import HashedTfIdf, SentenceEncoder, TfIdfEmbedder, model_folder, stem, words
from finlmm_core.errors import FinlmmError

TEXTS = (
    "Net revenues increased 4% to $1,944 million in 2021",
    "Net revenue 2021 1,944 2020 1,869",
    "营业收入同比增长12.5%，毛利率提升",
    "毛利率与营业收入 2021年 2020年",
    "Photograph of our new head office",
    "",
)


def embed_corpus(texts: Sequence[str], dimensions: int = 1024) -> np.ndarray:
    return HashedTfIdf(dimensions).fit(texts).embed(texts)


@pytest.mark.parametrize("embed", [lambda: TfIdfEmbedder().fit(TEXTS).embed(TEXTS), lambda: embed_corpus(TEXTS)])
def test_rows_are_unit_vectors_and_near_texts_are_near(embed: object) -> None:
    rows = embed()  # type: ignore[operator]
    assert rows.dtype == np.float32 and rows.flags.c_contiguous
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1, 1, 1, 0], abs=1e-5)
    near = rows @ rows.T
    assert near[0, 1] > 2 * max(near[0, 2], near[0, 4], near[1, 3])
    assert near[2, 3] > 2 * max(near[2, 0], near[2, 4])


def test_a_misread_letter_leaves_words_near() -> None:
    rows = embed_corpus(["operating profitability", "operatlng profitabllity", "balance sheet"])
    assert rows[0] @ rows[1] > 0.3 > rows[0] @ rows[2]


def test_corpus_vectors_have_one_width_whatever_the_corpus_holds() -> None:
    assert embed_corpus(["a b c"], 256).shape == (1, 256)
    assert embed_corpus([f"word{number} other{number}" for number in range(500)], 256).shape == (500, 256)
    assert embed_corpus([], 256).shape == (0, 256)


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import hashlib\nfrom finlmm_core.embed import HashedTfIdf, TfIdfEmbedder\n"
        "t = ['Net revenue 1,944', '营业收入 12', 'gross margin of sales']\n"
        "rows = [HashedTfIdf().fit(t).embed(t), TfIdfEmbedder().fit(t).embed(t)]\n"
        "print(hashlib.sha256(b''.join(r.tobytes() for r in rows)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1", "42")
    }
    assert len(digests) == 1


def test_a_wide_vocabulary_is_folded_and_still_tells_texts_apart() -> None:
    texts = [" ".join(f"item{number * 50 + i}x{i * number}" for i in range(50)) for number in range(60)]
    rows = TfIdfEmbedder().fit(texts).embed(texts)
    assert rows.shape[1] <= 16384
    assert (np.argmax(rows @ rows.T, axis=1) == np.arange(60)).all()


def test_endings_are_cut_lightly() -> None:
    assert stem("revenues") == stem("revenue")
    assert stem("increased") == stem("increase") == stem("increasing")
    assert stem("companies") == stem("company")
    assert stem("assets") != stem("assess")
    assert words("毛利率 12,345.0 Margins") == ["毛利", "利率", "12345.0", stem("margins")]


def test_embedding_before_fitting_is_an_error() -> None:
    with pytest.raises(ValueError, match="before fit"):
        TfIdfEmbedder().embed(TEXTS)
    with pytest.raises(ValueError, match="at least one"):
        TfIdfEmbedder().fit([])


def test_importing_loads_nothing_heavy() -> None:
    program = (
        "import sys, finlmm_core.embed\n"
        "print(sorted({'numpy', 'sklearn', 'scipy', 'torch', 'faiss', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_encoder_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(FinlmmError, match="No sentence encoder") as raised:
        model_folder("no_such_package")
    assert raised.value.hint is not None and "tfidf" in raised.value.hint


@pytest.mark.slow
def test_a_sentence_encoder_from_a_package_knows_what_is_said_in_other_words() -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="a sentence encoder, not part of the project, is not here")
    encoder = SentenceEncoder("all_minilm_l6_v2")
    encoder.check()
    rows = encoder.embed(["Sales went up", "Revenue increased", "The head office has a garden"])
    assert rows.shape == (3, 384) and rows.dtype == np.float32
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    assert encoder.embed([]).shape == (0, 384)
