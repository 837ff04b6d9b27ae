"""What a long build does to memory, and what a thousand broken files do to a build.

Usage: python benchmarks/endurance.py [--only drift|mutated] [--documents 500] [--pages 3] [--count 1000]
           [--reports DIR] [--parser pdfium|pdfminer] [--ocr none] [--workers 2] [--document-seconds 60] [--seed 0]
           [--keep DIR]

``endurance.drift``: so many synthetic reports in one build over processes. The resident memory of the parent and of
each worker is sampled while it runs; for each process the median over the samples taken while the last fifth of the
documents was at work is divided by that of the second fifth (of 500: the last hundred and the second hundred). Printed
is the worst ratio - 1. Reports are taken in the order of their names and not the longest first, which would let memory
fall. A worker that the engine replaces would make memory look flat: ``endurance.replaced`` counts them.

``endurance.mutated_failures``: pieces of a few pages of real (``--reports``) and synthetic reports, each damaged in one
of thirty ways (mutated_pdfs.py), in one build. A failure is a build that ends badly, one that makes no step for longer
than any document may take, or a file that is neither among the results, nor set aside with a reason, nor left out with
one. What became of the files is printed beside it.

JSON lines, as of the other benchmarks.
"""

from __future__ import annotations

import argparse
import json
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

#: How often memory is looked at, in seconds.
SAMPLE_SECONDS = 0.2


class Watched(NamedTuple):
    """What was seen of one build."""

    #: process -> (documents done so far, resident bytes) at each look; the parent's id comes first
    memory: dict[int, list[tuple[int, int]]]
    summary: dict[str, object]  # of the build; empty where it ended badly
    longest_seconds: float  # between two documents
    trouble: str  # '' where the build ended well
    seconds: float
    cpu_seconds: float


def line(what: str, value: float, unit: str, n: int) -> None:
    """Print one measurement."""
    print(json.dumps({"what": what, "value": round(value, 4), "unit": unit, "n": n}), flush=True)


# ------------------------------------------------------------------------------------------------------ one build


def build(reports: Path, out: Path, settings: list[str], patience: float) -> Watched:
    """Build in a process of its own and watch it; end it where nothing moves for longer than ``patience`` seconds."""
    command = [sys.executable, __file__, "--child", str(reports), str(out), *settings]
    errors = (out.parent / "errors.txt").open("w+")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    said: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(process, said), daemon=True).start()
    parent = psutil.Process(process.pid)
    memory: dict[int, list[tuple[int, int]]] = defaultdict(list)
    cpu: dict[int, float] = {}
    done, longest, trouble = 0, 0.0, ""
    summary: dict[str, object] = {}
    started = moved = time.monotonic()
    while process.poll() is None or not said.empty():
        time.sleep(SAMPLE_SECONDS)
        while not said.empty():
            text = said.get()
            longest, moved = max(longest, time.monotonic() - moved), time.monotonic()
            if text.startswith("{"):
                summary = json.loads(text)
            else:
                done = int(text)
        for pid, resident, used in _resident(parent):
            memory[pid].append((done, resident))
            cpu[pid] = used
        if time.monotonic() - moved > patience:
            trouble = f"hang: nothing moved for {patience:.0f} s after {done} documents"
            for one in [*parent.children(recursive=True), parent]:
                one.kill()
            break
    process.wait()
    errors.seek(0)
    if not trouble and (process.returncode != 0 or not summary):
        trouble = f"crash: exit code {process.returncode}: {errors.read()[-2000:]}"
    errors.close()
    return Watched(dict(memory), summary, longest, trouble, time.monotonic() - started, sum(cpu.values()))


