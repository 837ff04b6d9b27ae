"""What several processes have to agree on: data in one order, tensors that are the same to the bit, whole weights.

With one process everything here is the identity. ``accelerate launch`` sets the processes up; which of DDP, DeepSpeed
and FSDP is used is its configuration's business (configs/accelerate/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from finlmm_core.errors import FinlmmError

if TYPE_CHECKING:
    from accelerate import Accelerator

Item = TypeVar("Item")
Made = TypeVar("Made")


def process_count() -> int:
    """Return how many processes train together."""
    count: int = _processes().num_processes
    return count


def process_number() -> int:
    """Return the number of this process, 0 for the first, which writes the files."""
    number: int = _processes().process_index
    return number


def gathered(items: list[Item]) -> list[Item]:
    """Return the items of all processes, the first process's first; every process gets the same list."""
    from accelerate.utils import gather_object

    return gather_object(items) if process_count() > 1 else items


def agreed(flag: bool) -> bool:
    """Return whether the flag is up in any process; every process gets the same answer."""
    return any(gathered([flag]))


def wait_for_all() -> None:
    """Return when every process has come here."""
    _processes().wait_for_everyone()


def first_then_others(prepare: Callable[[bool], Made]) -> Made:
    """Return what ``prepare`` makes in this process: the first process comes first and the others wait for it.

    Args:
        prepare: called with True in the first process, which writes what the others read, and with False in these.

    Raises:
        FinlmmError: what the first process met, in every process.
    """
    first = process_number() == 0
    problem: FinlmmError | None = None
    made: list[Made] = []
    if first:
        try:
            made.append(prepare(True))
        except FinlmmError as error:
            problem = error
    told = gathered([str(problem) if problem is not None else ""])[0]
    if problem is not None:
        raise problem
    if told:
        raise FinlmmError(told)
    return made[0] if first else prepare(False)


def broadcast_from_first(tensors: Sequence[Any]) -> None:
    """Overwrite tensors in place with those of the first process."""
    if process_count() < 2:
        return
    import torch

    device = _processes().device
    for tensor in tensors:
        # Collectives run on the device of the process group; a reward's own model may live somewhere else.
        moved = tensor.detach().to(device).contiguous()
        torch.distributed.broadcast(moved, src=0)
        with torch.no_grad():
            tensor.copy_(moved)


def _processes() -> Any:
    """Return accelerate's state of the processes; set up for the CPU where there is nothing else.

    Asked without that word, accelerate takes each of several processes on a CPU for the only one.
    """
    from accelerate import PartialState

    if PartialState._shared_state:
        return PartialState()
    import torch

    return PartialState(cpu=not torch.accelerator.is_available())


def check_engine(accelerator: Accelerator) -> None:
    """Refuse an engine that could train but not save: FSDP of version 2 cannot lend the whole weights."""
    plugin = getattr(accelerator.state, "fsdp_plugin", None)
    if plugin is not None and plugin.fsdp_version == 2:
        raise FinlmmError(
            "the training was started with FSDP version 2, expected version 1.",
            hint="Set fsdp_version: 1 in accelerate's configuration, as in configs/accelerate/fsdp.yaml.",
        )


@contextmanager
def whole_weights(accelerator: Accelerator, wrapped: Any) -> Iterator[Any]:
    """Give the unwrapped module with all of its weights in place, where an engine shards them; enter in every process.

    Inside, the first process may read the weights, to save them. DeepSpeed stage 3 and FSDP gather them for it.

    Args:
        accelerator: of the trainer.
        wrapped: the trainer's ``model_wrapped``.
    """
    from accelerate.utils import DistributedType

    module = accelerator.unwrap_model(wrapped)
    kind = accelerator.distributed_type
    if kind == DistributedType.DEEPSPEED and accelerator.state.deepspeed_plugin.zero_stage == 3:
        import deepspeed  # type: ignore[import-not-found, unused-ignore]

        with deepspeed.zero.GatheredParameters(list(module.parameters())):
            yield module
    elif kind == DistributedType.FSDP:
        from torch.distributed.fsdp import FullyShardedDataParallel

        with FullyShardedDataParallel.summon_full_params(wrapped, writeback=False):
            yield module
    else:
        yield module
