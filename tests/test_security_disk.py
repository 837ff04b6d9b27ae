"""A disk that is full, out of files or read-only: one sentence, exit code 2, and the same bytes once there is room."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bad_pdfs import good, report

from finlmm_core.errors import disk_error
from finlmm_core.store.atomic import write_atomic

FINLMM = str(Path(sys.executable).with_name("finlmm"))
MAY_DIFFER = {".lock", "timings.jsonl", "report", "config.resolved.toml"}


def build(reports: Path, out: Path, *options: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [FINLMM, "build", str(reports), "-o", str(out), "-q", "--set", "parse.ocr=none", *options]

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, preexec_fn=limited if limit else None
    )


def digest(run: Path) -> dict[str, str]:
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.relative_to(run).parts[0] not in MAY_DIFFER
    }


def assert_told(answer: subprocess.CompletedProcess[str], why: str) -> None:
    assert answer.returncode == 2, answer.stderr
    assert answer.stderr.startswith("finlmm: Cannot write") and why in answer.stderr, answer.stderr
    assert "Traceback" not in answer.stderr and len(answer.stderr.splitlines()) <= 3, answer.stderr


# ------------------------------------------------------------------------------------------------------------ fast


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO])
def test_what_the_system_says_of_a_disk_is_told_with_what_to_do(number: int) -> None:
    told = disk_error(OSError(number, os.strerror(number), "run/parsed"))
    assert told is not None and "run/parsed" in str(told) and told.hint
    assert disk_error(OSError(errno.ENOENT, "no such file")) is None
    assert disk_error(OSError("a library's own words")) is None


def test_a_write_that_fails_leaves_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "a", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as told:
        write_atomic(tmp_path / "a", b"new")
    assert told.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.slow
def test_a_build_that_may_write_no_large_files_says_so_and_goes_on_when_it_may(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    (reports / "a.pdf").write_bytes(report(3))
    (reports / "b.pdf").write_bytes(good())
    assert_told(build(reports, tmp_path / "run", "--engine", "serial", limit=12_000), "File too large")
    assert not list((tmp_path / "run").rglob(".writing-*"))
    assert build(reports, tmp_path / "run", "--engine", "serial").returncode == 0
    assert build(reports, tmp_path / "whole", "--engine", "serial").returncode == 0
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")


# ------------------------------------------------------------------------------------------------- a real small disk


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth")
    subprocess.run([FINLMM, "synth", str(folder), "-n", "2", "--pages", "3", "--seed", "4", "-q"], check=True)
    return folder


@pytest.fixture(scope="module")
def whole(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    answer = build(reports, run)
    assert answer.returncode == 0, answer.stderr
    return run


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system of its own, or mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        if mounted:
            options = f"remount,{options}"
        command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("only root can mount a file system, and this user cannot; not part of the project")
        mounted.append(folder)
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.15, 0.5, 0.75])
def test_a_disk_that_is_full_in_the_middle(
    share: float, reports: Path, whole: Path, disk: Callable[[str], Path]
) -> None:
    # A tmpfs counts pages of 4 KB, so does the size that is needed.
    needed = sum(-(-path.stat().st_size // 4096) * 4 for path in whole.rglob("*") if path.is_file())
    folder = disk(f"size={int(share * needed)}k")
    assert_told(build(reports, folder / "run"), "No space left on device")
    disk(f"size={4 * needed}k")
    answer = build(reports, folder / "run")
    assert answer.returncode == 0, answer.stderr
    assert digest(folder / "run") == digest(whole)
    assert not list((folder / "run").rglob(".writing-*"))


@pytest.mark.slow
def test_a_disk_that_takes_no_more_files(reports: Path, whole: Path, disk: Callable[[str], Path]) -> None:
    folder = disk("size=64m,nr_inodes=40")
    assert_told(build(reports, folder / "run"), "No space left on device")
    disk("size=64m,nr_inodes=4000")
    assert build(reports, folder / "run").returncode == 0
    assert digest(folder / "run") == digest(whole)


@pytest.mark.slow
def test_a_disk_that_is_read_only(reports: Path, disk: Callable[[str], Path]) -> None:
    folder = disk("ro")
    answer = build(reports, folder / "run")
    assert_told(answer, "Read-only file system")
    assert "another folder" in answer.stderr or "can be written" in answer.stderr
