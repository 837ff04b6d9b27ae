"""A build that is killed at any moment goes on with the same command and ends with the bytes of one never killed."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

FINLMM = str(Path(sys.executable).with_name("finlmm"))
#: What may differ between equal runs: the lock, how long things took, and the page that shows it.
MAY_DIFFER = {".lock", "timings.jsonl", "report"}


def build_command(reports: Path, run: Path, engine: str = "processes") -> list[str]:
    return [FINLMM, "build", str(reports), "-o", str(run), "--quiet", "--engine", engine, "--workers", "2"]


def digest(run: Path) -> dict[str, str]:
    """Return the hash of every file of a run that must be equal."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.relative_to(run).parts[0] not in MAY_DIFFER
    }


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth")
    subprocess.run([FINLMM, "synth", str(folder), "-n", "2", "--seed", "11", "--quiet"], check=True)
    return folder


@pytest.fixture(scope="module")
def whole(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """The files of a build that was never killed, and the seconds it took."""
    run = tmp_path_factory.mktemp("whole") / "run"
    started = time.monotonic()
    subprocess.run(build_command(reports, run), check=True)
    return digest(run), time.monotonic() - started


def kill_at(command: list[str], seconds: float) -> bool:
    """Start a command and kill it and nothing else with SIGKILL after so many seconds; return whether it still ran."""
    process = subprocess.Popen(command)
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive, "workers outlived their parent"
        return True


def kill_and_resume(reports: Path, run: Path, expected: dict[str, str], seconds: float, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    killed = 0
    for _ in range(kills):
        killed += kill_at(build_command(reports, run), chance.uniform(0.2, seconds))
    subprocess.run(build_command(reports, run), check=True)
    assert killed, "no build was running when it was to be killed"
    assert digest(run) == expected
    assert not list(run.rglob(".writing-*")), "half-written files were left behind"


def test_a_build_killed_three_times_ends_with_the_same_bytes(
    reports: Path, whole: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    kill_and_resume(reports, tmp_path / "run", whole[0], whole[1], kills=3, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(20))
def test_a_build_killed_at_a_random_moment_ends_with_the_same_bytes(
    reports: Path, whole: tuple[dict[str, str], float], tmp_path: Path, moment: int
) -> None:
    expected, seconds = whole
    run = tmp_path / "run"
    kill_at(build_command(reports, run), random.Random(moment).uniform(0.1, seconds))
    subprocess.run(build_command(reports, run), check=True)
    assert digest(run) == expected


def test_serial_and_processes_make_the_same_bytes(
    reports: Path, whole: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    subprocess.run(build_command(reports, run, "serial"), check=True)
    ours, theirs = digest(run), dict(whole[0])
    # The configuration names the engine; nothing else may depend on it.
    for files in (ours, theirs):
        files.pop("config.resolved.toml")
    assert ours == theirs


def test_the_same_command_again_has_nothing_to_do(
    reports: Path, whole: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    subprocess.run(build_command(reports, run), check=True)
    before = {
        path: path.stat().st_mtime_ns for path in (run / "parsed").rglob("*.json") if path.parent.name != "parsed"
    }
    subprocess.run(build_command(reports, run), check=True)
    after = {path: path.stat().st_mtime_ns for path in (run / "parsed").rglob("*.json") if path.parent.name != "parsed"}
    assert before == after and before
    assert digest(run) == whole[0]
