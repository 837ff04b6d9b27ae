"""The rewards of a configuration's stages, for commands that look at rewards outside of training."""

from __future__ import annotations

from typing import cast

from finlmm_core.config import load_config
from finlmm_core.errors import ConfigError, FinlmmError
from finlmm_core.plugins.bases import Reward
from finlmm_core.plugins.manager import Plugins
from finlmm_core.presets import preset_path
from finlmm_core.train.config import StageConfig, TrainConfig


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
