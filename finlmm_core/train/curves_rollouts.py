"""Rollouts on the report page: what the model wrote early and late in a stage, with what the rewards said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.answers.tags import read_tags
from finlmm_core.domain import Sample
from finlmm_core.prompts import LETTERS
from finlmm_core.rewards.rollouts import iterate_rollouts
from finlmm_core.steps.report.html import Markup, joined, tag

#: Pairs of completions a stage, and what is shown of one at most.
PAIRS = 3
MOST_CHARACTERS = 1500


class _Group(NamedTuple):
    """All completions of one prompt in one step."""

    step: int
    group_id: str
    sample_id: str


def rollouts_of(run_folder: Path, stages: Sequence[Path]) -> Markup | None:
    """Return pairs of completions of every stage that kept them: early on the left, late on the right.

    Which are shown is not chosen by what they say: it is the first completion of its group, in groups of the first and
    the last tenth of the steps, of the same question where one came up in both.
    """
    parts: list[Markup] = []
    for folder in stages:
        groups = _groups(folder / "rollouts")
        pairs = _pairs(groups)
        rows = _first_rows(folder / "rollouts", {group.group_id for pair in pairs for group in pair})
        shown = [(rows[early.group_id], rows[late.group_id]) for early, late in pairs]
        if shown:
            samples = _samples(run_folder, {row["sample_id"] for pair in shown for row in pair})
            parts.append(tag("h3", folder.name))
            parts += [_pair(early, late, samples) for early, late in shown]
    if not parts:
        return None
    lead = (
        "What the model wrote in the first and in the last tenth of a stage's steps: always the first completion of "
        "its group, whatever it is worth."
    )
    return joined(tag("p", lead, class_="lead"), *parts)


def _groups(folder: Path) -> list[_Group]:
    found: dict[str, _Group] = {}
    for part in iterate_rollouts(folder, ["step", "group_id", "sample_id"]):
        for row in part.to_pylist():
            found.setdefault(row["group_id"], _Group(row["step"], row["group_id"], row["sample_id"]))
    return list(found.values())


def _pairs(groups: Sequence[_Group]) -> list[tuple[_Group, _Group]]:
    """Return groups of the first and the last tenth of the steps, same samples first."""
    if not groups:
        return []
    steps = sorted({group.step for group in groups})
    tenth = max(1, len(steps) // 10)
    if len(steps) < 2:
        return []
    early = [group for group in groups if group.step <= steps[tenth - 1]]
    late = [group for group in groups if group.step >= steps[-tenth]]
    by_sample = {group.sample_id: group for group in late}
    same = [(group, by_sample[group.sample_id]) for group in early if group.sample_id in by_sample]
    taken = {group.group_id for pair in same for group in pair}
    others = zip(
        [group for group in early if group.group_id not in taken],
        [group for group in late if group.group_id not in taken],
        strict=False,
    )
    return [*same, *others][:PAIRS]


def _first_rows(folder: Path, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the first completion of each wanted group."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: dict[str, dict[str, Any]] = {}
    for part in iterate_rollouts(folder):
        kept = part.filter(pc.is_in(part["group_id"], value_set=pa.array(sorted(wanted), pa.string())))
        for row in kept.to_pylist():
            found.setdefault(row["group_id"], row)
    return found


def _samples(run_folder: Path, wanted: Collection[str]) -> dict[str, Sample]:
    """Return the wanted training samples that lie in the run's own folder, by id."""
    from finlmm_core.steps.samples import SampleKind, read_samples

    if not (run_folder / "samples" / "README.md").is_file():
        return {}  # trained on another run's samples: completions are shown without their questions
    kinds: tuple[SampleKind, ...] = ("text", "contrastive")
    read = (sample for kind in kinds for sample in read_samples(run_folder / "samples", kind, "train"))
    return {sample.id: sample for sample in read if sample.id in wanted}


def _pair(early: Mapping[str, Any], late: Mapping[str, Any], samples: Mapping[str, Sample]) -> Markup:
    together = early["sample_id"] == late["sample_id"]
    asked = [_asked(early, samples)] if together else [_asked(early, samples), _asked(late, samples)]
    return tag(
        "article",
        tag("div", *asked, class_="asked"),
        tag("div", _completion(early, "early"), _completion(late, "late"), class_="sides"),
        class_="card rollout",
    )


def _asked(row: Mapping[str, Any], samples: Mapping[str, Sample]) -> Markup:
    sample = samples.get(row["sample_id"])
    if sample is None:
        return tag("div", tag("p", f"Sample {row['sample_id']}", class_="question"))
    options = "   ".join(f"{letter}. {text}" for letter, text in zip(LETTERS, sample.options, strict=False))
    right = f"right: {sample.answer.letter}" if sample.options else f"right: {sample.answer.text}"
    images = row.get("gold_images") or []
    if images:
        right += f", image {', '.join(str(place + 1) for place in images)} of {len(row['images'])}"
    return tag("div", tag("p", sample.question, class_="question"), tag("p", options), tag("p", right, class_="answer"))


def _completion(row: Mapping[str, Any], when: str) -> Markup:
    text = row["completion"]
    tags = read_tags(text)
    if len(text) > MOST_CHARACTERS:
        cut = len(text) - MOST_CHARACTERS
        text = text[: MOST_CHARACTERS // 2] + f" … {cut:,} characters left out … " + text[-MOST_CHARACTERS // 2 :]
    scores = [("total", row["total"])]
    scores += [(name.removeprefix("value:"), value) for name, value in row.items() if name.startswith("value:")]
    if row.get("advantage") is not None:
        scores.append(("advantage", row["advantage"]))
    meters = [
        tag("span", tag("b", _number(value)), f" {name.replace('_', ' ')}", class_="tag") for name, value in scores
    ]
    notes = [f"{when}, step {row['step'] + 1}", f"{len(row['token_ids'])} tokens"]
    notes += ["cut off"] if row["truncated"] else []
    notes += ["" if tags.well_formed else "tags: " + ", ".join(problem.replace("_", " ") for problem in tags.problems)]
    return tag(
        "div",
        tag("p", ", ".join(note for note in notes if note), class_="when"),
        tag("pre", text or "(nothing)", class_="context"),
        tag("p", joined(*meters), class_="scores"),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
