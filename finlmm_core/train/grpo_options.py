"""The table ``grpo`` of a stage: options of TRL's GRPOConfig by their own names, checked before weights are loaded."""

from __future__ import annotations

import difflib
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from finlmm_core.errors import ConfigError
from finlmm_core.torchvision_shim import ensure_torchvision

if TYPE_CHECKING:
    from trl import GRPOConfig

#: Options that finlmm sets itself, each with the reason; whoever sets one is told it.
REFUSED = {
    "output_dir": "a stage's folder is <out>/train/<stage>",
    "reward_weights": "weights stand beside the rewards, as 'weight' in 'rewards'",
    "shuffle_dataset": "the order is the curriculum's, see 'curriculum'",
    "train_sampling_strategy": "the order is the curriculum's, see 'curriculum'",
    "remove_unused_columns": "the rewards need the samples",
    "seed": "it is the run's: set 'seed' at the top of the configuration",
    "data_seed": "it is the run's: set 'seed' at the top of the configuration",
    "resume_from_checkpoint": "a stage resumes from its last whole checkpoint by itself",
    "ignore_data_skip": "a resumed run has to go on with the samples that it had not seen",
    "save_only_model": "a checkpoint without the optimizer cannot be resumed exactly",
    "save_on_each_node": "checkpoints are read by every node, so they belong to a folder that all of them see",
    "sync_ref_model": "a reference model that moves is not part of a checkpoint, so a resumed run would differ",
    "model_init_kwargs": "the model is loaded by its backend: set options of 'train.model'",
    "trust_remote_code": "code from model folders is never run",
    "eval_strategy": "held-out samples are answered before and after each stage: set 'train.evaluate'",
    "eval_steps": "held-out samples are answered before and after each stage: set 'train.evaluate'",
    "eval_on_start": "held-out samples are answered before and after each stage: set 'train.evaluate'",
    "load_best_model_at_end": "held-out samples are answered before and after each stage: set 'train.evaluate'",
    "do_train": "finlmm train trains",
    "do_eval": "held-out samples are answered before and after each stage: set 'train.evaluate'",
    "do_predict": "held-out samples are answered before and after each stage: set 'train.evaluate'",
    "local_rank": "start several processes with: accelerate launch -m finlmm_core.cli train CONFIG",
    "logging_nan_inf_filter": "a loss that is no number ends the run, it is not hidden",
    "include_for_metrics": "there is no evaluation inside of a stage",
}
#: Where finlmm's defaults are not TRL's.
DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 1.0,  # the curriculum counts epochs too
    "logging_steps": 1,  # a step takes seconds: nobody wants to wait for ten of them
    "save_steps": 100,
    "report_to": "none",
    "disable_tqdm": True,  # finlmm shows its own progress
    "activation_checkpointing": True,  # TRL's default, by the name that transformers has for it now
}
#: On machines without an accelerator; TRL's defaults are for GPUs.
CPU_DEFAULTS: dict[str, Any] = {"use_cpu": True, "bf16": False, "activation_checkpointing": False}
#: Names that transformers has renamed; TRL's documentation has the old ones.
_RENAMED = {
    "activation_checkpointing": "gradient_checkpointing",
    "activation_checkpointing_kwargs": "gradient_checkpointing_kwargs",
}


class Rounds(NamedTuple):
    """A generation round: prompts are drawn, answered once, and learned from in one or several optimizer steps."""

    prompts: int
    steps: int  # optimizer steps

    def prompts_for(self, steps: int) -> int:
        """Return how many prompts so many optimizer steps use."""
        return math.ceil(steps / self.steps) * self.prompts

    def steps_for(self, prompts: int) -> int:
        """Return how many optimizer steps so many prompts are enough for."""
        return prompts // self.prompts * self.steps


