"""How likely each of several choices is as the next text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from finlmm_core import FinlmmError, Loaded
from finlmm_core.plugins.bases import Message
from finlmm_models.decoding import evaluating, windows
from finlmm_models.encoding import Encoded, batches, collate, memory_ran_out


def choice_probabilities(
    loaded: Loaded,
    prompts: Sequence[Sequence[Message]],
    choices: Sequence[str],
    batch_tokens: int,
    not_enough_memory: Callable[[str], FinlmmError],
) -> list[list[float]]:
    """Return for each conversation the probability of each choice, normalised over the choices.

    A choice's likelihood is the product of the probabilities of its tokens, as a continuation of the conversation.

    Args:
        loaded: the model.
        prompts: conversations.
        choices: at least one text, each of at least one token; choices with the same tokens share alike.
        batch_tokens: padded tokens of a batch at most.
        not_enough_memory: makes the error for when memory runs out, from what was being done.

    Raises:
        FinlmmError: there are no choices, one is empty, or memory runs out.
    """
    import torch

    if not prompts:
        return []
    tokens = [loaded.tokenizer(choice, add_special_tokens=False)["input_ids"] for choice in choices]
    if not tokens or not all(tokens):
        raise FinlmmError(f"choices {list(choices)}: expected at least one, and none of them empty.")
    results = []
    with evaluating(loaded.model):
        for window in windows(loaded, prompts, 2 * batch_tokens):
            # Choices that differ in their last token alone are read from the same row.
            starts = sorted({tuple(ids[:-1]) for ids in tokens})
            keys = [(index, start) for index in range(len(window)) for start in starts]
            rows = [window[index].followed_by(start) for index, start in keys]
            found: dict[tuple[int, tuple[int, ...]], Any] = {}
            for batch in batches([row.length for row in rows], 0, batch_tokens):
                try:
                    logs = _last_log_probabilities(loaded, [rows[at] for at in batch], 1 + max(map(len, starts)))
                except (RuntimeError, MemoryError) as error:
                    if not memory_ran_out(error):
                        raise
                    longest = max(rows[at].length for at in batch)
                    raise not_enough_memory(f"weighing choices after prompts of up to {longest} tokens") from error
                for at, log in zip(batch, logs, strict=True):
                    key = keys[at]
                    wanted = [ids for ids in tokens if tuple(ids[:-1]) == key[1]]
                    # Of each choice's tokens, seen from the last position backwards.
                    found[key] = {
                        tuple(ids): sum(float(log[place - len(ids), token]) for place, token in enumerate(ids))
                        for ids in wanted
                    }
            for index in range(len(window)):
                scores = [found[index, tuple(ids[:-1])][tuple(ids)] for ids in tokens]
                results.append(torch.tensor(scores, dtype=torch.float64).softmax(dim=0).tolist())
    return results


def _last_log_probabilities(loaded: Loaded, rows: Sequence[Encoded], keep: int) -> Any:
    """Return log probabilities of the next token at the last ``keep`` places: ``(rows, keep, vocabulary)``."""
    model = loaded.model
    batch = collate(rows, loaded.tokenizer.pad_token_id, model.device)
    if loaded.processor is loaded.tokenizer:  # vision-language models find their positions themselves
        batch["position_ids"] = (batch["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
    logits = model(**batch, logits_to_keep=keep, use_cache=False).logits
    return logits[:, -keep:].float().log_softmax(dim=-1).cpu()
