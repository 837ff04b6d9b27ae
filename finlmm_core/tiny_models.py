"""Makes the tiny model of a family: the family's own classes and file layout, with less than a million weights.

Weights are random and the tokenizer is trained on a given corpus, so a tiny model knows nothing; it loads, trains,
saves and generates like its big relatives, in a second and without a network, for tests, demos and dry runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from finlmm_core.answers.tags import TAGS
from finlmm_core.errors import FinlmmError, MissingExtraError
from finlmm_core.hugging_face import import_transformers, no_progress_bars

Kind = Literal["qwen2-vl", "qwen2.5-vl", "qwen3-vl", "internvl", "causal-lm"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Named sizes. ``learn`` is one that learns to read simple charts in minutes on a CPU: small models whose weights begin
#: with a standard deviation of .02 stay at chance, .08 gets them going.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "learn": {"hidden": 96, "layers": 3, "init": 0.08},
}

#: The tags of the output format, a token each.
TAG_TOKENS = tuple(tag for name in TAGS for tag in (f"<{name}>", f"</{name}>"))

_QWEN_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_INTERNVL_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
_INTERNVL_NAMED = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
#: The layout of InternVL3's own template: an image is one <IMG_CONTEXT>, which the processor expands.
_INTERNVL_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<IMG_CONTEXT>\n{% elif part['type'] == 'video' %}<video>\n"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
#: Files in TRL's folder of chat templates; they are the ones of the published models.
_TEMPLATES = {
    "qwen2-vl": "qwen2_5_vl.jinja",
    "qwen2.5-vl": "qwen2_5_vl.jinja",
    "qwen3-vl": "qwen3_vl.jinja",
    "causal-lm": "qwen2_5.jinja",
}
#: Side in pixels of InternVL's square tiles; a quarter of its (side / 14)^2 patches becomes a token each.
_TILE = 56


def tiny_model(
    kind: str,
    folder: str | Path,
    *,
    corpus: Iterable[str] | None = None,
    whole_tokens: Sequence[str] = (),
    vocab: int = 800,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    vision_hidden: int = 64,
    vision_layers: int = 2,
    init: float = 0.02,
    max_pixels: int = 56 * 56,
    tied: bool = True,
    seed: int = 0,
) -> Path:
    """Make the tiny model of a family and save it as a folder that ``from_pretrained`` loads; return the folder.

    The same arguments give the same weights and the same tokenizer.

    Args:
        kind: one of ``KINDS``.
        folder: where it is saved; made if needed.
        corpus: texts that the tokenizer is trained on; the wording of the project's own prompts if not given. The
            wording is always added.
        whole_tokens: strings that become one token each, such as ``("<think>", "</think>")``.
        vocab: entries of the vocabulary at most; at least the 256 bytes and the family's special tokens.
        hidden: width of the language model, a multiple of 4 times ``heads``.
        layers: of the language model.
        heads: attention heads of the language model; half as many for keys and values.
        vision_hidden: width of the vision tower, a multiple of 16.
        vision_layers: of the vision tower.
        init: standard deviation of the initial weights.
        max_pixels: larger images are made smaller; a token stands for 28 x 28 pixels (qwen3-vl: 32 x 32). internvl
            takes as many tiles of 56 x 56 as fit in, with 4 tokens each.
        tied: whether the output layer shares the embeddings' weights.
        seed: of the weights.

    Raises:
        FinlmmError: no such kind, or sizes that do not fit together.
        MissingExtraError: the libraries of training are not installed.
    """
    if kind not in KINDS:
        raise FinlmmError(f"no tiny model of kind '{kind}'.", hint=f"The kinds are: {', '.join(KINDS)}.")
    if hidden % (4 * heads) or heads % 2 or vision_hidden % 16:
        raise FinlmmError(
            f"sizes that do not fit: hidden {hidden}, heads {heads}, vision_hidden {vision_hidden}.",
            hint="heads must be even, hidden a multiple of 4 * heads, vision_hidden a multiple of 16.",
        )
    transformers = import_transformers("A tiny model")
    import torch

    template = _INTERNVL_TEMPLATE if kind == "internvl" else _published_template(_TEMPLATES[kind])
    tokenizer = _tokenizer(kind, corpus, whole_tokens, vocab, template)
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "max_position_embeddings": 32768,
        "initializer_range": init,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {"initializer_range": init, "vision_hidden": vision_hidden, "vision_layers": vision_layers}
    if kind == "causal-lm":
        config: Any = transformers.Qwen2Config(**text, tie_word_embeddings=tied)
        model_class: Any = transformers.Qwen2ForCausalLM
        processor: Any = tokenizer
    elif kind == "internvl":
        config, model_class, processor = _internvl(text, vision, tokenizer, template, max_pixels, tied)
    else:
        config, model_class, processor = _qwen(kind, text, vision, tokenizer, template, max_pixels, tied)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(config).float()
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.pad_token_id
    )
    folder = Path(folder)
    with no_progress_bars():
        model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def dataset_corpus(samples: Path) -> list[str]:
    """Return the prompts and the worked solutions of a dataset's training samples, for a tokenizer to learn from.

    Args:
        samples: a run's ``samples/`` folder.

    Raises:
        FinlmmError: the folder is no dataset.
    """
    from finlmm_core.prompts import question_text
    from finlmm_core.steps.samples import SampleKind, read_samples
    from finlmm_core.train.solutions import solution

    kinds: tuple[SampleKind, ...] = ("text", "contrastive")
    texts: list[str] = []
    for kind in kinds:
        for sample in read_samples(samples, kind, "train"):
            texts += [question_text(sample), solution(sample) or ""]
    return texts


def _published_template(name: str) -> str:
    spec = importlib.util.find_spec("trl")  # only where it is: importing it takes seconds
    if spec is None or spec.origin is None:
        raise MissingExtraError("A tiny model", "trl", "train")
    return (Path(spec.origin).parent / "chat_templates" / name).read_text(encoding="utf-8")


def _tokenizer(kind: str, corpus: Iterable[str] | None, whole_tokens: Sequence[str], vocab: int, template: str) -> Any:
    """Return a byte-level BPE tokenizer that splits numbers into digits, as those of the Qwen family do."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from finlmm_core.prompts import wording_corpus

    special = _INTERNVL_SPECIAL if kind == "internvl" else _QWEN_SPECIAL
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*(corpus or ()), *wording_corpus(), "system\nuser\nassistant\n"], trainer)
    bpe.add_tokens([AddedToken(token, normalized=False) for token in whole_tokens])
    plain = ("<|im_end|>", "<|endoftext|>")
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=_INTERNVL_NAMED if kind == "internvl" else [one for one in special if one not in plain],
        chat_template=template,
        padding_side="left",
        model_max_length=32768,
    )


