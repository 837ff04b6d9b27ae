"""How many completions a second the rule rewards score on one core, all of them together.

    python benchmarks/rewards_speed.py

Prints a JSON object a line: rewards.per_second for the rule rewards of preset ``tar`` with ``overlong`` added, and the
microseconds of each. Completions are what a policy writes in the middle of training: worked thinking of 200 to 2,000
characters, right and wrong answers as letters, values and texts, some without a tag or cut off, over text and
contrastive samples in English and Chinese, in groups of eight, each completion another text. Tokens are given as in
training.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time

from finlmm_core.domain import RewardContext, Sample
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import WeightedPluginRef
from finlmm_core.rewards import RewardServices, RewardSet
from finlmm_core.rewards.honest import Case
from finlmm_core.rewards.pieces import piece_ids
from finlmm_core.rewards.probe import count_pieces
from finlmm_core.rewards.probe_samples import probe_samples

REWARDS = (
    WeightedPluginRef(name="format", weight=0.10),
    WeightedPluginRef(name="accuracy", weight=0.60),
    WeightedPluginRef(name="image_selection", weight=0.15),
    WeightedPluginRef(name="thinking_length", weight=0.05),
    WeightedPluginRef(name="repetition", weight=0.05),
    WeightedPluginRef(name="overlong", weight=0.05, options={"max_tokens": 2048}),
)
GROUP = 8


def completions(sample: Sample, draw: random.Random) -> list[str]:
    """Return a group of completions of a sample, all of them different."""
    written = []
    for _ in range(GROUP):
        case = Case.of(sample, draw.choice((200, 400, 500, 600, 800, 1200, 2000)))
        answer = draw.choice(
            (case.right, case.wrong, case.right_text, case.wrong_text, f"{case.wrong}. {case.wrong_text}")
        )
        thinking = f"{case.thinking} I checked this {draw.randrange(10**6):,} times."
        completion = case.write(answer, thinking=thinking, image=str(draw.randint(1, 4)))
        kind = draw.random()
        if kind < 0.05:
            completion = completion[: draw.randrange(len(completion))]
        elif kind < 0.10:
            completion = f"{thinking} The answer is {answer}."
        written.append(completion)
    return written


def make_batches(count: int, size: int) -> list[list[RewardContext]]:
    """Return so many batches of whole groups, with nothing in them twice."""
    draw = random.Random(0)
    samples = [*probe_samples(contrastive=False), *probe_samples(contrastive=True)]
    batches = []
    for number in range(count):
        batch = []
        for place in range(size // GROUP):
            # another question each time, as in training: no reward may live on what it remembers of a sample
            sample = draw.choice(samples)
            sample = sample.model_copy(
                update={"id": f"{number}-{place}", "question": f"{sample.question} ({number}.{place})"}
            )
            batch += [
                RewardContext(
                    sample=sample, completion=text, group_id=sample.id, token_ids=piece_ids(text), step=number
                )
                for text in completions(sample, draw)
            ]
        batches.append(batch)
    return batches


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=40, help="batches of 128 completions")
    arguments = parser.parse_args()
    plugins = Plugins.load()
    rewards = RewardSet.create(REWARDS, plugins)
    rewards.prepare(RewardServices(plugins=plugins, count_tokens=count_pieces))
    warm, *batches = make_batches(arguments.batches + 1, 128)
    rewards.score(warm)  # imports and compiled patterns
    rates = []
    seconds = dict.fromkeys(rewards.names, 0.0)
    for batch in batches:
        begun = time.process_time()
        scored = rewards.score(batch)
        rates.append(len(batch) / (time.process_time() - begun))
        for name, spent in scored.seconds.items():
            seconds[name] += spent
    count = sum(map(len, batches))
    characters = statistics.mean(len(context.completion) for batch in batches for context in batch)
    print(
        json.dumps(
            {
                "what": "rewards.per_second",
                "value": round(statistics.median(rates), 1),
                "unit": "completions/s of CPU, median of batches",
                "n": count,
                "note": f"{len(rewards.names)} rule rewards, {characters:.0f} characters on average",
            }
        )
    )
    for name, spent in seconds.items():
        value = round(spent / count * 1e6, 1)
        print(json.dumps({"what": f"rewards.microseconds.{name}", "value": value, "unit": "us wall", "n": count}))


if __name__ == "__main__":
    main()
