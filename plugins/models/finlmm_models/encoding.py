"""From conversations to batches of tensors: each is encoded once, then padded with others of its length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finlmm_core import FinlmmError, Loaded
from finlmm_core.plugins.bases import Message
from finlmm_core.prompts import flat_text

#: Tensors of a processor that have one entry a token, with what a padded place holds; all others are of images.
_PER_TOKEN = {"input_ids": None, "attention_mask": 0, "mm_token_type_ids": 0}


@dataclass(frozen=True)
class Encoded:
    """One conversation: what the processor makes of it, each tensor of shape ``(1, length)`` or of images."""

    tensors: dict[str, Any]

    @property
    def length(self) -> int:
        """Tokens, those of images included."""
        return int(self.tensors["input_ids"].shape[1])

    def followed_by(self, ids: Sequence[int]) -> Encoded:
        """Return the conversation with tokens of text behind it."""
        import torch

        added = {"input_ids": list(ids), "attention_mask": [1] * len(ids), "mm_token_type_ids": [0] * len(ids)}
        longer = dict(self.tensors)
        for name, values in added.items():
            if name in longer:
                tail = torch.tensor([values], dtype=longer[name].dtype)
                longer[name] = torch.cat([longer[name], tail], dim=1)
        return Encoded(longer)


def encode(loaded: Loaded, messages: Sequence[Message]) -> Encoded:
    """Return one conversation as tensors, ready for the answer; a last turn of the assistant's is to be continued.

    Raises:
        FinlmmError: a turn holds an image that the model cannot see, or the place of an image without the image.
    """
    sees_images = loaded.processor is not loaded.tokenizer
    sizes: list[tuple[int, int]] = []
    for message in messages:
        for part in [] if isinstance(message["content"], str) else message["content"]:
            if part["type"] == "image" and not sees_images:
                raise FinlmmError("a text-only model was given a conversation with an image.")
            if part["type"] == "image" and part.get("image") is None:
                raise FinlmmError(
                    "a conversation holds the place of an image without the image.",
                    hint="Call messages(sample, images) with the image store of the run.",
                )
            if part["type"] == "image":
                sizes.append(part["image"].size)
    continued = messages[-1]["role"] == "assistant"
    try:
        tensors = loaded.processor.apply_chat_template(
            [list(messages) if sees_images else flat_text(list(messages))],
            tokenize=True,
            add_generation_prompt=not continued,
            continue_final_message=continued,
            return_dict=True,
            return_tensors="pt",
        )
    except ValueError as error:  # such as an image two hundred times as wide as high
        raise FinlmmError(
            f"the processor refuses a conversation with {len(sizes)} images "
            f"({', '.join(f'{width} x {height}' for width, height in sizes) or 'none'}): {error}"
        ) from error
    return Encoded(dict(tensors))


def collate(rows: Sequence[Encoded], pad: int, device: Any) -> dict[str, Any]:
    """Return the rows as one batch, padded on the left, with the tensors of their images one after the other."""
    import torch

    width = max(row.length for row in rows)
    batch: dict[str, Any] = {}
    for name in rows[0].tensors | {key: None for row in rows for key in row.tensors}:
        held = [row.tensors[name] for row in rows if name in row.tensors]
        if name in _PER_TOKEN:
            filler = _PER_TOKEN[name]
            padding = pad if filler is None else filler
            held = [torch.nn.functional.pad(one, (width - one.shape[1], 0), value=padding) for one in held]
        batch[name] = torch.cat(held, dim=0).to(device)
    return batch


def batches(lengths: Sequence[int], more: int, limit: int) -> Iterator[list[int]]:
    """Yield indices of rows that are computed together, longest first.

    Args:
        lengths: tokens of each row.
        more: tokens that are going to be added to each row.
        limit: padded tokens of a batch at most; a single row may have more.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        rows = max(1, limit // (lengths[order[start]] + more))
        yield order[start : start + rows]
        start += rows


def memory_ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the CPU."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("can't allocate memory" in str(error) or "out of memory" in str(error))
