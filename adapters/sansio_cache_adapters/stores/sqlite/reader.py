"""The errors of SQLite as errors of a store, and the connections by which one thread reads."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final
from urllib.parse import quote

from sansio_cache.errors import StoreBusy, StoreError

__all__ = ["Corrupt", "Mapping", "Reader", "Unopened", "abandon", "connect"]


class Corrupt(StoreError):
    """SQLite cannot make sense of the file."""


class Unopened(StoreError):
    """SQLite cannot open the file, or not read it any more: it may have been deleted, replaced or renamed."""


_KINDS: Final = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_PROTOCOL: StoreBusy,
    sqlite3.SQLITE_CORRUPT: Corrupt,
    sqlite3.SQLITE_NOTADB: Corrupt,
    sqlite3.SQLITE_CANTOPEN: Unopened,
    # A connection that found another file's log beside its own file goes on failing so until it is closed.
    sqlite3.SQLITE_IOERR: Unopened,
}


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
        if isinstance(error, sqlite3.Error):
            raise self.of(error) from error
        if isinstance(error, OSError | UnicodeError | OverflowError):  # the last two from values that SQLite has not
            raise StoreError(f"{self._path}: {error}") from error

    def of(self, error: sqlite3.Error) -> StoreError:
        """What an error of SQLite's means."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_ERROR and "no such" in str(error):
            # No such table or column: the schema is not the one that the header promises.
            return Corrupt(f"{self._path}: {error}")
        return _KINDS.get(code, StoreError)(f"{self._path}: {error}")


class Reader:
    """The connections by which one thread reads. Whoever uses them holds ``lock``.

    ``cursor`` reads heads and small bodies, ``bulk`` reads chunks: those would drive the heads out of SQLite's cache of
    pages.
    """

    __slots__ = ("__weakref__", "_bulk", "_path", "connection", "cursor", "lock")

    def __init__(self, path: str) -> None:
        self._path = path
        self.lock = threading.Lock()
        self.connection: sqlite3.Connection | None = None
        self.cursor: sqlite3.Cursor | None = None
        self._bulk: sqlite3.Connection | None = None

    def connect(self) -> sqlite3.Cursor:
        """The cursor, opened if it is not; the caller holds the lock."""
        if self.cursor is None:
            if self.connection is None:
                self.connection = connect(self._path)
            self.cursor = self.connection.cursor()
        return self.cursor

    def rest(self) -> None:
        """End a statement that was not read to its end: it would hold on to the log. The caller holds the lock."""
        if self.cursor is not None:
            self.cursor.close()
            self.cursor = None

    def bulk(self) -> sqlite3.Connection:
        """The connection for chunks; the caller holds the lock."""
        if self._bulk is None:
            self._bulk = connect(self._path)
        return self._bulk

    def opened(self) -> list[sqlite3.Connection]:
        """The connections that are open now."""
        return [each for each in (self.connection, self._bulk) if each is not None]

    def close(self, *, at_rest: bool = True) -> None:
        """Close both, or see to it that nobody ever does."""
        for connection in self.opened():
            if at_rest:
                connection.close()
            else:
                abandon(connection)
        self.connection = self.cursor = self._bulk = None

    def __del__(self) -> None:
        # Its thread has ended, and with it its thread-local values.
        with suppress(sqlite3.Error):
            self.close()


_abandoned: list[sqlite3.Connection] = []


def abandon(connection: sqlite3.Connection) -> None:
    """Never close a connection: another thread was using it when the process was forked."""
    _abandoned.append(connection)


def connect(path: str) -> sqlite3.Connection:
    """A connection that never waits and never makes a file."""
    uri = f"file:{quote(os.fsencode(os.path.abspath(path)))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    # However SQLite was built: who cuts off a file that is mapped ends every process that reads it, by SIGBUS.
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def _text(data: bytes) -> str:
    """Any text: one row in which somebody put what is none must not look like trouble with the file."""
    return data.decode("utf-8", "replace")
