"""CPU time a page of the engine `ray` over `processes`: the same reports, one machine, interleaved rounds.

Usage: python benchmarks/engines.py --reports DIR [--workers 2] [--rounds 3] [--limit N]

Each round takes the reports through parse, generate and align by either engine, in a fresh process and a fresh folder,
and counts the CPU seconds of every process that came of it: the command, its workers, Ray's driver, its raylet and
all its services. They are sampled five times a second, so of each process at most its last .2 seconds are missed.

What an engine takes to start and to close down is measured apart (tasks that do nothing, one a worker) and taken off
before the division by pages, for both alike; what Ray costs while it runs stays in. Printed as JSON lines:
``engines.ray_over_processes`` (median of the ratios round by round), ``engines.<name>.cpu_a_page``,
``engines.<name>.start_cpu_seconds`` and ``engines.<name>.start_seconds`` (wall clock, to the end).
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from finlmm_core.config import EngineConfig
from finlmm_core.engines import make_engine

ENGINES = ("processes", "ray")
SAMPLE_SECONDS = 0.2
#: Work that does nothing, by a name that every process can import: what remains is the engine's own.
NOTHING = operator.is_not


class Cost(NamedTuple):
    """What a command and all that it started took, in seconds."""

    cpu: float
    wall: float


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command and return what it took, every process below it included."""
    seen: dict[tuple[int, float], float] = {}
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen(command, stdout=said, stderr=said, env={**os.environ, "OMP_NUM_THREADS": "1"})
        while process.poll() is None:
            _look(process, seen)
            time.sleep(SAMPLE_SECONDS)
        wall = time.monotonic() - started
        if process.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read().decode()}")
    return Cost(sum(seen.values()), wall)


def _look(process: psutil.Process, seen: dict[tuple[int, float], float]) -> None:
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            times = one.cpu_times()
            seen[one.pid, one.create_time()] = times.user + times.system
        except psutil.NoSuchProcess:
            continue


def start(engine: str, workers: int) -> None:
    """Let each worker of an engine do nothing once."""
    config = EngineConfig(name=engine, workers=workers)  # type: ignore[arg-type]
    assert len(list(make_engine(config).map(NOTHING, range(workers)))) == workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, help="folder of PDFs; 12 synthetic reports if not given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, help="take only so many reports, the smallest first")
    parser.add_argument("--start", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.start:
        start(arguments.start, arguments.workers)
        return
    costs: dict[str, list[Cost]] = {name: [] for name in ENGINES}
    starts: dict[str, list[Cost]] = {name: [] for name in ENGINES}
    pages = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reports = _reports(arguments.reports, arguments.limit, folder)
        (folder / "config.toml").write_text(f'reports = "{reports}"\n', encoding="utf-8")
        for turn in range(arguments.rounds):
            for engine in ENGINES if turn % 2 == 0 else ENGINES[::-1]:
                starts[engine].append(
                    cost_of([sys.executable, __file__, "--start", engine, "--workers", str(arguments.workers)])
                )
                run = folder / f"{engine}-{turn}"
                costs[engine].append(cost_of(_command(folder / "config.toml", run, engine, arguments.workers)))
                record = json.loads((run / "parsed" / "manifest.json").read_bytes())
                pages = record["counts"]["pages"]

    def line(what: str, value: float, unit: str) -> None:
        print(json.dumps({"what": what, "value": round(value, 4), "unit": unit, "n": pages}), flush=True)

    a_page = {
        engine: [(cost.cpu - empty.cpu) / pages for cost, empty in zip(costs[engine], starts[engine], strict=True)]
        for engine in ENGINES
    }
    ratios = [ray / processes for processes, ray in zip(*(a_page[engine] for engine in ENGINES), strict=True)]
    line("engines.ray_over_processes", statistics.median(ratios), "ratio")
    line("engines.ray_over_processes.lowest", min(ratios), "ratio")
    line("engines.ray_over_processes.highest", max(ratios), "ratio")
    for engine in ENGINES:
        line(f"engines.{engine}.cpu_a_page", statistics.median(a_page[engine]), "seconds")
        line(f"engines.{engine}.seconds", statistics.median(cost.wall for cost in costs[engine]), "seconds")
        line(f"engines.{engine}.start_cpu_seconds", statistics.median(one.cpu for one in starts[engine]), "seconds")
        line(f"engines.{engine}.start_seconds", statistics.median(one.wall for one in starts[engine]), "seconds")


def _reports(given: Path | None, limit: int | None, folder: Path) -> Path:
    """Return the folder of reports to measure on: the one given, its smallest copied, or synthetic ones."""
    if given is None:
        from finlmm_core.synth import make_reports

        make_reports(folder / "reports", count=limit or 12, seed=7)
        return folder / "reports"
    if limit is None:
        return given.resolve()
    (folder / "reports").mkdir()
    for pdf in sorted(given.resolve().rglob("*.pdf"), key=lambda path: path.stat().st_size)[:limit]:
        (folder / "reports" / pdf.name).write_bytes(pdf.read_bytes())
    return folder / "reports"


def _command(config: Path, run: Path, engine: str, workers: int) -> list[str]:
    finlmm = str(Path(sys.executable).with_name("finlmm"))
    settings = ["--set", f"engine.name={engine}", "--set", f"engine.workers={workers}"]
    return [finlmm, "run", str(config), "-o", str(run), "--to", "align", "--quiet", *settings]


if __name__ == "__main__":
    main()
