"""Small GRPO runs for tests: samples with drawn images, rewards that need nothing, and a stage on a tiny model.

As a program it trains one stage in its own process (or in several, under ``accelerate launch``)::

    python tests/grpo_runs.py OUT --model FOLDER --kind qwen2.5-vl --steps 4 [--die-at 3]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from finlmm_core import ModelBackend, Reward, RewardContext, Sample, Score, hookimpl
from finlmm_core.domain import Answer, QuestionType
from finlmm_core.plugins.bases import PluginOptions
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef, WeightedPluginRef
from finlmm_core.rewards import RewardServices, RewardSet
from finlmm_core.store.images import ImageStore
from finlmm_core.train.config import StageConfig
from finlmm_core.train.events import Silent, TrainEvents
from finlmm_core.train.grpo import train_grpo
from finlmm_core.train.stage_run import StageResult

#: The backend of each kind of tiny model.
BACKENDS = {
    "qwen2-vl": "qwen-vl",
    "qwen2.5-vl": "qwen-vl",
    "qwen3-vl": "qwen-vl",
    "internvl": "internvl",
    "causal-lm": "causal-lm",
}
#: Options that make a step take a tenth of a second; a round is one step of two prompts with two completions each.
QUICK: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "num_generations": 2,
    "max_completion_length": 8,
    "learning_rate": 1e-2,
    "temperature": 1.0,
}


class Letters(Reward):
    """The share of a completion's characters that are letters, by kind of letter."""

    name = "letters"

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        return [_share(context.completion, str.isalpha) for context in batch]


class Pictures(Reward):
    """Judges completions of samples with images alone."""

    name = "pictures"

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        return [
            Score(value=len(context.completion) % 7 / 7) if context.sample.images else Score(value=None)
            for context in batch
        ]


class Taste(Reward):
    """Learns how long completions are, with weights, a generator and a count of its own."""

    name = "taste"
    learns = True

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self.seen = 0

    def prepare(self, services: RewardServices) -> None:
        import torch

        self.draw = torch.Generator().manual_seed(services.seed)
        self.weights = torch.rand(3, generator=self.draw)
        services.broadcast([self.weights])

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        return [Score(value=float((self.weights * self._read(context)).sum().sigmoid())) for context in batch]

    def observe(self, batch: Sequence[RewardContext], scores: Mapping[str, Sequence[Score]]) -> Mapping[str, float]:
        import torch

        for context, score in zip(batch, scores["letters"], strict=True):
            self.weights += 0.1 * ((score.value or 0.0) - 0.5) * self._read(context)
        self.weights += 0.01 * torch.rand(3, generator=self.draw)
        self.seen += len(batch)
        return {"seen": self.seen}

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "draw": self.draw.get_state(), "seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.weights.copy_(state["weights"])
        self.draw.set_state(state["draw"])
        self.seen = state["seen"]

    def _read(self, context: RewardContext) -> Any:
        import torch

        return torch.tensor([len(context.completion) / 20, len(context.token_ids) / 8, 1.0])


class FailsAt(Reward):
    """Raises at a step."""

    class Options(PluginOptions):
        step: int = 0

    name = "fails-at"

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        if batch[0].step >= self.options.step:  # type: ignore[attr-defined]
            raise ValueError("the judge hung up")
        return [Score(value=0.5) for _ in batch]


@hookimpl
def finlmm_rewards() -> list[type[Reward]]:
    return [Letters, Pictures, Taste, FailsAt]


def _share(text: str, kind: Any) -> Score:
    share = sum(kind(letter) for letter in text) / len(text) if text else 0.0
    return Score(value=share, parts={"length": float(len(text))})


def plugins() -> Plugins:
    """Everything that is installed, and the rewards above."""
    found = Plugins.load()
    found.register(sys.modules[__name__], "tests 0:grpo_runs")
    return found


