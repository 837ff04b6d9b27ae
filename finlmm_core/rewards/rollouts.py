"""Completions of every training step as parquet, with what each reward said of them.

A folder holds parts, ``part-<first step>-<number>.parquet``; each is written whole under another name and renamed. A
row is a completion:

* ``stage``, ``step`` (optimizer steps done before), ``group_id``, ``sample_id``;
* ``images`` (SHA-256 of the images shown, in order: a curriculum may leave some of a sample's out) and ``gold_images``
  (0-based, among those shown);
* ``completion``, ``token_ids``, ``truncated``, ``total`` (null where nothing could judge), ``advantage`` (null if not
  told);
* for each reward ``value:<name>`` (null: could not judge), ``reason:<name>`` and ``parts:<name>`` (a map).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlmm_core.domain import RewardContext, Sample
from finlmm_core.errors import FinlmmError
from finlmm_core.rewards.reward_set import Scored
from finlmm_core.store.atomic import sweep_temporaries, write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

_PART = re.compile(r"part-(?P<step>\d{9})-(?P<number>\d{3})\.parquet")
_ROWS_A_PART = 2048  # kept in memory at most, before a step is added


class RolloutWriter:
    """Keeps a stage's completions; only the main process writes.

    Rows are kept in memory until there are enough for a part or ``flush`` is called. Call ``flush`` with every
    checkpoint and at the end: what a killed run had not flushed belongs to steps that are done again.

    Args:
        folder: of the stage's rollouts, made as needed.
        step: optimizer steps that were done when the run was resumed (0 for a new one). What an earlier attempt wrote
            of this step and later ones is dropped.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self.folder = folder
        self._rows: list[dict[str, Any]] = []
        self._rewards: list[str] = []
        sweep_temporaries(folder)
        _drop_from(folder, step)

    def write(
        self,
        step: int,
        contexts: Sequence[RewardContext],
        scored: Scored,
        advantages: Sequence[float | None] | None = None,
    ) -> None:
        """Add the completions of a step; several calls for one step are fine, earlier steps are not.

        Args:
            step: optimizer steps done before.
            contexts: the completions.
            scored: what ``RewardSet.score`` returned for them.
            advantages: one for each completion, None where they are not known.
        """
        if self._rows and (step != self._rows[-1]["step"] and len(self._rows) >= _ROWS_A_PART):
            self.flush()
        self._rewards += [name for name in scored.scores if name not in self._rewards]
        known: Sequence[float | None] = [None] * len(contexts) if advantages is None else advantages
        for place, (context, advantage) in enumerate(zip(contexts, known, strict=True)):
            row = {
                "stage": context.stage,
                "step": step,
                "group_id": context.group_id,
                "sample_id": context.sample.id,
                "images": [image.sha256 for image in context.sample.images],
                "gold_images": list(context.sample.gold_images),
                "completion": context.completion.encode("utf-8", "replace").decode(),  # a lone surrogate is no UTF-8
                "token_ids": list(context.token_ids),
                "truncated": context.truncated,
                "total": scored.totals[place],
                "advantage": advantage,
            }
            for name, scores in scored.scores.items():
                score = scores[place]
                row[f"value:{name}"] = score.value
                row[f"reason:{name}"] = score.reason
                row[f"parts:{name}"] = list(score.parts.items())
            self._rows.append(row)

    def flush(self) -> None:
        """Write what is kept in memory as a part of its own."""
        if self._rows:
            import pyarrow as pa

            table = pa.Table.from_pylist(self._rows, schema=_schema(self._rewards))
            _write_part(self.folder, self._rows[0]["step"], table)
            self._rows = []


def read_rollouts(folder: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return all completions of a stage in the order of training.

    Args:
        folder: of the stage's rollouts, ``<run>/train/<stage>/rollouts``.
        columns: only these; all if None.

    Raises:
        FinlmmError: there are none.
    """
    import pyarrow as pa

    tables = list(iterate_rollouts(folder, columns))
    if not tables:
        raise FinlmmError(
            f"there are no rollouts in '{folder}'.", hint="Stages of method 'grpo' keep them: finlmm train CONFIG"
        )
    return pa.concat_tables(tables, promote_options="default")


def iterate_rollouts(folder: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the parts of a folder in the order of training, so that memory holds one at a time."""
    import pyarrow.parquet as pq

    for path in _parts(folder):
        yield pq.read_table(path, columns=None if columns is None else list(columns), partitioning=None)


def reward_names(table: pa.Table) -> list[str]:
    """Return the rewards that a table of rollouts has values of, in the order of the run."""
    return [name.removeprefix("value:") for name in table.column_names if name.startswith("value:")]


def context_of(row: dict[str, Any], sample: Sample) -> RewardContext:
    """Return a row of rollouts as it was scored, with the images that were shown.

    Args:
        row: as ``Table.to_pylist`` gives it.
        sample: the sample of ``row["sample_id"]``, with all of its images.

    Raises:
        FinlmmError: the sample does not have an image that was shown.
    """
    shown = tuple(row["images"])
    if shown != tuple(image.sha256 for image in sample.images):
        by_hash = {image.sha256: place for place, image in enumerate(sample.images)}
        missing = [sha256 for sha256 in shown if sha256 not in by_hash]
        if missing:
            raise FinlmmError(
                f"the sample {sample.id} has no image {missing[0]}, which was shown in step {row['step']}.",
                hint="Give the folder of samples that the run was trained on.",
            )
        places = [by_hash[sha256] for sha256 in shown]
        sample = sample.model_copy(
            update={
                "images": tuple(sample.images[place] for place in places),
                "tiers": tuple(sample.tiers[place] for place in places) if sample.tiers else (),
            }
        )
    return RewardContext(
        sample=sample.model_copy(update={"gold_images": tuple(row["gold_images"])}),
        completion=row["completion"],
        group_id=row["group_id"],
        stage=row["stage"],
        step=row["step"],
        token_ids=tuple(row["token_ids"]),
        truncated=row["truncated"],
    )


def _schema(rewards: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    columns = [
        ("stage", pa.string()),
        ("step", pa.int64()),
        ("group_id", pa.string()),
        ("sample_id", pa.string()),
        ("images", pa.list_(pa.string())),
        ("gold_images", pa.list_(pa.int32())),
        ("completion", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("truncated", pa.bool_()),
        ("total", pa.float64()),
        ("advantage", pa.float64()),
    ]
    for name in rewards:
        columns.append((f"value:{name}", pa.float64()))
        columns.append((f"reason:{name}", pa.string()))
        columns.append((f"parts:{name}", pa.map_(pa.string(), pa.float64())))
    return pa.schema(columns)


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("part-*.parquet") if _PART.fullmatch(path.name))


def _write_part(folder: Path, step: int, table: pa.Table) -> None:
    number = len(list(folder.glob(f"part-{step:09d}-*.parquet")))
    _write_table(folder / f"part-{step:09d}-{number:03d}.parquet", table)


def _write_table(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomic(path, buffer.getvalue())


def _drop_from(folder: Path, step: int) -> None:
    """Remove the rows of a step and of later ones. Parts are rewritten in place, so a kill leaves each old or new."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in _parts(folder):
        match = _PART.fullmatch(path.name)
        if match is not None and int(match["step"]) >= step:
            path.unlink()
            continue
        table = pq.read_table(path, partitioning=None)
        kept = table.filter(pc.less(table["step"], step))
        if kept.num_rows < table.num_rows:
            _write_table(path, kept)
