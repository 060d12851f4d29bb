"""Which cache lies at a place, and its entries."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol, cast, get_args
from urllib.parse import unquote

from sansio_cache.errors import SettingError, StoreError
from sansio_cache_adapters.stores.paths import expand_home, is_url

from . import aiohttp_client_cache, packed, requests_cache
from .databases import Database, is_database
from .entries import ForeignEntry, damaged
from .folders import names_in, nested_names, read_file
from .report import Reason, Skipped
from .values import Values

__all__ = ["KINDS", "Kind", "Source", "open_source", "reader_of"]

Kind = Literal["requests-cache", "aiohttp-client-cache", "hishel", "cachecontrol"]
"""Which library has written a cache."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_OF_HISHEL: Final = (
    *("id", "cache_key", "data", "expires_at", "last_accessed_at", "chunk_count", "ttl_deadline", "tti"),
)
_CHUNKS: Final = ("entry_id", "chunk_number", "chunk_data")
_DEEP: Final = 5
"""Folders above a file of CacheControl, each named by a digit of its name."""
_DIGEST: Final = re.compile(r"[0-9a-f]{56}")
Key = str | bytes | Sequence[str | bytes] | None
_BESIDE: Final = (".sqlite", ".sqlite-journal", ".sqlite-wal", ".sqlite-shm", ".db", ".db-journal", ".lock")
"""Ends of the names of what the other caches keep beside the entries in a folder."""


