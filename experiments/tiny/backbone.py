"""The model that stage 2 begins with: a tiny Qwen2.5-VL that a short supervised warm-up left half able.

TAR begins from a pretrained vision-language model. Nothing of the kind is small enough for a CPU, so one is made from
random weights: it learns, from completions in the project's format on the project's prompts, to say what each chart
shows, which chart is asked about, and the answer. It stops as soon as it answers more than a given share of fresh
questions right, so that there is something left for reinforcement to teach.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.answers.tags import TAGS, read_tags
from finlmm_core.domain import Sample
from finlmm_core.hugging_face import import_transformers
from finlmm_core.prompts import conversation, question_text, system_text, write_completion
from finlmm_core.tiny_models import tiny_model
from tiny.charts import (
    COMPANIES,
    LETTERS,
    UNIT,
    WORLD,
    Chart,
    Question,
    World,
    draw_chart,
    draw_question,
    question_about,
)
from tiny.dataset import question_id

_TAGS = tuple(f"<{end}{name}>" for name in TAGS for end in ("", "/"))


class Warmup(NamedTuple):
    """How the backbone learns, and when it has learned enough."""

    careless: float = 0.3  # share of demonstrations that conclude about another chart than was asked for
    stop_at: float = 0.8  # share of right answers where the likeliest token is always taken
    most_seconds: float = 150.0
    most_steps: int = 3000
    look_every: int = 25  # steps
    questions: int = 128  # asked at each look
    batch: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    hidden: int = 96
    layers: int = 3
    vision_layers: int = 2


WARMUP = Warmup()


class Look(NamedTuple):
    """How fresh questions were answered in the middle of the warm-up, the likeliest token taken each time."""

    step: int
    seconds: float
    loss: float
    format: float
    image: float
    answer: float


def make_backbone(
    folder: Path,
    samples: Sequence[Sample],
    *,
    world: World = WORLD,
    warmup: Warmup = WARMUP,
    seed: int = 0,
    never: Set[str] = frozenset(),
    tell: Callable[[Look], None] | None = None,
) -> Look:
    """Make the model, warm it up, and save it; return how it did at the last look.

    Args:
        folder: where it is saved.
        samples: a few of the training split; the tokenizer learns the phrases of their prompts.
        world: whose questions it learns from.
        warmup: for how long.
        seed: of weights, questions and draws.
        never: ids of questions that it must not see: the held-out ones.
        tell: called at every look.
    """
    transformers = import_transformers("The tiny backbone")
    import torch

    tiny_model(
        "qwen2.5-vl", folder, whole_tokens=phrases(samples), vocab=400, hidden=warmup.hidden,
        layers=warmup.layers, vision_layers=warmup.vision_layers, init=0.08, max_pixels=28 * 28, seed=seed,
    )  # fmt: skip
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).train()
    desk = _Desk(transformers.AutoProcessor.from_pretrained(folder), samples[0], world)
    optimizer = torch.optim.AdamW(model.parameters(), lr=warmup.learning_rate, weight_decay=0.01)
    learning, asking = random.Random(f"{seed}:warmup"), random.Random(f"{seed}:looks")
    torch.manual_seed(seed)
    begun = time.process_time()
    for step in range(1, warmup.most_steps + 1):
        questions = _draw(learning, warmup.batch, world, never)
        shown = [_careless(one, learning) if learning.random() < warmup.careless else one for one in questions]
        inputs, labels = desk.lesson(questions, shown)
        for group in optimizer.param_groups:
            group["lr"] = warmup.learning_rate * min(1.0, step / warmup.warmup_steps)
        optimizer.zero_grad()
        loss = model(**inputs, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        over = step == warmup.most_steps or time.process_time() - begun > warmup.most_seconds
        if over or step % warmup.look_every == 0:
            shares = desk.ask(model, _draw(asking, warmup.questions, world, never))
            look = Look(step, time.process_time() - begun, float(loss.detach()), *shares)
            if tell is not None:
                tell(look)
            if over or look.answer >= warmup.stop_at:
                break
    model.save_pretrained(folder)
    return look


def phrases(samples: Sequence[Sample]) -> list[str]:
    """Return what becomes one token each: tags, names, profits, and the phrases between them."""
    found = {*_TAGS, *COMPANIES, *(str(level * UNIT) for level in range(1, 10))}
    found |= {f"Image {number}: " for number in range(1, 5)} | {". Image 2: ", ". Image 3: ", ". Image 4: "}
    found |= {f" is image {number}." for number in range(1, 5)}
    for sample in samples:
        found.add(system_text(sample))
        found.update(re.split("|".join(COMPANIES), f"\n\n{question_text(sample)}"))
    return sorted(found)


def _draw(chance: random.Random, number: int, world: World, never: Set[str]) -> list[Question]:
    drawn: list[Question] = []
    while len(drawn) < number:
        question = draw_question(chance, world)
        if question_id(question) not in never:
            drawn.append(question)
    return drawn


def _careless(question: Question, chance: random.Random) -> Question:
    """Return the question about another of its charts: as if the company's name had been misread."""
    others = [place for place in range(len(question.charts)) if place != question.gold]
    return question._replace(gold=chance.choice(others))


