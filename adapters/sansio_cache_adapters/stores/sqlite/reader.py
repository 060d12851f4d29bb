"""The errors of SQLite as errors of a store, and the connections by which one thread reads."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final

from sansio_cache.errors import ReadOnlyStore, StoreBusy, StoreError
from sansio_cache_adapters.stores.finalizers import CLOSING

from .guarded import HEADS, Altered, Gate, Guarded, Opener
from .place import Inode
from .schema import LOAD

__all__ = ["FOREIGN", "Corrupt", "Interrupted", "Mapping", "Reader", "TooLarge", "Unopened", "abandon", "close_dropped"]

_CACHE: Final = 1000
_BULK_CACHE: Final = 128
"""KiB of the file that a connection holds in memory at most. The system holds its pages, too: twice as much made no hit
of a small body faster, not even one out of 100,000."""
_AT_ONCE: Final = 0.01
"""Seconds that preparing a read that must not wait may take: the schema is compared."""


class Interrupted(StoreBusy):
    """The thread itself uses the file, and was interrupted: it would wait for itself for ever."""


class _OfAFile(StoreError):
    """Trouble with one file: by the time anyone does something about it another may lie in its place.

    :ivar inode: which it was, as far as it is known.
    """

    inode: Inode | None = None


class Corrupt(_OfAFile):
    """SQLite cannot make sense of the file."""


class TooLarge(_OfAFile):
    """A value is larger than any of ours can be; it was not read."""


class Unopened(_OfAFile):
    """SQLite cannot open the file, or not read it any more: it may have been deleted, replaced or renamed."""


_KINDS: Final = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_PROTOCOL: StoreBusy,
    sqlite3.SQLITE_CORRUPT: Corrupt,
    sqlite3.SQLITE_NOTADB: Corrupt,
    sqlite3.SQLITE_READONLY: ReadOnlyStore,
    # A statement would have run something of the file's own.
    sqlite3.SQLITE_AUTH: Corrupt,
    sqlite3.SQLITE_TOOBIG: TooLarge,
    sqlite3.SQLITE_CANTOPEN: Unopened,
    # A connection that found another file's log beside its own file goes on failing so until it is closed.
    sqlite3.SQLITE_IOERR: Unopened,
}


FOREIGN: Final = (sqlite3.Error, OSError, UnicodeError, OverflowError)
"""The exceptions that using a file raises; the last two come from values that SQLite has not."""


class Mapping:
    """The one door for foreign exceptions: within it ``sqlite3.Error`` and ``OSError`` become StoreErrors."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, FOREIGN):
            raise self.of(error) from error

    def of(self, error: Exception) -> StoreError:
        """The StoreError for one of :data:`FOREIGN`."""
        if not isinstance(error, sqlite3.Error):
            return StoreError(f"{self._path}: {error}")
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if isinstance(error, Altered) or (code == sqlite3.SQLITE_ERROR and "no such" in str(error)):
            # No such table or column: the schema is not the one that the header promises.
            return Corrupt(f"{self._path}: {error}")
        return _KINDS.get(code, StoreError)(f"{self._path}: {error}")


class Reader:
    """The connections by which one thread reads. Anyone who uses them holds ``lock``.

    ``connection`` reads heads and small bodies, and ``cursor`` is its for reads that must not wait; ``bulk`` reads
    chunks: those would drive the heads out of SQLite's cache of pages.

    :param opener: opens its connections.
    :param longest: bytes of a value read by ``bulk`` at most.
    """

    __slots__ = (
        *("__weakref__", "_bulk", "_dropped", "_in_use", "_opener"),
        *("connection", "cursor", "gate", "lock", "longest", "until"),
    )

    def __init__(self, opener: Opener, longest: int, dropped: deque[sqlite3.Connection]) -> None:
        self._opener = opener
        self.longest = longest
        self._dropped = dropped
        self.lock = threading.Lock()
        self.connection: Guarded | None = None
        self.cursor: sqlite3.Cursor | None = None
        self.gate = Gate()
        self._bulk: Guarded | None = None
        self._in_use: list[Guarded] = []
        # Of the monotonic clock: what runs on then is broken off.
        self.until = 0.0

    def prepare(self) -> sqlite3.Cursor:
        """Make the cursor, for ``LOAD`` and nothing else; the caller holds the lock."""
        self.until = time.monotonic() + _AT_ONCE
        try:
            connection = self.connect()
            cursor = connection.cursor()
            cursor.execute(LOAD, (0, b"")).fetchall()
        finally:
            self.settle()
        self.gate, self.cursor = connection.gate, cursor
        return cursor

    def connect(self) -> Guarded:
        """The connection for all but chunks, in a transaction until :meth:`settle`; the caller holds the lock."""
        if self.connection is None:
            self.connection = self._opener.open(HEADS)
            self.connection.cache = _CACHE
        self._begin(self.connection)
        return self.connection

    def bulk(self) -> Guarded:
        """The connection for chunks, in a transaction until :meth:`settle`; the caller holds the lock."""
        self._begin(bulk := self._opened_bulk())
        return bulk

    def _opened_bulk(self) -> Guarded:
        if self._bulk is None:
            self._bulk = self._opener.open(self.longest)
            # The pages of a chunk are replaced in the cache before they are read a second time.
            self._bulk.cache = _BULK_CACHE
        return self._bulk

    def outside(self) -> Guarded:
        """The connection for chunks outside any transaction, for a checkpoint; until :meth:`settle`."""
        self._in_use.append(bulk := self._opened_bulk())
        bulk.allow(self.until)
        return bulk

    def _begin(self, connection: Guarded) -> None:
        if connection not in self._in_use:
            self._in_use.append(connection)
            connection.allow(self.until)
            connection.execute("BEGIN")
            connection.verify()

    def settle(self) -> None:
        """End the transactions that were begun: they hold on to the log."""
        while self._in_use:
            connection = self._in_use.pop()
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("COMMIT")
            connection.shut()

    def rest(self) -> None:
        """End a statement that was not read to its end: it would hold on to the log. The caller holds the lock."""
        if self.cursor is not None:
            self.cursor.close()
            self.cursor = None

    def give_up(self, error: Exception) -> None:
        """Begin with a new connection where a statement must be prepared anew, as after a change of the schema.

        Before Python 3.12 one that was prepared before the change stays so, and is refused. The caller holds the lock.
        """
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH and self.connection is not None:
            self.rest()
            connection, self.connection = self.connection, None
            connection.close()

    def opened(self) -> list[sqlite3.Connection]:
        """The connections that are open now."""
        return [each for each in (self.connection, self._bulk) if each is not None]

    def close(self, *, at_rest: bool = True) -> None:
        """Close both connections, or keep them open for ever."""
        for connection in self.opened():
            if at_rest:
                connection.close()
            else:
                abandon(connection)
        self.connection = self.cursor = self._bulk = None

    def __del__(self) -> None:
        # Its thread has ended, and with it its thread-local values.
        if opened := self.opened():
            self._dropped.extend(opened)
            CLOSING(partial(close_dropped, self._dropped))


def close_dropped(connections: deque[sqlite3.Connection]) -> None:
    """Close what readers left open whose threads have ended."""
    while connections:
        with suppress(IndexError, sqlite3.Error):  # another thread was faster
            connections.popleft().close()


_abandoned: list[sqlite3.Connection] = []
"""Only ever added to, which is one step."""


def abandon(connection: sqlite3.Connection) -> None:
    """Never close a connection: another thread was using it when the process was forked."""
    _abandoned.append(connection)
