"""A Ray cluster of two nodes on this machine, on loopback, for the tests of the engine `ray`."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_kill_and_resume import FINLMM, MAY_DIFFER

TESTS = Path(__file__).resolve().parent
#: Ray writes and shares little here; its memory monitor would look at what other tests take.
STORE_BYTES = 100 * 2**20
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # other tests run beside
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listen on 127.0.0.1 alone
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "10000",
    "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    "OMP_NUM_THREADS": "1",
}


def hashes(files: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Return the hash of every file of a run that does not depend on the engine and on where the reports are.

    The revision of the checkout is left out: these builds take minutes, in which somebody may commit.
    """
    told_elsewhere = {*MAY_DIFFER, "config.resolved.toml", "sources.json"}
    return {
        path: hashlib.sha256(re.sub(rb'"git_revision": "[0-9a-f]+"', b"", data)).hexdigest()
        for path, data in files
        if path.split("/")[0] not in told_elsewhere
    }


def hashes_of_folder(run: Path) -> dict[str, str]:
    """Return the same of a run in a folder."""
    files = sorted(path for path in run.rglob("*") if path.is_file())
    return hashes((path.relative_to(run).as_posix(), path.read_bytes()) for path in files)


def write_reports(folder: Path, count: int, seed: int) -> Path:
    """Write some small reports and a broken one; return the folder."""
    command = [FINLMM, "synth", str(folder), "-n", str(count), "--seed", str(seed), "--pages", "6", "--quiet"]
    subprocess.run(command, check=True)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nno more than this")
    return folder


def hashes_by_serial(reports: Path, run: Path) -> dict[str, str]:
    """Return what the engine `serial` makes of reports."""
    subprocess.run(
        [FINLMM, "build", str(reports), "-o", str(run), "--quiet", "--engine", "serial", "--no-audit"], check=True
    )
    return hashes_of_folder(run)


class TwoNodes:
    """The cluster; nodes can be lost and come back."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster: Any = Cluster()
        # No worker of ours on the head (the driver's own services need no CPU): a lost node is one that works.
        self._cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=STORE_BYTES, include_dashboard=False)
        self.address: str = self._cluster.address
        self.second: Any = self._add()

    def _add(self) -> Any:
        return self._cluster.add_node(num_cpus=1, num_gpus=0, object_store_memory=STORE_BYTES)

    def lose_second(self) -> None:
        """Kill the second node with everything on it, without a word to anybody."""
        raylet = psutil.Process(self.second.all_processes["raylet"][0].process.pid)
        workers = raylet.children(recursive=True)
        raylet.kill()
        for worker in workers:  # a machine that loses power takes its workers along
            try:
                worker.kill()
            except psutil.NoSuchProcess:
                continue
        self._cluster.remove_node(self.second, allow_graceful=False)

    def restore_second(self) -> None:
        """Add a second node again."""
        self.second = self._add()

    def shut_down(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Give a cluster; everything that it started has ended afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        cluster = TwoNodes()
        try:
            yield cluster
        finally:
            cluster.shut_down()
            left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
            _, alive = psutil.wait_procs(left, timeout=20)
            for child in alive:
                child.kill()