class _Desk:
    """Puts questions to a model as the project's prompts do; charts are prepared once each."""

    def __init__(self, processor: Any, like: Sample, world: World) -> None:
        import torch

        self.processor = processor
        self.world = world
        self.pixels: dict[Chart, Any] = {}
        template = processor.apply_chat_template(conversation(like), tokenize=False, add_generation_prompt=True)
        self.prompts = {name: template.replace(like.question, question_about(name)) for name in COMPANIES}
        self.pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self.torch = torch

    def lesson(self, questions: Sequence[Question], shown: Sequence[Question]) -> tuple[dict[str, Any], Any]:
        """Return model inputs with the completions that are right of what is ``shown``, and labels of these."""
        tokenizer = self.processor.tokenizer
        rows, labels = [], []
        for question, demo in zip(questions, shown, strict=True):
            told = write_completion(demo.thinking, demo.letter, demo.gold + 1) + tokenizer.eos_token
            asked, said = self._asked(question), tokenizer(told)["input_ids"]
            rows.append([*asked, *said])
            labels.append([-100] * len(asked) + said)
        return self._inputs(rows, questions), self.torch.tensor(labels)

    def ask(self, model: Any, questions: Sequence[Question]) -> tuple[float, float, float]:
        """Return the shares of well-formed completions, right images and right answers, taken greedily."""
        rows = [self._asked(question) for question in questions]
        model.eval()
        with self.torch.no_grad():
            drawn = model.generate(**self._inputs(rows, questions), max_new_tokens=48, do_sample=False)
        model.train()
        texts = self.processor.tokenizer.batch_decode(drawn[:, len(rows[0]) :], skip_special_tokens=True)
        tags = [read_tags(text) for text in texts]
        pairs = list(zip(tags, questions, strict=True))
        formed = sum(one.well_formed and one.image_selection is not None for one in tags)
        image = sum(one.image_selection == str(question.gold + 1) for one, question in pairs)
        answer = sum(one.answer == question.letter for one, question in pairs)
        return formed / len(pairs), image / len(pairs), answer / len(pairs)

    def _asked(self, question: Question) -> list[int]:
        return self.processor.tokenizer(self.prompts[question.company])["input_ids"]

    def _inputs(self, rows: list[list[int]], questions: Sequence[Question]) -> dict[str, Any]:
        """All rows are of one length: a world has one number of charts, and a phrase is one token."""
        ids = self.torch.tensor(rows)
        pixels = [self._pixels(chart) for question in questions for chart in question.charts]
        return {
            "input_ids": ids,
            "attention_mask": self.torch.ones_like(ids),
            "pixel_values": self.torch.cat(pixels),
            "image_grid_thw": self.torch.tensor([[1, 2, 2]] * len(pixels)),
            "mm_token_type_ids": (ids == self.pad).int(),
        }

    def _pixels(self, chart: Chart) -> Any:
        if chart not in self.pixels:
            image = draw_chart(chart, self.world.levels)
            self.pixels[chart] = self.processor.image_processor(images=[image], return_tensors="pt")["pixel_values"]
        return self.pixels[chart]


assert len(LETTERS) >= WORLD.levels
