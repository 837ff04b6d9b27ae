"""Which reports a run reads where they are at a URL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from finlmm_core.domain import Rejected
from finlmm_core.errors import FinlmmError
from finlmm_core.steps.sources import (
    MOST_FILE_BYTES,
    SourceFile,
    Sources,
    add_source,
    left_out,
    source_file,
)
from finlmm_core.store.atomic import write_atomic
from finlmm_core.store.remote import RemoteFolder, cache_folder, safe_below


def find_remote_sources(url: str) -> Sources:
    """Return the PDF files below a URL (searched deeply), or the one PDF that it names.

    Each is read once, to know it by its content; what was read stays known on this machine, by the version that the
    store gives it, so that a run that goes on does not read all of them again.

    Raises:
        FinlmmError: the store cannot be used, or there is no PDF.
    """
    folder = RemoteFolder(url)
    versions = folder.versions()
    if set(versions) == {""}:  # one file
        above, _, name = folder.url.rpartition("/")
        folder, versions = RemoteFolder(above), {name: versions[""]}
    rejected: list[Rejected] = []
    wanted = [path for path in sorted(versions) if path.lower().endswith(".pdf") and _is_usable(path, rejected)]
    known = _read_known(folder.url)
    looked_at = _look(folder, [path for path in wanted if known.get(path, ("",))[0] != versions[path]], rejected)
    known = {path: known[path] for path in wanted if path in known}
    known.update({path: (versions[path], *source[1:]) for path, source in looked_at.items()})
    _write_known(folder.url, known)
    files: list[SourceFile] = []
    seen: dict[str, str] = {}
    gone = {item.item_id for item in rejected}
    for path in wanted:
        if path not in gone:
            _, sha256, size, cost = known[path]
            add_source(SourceFile(path, sha256, size, cost), files, rejected, seen)
    if not files:
        raise FinlmmError(
            f"There is no PDF at '{url}'.", hint="Give a URL below which there are *.pdf files, or the URL of one."
        )
    return Sources(
        Path(url), tuple(files), tuple(sorted(rejected, key=lambda item: (item.item_id, item.reason))), folder.url
    )


def _is_usable(path: str, rejected: list[Rejected]) -> bool:
    if safe_below(path):
        return True
    rejected.append(left_out(path, "name_not_usable", "a name that no folder of this machine could hold: rename it"))
    return False


def _look(folder: RemoteFolder, paths: Sequence[str], rejected: list[Rejected]) -> dict[str, SourceFile]:
    def look(path: str) -> SourceFile | Rejected:
        data = folder.read(path, at_most=MOST_FILE_BYTES + 1)
        if data is None:
            return left_out(path, "unreadable", "it went while the files were looked at")
        if len(data) > MOST_FILE_BYTES:
            return left_out(path, "file_too_large", f"at most {MOST_FILE_BYTES:,} bytes are read")
        return source_file(path, data)

    with ThreadPoolExecutor(folder.connections()) as threads:
        found = dict(zip(paths, threads.map(look, paths), strict=True))
    rejected += [item for item in found.values() if isinstance(item, Rejected)]
    return {path: item for path, item in found.items() if isinstance(item, SourceFile)}


def _read_known(url: str) -> dict[str, tuple[str, str, int, float]]:
    try:
        return {path: tuple(entry) for path, entry in json.loads(_known_file(url).read_bytes()).items()}
    except (FileNotFoundError, ValueError):
        return {}


def _write_known(url: str, known: Mapping[str, tuple[str, str, int, float]]) -> None:
    write_atomic(_known_file(url), json.dumps(known, ensure_ascii=False).encode(), flush=False)


def _known_file(url: str) -> Path:
    return cache_folder() / "listings" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"
