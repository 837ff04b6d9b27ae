"""Chart questions as a dataset folder: the files that the step ``samples`` writes, by the project's own writer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from finlmm_core.domain import ImageRef, Split, content_id
from finlmm_core.steps.sampling.parquet import SplitWriter
from finlmm_core.store.images import ImageStore
from tiny.charts import WORLD, Question, World, draw_chart, draw_question, twin


def write_dataset(run: Path, *, seed: int, train: int, held_out: int, world: World = WORLD) -> Path:
    """Write contrastive questions below a run's folder, as ``images/`` and ``samples/``; return ``samples/``.

    No question with the same charts stands in two splits.

    Args:
        run: made if needed.
        seed: of the questions; the splits draw from generators of their own.
        train: questions of the split 'train'.
        held_out: of the split 'test'.
        world: how hard they are.
    """
    images, folder = ImageStore(run / "images"), run / "samples"
    seen: set[str] = set()
    splits: dict[Split, int] = {"test": held_out, "train": train}
    for split, most in splits.items():
        chance = random.Random(f"{seed}:{split}")
        writer = SplitWriter(folder, "contrastive", split, images, shard=100_000, group=256)
        while writer.rows < most:
            question = draw_question(chance, world)
            if (name := question_id(question)) not in seen:
                seen.add(name)
                writer.add(_row(question, split, images, world))
        writer.close()
    (folder / "README.md").write_text(
        "# Small charts\n\nMade by experiments/tiny/dataset.py: a company's profit in 28 x 28 pixels.\n",
        encoding="utf-8",
    )
    return folder


def question_id(question: Question) -> str:
    """Return the id of a question's sample: equal for the same question about the same charts."""
    return content_id("contrastive", *question)


def _row(question: Question, split: Split, images: ImageStore, world: World) -> dict[str, Any]:
    company, answer = question.company, question.answer
    report = content_id("charts", *question.charts)
    refs = [images.put(draw_chart(chart, world.levels)) for chart in question.charts]
    return {
        "id": question_id(question),
        "question": question.text,
        "options": list(question.options),
        "answer_letter": question.letter,
        "answer_option": question.options.index(answer),
        "answer_text": answer,
        "answer_value": float(answer),
        "answer_unit": None,
        "answer_scale": 1,
        "answer_decimals": 0,
        "context": "",
        "type": "arithmetic_reasoning",
        "language": "en",
        "split": split,
        "qa_id": content_id(question.text, answer),
        "document_id": report,
        "report": f"{report}.pdf",
        "company": company,
        "year": 2024,
        "generator": "tiny",
        "template": "value",
        "program": "a",
        "description": f"Profit of {company}",
        "evidence": [
            {"name": "a", "text": answer, "value": float(answer), "labels": [company], "page": 1, "box": []},
        ],
        "plugins": "{}",
        "gold_image": question.gold,
        "figures": [_figure(ref, question, place, report) for place, ref in enumerate(refs)],
        "alignment_score": 1.0,
        "alignment_margin": 1.0,
        "alignment_signals": [],
    }


def _figure(ref: ImageRef, question: Question, place: int, report: str) -> dict[str, Any]:
    near = question.charts[place].company == twin(question.company)
    return {
        "figure_id": content_id(*question.charts[place]),
        "tier": "gold" if place == question.gold else "nearest" if near else "random",
        "document_id": report,
        "report": f"{report}.pdf",
        "page": place + 1,
        "box": [],
        "kind": "chart",
        "caption": "",
        "sha256": ref.sha256,
        "width": ref.width,
        "height": ref.height,
        "format": ref.format,
    }
