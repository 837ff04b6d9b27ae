"""Ray's side of the engine `ray`: the process that drives a cluster, and what each worker of the cluster runs.

The tasks are a Ray Data dataset, longest first, mapped by a pool of actors. Ray places the actors, hands each a few
tasks at a time, replaces lost ones and gives their tasks to others; outcomes stream back one by one. What Ray cannot
tell is how often a document has lost its worker: a ledger beside the driver counts that.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from finlmm_core.engines.base import Limits, Outcome, Work
from finlmm_core.engines.worker import LoneWorker, die_with_parent
from finlmm_core.errors import DocumentError, FinlmmError

if TYPE_CHECKING:
    from finlmm_core.engines.ray import Plan

#: Blocks that the tasks are handed to Ray in, at most: a task each up to here, the shorter ones share beyond it.
MOST_BLOCKS = 10_000
#: Shared memory of a cluster of this machine alone: tasks and outcomes are a few hundred bytes each.
OBJECT_STORE_BYTES = 128 * 2**20
#: What Ray's processes may take to end, in seconds, before they are ended.
_CLOSING_SECONDS = 5
#: Ray's sockets need a short path (a Unix socket's has 107 bytes at most, and Ray adds about 65).
_LONGEST_FOLDER = 40
#: Read by Ray when it is imported: nothing is told to anybody, nothing drawn.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's workers would give way to everything else on the machine, and documents run into their limit of time.
    "RAY_worker_niceness": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
#: For a cluster that nobody else is to join. Without the first, Ray listens on all addresses of the machine (on Linux);
#: the others keep its services from gathering figures that nobody looks at.
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_event_stats": "0",
}


def drive(pipe: Connection, plan: Plan, log: str, parent: int) -> None:
    """Map a plan's work over the cluster; tell the engine of it, message by message.

    Messages are ``("connected", None)``, ``("outcome", (number, outcome))`` and ``("stop", error)``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to handle
    die_with_parent(parent)
    _write_to(log)
    os.environ.update(_ENVIRONMENT)
    try:
        try:
            _connect(plan, Path(log).parent)
            pipe.send(("connected", None))
            _map(plan, pipe)
        finally:
            _disconnect(plan.address is None)
    except FinlmmError as error:
        _tell(pipe, error)
    except BrokenPipeError:
        return
    except Exception as error:  # noqa: BLE001 - whatever Ray raises ends the run, with its words
        _tell(pipe, _trouble(error))


def _tell(pipe: Connection, error: FinlmmError) -> None:
    try:
        pipe.send(("stop", error))
    except BrokenPipeError:
        return


def _trouble(error: Exception) -> FinlmmError:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return FinlmmError(
        f"Ray gave up: {lines[0]}" + (f"\n{lines[-1]}" if len(lines) > 1 else ""),
        hint="Every node of the cluster needs the same Python, Ray and finlmm. The same command goes on from here.",
    )


def _write_to(log: str) -> None:
    """Send all that this process and Ray's libraries print into a file."""
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(number, 1)
    os.dup2(number, 2)
    os.close(number)