class Source(Protocol):
    """A cache to read from."""

    def __len__(self) -> int: ...

    def entries(self) -> Iterator[Callable[[], ForeignEntry]]:
        """Functions that each read one entry, or raise :class:`Skipped`."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def open_source(
    location: str | os.PathLike[str], kind: str | None, key: Key, longest: int, urls: Iterable[str] = ()
) -> Source:
    """The cache at a place.

    :param kind: which cache it is of; None to find out.
    :param longest: bytes of an entry that is read.
    :param urls: of which there may be responses, where the cache keeps none.
    :raises SettingError: there is none, or of none that is known.
    :raises StoreError: it cannot be read.
    """
    if kind is not None and kind not in KINDS:
        raise SettingError(f"kind takes one of {', '.join(KINDS)}, or None to find out, not {kind!r}")
    path = _path_of(location)
    values = Values(key)
    try:
        if os.path.isdir(path):
            return _folder(path, kind, values, longest, urls)
        if not os.path.exists(path):
            raise SettingError(f"there is no cache at {path}")
        if not stat.S_ISREG(os.stat(path).st_mode) or not is_database(path):
            raise SettingError(f"{path} is neither a folder nor a SQLite file, and no cache that can be imported")
        return _file(path, kind, values, longest)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _path_of(location: object) -> str:
    if not isinstance(location, str | os.PathLike):
        raise SettingError(f"source takes the path of a file or a folder, not {location!r}")
    path = os.fspath(cast("str | os.PathLike[str]", location))
    if is_url(path):
        scheme, _, rest = path.partition(":")
        if scheme.lower() not in ("sqlite", "file") or not rest.startswith("///"):
            raise SettingError("source takes a path, sqlite:///… or file:///…: the cache of a server is not imported")
        path = "/" + unquote(rest).lstrip("/")
    return expand_home(path) or path


class _Chunked:
    """The entries of a SQLite file of hishel."""

    def __init__(self, database: Database, longest: int) -> None:
        self._database = database
        self._longest = longest

    def __len__(self) -> int:
        return self._database.count("entries")

    def entries(self) -> Iterator[Callable[[], ForeignEntry]]:
        """See :class:`Source`."""
        for row in self._database.rows("entries", ("id", "data", "expires_at", "last_accessed_at", "chunk_count")):
            yield partial(self._read, row)

    def _read(self, row: tuple[Any, ...] | Skipped) -> ForeignEntry:
        if isinstance(row, Skipped):
            raise row
        entry, data, until, used_at, count = row
        if until is not None and not (isinstance(until, float) and until > time.time()):
            raise Skipped(Reason.REMOVED)
        if not isinstance(count, int):
            raise Skipped(Reason.INCOMPLETE)
        chunks: list[bytes] = []
        size = 0
        for number, chunk in self._database.where("streams", _CHUNKS[1:], "entry_id", entry, "chunk_number"):
            if not isinstance(chunk, bytes) or number != len(chunks):
                raise damaged()
            chunks.append(chunk)
            size += len(chunk)
            if size > self._longest:
                raise Skipped(Reason.TOO_LARGE)
        if len(chunks) != count:
            raise Skipped(Reason.INCOMPLETE)
        return packed.hishel_entry(data, b"".join(chunks), used_at)

    def close(self) -> None:
        """See :class:`Source`."""
        self._database.close()


class _Named:
    """The entries in a folder of CacheControl, which keeps digests of URLs."""

    def __init__(self, folder: str, urls: Iterable[str], longest: int) -> None:
        self._paths = [path for path in nested_names(folder, _DEEP) if _DIGEST.fullmatch(os.path.basename(path))]
        self._longest = longest
        try:
            self._urls = {packed.cachecontrol_name(url): url for url in urls}
        except ValueError as error:
            raise SettingError(f"urls takes absolute URLs, not {str(error)!r}") from None

    def __len__(self) -> int:
        return len(self._paths)

    def entries(self) -> Iterator[Callable[[], ForeignEntry]]:
        """See :class:`Source`."""
        for path in self._paths:
            yield partial(self._read, path)

    def _read(self, path: str) -> ForeignEntry:
        url = self._urls.get(os.path.basename(path))
        if url is None:
            raise Skipped(Reason.URL_UNKNOWN)
        data = read_file(path, self._longest)
        beside = f"{path}.body"
        body = read_file(beside, self._longest) if os.path.lexists(beside) else None
        return packed.cachecontrol_entry(data, url, body, os.lstat(path).st_mtime)

    def close(self) -> None:
        """See :class:`Source`."""


class _Rows:
    """The entries of a SQLite file of requests-cache or aiohttp-client-cache."""

    def __init__(self, database: Database, read: Callable[[object], ForeignEntry]) -> None:
        self._database = database
        self._read = read

    def __len__(self) -> int:
        return self._database.count("responses")

    def entries(self) -> Iterator[Callable[[], ForeignEntry]]:
        """See :class:`Source`."""
        for row in self._database.rows("responses", ("value",)):
            yield partial(_read_row, self._read, row)

    def close(self) -> None:
        """See :class:`Source`."""
        self._database.close()


def _read_row(read: Callable[[object], ForeignEntry], row: tuple[Any, ...] | Skipped) -> ForeignEntry:
    if isinstance(row, Skipped):
        raise row
    return read(row[0])


class _Files:
    """The entries in a folder of requests-cache or aiohttp-client-cache."""

    def __init__(self, folder: str, names: list[str], read: Callable[[object], ForeignEntry], longest: int) -> None:
        self._folder = folder
        self._names = names
        self._read = read
        self._longest = longest

    def __len__(self) -> int:
        return len(self._names)

    def entries(self) -> Iterator[Callable[[], ForeignEntry]]:
        """See :class:`Source`."""
        for name in self._names:
            yield partial(self._read_file, os.path.join(self._folder, name))

    def _read_file(self, path: str) -> ForeignEntry:
        return self._read(read_file(path, self._longest))

    def close(self) -> None:
        """See :class:`Source`."""


def _file(path: str, kind: str | None, values: Values, longest: int) -> Source:
    database = Database(path, longest)
    for columns in (("key", "value", "expires"), ("key", "value")):
        if database.has("responses", columns) and kind not in ("hishel", "cachecontrol"):
            return _Rows(database, reader_of(values, kind))
    if database.has("entries", _OF_HISHEL) and database.has("streams", _CHUNKS) and kind in (None, "hishel"):
        return _Chunked(database, longest)
    ours = "store_id" in database.columns("meta")
    database.close()
    if ours:
        raise SettingError(f"{path} is a cache of sansio-cache: export it and load it, there is nothing to import")
    raise SettingError(f"{path} is a SQLite file, but no cache of {kind or ' or '.join(KINDS)}")


def _folder(path: str, kind: str | None, values: Values, longest: int, urls: Iterable[str]) -> Source:
    if kind in (None, "cachecontrol"):
        named = _Named(path, urls, longest)
        if len(named):
            return named
    names = [name for name in names_in(path) if not name.endswith(_BESIDE) and not name.startswith(".")]
    if not names or kind in ("hishel", "cachecontrol"):
        raise SettingError(f"the folder {path} has no entries of {kind or ' or '.join(KINDS)} in it")
    return _Files(path, names, reader_of(values, kind), longest)


def reader_of(values: Values, kind: str | None) -> Callable[[object], ForeignEntry]:
    """Reads an entry of either cache: each of them says whose it is."""

    def read(raw: object) -> ForeignEntry:
        value = values.read(raw)
        if aiohttp_client_cache.is_entry(value) and kind != "requests-cache":
            return aiohttp_client_cache.entry_of(value)
        if isinstance(value, dict) and kind != "aiohttp-client-cache":
            return requests_cache.entry_of(cast("dict[str, object]", value), len(cast("str | bytes", raw)))
        raise damaged()

    return read
