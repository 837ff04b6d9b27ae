"""The model that experiments begin with: a tiny Qwen2.5-VL that has learned to look at charts, and nothing else.

TAR begins from a pretrained vision-language model. Nothing of the kind is small enough for a CPU, so one is made: it
finds the chart of a company among several and says the heights of its bars, in a form of its own ("Red" after the
charts, then "Image 2" and "3142"). It has never seen a question, an option, a tag or a thinking; those are what the
warm-up and the stages teach. First it finds charts, among two, then among more, and reads afterwards: taught at once,
finding does not begin for hundreds of steps.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tiny.charts import COMPANIES, QUARTERS, World, draw_chart, draw_question

from finlmm_core.domain import Sample
from finlmm_core.hugging_face import import_transformers
from finlmm_core.answers.tags import TAGS
from finlmm_core.prompts import question_text, system_text
from finlmm_core.tiny_models import tiny_model
from finlmm_core.train.solutions import solution

#: What differs from one question to another; what stands between becomes one token a phrase.
_VARIES = re.compile(
    r"</?(?:think|answer|image_selection)>|[Ii]mage \d|\b[A-D]\b|\d|" + "|".join([*QUARTERS, *COMPANIES])
)


class Pretraining(NamedTuple):
    """How the backbone learns to see."""

    finding_two: int = 100  # steps in which the right one of two charts is found
    finding: int = 200  # then of two to four
    reading: int = 400  # then found and read
    batch: int = 64
    learning_rate: float = 2e-3
    hidden: int = 64
    layers: int = 2


def make_backbone(
    folder: Path,
    samples: Sequence[Sample],
    *,
    world: World = World(),
    pretraining: Pretraining = Pretraining(),
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
        tell: called with (step, loss) every 100 steps.
    """
    transformers = import_transformers("The tiny backbone")
    import torch

    tiny_model(
        "qwen2.5-vl", folder, whole_tokens=phrases(samples), vocab=400, hidden=pretraining.hidden,
        layers=pretraining.layers, vision_layers=1, init=0.08, max_pixels=28 * 28, seed=seed,
    )  # fmt: skip
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).train()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    looking = _Looking(processor, world)
    chance = random.Random(f"{seed}:looking")
    optimizer = torch.optim.AdamW(model.parameters(), lr=pretraining.learning_rate, weight_decay=0.01)
    first, second = pretraining.finding_two, pretraining.finding_two + pretraining.finding
    for step in range(second + pretraining.reading):
        for group in optimizer.param_groups:
            group["lr"] = pretraining.learning_rate * min(1.0, (step + 1) / 50)
        images = world.least_images if step < first else chance.randint(world.least_images, world.most_images)
        inputs, labels = looking.batch(chance, pretraining.batch, images, reading=step >= second)
        loss = model(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if tell is not None and (step + 1) % 100 == 0:
            tell(step + 1, float(loss.detach()))
    model.save_pretrained(folder)
    return folder


def phrases(samples: Sequence[Sample]) -> list[str]:
    """Return what becomes one token each: tags, names, numbers, and the phrases between them."""
    found = {
        *TAGS_OF_TOKENS,
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


TAGS_OF_TOKENS = tuple(f"<{end}{name}>" for name in TAGS for end in ("", "/"))


class _Looking:
    """Batches of charts with the name of a company behind them, and what is to be said of it."""

    def __init__(self, processor: Any, world: World) -> None:
        self.processor = processor
        self.world = world
        self.pixels: dict[Any, Any] = {}
        self.pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def batch(self, chance: random.Random, size: int, images: int, *, reading: bool) -> tuple[dict[str, Any], Any]:
        """Return model inputs and labels; all rows have the same number of charts, so none is padded."""
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
            said = f"Image {question.gold + 1}"
            if reading:
                said += "".join(map(str, question.profits[question.gold]))
            asked = tokenizer(head + question.companies[question.gold])["input_ids"]
            told = tokenizer(said)["input_ids"]
            rows.append(asked + told)
            labels.append([-100] * len(asked) + told)
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
