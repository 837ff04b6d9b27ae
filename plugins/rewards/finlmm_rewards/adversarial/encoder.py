"""Encoders that read a question and a thinking of any length: texts to windows of tokens, and the network over them."""

from __future__ import annotations

import importlib.util
import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core import FinlmmError
from finlmm_core.embed import model_folder
from finlmm_core.errors import MissingExtraError
from finlmm_core.hugging_face import import_transformers, no_progress_bars
from finlmm_core.rewards.masking import MASK
from finlmm_rewards.adversarial.marks import FAILS, HOLDS, UNREAD
from finlmm_rewards.adversarial.reading import Reading

_MINILM = "all_minilm_l6_v2"
_TINY = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
#: Of 'tiny': question, thinking, and words of the thinking that stand in the question. Comparing words takes a network
#: that begins untrained longer than a run has; the feature is DrQA's exact match (Chen et al., 2017).
_TINY_TYPES = 3
_TINY_VOCABULARY = 4096


class Window(NamedTuple):
    """One stretch of tokens that the encoder reads at once."""

    ids: list[int]
    types: list[int]  # 0: question, 1: thinking, 2: a word of the thinking that the question has too
    first: int  # tokens from here to ``last`` are pooled: every token of a text in exactly one of its windows
    last: int


class HashedWords:
    """A tokenizer without a trained vocabulary: words and Chinese characters by hash, numbers digit by digit."""

    pad, begin, end, mask = 0, 1, 2, 3
    _whole = {MASK: 3, HOLDS: 4, FAILS: 5, UNREAD: 16}
    _pieces = re.compile(r"\[(?:MASK|RIGHT|WRONG|UNREAD)\]|[^\W\d_]+|\d|[^\w\s]|_")
    words = 17  # tokens from here on are words and signs; below are digits and marks
    _chinese = re.compile(r"[㐀-鿿]")

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, without any at its ends."""
        return [[token for piece in self._pieces.findall(text) for token in _hashed(piece)] for text in texts]


@lru_cache(maxsize=65536)
def _hashed(piece: str) -> tuple[int, ...]:
    if piece in HashedWords._whole:
        return (HashedWords._whole[piece],)
    if len(piece) > 1 and HashedWords._chinese.search(piece):
        return tuple(token for character in piece for token in _hashed(character))
    if piece.isdigit() and piece.isascii():
        return (6 + int(piece),)
    first = HashedWords.words
    return (first + zlib.crc32(piece.lower().encode()) % (_TINY_VOCABULARY - first),)


class PretrainedWords:
    """A Hugging Face tokenizer, used for plain text: a special token that the policy writes is plain text too."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        tokenizer.model_max_length = 10**9  # windows are cut here, not there
        self.pad = tokenizer.pad_token_id or 0
        self.begin = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
        self.end = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        self._mask = tokenizer.mask_token or "..."
        self._special = [token for token in tokenizer.all_special_tokens if token != MASK]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, without any at its ends."""
        plain = []
        for text in texts:
            for token in self._special:
                if token in text:
                    text = text.replace(token, " ")
            plain.append(text.replace(MASK, self._mask))
        return self._tokenizer(plain, add_special_tokens=False)["input_ids"] if plain else []


class Encoder:
    """A network with its tokenizer, and how texts are cut into windows for it.

    Attributes:
        network: a transformers model in eval mode: it has no dropout, in training neither.
        width: of its token states.
    """

    def __init__(self, network: Any, words: HashedWords | PretrainedWords, window: int, overlap: int, question: int):
        self.network = network
        self.words = words
        self.width = int(network.config.hidden_size)
        self._window = window
        self._overlap = overlap
        self._question = question
        self._types = getattr(network.config, "type_vocab_size", 0) > 1
        self._common = getattr(network.config, "type_vocab_size", 0) > 2

    def windows(self, readings: Sequence[Reading]) -> list[list[Window]]:
        """Return the windows of each text; a long thinking has several, which overlap."""
        questions = self.words.ids([reading.question for reading in readings])
        thinkings = self.words.ids([reading.thinking for reading in readings])
        return [self._cut(question, thinking) for question, thinking in zip(questions, thinkings, strict=True)]

    def _cut(self, question: list[int], thinking: list[int]) -> list[Window]:
        if len(question) > self._question:  # what is asked stands at the end as often as at the beginning
            tail = self._question // 2
            question = question[: self._question - tail] + question[-tail:]
        common = {token for token in question if token >= HashedWords.words} if self._common else set()
        begin = [] if self.words.begin is None else [self.words.begin]
        end = [] if self.words.end is None else [self.words.end]
        head = [*begin, *question, *end]
        room = self._window - len(head) - len(end)
        found: list[Window] = []
        start = 0
        while True:
            piece = thinking[start : start + room]
            ids = [*head, *piece, *end]
            types = [0] * len(head) + [2 if token in common else 1 for token in piece] + [1] * len(end)
            first = len(head) + self._overlap if found else len(begin)
            found.append(Window(ids, types, first, len(head) + len(piece)))
            if start + room >= len(thinking):
                return found
            start += room - self._overlap

    def states(self, windows: Sequence[Window]) -> tuple[Any, Any]:
        """Return token states ``(windows, tokens, width)`` and which of them are pooled ``(windows, tokens)``."""
        import torch

        device = next(self.network.parameters()).device
        longest = max(len(window.ids) for window in windows)
        ids = torch.full((len(windows), longest), self.words.pad)
        types = torch.zeros_like(ids)
        there = torch.zeros_like(ids)
        pooled = torch.zeros((len(windows), longest), dtype=torch.bool)
        for row, window in enumerate(windows):
            ids[row, : len(window.ids)] = torch.tensor(window.ids)
            types[row, : len(window.ids)] = torch.tensor(window.types)
            there[row, : len(window.ids)] = 1
            pooled[row, window.first : window.last] = True
        more = {"token_type_ids": types.to(device)} if self._types else {}
        read = self.network(input_ids=ids.to(device), attention_mask=there.to(device), **more)
        return read.last_hidden_state, pooled.to(device)


def check_encoder(name: str) -> None:
    """Raise where the libraries or the model are missing, without loading anything.

    Raises:
        MissingExtraError: a library or the package of 'minilm' is not installed.
        FinlmmError: a folder that holds no model.
    """
    for library in ("torch", "transformers"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError("The reward 'adversarial'", library, "train")
    if name == "minilm" and importlib.util.find_spec(_MINILM) is None:
        raise MissingExtraError("The encoder 'minilm' of the reward 'adversarial'", _MINILM, "minilm")
    if name in ("minilm", "tiny"):
        return  # whatever folder of that name is in the working directory
    folder = Path(name).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise FinlmmError(
            f"the reward 'adversarial' found no model in {folder}: it has no config.json.",
            hint="Give a folder with config.json, weights and tokenizer, a hub id, or 'minilm' or 'tiny'.",
        )


def load_encoder(name: str, *, window: int, overlap: int, question_tokens: int) -> Encoder:
    """Return an encoder by the option's name; new weights are drawn from torch's global generator.

    Raises:
        MissingExtraError: a library or the package of 'minilm' is not installed.
        FinlmmError: there is no such model, or it reads fewer tokens than a window has.
    """
    check_encoder(name)
    transformers = import_transformers("The reward 'adversarial'")
    words: HashedWords | PretrainedWords
    if name == "tiny":
        config = transformers.BertConfig(
            vocab_size=_TINY_VOCABULARY,
            max_position_embeddings=window,
            type_vocab_size=_TINY_TYPES,
            initializer_range=0.05,
            **_TINY,
        )
        network, words = transformers.BertModel(config, add_pooling_layer=False), HashedWords()
    else:
        where = str(model_folder(_MINILM)) if name == "minilm" else str(Path(name).expanduser())
        where = where if Path(where).is_dir() else name
        local = {"local_files_only": True} if Path(where).is_dir() else {}
        try:
            with no_progress_bars():
                words = PretrainedWords(transformers.AutoTokenizer.from_pretrained(where, **local))
                network = transformers.AutoModel.from_pretrained(where, dtype="float32", **local)
        except (OSError, ValueError) as error:
            raise FinlmmError(
                f"the encoder '{name}' of the reward 'adversarial' could not be loaded: {error}",
                hint="Give a folder with config.json, weights and tokenizer, a hub id, or 'minilm' or 'tiny'.",
            ) from error
    limit = getattr(network.config, "max_position_embeddings", None)
    if limit is not None and getattr(network.config, "model_type", "") in ("roberta", "xlm-roberta", "camembert"):
        limit -= 2  # their positions begin behind the padding's
    if limit is not None and window > limit:
        raise FinlmmError(
            f"the encoder '{name}' of the reward 'adversarial' reads {limit} tokens at once; window is {window}.",
            hint=f"Set window = {limit} or less: longer thinking is read in several windows.",
        )
    network.eval()
    return Encoder(network, words, window, overlap, question_tokens)
