"""The world's questions as a dataset folder: contrastive and text samples, by the project's own writer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from common.world import TIERS, WORLD, Chart, Question, Tier, World, draw_chart, draw_question
from finlmm_core.domain import ImageRef, Split, content_id
from finlmm_core.steps.sampling.parquet import SplitWriter
from finlmm_core.steps.sampling.rows import SampleKind
from finlmm_core.store.images import ImageStore

_TYPES = {"value": "arithmetic_reasoning", "at_least": "statistics_reasoning"}


def write_dataset(
    run: Path,
    *,
    seed: int,
    train: int,
    held_out: int,
    world: World = WORLD,
    tiers: tuple[Tier, ...] = TIERS,
    misaligned: float = 0.0,
) -> Path:
    """Write samples of both kinds below a run's folder, as ``images/`` and ``samples/``; return ``samples/``.

    No question with the same charts stands in two splits. The held-out split is the same whatever ``tiers`` and
    ``misaligned`` are: both concern the split 'train' alone.

    Args:
        run: made if needed.
        seed: of the questions; each kind and split draws from a generator of its own.
        train: questions of the split 'train', of each kind.
        held_out: contrastive questions of the split 'test'.
        world: how hard they are.
        tiers: of the training questions' distractors.
        misaligned: share of the contrastive training questions whose right image was replaced by another one of the
            same report, at random, as a pipeline without alignment would: gold place, question and answer stay.
    """
    images, folder = ImageStore(run / "images"), run / "samples"
    seen: set[str] = set()
    parts: tuple[tuple[SampleKind, Split, int], ...] = (
        ("contrastive", "test", held_out),
        ("contrastive", "train", train),
        ("text", "train", train),
    )
    for kind, split, most in parts:
        chance = random.Random(f"{seed}:{kind}:{split}")
        writer = SplitWriter(folder, kind, split, images, shard=100_000, group=256)
        while writer.rows < most:
            question = draw_question(chance, world, TIERS if split == "test" or kind == "text" else tiers)
            name = question_id(question, kind)
            if name in seen:
                continue
            seen.add(name)
            row = _common(question, kind, split, name)
            if kind == "contrastive":
                row |= _contrastive(question, images, world, _swapped(question, name, misaligned, split, world))
            writer.add(row)
        writer.close()
    (folder / "README.md").write_text(
        "# Small charts\n\nMade by experiments/common/dataset.py: profits in 28 x 28 pixels, and as text.\n",
        encoding="utf-8",
    )
    return folder


def question_id(question: Question, kind: SampleKind = "contrastive") -> str:
    """Return the id of a question's sample: equal for the same question about the same charts."""
    return content_id(kind, *map(str, question))


def _swapped(question: Question, name: str, share: float, split: Split, world: World) -> Chart | None:
    """Return the chart that takes the right one's place in a misaligned sample; None where the sample stays as it is.

    A report has the charts of several companies and years; any of them but the right one may be hit.
    """
    chance = random.Random(f"misaligned:{name}")
    if split == "test" or chance.random() >= share:
        return None
    while True:
        other = draw_question(chance, world)
        chart = other.charts[other.gold]
        if chart.name not in {shown.name for shown in question.charts}:
            return chart


def _common(question: Question, kind: SampleKind, split: Split, name: str) -> dict[str, Any]:
    answer, company = question.answer, question.charts[question.gold].company
    report = content_id("charts", *map(str, question.charts))
    value = float(question.charts[question.gold].profit)
    return {
        "id": name,
        "question": question.text,
        "options": list(question.options),
        "answer_letter": question.letter,
        "answer_option": question.options.index(answer),
        "answer_text": answer,
        "answer_value": value if question.bound is None else None,
        "answer_unit": None,
        "answer_scale": 1,
        "answer_decimals": 0,
        "context": question.context if kind == "text" else "",
        "type": _TYPES[question.kind],
        "language": "en",
        "split": split,
        # Of the question about these charts: a text comes again about others, with another answer, and what is kept
        # apart by this id, such as the discriminator's held-out questions, would be texts with one answer each.
        "qa_id": content_id(question.text, report),
        "document_id": report,
        "report": f"{report}.pdf",
        "company": company,
        "year": question.charts[question.gold].year,
        "generator": "experiments",
        "template": question.kind,
        "program": "a" if question.bound is None else f"a >= {question.bound}",
        "description": f"Profit of {question.charts[question.gold].name}",
        "evidence": [
            {"name": "a", "text": f"{value:.0f}", "value": value, "labels": [company], "page": 1, "box": []},
        ],
        "plugins": "{}",
    }


def _contrastive(question: Question, images: ImageStore, world: World, swapped: Chart | None) -> dict[str, Any]:
    charts = [
        swapped if swapped is not None and n == question.gold else chart for n, chart in enumerate(question.charts)
    ]
    refs = [images.put(draw_chart(chart, world.levels)) for chart in charts]
    return {
        "gold_image": question.gold,
        "figures": [_figure(ref, charts[n], question.tiers[n], n) for n, ref in enumerate(refs)],
        "alignment_score": 1.0,
        "alignment_margin": 1.0,
        "alignment_signals": [],
    }


def _figure(ref: ImageRef, chart: Chart, tier: str, place: int) -> dict[str, Any]:
    report = content_id("report", *chart)
    return {
        "figure_id": content_id(*chart),
        "tier": tier,
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
