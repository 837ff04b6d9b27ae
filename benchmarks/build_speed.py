"""Wall time of a whole build over processes and serially, OCR included, interleaved on the same machine.

Usage: python benchmarks/build_speed.py --reports DIR [--workers 2] [--rounds 1] [--skip-serial]
Prints ``build.minutes`` (processes, median over rounds), ``build.serial_minutes``, ``build.speedup`` (median of the
ratios round by round) and ``build.peak_worker_mb`` as JSON lines. Each round is a fresh process and a fresh folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def build(reports: Path, out: Path, engine: str, workers: int) -> tuple[float, dict[str, object]]:
    """Return wall seconds and the summary of one build."""
    command = [str(Path(sys.executable).with_name("finlmm")), "build", str(reports), "-o", str(out), "--json"]
    command += ["--engine", engine, "--workers", str(workers)]
    started = time.monotonic()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {answer.returncode}:\n{answer.stderr}")
    return seconds, json.loads(answer.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--skip-serial", action="store_true")
    arguments = parser.parse_args()
    parallel: list[float] = []
    serial: list[float] = []
    peaks: list[float] = []
    reports = 0
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            seconds, summary = build(arguments.reports, Path(folder) / "run", "processes", arguments.workers)
            parallel.append(seconds)
            peaks.append(float(str(summary["peak_worker_mb"])))
            reports = summary["steps"]["parse"]["record"]["inputs"]  # type: ignore[index]
        if not arguments.skip_serial:
            with tempfile.TemporaryDirectory() as folder:
                serial.append(build(arguments.reports, Path(folder) / "run", "serial", 1)[0])

    def line(what: str, value: float, unit: str) -> None:
        print(json.dumps({"what": what, "value": round(value, 3), "unit": unit, "n": reports}))

    line("build.minutes", statistics.median(parallel) / 60, "min")
    line("build.peak_worker_mb", max(peaks), "MB")
    if serial:
        line("build.serial_minutes", statistics.median(serial) / 60, "min")
        line("build.speedup", statistics.median(s / p for s, p in zip(serial, parallel, strict=True)), "ratio")


if __name__ == "__main__":
    main()