def _listen(process: subprocess.Popen[str], said: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for text in process.stdout:
        said.put(text)


def _resident(parent: psutil.Process) -> Iterator[tuple[int, int, float]]:
    """Yield (process, resident bytes, CPU seconds) of the parent and its workers."""
    try:
        found = [parent, *parent.children()]
    except psutil.NoSuchProcess:
        return
    for one in found:
        try:
            used = one.cpu_times()
            if one.pid == parent.pid or "spawn_main" in " ".join(one.cmdline()):
                yield one.pid, one.memory_info().rss, used.user + used.system
        except psutil.NoSuchProcess:
            continue


def child(reports: Path, out: Path, settings: list[str]) -> None:
    """Build as ``finlmm build`` does, documents by name; print how many are done after each, then the summary."""
    from finlmm_core.config import load_config
    from finlmm_core.plugins.manager import Plugins
    from finlmm_core.steps import sources
    from finlmm_core.steps.progress import Progress
    from finlmm_core.steps.runner import run_steps

    class Counted(Progress):
        done = 0

        def advance(self, step: str, note: str = "", count: int = 1) -> None:
            self.done += count
            print(self.done, flush=True)

    sources._cost = lambda data: 0.0  # no document first because it is long
    plugins = Plugins.load()
    config = load_config([], settings, {"reports": str(reports), "out": str(out)}, plugins)
    print(run_steps(config, plugins, progress=Counted()).model_dump_json(), flush=True)


# ---------------------------------------------------------------------------------------------------------- drift


def drift(watched: Watched, documents: int) -> dict[int, float]:
    """Return for each process the median memory over the last fifth of documents, over that of the second, minus 1."""
    fifth = documents / 5
    ratios = {}
    for pid, samples in watched.memory.items():
        second = [resident for done, resident in samples if fifth <= done < 2 * fifth]
        last = [resident for done, resident in samples if 4 * fifth <= done < documents]
        if second and last:
            ratios[pid] = statistics.median(last) / statistics.median(second) - 1
    return ratios


def measure_drift(arguments: argparse.Namespace, folder: Path) -> None:
    """Print ``endurance.drift`` and what belongs to it."""
    from finlmm_core.synth import make_reports
    from finlmm_core.synth.truth import Truth

    n = arguments.documents
    if not (folder / "reports" / "truth.json").exists():  # else kept by --keep
        started = time.process_time()
        make_reports(folder / "reports", n, arguments.seed, pages=arguments.pages)
        line("endurance.synth_cpu", time.process_time() - started, "s", n)
    settings = _settings(arguments)
    watched = build(folder / "reports", folder / "run", settings, patience=2 * arguments.document_seconds + 600)
    ratios = drift(watched, n)
    parent, *workers = watched.memory
    if parent not in ratios:
        raise SystemExit(watched.trouble or "too few documents to compare")
    line("endurance.drift", max(ratios.values()), "share", n)
    line("endurance.drift.parent", ratios[parent], "share", n)
    for number, worker in enumerate(worker for worker in workers if worker in ratios):
        line(f"endurance.drift.worker_{number}", ratios[worker], "share", n)
    line("endurance.replaced", len(workers) - arguments.workers, "workers", n)
    line("endurance.peak_parent", _peak(watched, [parent], n), "MB", n)
    line("endurance.peak_worker", _peak(watched, workers, n), "MB", n)
    line("endurance.pages", sum(len(report.pages) for report in Truth.load(folder / "reports").reports), "pages", n)
    line("endurance.cpu", watched.cpu_seconds, "s", n)
    for name, processes in (("parent", [parent]), ("workers", workers)):
        fifths = [_in_fifth(watched, processes, n, number) for number in range(5)]
        print(
            f"# {name}: median MB while each fifth was at work: {', '.join(f'{mb:.0f}' for mb in fifths)}", flush=True
        )


def _peak(watched: Watched, processes: list[int], documents: int) -> float:
    """Return the most that one of the processes held while documents were at work, in MB."""
    found = [size for pid in processes for done, size in watched.memory[pid] if done < documents]
    return max(found, default=0) / 2**20


def _in_fifth(watched: Watched, processes: list[int], documents: int, number: int) -> float:
    low, high = number * documents / 5, (number + 1) * documents / 5
    sizes = [size for pid in processes for done, size in watched.memory[pid] if low <= done < high]
    return statistics.median(sizes) / 2**20 if sizes else 0.0


def _settings(arguments: argparse.Namespace) -> list[str]:
    return [
        f"engine.workers={arguments.workers}",
        f"engine.document_seconds={arguments.document_seconds}",
        f"engine.document_memory_mb={arguments.document_memory}",
        f"parse.parser={arguments.parser}",
        *([f"parse.ocr={arguments.ocr}"] if arguments.ocr else []),
        "audit.enabled=false",
    ]


# -------------------------------------------------------------------------------------------------------- mutated


def measure_mutated(arguments: argparse.Namespace, folder: Path) -> None:
    """Print ``endurance.mutated_failures`` and what became of the files."""
    from mutated_pdfs import cut_pieces, mutants

    from finlmm_core.synth import make_reports

    make_reports(folder / "synthetic", 12, arguments.seed, pages=3)
    bases = cut_pieces(folder / "synthetic", 2, 1, arguments.seed)
    if arguments.reports is not None:
        bases += cut_pieces(arguments.reports, arguments.cut, 4, arguments.seed)
    reports = folder / "reports"
    reports.mkdir()
    for name, data in mutants(bases, arguments.count, arguments.seed):
        (reports / name).write_bytes(data)
    # A document is tried twice where it takes a worker down; then the samples and the report page are made.
    patience = 2 * arguments.document_seconds + 300
    watched = build(reports, folder / "run", _settings(arguments), patience)
    outcomes = became(reports, folder / "run")
    lost = sorted(name for name, outcome in outcomes.items() if outcome == "lost")
    n = len(outcomes)
    failures = len(lost) + bool(watched.trouble)
    line("endurance.mutated_failures", failures, "files", n)
    crashed, hung = watched.trouble.startswith("crash"), watched.trouble.startswith("hang")
    line("endurance.mutated.run_crashes", int(crashed), "runs", n)
    line("endurance.mutated.run_hangs", int(hung), "runs", n)
    line("endurance.mutated.lost", len(lost), "files", n)
    for outcome, count in sorted(Counter(outcomes.values()).items(), key=lambda item: -item[1]):
        line(f"endurance.mutated.{outcome}", count, "files", n)
    parent, *workers = watched.memory
    line("endurance.mutated.peak_parent", _peak(watched, [parent], n + 1), "MB", n)
    line("endurance.mutated.peak_worker", _peak(watched, workers, n + 1), "MB", n)
    line("endurance.mutated.longest", watched.longest_seconds, "s", n)
    line("endurance.mutated.cpu", watched.cpu_seconds, "s", n)
    for name in [*lost, *(name for name, outcome in sorted(outcomes.items()) if outcome in SHOWN)]:
        print(f"# {name}: {outcomes[name]}", flush=True)
    if watched.trouble:
        print(f"# {watched.trouble}", flush=True)
    if failures:
        raise SystemExit(1)


#: Reasons that tell of a parser's trouble rather than of a file's; the files are named.
SHOWN = ("lost", "crashed", "error", "time_limit", "memory_limit")


def became(reports: Path, run: Path) -> dict[str, str]:
    """Return what became of each file: 'parsed', the reason why it was set aside or left out, or 'lost'."""
    from finlmm_core.steps.document_steps import DocumentContext
    from finlmm_core.steps.plan import DOCUMENT_STEPS
    from finlmm_core.steps.sources import read_sources

    found = dict.fromkeys((path.name for path in reports.iterdir()), "lost")
    sources = read_sources(run)
    found.update({item.item_id: item.reason for item in sources.rejected})
    for source in sources.files:
        context = DocumentContext(run, sources.root, source)
        outcome = "parsed"
        for step in DOCUMENT_STEPS:
            header = context.store(step).header(source.sha256)
            if header is None:
                outcome = "lost"
            elif header.status == "set_aside":
                outcome = context.store(step).rejected(source.sha256)[0].reason
            else:
                continue
            break
        found[source.relative] = outcome
    return found


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["drift", "mutated"])
    parser.add_argument("--documents", type=int, default=500, help="synthetic reports of the drift")
    parser.add_argument("--pages", type=int, default=3, help="about so many pages a synthetic report")
    parser.add_argument("--count", type=int, default=1000, help="mutated files")
    parser.add_argument("--cut", type=int, default=3, help="pages of a piece that is cut from a real report")
    parser.add_argument("--reports", type=Path, help="folder of real reports for the mutated files")
    parser.add_argument("--parser", default="pdfium")
    parser.add_argument("--ocr", help="an OCR engine, or 'none'; the default engine if not given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--document-seconds", type=float, default=60)
    parser.add_argument("--document-memory", type=int, default=4096, help="MB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="keep files and runs in this folder")
    arguments = parser.parse_args()
    for name, measure in (("drift", measure_drift), ("mutated", measure_mutated)):
        if arguments.only not in (None, name):
            continue
        if arguments.keep is not None:
            folder = arguments.keep / name
            folder.mkdir(parents=True, exist_ok=True)
            measure(arguments, folder)
        else:
            with tempfile.TemporaryDirectory() as temporary:
                measure(arguments, Path(temporary))


if __name__ == "__main__":
    main()
