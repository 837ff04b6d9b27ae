"""What a scored batch says beside the rewards' means: their parts, their time, format, and images above chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

from finlmm_core.answers.selection import blind_chance, picked_right
from finlmm_core.answers.tags import read_tags
from finlmm_core.domain import RewardContext
from finlmm_core.prompts import in_format, selects_image
from finlmm_core.rewards.reward_set import Scored


def batch_metrics(contexts: Sequence[RewardContext], scored: Scored) -> dict[str, float]:
    """Return the metrics of a batch.

    ``rewards/<name>/<part>`` are means over the completions that have the part, ``rewards/<name>/judged`` the share
    that the reward could judge, ``rewards/<name>/seconds`` its time. ``format_rate`` is the share of completions with
    exactly the tags that their prompt asks for, ``truncated_rate`` the share that the length limit cut.
    ``image_selection/right`` is the share that picked exactly the right images, of samples with images to pick among,
    and ``image_selection/over_chance`` that minus what blind picking gives.
    """
    metrics: dict[str, float] = {}
    for name, scores in scored.scores.items():
        parts: dict[str, list[float]] = {}
        for score in scores:
            for part, value in score.parts.items():
                parts.setdefault(part, []).append(value)
        for part, values in parts.items():
            metrics[f"rewards/{name}/{part}"] = math.fsum(values) / len(values)
        metrics[f"rewards/{name}/judged"] = sum(score.value is not None for score in scores) / len(scores)
        metrics[f"rewards/{name}/seconds"] = scored.seconds[name]
    if not contexts:
        return metrics
    tags = [read_tags(context.completion) for context in contexts]
    formed = [in_format(context.sample, of_one) for context, of_one in zip(contexts, tags, strict=True)]
    metrics["format_rate"] = sum(formed) / len(contexts)
    metrics["truncated_rate"] = sum(context.truncated for context in contexts) / len(contexts)
    picking = [
        (context.sample, of_one.image_selection)
        for context, of_one in zip(contexts, tags, strict=True)
        if selects_image(context.sample) and len(context.sample.images) > 1
    ]
    if picking:
        right = sum(picked_right(sample, text) for sample, text in picking) / len(picking)
        chance = math.fsum(blind_chance(sample) for sample, _ in picking) / len(picking)
        metrics["image_selection/right"] = right
        metrics["image_selection/over_chance"] = right - chance
    return metrics
