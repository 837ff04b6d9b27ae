"""The dataset that TRL draws prompts from: places in the order of use; images are decoded when a batch is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import datasets

from finlmm_core.domain import Sample
from finlmm_core.plugins.bases import ModelBackend

if TYPE_CHECKING:
    from finlmm_core.store.images import ImageStore


class PromptDataset(datasets.Dataset):
    """Rows ``{"place": int, "prompt": messages, "images": [PIL, ...]}`` made when they are asked for.

    TRL takes a ``datasets.Dataset``. Its table holds the places alone; a transform (``set_transform``) would do the
    rest, but hashes all that it refers to, samples and all, when it is set.

    TRL asks for a row as often as there are completions of it in a round and passes over the data; the rows of the
    last two rounds are kept, so that each image is decoded once a round.
    """

    backend: ModelBackend
    samples: Sequence[Sample]
    store: ImageStore | None
    kept: dict[int, dict[str, Any]]
    keeps: int

    @classmethod
    def of(
        cls, backend: ModelBackend, samples: Sequence[Sample], store: ImageStore | None, keeps: int
    ) -> PromptDataset:
        """Return the dataset.

        Args:
            backend: makes the messages.
            samples: in the order of use.
            store: where their images are read.
            keeps: rows that are kept in memory; twice the prompts of a round.
        """
        made: PromptDataset = cls.from_dict({"place": list(range(len(samples)))})
        made.backend, made.samples, made.store = backend, samples, store
        made.kept, made.keeps = {}, max(1, keeps)
        return made

    def __getitem__(self, place: Any) -> Any:
        return self._row(place) if isinstance(place, int) else super().__getitem__(place)

    def __getitems__(self, places: list[int]) -> list[dict[str, Any]]:
        return [self._row(place) for place in places]

    def _row(self, place: int) -> dict[str, Any]:
        if place not in self.kept:
            while len(self.kept) >= self.keeps:
                del self.kept[next(iter(self.kept))]  # the one that was made first
            self.kept[place] = self._made(place)
        return self.kept[place]

    def _made(self, place: int) -> dict[str, Any]:
        """Return a row: the images apart from the prompt, which keeps a placeholder for each, as TRL wants them."""
        messages = self.backend.messages(self.samples[place], self.store)
        images = []
        prompt = []
        for message in messages:
            content = message["content"]
            if not isinstance(content, str):
                images += [part["image"] for part in content if part["type"] == "image"]
                content = [{"type": "image"} if part["type"] == "image" else part for part in content]
            prompt.append({**message, "content": content})
        return {"place": place, "prompt": prompt, "images": images}
