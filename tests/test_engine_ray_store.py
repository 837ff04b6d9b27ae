"""Reports and run at a URL: files whole or not at all, and the bytes of a build in a folder, killed or not."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ray_cluster import ENVIRONMENT, hashes, hashes_by_serial, write_reports
from test_kill_and_resume import FINLMM

from finlmm_core import FinlmmError
from finlmm_core.cli.app import main
from finlmm_core.steps.remote_sources import find_remote_sources
from finlmm_core.store.manifest import StepRecord
from finlmm_core.store.remote import RemoteFolder, check_url, url_of
from finlmm_core.store.remote_run import RemoteRunFolder
from finlmm_core.store.run import CONFIG_FILE, RunFolder

PATIENCE = 300


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# ------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket/run", "s3://bucket/run"),
        ("ftp://127.0.0.1:2121/a/b", "ftp://127.0.0.1:2121/a/b"),
        ("file:///tmp/a", "file:///tmp/a"),
        ("memory://a", "memory://a"),
        ("runs/one", None),
        ("/runs/s3/one", None),
        ("C:/runs", None),
    ],
)
def test_a_url_is_known_where_a_path_is_asked_for(given: str, url: str | None) -> None:
    assert url_of(Path(given)) == url


@pytest.mark.parametrize("url", ["ftp://me:hunter2@host/a", "https://host/a.pdf?signature=hunter2"])
def test_what_is_secret_has_no_place_in_a_url(url: str) -> None:
    with pytest.raises(FinlmmError, match="password or a query") as error:
        check_url(url)
    assert "hunter2" not in str(error.value)


def test_a_step_that_works_in_a_folder_refuses_a_url() -> None:
    with pytest.raises(FinlmmError, match="'s3://bucket/run' is a URL"):
        RunFolder(Path("s3://bucket/run"))


@pytest.mark.parametrize("url", ["memory://{}", "file://{}"])
def test_files_at_a_url(url: str, tmp_path: Path) -> None:
    folder = RemoteFolder(url.format(tmp_path / "there"))
    assert folder.versions() == {} and folder.read("a/b") is None and folder.version("a/b") == ""
    folder.write_many({"a/b": b"one", "a/c": b"two"})
    first = folder.versions()
    assert list(first) == ["a/b", "a/c"] and folder.versions("a") == first and folder.version("a/b") == first["a/b"]
    assert folder.read_many(["a/b", "a/c", "a/d"]) == {"a/b": b"one", "a/c": b"two"}
    folder.write("a/b", b"three")
    assert folder.read("a/b") == b"three" and folder.version("a/b") != first["a/b"]
    folder.remove("a/b")
    folder.remove("a/b")
    assert list(folder.versions()) == ["a/c"]


def test_a_protocol_that_nobody_knows_is_told() -> None:
    with pytest.raises(FinlmmError, match="'nosuch://place' cannot be used") as error:
        RemoteFolder("nosuch://place").versions()
    assert error.value.hint is not None and "pip install" in error.value.hint


def test_reports_at_a_url_are_told_apart_by_content_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = RemoteFolder(f"memory://{tmp_path}/reports")
    there.write_many({"b.pdf": b"%PDF two", "a/x.PDF": b"%PDF one", "a/[2].pdf": b"%PDF two", "notes.txt": b"no"})
    there.write(f"{'n' * 300}.pdf", b"%PDF three")
    found = find_remote_sources(there.url)
    assert [source.relative for source in found.files] == ["a/[2].pdf", "a/x.PDF"]
    assert {item.item_id[:5]: item.reason for item in found.rejected} == {
        "b.pdf": "duplicate_file",
        "nnnnn": "name_not_usable",
    }
    reads: list[str] = []
    read = RemoteFolder.read
    monkeypatch.setattr(
        RemoteFolder, "read", lambda self, path, at_most=None: reads.append(path) or read(self, path, at_most)
    )
    assert find_remote_sources(there.url) == found and reads == []
    there.write("a/x.PDF", b"%PDF four, longer")
    assert find_remote_sources(there.url) != found and reads == ["a/x.PDF"]
    one = find_remote_sources(f"{there.url}/b.pdf")
    assert [source.relative for source in one.files] == ["b.pdf"] and one.url == there.url


def test_a_working_copy_follows_the_run(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/run"
    record = StepRecord(step="samples", key="k", finlmm="0", git_revision=None, seed=0, options={}, inputs=1)

    def open_copy(name: str) -> RemoteRunFolder:
        run = RemoteRunFolder(url, tmp_path / name)
        run.pull()
        return run

    first = open_copy("one")
    with first.locked():
        (first.path / CONFIG_FILE).write_text("seed = 1\n")
        first.publish()
        first.begin("samples", {"a": 1})
        (first.step("samples") / "text").mkdir()
        (first.step("samples") / "text" / "old.parquet").write_bytes(b"old")
        first.write_record(record)
    second = open_copy("two")
    assert second.begun_with("samples") == {"a": 1} and second.record("samples") == record
    with second.locked():
        second.remove("samples")
        second.begin("samples", {"a": 2})
        (second.step("samples") / "new.parquet").write_bytes(b"new")
        second.write_record(record)
    again = open_copy("one")
    inside = {path.relative_to(again.path).as_posix() for path in again.step("samples").rglob("*") if path.is_file()}
    assert inside == {"samples/options.json", "samples/manifest.json", "samples/new.parquet"}
    assert again.begun_with("samples") == {"a": 2}


def test_a_place_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    url = f"memory://{tmp_path}/other"
    RemoteFolder(url).write("thesis.tex", b"mine")
    with pytest.raises(FinlmmError, match="is not a run of finlmm"):
        RemoteRunFolder(url, tmp_path / "copy").pull()


# ------------------------------------------------------------------------------------------------------- builds


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_reports(tmp_path_factory.mktemp("synth"), 3, seed=13)
    (folder / "truth.json").unlink()
    return folder


@pytest.fixture(scope="module")
def in_folder(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return hashes_by_serial(reports, tmp_path_factory.mktemp("folder") / "run")


def hashes_at(url: str) -> dict[str, str]:
    there = RemoteFolder(url)
    return hashes((path, there.read(path) or b"") for path in there.versions())


@pytest.mark.slow
def test_a_build_at_a_url_makes_the_bytes_of_one_in_a_folder(
    reports: Path, in_folder: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"memory://{tmp_path}/reports"
    RemoteFolder(there).write_many({path.name: path.read_bytes() for path in reports.glob("*.pdf")})
    run = f"memory://{tmp_path}/run"
    monkeypatch.setattr(
        sys, "argv", ["finlmm", "build", there, "-o", run, "--quiet", "--engine", "serial", "--no-audit"]
    )
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code in (0, None)
    assert hashes_at(run) == in_folder
    # Another machine, with no working copy, asks for the alignment: all is there, and nothing is done again.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    before = RemoteFolder(run).versions("aligned")
    monkeypatch.setattr(sys, "argv", ["finlmm", "align", run, "--quiet", "--engine", "serial"])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code in (0, None)
    after = RemoteFolder(run).versions("aligned")
    assert {path: v for path, v in before.items() if "manifest" not in path} == {
        path: v for path, v in after.items() if "manifest" not in path
    }


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """A server of the S3 protocol on loopback, and the environment that leads to it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield environment
    server.stop()


