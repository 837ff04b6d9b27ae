"""Rollouts as a policy under training writes them, made on the spot: right ones, and ones with one mistake."""

from __future__ import annotations

import random

from finlmm_core.domain import Answer, Evidence, QuestionType, RewardContext, Sample, Score

_NAMES = ("Revenue", "Cost", "Tax", "Cash", "Debt", "Income", "Sales", "Capex")


def rollout_sample(number: int) -> Sample:
    """The question of one number: a mean of two values; equal numbers give equal samples."""
    chance = random.Random(number)
    name = chance.choice(_NAMES)
    first, second = chance.randint(101, 899), chance.randint(101, 899)
    mean = (first + second) / 2
    options = tuple(f"{mean + step:,.1f}" for step in (0, 7, -12, 31))
    return Sample(
        id=f"sample-{number}",
        type=QuestionType.ARITHMETIC_REASONING,
        language="en",
        question=f"What was the average {name} of 2020 and 2021?",
        options=options,
        answer=Answer(text=options[0], option=0, value=mean, unit="amount", decimals=1),
        evidence=(
            Evidence(name="a", text=str(first), value=float(first), labels=(name, "2020"), page=1),
            Evidence(name="b", text=str(second), value=float(second), labels=(name, "2021"), page=1),
        ),
        program="mean(a, b)",
        qa_id=f"qa-{number}",
        document_id="document",
        split="train",
    )


def completion(sample: Sample, right: bool, chance: random.Random, *, answer: str | None = None) -> str:
    """A completion whose sum is right or not, and whose answer follows from its sum unless another is given."""
    first, second = (int(item.value or 0) for item in sample.evidence)
    total = first + second + (0 if right else chance.choice([-90, -10, 10, 20, 100]))
    concluded = answer or f"{total / 2:,.1f}"
    lead = chance.choice(["", "Let us see. ", "First the values. ", "I read the table. "])
    name = sample.evidence[0].labels[0]
    return (
        f"<think>{lead}{name} was {first} in 2020 and {second} in 2021. {first} + {second} = {total}. "
        f"Half of {total} gives {concluded}. So the answer is {concluded}.</think><answer>{concluded}</answer>"
    )


def rollouts(step: int, prompts: int = 8, group: int = 4) -> tuple[list[RewardContext], dict[str, list[Score]]]:
    """The batch of one step: groups of completions, about half of them right, and their accuracy."""
    chance = random.Random(f"step {step}")
    contexts, accuracy = [], []
    for number in range(prompts):
        sample = rollout_sample(step * prompts + number)
        for _ in range(group):
            right = chance.random() < 0.5
            contexts.append(
                RewardContext(
                    sample=sample, completion=completion(sample, right, chance), group_id=f"{step}/{number}", step=step
                )
            )
            accuracy.append(Score(value=float(right)))
    return contexts, {"accuracy": accuracy}
