"""``metrics.jsonl`` of a stage as it is read: one line a log.

::

    {"step": 12, "loss": 0.02, "reward": 0.61, "rewards/accuracy/mean": 0.5, "adversarial/auc": 0.71}
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

METRICS_FILE = "metrics.jsonl"
TOTAL = "reward"
_REWARD_PREFIX, _REWARD_SUFFIX = "rewards/", "/mean"


class Series(NamedTuple):
    """One metric over the steps that logged it."""

    steps: list[int]
    values: list[float]


def read_metrics(stage_folder: Path) -> dict[str, Series]:
    """Return what a stage logged, by metric name in order of first appearance; {} where it logged nothing.

    A step that stands there twice was done again after a resume: its last line counts. A torn last line, which a killed
    run leaves, is left out, and so are values that are no finite numbers.
    """
    try:
        lines = (stage_folder / METRICS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    by_step: dict[int, dict[str, float]] = {}
    names: dict[str, None] = {}
    for line in lines:
        try:
            logged = json.loads(line)
        except json.JSONDecodeError:
            continue
        if not isinstance(logged, dict) or not isinstance(logged.get("step"), int):
            continue
        numbers = {
            name: float(value)
            for name, value in logged.items()
            if name != "step" and isinstance(value, int | float) and math.isfinite(value)
        }
        if "train_runtime" not in numbers:  # the trainer's last log: the run's time, not the step's metrics
            by_step[logged["step"]] = numbers
            names.update(dict.fromkeys(numbers))
    steps = sorted(by_step)
    return {
        name: Series([s for s in steps if name in by_step[s]], [by_step[s][name] for s in steps if name in by_step[s]])
        for name in names
    }


def reward_name(metric: str) -> str | None:
    """Return the reward whose mean a metric is ('rewards/accuracy/mean' -> 'accuracy'); None for other metrics."""
    if metric.startswith(_REWARD_PREFIX) and metric.endswith(_REWARD_SUFFIX):
        name = metric[len(_REWARD_PREFIX) : -len(_REWARD_SUFFIX)]
        return name if name != "total" else None
    return None


def ends(series: Series, share: float = 0.1) -> tuple[float, float]:
    """Return the means of the first and of the last tenth of a series, of one value at least."""
    count = max(1, round(len(series.values) * share))
    first, last = series.values[:count], series.values[-count:]
    return sum(first) / len(first), sum(last) / len(last)


def smoothed(values: Sequence[float], share: float = 0.1) -> list[float]:
    """Return the running mean over a window of a share of the series, centred, shorter at the ends."""
    half = max(1, round(len(values) * share)) // 2
    found = []
    for place in range(len(values)):
        window = values[max(0, place - half) : place + half + 1]
        found.append(sum(window) / len(window))
    return found
