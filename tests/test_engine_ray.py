"""The engine `ray`: same outcomes as other engines, on one machine and on a cluster that loses workers and nodes."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_work import Misbehave
from ray_cluster import ENVIRONMENT, TwoNodes, hashes_by_serial, hashes_of_folder, two_nodes, write_reports
from test_kill_and_resume import FINLMM

from finlmm_core import FinlmmError
from finlmm_core.config import EngineConfig
from finlmm_core.engines import Outcome, make_engine

#: On a machine that does other things as well a worker of Ray may take half a minute to start.
PATIENCE = 300


def outcomes(
    tasks: list[str], folder: Path | None = None, *, address: str | None = None, ray: dict[str, Any] | None = None
) -> dict[str, Outcome[str, str]]:
    config = EngineConfig.model_validate(
        {
            "name": "ray",
            "workers": 2,
            "document_seconds": 5.0,
            "document_memory_mb": 400,
            "ray": {"address": address, "connect_seconds": PATIENCE, "wait_seconds": PATIENCE, **(ray or {})},
        }
    )
    found = list(make_engine(config).map(Misbehave(folder), tasks))
    assert len(found) == len(tasks)
    return {one.task: one for one in found}


def ended(found: dict[str, Outcome[str, str]]) -> dict[str, str]:
    return {task: one.failure.reason if one.failure else str(one.result) for task, one in found.items()}


# ------------------------------------------------------------------------------------------- what needs no cluster


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FinlmmError, match="not installed") as error:
        make_engine(EngineConfig(name="ray"))
    assert error.value.hint is not None and "finlmm[ray]" in error.value.hint


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", ":6379", "head:0", "head:70000"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    config = EngineConfig.model_validate({"name": "ray", "workers": 2, "ray": {"address": address}})
    with pytest.raises(FinlmmError, match="is not the address of a Ray cluster"):
        make_engine(config)


def test_a_cluster_is_used_by_as_many_workers_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with pytest.raises(FinlmmError, match="How many workers"):
        make_engine(EngineConfig(name="ray"))
    with pytest.raises(FinlmmError, match=r"min_workers is 3, more than the 2"):
        make_engine(EngineConfig.model_validate({"name": "ray", "workers": 2, "ray": {"min_workers": 3}}))


def test_a_cluster_that_is_not_there_is_told_at_once() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port, and nobody answers
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(FinlmmError, match=rf"'{address}' cannot be reached"):
            outcomes(["a"], address=address)


def test_no_tasks_need_no_cluster() -> None:
    assert outcomes([], address="127.0.0.1:1") == {}


# ---------------------------------------------------------------------------------------- a cluster of this machine


@pytest.mark.slow
def test_each_task_ends_with_a_result_or_a_reason(tmp_path: Path) -> None:
    marks = [f"mark {number}" for number in range(6)]
    tasks = ["a", "refuse", "bug", "die", "die-once", "sleep", "hang-in-c", "grow", *marks]
    found = outcomes(tasks, tmp_path, ray={"tasks_in_flight": 1})
    assert ended(found) == {
        "a": "A",
        "refuse": "not_a_pdf",
        "bug": "error",
        "die": "crashed",
        "die-once": "DIE-ONCE",
        "sleep": "time_limit",
        "hang-in-c": "time_limit",
        "grow": "memory_limit",
        **{mark: mark.upper() for mark in marks},
    }
    assert found["grow"].stage == "growing" and found["sleep"].stage == "first"
    spans = [path.name.split()[2:] for path in tmp_path.glob("mark *")]
    # Never more at a time than there are workers, and one process for all that a worker does while it is well.
    edges = sorted([(float(began), 1) for _, began, _ in spans] + [(float(end), -1) for _, _, end in spans])
    running = [sum(step for _, step in edges[: place + 1]) for place in range(len(edges))]
    assert max(running) <= 2
    assert len({process for process, _, _ in spans}) <= 2
    left = [child for child in psutil.Process().children(recursive=True) if "ray" in " ".join(child.cmdline())]
    _, alive = psutil.wait_procs(left, timeout=30)
    assert not alive


@pytest.mark.slow
def test_what_accepts_a_connection_and_is_no_cluster_is_given_up() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        started = time.monotonic()
        with pytest.raises(FinlmmError, match=r"did not answer within 4 seconds|cannot be reached|Ray ended"):
            outcomes(["a"], address=f"127.0.0.1:{server.getsockname()[1]}", ray={"connect_seconds": 4})
        assert time.monotonic() - started < 90


# ------------------------------------------------------------------------------------------------------ two nodes


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    with two_nodes() as made:
        yield made


@pytest.mark.slow
def test_what_concerns_the_whole_run_ends_it_with_its_message(cluster: TwoNodes) -> None:
    with pytest.raises(FinlmmError, match="the disk is full"):
        outcomes(["a", "stop"], address=cluster.address)


@pytest.mark.slow
def test_a_document_that_takes_its_worker_along_is_done_again_and_at_last_set_aside(
    cluster: TwoNodes, tmp_path: Path
) -> None:
    tasks = ["lose-worker", "lose-worker-once", "a", "b"]
    found = outcomes(tasks, tmp_path, address=cluster.address, ray={"retries": 1, "tasks_in_flight": 1})
    assert ended(found) == {
        "lose-worker": "worker_lost",
        "lose-worker-once": "LOSE-WORKER-ONCE",
        "a": "A",
        "b": "B",
    }
    failure = found["lose-worker"].failure
    assert failure is not None and failure.again and "lost 2 times" in failure.detail


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reports(tmp_path_factory.mktemp("synth"), 4, seed=12)


@pytest.fixture(scope="module")
def by_serial(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return hashes_by_serial(reports, tmp_path_factory.mktemp("serial") / "run")


@pytest.mark.slow
def test_a_build_that_loses_a_node_half_way_ends_with_the_bytes_of_serial(
    cluster: TwoNodes, reports: Path, by_serial: dict[str, str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    log = tmp_path / "log"
    settings = ["--engine", "ray", "--workers", "2", "--no-audit", "--set", f'engine.ray.address="{cluster.address}"']
    settings += ["--set", f"engine.ray.connect_seconds={PATIENCE}"]
    with open(log, "wb") as said:
        build = subprocess.Popen(
            [FINLMM, "build", str(reports), "-o", str(run), *settings],
            stdout=said,
            stderr=said,
            env={**os.environ, **ENVIRONMENT},
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while len(list(run.glob("aligned/??/*.json"))) < 2 and time.monotonic() < deadline and build.poll() is None:
            time.sleep(0.2)
        assert build.poll() is None, log.read_text()
        cluster.lose_second()
        assert build.wait(PATIENCE) == 0, log.read_text()
    finally:
        build.kill()
        build.wait(30)
        cluster.restore_second()
    assert hashes_of_folder(run) == by_serial
    # One bar counts what all nodes do, and Ray itself says nothing.
    assert "parse + generate + align: 5/5" in log.read_text()
    assert "raylet" not in log.read_text()
