"""What the local backends share: a model in this process, run by transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from finlmm_core import Completion, FinlmmError, Loaded, MissingExtraError, ModelBackend, ModelOptions, Sampling
from finlmm_core.plugins.bases import Message, Purpose
from finlmm_models.families import Family
from finlmm_models.options import LocalOptions


class LocalBackend(ModelBackend):
    """A family of models whose weights are held in this process.

    A backend says its family and, where it sees images, how the options' limits of pixels are set.
    """

    Options: ClassVar[type[ModelOptions]] = LocalOptions
    options: LocalOptions
    family: ClassVar[Family]
    trains: ClassVar[bool] = True
    at_once: ClassVar[int] = 128
    key_ignores: ClassVar[frozenset[str]] = frozenset({"batch_tokens", "device", "lora", "freeze"})

    def __init__(self, options: ModelOptions | None = None) -> None:
        super().__init__(options)
        self._loaded: dict[Purpose, Loaded] = {}
        self._processor: Any = None
        self._template: Any = None

    def check(self) -> None:
        """Raise if the libraries or the model are not at hand; reads ``config.json`` and no weights."""
        import importlib.util

        for library in ("torch", "transformers", "peft"):
            if importlib.util.find_spec(library) is None:
                raise MissingExtraError(f"The model backend '{self.name}'", library, "train")
        from finlmm_models.loading import check_family, read_config

        check_family(read_config(self.options.path), self.family, self.options.path)

    def load(self, purpose: Purpose = "generate") -> Loaded:
        """Return the model in memory, loaded once for each purpose.

        For training it is on the CPU in train mode with the options' parts frozen, and not yet wrapped for LoRA; the
        trainer places and wraps it.

        Raises:
            FinlmmError: there is no such model, it is of another family, its weights are damaged or incomplete, or
                options do not fit it.
        """
        if purpose not in self._loaded:
            self._loaded[purpose] = self._load(purpose)
        return self._loaded[purpose]

    def _load(self, purpose: Purpose) -> Loaded:
        from finlmm_models import loading

        options = self.options
        processor = self._fresh_processor()  # not the one that is shared: trainers change what they are given
        self._template = processor.chat_template
        tokenizer = getattr(processor, "tokenizer", processor)
        model = loading.load_model(self.family, options, purpose)
        adapters = None
        if purpose == "train":
            model.train()
            loading.freeze(self.family, model, options.freeze)
            if options.lora is not None:
                adapters = loading.lora_config(self.family, model, options.lora)
        else:
            model.eval()
        return Loaded(
            model=model,
            processor=processor,
            tokenizer=tokenizer,
            peft_config=adapters,
            image_token_ids=loading.image_token_ids(self.family, tokenizer),
        )

    def without_weights(self) -> Loaded:
        """Return what ``load("train")`` returns, with all weights on torch's meta device."""
        from finlmm_models import loading

        options = self.options
        processor = self.processor()
        tokenizer = getattr(processor, "tokenizer", processor)
        model = loading.outline(self.family, options)
        loading.freeze(self.family, model, options.freeze)
        return Loaded(
            model=model,
            processor=processor,
            tokenizer=tokenizer,
            peft_config=None if options.lora is None else loading.lora_config(self.family, model, options.lora),
            image_token_ids=loading.image_token_ids(self.family, tokenizer),
        )

    def processor(self) -> Any:
        """Return the processor, for text-only models the tokenizer, with the options' limits of pixels; no weights."""
        if self._processor is None:
            self._processor = self._fresh_processor()
        return self._processor

    def _fresh_processor(self) -> Any:
        from finlmm_models.loading import load_processor

        self.check()
        processor = load_processor(self.family, self.options.path)
        self._limit_pixels(processor)
        return processor

    def _limit_pixels(self, processor: Any) -> None:
        """Set the options' limits of pixels; text-only families have none."""

    def unload(self) -> None:
        """Let go of what ``load`` holds, so that its memory is free once nobody else holds it."""
        self._loaded.clear()

    def save(self, loaded: Loaded, model: Any, folder: Path) -> None:
        """Write a trained model as a folder that ``from_pretrained`` and vLLM load; see the base class.

        The names and the layout of the weights are those of the family's published checkpoints, LoRA is merged without
        touching the model in memory, and a folder that is there already is replaced.
        """
        from finlmm_models.saving import save_model

        save_model(loaded, model, Path(folder), self._template)

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Completion]]:
        """Return ``sampling.n`` completions for each conversation, in order.

        With a seed, a conversation's completions depend on the seed, the conversation and how many equal ones stand
        before it, and not on the batch that it lands in (but for the last digits of a batched computation, which
        decide between two all but equally likely tokens now and then). torch's own random state is left alone. A
        conversation that ends with an assistant turn is continued.

        Raises:
            FinlmmError: memory runs out, an image is missing, or a text-only model is given an image.
        """
        from finlmm_models.decoding import generate

        return generate(self.load("generate"), prompts, sampling, self.options.batch_tokens, self._not_enough_memory)

    def chat(
        self, messages: Sequence[Message], sampling: Sampling | None = None, schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Return one completion of one conversation.

        With a JSON schema the model is told it; what it writes is parsed and checked against the schema, and a reply
        that does not fit goes back once with what was wrong. The text is then the JSON alone, or the second reply as
        it stands where that one does not fit either.
        """
        return self.chat_many([messages], sampling, schema)[0]

    def chat_many(
        self,
        conversations: Sequence[Sequence[Message]],
        sampling: Sampling | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Completion]:
        """Return what ``chat`` returns for each of many conversations, batched."""
        from finlmm_models.json_chat import chat_by_generating

        return chat_by_generating(self.generate, conversations, sampling, schema)

    def choice_probabilities(self, prompts: Sequence[Sequence[Message]], choices: Sequence[str]) -> list[list[float]]:
        """Return for each conversation the probability of each choice as the next text, normalised over the choices.

        Of a choice of several tokens it is the product of their probabilities.
        """
        from finlmm_models.likelihood import choice_probabilities

        loaded = self.load("generate")
        return choice_probabilities(loaded, prompts, choices, self.options.batch_tokens, self._not_enough_memory)

    def _not_enough_memory(self, doing: str) -> FinlmmError:
        pixels = ", max_pixels" if self.sees_images else ""
        return FinlmmError(
            f"out of memory: '{self.name}' with '{self.options.path}' while {doing}.",
            hint=f"Lower its option batch_tokens (now {self.options.batch_tokens}){pixels} or max_new_tokens, or set "
            "dtype = 'bfloat16'.",
        )
