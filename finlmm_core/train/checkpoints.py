"""Checkpoints that are whole or do not count, and the states of rewards in them.

A checkpoint folder is what transformers' Trainer writes (weights, optimizer, schedule, random states, trainer state),
the states of the rewards that learn, and last a mark with the size and a SHA-256 of every file. A folder without a
mark, or with a file that is not what the mark says, is torn; a run resumes from the last one that is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import write_atomic

MARK_FILE = "finlmm.json"
TENSORS_FILE = "rewards.safetensors"
VALUES_FILE = "rewards.json"
_FOLDER = re.compile(r"checkpoint-(\d+)")
_TENSOR = "__tensor__"
_READ_WHOLE = 256 << 20  # bytes
_PART = 4 << 20  # bytes
_PARTS = 16


def checkpoint_step(checkpoint: Path) -> int:
    """Return the optimizer steps that were done when a checkpoint was written, by its folder's name."""
    found = _FOLDER.fullmatch(checkpoint.name)
    if found is None:
        raise ValueError(f"{checkpoint} is not named like a checkpoint")
    return int(found[1])


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoint folders, whole or not, the latest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and _FOLDER.fullmatch(path.name)]
    return sorted(found, key=checkpoint_step, reverse=True)


def latest_whole(folder: Path, told: Callable[[str], None] = lambda line: None) -> Path | None:
    """Return the latest checkpoint that is whole; None where there is none.

    Args:
        folder: of the stage's checkpoints.
        told: gets a line for each torn checkpoint that is passed over.
    """
    for checkpoint in checkpoints_in(folder):
        problem = torn(checkpoint)
        if problem is None:
            return checkpoint
        told(f"{checkpoint.name} is torn ({problem}); the one before it is used.")
    return None


def torn(checkpoint: Path) -> str | None:
    """Return why a checkpoint is not whole; None where it is. Reads every file of it."""
    try:
        mark = json.loads((checkpoint / MARK_FILE).read_bytes())
        files = mark["files"]
    except FileNotFoundError:
        return "it was not finished"
    except (ValueError, KeyError, TypeError):
        return f"{MARK_FILE} cannot be read"
    for name, wanted in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != wanted["size"]:
            return f"{name} has {path.stat().st_size} bytes instead of {wanted['size']}"
        if _digest(path) != wanted["sha256"]:
            return f"{name} is not what was written"
    return None


def mark_whole(checkpoint: Path) -> None:
    """Write the mark of a checkpoint of which everything else is written."""
    files = {
        str(path.relative_to(checkpoint)): {"size": path.stat().st_size, "sha256": _digest(path)}
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != MARK_FILE
    }
    written = json.dumps({"step": checkpoint_step(checkpoint), "files": files}, indent=1)
    write_atomic(checkpoint / MARK_FILE, f"{written}\n".encode())


def rotate(folder: Path, keep: int | None) -> None:
    """Delete all but the latest ``keep`` whole checkpoints, and what is torn before them; None keeps everything.

    Called after a mark is written, so that there is a whole checkpoint at every moment.
    """
    if keep is None:
        return
    marked = [path for path in checkpoints_in(folder) if (path / MARK_FILE).is_file()]
    if not marked:
        return
    oldest = checkpoint_step(marked[:keep][-1])
    for path in checkpoints_in(folder):
        if checkpoint_step(path) < oldest:
            (path / MARK_FILE).unlink(missing_ok=True)  # first: what is half deleted is torn
            shutil.rmtree(path)


def drop_after(folder: Path, step: int) -> None:
    """Delete the checkpoints after a step: a resumed run writes them again."""
    for path in checkpoints_in(folder):
        if checkpoint_step(path) > step:
            (path / MARK_FILE).unlink(missing_ok=True)
            shutil.rmtree(path)


def save_states(states: Mapping[str, Mapping[str, Any]], checkpoint: Path) -> None:
    """Write the states of rewards: tensors as safetensors, the rest as JSON.

    Args:
        states: reward name -> its state: tensors and values that JSON can hold, nested in dicts and lists.
        checkpoint: the folder.

    Raises:
        FinlmmError: a state holds something else; the message says where.
    """
    from safetensors.torch import save

    tensors: dict[str, Any] = {}
    values = {name: _packed(state, name, tensors) for name, state in states.items()}
    write_atomic(checkpoint / TENSORS_FILE, save(tensors))
    write_atomic(checkpoint / VALUES_FILE, (json.dumps(values, indent=1) + "\n").encode())


def load_states(checkpoint: Path) -> dict[str, dict[str, Any]]:
    """Return what ``save_states`` wrote; tensors on the CPU."""
    from safetensors.torch import load

    tensors = load((checkpoint / TENSORS_FILE).read_bytes())
    values = json.loads((checkpoint / VALUES_FILE).read_bytes())
    return {name: _unpacked(state, tensors) for name, state in values.items()}


def states_digest(states: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a hash of states: equal states, to the bit, have equal ones."""
    from safetensors.torch import save

    tensors: dict[str, Any] = {}
    values = json.dumps({name: _packed(state, name, tensors) for name, state in states.items()}, sort_keys=True)
    return hashlib.sha256(values.encode() + save(tensors)).hexdigest()


def _packed(value: Any, path: str, tensors: dict[str, Any]) -> Any:
    """Return a value as JSON can hold it; tensors go into ``tensors`` and leave their name behind."""
    import torch

    if isinstance(value, torch.Tensor):
        tensors[path] = value.detach().to("cpu", copy=True).contiguous()
        return {_TENSOR: path}
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str) or key == _TENSOR]
        if wrong:
            raise FinlmmError(
                f"the state of a reward has the key {wrong[0]!r} at '{path}'; keys are strings.",
                hint="Name the parts of the state, such as str(number).",
            )
        return {key: _packed(part, f"{path}/{key}", tensors) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_packed(part, f"{path}/{place}", tensors) for place, part in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise FinlmmError(
        f"the state of a reward holds a {type(value).__name__} at '{path}'.",
        hint="state_dict() may hold torch tensors, numbers, strings, None, and dicts and lists of them.",
    )


def _unpacked(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_TENSOR}:
            return tensors[value[_TENSOR]]
        return {key: _unpacked(part, tensors) for key, part in value.items()}
    return [_unpacked(part, tensors) for part in value] if isinstance(value, list) else value


def _digest(path: Path) -> str:
    """Return a SHA-256 of a file: of all of it, or of parts spread over one that would take long to read.

    What tears a file is a wrong size or an end that was never written; both show. Hashing all of the 60 GB that a large
    model's checkpoint has would hold up the training for minutes each time.
    """
    digest = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _READ_WHOLE:
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
        for part in range(_PARTS):
            file.seek((size - _PART) * part // (_PARTS - 1))
            digest.update(file.read(_PART))
    return digest.hexdigest()