def _connect(plan: Plan, folder: Path) -> None:
    """Join the cluster, or start one of this machine alone."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if plan.address is None:
        # Workers find what this process finds, as those of the engine `processes` do; on other machines they find
        # what is installed there.
        os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
        os.environ.update(_ALONE)
        import ray

        if len(str(folder)) <= _LONGEST_FOLDER:
            quiet["_temp_dir"] = str(folder)
        ray.init(
            address="local",
            num_cpus=math.ceil(plan.workers * plan.config.cpus_per_worker),
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
            **quiet,
        )
        return
    if plan.address != "auto":
        host, _, port = plan.address.rpartition(":")
        try:  # Ray itself tries for long, and ends the process when it gives up
            socket.create_connection((host.strip("[]"), int(port)), plan.config.connect_seconds).close()
        except OSError as error:
            raise _unreachable(plan.address, error.strerror or str(error)) from error
    import ray

    try:
        ray.init(address=plan.address, **quiet)
    except (ConnectionError, RuntimeError) as error:
        raise _unreachable(plan.address, str(error).strip().splitlines()[0]) from error


def _unreachable(address: str, why: str) -> FinlmmError:
    return FinlmmError(
        f"The Ray cluster at '{address}' cannot be reached: {why}.",
        hint="Start it with `ray start --head`, run the command on one of its nodes, and give the address it prints.",
    )


def _disconnect(alone: bool) -> None:
    """Leave the cluster; one of this machine alone ends with all its processes."""
    if "ray" not in sys.modules:
        return
    import ray

    # Now and then a process of Ray hangs while it exits, and its raylet does not stay to see to it.
    family = psutil.Process().children(recursive=True) if alone else []
    ray.shutdown()
    for process in psutil.wait_procs(family, timeout=_CLOSING_SECONDS)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _map(plan: Plan, pipe: Connection) -> None:
    import ray
    import ray.data

    _set_up_ray_data()
    ledger = _ledger_here()
    rows = [{"number": number, "task": _pack(task)} for number, task in enumerate(plan.tasks)]
    config = plan.config
    demands: dict[str, Any] = {"num_cpus": config.cpus_per_worker}
    if config.memory_mb_per_worker is not None:
        demands["memory"] = config.memory_mb_per_worker * 2**20
    outcomes = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS)).map(
        ClusterWorker,
        fn_constructor_args=(plan.work, plan.limits, plan.version, ledger, config.retries),
        compute=_pool(plan),
        max_restarts=-1,
        max_task_retries=-1,  # Ray counts each try to reach a lost worker; the ledger counts what matters
        **demands,
    )
    left = len(rows)
    for row in outcomes.iter_rows():
        value = _unpack(row["value"])
        if isinstance(value, FinlmmError):
            raise value
        pipe.send(("outcome", (int(row["number"]), value)))
        left -= 1
    if left > 0:
        raise FinlmmError(
            f"Ray handed back {len(rows) - left} of {len(rows)} documents.", hint="The same command goes on from here."
        )


def _set_up_ray_data() -> None:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A block holds one outcome, so that each is handed back when it is there and not with the next hundred MB.
    context.target_max_block_size = 1
    # Ray Data reads its workers' memory maps once a second by default; ours are watched already.
    if hasattr(context, "memory_usage_poll_interval_s"):
        context.memory_usage_poll_interval_s = None
    # The pool grows as soon as all of its workers are busy, also where each is handed one task at a time.
    scaling = getattr(context, "autoscaling_config", None)
    if scaling is not None and scaling.actor_pool_util_upscaling_threshold > 1.0:
        scaling.actor_pool_util_upscaling_threshold = 1.0


def _pool(plan: Plan) -> Any:
    import ray.data

    workers = min(plan.workers, len(plan.tasks))
    sizes = {"min_size": min(plan.config.min_workers, workers), "max_size": workers}
    if "initial_size" in inspect.signature(ray.data.ActorPoolStrategy).parameters:  # not in older versions
        sizes["initial_size"] = workers
    return ray.data.ActorPoolStrategy(**sizes, max_tasks_in_flight_per_actor=plan.config.tasks_in_flight)


class Ledger:
    """Counts how often a task was begun and not ended. It lives beside the driver, and so as long as the run."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """Return how often the task was begun now without having ended, this time included."""
        self._begun[number] += 1
        return self._begun[number]

    def end(self, number: int) -> None:
        """The task has ended."""
        self._begun.pop(number, None)


def _ledger_here() -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Ledger).options(num_cpus=0, scheduling_strategy=here).remote()


class ClusterWorker:
    """What an actor of the pool runs: one watched process that keeps its models from document to document."""

    def __init__(self, work: Work[Any, Any], limits: Limits, version: str, ledger: Any, retries: int) -> None:
        import finlmm_core

        self._ledger = ledger
        self._retries = retries
        self._worker: LoneWorker[Any, Any] = LoneWorker(work, limits)
        self._refusal: FinlmmError | None = None
        if finlmm_core.__version__ != version:
            self._refusal = FinlmmError(
                f"{socket.gethostname()} has finlmm {finlmm_core.__version__}, the run was begun with {version}.",
                hint="Install the same version on every node.",
            )
        _forget_main()
        die_with_parent(os.getppid())  # the raylet: a worker that hangs while it exits must not outlive its node

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        number = int(row["number"])
        return {"number": number, "value": _pack(self._refusal or self._outcome(number, _unpack(row["task"])))}

    def _outcome(self, number: int, task: object) -> Outcome[Any, Any] | FinlmmError:
        import ray

        begun = ray.get(self._ledger.begin.remote(number))
        if begun > 1 + self._retries:
            failure = DocumentError("worker_lost", f"its worker or machine was lost {begun - 1} times", again=True)
            return Outcome(task, None, failure, "", 0.0, 0.0)
        try:
            outcome: Outcome[Any, Any] = self._worker.do(task)
        except FinlmmError as concern:
            return concern
        self._ledger.end.remote(number)
        return outcome


def _forget_main() -> None:
    """Let worker processes start without importing what Ray's own process was started as: it would load Ray."""
    main = sys.modules["__main__"]
    main.__spec__ = None
    if hasattr(main, "__file__"):
        del main.__file__


def _pack(value: object) -> bytes:
    """Return an object as bytes, as a pipe between processes carries it; Ray Data would take tuples for arrays."""
    return bytes(ForkingPickler.dumps(value))


def _unpack(data: bytes) -> Any:
    return ForkingPickler.loads(data)
