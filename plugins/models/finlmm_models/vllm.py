"""vLLM's offline engine: any model that vLLM runs, many conversations at a time, on GPUs of this machine."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from finlmm_core import CallFailed, Completion, FinlmmError, MissingExtraError, ModelBackend, ModelOptions, Sampling
from finlmm_core.plugins.bases import Message

#: What vLLM says of a prompt that does not fit, over its versions.
_TOO_LONG = ("longer than the maximum model length", "is too long to fit", "maximum context length", "max_model_len")


class VllmOptions(ModelOptions):
    """Options of the backend ``vllm``; names are those of vLLM's engine arguments."""

    path: str = Field(default="Qwen/Qwen2.5-VL-3B-Instruct", description="folder with the model, or its id on the hub")
    dtype: str = Field(default="auto", description="of the weights: auto, bfloat16, float16, float32")
    max_model_len: int | None = Field(
        default=None, ge=1, description="tokens of prompt and completion at most; the model's own limit if not given"
    )
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, description="share of each GPU's memory to take")
    tensor_parallel_size: int = Field(default=1, ge=1, description="GPUs that the model is laid over")
    max_images: int = Field(default=16, ge=0, description="images of one conversation at most; memory is kept for them")
    min_pixels: int | None = Field(default=None, ge=1, description="smaller images are made larger (Qwen-VL)")
    max_pixels: int | None = Field(default=None, ge=1, description="larger images are made smaller (Qwen-VL)")
    engine: dict[str, Any] = Field(
        default={}, description="further arguments of vllm.LLM by their own names, such as { enforce_eager = true }"
    )