@pytest.mark.slow
def test_a_build_over_ray_in_an_s3_store_is_killed_and_goes_on(
    s3: dict[str, str], reports: Path, in_folder: dict[str, str], tmp_path: Path
) -> None:
    RemoteFolder("s3://bucket/reports").write_many({path.name: path.read_bytes() for path in reports.glob("*.pdf")})
    run = RemoteFolder("s3://bucket/runs/run")
    log = tmp_path / "log"
    command = [FINLMM, "build", "s3://bucket/reports", "-o", run.url, "--engine", "ray", "--workers", "2", "--no-audit"]
    environment = {**os.environ, **ENVIRONMENT, **s3, "PYTHONPATH": ""}

    def start(*more: str) -> subprocess.Popen[bytes]:
        with open(log, "ab") as said:
            return subprocess.Popen([*command, *more], stdout=said, stderr=said, env=environment)

    build = start("--set", f"engine.ray.connect_seconds={PATIENCE}")
    try:
        deadline = time.monotonic() + PATIENCE
        while build.poll() is None and time.monotonic() < deadline and not _documents(run, "aligned"):
            time.sleep(0.3)
        assert build.poll() is None, log.read_text()
        family = psutil.Process(build.pid).children(recursive=True)
        # Ray's agents notice a minute later that they are alone; all that works or holds memory goes at once.
        family = [one for one in family if not one.name().startswith("ray::") or "Agent" not in one.name()]
        build.kill()
        build.wait(30)
        _, alive = psutil.wait_procs(family, timeout=60)
        assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE], "Ray outlived the command"
    finally:
        build.kill()
    done = run.versions("aligned")
    # On another machine: nothing of the working copy is left.
    environment["XDG_CACHE_HOME"] = str(tmp_path / "elsewhere")
    build = start("--set", f"engine.ray.connect_seconds={PATIENCE}")
    try:
        assert build.wait(2 * PATIENCE) == 0, log.read_text()
    finally:
        build.kill()
    after = run.versions("aligned")
    assert {path: version for path, version in done.items() if "/" in path.removeprefix("aligned/")}.items() <= (
        after.items()
    ), "documents that were done were done again"
    assert hashes_at(run.url) == in_folder
    for path in run.versions():
        assert b"a-secret-of-the-test" not in (run.read(path) or b"")


def _documents(run: RemoteFolder, folder: str) -> list[str]:
    return [path for path in run.versions(folder) if path.count("/") > 1 and path.endswith(".json")]
