"""Connections to a file that others may have written to: only our own statements run there (G29).

A view, a trigger, a generated column, a CHECK, an index on an expression: all of them are programs that lie in the
file, and SQLite runs them within statements of ours. So a statement is prepared only while the schema is known to be
ours, word for word. When the schema has changed, SQLite prepares each statement anew, and asks the authorizer first: a
closed authorizer makes the statement fail, and a caller that may wait compares the schema again. A prepared statement
costs nothing more.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, Final, TypeVar, cast

from sansio_cache.errors import ForeignStore
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT
from sansio_cache.sealing import MAX_HEAD
from sansio_cache_adapters.stores import system
from sansio_cache_adapters.stores.foreign import left_alone

from .schema import TABLES, create

__all__ = ["HEADS", "LOOKS", "Altered", "Gate", "Guarded", "Opener", "bulk_limit", "connect", "distrust"]

T = TypeVar("T")

HEADS: Final = 2 * MAX_HEAD + 2 * INLINE_LIMIT
"""Bytes that a value or a row without chunks may have: a sealed head and its URL, a body beside it, and its tags."""

_STEPS: Final = 20_000
"""Steps of SQLite's machine between two looks at how long a statement has been running: less than a millisecond."""
LOOKS: Final = 4
"""So many looks a read that must not wait may take before it is broken off; one as it should be takes none."""

_MOST: Final = 2**31 - 1
"""The greatest bound that SQLite takes for the length of a value."""
_SCHEMA: Final = 0.1
"""Seconds that a schema may take to be read that is longer than ours by far."""

_ALLOWED: Final = frozenset(
    {
        *(sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE),
        *(sqlite3.SQLITE_DELETE, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_FUNCTION),
    }
)

# Beside what the authorizer does. What a SQLite or a Python does not know yet is left out: the rest holds all the same.
_PRAGMAS: Final = ("trusted_schema = OFF", "mmap_size = 0", "cell_size_check = ON")
_CONFIGURED: Final = (
    ("SQLITE_DBCONFIG_DEFENSIVE", True),
    ("SQLITE_DBCONFIG_ENABLE_TRIGGER", False),
    ("SQLITE_DBCONFIG_ENABLE_VIEW", False),
    ("SQLITE_DBCONFIG_TRUSTED_SCHEMA", False),
)
_LIMITS: Final = (
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 10),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
)


class Altered(sqlite3.DatabaseError):
    """The schema of the file is not ours."""


class Gate:
    """The answers to SQLite's questions: may a statement be prepared, and may it run on.

    :ivar looks: how many are left to a read that must not wait; set before each.
    :ivar rewrites: the file is written anew, for which SQLite makes another beside it.
    """

    __slots__ = ("looks", "rewrites", "shut", "until")

    def __init__(self) -> None:
        self.shut = False
        self.rewrites = False
        self.until = float("inf")
        self.looks = 0

    def authorize(self, action: int, _1: str | None, _2: str | None, _database: str | None, source: str | None) -> int:
        """``source`` is the view or the trigger on whose account it would be done."""
        if self.shut or source is not None or (action not in _ALLOWED and not self.rewrites):
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    def progress(self) -> int:
        """Whether to break off."""
        if self.shut:
            self.looks -= 1
            return self.looks < 0
        return time.monotonic() > self.until


class Guarded(sqlite3.Connection):
    """A connection that prepares statements between :meth:`allow` and :meth:`shut` only.

    :ivar ids: of the store, as they were found when the file was opened.
    :ivar cache: KiB of the file that it holds in memory at most.
    """

    cache = 2000
    gate: Gate
    ids: tuple[bytes, bytes]
    _version: int | None = None

    def allow(self, until: float) -> None:
        """Let statements be prepared.

        :param until: at this time of the monotonic clock what still runs is broken off.
        """
        gate = self.gate
        gate.shut, gate.until = False, until

    def verify(self) -> None:
        """See that the schema is ours; within a transaction, or it might change before the next statement.

        :raises Altered: if it is not.
        :raises sqlite3.Error: if it cannot be read.
        """
        version = self.execute("PRAGMA schema_version").fetchone()[0]
        if version != self._version:
            if frozenset(row for row in map(_plain, self._schema()) if _concerns_us(row)) != _ours():
                raise Altered("another program has changed its schema")
            # The file may ask for any amount. Not before: SQLite reads the whole schema for it.
            self.execute(f"PRAGMA cache_size = -{self.cache}")
            self._version = version

    def _schema(self) -> list[tuple[object, object, object, object]]:
        gate = self.gate
        until, gate.until = gate.until, min(gate.until, time.monotonic() + _SCHEMA)
        try:
            return self.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_INTERRUPT:
                raise
            # Our own schema is read before the clock is looked at.
            raise Altered("its schema is much larger than ours") from error
        finally:
            gate.until = until

    def at_once(self, work: Callable[[Guarded], T]) -> T | None:
        """The result of ``work``: one statement, which is a transaction of its own and was prepared before.

        None where it failed, or has to be prepared anew because the schema has changed: :meth:`transact` sees to both.
        """
        self.gate.looks = LOOKS
        try:
            return work(self)
        except sqlite3.Error:
            return None

    def transact(self, work: Callable[[Guarded], T], deadline: float, longest: float) -> T:
        """The result of ``work`` in a transaction, which is rolled back if it raises.

        :param deadline: until when others are waited for, by the monotonic clock.
        :param longest: seconds that it may take then.
        """
        gate = self.gate
        gate.shut, gate.until = False, float("inf")
        try:
            try:
                self.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                self._begin_when_free(error, deadline)
            gate.until = time.monotonic() + longest
            self.verify()
            result = work(self)
            self.execute("COMMIT")
        except BaseException:
            # SQLite itself has rolled back after some errors, a full disk for one.
            if self.in_transaction:
                with suppress(sqlite3.Error):
                    self.execute("ROLLBACK")
            raise
        finally:
            gate.shut = True
        return result

    def _begin_when_free(self, error: sqlite3.OperationalError, deadline: float) -> None:
        """Wait for the write lock. SQLite's own waiting sleeps up to 100 ms at a time; others hold it for few."""
        pause = 0.0002
        while True:
            if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.0005)
            try:
                self.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as again:
                error = again
            else:
                return

    def rewrite(self) -> None:
        """Write the file anew without what was removed from it (``VACUUM``), if its schema is ours.

        :raises sqlite3.Error: if it is busy, or has no room.
        """
        self.verify()
        self.gate.rewrites = True
        self.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)
        try:
            self.execute("VACUUM")
        finally:
            self.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            self.gate.rewrites = False

    def shut(self) -> None:
        """Let no other statement be prepared."""
        self.gate.shut = True