class Vllm(ModelBackend):
    """Any model that vLLM runs, by its offline engine on this machine; for a vLLM server take ``openai``."""

    name: ClassVar[str] = "vllm"
    Options: ClassVar[type[VllmOptions]] = VllmOptions
    options: VllmOptions
    sees_images: ClassVar[bool] = True
    at_once: ClassVar[int] = 512  # its scheduler fills the GPU best where much is waiting
    key_ignores: ClassVar[frozenset[str]] = frozenset({"gpu_memory_utilization", "tensor_parallel_size", "max_images"})

    def __init__(self, options: VllmOptions | None = None) -> None:
        super().__init__(options)
        self._engine: Any = None
        self._tokenizer: Any = None

    def check(self) -> None:
        """Raise if vLLM is not installed, or the model's folder is not there; nothing is loaded."""
        if importlib.util.find_spec("vllm") is None:
            raise MissingExtraError(f"The model backend '{self.name}'", "vllm", "vllm")
        from finlmm_models.loading import local_folder

        folder = local_folder(self.options.path)
        if folder is not None and not (folder / "config.json").is_file():
            raise FinlmmError(f"the folder '{self.options.path}' holds no model: there is no config.json in it.")

    def processor(self) -> Any:
        """Return the tokenizer; lengths of prompts with images are vLLM's own business."""
        if self._tokenizer is None:
            from finlmm_core.hugging_face import import_transformers

            transformers = import_transformers(f"The model backend '{self.name}'")
            local = Path(self.options.path).expanduser().is_dir()
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(self.options.path, local_files_only=local)
        return self._tokenizer

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Completion]]:
        """Return ``sampling.n`` completions for each conversation, in order; vLLM schedules them as it sees fit.

        A conversation that ends with the assistant's turn is continued. With a seed each conversation draws with a seed
        of its own, made of that one and its texts. A prompt that does not fit into the model gives
        ``Completion(text="", failed="too_long: ...")``; the others are answered.

        Raises:
            FinlmmError: the engine does not start, or a conversation has more images than ``max_images``.
        """
        found: dict[int, list[Completion]] = {}
        for continued in (False, True):
            places = [at for at, messages in enumerate(prompts) if (messages[-1]["role"] == "assistant") == continued]
            answers = self._answers([prompts[at] for at in places], sampling, continued)
            found.update(zip(places, answers, strict=True))
        return [found[at] for at in range(len(prompts))]

    def chat(
        self, messages: Sequence[Message], sampling: Sampling | None = None, schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Return one completion of one conversation, JSON by the schema as ``chat_many`` gives it."""
        completion = self.chat_many([messages], sampling, schema)[0]
        if completion.failed:
            raise CallFailed(completion.failed)
        return completion

    def chat_many(
        self,
        conversations: Sequence[Sequence[Message]],
        sampling: Sampling | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Completion]:
        """Return one completion of each conversation; with a schema told, checked, a bad one asked once more."""
        from finlmm_models.json_chat import chat_by_generating

        return chat_by_generating(self.generate, conversations, sampling, schema)

    def _answers(
        self, prompts: Sequence[Sequence[Message]], sampling: Sampling, continued: bool
    ) -> list[list[Completion]]:
        if not prompts:
            return []
        engine, vllm = self._loaded(), _vllm()
        params = [vllm.SamplingParams(**_parameters(messages, sampling)) for messages in prompts]
        try:
            outputs = engine.chat(
                [self._turns(messages) for messages in prompts],
                sampling_params=params,
                use_tqdm=False,
                add_generation_prompt=not continued,
                continue_final_message=continued,
            )
        except ValueError as error:
            if not any(part in str(error) for part in _TOO_LONG):
                raise
            # vLLM refuses all of a call for one prompt: the others are found by halving.
            if len(prompts) == 1:
                return [[Completion(text="", failed=f"too_long: {_first_line(error)}")] * sampling.n]
            half = len(prompts) // 2
            return [
                *self._answers(prompts[:half], sampling, continued),
                *self._answers(prompts[half:], sampling, continued),
            ]
        return [_completions(output) for output in outputs]

    def _turns(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Return a conversation as vLLM takes it: the OpenAI form, with PIL images as they are."""
        turns = []
        images = 0
        for message in messages:
            content = message["content"]
            if not isinstance(content, str):
                content = [
                    {"type": "image_pil", "image_pil": part["image"]} if part["type"] == "image" else dict(part)
                    for part in content
                ]
                images += sum(part["type"] == "image_pil" for part in content)
            turns.append({**message, "content": content})
        if images > self.options.max_images:
            raise FinlmmError(
                f"a conversation has {images} images, and the model backend '{self.name}' was set up for "
                f"{self.options.max_images}.",
                hint=f"Set its option max_images = {images}.",
            )
        return turns

    def _loaded(self) -> Any:
        """Return the engine, started at the first call."""
        if self._engine is None:
            self.check()
            options = self.options
            pixels = {"min_pixels": options.min_pixels, "max_pixels": options.max_pixels}
            limits = {name: value for name, value in pixels.items() if value is not None}
            arguments: dict[str, Any] = {
                "model": str(Path(options.path).expanduser())
                if Path(options.path).expanduser().is_dir()
                else options.path,
                "dtype": options.dtype,
                "gpu_memory_utilization": options.gpu_memory_utilization,
                "tensor_parallel_size": options.tensor_parallel_size,
                "limit_mm_per_prompt": {"image": options.max_images},
                "generation_config": "vllm",  # the checkpoint's own settings would fill in what sampling leaves open
                "trust_remote_code": False,
                "seed": 0,
                **({"max_model_len": options.max_model_len} if options.max_model_len is not None else {}),
                **({"mm_processor_kwargs": limits} if limits else {}),
                **options.engine,
            }
            try:
                self._engine = _vllm().LLM(**arguments)
            except (ValueError, RuntimeError, OSError, TypeError) as error:
                raise FinlmmError(
                    f"vLLM cannot load the model '{options.path}': {_first_line(error)}",
                    hint="What vLLM printed before tells more. Less memory: a lower max_model_len, max_images or "
                    "max_pixels; more GPUs: tensor_parallel_size.",
                ) from error
        return self._engine


def _vllm() -> Any:
    return importlib.import_module("vllm")


def _parameters(messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
    """Return the arguments of vLLM's SamplingParams for one conversation."""
    return {
        "n": sampling.n,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,  # off, in all versions
        "max_tokens": sampling.max_new_tokens,
        "seed": _seed(messages, sampling.seed) if sampling.seed is not None and sampling.temperature > 0 else None,
    }


def _seed(messages: Sequence[Mapping[str, Any]], seed: int) -> int:
    """Return 31 bits of the seed and the texts of a conversation: equal seeds would draw alike for all of them."""
    texts = [
        message["content"] if isinstance(message["content"], str) else [part.get("text") for part in message["content"]]
        for message in messages
    ]
    digest = hashlib.sha256(json.dumps([seed, texts], ensure_ascii=False).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _completions(output: Any) -> list[Completion]:
    """Return what vLLM wrote for one conversation, in the order of its draws."""
    prompt_tokens = len(output.prompt_token_ids or ())
    return [
        Completion(
            text=one.text,
            token_ids=tuple(one.token_ids),
            truncated=one.finish_reason == "length",
            prompt_tokens=prompt_tokens,
        )
        for one in sorted(output.outputs, key=lambda one: one.index)
    ]


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
