"""The table ``sft`` of a stage: options of TRL's SFTConfig by their own names, checked before weights are loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finlmm_core.errors import ConfigError
from finlmm_core.torchvision_shim import ensure_torchvision
from finlmm_core.train.grpo_options import CPU_DEFAULTS, DEFAULTS, REFUSED, check_sense, checked_options
from finlmm_core.train.parallel import process_count

if TYPE_CHECKING:
    from trl import SFTConfig

_WHOLE = "prompts are held to 'max_prompt_tokens', and a solution that is cut off would teach to stop in the middle"
_LOSS = "the loss is over the solution, never over the prompt"
_ROWS = "rows are made from samples; each keeps its place in the curriculum"
#: Beside what is refused for every method.
_REFUSED = {
    "max_length": _WHOLE,
    "truncation_mode": _WHOLE,
    "completion_only_loss": _LOSS,
    "assistant_only_loss": _LOSS,
    "packing": _ROWS,
    "packing_strategy": _ROWS,
    "eval_packing": _ROWS,
    "padding_free": _ROWS,
    "dataset_text_field": _ROWS,
    "dataset_kwargs": _ROWS,
    "dataset_num_proc": _ROWS,
    "chat_template_path": "the template is the model's own, the same for every stage and for evaluation",
    "eos_token": "it is the model's own",
    "pad_token": "it is the model's own",
}


class Length(NamedTuple):
    """How long a stage is."""

    steps: int  # optimizer steps
    samples_per_step: int  # over all processes


def sft_arguments(
    options: Mapping[str, Any], path: str = "sft", *, folder: Path | None = None, seed: int = 0
) -> SFTConfig:
    """Return the checked SFTConfig of a stage.

    Args:
        options: the stage's table ``sft``.
        path: what stands before an option's name in messages, such as ``train.stages[0].sft``.
        folder: where checkpoints go; a folder that is never made if not given.
        seed: of the run.

    Raises:
        ConfigError: unknown options with the near miss, options that finlmm sets itself with the reason, and values
            of a wrong type, all at once; else what SFTConfig itself refuses.
    """
    ensure_torchvision()
    import torch
    from trl import SFTConfig

    known = {field.name for field in fields(SFTConfig)}
    refused = {name: reason for name, reason in {**REFUSED, **_REFUSED}.items() if name in known}
    values = checked_options(options, path, SFTConfig, refused)
    given = {**DEFAULTS, **({} if torch.accelerator.is_available() else CPU_DEFAULTS), **values}
    check_sense(given, path)
    try:
        return SFTConfig(
            output_dir=str(folder or "checkpoints"),
            seed=seed,
            max_length=None,
            completion_only_loss=True,
            remove_unused_columns=False,
            logging_nan_inf_filter=False,
            train_sampling_strategy="sequential",  # samples come in the order of use
            dataset_kwargs={"skip_prepare_dataset": True},  # rows are made when a batch is drawn
            **given,
        )
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def length_of(arguments: SFTConfig, samples: int) -> Length:
    """Return how long a stage is: ``max_steps`` where it is set, else enough steps for the epochs.

    Args:
        arguments: of the stage.
        samples: how many there are.
    """
    size = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * process_count()
    if arguments.max_steps > 0:
        return Length(arguments.max_steps, size)
    return Length(max(1, math.ceil(samples * arguments.num_train_epochs / size)), size)
