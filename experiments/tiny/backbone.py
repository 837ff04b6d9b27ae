"""The model that experiments begin with: a tiny Qwen2.5-VL that has learned to look at charts, and nothing else.

TAR begins from a pretrained vision-language model. Nothing of the kind is small enough for a CPU, so one is made: it
finds the chart of a company among several and says the heights of its bars, in a form of its own ("Red" after the
charts, then "Image 2", and "3" after "Q1"). It has never seen a question, an option, a tag or a thinking; those are
what the warm-up and the stages teach. First it finds charts, among two, then among more, and reads afterwards: taught
at once, finding does not begin for hundreds of steps.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.answers.tags import TAGS
from finlmm_core.domain import Sample
from finlmm_core.hugging_face import import_transformers
from finlmm_core.prompts import question_text, system_text
from finlmm_core.tiny_models import tiny_model
from finlmm_core.train.solutions import solution
from tiny.charts import COMPANIES, QUARTERS, WORLD, World, draw_chart, draw_question

_CHART = "<|vision_start|><|image_pad|><|vision_end|>"
_TAGS = tuple(f"<{end}{name}>" for name in TAGS for end in ("", "/"))
#: What differs from one question to another; what stands between becomes one token a phrase.
_VARIES = re.compile(
    r"</?(?:think|answer|image_selection)>|[Ii]mage \d|\b[A-D]\b|\d|" + "|".join([*QUARTERS, *COMPANIES])
)


class Pretraining(NamedTuple):
    """How the backbone learns to see."""

    finding_two: int = 300  # steps, at most, in which the right one of two charts is found
    finding: int = 500  # at most, then of two to four
    found: float = 0.4  # mean loss of about 20 steps from which on finding, or reading, counts as learned
    finding_weight: float = 1.0  # of its loss, beside that of reading
    batch: int = 64
    learning_rate: float = 2e-3
    hidden: int = 64
    layers: int = 2


PRETRAINING = Pretraining()


def make_backbone(
    folder: Path,
    samples: Sequence[Sample],
    *,
    world: World = WORLD,
    pretraining: Pretraining = PRETRAINING,
    seed: int = 0,
    tell: Any = None,
) -> Path:
    """Make the model, teach it to look, and save it; return the folder.

    Args:
        folder: where it is saved.
        samples: of the training split; the tokenizer learns the phrases of their prompts and worked solutions.
        world: whose charts it sees.
        pretraining: for how long.
        seed: of weights and charts.
        tell: called with (step, mean loss of finding, of reading) every 50 steps.
    """
    transformers = import_transformers("The tiny backbone")
    import torch

    tiny_model(
        "qwen2.5-vl", folder, whole_tokens=phrases(samples), vocab=400, hidden=pretraining.hidden,
        layers=pretraining.layers, vision_layers=2, init=0.08, max_pixels=28 * 28, seed=seed,
    )  # fmt: skip
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).train()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    looking = _Looking(processor, world)
    chance = random.Random(f"{seed}:looking")
    optimizer = torch.optim.AdamW(model.parameters(), lr=pretraining.learning_rate, weight_decay=0.01)
    step, in_order = 0, True  # the quarters of a chart are read in their order first, then in any
    for phase, most in (("two", pretraining.finding_two), ("all", pretraining.finding)):
        found = read = 2.0  # mean losses
        for _ in range(most):
            images = 2 if phase == "two" else chance.randint(world.least_images, world.most_images)
            losses = []
            for charts in (images, 1):
                inputs, labels = looking.batch(chance, pretraining.batch, charts, in_order=in_order)
                losses.append(model(**inputs, labels=labels).loss)
            for group in optimizer.param_groups:
                group["lr"] = pretraining.learning_rate * min(1.0, (step + 1) / 50)
            optimizer.zero_grad()
            (pretraining.finding_weight * losses[0] + losses[1]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            found += 0.05 * (float(losses[0].detach()) - found)
            read += 0.05 * (float(losses[-1].detach()) - read)
            if tell is not None and step % 50 == 0:
                tell(step, found, read)
            if in_order and phase == "all" and read < pretraining.found:
                in_order, read = False, 2.0
            if found < pretraining.found and (phase == "two" or read < pretraining.found):
                break
    model.save_pretrained(folder)
    return folder


def phrases(samples: Sequence[Sample]) -> list[str]:
    """Return what becomes one token each: tags, names, numbers, and the phrases between them."""
    found = {
        *_TAGS,
        *QUARTERS,
        *COMPANIES,
        *(f"{word} {n}" for word in ("Image", "image") for n in range(1, 5)),
    }
    for sample in samples:
        found.add(system_text(sample))
        heads = "".join(f"\nImage {number}:\n" for number in range(1, 5))
        for text in (heads, f"\n\n{question_text(sample)}", solution(sample) or ""):
            found.update(phrase for phrase in _VARIES.split(text) if len(phrase) > 1)
    return sorted(found)


class _Looking:
    """Batches of charts with the name of a company behind them, and what is to be said of it."""

    def __init__(self, processor: Any, world: World) -> None:
        self.processor = processor
        self.world = world
        self.pixels: dict[Any, Any] = {}
        self.pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def batch(self, chance: random.Random, size: int, images: int, *, in_order: bool) -> tuple[dict[str, Any], Any]:
        """Return model inputs and labels: of one chart its company and values, of several which one is the company's.

        All rows have the same number of charts, so none is padded.
        """
        import torch

        tokenizer = self.processor.tokenizer
        rows, labels, pixels = [], [], []
        world = self.world._replace(least_images=images, most_images=images)
        for _ in range(size):
            question = draw_question(chance, world)
            pixels += [self._pixels(*chart) for chart in zip(question.companies, question.profits, strict=True)]
            head = "".join(
                f"\nImage {n}:\n<|vision_start|><|image_pad|><|vision_end|>"
                for n in range(1, len(question.companies) + 1)
            )
            asked, name = tokenizer(head)["input_ids"], tokenizer(question.companies[question.gold])["input_ids"]
            told = tokenizer(f"Image {question.gold + 1}")["input_ids"]
            row = [*asked, *name, *told]
            if images > 1:
                label = [-100] * len(asked + name) + told
            else:  # whose chart it is, is said as well: names have to mean colours before they can be looked for
                label = [-100] * len(asked) + name + [-100] * len(told)
            quarters = range(len(QUARTERS)) if in_order else chance.sample(range(len(QUARTERS)), len(QUARTERS))
            for quarter in quarters if images == 1 else ():
                which = tokenizer(QUARTERS[quarter])["input_ids"]
                value = tokenizer(str(question.profits[question.gold][quarter]))["input_ids"]
                row += which + value
                label += [-100] * len(which) + value
            rows.append(row)
            labels.append(label)
        ids = torch.tensor(rows)
        inputs = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values": torch.cat(pixels),
            "image_grid_thw": torch.tensor([[1, 2, 2]] * len(pixels)),
            "mm_token_type_ids": (ids == self.pad).int(),
        }
        return inputs, torch.tensor(labels)

    def _pixels(self, company: str, profits: tuple[int, ...]) -> Any:
        key = (company, profits)
        if key not in self.pixels:
            image = draw_chart(company, profits, self.world.levels)
            self.pixels[key] = self.processor.image_processor(images=[image], return_tensors="pt")["pixel_values"]
        return self.pixels[key]
