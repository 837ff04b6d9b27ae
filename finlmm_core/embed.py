"""Texts as vectors: shared by the aligner ``retrieval`` and by the step that looks for hard distractors.

Three ways, cheapest first. All rows are float32 and L2-normalised, so that an inner product is a cosine; a text in
which nothing was found is a row of zeros. All are deterministic.

* :class:`TfIdfEmbedder` is fitted on the texts at hand (the figures of one report).
* :class:`HashedTfIdf` has a width that does not depend on the corpus, so it serves a whole one, piece by piece.
* :class:`SentenceEncoder` is a transformer from a local folder or an installed package.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import math
import os
import re
import tempfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlmm_core.errors import FinlmmError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np

#: Dense rows of TF-IDF are at most this wide.
MOST_DIMENSIONS = 16384

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d[\d.,]*\d|\d|[㐀-鿿]+")
_CJK = re.compile(r"[㐀-鿿]")


def normalise(text: str) -> str:
    """Return the text with compatibility forms unified (full-width digits, ligatures), in lower case, single-spaced."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def stem(word: str) -> str:
    """Return an English word without its plural or verbal ending; other words as they are.

    Light on purpose (after Harman's s-stemmer, with -ing and -ed): 'revenues' and 'revenue', 'increased' and
    'increase' meet, while 'assets' and 'assess' do not.
    """
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("sses") or word.endswith("xes") or word.endswith("ches") or word.endswith("shes"):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            if len(word) > 2 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def words(text: str) -> list[str]:
    """Return the words of a text: English words stemmed, numbers without separators, Chinese as pairs of characters."""
    found: list[str] = []
    for match in _WORD.finditer(normalise(text)):
        token = match.group()
        if _CJK.match(token):
            found.extend(token[i : i + 2] for i in range(len(token) - 1)) if len(token) > 1 else found.append(token)
        elif token[0].isdigit():
            found.append(token.replace(",", "").rstrip("."))
        else:
            found.append(stem(token))
    return found


def features(text: str) -> Counter[str]:
    """Return the counted features of a text: its words, and character n-grams that survive a misread letter.

    English words give n-grams of three to five characters (with their borders), Chinese runs single characters and
    triples beside the pairs.
    """
    return Counter(chain.from_iterable(map(_features_of, _WORD.findall(normalise(text)))))


def _features_of(token: str) -> tuple[str, ...]:
    """Return the features of one word, number or Chinese run."""
    if token[0].isascii() and token[0].isalpha():
        return _features_of_word(token)
    if _CJK.match(token):
        pairs = ("w" + token[i : i + 2] for i in range(len(token) - 1))
        triples = ("w" + token[i : i + 3] for i in range(len(token) - 2))
        return (*("c" + char for char in token), *pairs, *triples)
    return ("w" + token.replace(",", "").rstrip("."),)


@lru_cache(maxsize=30_000)
def _features_of_word(token: str) -> tuple[str, ...]:
    """Return the features of an English word; remembered, since reports use the same words again and again."""
    padded = f" {token} "
    grams = ("g" + padded[i : i + size] for size in (3, 4, 5) for i in range(len(padded) - size + 1))
    return ("w" + stem(token), *grams)


