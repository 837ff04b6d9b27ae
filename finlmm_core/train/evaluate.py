"""Held-out evaluation: samples are answered by a model and graded by the one grader.

The same function measures a stage of a training, and a benchmark::

    backend = plugins.create("model", PluginRef(name="qwen-vl", options={"path": "runs/mine/train/stage2/model"}))
    result = evaluate_samples(backend, samples, images, sampling=Sampling(max_new_tokens=512))
    result.accuracy.value, result.accuracy.low, result.accuracy.high
    result.save(Path("runs/mine/eval"))

Every share is over **all** samples that were asked for: a completion that is empty, cut off or without an answer counts
as wrong, and so does one that the grader cannot judge (how many those were is told beside).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from finlmm_core.answers import grade_sample
from finlmm_core.answers.selection import blind_chance, picked_right, read_selection
from finlmm_core.answers.tags import read_tags
from finlmm_core.domain import Completion, Sample, Sampling
from finlmm_core.errors import FinlmmError
from finlmm_core.prompts import in_format, selects_image
from finlmm_core.train.evaluation import Evaluation, Graded, Measure, Slice, gain, summarise

if TYPE_CHECKING:
    from finlmm_core.plugins.bases import ModelBackend
    from finlmm_core.store.images import ImageStore

__all__ = ["Evaluation", "Graded", "Measure", "Slice", "evaluate_completion", "evaluate_samples", "gain"]

#: Samples whose images are in memory at one time; a backend makes its own, smaller batches of them.
_CHUNK = 64


def evaluate_samples(
    backend: ModelBackend,
    samples: Sequence[Sample],
    images: ImageStore | None,
    profile: str = "finlmm",
    sampling: Sampling | None = None,
    seed: int = 0,
    *,
    count_tokens: Callable[[str], int] | None = None,
    advance: Callable[[int], None] | None = None,
) -> Evaluation:
    """Have a model answer samples and grade what it wrote.

    Args:
        backend: answers; its weights are loaded at the first batch.
        samples: what is asked, in this order; text-only, single-image and contrastive ones may be mixed.
        images: where the samples' images are read; may be None where no sample has any.
        profile: name of the grader's profile (tolerances, percent and scale handling).
        sampling: greedy with 512 new tokens if not given. With ``n`` above 1 each sample is answered n times and
            counts with the mean of its completions.
        seed: of drawing completions and of the intervals; the same seed gives the same result where the backend can.
        count_tokens: counts the thinking's tokens; the backend's own tokenizer if not given, characters alone where it
            has none at hand.
        advance: told after every batch how many samples were answered in it.

    Raises:
        FinlmmError: no samples, two with one id, samples with images but no ``images``, an unknown profile, or the
            model fails.
    """
    sampling = sampling or Sampling()
    if not samples:
        raise FinlmmError("there are no samples to evaluate.", hint="Choose another split, or more question types.")
    if len({sample.id for sample in samples}) != len(samples):
        raise FinlmmError(f"{len(samples)} samples have {len({sample.id for sample in samples})} different ids.")
    if images is None and any(sample.images for sample in samples):
        raise FinlmmError("samples with images need the image store that they belong to.")
    graded: list[Graded] = []
    for start, chunk in _chunks(samples):
        drawn = sampling.model_copy(update={"seed": seed + start})
        answers = backend.generate([backend.messages(sample, images) for sample in chunk], drawn)
        if len(answers) != len(chunk) or any(len(of_one) != sampling.n for of_one in answers):
            raise FinlmmError(
                f"the model backend '{backend.name}' returned {[len(of_one) for of_one in answers]} completions for "
                f"{len(chunk)} prompts; expected {sampling.n} for each."
            )
        if count_tokens is None and backend.trains:
            count_tokens = _counter(backend)
        for sample, of_one in zip(chunk, answers, strict=True):
            graded += [evaluate_completion(sample, completion, profile, count_tokens) for completion in of_one]
        if advance is not None:
            advance(len(chunk))
    return summarise(
        graded, model=f"{backend.name}: {backend.options.path}", profile=profile, sampling=sampling, seed=seed
    )


def _chunks(samples: Sequence[Sample]) -> Iterator[tuple[int, Sequence[Sample]]]:
    for start in range(0, len(samples), _CHUNK):
        yield start, samples[start : start + _CHUNK]


def _counter(backend: ModelBackend) -> Callable[[str], int]:
    tokenizer = backend.load("generate").tokenizer
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def evaluate_completion(
    sample: Sample, completion: Completion, profile: str = "finlmm", count_tokens: Callable[[str], int] | None = None
) -> Graded:
    """Return what one completion is worth: format, answer, picked image, length."""
    tags = read_tags(completion.text)
    grade = grade_sample(sample, completion.text, profile)
    thinking = tags.think or ""
    picks = selects_image(sample) and len(sample.images) > 1
    picked = read_selection(tags.image_selection)
    return Graded(
        sample_id=sample.id,
        type=sample.type.value,
        language=sample.language,
        completion=completion.text,
        format=in_format(sample, tags),
        accuracy=grade.value,
        reason=grade.reason,
        given=_shown(grade.given),
        gold=sample.answer.text,
        answer_chance=1 / len(sample.options) if sample.options else 0.0,
        picked=tuple(sorted(picked or ())),
        image_selection=float(picked_right(sample, tags.image_selection)) if picks else None,
        image_chance=blind_chance(sample) if picks else None,
        thinking_characters=len(thinking),
        thinking_tokens=count_tokens(thinking) if count_tokens is not None else None,
        tokens=len(completion.token_ids) or None,
        truncated=completion.truncated,
    )


def _shown(given: object) -> str:
    return "" if given is None else str(getattr(given, "text", given))
