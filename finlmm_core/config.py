"""What a run is made from: one closed model, filled from TOML files and ``--set`` in that order.

All mistakes are collected and reported at once, with the path that the user wrote and a near miss, before any work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finlmm_core.audit.config import AuditConfig
from finlmm_core.errors import ConfigError
from finlmm_core.evaluation.config import EvalConfig
from finlmm_core.plugins.manager import Plugins, describe_validation
from finlmm_core.plugins.refs import PluginRef, WeightedPluginRef
from finlmm_core.steps.align import AlignConfig
from finlmm_core.steps.report import ReportConfig
from finlmm_core.steps.samples import SamplesConfig
from finlmm_core.train.config import TrainConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["AlignConfig", "PluginRef", "RunConfig", "WeightedPluginRef", "load_config"]


class Section(BaseModel):
    """A closed, immutable part of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RayConfig(Section):
    """How the engine `ray` uses a cluster."""

    address: str | None = Field(
        default=None,
        description="`host:port` of a running cluster that this machine is a node of, or `auto` to look for it here; "
        "if not given the variable RAY_ADDRESS is read, and without that a cluster of this machine alone is started",
    )
    min_workers: int = Field(
        default=1, ge=1, description="workers that are kept on; between these and `engine.workers` it goes by the load"
    )
    cpus_per_worker: float = Field(default=1.0, gt=0, description="CPUs that Ray sets apart for a worker")
    memory_mb_per_worker: int | None = Field(
        default=None, ge=1, description="memory that Ray sets apart for a worker; none if not given"
    )
    tasks_in_flight: int = Field(
        default=2, ge=1, description="documents that a worker is handed at a time, the one that it is at included"
    )
    retries: int = Field(
        default=3,
        ge=0,
        description="times that a document whose worker or machine was lost is done again before it is set aside",
    )
    connect_seconds: float = Field(default=60.0, gt=0, description="how long the cluster may take to answer")
    wait_seconds: float = Field(
        default=900.0,
        gt=0,
        description="the run ends when for so long beyond `document_seconds` no worker has finished anything, as on a "
        "cluster that has no CPU left",
    )


class EngineConfig(Section):
    """How documents are mapped over processes, and what one document may cost."""

    name: Literal["processes", "serial", "ray"] = Field(
        default="processes", description="'serial' works in this process, 'ray' over a cluster"
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="processes; as many as this machine has cores if not given. Has to be given for a cluster: "
        "budgets and rates of endpoints are shared out among so many",
    )
    document_seconds: float = Field(
        default=600.0, gt=0, description="a document that takes longer is set aside; serial cannot stop C code"
    )
    document_memory_mb: int = Field(
        default=4096, ge=256, description="a document whose process grows beyond this is set aside"
    )
    ray: RayConfig = RayConfig()

    def resolved_workers(self) -> int:
        """Return how many processes are used."""
        return 1 if self.name == "serial" else self.workers or os.cpu_count() or 1


class ParseConfig(Section):
    """PDF to Document."""

    parser: PluginRef = Field(default=PluginRef(name="pdfium"), description="the parser plugin")
    ocr: Literal["none"] | PluginRef = Field(
        default=PluginRef(name="rapidocr"),
        union_mode="left_to_right",
        description="the OCR engine; 'none' leaves raster figures and scanned pages without text",
    )


class GenerateConfig(Section):
    """Document to questions."""

    generators: tuple[PluginRef, ...] = Field(
        default=(PluginRef(name="tables"), PluginRef(name="passages"), PluginRef(name="statements")),
        min_length=1,
        description="the generator plugins; their questions are put together in this order",
    )


class RunConfig(Section):
    """Everything that decides a run's results, and where they go."""

    reports: Path | None = Field(
        default=None,
        description="folder of PDF reports (searched deeply), or one PDF; a URL such as s3://bucket/reports",
    )
    out: Path | None = Field(default=None, description="the run's folder; for the steps of a build also a URL")
    working_copy: Path | None = Field(
        default=None,
        description="folder of this machine in which a run at a URL is worked on; one below ~/.cache/finlmm/runs if "
        "not given",
    )
    seed: int = Field(default=0, ge=0, description="of sampling, splits and shuffles")
    engine: EngineConfig = EngineConfig()
    parse: ParseConfig = ParseConfig()
    generate: GenerateConfig = GenerateConfig()
    align: AlignConfig = AlignConfig()
    samples: SamplesConfig = SamplesConfig()
    report: ReportConfig = ReportConfig()
    audit: AuditConfig = Field(default=AuditConfig(), description="what `finlmm build` and `finlmm audit` measure")
    train: TrainConfig | None = Field(default=None, description="what `finlmm train` does with the samples")
    eval: EvalConfig | None = Field(default=None, description="what `finlmm eval` asks a model")


