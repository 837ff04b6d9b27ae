"""What is wrong with samples, found before any weights are loaded: all of it at once, with reasons and examples.

A run is refused where there are bad samples, or goes on without them under ``--drop-bad``; then what was left out is in
``rejected.jsonl`` of the stage's folder.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from finlmm_core.answers import gold_problem
from finlmm_core.domain import ImageRef, Rejected, Sample
from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import write_atomic
from finlmm_core.train.checks_length import PromptLengths
from finlmm_core.train.config import StageConfig
from finlmm_core.train.solutions import solution

if TYPE_CHECKING:
    from finlmm_core.plugins.bases import ModelBackend
    from finlmm_core.store.images import ImageStore

REJECTED_FILE = "rejected.jsonl"
#: Reasons, each with what to do about it.
REASONS = {
    "gold_answer": "the grader cannot judge the right answer, or does not give it full marks",
    "image_missing": "an image is not in the store or is not the one that the sample names",
    "image_unreadable": "an image does not open",
    "image_size": "an image has another size than the sample says",
    "no_right_image": "none of the images is marked as the right one",
    "right_image_out_of_range": "the right image is not among the images",
    "images_and_tiers": "there are not as many tiers as images",
    "images_in_text_sample": "a text sample has images",
    "model_sees_no_images": "the sample has images and the model backend sees none",
    "prompt_too_long": "the prompt, images included, has more tokens than max_prompt_tokens",
    "no_solution": "program and evidence do not lead to the answer, so there is no worked solution to learn from",
}
_EXAMPLES = 3


class BadSamplesError(FinlmmError):
    """Samples that cannot be trained on; the message counts them by reason and shows some."""

    def __init__(self, stage: str, rejected: Sequence[Rejected], samples: int) -> None:
        self.rejected = tuple(rejected)
        lines = [f"{len(rejected):,} of the {samples:,} samples of the stage '{stage}' cannot be trained on:"]
        for reason, count in Counter(item.reason for item in rejected).most_common():
            lines.append(f"  {count:,} {reason}: {REASONS[reason]}")
            examples = [item for item in rejected if item.reason == reason][:_EXAMPLES]
            lines += [f"    {item.item_id}: {item.detail}" for item in examples]
        super().__init__("\n".join(lines), hint="Mend the dataset, or leave these samples out with --drop-bad.")


def find_bad(
    samples: Sequence[Sample],
    stage: StageConfig,
    backend: ModelBackend,
    images: ImageStore | None,
    profile: str = "finlmm",
) -> list[Rejected]:
    """Return the samples that cannot be trained on, each with the first reason found, in the order of the samples.

    Args:
        samples: of the stage.
        stage: its kind, its method and ``max_prompt_tokens``.
        backend: whose processor counts prompts; no weights are loaded.
        images: where images are read.
        profile: of the grader.
    """
    unopened = _unopened(samples, images)
    found: dict[int, tuple[str, str]] = {}
    for place, sample in enumerate(samples):
        problem = (
            _image_problem(sample, stage, backend, unopened)
            or _gold_problem(sample, profile)
            or _solution_problem(sample, stage)
        )
        if problem is not None:
            found[place] = problem
    # What has another fault is not counted: a prompt without its images has no length.
    sound = [place for place in range(len(samples)) if place not in found]
    lengths = PromptLengths(backend, images)
    if lengths.known:
        for place, tokens in zip(sound, lengths.count([samples[place] for place in sound]), strict=True):
            if tokens > stage.max_prompt_tokens:
                found[place] = ("prompt_too_long", f"{tokens:,} tokens, at most {stage.max_prompt_tokens:,} allowed")
    return [
        Rejected(step=f"train/{stage.name}", item_id=samples[place].id, reason=reason, detail=detail)
        for place, (reason, detail) in sorted(found.items())
    ]


def sound_samples(
    samples: Sequence[Sample], rejected: Sequence[Rejected], stage: str, *, drop_bad: bool
) -> list[Sample]:
    """Return the samples that can be trained on.

    Raises:
        BadSamplesError: there are others, and ``drop_bad`` is not set.
        FinlmmError: nothing is left.
    """
    if rejected and not drop_bad:
        raise BadSamplesError(stage, rejected, len(samples))
    bad = {item.item_id for item in rejected}
    kept = [sample for sample in samples if sample.id not in bad]
    if not kept:
        told = BadSamplesError(stage, rejected, len(samples)).message
        raise FinlmmError(f"nothing is left for the stage '{stage}'.\n{told}", hint="Mend the dataset.")
    return kept


def write_rejected(rejected: Sequence[Rejected], folder: Path) -> None:
    """Write what was left out, a line each; remove the file of an earlier run where nothing was."""
    path = folder / REJECTED_FILE
    if rejected:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, b"".join(item.model_dump_json().encode() + b"\n" for item in rejected))
    else:
        path.unlink(missing_ok=True)


def _gold_problem(sample: Sample, profile: str) -> tuple[str, str] | None:
    if sample.options and not 0 <= sample.answer.option < len(sample.options):
        return ("gold_answer", f"the answer is option {sample.answer.option}, there are {len(sample.options)}")
    problem = gold_problem(sample, profile)
    return None if problem is None else ("gold_answer", problem)


def _solution_problem(sample: Sample, stage: StageConfig) -> tuple[str, str] | None:
    if stage.method != "sft" or solution(sample) is not None:
        return None
    return ("no_solution", f"program {sample.program!r}, {len(sample.evidence)} pieces of evidence")


def _image_problem(
    sample: Sample, stage: StageConfig, backend: ModelBackend, unopened: dict[str, tuple[str, str]]
) -> tuple[str, str] | None:
    if stage.samples == "text":
        return ("images_in_text_sample", f"{len(sample.images)} images") if sample.images else None
    if not backend.sees_images:
        return ("model_sees_no_images", f"{len(sample.images)} images, model backend '{backend.name}'")
    if not sample.images or not sample.gold_images:
        return ("no_right_image", f"{len(sample.images)} images, {len(sample.gold_images)} of them right")
    if any(not 0 <= place < len(sample.images) for place in sample.gold_images):
        return ("right_image_out_of_range", f"image {list(sample.gold_images)} of {len(sample.images)}, from 0")
    if len(sample.tiers) != len(sample.images):
        return ("images_and_tiers", f"{len(sample.images)} images, {len(sample.tiers)} tiers")
    return next((unopened[ref.sha256] for ref in sample.images if ref.sha256 in unopened), None)


def _unopened(samples: Sequence[Sample], images: ImageStore | None) -> dict[str, tuple[str, str]]:
    """Return what is wrong with each image, by its hash; every image is decoded once, as training will do."""
    refs = list({ref.sha256: ref for sample in samples for ref in sample.images}.values())
    if images is None:
        return {ref.sha256: ("image_missing", f"{ref.sha256[:12]}...: there is no image store") for ref in refs}
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # decoding leaves the interpreter's lock
        problems = threads.map(lambda ref: _problem_of(ref, images), refs)
        return {ref.sha256: problem for ref, problem in zip(refs, problems, strict=True) if problem is not None}


def _problem_of(ref: ImageRef, images: ImageStore) -> tuple[str, str] | None:
    from PIL import Image

    try:
        data = images.read_bytes(ref)
    except FinlmmError as error:
        return ("image_missing", error.message)
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            size = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return ("image_unreadable", f"{ref.sha256[:12]}...: {error}")
    if size != (ref.width, ref.height):
        return ("image_size", f"{ref.sha256[:12]}...: {size[0]} x {size[1]}, expected {ref.width} x {ref.height}")
    return None


def dropped_by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """Return how many samples were left out for each reason."""
    return dict(sorted(Counter(item.reason for item in rejected).items()))
