"""Opening a cache file: to write, or to read only, where the file or its folder may not be written to."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from typing import Final, NamedTuple

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache_adapters.stores import system
from sansio_cache_adapters.stores.foreign import left_alone

from . import place
from .guarded import Guarded, connect
from .reader import Corrupt, Mapping, Unopened
from .schema import META, META_IS_SOUND, SCHEMA_VERSION

__all__ = ["LOG_PAGES", "UNCHANGING", "WRITING", "open_at", "open_to_read"]

LOG_PAGES: Final = 24_576
"""A log of so many pages is checkpointed by who commits; long before, maintenance does it."""

WRITING: Final = "mode=rw"
_READING: Final = "mode=ro"
_TRIES: Final = 3
UNCHANGING: Final = "mode=ro&immutable=1"
"""On a medium where SQLite cannot make the files that it coordinates readers and writers by."""

_WRITERS_CACHE: Final = 512
"""KiB of the file that the writing connection holds: the system's memory holds the file, too."""
_WRITERS: Final = (
    "journal_mode = WAL",
    "synchronous = NORMAL",
    f"wal_autocheckpoint = {LOG_PAGES}",
    f"journal_size_limit = {LOG_PAGES * 4096}",
    "secure_delete = OFF",
)


class OpenedFile(NamedTuple):
    """The file at a path, and a connection to it.

    :ivar connection: writes, if ``how`` lets it.
    :ivar how: parameters of SQLite's URI, for further connections.
    :ivar looked_at: its state when it was opened.
    """

    inode: place.Inode
    connection: Guarded
    how: str
    looked_at: place.State


def open_at(
    path: str, ids: tuple[bytes, bytes] | None, longest: int, patience: float, *, only_reads: bool = False
) -> OpenedFile:
    """The file at ``path``, begun with these ids if there is none; kept in mind, until that is given up.

    Tried again where another process begins a file or sets one aside just now.

    :raises StoreError: in all its kinds; OSError too.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return _open_now(path, ids, longest, patience, only_reads)
    return _open_now(path, ids, longest, patience, only_reads)


def _open_now(
    path: str, ids: tuple[bytes, bytes] | None, longest: int, patience: float, only_reads: bool
) -> OpenedFile:
    with place.examining:
        if not place.examine(path):
            if only_reads:
                raise StoreError(f"{path}: there is no cache")
            place.begin(path, ids)
            place.examine(path)
        looked_at, inode = place.state_of(path, only_reads=only_reads), place.inode_at(path)
        try:
            with Mapping(path):
                if looked_at.may_be_written:
                    connection, how = _opened(path, longest, patience, WRITING), WRITING
                else:
                    connection, how = open_to_read(path, longest, patience)
        except (Corrupt, Unopened) as error:
            if place.inode_at(path) != inode:
                # It may have been opened with the log of the other.
                raise _gone(path) from error
            error.inode = inode
            raise
        if inode is None or place.inode_at(path) != inode:
            connection.close()
            raise _gone(path)
        place.remember(inode)
        return OpenedFile(inode, connection, how, looked_at)


def _gone(path: str) -> FileNotFoundError:
    return FileNotFoundError(f"{path}: it went, or was replaced, while it was opened")


def open_to_read(path: str, longest: int, patience: float) -> tuple[Guarded, str]:
    """A connection that reads, and how further ones are opened.

    :param longest: bytes of a value at most.
    :param patience: seconds to wait for others.
    :raises StoreError: if there is a log beside the file that cannot be read here.
    :raises ForeignStore: if a newer version has made it.
    :raises Corrupt: if it is not as ours are; sqlite3.Error too.
    """
    try:
        return _opened(path, longest, patience, _READING), _READING
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    log = f"{os.path.realpath(path)}-wal"
    if os.path.exists(log) and os.path.getsize(log) > 0:
        raise StoreError(f"{path} can only be read here, and was not closed: open it once where it can be written to")
    return _opened(path, longest, patience, UNCHANGING), UNCHANGING


def _opened(path: str, longest: int, patience: float, how: str) -> Guarded:
    connection = connect(path, longest, how)
    try:
        if how == WRITING:
            # A journal that comes right now must not be rolled back: it names files to delete (guarded.py). Who only
            # reads does not do it, and while that connection is open nobody else can. It is closed first: the last one
            # that may write takes the files beside the cache's away.
            with closing(connect(path, longest, _READING)) as keeper:
                keeper.allow(time.monotonic() + patience + 1.0)
                keeper.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
                keeper.execute("PRAGMA user_version").fetchone()
                connection.cache = _WRITERS_CACHE
                _prepare(path, connection, patience, may_write=True)
        else:
            _prepare(path, connection, patience, may_write=False)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(path: str, connection: Guarded, patience: float, *, may_write: bool) -> None:
    connection.allow(time.monotonic() + patience + 1.0)
    # While others open the file too, SQLite locks it as a whole now and then.
    connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
    # First of all: other pragmas read the schema.
    _check(path, connection, may_write=may_write)
    if may_write:
        for pragma in (*_WRITERS, *system.SYSTEM.pragmas):
            connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA busy_timeout = 0")
    connection.shut()


def _check(path: str, connection: Guarded, *, may_write: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise ForeignStore(left_alone(path, "was made by a newer version of sansio-cache"))
    connection.verify()
    if version < SCHEMA_VERSION and may_write:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    try:
        sound = connection.execute(META_IS_SOUND).fetchone() == (1,)
        found = connection.execute(META).fetchone() if sound else None
    except sqlite3.DataError:
        found = None  # a value that is too large to be read
    match found:
        case (bytes() as store_id, bytes() as salt, int()):
            connection.ids = store_id, salt
        case _:
            raise Corrupt(f"{path}: the meta record is missing or broken")
