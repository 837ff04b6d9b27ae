"""One file a document and step: ``<step>/ab/<document>.json`` and, beside it, ``<document>.rejected.jsonl``.

The JSON file is written last, under a temporary name, and renamed: it exists whole, or not at all. Its first line is
a header that can be read without the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from finlmm_core.domain import Frozen, Rejected
from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import write_atomic


class Header(Frozen):
    """What a stored document says of itself in its first line."""

    key: str
    step: str
    document: str
    status: Literal["done", "set_aside"]
    counts: dict[str, int] = {}
    rejections: dict[str, int] = Field(default={}, description="reason -> how many")


class DocumentStore:
    """The files of one step, by document."""

    def __init__(self, folder: Path, step: str) -> None:
        self.folder = folder
        self.step = step

    def path(self, document_id: str) -> Path:
        """Return where a document's result is kept."""
        return self.folder / document_id[:2] / f"{document_id}.json"

    def rejected_path(self, document_id: str) -> Path:
        """Return where what was dropped of a document is kept."""
        return self.folder / document_id[:2] / f"{document_id}.rejected.jsonl"

    def header(self, document_id: str) -> Header | None:
        """Return the header of a stored document, None where it is not stored."""
        try:
            with open(self.path(document_id), "rb") as file:
                first = file.readline()
        except FileNotFoundError:
            return None
        try:
            return Header.model_validate(json.loads(first.rstrip().rstrip(b",") + b"}")["header"])
        except (ValueError, KeyError) as error:
            raise FinlmmError(
                f"{self.path(document_id)} is not a file that finlmm wrote: {error}.",
                hint="Delete it and run the same command again.",
            ) from error

    def write(
        self,
        document_id: str,
        key: str,
        result: str,
        rejected: Sequence[Rejected],
        counts: dict[str, int],
        status: Literal["done", "set_aside"] = "done",
    ) -> Header:
        """Store a result.

        Args:
            document_id: the document.
            key: the step's key for this document.
            result: the result as JSON.
            rejected: what was dropped, with reasons.
            counts: what came out, by name.
            status: ``set_aside`` where the document could not be processed.
        """
        rejections: dict[str, int] = {}
        for item in rejected:
            rejections[item.reason] = rejections.get(item.reason, 0) + 1
        header = Header(
            key=key,
            step=self.step,
            document=document_id,
            status=status,
            counts=counts,
            rejections=dict(sorted(rejections.items())),
        )
        beside = self.rejected_path(document_id)
        if rejected:
            write_atomic(beside, b"".join(item.model_dump_json().encode() + b"\n" for item in rejected))
        else:
            beside.unlink(missing_ok=True)
        body = f'{{"header":{header.model_dump_json()},\n"result":{result}}}\n'
        write_atomic(self.path(document_id), body.encode())
        return header

    def result(self, document_id: str) -> Any:
        """Return the stored result as plain JSON objects."""
        return json.loads(self.path(document_id).read_bytes())["result"]

    def rejected(self, document_id: str) -> list[Rejected]:
        """Return what was dropped of a document."""
        try:
            lines = self.rejected_path(document_id).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [Rejected.model_validate_json(line) for line in lines]