def samples(store: ImageStore, count: int, images: Sequence[int] = (1, 2), seed: int = 0) -> list[Sample]:
    """Return samples that have in turn so many images, of different sizes; the first image is right."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        refs = tuple(
            store.put(Image.new("RGB", (draw.choice((28, 56)), 28), tuple(draw.randrange(256) for _ in range(3))))
            for _ in range(images[number % len(images)])
        )
        made.append(
            Sample(
                id=f"sample-{number}",
                type=QuestionType.FINANCIAL_KNOWLEDGE,
                language="en",
                question=f"Revenue in {2000 + number}?",
                options=("1", "2"),
                answer=Answer(text="1", option=0),
                images=refs,
                gold_images=(0,) if refs else (),
                context="" if refs else "Revenue was 1.",
                qa_id=f"qa-{number}",
                document_id="document",
                split="train",
            )
        )
    return made


def stage(grpo: Mapping[str, Any], rewards: Sequence[str | WeightedPluginRef] = (), **more: Any) -> StageConfig:
    """Return a stage with quick options."""
    named = rewards or ("letters", "taste", "pictures")
    refs = tuple(
        WeightedPluginRef(name=one, weight=1.0 + place) if isinstance(one, str) else one
        for place, one in enumerate(named)
    )
    return StageConfig(
        name="stage2", method="grpo", samples="contrastive", rewards=refs, grpo={**QUICK, **grpo}, **more
    )


def backend(kind: str, folder: Path, **options: Any) -> ModelBackend:
    """Return the backend of a tiny model, freshly made: its weights are as they are on disk."""
    ref = PluginRef(name=BACKENDS[kind], options={"path": str(folder), **options})
    made = Plugins.load().create("model", ref)
    assert isinstance(made, ModelBackend)
    return made


def train(
    out: Path,
    model: ModelBackend,
    steps: int,
    grpo: Mapping[str, Any] | None = None,
    *,
    images: Sequence[int] = (1, 2),
    rewards: Sequence[str | WeightedPluginRef] = (),
    prompts_a_step: int = 2,
    events: TrainEvents | None = None,
    resume: bool = True,
    **more: Any,
) -> tuple[StageResult, RewardSet]:
    """Train a stage below a folder; return what came out, and the rewards as they are then."""
    store = ImageStore(out.parent / "images")
    of_stage = stage(grpo or {}, rewards, **more)
    found = plugins()
    reward_set = RewardSet.create(of_stage.rewards, found)
    result = train_grpo(
        of_stage,
        model,
        samples(store, steps * prompts_a_step, images),
        store,
        reward_set,
        out,
        plugins=found,
        seed=3,
        resume=resume,
        events=events,
        command="the same command",
    )
    return result, reward_set


class DiesAt(Silent):
    """Kills its own process at a step, as the kernel does: nothing is caught, nothing is cleaned up."""

    def __init__(self, step: int) -> None:
        self.step = step

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def train_and_die(
    out: Path, kind: str, model: Path, options: dict[str, Any], steps: int, step: int, **more: Any
) -> None:
    """Train until a step, and be killed there."""
    train(out, backend(kind, model, **options), steps, events=DiesAt(step), **more)


def in_own_process(function: Any, *args: Any, **kwargs: Any) -> int | None:
    """Run a function of this module in a process of its own; return its exit code, negative for a signal.

    The processes are forked off one that has imported torch and TRL already, and has used neither.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["grpo_preload"])
    process = context.Process(target=function, args=args, kwargs=kwargs)
    known = os.environ.get("PYTHONPATH")
    # Python 3.11's fork server finds what it preloads by the environment alone.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *([known] if known else [])])
    try:
        process.start()
    finally:
        if known is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = known
    process.join()
    return process.exitcode


def main() -> None:
    """Train one stage as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--prompts-a-step", type=int, default=2)
    parser.add_argument("--rewards", nargs="*", default=[])
    parser.add_argument("--grpo", type=json.loads, default={})
    parser.add_argument("--die-at", type=int, default=0)
    given = parser.parse_args()
    model = backend(given.kind, given.model)
    events = DiesAt(given.die_at) if given.die_at else None
    train(
        given.out,
        model,
        given.steps,
        given.grpo,
        rewards=given.rewards,
        prompts_a_step=given.prompts_a_step,
        events=events,
    )


if __name__ == "__main__":
    main()
