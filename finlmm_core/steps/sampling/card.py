"""The dataset card: what is in the samples folder, where it comes from, what was left out and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from finlmm_core.escapes import visible_line
from finlmm_core.steps.sampling.config import SPLITS, SamplesConfig
from finlmm_core.steps.sampling.rows import COLUMNS, SampleKind
from finlmm_core.steps.sampling.summary import Provenance, SamplesSummary

#: What each reason in rejected.jsonl means.
REASONS = {
    "options_missing": "fewer than two options, or more than ten",
    "answer_not_an_option": "the answer points at no option",
    "options_alike": "two options read the same",
    "figure_missing": "the aligned figure has no image",
    "duplicate_question": "the same question with the same answer was asked of the same company",
    "same_program_and_cells": "the same program over the same cells was asked in other words",
    "repeated_in_other_reports": "the question with its answer came back more often than max_repeats",
    "figure_in_other_split": "the figure says the same as one that another split owns",
    "question_in_other_split": "the question with its answer is owned by another split",
    "context_in_other_split": "the passage or table is owned by another split",
    "over_report_cap": "the report has max_per_document contrastive samples",
    "over_figure_cap": "the figure has max_per_figure contrastive samples",
    "over_type_share": "the question type reached max_type_share",
    "too_few_distractors": "too few figures could stand beside the right one as wrong",
    "text_no_context": "no passage or table as text",
    "text_context_too_long": "the passage or table is longer than max_context_characters",
    "text_context_lacks_evidence": "a number that the answer is made of is not in the passage or table",
    "text_over_report_cap": "the report has max_text_per_document text-only samples",
    "text_over_context_cap": "the passage or table has max_text_per_context text-only samples",
    "text_over_type_share": "the question type reached max_type_share",
}
REFUSALS = {
    "holds_the_evidence": "it holds all the numbers that the answer is made of",
    "shows_the_answer": "it shows the answer itself beside the labels that the question names",
    "part_of_the_right_figure": "it overlaps the right figure on the page: a panel, or the whole that it is a panel of",
    "says_nothing": "it is of the same company and no text was read in it, so it cannot be told whether it answers",
    "fits_the_question": "all that the question names (rows, columns, periods, terms) can be read in it",
}
TIERS = {
    "random": "a figure of another company's report",
    "same_report": "another figure of the same report",
    "same_company": "a figure of another year's report of the company",
    "nearest": "among the figures whose words are nearest to the right one's, over all reports of the split",
}
_COLUMNS = {
    "question": "asked so that a reader of the right figure (or of `context`) can answer",
    "options": "in a balanced, shuffled order",
    "answer_letter": "letter of the right option; `answer_option` is its index, `answer_text` how a reader writes it",
    "answer_value": "the number, in `answer_unit`; times `answer_scale` for the plain amount",
    "context": "the passage or table as text (text-only samples; empty in contrastive ones)",
    "program": "expression over the names in `evidence` that gives the answer",
    "evidence": "cells or spans that the answer rests on: as printed, with labels, page and box",
    "images": "the right figure among others; `gold_image` is its index (contrastive samples)",
    "figures": "for each image: figure, tier ('gold' for the right one), report, page, box in PDF points, caption",
    "alignment_score": "of the aligner chain, 0 to 1; `alignment_margin` is the lead over the next best figure",
    "alignment_signals": "the score of each aligner and its parts",
    "report": "file name; `document_id` is the SHA-256 of the file",
    "plugins": "JSON: version of each plugin that made the sample",
}


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")

    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


#: What Markdown, mathematics in it, or a link that needs no brackets could be made of.
_MARKED = re.compile(r"[\\`*\[\]<>&|~$@]|://|(?i:www\.)")


def _plain(value: object) -> str:
    """Return text from a report or a file name so that it is read as it is: nothing in it is Markdown or HTML."""
    return _MARKED.sub(
        lambda found: "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in found[0]), visible_line(str(value))
    )


def _yaml_features(columns: Mapping[str, Any], indent: str) -> list[str]:
    """Return columns as the ``features`` of a card's header write them."""
    lines = []
    for name, column in columns.items():
        lines.append(f"{indent}- name: {name}")
        inner = column[0] if isinstance(column, list) else column
        if isinstance(column, list):
            if isinstance(inner, dict):
                lines += [f"{indent}  list:", *_yaml_features(inner, indent + "    ")]
            else:
                lines.append(f"{indent}  list: {inner}")
        else:
            lines.append(f"{indent}  dtype: {column}")
    return lines


