"""The samples that a stage learns from, read from a dataset folder; the folder alone is enough."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from finlmm_core.config import RunConfig
from finlmm_core.domain import QuestionType, Sample, Split
from finlmm_core.errors import ConfigError, FinlmmError
from finlmm_core.steps.sampling.config import TIERS
from finlmm_core.steps.sampling.parquet import read_rows
from finlmm_core.steps.sampling.rows import COLUMNS, SampleKind, sample_of
from finlmm_core.store.images import ImageStore
from finlmm_core.train.config import StageConfig

_LANGUAGES = ("en", "zh")


class StageData(NamedTuple):
    """What a stage reads: its samples in the order of the dataset, and where their images are."""

    samples: list[Sample]
    images: ImageStore | None  # None where no sample has any


def samples_folder(config: RunConfig) -> Path:
    """Return the dataset's folder: ``[train] samples``, or ``samples/`` of the run.

    Raises:
        FinlmmError: neither is given.
    """
    if config.train is not None and config.train.samples is not None:
        return config.train.samples
    if config.out is None:
        raise FinlmmError(
            "No dataset to train on was given.",
            hint="Give 'samples' in the [train] table, or 'out' with the folder of a run that has samples.",
        )
    return config.out / "samples"


def read_stage(
    folder: Path, stage: StageConfig, *, split: Split = "train", kept_images: Path, writes: bool = True
) -> StageData:
    """Return the samples of a stage: its kind, the split, its types and languages, and the first ``limit`` of these.

    Images are read where the run that made the dataset keeps them (``images/`` beside ``samples/``). Where they are
    not all there, as in a dataset that was copied alone, they are taken from the parquet files into ``kept_images``.

    Args:
        folder: the dataset.
        stage: what it reads.
        split: 'train', or one that is held out.
        kept_images: where images from the parquet files are put.
        writes: False where another process of the training puts the images there.

    Raises:
        FinlmmError: the folder is no dataset, a row is no sample, or nothing is left for the stage.
    """
    read = 0
    samples: list[Sample] = []
    for sample in _read(folder, stage.samples, split):
        read += 1
        wanted = (not stage.types or sample.type.value in stage.types) and (
            not stage.languages or sample.language in stage.languages
        )
        if wanted:
            samples.append(sample)
        if stage.limit is not None and len(samples) == stage.limit:
            break
    if not samples:
        kept = [
            f"{name} = {list(value)}"
            for name, value in (("types", stage.types), ("languages", stage.languages))
            if value
        ]
        raise FinlmmError(
            f"the stage '{stage.name}' has no samples: {folder} has {read} of kind '{stage.samples}' in the split "
            f"'{split}'" + (f", none with {' and '.join(kept)}." if read else "."),
            hint="Take another kind, or leave filters out." if read else "See the table in README.md of the dataset.",
        )
    return StageData(samples, _images(folder, stage.samples, split, samples, kept_images, writes))


def _read(folder: Path, kind: SampleKind, split: Split) -> Iterator[Sample]:
    """Yield the samples of a kind and split, without the bytes of their images."""
    import pyarrow as pa

    columns = [name for name in COLUMNS[kind] if name != "images"]
    number = 0
    try:
        for row in read_rows(folder, kind, split, columns):
            number += 1
            yield sample_of(row)
    except (ValidationError, KeyError, TypeError) as error:
        raise FinlmmError(
            f"row {number} of the {kind} samples in {folder} ({split}) is no sample of finlmm: {error}",
            hint="Make the dataset with: finlmm samples RUN",
        ) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise FinlmmError(
            f"the {kind} samples in {folder} ({split}) cannot be read: {error}",
            hint="A copy may have torn a file: copy the dataset again, or make it with: finlmm samples RUN",
        ) from error


def _images(
    folder: Path, kind: SampleKind, split: Split, samples: Sequence[Sample], kept: Path, writes: bool
) -> ImageStore | None:
    """Return the store that has the samples' images, filled from the parquet files where it has to be."""
    wanted = {ref.sha256: ref for sample in samples for ref in sample.images}
    if not wanted:
        return None
    of_run = ImageStore(folder.parent / "images")
    if all(of_run.path(ref).is_file() for ref in wanted.values()):
        return of_run
    store = ImageStore(kept)
    missing = {sha256 for sha256, ref in wanted.items() if not store.path(ref).is_file()}
    if not missing or not writes:
        return store
    for row in read_rows(folder, kind, split, ["figures", "images"]):
        for figure, image in zip(row["figures"] or [], row["images"] or [], strict=False):
            # An image without bytes, or with others than the sample names, stays missing: the checks tell of it.
            if figure["sha256"] in missing and image is not None and image["bytes"] is not None:
                store.put_bytes(image["bytes"], figure["width"], figure["height"], figure["format"])
    return store


def stage_problems(stage: StageConfig, path: str) -> list[str]:
    """Return what is wrong with the words and numbers of a stage's table, a line each, beginning with the path."""
    problems = []
    words: list[tuple[str, Sequence[str], Sequence[str]]] = [
        ("types", stage.types, [kind.value for kind in QuestionType]),
        ("languages", stage.languages, _LANGUAGES),
    ]
    curriculum = stage.curriculum
    words += [(f"curriculum.tiers[{n}]", tiers, TIERS) for n, (_, tiers) in enumerate(curriculum.tiers)]
    for name, given, known in words:
        for word in given:
            if word not in known:
                near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
                meant = f" Did you mean '{near[0]}'?" if near else ""
                problems.append(f"{path}.{name}: unknown '{word}'.{meant} Known are: {', '.join(known)}.")
    for name in ("tiers", "distractors"):
        entries: Sequence[tuple[int, object]] = getattr(curriculum, name)
        steps = [step for step, _ in entries]
        if steps != sorted(set(steps)) or any(step < 0 for step in steps):
            problems.append(f"{path}.curriculum.{name}: expected steps in rising order, each once (given: {steps})")
    if any(most < 0 for _, most in curriculum.distractors):
        problems.append(f"{path}.curriculum.distractors: expected numbers from 0 on")
    if stage.samples == "text" and (curriculum.tiers or curriculum.distractors):
        problems.append(f"{path}.curriculum: text samples have no distractors; leave 'tiers' and 'distractors' out")
    return problems


def check_stages(stages: Sequence[StageConfig]) -> None:
    """Raise ConfigError with everything that ``stage_problems`` finds."""
    problems = [problem for n, stage in enumerate(stages) for problem in stage_problems(stage, f"train.stages[{n}]")]
    if problems:
        raise ConfigError(problems)
