"""The rewards of a configuration's stages, for commands that look at rewards outside of training."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from finlmm_core.config import load_config
from finlmm_core.errors import ConfigError, FinlmmError
from finlmm_core.plugins.bases import Reward
from finlmm_core.plugins.manager import Plugins
from finlmm_core.presets import preset_path
from finlmm_core.train.config import StageConfig, TrainConfig
from finlmm_core.train.stages_files import CONFIG_FILE


def train_config(preset: str) -> TrainConfig:
    """Return the [train] table of a preset or of a configuration file.

    Raises:
        FinlmmError: there is no such preset, or it has no [train] table.
        ConfigError: it has mistakes.
    """
    path = preset_path(preset)
    train = load_config([path]).train
    if train is None:
        raise FinlmmError(f"{path} has no [train] table.", hint="Give a configuration with training stages.")
    return train


def reward_stages(train: TrainConfig, only: str | None = None) -> list[StageConfig]:
    """Return the stages that have rewards, or the named one.

    Raises:
        FinlmmError: there is no such stage with rewards.
    """
    stages = [stage for stage in train.stages if stage.method == "grpo"]
    chosen = [stage for stage in stages if only in (None, stage.name)]
    if not chosen:
        raise FinlmmError(
            f"--stage {only}: no such stage with rewards.",
            hint=f"Its stages with rewards are: {', '.join(stage.name for stage in stages) or 'none'}.",
        )
    return chosen


def stage_rewards(stage: StageConfig, plugins: Plugins, path: str) -> tuple[list[Reward], list[float]]:
    """Return a stage's rewards, not yet prepared, and their weights.

    Raises:
        ConfigError: unknown names and bad options, all at once.
        FinlmmError: a reward cannot work here.
    """
    problems = [
        problem
        for number, ref in enumerate(stage.rewards)
        for problem in plugins.problems("reward", ref, f"{path}.{stage.name}.rewards[{number}]")
    ]
    if problems:
        raise ConfigError(problems)
    rewards = [cast(Reward, plugins.create("reward", ref)) for ref in stage.rewards]
    for reward in rewards:
        if not reward.learns:
            reward.check()
    return rewards, [ref.weight for ref in stage.rewards]


def kept_stages(run: Path, only: str | None = None) -> list[tuple[str, Path]]:
    """Return (stage, folder of its rollouts) of a trained run, in the order of training.

    Raises:
        FinlmmError: the run has no rollouts, or none of the named stage.
    """
    found = {path.parents[1].name: path.parent for path in sorted(run.glob("train/*/rollouts/part-*.parquet"))}
    if not found:
        raise FinlmmError(
            f"'{run}' has no rollouts: there is no train/<stage>/rollouts with parts in it.",
            hint="Give the folder of a run that `finlmm train` has trained with GRPO.",
        )
    if only is not None and only not in found:
        raise FinlmmError(
            f"--stage {only}: the run has no rollouts of this stage.", hint=f"It has: {', '.join(found)}."
        )
    order = [stage.name for stage in _trained_with(run).stages]
    listed = sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))
    return [(name, found[name]) for name in listed if only in (None, name)]


def samples_folder(run: Path) -> Path:
    """Return the folder of samples that a run was trained on."""
    return _trained_with(run).samples or run / "samples"


def matching_stage(train: TrainConfig, name: str) -> StageConfig:
    """Return the stage whose rewards score the completions of a stage of this name again.

    Raises:
        FinlmmError: it has none of this name.
    """
    stages = reward_stages(train)
    for stage in stages:
        if stage.name == name:
            return stage
    raise FinlmmError(
        f"the preset has no stage '{name}' with rewards.",
        hint=f"It has {', '.join(stage.name for stage in stages)}; choose the run's stage with --stage, or name the "
        "preset's alike.",
    )


def _trained_with(run: Path) -> TrainConfig:
    """Return the [train] table that a run was trained with."""
    path = run / "train" / CONFIG_FILE
    train = load_config([path]).train
    if train is None:
        raise FinlmmError(
            f"{path} has no [train] table: the run was not trained.", hint="Train it: finlmm train CONFIG"
        )
    return train
