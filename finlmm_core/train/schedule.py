"""Which sample is used when: epochs in new orders, from easy to hard, and distractors that come in over the steps.

Pure: the same samples, options and seed give the same sequence, so a run that is resumed at a position goes on with
exactly the samples that it would have seen.
"""

from __future__ import annotations

import ast
import math
import random
from collections.abc import Sequence
from typing import TypeVar

from finlmm_core.domain import Sample
from finlmm_core.steps.sampling.config import TIERS
from finlmm_core.train.config import CurriculumConfig, StageConfig

Value = TypeVar("Value")


def schedule(
    samples: Sequence[Sample],
    stage: StageConfig,
    steps: int,
    prompts_per_step: int,
    seed: int,
    steps_per_round: int = 1,
) -> list[Sample]:
    """Return the samples of a stage in the order of use, ``steps * prompts_per_step`` of them.

    Every epoch uses each sample once, in an order of its own. With ``order = 'difficulty'`` the whole run goes from
    easy to hard instead, samples of equal difficulty in a shuffled order. No sample stands twice in a step where that
    can be helped. Where the curriculum leaves distractors out, a sample keeps its id, and its right images and
    tiers follow the images that are left.

    Args:
        samples: what there is to learn from, at least one.
        stage: its curriculum and its name, which is part of the seed.
        steps: optimizer steps of the stage.
        prompts_per_step: samples that are used in each; where several steps learn from one drawing, in each drawing.
        seed: of the run.
        steps_per_round: optimizer steps that learn from one drawing; there are then ``ceil(steps / steps_per_round)``
            drawings.
    """
    if not samples:
        raise ValueError(f"the stage '{stage.name}' has no samples to schedule")
    drawings = math.ceil(steps / steps_per_round)
    uses = _uses(len(samples), drawings * prompts_per_step, f"{seed}:{stage.name}")
    if stage.curriculum.order == "difficulty":
        # Stable: what is equally difficult keeps the order of its epochs, so repeats of a sample stand far apart.
        grades = [difficulty(sample) for sample in samples]
        uses.sort(key=lambda use: grades[use])
    if len(samples) > prompts_per_step:
        _part_repeats(uses, prompts_per_step)
    times = [0] * len(samples)
    sequence = []
    for position, use in enumerate(uses):
        chance = random.Random(f"{seed}:{samples[use].id}:{times[use]}")
        times[use] += 1
        step = position // prompts_per_step * steps_per_round
        sequence.append(simplified(samples[use], stage.curriculum, step, chance))
    return sequence


def difficulty(sample: Sample) -> int:
    """Return how hard a sample is, from 0: operations of its program, plus how near its distractors are.

    A binary operation counts 1 and a call one less than its arguments (``mean(a, b, c)`` adds twice). Distractors
    count by tier, random 0 to nearest 3, on average and rounded: coarse, so that equals can be shuffled.
    """
    operations = _operations(sample.program) if sample.program else 0
    wrong = [TIERS.index(tier) for tier in sample.tiers if tier in TIERS]  # 'gold' is none of them
    return operations + round(sum(wrong) / len(wrong)) if wrong else operations


def _operations(program: str) -> int:
    try:
        tree = ast.parse(program, mode="eval")
    except SyntaxError:  # a dataset from elsewhere may hold any text; what is no program has no operations
        return 0
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return sum(isinstance(node, ast.BinOp | ast.Compare) for node in ast.walk(tree)) + sum(
        max(len(call.args) - 1, 1) for call in calls
    )


def simplified(sample: Sample, curriculum: CurriculumConfig, step: int, chance: random.Random) -> Sample:
    """Return the sample with the distractors that the curriculum allows at a step; the sample itself where all are.

    Args:
        sample: text samples are returned as they are.
        curriculum: tiers and numbers of distractors, each from a step on.
        step: optimizer steps done before.
        chance: draws which distractors stay where there are too many; a fixed choice, such as the first ones, would
            tell the right image by its place.
    """
    right = set(sample.gold_images)
    wrong = [place for place in range(len(sample.images)) if place not in right]
    tiers = _in_force(curriculum.tiers, step)
    if tiers is not None:
        wrong = [place for place in wrong if sample.tiers[place] in tiers]
    most = _in_force(curriculum.distractors, step)
    if most is not None and len(wrong) > most:
        wrong = chance.sample(wrong, most)
    kept = sorted(right | set(wrong))
    if len(kept) == len(sample.images):
        return sample
    return sample.model_copy(
        update={
            "images": tuple(sample.images[place] for place in kept),
            "tiers": tuple(sample.tiers[place] for place in kept) if sample.tiers else (),
            "gold_images": tuple(kept.index(place) for place in sample.gold_images),
        }
    )


def _in_force(entries: Sequence[tuple[int, Value]], step: int) -> Value | None:
    """Return the value of the last entry that begins at or before a step; None where none does."""
    value: Value | None = None
    for begins, entry in entries:
        if begins <= step:
            value = entry
    return value


def _uses(count: int, total: int, seed: str) -> list[int]:
    """Return ``total`` indices below ``count``, epoch by epoch, each epoch in an order of its own."""
    uses: list[int] = []
    epoch = 0
    while len(uses) < total:
        order = list(range(count))
        random.Random(f"{seed}:{epoch}").shuffle(order)
        uses += order
        epoch += 1
    return uses[:total]


def _part_repeats(uses: list[int], size: int) -> None:
    """Swap uses in place, so that no step (a run of ``size``) holds one twice where that can be helped.

    A repeat changes places with the nearest use of another step that leaves both steps without one; nearest, so that
    an order by difficulty stays.
    """

    def step_of(place: int) -> list[int]:
        begin = place - place % size
        return uses[begin : begin + size]

    for place in range(len(uses)):
        begin = place - place % size
        if uses[place] not in uses[begin:place]:
            continue
        here = set(step_of(place))
        for distance in range(1, len(uses)):
            others = [other for other in (place + distance, place - distance) if 0 <= other < len(uses)]
            fitting = [other for other in others if uses[other] not in here and uses[place] not in step_of(other)]
            if fitting:
                uses[place], uses[fitting[0]] = uses[fitting[0]], uses[place]
                break
