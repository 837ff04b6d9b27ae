"""What a build costs a page, and on paper what many reports would cost: cores, hours, memory, disk, money.

Usage: python benchmarks/scale.py --reports DIR [--limit N] [--no-ocr] [--run RUN]
           [--project 23397 1000000] [--pages 100] [--core-hour .05] [--gb-month .025] [--cores 64]

It takes the reports (the smallest N) through parse, generate and align in this process and prints CPU seconds a page
by step, and bytes on disk a page by folder. ``--run`` names a finished run of such reports, from which the bytes of
samples and the seconds of reading a report back are taken. Then it multiplies: one JSON line a figure, for each number
of reports in ``--project`` and reports of ``--pages`` pages. Prices are assumptions of whoever calls it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from finlmm_core.config import load_config
from finlmm_core.plugins.manager import Plugins
from finlmm_core.steps.corpus import RunCorpus
from finlmm_core.steps.plan import DOCUMENT_STEPS, DocumentWork, make_document_steps
from finlmm_core.steps.sources import find_sources, read_sources
from finlmm_core.store.run import STEP_FOLDERS


class Costs(NamedTuple):
    """Measured, a page."""

    pages: int
    cpu_seconds: dict[str, float]  # by step
    bytes: dict[str, float]  # by folder
    figures: float


def line(what: str, value: float, unit: str, n: int) -> None:
    print(json.dumps({"what": what, "value": float(f"{value:.4g}"), "unit": unit, "n": n}), flush=True)


def measure(reports: Path, limit: int | None, ocr: bool) -> Costs:
    """Take reports through the document steps, one after another in this process."""
    plugins = Plugins.load()
    settings = [] if ocr else ["parse.ocr=none"]
    config = load_config(settings=settings, plugins=plugins)
    sources = find_sources(reports)
    files = sorted(sources.files, key=lambda source: source.size)[:limit]
    steps = make_document_steps(config, plugins, DOCUMENT_STEPS)
    seconds: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        work = DocumentWork(run, sources.root, steps)
        for source in files:
            marks: list[tuple[str, float]] = []
            done = work(source, lambda step, marks=marks: marks.append((step, time.process_time())))
            marks.append(("", time.process_time()))
            for (step, began), (_, ended) in itertools.pairwise(marks):
                seconds[step] += ended - began
            for item in done:
                counts.update(item.header.counts)
        sizes = {name: _bytes(run / name) for name in ("images", *(STEP_FOLDERS[step] for step in DOCUMENT_STEPS))}
    pages = counts["pages"]
    return Costs(
        pages,
        {step: seconds[step] / pages for step in DOCUMENT_STEPS},
        {name: size / pages for name, size in sizes.items()},
        counts["figures"] / pages,
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def read_back(run: Path) -> tuple[float, float]:
    """Return CPU seconds a page of reading a run's documents, and bytes of its samples a page."""
    corpus = RunCorpus(run, read_sources(run))
    times, pages = [], 0
    began = time.process_time()
    for record in corpus:
        times.append(time.process_time() - began)
        pages += len(record.document.pages)
        began = time.process_time()
    return sum(times) / max(1, pages), _bytes(run / "samples") / max(1, pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--no-ocr", action="store_true")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--project", type=int, nargs="*", default=[23_397, 1_000_000])
    parser.add_argument("--pages", type=float, default=100.0)
    parser.add_argument("--core-hour", type=float, default=0.05)
    parser.add_argument("--gb-month", type=float, default=0.025)
    parser.add_argument("--cores", type=int, default=64)
    arguments = parser.parse_args()
    costs = measure(arguments.reports, arguments.limit, not arguments.no_ocr)
    for step, seconds in costs.cpu_seconds.items():
        line(f"scale.{step}.cpu_a_page", seconds, "seconds", costs.pages)
    for name, size in costs.bytes.items():
        line(f"scale.{name}.bytes_a_page", size, "bytes", costs.pages)
    line("scale.figures_a_page", costs.figures, "figures", costs.pages)
    reading, samples = read_back(arguments.run) if arguments.run else (0.0, 0.0)
    if arguments.run:
        line("scale.read_back.cpu_a_page", reading, "seconds", costs.pages)
        line("scale.samples.bytes_a_page", samples, "bytes", costs.pages)
    for reports in arguments.project:
        pages = reports * arguments.pages
        hours = pages * sum(costs.cpu_seconds.values()) / 3600
        gigabytes = pages * (sum(costs.bytes.values()) + samples) / 1e9
        line(f"scale.{reports}.core_hours", hours, "hours", reports)
        line(f"scale.{reports}.hours_on_{arguments.cores}_cores", hours / arguments.cores, "hours", reports)
        line(f"scale.{reports}.disk", gigabytes, "GB", reports)
        line(f"scale.{reports}.figures", pages * costs.figures, "figures", reports)
        line(f"scale.{reports}.read_back_hours", pages * reading / 3600, "hours of one core", reports)
        line(f"scale.{reports}.cores_price", hours * arguments.core_hour, "money", reports)
        line(f"scale.{reports}.disk_price_a_month", gigabytes * arguments.gb_month, "money", reports)


if __name__ == "__main__":
    main()
