"""Files below a URL, by fsspec: s3, gs, abfs, ftp, sftp, hdfs and whatever else it has a file system for.

Only what a run needs: list, read, write whole or not at all, remove. Credentials come from where fsspec and the
libraries below it look for them (environment, ``~/.aws``, ``~/.config/fsspec``); none is taken from a URL, because a
run writes its URLs down.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from finlmm_core.domain import ImageRef
from finlmm_core.errors import FinlmmError
from finlmm_core.store.atomic import TEMPORARY_PREFIX, write_atomic
from finlmm_core.store.images import ImageStore

#: Stores that show a file when all of it is there. Elsewhere it is written under another name and renamed.
_WRITES_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "memory"}
#: What tells one version of a file from the next, by the names that file systems give it.
_VERSION_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_TIME_MARKS = ("mtime", "LastModified", "last_modified", "modify", "updated", "modified", "created")
#: Files read in one go, so that a store that can answers many questions at once.
_READ_TOGETHER = 64


class RemoteFolder:
    """A folder at a URL. An instance may be pickled; each process connects for itself.

    All methods raise FinlmmError where the store cannot be used: unknown protocol, no access, no connection.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.protocol = urlsplit(url).scheme.lower()
        check_url(url)
        self._fs: Any = None
        self._root = ""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fs": None}

    def versions(self, below: str = "") -> dict[str, str]:
        """Return ``{path: version}`` of all files, paths with forward slashes from this folder; {} where it is not."""
        with self._told():
            found = self._files().find(self._path(below), detail=True)
        start = len(self._root) + 1
        return {path[start:]: _version(info) for path, info in sorted(found.items()) if info.get("type") != "directory"}

    def connections(self) -> int:
        """Return how many threads may read at the same time."""
        with self._told():
            return 8 if self._files().async_impl else 1

    def read(self, path: str, at_most: int | None = None) -> bytes | None:
        """Return a file's bytes (or the first so many of them), None where there is none."""
        with self._told():
            try:
                files, full = self._files(), self._path(path)
                large = at_most is not None and (files.info(full).get("size") or 0) > at_most
                data: bytes = files.cat_file(full, end=at_most) if large else files.cat_file(full)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return data

    def read_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes of those files that are there; names with ``*``, ``?`` or ``[`` are for ``read`` alone."""
        found: dict[str, bytes] = {}
        for start in range(0, len(paths), _READ_TOGETHER):
            wanted = {self._path(path): path for path in paths[start : start + _READ_TOGETHER]}
            with self._told():
                for full, data in self._files().cat(list(wanted), on_error="return").items():
                    if isinstance(data, bytes):
                        found[wanted[full]] = data
                    elif not isinstance(data, FileNotFoundError | NotADirectoryError):
                        raise data
        return found

    def write(self, path: str, data: bytes) -> None:
        """Write a file; readers see all of it, or what was there before."""
        self.write_many({path: data})

    def write_many(self, files: Mapping[str, bytes]) -> None:
        """Write files, each whole or not at all, in any order."""
        with self._told():
            fs = self._files()
            if self.protocol in _WRITES_WHOLE:
                fs.pipe({self._path(path): data for path, data in files.items()})
                return
            for path, data in files.items():
                full = self._path(path)
                parent = full.rpartition("/")[0]
                fs.makedirs(parent, exist_ok=True)
                temporary = f"{parent}/{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
                fs.pipe_file(temporary, data)
                fs.mv(temporary, full)

    def remove(self, path: str) -> None:
        """Remove a file, where it is there."""
        with self._told():
            try:
                self._files().rm_file(self._path(path))
            except FileNotFoundError:
                return

    def version(self, path: str) -> str:
        """Return the version of a file as ``versions`` gives it, '' where there is none."""
        with self._told():
            try:
                return _version(self._files().info(self._path(path)))
            except FileNotFoundError:
                return ""

    def _path(self, path: str) -> str:
        self._files()
        return f"{self._root}/{path}".rstrip("/")

    def _files(self) -> Any:
        if self._fs is None:
            try:
                import fsspec
            except ImportError:
                raise FinlmmError(
                    f"'{self.url}' needs fsspec, which is not installed.", hint="Install it: pip install 'finlmm[s3]'"
                ) from None
            # Other machines write here too: what a listing said before says nothing now.
            self._fs, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False, skip_instance_cache=True)
            self._root = root.rstrip("/")
        return self._fs

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FinlmmError:
            raise
        except Exception as error:  # each store's library has errors of its own
            lines = [line for line in str(error).splitlines() if line.strip()] or [""]
            hint = "Credentials and endpoints are read from the environment (for s3: AWS_*), never from the URL."
            if isinstance(error, ImportError | ValueError):
                hint = "Install the library that fsspec needs for it, such as: pip install s3fs"
            raise FinlmmError(
                f"'{self.url}' cannot be used: {type(error).__name__}: {lines[0][:300]}", hint=hint
            ) from error


_URL = re.compile(r"(?P<protocol>[A-Za-z][A-Za-z0-9+.-]+):/+(?P<rest>[^/].*)")


def url_of(place: Path | None) -> str | None:
    """Return the URL that was given where a path is asked for, None where it is a path of this machine.

    Paths hold one slash where a URL has two (``s3:/bucket/run``), and a file's has three.
    """
    match = _URL.fullmatch(place.as_posix()) if place is not None else None
    if match is None:
        return None
    slashes = "///" if match["protocol"] in ("file", "local") else "//"
    return f"{match['protocol']}:{slashes}{match['rest']}"


def check_url(url: str) -> None:
    """Refuse a URL that holds a name and a password, or no place.

    Raises:
        FinlmmError: with the URL, less what is secret in it.
    """
    parts = urlsplit(url)
    if parts.password is not None or parts.query:
        raise FinlmmError(
            f"The URL {parts.scheme}://{parts.hostname or ''}{parts.path} was given with a password or a query.",
            hint="A run writes its URLs down. Put what is secret where fsspec looks for it: the environment "
            "(FSSPEC_FTP_PASSWORD=..., AWS_SECRET_ACCESS_KEY=...) or ~/.config/fsspec.",
        )
    if not parts.scheme or not (parts.netloc or parts.path.strip("/")):
        raise FinlmmError(f"'{url}' names no place.", hint="Give a URL such as s3://bucket/folder.")


def cache_folder() -> Path:
    """Return the folder of this user's caches: ``~/.cache/finlmm``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finlmm"


def safe_below(path: str) -> bool:
    """Tell whether a file's path below a URL can be a path below a folder of this machine as well."""
    return all(
        part not in ("", ".", "..") and len(part.encode()) <= 255 and "\0" not in part for part in path.split("/")
    )


def _version(info: Mapping[str, Any]) -> str:
    for marks in (_VERSION_MARKS, _TIME_MARKS):
        for name in marks:
            if info.get(name):
                mark = info[name].timestamp() if isinstance(info[name], datetime) else info[name]
                return f"{info.get('size')} {mark}"
    return f"{info.get('size')}"


class FetchingImageStore(ImageStore):
    """An image store on this machine that fetches from a run at a URL what it has not."""

    def __init__(self, root: Path, run: RemoteFolder) -> None:
        super().__init__(root)
        self.run = run
        #: Names of the files that came from there and need not go back.
        self.fetched: set[str] = set()

    def read_bytes(self, ref: ImageRef) -> bytes:
        path = self.path(ref)
        if not path.is_file():
            relative = f"images/{path.relative_to(self.root).as_posix()}"
            data = self.run.read(relative)
            if data is not None:
                write_atomic(path, data, flush=False)
                self.fetched.add(path.name)
        return super().read_bytes(ref)
