"""Which cache lies at a place, and its entries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol, cast

from sansio_cache.errors import SettingError
from sansio_cache_adapters.stores.paths import expand_home, is_url

from . import aiohttp_client_cache, requests_cache
from .databases import Database, is_database
from .entries import Entry, damaged
from .folders import names_in, read_file
from .report import Skipped
from .values import Values

__all__ = ["KINDS", "Source", "open_source"]

KINDS: Final = ("requests-cache", "aiohttp-client-cache")
Key = str | bytes | Sequence[str | bytes] | None
_BESIDE: Final = (".sqlite", ".sqlite-journal", ".sqlite-wal", ".sqlite-shm", ".db", ".db-journal", ".lock")
"""Ends of the names of what the other caches keep beside the entries in a folder."""


class Source(Protocol):
    """A cache to read from."""

    def __len__(self) -> int: ...

    def entries(self) -> Iterator[Callable[[], Entry]]:
        """What reads each entry, or raises :class:`Skipped`."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def open_source(location: str | os.PathLike[str], kind: str | None, key: Key, longest: int) -> Source:
    """The cache at a place.

    :param kind: which cache it is of; None to find out.
    :param longest: bytes of an entry that is read.
    :raises SettingError: there is none, or of none that is known.
    """
    if kind is not None and kind not in KINDS:
        raise SettingError(f"kind takes one of {', '.join(KINDS)}, or None to find out, not {kind!r}")
    path = _path_of(location)
    values = Values(key)
    if os.path.isdir(path):
        return _folder(path, kind, values, longest)
    if not os.path.exists(path):
        raise SettingError(f"there is no cache at {path}")
    if not is_database(path):
        raise SettingError(f"{path} is neither a folder nor a SQLite file, and no cache that can be imported")
    return _file(path, kind, values, longest)


def _path_of(location: object) -> str:
    if not isinstance(location, str | os.PathLike):
        raise SettingError(f"source takes the path of a file or a folder, not {location!r}")
    path = os.fspath(cast("str | os.PathLike[str]", location))
    if is_url(path):
        scheme, _, rest = path.partition(":")
        if scheme.lower() not in ("sqlite", "file") or not rest.startswith("///"):
            raise SettingError("source takes a path, sqlite:///… or file:///…: the cache of a server is not imported")
        path = "/" + rest.lstrip("/")
    return expand_home(path) or path


class _Rows:
    """The entries of a SQLite file of requests-cache or aiohttp-client-cache."""

    def __init__(self, database: Database, read: Callable[[object], Entry]) -> None:
        self._database = database
        self._read = read

    def __len__(self) -> int:
        return self._database.count("responses")

    def entries(self) -> Iterator[Callable[[], Entry]]:
        """See :class:`Source`."""
        for row in self._database.rows("responses", ("value",)):
            yield _reading(self._read, row)

    def close(self) -> None:
        """See :class:`Source`."""
        self._database.close()


def _reading(read: Callable[[object], Entry], row: tuple[Any, ...] | Skipped) -> Callable[[], Entry]:
    def entry() -> Entry:
        if isinstance(row, Skipped):
            raise row
        return read(row[0])

    return entry


class _Files:
    """The entries in a folder of requests-cache or aiohttp-client-cache."""

    def __init__(self, folder: str, names: list[str], read: Callable[[object], Entry], longest: int) -> None:
        self._folder = folder
        self._names = names
        self._read = read
        self._longest = longest

    def __len__(self) -> int:
        return len(self._names)

    def entries(self) -> Iterator[Callable[[], Entry]]:
        """See :class:`Source`."""
        for name in self._names:
            yield self._reading(os.path.join(self._folder, name))

    def _reading(self, path: str) -> Callable[[], Entry]:
        return lambda: self._read(read_file(path, self._longest))

    def close(self) -> None:
        """See :class:`Source`."""


def _file(path: str, kind: str | None, values: Values, longest: int) -> Source:
    database = Database(path, longest)
    for columns in (("key", "value", "expires"), ("key", "value")):
        if database.has("responses", columns):
            return _Rows(database, _reader(values, kind))
    ours = database.has("meta", ("store_id", "salt", "signed"))
    database.close()
    if ours:
        raise SettingError(f"{path} is a cache of sansio-cache: export it and load it, there is nothing to import")
    raise SettingError(f"{path} is a SQLite file, but no cache of {' or '.join(KINDS)}")


def _folder(path: str, kind: str | None, values: Values, longest: int) -> Source:
    names = [name for name in names_in(path) if not name.endswith(_BESIDE) and not name.startswith(".")]
    if not names:
        raise SettingError(f"the folder {path} has no entries of {' or '.join(KINDS)} in it")
    return _Files(path, names, _reader(values, kind), longest)


def _reader(values: Values, kind: str | None) -> Callable[[object], Entry]:
    """Reads an entry of either cache: each of them says whose it is."""

    def read(raw: object) -> Entry:
        value = values.read(raw)
        if aiohttp_client_cache.is_entry(value) and kind != "requests-cache":
            return aiohttp_client_cache.entry_of(value)
        if isinstance(value, dict) and kind != "aiohttp-client-cache":
            return requests_cache.entry_of(cast("dict[str, object]", value))
        raise damaged()

    return read