def _header(summary: SamplesSummary) -> str:
    languages = sorted({name for found in summary.languages.values() for name in found})
    total = summary.samples
    size = next(
        (name for most, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")) if total < most),
        "100K<n<1M",
    )
    lines = ["---", "pretty_name: Questions about figures of financial reports"]
    lines += ["language:", *(f"- {name}" for name in languages)] if languages else []
    lines += ["license: other", "license_name: issuers-rights", "task_categories:", "- visual-question-answering"]
    lines += [
        "- question-answering",
        "- multiple-choice",
        "tags:",
        "- finance",
        "- charts",
        "- tables",
        "- multi-image",
    ]
    lines += ["size_categories:", f"- {size}", "configs:"]
    first = True
    kinds: tuple[SampleKind, ...] = ("text", "contrastive")
    for kind in kinds:
        files = summary.files.get(kind, {})
        if not files:
            continue
        lines.append(f"- config_name: {kind}")
        if first:
            lines.append("  default: true")
            first = False
        lines.append("  data_files:")
        for split in SPLITS:
            if split in files:
                lines += [f"  - split: {split}", f"    path: {kind}/{split}-*.parquet"]
    if first:
        lines.pop()  # no files: no configs
    else:
        lines.append("dataset_info:")
        for kind in kinds:
            if summary.files.get(kind):
                lines += [f"- config_name: {kind}", "  features:", *_yaml_features(COLUMNS[kind], "  ")]
    return "\n".join([*lines, "---", ""])


def card(summary: SamplesSummary, config: SamplesConfig, seed: int, provenance: Provenance) -> str:
    """Return the card as Markdown with the header that Hugging Face reads."""
    parts = [_header(summary)]
    parts.append(
        "# Questions about figures of financial reports\n\n"
        "Multiple-choice questions made from the text of financial reports, and the figure of the report that each is "
        "about. Made by finlmm" + (f" {provenance.finlmm}" if provenance.finlmm else "") + ": questions are written "
        "from text alone, their figures found separately, and only unambiguous pairs kept.\n\n"
        "* `text` (stage 1): the question with the passage or table that answers it, as text.\n"
        "* `contrastive` (stage 2): the question with the right figure among others; which one is right is part of "
        "the answer.\n\n"
        "```python\n"
        "import datasets\n"
        'text = datasets.load_dataset("parquet", data_files="text/train-*.parquet", split="train")\n'
        'pairs = datasets.load_dataset("parquet", data_files="contrastive/train-*.parquet", split="train")\n'
        'pairs[0]["images"][pairs[0]["gold_image"]]  # a PIL image\n'
        "```\n"
    )
    splits = [
        [kind, *(counts[split] for split in SPLITS), sum(counts.values())]
        for kind, counts in (("text", summary.text), ("contrastive", summary.contrastive))
    ]
    parts.append("## Counts\n\n" + _table(["samples", *SPLITS, "all"], splits))
    for title, counts in (("type", summary.types), ("language", summary.languages), ("generator", summary.generators)):
        names = sorted({name for found in counts.values() for name in found})
        parts.append(
            _table(
                [title, "text", "contrastive"],
                ([_plain(name), counts["text"].get(name, 0), counts["contrastive"].get(name, 0)] for name in names),
            )
        )
    parts.append("Rows come in the order of the reports: shuffle before training.\n")
    parts.append(
        "## Wrong images\n\n"
        + _table(["tier", "images", "what"], ([tier, summary.tiers.get(tier, 0), what] for tier, what in TIERS.items()))
        + "\nA figure that would answer the question too is never a wrong image. Candidates refused:\n\n"
        + _table(
            ["reason", "candidates", "what"],
            ([r, n, REFUSALS.get(r, "")] for r, n in summary.refused_distractors.items()),
        )
        + "\nWrong images come from the same split as the right one.\n"
    )
    parts.append("## Balance\n\n" + _balance(summary))
    parts.append(
        "## Splits\n\n"
        f"By company: all years of a company are in one split ({summary.groups} companies and reports that name none). "
        "The split is decided by a hash of the company and the seed, and stays when reports are added; below 50 "
        "companies a split is also kept from being empty or larger than its share. A figure, passage or question that "
        "would be in two splits "
        "is kept in one.\n"
    )
    parts.append(
        "## Sources\n\n"
        + _table(
            ["report", "sha256", "company", "year", "split", "figures", "questions", "aligned", "text", "contrastive"],
            (
                [
                    _plain(s.report),
                    f"`{s.document_id[:16]}`",
                    _plain(s.company or ""),
                    s.year or "",
                    s.split,
                    s.figures,
                    s.questions,
                    s.aligned,
                    s.text,
                    s.contrastive,
                ]
                for s in summary.sources[:1000]
            ),
        )
        + ("" if len(summary.sources) <= 1000 else f"\nand {len(summary.sources) - 1000} more: see `summary.json`.\n")
    )
    parts.append(
        "## Not used\n\n"
        f"Of {summary.questions} questions, {summary.aligned} with a figure. Each drop is a line of `rejected.jsonl`; "
        "reasons that begin with `text_` keep a question out of the text-only samples only.\n\n"
        + _table(["reason", "questions", "what"], ([r, n, REASONS.get(r, "")] for r, n in summary.rejections.items()))
    )
    parts.append("## Columns\n\n" + _table(["column", "what"], ([f"`{n}`", w] for n, w in _COLUMNS.items())))
    parts.append(
        "## How it was made\n\n"
        f"Seed {seed}. Plugins: "
        + (
            ", ".join(f"{_plain(name)} {_plain(version)}" for name, version in sorted(provenance.plugins.items()))
            or "not recorded"
        )
        + "."
        + (f" Key of the step: `{provenance.config_key}`." if provenance.config_key else "")
        + "\n\n```json\n"
        + json.dumps(config.model_dump(), indent=2)
        + "\n```\n"
    )
    parts.append(
        "## Rights\n\n"
        "The images are crops of published reports and stay under the rights of those who issued the reports, as do "
        "the passages and tables quoted as text. Check the terms of each source before passing them on. The questions "
        "are machine-made; finlmm claims no rights in them.\n"
    )
    return "\n".join(parts)


def _balance(summary: SamplesSummary) -> str:
    letters = sorted({name for found in summary.letters.values() for name in found})
    text = _table(
        ["right option", "text", "contrastive"],
        ([name, summary.letters["text"].get(name, 0), summary.letters["contrastive"].get(name, 0)] for name in letters),
    )
    rows = [
        [f"{count} images", ", ".join(f"{int(place) + 1}: {n}" for place, n in found.items())]
        for count, found in summary.positions.items()
    ]
    text += "\n" + _table(["samples with", "place of the right image"], rows) if rows else ""
    if summary.shortcuts:
        names = {
            "option_chance": "an option by chance",
            "option_longest": "the longest option",
            "image_chance": "an image by chance",
            "image_table": "an image that is a table",
            "image_largest": "the largest image",
            "image_smallest": "the smallest image",
        }
        text += "\nHow often a rule that does not read the question is right (contrastive samples):\n\n" + _table(
            ["rule", "right"], ([names[name], f"{share:.1%}"] for name, share in summary.shortcuts.items())
        )
    return text


def write_card(path: Path, summary: SamplesSummary, config: SamplesConfig, seed: int, provenance: Provenance) -> None:
    """Write the card."""
    path.write_text(card(summary, config, seed, provenance), encoding="utf-8", newline="\n")