def load_config(
    files: Sequence[Path] = (),
    settings: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    plugins: Plugins | None = None,
    also: Callable[[Mapping[str, Any]], list[str]] | None = None,
) -> RunConfig:
    """Return the configuration made of defaults, files in order, ``--set`` in order, and the command line's own flags.

    Tables are merged key by key; lists and plain values are replaced whole.

    Args:
        files: TOML files; a later one wins.
        settings: ``"a.b=c"`` as given to ``--set``; the value is read as TOML, else as a string.
        overrides: values that the command line's own options give, nested; None values are left out.
        plugins: where plugin names and options are checked; not checked if None.
        also: what a command has to check besides: plain tables -> what is wrong with them, one line each.

    Raises:
        ConfigError: all mistakes at once.
    """
    problems: list[str] = []
    layers: list[tuple[str, dict[str, Any]]] = [("default", RunConfig().model_dump(mode="json", exclude_none=True))]
    for file in files:
        layer = _read_toml(file, problems)
        if layer is not None:
            layers.append((str(file), layer))
    merged: dict[str, Any] = {}
    for _, layer in layers:
        merged = _merged(merged, layer)
    for setting in settings:
        _apply_setting(merged, setting, problems)
    merged = _merged(merged, _without_none(overrides or {}))
    config: RunConfig | None = None
    try:
        config = RunConfig.model_validate(merged)
    except ValidationError as error:
        problems.extend(describe_validation(error, RunConfig, ""))
    if plugins is not None:
        problems.extend(plugin_problems(merged, plugins))
    if also is not None:
        problems.extend(also(merged))
    if problems or config is None:
        raise ConfigError(problems)
    return config


def plugin_problems(config: Mapping[str, Any], plugins: Plugins) -> list[str]:
    """Return what is wrong with the plugins that a configuration names, one line each.

    It looks at the plain tables, so that plugins are checked also where something else in them is wrong.
    """
    problems = []
    for kind, path, value in _named_plugins(config):
        try:
            ref = PluginRef.model_validate({k: v for k, v in value.items() if k != "weight"})
        except ValidationError:  # the model of the whole configuration tells of it
            continue
        problems += plugins.problems(kind, ref, path)
    return problems


def _named_plugins(config: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (kind, path, table) of every plugin named in plain tables; what has another shape is left out."""
    single = (("parser", "parse", "parser"), ("ocr", "parse", "ocr"))
    several = (("generator", "generate", "generators"), ("aligner", "align", "aligners"))
    for kind, section, key in (*single, *several):
        table = config.get(section)
        value = table.get(key) if isinstance(table, Mapping) else None
        listed = (kind, section, key) in several
        for number, item in enumerate(value if listed and isinstance(value, list | tuple) else [value]):
            path = f"{section}.{key}[{number}]" if listed else f"{section}.{key}"
            yield from _named(kind, path, item)
    train = config.get("train")
    if isinstance(train, Mapping):
        yield from _named("model", "train.model", train.get("model"))
        stages = train.get("stages")
        for number, stage in enumerate(stages if isinstance(stages, list | tuple) else []):
            rewards = stage.get("rewards") if isinstance(stage, Mapping) else None
            for place, item in enumerate(rewards if isinstance(rewards, list | tuple) else []):
                yield from _named("reward", f"train.stages[{number}].rewards[{place}]", item)
    evaluation = config.get("eval")
    if isinstance(evaluation, Mapping):
        for key in ("model", "judge"):
            yield from _named("model", f"eval.{key}", evaluation.get(key))
        benchmarks = evaluation.get("benchmarks")
        for number, item in enumerate(benchmarks if isinstance(benchmarks, list | tuple) else []):
            yield from _named("benchmark", f"eval.benchmarks[{number}]", item)


def _named(kind: str, path: str, item: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if isinstance(item, str) and not (kind == "ocr" and item == "none"):
        yield kind, path, {"name": item}
    elif isinstance(item, Mapping):
        yield kind, path, dict(item)


def _read_toml(file: Path, problems: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"-c {file}: no such file")
    except IsADirectoryError:
        problems.append(f"-c {file}: is a folder, expected a TOML file")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"-c {file}: not valid TOML: {error}")
    except OSError as error:
        problems.append(f"-c {file}: {error.strerror}")
    return None


def _merged(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with the layer laid over it, table by table."""
    result = dict(base)
    for key, value in layer.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            # Another plugin takes none of the options of the one that it replaces.
            swapped = "name" in value and value["name"] != below.get("name") and "options" in below
            result[key] = dict(value) if swapped else _merged(below, value)
        else:
            result[key] = value
    return result


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            nested = _without_none(value)
            if nested:
                result[key] = nested
        elif value is not None:
            result[key] = value
    return result


def _apply_setting(config: dict[str, Any], setting: str, problems: list[str]) -> None:
    path, separator, text = setting.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        problems.append(f"--set {setting}: expected a.b=value")
        return
    value = _toml_value(text.strip())
    target: Any = config
    for depth, key in enumerate(keys[:-1]):
        here = ".".join(keys[: depth + 1])
        if isinstance(target, list):
            if not key.isdigit() or int(key) >= len(target):
                problems.append(f"--set {setting}: {here}: expected an index below {len(target)}")
                return
            if isinstance(target[int(key)], str):  # a plugin given by its bare name
                target[int(key)] = {"name": target[int(key)]}
            target = target[int(key)]
        else:
            if isinstance(target.get(key), str) and keys[depth + 1] == "options":
                target[key] = {"name": target[key]}
            target = target.setdefault(key, {})
        if not isinstance(target, dict | list):
            problems.append(f"--set {setting}: {here} is a value, not a table")
            return
    last = keys[-1]
    if isinstance(target, list):
        if not last.isdigit() or int(last) >= len(target):
            problems.append(f"--set {setting}: expected an index below {len(target)}")
            return
        target[int(last)] = value
    elif isinstance(target.get(last), dict) and isinstance(value, str) and "name" in target[last]:
        target[last] = value if value == "none" else {"name": value}
    else:
        target[last] = value


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
