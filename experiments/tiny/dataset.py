"""Chart questions as a dataset folder: the files that the step ``samples`` writes, by the project's own writer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, get_args

from finlmm_core.domain import ImageRef, Split, content_id
from finlmm_core.steps.sampling.parquet import SplitWriter
from finlmm_core.steps.sampling.rows import SampleKind
from finlmm_core.store.images import ImageStore
from tiny.charts import QUARTERS, WORLD, Question, World, draw_chart, draw_question, twin

_TYPES = {"value": "arithmetic_reasoning", "highest": "statistics_reasoning", "lowest": "statistics_reasoning"}


def write_dataset(run: Path, *, seed: int, train: int, held_out: int, world: World = WORLD, texts: bool = True) -> Path:
    """Write questions below a run's folder, as ``images/`` and ``samples/``; return ``samples/``.

    No question with the same charts stands in two splits.

    Args:
        run: made if needed.
        seed: of the questions; the splits draw from generators of their own.
        train: contrastive questions, and as many text ones, of the split 'train'.
        held_out: of the split 'test'.
        world: how hard they are.
        texts: write text samples as well; they have the right chart's profits as their context.
    """
    images, folder = ImageStore(run / "images"), run / "samples"
    seen: set[str] = set()
    splits: dict[Split, int] = {"train": train, "test": held_out}
    for kind in get_args(SampleKind)[0 if texts else 1 :]:
        for split in ("test", "train"):
            chance = random.Random(f"{seed}:{split}:{kind}")
            writer = SplitWriter(folder, kind, split, images, shard=100_000, group=256)
            while writer.rows < splits[split]:
                question = draw_question(chance, world)
                row = _row(question, kind, split, images, world)
                if row["id"] not in seen:
                    seen.add(row["id"])
                    writer.add(row)
            writer.close()
    (folder / "README.md").write_text(
        "# Small charts\n\nMade by experiments/tiny/dataset.py: four quarters of a company in 28 x 28 pixels.\n",
        encoding="utf-8",
    )
    return folder


def _row(question: Question, kind: SampleKind, split: Split, images: ImageStore, world: World) -> dict[str, Any]:
    company, mine = question.companies[question.gold], question.profits[question.gold]
    asked = [question.quarter] if question.kind == "value" else list(range(len(QUARTERS)))
    names = "abcd"[: len(asked)]
    program = {"value": "a", "highest": "argmax(a, b, c, d)", "lowest": "argmin(a, b, c, d)"}[question.kind]
    report = content_id("charts", *question.companies, question.profits)
    row: dict[str, Any] = {
        "id": content_id(kind, *question),
        "question": question.text,
        "options": list(question.options),
        "answer_letter": "ABCD"[question.options.index(question.answer)],
        "answer_option": question.options.index(question.answer),
        "answer_text": question.answer,
        "answer_value": float(question.answer) if question.kind == "value" else None,
        "answer_unit": None if question.kind == "value" else "label",
        "answer_scale": 1,
        "answer_decimals": 0 if question.kind == "value" else None,
        "context": "",
        "type": _TYPES[question.kind],
        "language": "en",
        "split": split,
        "qa_id": content_id(question.text, mine),
        "document_id": report,
        "report": f"{report}.pdf",
        "company": company,
        "year": 2024,
        "generator": "tiny",
        "template": question.kind,
        "program": program,
        "description": f"Profit of {company} by quarter",
        "evidence": [
            {
                "name": name,
                "text": str(mine[quarter]),
                "value": float(mine[quarter]),
                "labels": [company, QUARTERS[quarter]],
                "page": 1,
                "box": [],
            }
            for name, quarter in zip(names, asked, strict=True)
        ],
        "plugins": "{}",
    }
    if kind == "text":
        profits = ", ".join(f"{quarter} {profit}" for quarter, profit in zip(QUARTERS, mine, strict=True))
        return row | {"context": f"Profit of {company}: {profits}."}
    refs = [
        images.put(draw_chart(name, profits, world.levels))
        for name, profits in zip(question.companies, question.profits, strict=True)
    ]
    return row | {
        "gold_image": question.gold,
        "figures": [_figure(ref, question, place, report) for place, ref in enumerate(refs)],
        "alignment_score": 1.0,
        "alignment_margin": 1.0,
        "alignment_signals": [],
    }


def _figure(ref: ImageRef, question: Question, place: int, report: str) -> dict[str, Any]:
    near = question.companies[place] == twin(question.companies[question.gold])
    return {
        "figure_id": content_id(question.companies[place], question.profits[place]),
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
