"""The dataset that TRL's SFTTrainer draws from: a prompt and its worked solution, made when a batch is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from finlmm_core.domain import Sample
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import Loaded, ModelBackend
from finlmm_core.train.grpo_prompts import PromptDataset
from finlmm_core.train.solutions import solution

if TYPE_CHECKING:
    from finlmm_core.store.images import ImageStore


class SolutionDataset(PromptDataset):
    """Rows as SFTTrainer takes them, one a use of a sample.

    For vision-language models ``{"prompt", "completion", "images"}``, which TRL's collator makes tensors of; for
    text-only models ``{"input_ids", "labels"}``, where the labels of the prompt are -100.
    """

    loaded: Loaded
    vision: bool

    @classmethod
    def solving(
        cls, backend: ModelBackend, loaded: Loaded, samples: Sequence[Sample], store: ImageStore | None
    ) -> SolutionDataset:
        """Return the dataset.

        Args:
            backend: makes the messages.
            loaded: the model's processor and tokenizer.
            samples: in the order of use.
            store: where their images are read.
        """
        made: SolutionDataset = cls.of(backend, samples, store, keeps=1)
        made.loaded, made.vision = loaded, backend.sees_images
        return made

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._row(place) for place in range(len(self.samples)))

    def _row(self, place: int) -> dict[str, Any]:
        return dict(super()._row(place))  # TRL's collator writes into the rows that it gets

    def _made(self, place: int) -> dict[str, Any]:
        sample = self.samples[place]
        text = solution(sample)
        if text is None:  # the checks leave such samples out
            raise FinlmmError(f"the sample {sample.id} has no worked solution.")
        row = super()._made(place)
        if self.vision:
            answer = [{"role": "assistant", "content": [{"type": "text", "text": text}]}]
            return {"prompt": row["prompt"], "completion": answer, "images": row["images"]}
        return self._tokens(row["prompt"], text)

    def _tokens(self, prompt: list[dict[str, Any]], text: str) -> dict[str, Any]:
        from trl.data_utils import apply_chat_template

        tokenizer = self.loaded.tokenizer
        answer = [{"role": "assistant", "content": text}]
        written = apply_chat_template({"prompt": prompt, "completion": answer}, tokenizer)
        parts = [tokenizer(written[name], add_special_tokens=False)["input_ids"] for name in ("prompt", "completion")]
        return {"input_ids": parts[0] + parts[1], "labels": [-100] * len(parts[0]) + parts[1]}
