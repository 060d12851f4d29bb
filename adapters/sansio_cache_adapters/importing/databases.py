"""SQLite files that strangers may have written, read without changing them and without running any part of them.

A view, a trigger, a generated column or a virtual table is a program in the file: only plain tables are read, by
statements of ours, through the guard that our own files have. No file is made beside one that is not being written to.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache_adapters.stores.sqlite.guarded import Guarded, distrust

from .report import Reason, Skipped

__all__ = ["Database", "is_database"]

_MAGIC: Final = b"SQLite format 3\0"
_BATCH: Final = 500
_PATIENCE: Final = 30.0
"""Seconds that a statement may take."""
_BUSY: Final = 5_000
"""Milliseconds to wait for who writes to the file."""
_OVERHEAD: Final = 4096


def is_database(path: str) -> bool:
    """Whether a file begins as a SQLite file does.

    :raises OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class Database:
    """An open file.

    :param longest: bytes of a value that is read; a longer one is not.
    :raises StoreError: it cannot be opened.
    """

    def __init__(self, path: str, longest: int) -> None:
        self._path = path
        uri = f"file:{quote(os.fsencode(os.path.realpath(path)))}?{_how(path)}"
        try:
            self._connection: Guarded = sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, factory=Guarded
            )
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        try:
            distrust(self._connection, longest + _OVERHEAD)
            self._allow()
            self._connection.execute(f"PRAGMA busy_timeout = {_BUSY}")
            self._tables = self._read_tables()
        except sqlite3.Error as error:
            self._connection.close()
            raise StoreError(f"{path} cannot be read: {error}") from error

    def _allow(self) -> None:
        self._connection.allow(time.monotonic() + _PATIENCE)

    def _read_tables(self) -> dict[str, tuple[str, ...]]:
        """The plain tables, and the columns of each."""
        found = self._connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchmany(100)
        tables: dict[str, tuple[str, ...]] = {}
        for name, sql in found:
            words = str(sql).upper().split(None, 2)
            if words[:2] == ["CREATE", "TABLE"] and "WITHOUT ROWID" not in " ".join(str(sql).upper().split()):
                columns = self._connection.execute(f"PRAGMA table_xinfo({_quoted(str(name))})").fetchmany(100)
                # A hidden column is one that is computed.
                if all(column[6] == 0 for column in columns):
                    tables[str(name)] = tuple(str(column[1]) for column in columns)
        return tables

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a plain table; none where there is no such table."""
        return self._tables.get(table, ())

    def has(self, table: str, columns: Sequence[str]) -> bool:
        """Whether there is a plain table with exactly these columns."""
        return set(self.columns(table)) == set(columns)

    def count(self, table: str) -> int:
        """How many rows a table has; 0 where they cannot be counted."""
        self._allow()
        try:
            counted = self._connection.execute(f"SELECT count(*) FROM {_quoted(table)} NOT INDEXED")  # noqa: S608
            return int(counted.fetchone()[0])
        except sqlite3.Error:
            return 0

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...] | Skipped]:
        """The rows of a table, one after the other; in the place of one that cannot be read, why."""
        listed = ", ".join(map(_quoted, columns))
        statement = f"SELECT {listed} FROM {_quoted(table)} NOT INDEXED WHERE rowid = ?"  # noqa: S608 - names of ours
        for rowid in self._rowids(table):
            yield Skipped(Reason.DAMAGED) if rowid is None else self._row(statement, rowid)

    def where(self, table: str, columns: Sequence[str], key: str, value: object, order: str) -> Iterator[Any]:
        """The rows of a table that have a value in a column.

        :raises Skipped: they cannot be read.
        """
        listed = ", ".join(map(_quoted, columns))
        statement = f"SELECT {listed} FROM {_quoted(table)} WHERE {_quoted(key)} = ? ORDER BY {_quoted(order)}"  # noqa: S608
        self._allow()
        try:
            yield from self._connection.execute(statement, (value,))
        except sqlite3.DataError:
            raise Skipped(Reason.TOO_LARGE) from None
        except sqlite3.Error:
            raise Skipped(Reason.DAMAGED) from None

    def _row(self, statement: str, rowid: int) -> tuple[Any, ...] | Skipped:
        self._allow()
        try:
            row: tuple[Any, ...] | None = self._connection.execute(statement, (rowid,)).fetchone()
        except sqlite3.DataError:
            return Skipped(Reason.TOO_LARGE)
        except sqlite3.Error:
            return Skipped(Reason.DAMAGED)
        return Skipped(Reason.DAMAGED) if row is None else row

    def _rowids(self, table: str) -> Iterator[int | None]:
        """The ids of the rows; None once where some cannot be listed.

        Where a page of the file is damaged, those after it are read from the end.
        """
        last: int | None = None
        try:
            for rowid in self._walk(table, None, ascending=True):
                last = rowid
                yield rowid
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                yield from self._walk(table, last, ascending=False)
            yield None

    def _walk(self, table: str, down_to: int | None, *, ascending: bool) -> Iterator[int]:
        order = "ASC" if ascending else "DESC"
        name = _quoted(table)
        at: int | None = None
        while True:
            least = at if ascending else down_to
            most = None if ascending else at
            self._allow()
            statement = (
                f"SELECT rowid FROM {name} NOT INDEXED WHERE (:least IS NULL OR rowid > :least) "  # noqa: S608
                f"AND (:most IS NULL OR rowid < :most) "
                f"ORDER BY rowid {order} LIMIT {_BATCH}"
            )
            found, error = self._until_trouble(statement, {"least": least, "most": most})
            for rowid in found:
                yield rowid
                at = rowid
            if error is not None:
                raise error
            if len(found) < _BATCH:
                return

    def _until_trouble(self, statement: str, values: dict[str, object]) -> tuple[list[int], sqlite3.Error | None]:
        found: list[int] = []
        try:
            for (rowid,) in self._connection.execute(statement, values):
                found.append(rowid)
        except sqlite3.Error as error:
            return found, error
        return found, None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _how(path: str) -> str:
    """How to open a file without leaving anything beside it.

    :raises ForeignStore: it is no SQLite file.
    """
    real = os.path.realpath(path)
    with open(real, "rb") as file:
        head = file.read(100)
    if head[: len(_MAGIC)] != _MAGIC:
        raise ForeignStore(f"{path} is no SQLite file")
    log = f"{real}-wal"
    has_log = os.path.exists(log) and os.path.getsize(log) > 0
    # In the mode with a log, SQLite makes files beside it even to read; without a log there is nothing in them.
    return "mode=ro&immutable=1" if head[18:20] == b"\2\2" and not has_log else "mode=ro"