class TfIdfEmbedder:
    """TF-IDF over words and character n-grams of English and Chinese, fitted on the texts at hand.

    Term frequency is sub-linear (``1 + log tf``), the inverse document frequency smoothed
    (``log((1 + n) / (1 + df)) + 1``), as in scikit-learn, whose sparse machinery does the work.
    """

    def __init__(self) -> None:
        self._vectoriser: Any = None
        self._fold: Any = None

    def fit(self, texts: Sequence[str]) -> TfIdfEmbedder:
        """Learn vocabulary and frequencies; at least one text. Return self."""
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not texts:
            raise ValueError("TfIdfEmbedder.fit needs at least one text")
        self._vectoriser = TfidfVectorizer(analyzer=_listed_features, sublinear_tf=True, dtype=np.float32)
        # A vocabulary must not be empty; the mark stands for 'nothing was read'.
        self._vectoriser.fit([*texts, "finlmm"])
        self._fold = None
        names = self._vectoriser.get_feature_names_out()
        if len(names) > MOST_DIMENSIONS:
            from scipy.sparse import csr_matrix

            hashed = np.array([zlib.crc32(name.encode()) for name in names], dtype=np.int64)
            signs = np.where(hashed & 1, 1.0, -1.0).astype(np.float32)
            columns = (hashed >> 1) % MOST_DIMENSIONS
            shape = (len(names), MOST_DIMENSIONS)
            self._fold = csr_matrix((signs, (np.arange(len(names)), columns)), shape=shape)
        return self

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return ``(len(texts), dimensions)`` float32 rows; dimensions are the vocabulary's, at most 16384."""
        import numpy as np

        if self._vectoriser is None:
            raise ValueError("TfIdfEmbedder.embed before fit")
        if not texts:
            wide = len(self._vectoriser.vocabulary_)
            return np.zeros((0, min(wide, MOST_DIMENSIONS)), dtype=np.float32)
        rows = self._vectoriser.transform(texts)
        if self._fold is not None:
            return normalised_rows((rows @ self._fold).toarray())
        return np.ascontiguousarray(rows.toarray(), dtype=np.float32)


def _listed_features(text: str) -> list[str]:
    return list(features(text).elements())


_FITTED_ON = 50_000  # texts
_COUNTS_KEPT = 10_000  # texts


@cache
def _frequency(count: int) -> float:
    """Return the sub-linear term frequency."""
    return 1 + math.log(count)


class HashedTfIdf:
    """TF-IDF for a whole corpus: its width does not depend on how many words there are.

    Features are hashed (CRC-32, signed) into a fixed number of dimensions with sub-linear term frequency, weighted by
    their inverse document frequency, and normalised. Weinberger et al., "Feature Hashing for Large Scale Multitask
    Learning", 2009. Document frequencies are those of the whole corpus up to 50,000 texts, of 50,000 evenly spread ones
    where there are more; memory is one number for each of their features.

    Args:
        dimensions: columns of the result.
    """

    def __init__(self, dimensions: int = 1024) -> None:
        self.dimensions = dimensions
        self._seen: Counter[str] = Counter()
        self._rarity: dict[int, float] = {0: 1.0}  # in so many texts -> inverse document frequency
        self._kept: dict[str, Counter[str]] = {}

    def fit(self, texts: Sequence[str]) -> HashedTfIdf:
        """Count in how many texts each feature stands; return self."""
        count = min(len(texts), _FITTED_ON)
        self._seen = Counter()
        # Counting a large corpus twice costs less than keeping its counts, some 35 kB a text.
        self._kept = {}
        for place in range(count):
            text = texts[place * len(texts) // count]
            counted = features(text)
            self._seen.update(counted.keys())
            if count <= _COUNTS_KEPT:
                self._kept[text] = counted
        self._rarity = {seen: math.log((1 + count) / (1 + seen)) + 1 for seen in {0, *self._seen.values()}}
        return self

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return ``(len(texts), dimensions)`` float32 rows, ready for an inner-product index."""
        import numpy as np

        seen = self._seen
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            counted = self._kept.pop(text, None) or features(text)
            found = sorted(counted.items())
            hashed = np.array([zlib.crc32(feature.encode()) for feature, _ in found], dtype=np.int64)
            often = np.array([_frequency(count) for _, count in found])
            rare = np.array([self._rarity[seen.get(feature, 0)] for feature, _ in found])
            weights = (np.where(hashed & 1, 1.0, -1.0) * often * rare).astype(np.float32)
            np.add.at(row, (hashed >> 1) % self.dimensions, weights)  # one after the other: the sum is of one order
        return normalised_rows(rows)


class SentenceEncoder:
    """A transformer that embeds sentences (mean pooling), from a folder or an installed package; never a download.

    Args:
        model: a folder with ``config.json``, weights and tokenizer, or the import name of a package that holds one
            as a folder or as ``model.zip``, such as ``all_minilm_l6_v2``.
        max_tokens: longer texts are cut.
        batch_size: texts a forward pass.
    """

    def __init__(self, model: str, *, max_tokens: int = 256, batch_size: int = 16) -> None:
        self.model = model
        self.max_tokens = max_tokens
        self.batch_size = batch_size

    def check(self) -> None:
        """Raise MissingExtraError or FinlmmError where a library or the model is missing."""
        for library in ("torch", "transformers"):
            if importlib.util.find_spec(library) is None:
                raise MissingExtraError("The embedder 'sentence'", library, "train")
        model_folder(self.model)

    def fit(self, texts: Sequence[str]) -> SentenceEncoder:
        """Return self: a sentence encoder learns nothing of the corpus."""
        return self

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return ``(len(texts), hidden size)`` float32 rows."""
        import numpy as np
        import torch

        self.check()
        tokenizer, network = _loaded(str(model_folder(self.model)))
        batches = []
        for start in range(0, len(texts), self.batch_size):
            encoded = tokenizer(
                list(texts[start : start + self.batch_size]),
                padding=True,
                truncation=True,
                max_length=self.max_tokens,
                return_tensors="pt",
            )
            with torch.inference_mode():
                states = network(**encoded).last_hidden_state
            mask = encoded["attention_mask"].unsqueeze(-1).to(states.dtype)
            batches.append(((states * mask).sum(1) / mask.sum(1).clamp(min=1)).float().numpy())
        if not batches:
            return np.zeros((0, network.config.hidden_size), dtype=np.float32)
        return normalised_rows(np.concatenate(batches).astype(np.float32))


def normalised_rows(rows: np.ndarray) -> np.ndarray:
    """Return the rows divided by their L2 norm; zero rows stay zero."""
    import numpy as np

    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)


