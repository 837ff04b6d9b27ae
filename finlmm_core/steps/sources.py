"""Which reports a run reads: found in a folder, told apart by content, none from outside it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from finlmm_core.domain import Rejected
from finlmm_core.errors import DocumentError, FinlmmError
from finlmm_core.escapes import visible_line
from finlmm_core.store.atomic import write_atomic

SOURCES_FILE = "sources.json"
#: No report is larger; a file is held in memory while it is looked at.
MOST_FILE_BYTES = 1 << 30


class SourceFile(NamedTuple):
    """One report: ``relative`` is its path below the input folder, with forward slashes."""

    relative: str
    sha256: str
    size: int  # bytes
    cost: float  # rough guess at the work in it, to start the longest first; of no other use


class Sources(NamedTuple):
    """The reports of a run and the files that were left out."""

    root: Path
    files: tuple[SourceFile, ...]
    rejected: tuple[Rejected, ...]
    url: str | None = None  # where the reports are, in place of a folder of this machine

    def path(self, source: SourceFile) -> Path:
        """Return where a report's file is."""
        return self.root / source.relative


def find_sources(reports: Path, run: Path | None = None) -> Sources:
    """Return the PDF files of a folder (searched deeply) or the one PDF given.

    Files with equal content count once, under the name that sorts first. Symbolic links that lead out of the folder
    are refused, so that a folder from elsewhere cannot have other files read; links to folders are not followed. What
    is no plain file is never opened: a pipe would wait for a writer for ever.

    Args:
        reports: the folder, or one file.
        run: the run's folder, which is no source where it lies below the reports.

    Raises:
        FinlmmError: no such folder, no PDF in it, or it lies in the run's folder.
    """
    if not reports.exists():
        raise FinlmmError(f"'{reports}' does not exist.", hint="Give a folder of PDF reports, or one PDF file.")
    if not (reports.is_dir() or reports.is_file()):
        raise FinlmmError(
            f"'{reports}' is neither a folder nor a file, but {_kind(reports.stat().st_mode)}.",
            hint="Give a folder of PDF reports, or one PDF file.",
        )
    root = reports.resolve() if reports.is_dir() else reports.resolve().parent
    _check_root(root, run)
    seen: dict[str, str] = {}
    files: list[SourceFile] = []
    rejected: list[Rejected] = []
    if reports.is_dir():
        candidates = _pdfs_below(root, run.resolve() if run is not None else None, rejected)
    else:
        candidates = [reports.resolve()]
    for path in candidates:
        relative = path.relative_to(root).as_posix()
        if not _is_unicode(relative):
            rejected.append(left_out(relative, "name_not_unicode", "the file's name is not UTF-8: rename it"))
            continue
        try:
            data = read_source(root, path)
        except DocumentError as error:
            rejected.append(left_out(relative, error.reason, error.detail))
            continue
        add_source(source_file(relative, data), files, rejected, seen)
    if not files:
        told = "".join(f"\n    {item.item_id}: {item.reason} ({item.detail})" for item in rejected[:10])
        raise FinlmmError(
            f"There is no PDF in '{reports}'" + (f" that can be read:{told}" if rejected else "."),
            hint="Give a folder that holds *.pdf files (searched deeply), or one PDF file.",
        )
    return Sources(root, tuple(files), tuple(sorted(rejected, key=lambda item: (item.item_id, item.reason))))


def source_file(relative: str, data: bytes) -> SourceFile:
    """Return what a run needs to know of a report before it is parsed."""
    return SourceFile(relative, hashlib.sha256(data).hexdigest(), len(data), round(_cost(data), 3))


def add_source(source: SourceFile, files: list[SourceFile], rejected: list[Rejected], seen: dict[str, str]) -> None:
    """Add a report to those of a run, or leave it out where another one has the same bytes.

    Args:
        source: the report.
        files: grows by it.
        rejected: grows by the reason why it is left out.
        seen: SHA-256 -> name of the report that has these bytes.
    """
    first = seen.setdefault(source.sha256, source.relative)
    if first == source.relative:
        files.append(source)
    else:
        rejected.append(left_out(source.relative, "duplicate_file", f"the same bytes as {first}"))


def read_source(root: Path, path: Path) -> bytes:
    """Return the bytes of a plain file that lies below a folder, links followed.

    Raises:
        DocumentError: ``link_out_of_folder``, ``not_a_file``, ``file_too_large`` or ``unreadable``.
    """
    if not Path(os.path.realpath(path)).is_relative_to(root):
        raise DocumentError("link_out_of_folder", "a symbolic link that leads out of the folder")
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise DocumentError("not_a_file", f"expected a file, this is {_kind(mode)}")
        # Opened without waiting: it may have become a pipe since.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_FILE_BYTES:
                raise DocumentError(
                    "file_too_large", f"the file has {size:,} bytes; at most {MOST_FILE_BYTES:,} are read"
                )
            return file.read(size + 1)
    except OSError as error:
        raise DocumentError("unreadable", error.strerror or "cannot be read") from error


