"""Held-out samples, answered before the first stage and after each."""

from __future__ import annotations

import random
from pathlib import Path

from finlmm_core.config import RunConfig
from finlmm_core.domain import Sampling, Split
from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import ModelBackend
from finlmm_core.train.checks import find_bad, sound_samples
from finlmm_core.train.config import TrainConfig
from finlmm_core.train.data import StageData, read_stage, samples_folder
from finlmm_core.train.evaluate import evaluate_samples
from finlmm_core.train.evaluation import Evaluation, Graded, summarise
from finlmm_core.train.parallel import gathered, process_count, process_number

_SPLITS: tuple[Split, ...] = ("validation", "test")
_NAME = "held-out"


def held_out(
    config: RunConfig, backend: ModelBackend, folder: Path, *, drop_bad: bool, writes: bool
) -> StageData | None:
    """Return the samples that are answered between stages; None where ``train.evaluate`` is 0.

    They are of the last stage's kind, types and languages, because that stage is what the training is for: drawn by the
    run's seed from the split 'validation', or from 'test' where that is empty.

    Raises:
        FinlmmError: there are none, or bad ones among them and ``drop_bad`` is not set.
    """
    assert config.train is not None
    train = config.train
    if not train.evaluate:
        return None
    last = train.stages[-1]
    like = last.model_copy(update={"name": _NAME, "method": "grpo", "limit": None})
    data: StageData | None = None
    for split in _SPLITS:
        try:
            data = read_stage(samples_folder(config), like, split=split, kept_images=folder / "images", writes=writes)
            break
        except FinlmmError:
            if split == _SPLITS[-1]:
                raise
    assert data is not None
    count = min(train.evaluate, len(data.samples))
    drawn = random.Random(f"{config.seed}:{_NAME}").sample(range(len(data.samples)), count)
    samples = [data.samples[place] for place in sorted(drawn)]
    rejected = find_bad(samples, like, backend, data.images, train.grader)
    return StageData(sound_samples(samples, rejected, _NAME, drop_bad=drop_bad), data.images)


def sampling_of(train: TrainConfig) -> Sampling:
    """Return how held-out samples are answered: greedily, with the length that the last GRPO stage allows."""
    from finlmm_core.train.grpo_options import grpo_arguments

    for stage in reversed(train.stages):
        if stage.method == "grpo":
            return Sampling(max_new_tokens=grpo_arguments(stage.grpo).max_completion_length or 512)
    return Sampling()


def evaluate_model(
    backend: ModelBackend, data: StageData, folder: Path, *, profile: str, sampling: Sampling, seed: int
) -> dict[str, float]:
    """Have a model answer held-out samples and keep what it wrote in a folder; return the figures.

    What stands there already from the same model folder on the same samples is not made again. With several processes
    each answers its share.

    Args:
        backend: of the model that answers.
        data: the samples, and their images.
        folder: where ``evaluation.json`` and ``evaluation.parquet`` go.
        profile: of the grader.
        sampling: how completions are drawn.
        seed: of the run.
    """
    model = f"{backend.name}: {backend.options.path}"
    known = gathered([_kept(folder, model, data, profile, sampling, seed) if process_number() == 0 else None])[0]
    if known is not None:
        return known.metrics()
    share = data.samples[process_number() :: process_count()]
    mine = evaluate_samples(backend, share, data.images, profile, sampling, seed).graded if share else ()
    by_sample: dict[str, list[Graded]] = {}
    for one in gathered(list(mine)):
        by_sample.setdefault(one.sample_id, []).append(one)
    graded = [one for sample in data.samples for one in by_sample[sample.id]]
    found = summarise(graded, model=model, profile=profile, sampling=sampling, seed=seed)
    if process_number() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        found.save(folder)
    return found.metrics()


def _kept(folder: Path, model: str, data: StageData, profile: str, sampling: Sampling, seed: int) -> Evaluation | None:
    """Return the evaluation in a folder where it is of the same model on the same samples."""
    try:
        found = Evaluation.load(folder)
    except FinlmmError:  # none, or one that a killed run left half written
        return None
    same = (found.model, found.profile, found.sampling, found.seed) == (model, profile, sampling, seed)
    asked = list(dict.fromkeys(one.sample_id for one in found.graded))
    return found if same and asked == [sample.id for sample in data.samples] else None