def connect(path: str, longest: int, how: str) -> Guarded:
    """A connection that never waits and never makes a file; as yet it lets nothing be prepared.

    :param longest: bytes that a value, or a row, may have; one that is longer is an error, and is not read.
    :param how: parameters of SQLite's URI.
    """
    _remove_journal(path)
    uri = f"{system.SYSTEM.uri(os.path.abspath(path))}?{how}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False, factory=Guarded
    )
    try:
        distrust(connection, longest)
    except BaseException:
        connection.close()
        raise
    return connection


def _remove_journal(path: str) -> None:
    """Remove what would be rolled back as the file is opened.

    Our files have a log instead, from their first byte on. A journal names a file that SQLite then deletes, whatever
    that is and wherever it lies, so one that somebody has put there must not be read.
    """
    journal = f"{os.path.realpath(path)}-journal"
    try:
        os.unlink(journal)
    except OSError as error:
        # A medium that can only be read says no before it looks whether there is anything.
        if not os.path.lexists(journal):
            return
        raise ForeignStore(left_alone(journal, "is no file of ours, and cannot be removed")) from error


def distrust(connection: Guarded, longest: int) -> None:
    """Let a fresh connection run statements of ours only, and none before :meth:`Guarded.allow`.

    :param longest: bytes that a value, or a row, may have.
    """
    connection.text_factory = _text
    connection.gate = gate = Gate()
    gate.until = time.monotonic() + _SCHEMA
    connection.set_authorizer(gate.authorize)
    connection.set_progress_handler(gate.progress, _STEPS)
    for name, value in _CONFIGURED:
        option = getattr(sqlite3, name, None)  # Python 3.12
        if option is not None:
            cast(Any, connection).setconfig(option, value)
    for limit, bound in (*_LIMITS, (sqlite3.SQLITE_LIMIT_LENGTH, min(longest, _MOST))):
        connection.setlimit(limit, bound)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    gate.shut = True


class Opener:
    """Opens connections to a file.

    :ivar how: parameters of SQLite's URI.
    """

    __slots__ = ("how", "path")

    def __init__(self, path: str, how: str) -> None:
        self.path = path
        self.how = how

    def open(self, longest: int) -> Guarded:
        """A connection that reads values of so many bytes at most."""
        return connect(self.path, longest, self.how)


def bulk_limit(max_bytes: int) -> int:
    """Bytes that a chunk, or the hashes of the largest body, may have, with what else is in their row."""
    return max(HEADS, CHUNK_SIZE, max_bytes // CHUNK_SIZE * 32) + 1024


def _text(data: bytes) -> str:
    """Any text: one row in which somebody put what is none must not look like trouble with the file."""
    return data.decode("utf-8", "replace")


_Row = tuple[str, str, str, str | None]


def _plain(row: tuple[object, object, object, object]) -> _Row:
    """A row of the schema: names in one case, the text without its line breaks."""
    kind, name, table, text = row
    return str(kind), str(name).lower(), str(table).lower(), None if text is None else " ".join(str(text).split())


def _concerns_us(row: _Row) -> bool:
    """Whether our statements may meet it: tables and views of a person's own they do not, any trigger they may."""
    kind, name, table, _ = row
    return name in TABLES or table in TABLES or kind not in ("table", "view", "index")


@cache
def _ours() -> frozenset[_Row]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    try:
        create(made)
        rows = map(_plain, made.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())
        return frozenset(row for row in rows if _concerns_us(row))
    finally:
        made.close()
