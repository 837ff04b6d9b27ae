"""The network that reads: an encoder, mean and max pooling over the tokens of all windows, and a head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from finlmm_rewards.adversarial.encoder import Encoder, Window
from finlmm_rewards.adversarial.reading import Reading

#: Padded tokens of a forward pass, at most, where a single text does not have more.
_TOKENS = 8192


class Discriminator(nn.Module):
    """Reads texts and gives the logit of 'the answer was right'.

    With token states h_t of all windows of a text, each token once::

        x = LayerNorm([mean_t h_t ; max_t h_t])        logit = w2 . dropout(gelu(W1 x + b1)) + b2

    Args:
        encoder: what reads; its network becomes part of this module.
        frozen: whether the encoder's weights stay as they are.
    """

    def __init__(self, encoder: Encoder, frozen: bool) -> None:
        super().__init__()
        self.reader = encoder
        self.encoder = encoder.network
        self.encoder.requires_grad_(not frozen)
        self.frozen = frozen
        self.norm = nn.LayerNorm(2 * encoder.width)
        self.inner = nn.Linear(2 * encoder.width, encoder.width)
        self.outer = nn.Linear(encoder.width, 1)

    def features(self, texts: Sequence[Sequence[Window]]) -> torch.Tensor:
        """Return mean and max over each text's tokens, ``(texts, 2 * width)``."""
        counts = [len(of_text) for of_text in texts]
        windows = [window for of_text in texts for window in of_text]
        states, pooled = self.reader.states(windows)
        sums = (states * pooled.unsqueeze(-1)).sum(1)
        highest = states.masked_fill(~pooled.unsqueeze(-1), float("-inf")).amax(1)
        tokens = pooled.sum(1, keepdim=True)
        if max(counts) > 1:
            sums = torch.stack([part.sum(0) for part in sums.split(counts)])
            tokens = torch.stack([part.sum(0) for part in tokens.split(counts)])
            highest = torch.stack([part.amax(0) for part in highest.split(counts)])
        return torch.cat([sums / tokens, highest], dim=1)

    def logits(self, features: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logit of each text from its features.

        Args:
            features: ``(texts, 2 * width)``.
            kept: dropout's mask over the inner layer, already divided by the chance to be kept; None in use.
        """
        inner = nn.functional.gelu(self.inner(self.norm(features)))
        return self.outer(inner if kept is None else inner * kept).squeeze(-1)

    def trained(self) -> list[tuple[str, nn.Parameter]]:
        """Return the weights that learn, by name."""
        return [(name, weight) for name, weight in self.named_parameters() if weight.requires_grad]


def in_batches(texts: Sequence[Sequence[Window]], places: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places in batches of texts of like length, so that little of a batch is padding."""
    sizes = {place: (max(len(window.ids) for window in texts[place]), len(texts[place])) for place in places}
    batch: list[int] = []
    longest = windows = 0
    for place in sorted(places, key=lambda place: (sizes[place], place)):
        wide, count = sizes[place]
        if batch and max(longest, wide) * (windows + count) > _TOKENS:
            yield batch
            batch, longest, windows = [], 0, 0
        batch.append(place)
        longest, windows = max(longest, wide), windows + count
    if batch:
        yield batch


def read_all(module: Discriminator, readings: Sequence[Reading]) -> torch.Tensor:
    """Return the features of all texts on the CPU, ``(texts, 2 * width)``, without gradients."""
    found = torch.zeros((len(readings), 2 * module.reader.width))
    texts = module.reader.windows(readings)
    with torch.no_grad():
        for batch in in_batches(texts, range(len(texts))):
            found[batch] = module.features([texts[place] for place in batch]).float().cpu()
    return found


def weights_by_name(module: Discriminator) -> dict[str, Any]:
    """Return what has to be kept of the module: all weights, or those of the head where the encoder is frozen."""
    kept = module.state_dict()
    return {name: tensor for name, tensor in kept.items() if not (module.frozen and name.startswith("encoder."))}