def grpo_arguments(
    options: Mapping[str, Any],
    path: str = "grpo",
    *,
    folder: Path | None = None,
    seed: int = 0,
    set_by_finlmm: Mapping[str, Any] | None = None,
) -> GRPOConfig:
    """Return the checked GRPOConfig of a stage.

    Args:
        options: the stage's table ``grpo``.
        path: what stands before an option's name in messages, such as ``train.stages[1].grpo``.
        folder: where checkpoints go; a folder that is never made if not given.
        seed: of the run.
        set_by_finlmm: options that are set whatever the table says, such as ``max_steps``.

    Raises:
        ConfigError: unknown options with the near miss, options that finlmm sets itself with the reason, and values
            of a wrong type, all at once; else what GRPOConfig itself refuses.
    """
    ensure_torchvision()
    import torch
    from trl import GRPOConfig

    values = checked_options(options, path, GRPOConfig, REFUSED)
    given = {**DEFAULTS, **({} if torch.accelerator.is_available() else CPU_DEFAULTS), **values}
    check_sense(given, path)
    try:
        return GRPOConfig(
            output_dir=str(folder or "checkpoints"),
            seed=seed,
            shuffle_dataset=False,  # prompts come in the order of use
            remove_unused_columns=False,
            logging_nan_inf_filter=False,
            **{**given, **(set_by_finlmm or {})},
        )
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def rounds_of(arguments: GRPOConfig) -> Rounds:
    """Return what a generation round is with these arguments, over all processes."""
    micro_steps = arguments.steps_per_generation * arguments.num_iterations
    # A round ends inside of an optimizer step where more is accumulated than a round holds: the next place where both
    # end together is what can be saved and resumed.
    together = math.lcm(micro_steps, arguments.gradient_accumulation_steps)
    prompts = arguments.generation_batch_size // arguments.num_generations
    return Rounds(prompts * (together // micro_steps), together // arguments.gradient_accumulation_steps)


def aligned_save_steps(arguments: GRPOConfig) -> int:
    """Return ``save_steps`` rounded up to the end of a generation round: within one nothing can resume exactly."""
    size = rounds_of(arguments).steps
    return math.ceil(arguments.save_steps / size) * size


def checked_options(options: Mapping[str, Any], path: str, kind: Any, refused: Mapping[str, str]) -> dict[str, Any]:
    """Return options of a class of TRL's arguments, each of its type.

    Args:
        options: as the configuration has them.
        path: what stands before an option's name in messages.
        kind: GRPOConfig or SFTConfig.
        refused: options that finlmm sets itself, each with the reason.

    Raises:
        ConfigError: unknown options with the near miss, refused ones and values of a wrong type, all at once.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.init]
    problems = []
    values = {}
    for name, value in options.items():
        if name in refused:
            problems.append(f"{path}.{name}: is not yours to set: {refused[name]}.")
        elif name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            problems.append(
                f"{path}.{name}: unknown option '{name}'.{meant} It has the options of TRL's {kind.__name__}."
            )
        else:
            checker = TypeAdapter(hints[name], config=ConfigDict(arbitrary_types_allowed=True, strict=True))
            try:
                values[name] = checker.validate_python(value)
            except ValidationError:
                wanted = getattr(hints[name], "__name__", None) or str(hints[name])
                shown = str(hints[name]) if "|" in str(hints[name]) else wanted
                problems.append(f"{path}.{name}: expected {shown} (given: {value!r})")
    if problems:
        raise ConfigError(problems)
    for now, before in _RENAMED.items():
        if before in values:
            values.setdefault(now, values.pop(before))
    return values


def check_sense(values: Mapping[str, Any], path: str) -> None:
    """Refuse what TRL takes and what could not be resumed."""
    problems = []
    if values.get("save_strategy", "steps") not in ("steps", "no"):
        problems.append(f"{path}.save_strategy: expected 'steps' or 'no' (given: {values['save_strategy']!r})")
    for name in ("save_steps", "logging_steps"):
        value = values.get(name)
        if value is not None and (value < 1 or value != int(value)):
            problems.append(f"{path}.{name}: expected a whole number of steps from 1 on (given: {value!r})")
    if values.get("save_total_limit", 1) is not None and values.get("save_total_limit", 1) < 1:
        problems.append(f"{path}.save_total_limit: expected at least 1 (given: {values['save_total_limit']!r})")
    if values.get("use_cpu") and values.get("bf16"):
        problems.append(f"{path}.bf16: is for GPUs; with 'use_cpu' leave it out")
    problems += [f"{path}.report_to: {problem}" for problem in _unreported(values.get("report_to"))]
    if values.get("use_vllm") and importlib.util.find_spec("vllm") is None:
        problems.append(f"{path}.use_vllm: vllm is not installed. Install it with: pip install 'trl[vllm]'")
    if problems:
        raise ConfigError(problems)


def _unreported(report_to: str | list[str] | None) -> list[str]:
    """Return what is wrong with where metrics are reported to; else it is told when the weights are loaded already."""
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    problems = []
    for name in [report_to] if isinstance(report_to, str) else report_to or []:
        if name in ("none", "all") or name in get_available_reporting_integrations():
            continue
        if name in INTEGRATION_TO_CALLBACK:
            problems.append(f"'{name}' is not installed. Install it with: pip install {name.replace('_', '-')}")
        else:
            near = difflib.get_close_matches(name, INTEGRATION_TO_CALLBACK, n=1, cutoff=0.5)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            problems.append(f"nothing is named '{name}'.{meant} Known: {', '.join(sorted(INTEGRATION_TO_CALLBACK))}")
    return problems
