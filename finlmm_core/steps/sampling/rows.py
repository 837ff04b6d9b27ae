"""What stands in the parquet files: the columns, and how a question becomes a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from finlmm_core.domain import Alignment, Answer, Box, Evidence, ImageRef, QAPair, Sample, Split
from finlmm_core.steps.sampling.distractors import Distractor
from finlmm_core.steps.sampling.figures import FigureEntry, FigureIndex, Report

SampleKind = Literal["text", "contrastive"]
Row = dict[str, Any]

#: Column -> type, in the words of Hugging Face ``Value`` dtypes; a dict is a struct, a one-item list a list.
_EVIDENCE = {
    "name": "string",
    "text": "string",
    "value": "float64",
    "labels": ["string"],
    "page": "int32",
    "box": ["float64"],
}
_COMMON: dict[str, Any] = {
    "id": "string",
    "question": "string",
    "options": ["string"],
    "answer_letter": "string",
    "answer_option": "int32",
    "answer_text": "string",
    "answer_value": "float64",
    "answer_unit": "string",
    "answer_scale": "int64",
    "answer_decimals": "int32",
    "context": "string",
    "type": "string",
    "language": "string",
    "split": "string",
    "qa_id": "string",
    "document_id": "string",
    "report": "string",
    "company": "string",
    "year": "int32",
    "generator": "string",
    "template": "string",
    "program": "string",
    "description": "string",
    "evidence": [_EVIDENCE],
    "plugins": "string",
}
_FIGURE = {
    "figure_id": "string",
    "tier": "string",
    "document_id": "string",
    "report": "string",
    "page": "int32",
    "box": ["float64"],
    "kind": "string",
    "caption": "string",
    "sha256": "string",
    "width": "int32",
    "height": "int32",
    "format": "string",
}
COLUMNS: dict[SampleKind, dict[str, Any]] = {
    "text": _COMMON,
    "contrastive": {
        **_COMMON,
        "images": ["image"],
        "gold_image": "int32",
        "figures": [_FIGURE],
        "alignment_score": "float64",
        "alignment_margin": "float64",
        "alignment_signals": [{"name": "string", "value": "float64"}],
    },
}


def features(columns: Any) -> Any:
    """Return columns as Hugging Face ``Features`` write them in JSON."""
    if isinstance(columns, dict):
        return {name: features(column) for name, column in columns.items()}
    if isinstance(columns, list):
        return [features(columns[0])]
    return {"_type": "Image"} if columns == "image" else {"dtype": columns, "_type": "Value"}


def shuffle_options(question: QAPair, right_place: int, wrong_order: Sequence[int]) -> tuple[tuple[str, ...], Answer]:
    """Return the options in another order and the answer that points at the right one.

    Args:
        question: the question as generated.
        right_place: where the right option is to stand.
        wrong_order: an order of the wrong options, as indices into the wrong ones.
    """
    wrong = [option for place, option in enumerate(question.options) if place != question.answer.option]
    options = [wrong[place] for place in wrong_order]
    options.insert(right_place, question.options[question.answer.option])
    return tuple(options), question.answer.model_copy(update={"option": right_place})


def _box(box: Box | None) -> list[float]:
    return [] if box is None else list(box)


def common_row(
    sample_id: str,
    question: QAPair,
    options: Sequence[str],
    answer: Answer,
    report: Report,
    split: Split,
    plugins: Mapping[str, str],
) -> Row:
    """Return the columns that both kinds of samples have; ``context`` is the question's own."""
    return {
        "id": sample_id,
        "question": question.question,
        "options": list(options),
        "answer_letter": answer.letter,
        "answer_option": answer.option,
        "answer_text": answer.text,
        "answer_value": answer.value,
        "answer_unit": answer.unit,
        "answer_scale": answer.scale,
        "answer_decimals": answer.decimals,
        "context": question.context,
        "type": question.type.value,
        "language": question.language,
        "split": split,
        "qa_id": question.id,
        "document_id": report.id,
        "report": report.source,
        "company": report.company,
        "year": report.year,
        "generator": question.generator,
        "template": question.template,
        "program": question.program,
        "description": question.description,
        "evidence": [
            {
                "name": e.name,
                "text": e.text,
                "value": e.value,
                "labels": list(e.labels),
                "page": e.page,
                "box": _box(e.box),
            }
            for e in question.evidence
        ],
        "plugins": json.dumps(dict(sorted(plugins.items())), ensure_ascii=False),
    }


def figure_entry(figure: FigureEntry, tier: str, index: FigureIndex) -> Row:
    """Return where an image of a sample comes from; ``tier`` is 'gold' for the right one."""
    report = index.reports[figure.report]
    return {
        "figure_id": figure.id,
        "tier": tier,
        "document_id": report.id,
        "report": report.source,
        "page": figure.page,
        "box": _box(figure.box),
        "kind": figure.kind,
        "caption": figure.caption,
        "sha256": figure.image.sha256,
        "width": figure.image.width,
        "height": figure.image.height,
        "format": figure.image.format,
    }


def contrastive_columns(
    right: FigureEntry,
    place: int,
    distractors: Sequence[Distractor],
    alignment: Alignment,
    index: FigureIndex,
) -> Row:
    """Return the columns that only contrastive samples have, images without their bytes (the writer reads them)."""
    entries = [figure_entry(d.figure, d.tier, index) for d in distractors]
    entries.insert(place, figure_entry(right, "gold", index))
    return {
        "gold_image": place,
        "figures": entries,
        "alignment_score": alignment.score,
        "alignment_margin": alignment.margin,
        "alignment_signals": [{"name": n, "value": float(v)} for n, v in sorted(alignment.signals.items())],
    }


def sample_of(row: Row) -> Sample:
    """Return the sample that a row (as pyarrow gives it) holds."""
    figures = row.get("figures") or []
    return Sample(
        id=row["id"],
        type=row["type"],
        language=row["language"],
        question=row["question"],
        options=tuple(row["options"]),
        answer=Answer(
            text=row["answer_text"],
            option=row["answer_option"],
            value=row["answer_value"],
            unit=row["answer_unit"],
            scale=row["answer_scale"],
            decimals=row["answer_decimals"],
        ),
        images=tuple(
            ImageRef(sha256=f["sha256"], width=f["width"], height=f["height"], format=f["format"]) for f in figures
        ),
        gold_images=(row["gold_image"],) if figures else (),
        tiers=tuple(f["tier"] for f in figures),
        context=row["context"],
        evidence=tuple(
            Evidence(
                name=e["name"],
                text=e["text"],
                value=e["value"],
                labels=tuple(e["labels"]),
                page=e["page"],
                box=Box(*e["box"]) if e["box"] else None,
            )
            for e in row.get("evidence") or []
        ),
        program=row.get("program"),
        qa_id=row["qa_id"],
        document_id=row["document_id"],
        split=row["split"],
    )
