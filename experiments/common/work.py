"""One folder of the cache is made: a backbone warmed up, or a stage trained; then its model answers what is held out.

A worker process (``python -m common.work``) reads folders from its standard input, one a line, does the ``job.json``
in each, and answers ``whole``; so the libraries are loaded once for many jobs. What is whole is kept: a trained model
is not trained again where the answers were cut short.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models are slower with more
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from common.arms import VERSION, ExperimentConfig, StageUse, train_config
from common.backbone import Look, make_backbone
from common.dataset import write_dataset
from common.held_out import HeldOut, charts, make_synthetic, own, synthetic
from common.world import TIERS
from finlmm_core.config import RunConfig
from finlmm_core.domain import Sampling
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.store.atomic import write_atomic
from finlmm_core.train.evaluate import evaluate_samples
from finlmm_core.train.evaluation import Graded
from finlmm_core.train.stages import run_training

#: Questions of each kind whose phrases the tokenizer learns.
KNOWN = 400
#: Tokens of a completion: a whole one of the world has 35.
NEW_TOKENS = 48
#: A model's answers are whole when this file is there.
ITEMS = "items.parquet"
FACTS = "facts.json"


def main() -> None:
    """Do the jobs that standard input names."""
    plugins = Plugins.load()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        folder = Path(line.strip())
        do_job(folder, plugins)  # an error ends the process; who waits for it sees that, and it is in the worker's log
        print("whole", file=answers, flush=True)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone: nobody holds the job's lock any more."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def do_job(folder: Path, plugins: Plugins) -> None:
    """Make what is not whole in a job's folder."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    config = ExperimentConfig.model_validate(job["config"])
    begun = time.process_time()
    use = StageUse.model_validate(job["use"]) if job["use"] is not None else None
    model, data = folder / "model", cache_data(folder.parent, config, job["seed"])
    if not (model / "whole").is_file():
        if use is None:
            _warm_up(model, data, config, job["seed"])
        else:
            _train(folder, config, use, job, plugins)
        (model / "whole").touch()
        spent = {"train_cpu_seconds": round(time.process_time() - begun, 1)}
        write_atomic(folder / FACTS, (json.dumps(spent) + "\n").encode())
    if not (folder / ITEMS).is_file():
        _answer(folder, data, config, job, plugins)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    facts["cpu_seconds"] = round(time.process_time() - begun, 1)
    facts["device"] = _device()
    facts["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    write_atomic(folder / FACTS, (json.dumps(facts) + "\n").encode())


def cache_data(cache: Path, config: ExperimentConfig, seed: int) -> Path:
    """Return the folder of a seed's questions that are not changed by any arm."""
    world = config.make_world()
    name = f"{config.sizes.train}-{config.sizes.held_out}-" + "-".join(map(str, world))
    return cache / "data" / f"v{VERSION}-seed{seed}-{name}"


def _warm_up(model: Path, data: Path, config: ExperimentConfig, seed: int) -> None:
    _dataset(data, config, seed)
    world = config.make_world()

    def known(kind: Any) -> list[Any]:
        return list(islice(read_samples(data / "samples", kind, "train"), KNOWN))

    held_out = {sample.id for sample in read_samples(data / "samples", "contrastive", "test")}
    shutil.rmtree(model, ignore_errors=True)

    def tell(look: Look) -> None:
        shares = f"image {look.image:.2f}, answer {look.answer:.2f}"
        progress(f"seed {seed}: step {look.step}, {look.seconds:.0f} s: loss {look.loss:.3f}, {shares}")

    make_backbone(
        model, [*known("contrastive"), *known("text")],
        world=world, warmup=config.make_warmup(), seed=seed, never=held_out, tell=tell,
    )  # fmt: skip


def _dataset(folder: Path, config: ExperimentConfig, seed: int, tiers: Any = TIERS, misaligned: float = 0.0) -> Path:
    """Return the samples of a folder; written where they are not."""
    if not (folder / "samples" / "README.md").is_file():  # the last file that is written
        shutil.rmtree(folder, ignore_errors=True)
        write_dataset(
            folder, seed=seed, train=config.sizes.train, held_out=config.sizes.held_out, world=config.make_world(),
            tiers=tiers, misaligned=misaligned,
        )  # fmt: skip
    return folder / "samples"


def _train(folder: Path, config: ExperimentConfig, use: StageUse, job: Mapping[str, Any], plugins: Plugins) -> None:
    given = use.data
    data = (
        folder / "data" if given.tiers != TIERS or given.misaligned else cache_data(folder.parent, config, job["seed"])
    )
    samples = _dataset(data, config, job["seed"], given.tiers, given.misaligned)
    table = train_config(config, use, folder.parent / job["parent"] / "model", samples)
    run = folder / "run"
    run_training(RunConfig(out=run, seed=job["seed"], train=table), plugins)
    stage = run / "train" / use.stage
    shutil.rmtree(folder / "model", ignore_errors=True)
    shutil.copytree(stage / "model", folder / "model")
    shutil.rmtree(stage / "checkpoints", ignore_errors=True)  # optimizer states are twice the model


def _answer(folder: Path, data: Path, config: ExperimentConfig, job: Mapping[str, Any], plugins: Plugins) -> None:
    """Have the model answer every set, greedily and drawn; one row for each question and way."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    backend = plugins.create("model", PluginRef(name="qwen-vl", options={"path": str(folder / "model")}))
    rows: list[dict[str, Any]] = []
    for asked in _held_out(folder.parent, data, config, job.get("charts")):
        for way, sampling in (
            ("drawn", Sampling(max_new_tokens=NEW_TOKENS, temperature=1.0, n=config.sizes.draws)),
            ("greedy", Sampling(max_new_tokens=NEW_TOKENS)),
        ):
            if way == "drawn" and asked.name != "own":
                sampling = sampling.model_copy(update={"n": 1})  # at chance: draws tell nothing more there
            found = evaluate_samples(backend, asked.samples, asked.images, sampling=sampling, seed=job["seed"])  # type: ignore[arg-type]
            rows += _rows(asked, way, found.graded)
            progress(f"{asked.name}, {way}: answers {found.accuracy}, images {found.image_selection}")
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{ITEMS}.part", compression="zstd")
    (folder / f"{ITEMS}.part").replace(folder / ITEMS)


def _held_out(cache: Path, data: Path, config: ExperimentConfig, records: str | None) -> list[HeldOut]:
    sets = [own(data)]
    if config.sizes.synthetic:
        sets.append(synthetic(synthetic_folder(cache, config), config.sizes.synthetic))
    if records is not None and config.sizes.charts:
        sets.append(charts(Path(records), cache / "charts", config.sizes.charts))
    return sets


def synthetic_folder(cache: Path, config: ExperimentConfig) -> Path:
    """Return where the synthetic reports of the evaluation are."""
    return cache / f"synthetic{config.sizes.synthetic_reports}"


def prepare_held_out(cache: Path, config: ExperimentConfig) -> None:
    """Build the synthetic reports' dataset where it is not there yet."""
    folder = synthetic_folder(cache, config)
    if config.sizes.synthetic and not (folder / "whole").is_file():
        make_synthetic(folder, config.sizes.synthetic_reports)
        (folder / "whole").touch()


def _rows(asked: HeldOut, way: str, graded: tuple[Graded, ...]) -> list[dict[str, Any]]:
    samples = {sample.id: sample for sample in asked.samples}
    together: dict[str, list[Graded]] = {}
    for one in graded:
        together.setdefault(one.sample_id, []).append(one)
    rows = []
    for name, ones in together.items():
        sample, first = samples[name], ones[0]
        tiers = [tier for tier in sample.tiers if tier != "gold"]
        rows.append(
            {
                "set": asked.name,
                "way": way,
                "item": name[:12],
                "kind": "number" if not sample.options else "two options" if len(sample.options) == 2 else "options",
                "near": sum(tier != "random" for tier in tiers),
                "draws": len(ones),
                "answer": _mean([one.accuracy or 0.0 for one in ones]),
                "image": _mean([one.image_selection or 0.0 for one in ones]),
                "format": _mean([float(one.format) for one in ones]),
                "thinking": _mean([float(one.thinking_characters) for one in ones]),
                "answer_chance": first.answer_chance,
                "image_chance": first.image_chance or 0.0,
            }
        )
    return rows


def _device() -> str:
    """Return the name of what trained: the first GPU, or the CPU."""
    import torch

    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else "CPU"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def progress(text: str) -> None:
    """Tell how far it is, beside the figures."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