def _qwen(
    kind: str, text: dict[str, Any], vision: dict[str, Any], tokenizer: Any, template: str, max_pixels: int, tied: bool
) -> tuple[Any, Any, Any]:
    import transformers  # made ready by tiny_model

    head = text["hidden_size"] // text["num_attention_heads"]
    # Time, height and width share the head's frequencies (multimodal rotary positions); the three sum to head / 2.
    side = 3 * head // 16
    rope: dict[str, Any] = {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [head // 2 - 2 * side, side, side],
    }
    patch = 16 if kind == "qwen3-vl" else 14
    width, depth = vision["vision_hidden"], vision["vision_layers"]
    seen: dict[str, Any] = {
        "initializer_range": vision["initializer_range"],
        "depth": depth,
        "num_heads": 4,
        "patch_size": patch,
    }
    tokens = {
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    }
    if kind == "qwen2-vl":
        seen |= {"embed_dim": width, "hidden_size": text["hidden_size"], "mlp_ratio": 2}
        family: Any = (transformers.Qwen2VLConfig, transformers.Qwen2VLForConditionalGeneration)
        processor_class: Any = transformers.Qwen2VLProcessor
    elif kind == "qwen2.5-vl":
        seen |= {"hidden_size": width, "out_hidden_size": text["hidden_size"], "intermediate_size": 2 * width}
        seen |= {"fullatt_block_indexes": [depth - 1], "window_size": 112}
        family = (transformers.Qwen2_5_VLConfig, transformers.Qwen2_5_VLForConditionalGeneration)
        processor_class = transformers.Qwen2_5_VLProcessor
    else:
        text = text | {"head_dim": head}
        rope["mrope_interleaved"] = True
        seen |= {"hidden_size": width, "out_hidden_size": text["hidden_size"], "intermediate_size": 2 * width}
        seen |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
        family = (transformers.Qwen3VLConfig, transformers.Qwen3VLForConditionalGeneration)
        processor_class = transformers.Qwen3VLProcessor
    config_class, model_class = family
    config = config_class(
        text_config=text | {"rope_parameters": rope}, vision_config=seen, tie_word_embeddings=tied, **tokens
    )
    smallest = (2 * patch) ** 2  # one token
    images = transformers.Qwen2VLImageProcessor(
        patch_size=patch,
        merge_size=2,
        size={"shortest_edge": smallest, "longest_edge": max(smallest, max_pixels)},
    )
    video_class = transformers.Qwen3VLVideoProcessor if kind == "qwen3-vl" else transformers.Qwen2VLVideoProcessor
    processor = processor_class(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=video_class(patch_size=patch),
        chat_template=template,
    )
    return config, model_class, processor


def _internvl(
    text: dict[str, Any], vision: dict[str, Any], tokenizer: Any, template: str, max_pixels: int, tied: bool
) -> tuple[Any, Any, Any]:
    import transformers

    patch, width = 14, vision["vision_hidden"]
    tile = {"height": _TILE, "width": _TILE}
    tokens_a_tile = (_TILE // patch // 2) ** 2
    config = transformers.InternVLConfig(
        text_config=text | {"model_type": "qwen2", "tie_word_embeddings": tied},
        vision_config={
            "initializer_range": vision["initializer_range"],
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": vision["vision_layers"],
            "num_attention_heads": 4,
            "image_size": [_TILE, _TILE],
            "patch_size": [patch, patch],
            "use_qk_norm": False,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=tokens_a_tile,
        downsample_ratio=0.5,
        tie_word_embeddings=tied,
    )
    images = transformers.GotOcr2ImageProcessor(
        size=tile, crop_to_patches=True, min_patches=1, max_patches=max(1, max_pixels // _TILE**2)
    )
    processor = transformers.InternVLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=transformers.InternVLVideoProcessor(size=tile),
        image_seq_length=tokens_a_tile,
        chat_template=template,
    )
    return config, transformers.InternVLForConditionalGeneration, processor