def check_unchanged(root: Path, source: SourceFile) -> None:
    """Refuse a report that is not the file any more that the run began with, before a parser opens it.

    Raises:
        DocumentError: ``changed_while_read``.
    """
    try:
        data = read_source(root, root / source.relative)
    except DocumentError as error:
        raise DocumentError("changed_while_read", f"it could be read when the run began, and now: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        raise DocumentError(
            "changed_while_read", f"the file's SHA-256 is {digest}, and was {source.sha256} when the run began"
        )


def _check_root(root: Path, run: Path | None) -> None:
    if not _is_unicode(str(root)):
        raise FinlmmError(
            f"The name of the folder '{visible_line(str(root))}' is not UTF-8.", hint="Rename it, or link to it."
        )
    if run is not None and root.is_relative_to(run.resolve()):
        raise FinlmmError(
            f"The reports '{root}' lie in the run's folder '{run}', where results are written and removed.",
            hint="Give another folder with -o, beside the reports or elsewhere.",
        )


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of a file name that Python carries along
        return False
    return True


def _kind(mode: int) -> str:
    """Return in words what a file that is no plain file is."""
    names = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFDIR: "a folder",
    }
    return names.get(stat.S_IFMT(mode), "something else")


_PAGE = re.compile(rb"/Type ?/Page\b")
_PICTURE = re.compile(rb"/Subtype ?/Image\b")
_SIDES = re.compile(rb"/(?:Width|Height) (\d+)")
_LEAST_SIDE = 150  # pixels; smaller pictures are logos and icons, which are not read
_DICTIONARY = 1500  # bytes; more of a picture's dictionary is not looked at


def _cost(data: bytes) -> float:
    """Return a rough guess at a report's seconds, pages counted by their marks, or by size where these are packed.

    Most of the time goes into reading pictures by OCR: a picture costs what fifteen pages of text cost, and a page of
    a report with a large picture a page, likely scanned or a deck, twice that. Such a report must not be the last one
    that a build waits for.
    """
    pages = len(_PAGE.findall(data)) or len(data) / 50_000
    pictures = sum(_is_large(data, match.start(), match.end()) for match in _PICTURE.finditer(data))
    return 0.1 * pages + (3.0 * pages if pictures >= 0.9 * pages else 1.5 * pictures)


def _is_large(data: bytes, start: int, end: int) -> bool:
    """Tell whether the picture whose dictionary holds this mark has two long sides; True where it does not tell."""
    begin = max(start - _DICTIONARY, data.rfind(b"obj", max(0, start - _DICTIONARY), start))
    stop = data.find(b"stream", end, end + _DICTIONARY)
    sides = _SIDES.findall(data, max(0, begin), stop if stop >= 0 else end + _DICTIONARY)
    return all(int(side[:9]) >= _LEAST_SIDE for side in sides)


def _pdfs_below(root: Path, run: Path | None, rejected: list[Rejected]) -> list[Path]:
    r"""Return everything named \*.pdf below a folder but folders, by name; note what could not be looked at."""
    found: list[Path] = []

    def unlisted(error: OSError) -> None:
        relative = Path(str(error.filename)).relative_to(root).as_posix()
        rejected.append(left_out(relative, "unreadable", f"a folder that cannot be listed: {error.strerror}"))

    for folder, below, names in os.walk(root, onerror=unlisted):
        here = Path(folder)
        for name in below:
            if (here / name).is_symlink() and not Path(os.path.realpath(here / name)).is_relative_to(root):
                relative = (here / name).relative_to(root).as_posix()
                rejected.append(left_out(relative, "link_out_of_folder", "a link to a folder outside of this one"))
        below[:] = [name for name in below if run is None or here / name != run]
        found += [here / name for name in names if name.lower().endswith(".pdf")]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def left_out(relative: str, reason: str, detail: str) -> Rejected:
    """Return why a file is no source of a run."""
    return Rejected(step="sources", item_id=visible_line(relative), reason=reason, detail=detail)


def write_sources(sources: Sources, run: Path) -> None:
    """Write down what a run reads."""
    content = {
        "root": sources.url or str(sources.root),
        "files": [source._asdict() for source in sources.files],
        "rejected": [item.model_dump() for item in sources.rejected],
    }
    write_atomic(run / SOURCES_FILE, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())


def read_sources(run: Path) -> Sources:
    """Return what a run reads, as written down by its parse step.

    Raises:
        FinlmmError: the folder is not a run.
    """
    try:
        content = json.loads((run / SOURCES_FILE).read_bytes())
    except FileNotFoundError:
        raise FinlmmError(
            f"'{run}' is not the folder of a run: it has no {SOURCES_FILE}.",
            hint=f"Begin with the reports: finlmm parse REPORTS -o {run}",
        ) from None
    return Sources(
        Path(content["root"]),
        tuple(SourceFile(**source) for source in content["files"]),
        tuple(Rejected.model_validate(item) for item in content["rejected"]),
        content["root"] if "://" in content["root"] else None,
    )