def model_folder(model: str) -> Path:
    """Return the folder that holds ``config.json`` for a folder or package name; FinlmmError where there is none."""
    roots = [Path(model).expanduser()]
    if re.fullmatch(r"[A-Za-z_]\w*", model):
        spec = importlib.util.find_spec(model)
        if spec is not None and spec.submodule_search_locations:
            roots = [Path(location) for location in spec.submodule_search_locations]
    for root in roots:
        archive = root / "model.zip"
        for folder in [root, _unpacked(archive)] if archive.is_file() else [root]:
            for config in sorted(folder.glob("**/config.json"), key=lambda path: (len(path.parts), str(path))):
                if list(config.parent.glob("*.safetensors")):
                    return config.parent
    raise FinlmmError(
        f"No sentence encoder was found at '{model}': expected a folder with config.json and *.safetensors, "
        "or an installed package that holds one.",
        hint="Give the folder of a model that is on this machine, or use the embedder 'tfidf'.",
    )


def _unpacked(archive: Path) -> Path:
    """Return a folder of the user's cache that holds what the archive does, unpacked once."""
    digest = hashlib.sha256(f"{archive.resolve()}:{archive.stat().st_size}".encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
    target = cache / "finlmm" / "models" / digest
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(Path(folder) / "model")
            with contextlib.suppress(OSError):  # another process was first
                (Path(folder) / "model").rename(target)
    return target


@lru_cache(maxsize=1)
def _loaded(folder: str) -> tuple[Any, Any]:
    """Return tokenizer and network, once a process, from files only."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from finlmm_core.torchvision_shim import ensure_torchvision

    ensure_torchvision()
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModel.from_pretrained(folder, local_files_only=True)
    network.eval()
    return tokenizer, network
