"""Samples as parquet that ``datasets.load_dataset`` opens with ``Image`` features; the same rows, the same bytes."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlmm_core.domain import ImageRef, Sample, Split
from finlmm_core.errors import FinlmmError
from finlmm_core.steps.sampling.rows import COLUMNS, Row, SampleKind, features, sample_of
from finlmm_core.store.images import ImageStore

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_BYTES = 64 * 1024 * 1024  # images of one row group, at most (one row may be more)


def schema(kind: SampleKind) -> pa.Schema:
    """Return the columns of a kind of samples, with what Hugging Face needs to make images of image columns."""
    import pyarrow as pa

    values = {
        "string": pa.string(),
        "float64": pa.float64(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    }

    def arrow(column: Any) -> pa.DataType:
        if isinstance(column, dict):
            return pa.struct([(name, arrow(inner)) for name, inner in column.items()])
        return pa.list_(arrow(column[0])) if isinstance(column, list) else values[column]

    columns = COLUMNS[kind]
    metadata = {"huggingface": json.dumps({"info": {"features": features(columns)}})}
    return pa.schema([(name, arrow(column)) for name, column in columns.items()], metadata=metadata)


class RecentImages:
    """Reads images of a store, the last ones from memory: a report's figures stand in many of its rows.

    Args:
        images: the store.
        most: bytes to remember.
    """

    def __init__(self, images: ImageStore, most: int = 32 * 1024 * 1024) -> None:
        self._images = images
        self._most = most
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def read_bytes(self, ref: ImageRef) -> bytes:
        """Return the encoded file (see ImageStore)."""
        data = self._held.pop(ref.sha256, None)
        if data is None:
            data = self._images.read_bytes(ref)
            self._bytes += len(data)
        self._held[ref.sha256] = data
        while self._bytes > self._most:
            self._bytes -= len(self._held.popitem(last=False)[1])
        return data


class SplitWriter:
    """Writes the rows of one kind and split into numbered shards, a row group at a time.

    The images of a row are read from the store when it is added; memory holds one row group. Shards get their final
    names ('train-00000-of-00003.parquet') on ``close``, when their number is known.
    """

    def __init__(
        self, folder: Path, kind: SampleKind, split: Split, images: ImageStore | RecentImages, shard: int, group: int
    ) -> None:
        self._folder = folder / kind
        self._kind = kind
        self._split = split
        self._images = images
        self._shard_rows = shard
        self._group_rows = group
        self._schema = schema(kind)
        self._pending: list[Row] = []
        self._pending_bytes = 0
        self._in_shard = 0
        self._shards: list[Path] = []
        self._writer: Any = None
        self.rows = 0

    def add(self, row: Row) -> None:
        """Add a row; for contrastive samples its images are read by the figures' hashes."""
        if self._kind == "contrastive":
            encoded = [
                self._images.read_bytes(
                    ImageRef(sha256=f["sha256"], width=f["width"], height=f["height"], format=f["format"])
                )
                for f in row["figures"]
            ]
            paths = [f"{f['sha256']}.{f['format']}" for f in row["figures"]]
            row = {**row, "images": [{"bytes": b, "path": p} for b, p in zip(encoded, paths, strict=True)]}
            self._pending_bytes += sum(map(len, encoded))
        self._pending.append(row)
        self.rows += 1
        full = self._in_shard + len(self._pending) >= self._shard_rows
        if full or len(self._pending) >= self._group_rows or self._pending_bytes >= _GROUP_BYTES:
            self._flush()
        if full:
            self._end_shard()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._pending:
            return
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{self._split}-{len(self._shards):05d}.parquet"
            self._shards.append(path)
            plain = self._schema.names
            self._writer = pq.ParquetWriter(
                path,
                self._schema,
                version="2.6",
                # images are compressed already: zstd finds nothing in them, and a dictionary would hold them all
                compression={name: "zstd" for name in plain if name != "images"} | {"images": "none"},
                use_dictionary=[name for name in plain if name != "images"],
                write_statistics=[name for name in plain if name != "images"],
            )
        self._writer.write_table(pa.Table.from_pylist(self._pending, schema=self._schema))
        self._in_shard += len(self._pending)
        self._pending = []
        self._pending_bytes = 0

    def _end_shard(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._in_shard = 0

    def close(self) -> list[str]:
        """Write what is left; return the names of the shards, relative to the kind's folder."""
        self._flush()
        self._end_shard()
        names = []
        for number, path in enumerate(self._shards):
            name = f"{self._split}-{number:05d}-of-{len(self._shards):05d}.parquet"
            path.rename(path.with_name(name))
            names.append(name)
        return names

    def abandon(self) -> None:
        """Close the open file; what was written is left to the caller to remove."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def shards(folder: Path, kind: SampleKind, split: Split) -> list[Path]:
    """Return the files of a kind and split in order; FinlmmError where the folder is not a samples folder."""
    if not (folder / "README.md").is_file():
        raise FinlmmError(
            f"{folder} is not a folder of samples: it has no README.md.", hint="Make it with: finlmm samples RUN"
        )
    return sorted((folder / kind).glob(f"{split}-*-of-*.parquet"))


def read_rows(
    folder: Path,
    kind: SampleKind,
    split: Split,
    columns: list[str] | None = None,
    ids: Collection[str] | None = None,
) -> Iterator[Row]:
    """Yield the rows of a kind and split as plain dicts.

    Args:
        folder: a run's ``samples/``.
        kind: 'text' or 'contrastive'.
        split: 'train', 'validation' or 'test'.
        columns: those wanted, all where not given; without ``images`` no image bytes are read. With ``ids`` they have
            to hold ``id``.
        ids: of the samples wanted, all where not given.
    """
    import pyarrow.parquet as pq

    for path in shards(folder, kind, split):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64, columns=columns):
                if ids is None:
                    yield from batch.to_pylist()
                    continue
                for place, sample_id in enumerate(batch.column("id").to_pylist()):
                    if sample_id in ids:
                        yield from batch.slice(place, 1).to_pylist()


def read_samples(folder: Path, kind: SampleKind, split: Split, images: ImageStore | None = None) -> Iterator[Sample]:
    """Yield the samples of a kind and split in the order written.

    Args:
        folder: a run's ``samples/``.
        kind: 'text' (stage 1) or 'contrastive' (stage 2).
        split: 'train', 'validation' or 'test'.
        images: a store to put the images in, so that ``images.open(sample.images[0])`` works where the run's own
            store is not at hand. Without it image bytes are not read.
    """
    columns = [name for name in COLUMNS[kind] if name != "images" or images is not None]
    for row in read_rows(folder, kind, split, columns):
        if images is not None:
            for figure, image in zip(row.get("figures") or [], row.get("images") or [], strict=True):
                images.put_bytes(image["bytes"], figure["width"], figure["height"], figure["format"])
        yield sample_of(row)
