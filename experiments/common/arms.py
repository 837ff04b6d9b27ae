"""What an experiment compares: arms, each a chain of training stages on a seed's backbone, known by its content.

An arm is a list of stages. Each stage is one ordinary ``[train]`` table with a single stage, carried out by
``run_training`` from the model that the chain had reached. Its folder's name is a hash of everything that decides the
result: world, sizes, seed, data, stage, and the folder that it started from. So arms that begin alike share what they
have in common, within an experiment and between experiments, and a killed experiment goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from common.backbone import Warmup
from common.world import TIERS, Tier, World
from finlmm_core.errors import FinlmmError
from finlmm_core.train.config import TrainConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Raised when the code of the world, the data or the warm-up changes what comes out of equal settings.
VERSION = 3


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Section):
    """What the training questions of a stage are like; the held-out ones are always the same."""

    tiers: tuple[Tier, ...] = Field(default=TIERS, description="of the distractors")
    misaligned: float = Field(default=0.0, ge=0, le=1, description="share whose right image is another of its report")


class StageUse(_Section):
    """One stage of an arm: a stage table of the base, with changes."""

    stage: str = Field(description="name of a table below [stage]")
    rewards: str = Field(default="", description="name of a list below [rewards]; that of the stage table if not given")
    steps: int | None = Field(default=None, ge=1, description="optimizer steps, in place of the table's")
    data: DataConfig = DataConfig()
    changes: dict[str, Any] = Field(default={}, description="put over the stage table, such as a curriculum")


class ArmConfig(_Section):
    """An arm of an experiment."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    label: str = Field(description="words of the tables")
    stages: tuple[StageUse, ...] = Field(
        default=(), description="in order; none is the backbone as the warm-up left it"
    )


class Comparison(_Section):
    """A difference between two arms that is printed by a name."""

    name: str
    first: str = Field(description="arm")
    second: str = Field(description="arm; the difference is this one minus the first")


class SizesConfig(_Section):
    """How much is learned from and asked."""

    train: int = Field(default=4000, description="training questions of each kind")
    held_out: int = Field(default=200, description="held-out questions of the experiment's own world")
    draws: int = Field(default=4, description="completions of each, drawn at temperature 1; beside the greedy one")
    synthetic: int = Field(default=60, description="held-out questions about synthetic reports")
    synthetic_reports: int = Field(default=12, description="reports that these are about")
    charts: int = Field(default=80, description="questions about real charts, at most")


class ExperimentConfig(_Section):
    """An experiment, from its own file over ``common/base.toml``."""

    name: str
    world: dict[str, Any] = {}
    warmup: dict[str, Any] = {}
    sizes: SizesConfig = SizesConfig()
    stage: dict[str, dict[str, Any]]
    rewards: dict[str, list[dict[str, Any]]]
    arms: tuple[ArmConfig, ...]
    compare: tuple[Comparison, ...] = ()

    def make_world(self) -> World:
        return World(**self.world)

    def make_warmup(self) -> Warmup:
        return Warmup(**self.warmup)

    def arm(self, name: str) -> ArmConfig:
        """Return an arm by its name.

        Raises:
            FinlmmError: there is none.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise FinlmmError(f"{self.name} has no arm '{name}'; it has {', '.join(one.name for one in self.arms)}.")


class Job(NamedTuple):
    """One folder of the cache: a backbone (``use`` is None), or what a stage makes of its parent."""

    key: str
    seed: int
    parent: str  # key; '' for a backbone
    use: StageUse | None
    what: str  # for people


def jobs_of(config: ExperimentConfig, arm: ArmConfig, seed: int) -> list[Job]:
    """Return the jobs of an arm in order; the last one's model is the arm's."""
    facts = {"version": VERSION, "world": _changed(config.make_world()), "train": config.sizes.train}
    facts |= {"held_out": config.sizes.held_out, "warmup": _changed(config.make_warmup()), "seed": seed}
    jobs = [Job(_key(facts), seed, "", None, f"seed {seed} warm-up")]
    for use in arm.stages:
        parent = jobs[-1].key
        table = stage_table(config, use)
        key = _key({"parent": parent, "table": table, "data": use.data.model_dump(mode="json")})
        jobs.append(Job(key, seed, parent, use, f"seed {seed} {use.stage} of {arm.name}"))
    return jobs


def stage_table(config: ExperimentConfig, use: StageUse) -> dict[str, Any]:
    """Return the table of one stage as it stands in ``[train]``."""
    if use.stage not in config.stage:
        raise FinlmmError(f"{config.name}: no table [stage.{use.stage}]; there are {', '.join(config.stage)}.")
    table = merged(config.stage[use.stage], use.changes)
    rewards = use.rewards or table["rewards"]
    if rewards not in config.rewards:
        raise FinlmmError(f"{config.name}: no rewards '{rewards}'; there are {', '.join(config.rewards)}.")
    table |= {"name": use.stage, "rewards": config.rewards[rewards]}
    if use.steps is not None:
        table["grpo"] = table["grpo"] | {"max_steps": use.steps}
    return table


def train_config(config: ExperimentConfig, use: StageUse, model: Path, samples: Path) -> TrainConfig:
    """Return the [train] table of a stage that starts from the model in a folder."""
    return TrainConfig.model_validate(
        {
            "model": {"name": "qwen-vl", "options": {"path": str(model)}},
            "samples": str(samples),
            "stages": [stage_table(config, use)],
        }
    )


def merged(below: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with another put over it, tables inside it too."""
    result = dict(below)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def read_config(path: Path, over: Sequence[Mapping[str, Any]] = ()) -> ExperimentConfig:
    """Return an experiment's settings: ``common/base.toml``, then its own file, then tables put over both."""
    table: dict[str, Any] = tomllib.loads((Path(__file__).parent / "base.toml").read_text(encoding="utf-8"))
    for more in (tomllib.loads(path.read_text(encoding="utf-8")), *over):
        table = merged(table, more)
    return ExperimentConfig.model_validate(table)


def _changed(settings: World | Warmup) -> dict[str, Any]:
    """Return the settings that are not the defaults: a setting that is added later changes no key."""
    return {name: value for name, value in settings._asdict().items() if value != settings._field_defaults[name]}


def _key(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
