"""The default store: one SQLite file for threads, event loops and processes at the same time."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sansio_cache.errors import SettingError, StoreError
from sansio_cache.names import explains
from sansio_cache.policy import SETTINGS
from sansio_cache.records import INLINE_LIMIT, Item, Meta, Stored
from sansio_cache.sealing import Sealer, SecretKey, make_sealer
from sansio_cache_adapters.stores.claims import Claims
from sansio_cache_adapters.stores.lock_places import beside
from sansio_cache_adapters.stores.paths import absolute_path
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, Lease, Listed, Seen, Size
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven, check_bounds, keys_of
from sansio_cache_adapters.stores.store_repr import StoreRepr

from . import place, records
from . import schema as sql
from .connections import MAINTENANCE, Connections, Work
from .guarded import LOOKS
from .maintenance import Backlog, FileMaintenance
from .reader import Reader, TooLarge
from .records import Placed, placed

__all__ = ["SQLiteStore"]

T = TypeVar("T")

_AT_ONCE = 4
"""Rows that are read without asking how large they are: small bodies, so half a megabyte at the very most."""

_PARTITION_BYTES = 64 * 1024**2
_PARTITION_ROWS = 100_000
"""The most that is read of one partition, whatever was put there."""

_SHOWN_WITHIN = 0.01

_REMOVED_AT_ONCE = 2000
"""So many hold the lock for some four milliseconds."""


class SQLiteStore(StoreRepr):
    """A store in one SQLite file, made 0600 where there is none. Nothing is opened before it is first used.

    :param path: where the file lies, or will lie.
    :param max_bytes: bytes of heads and bodies that it holds at most; the longest unused records go.
    :param max_entries: how many records it holds at most; None for no bound.
    :param secret_key: signs records and verifies them, as for a session.
    :param busy_timeout: seconds that one call waits at most for other threads and processes.
    :raises SettingError: for settings of wrong type or value. The state of the disk is no error here.
    """

    @explains("SQLiteStore", SETTINGS)
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        max_entries: int | None = None,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        busy_timeout: float = 1.0,
    ) -> None:
        check_bounds(max_bytes, max_entries)
        self.max_bytes: int = max_bytes
        self.max_entries: int | None = max_entries
        self.sealer: Sealer | None = None if secret_key is UNGIVEN else make_sealer(secret_key)
        self.path: str = absolute_path(path, "SQLiteStore takes the path of a file")
        self.busy_timeout: float = _seconds(busy_timeout)
        self._begin(only_reads=False)

    def _begin(self, *, only_reads: bool) -> None:
        self._connections = Connections(self.path, self.busy_timeout, self.max_bytes, only_reads=only_reads)
        self._backlog = Backlog()
        self._claims = Claims(partial(beside, self.path))
        self._maintenance = FileMaintenance(
            self._connections, self._backlog, self._claims, self.max_bytes, self.max_entries
        )
        weakref.finalize(self, self._maintenance.leave).atexit = False

    @property
    def location(self) -> str:
        """The path of its file."""
        return self.path

    def known_entries(self) -> int | None:
        """How many records there are, if the file is open and that can be read without waiting."""
        reader = self._connections.reader() if self._connections.is_open else None
        if reader is None or not reader.lock.acquire(blocking=False):
            return None
        try:
            reader.until = time.monotonic() + _SHOWN_WITHIN
            row: tuple[int, int] = reader.connect().execute(sql.TOTALS).fetchone()
        except Exception:  # a debugger is no place for trouble, a detector of blocking calls may raise its own
            return None
        finally:
            with suppress(Exception):
                reader.settle()
            reader.lock.release()
        return row[0]

    def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed.

        :raises ForeignStore: if the path holds something else than a cache, or one of another user's.
        :raises StoreError: if it cannot be opened.
        """
        self._connections.ids = None
        row = self._connections.read(lambda reader: reader.connect().execute(sql.META).fetchone(), anew=True)
        self._connections.ids = row[0], row[1]
        meta = Meta(row[0], row[1], bool(row[2]))
        if signed and not meta.signed and not self._connections.read_only:
            self._connections.write(lambda db: db.execute(sql.SIGN, (1,)))
            meta = meta._replace(signed=True)
        return meta

    def exists(self) -> bool:
        """Whether a cache file lies at the path. Nothing is made.

        :raises ForeignStore: if something else lies there, or a file of another user's.
        :raises StoreError: if that cannot be told.
        """
        with self._connections.mapping, place.examining:
            return place.examine(self.path)

    def for_reading(self) -> SQLiteStore:
        """A store over the same file that never writes to it, and makes none where there is none."""
        twin = type(self)(self.path, max_bytes=self.max_bytes, busy_timeout=self.busy_timeout)
        twin.sealer = self.sealer
        twin._begin(only_reads=True)
        return twin

    def check(self) -> None:
        """Return if a write could be made now, without waiting: a store that can only be read is in trouble.

        :raises StoreError: if it could not.
        """
        self._connections.write(lambda _: None, wait=False)

    # Reading

    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None:
        """All records of a partition, or None where a lock or their size would make it long, or it is not open."""
        reader = self._connections.reader()
        if reader is None or not reader.lock.acquire(blocking=False):
            return None
        try:
            cursor = reader.cursor or reader.prepare()
            reader.gate.looks = LOOKS
            cursor.execute(sql.LOAD, (records.bits(partition), partition))
            rows = cursor.fetchmany(_AT_ONCE)
            if len(rows) == _AT_ONCE and not _read_on(cursor, rows):
                reader.rest()
                return None
        except (sqlite3.Error, TypeError) as error:
            # A caller that may wait finds out what it is.
            reader.give_up(error)
            return None
        finally:
            reader.lock.release()
        return [Stored._make(row) for row in rows]

    def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition; small bodies come along."""
        if (at_once := self.load_nowait(partition)) is not None:
            return at_once
        try:
            return self._connections.read(partial(_load, partition))
        except TooLarge:
            # Not even the length of it can be asked for: the next write removes it.
            return []

    def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        row: tuple[bytes] | None = self._connections.read(
            lambda reader: reader.bulk().execute(sql.HASHES, (entry,)).fetchone()
        )
        if row is None:
            raise StoreError("the body is gone")
        return row[0]

    def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        return self._connections.read(partial(_chunk, entry, index))

    # Writing

    def _write(self, work: Work[T], written: int = 0, at_once: Work[T] | None = None) -> T:
        result = self._connections.write(work, at_once=at_once)
        self._maintenance.nudge(written)
        return result

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Add the next chunk to a pending body."""
        self._write(lambda db: records.write(db, entry, index, data, time.time(), self.max_bytes), len(data))

    def abort(self, entry: bytes) -> None:
        """Mark a pending body as given up."""
        self._backlog.aborted.append(entry)

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        work = partial(records.commit, item=item, vary_limit=vary_limit, now=now, max_bytes=self.max_bytes)
        return self._write(work, item.size, partial(records.commit_first, item=item, now=now, max_bytes=self.max_bytes))

    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource, mark it, and free what this process claimed of it."""
        dropped = self._write(lambda db: records.drop(db, resource, now))
        self._claims.free(resource)
        return dropped

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used; written in a while, at most once a minute."""
        if self._connections.read_only:
            return
        self._backlog.note_use(partition, entry, now)
        if not self._maintenance.runs:
            self._maintenance.nudge()

    def together(self, work: Callable[[], T]) -> T:
        """The result of ``work``; all that this thread writes within it is one db, or is not written."""
        return self._connections.together(work)

    # Claims

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the claim to fetch for a partition.

        :raises ReadOnlyStore: a response that cannot be stored need not be fetched for others.
        """
        if self._connections.read_only:
            self._connections.refuse_if_read_only()
        return self._claims.claim(partition, resource, token, now=now, until=until)

    def claim_nowait(
        self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float
    ) -> Lease | None:
        """The same at once, or None where that cannot be."""
        self._connections.refuse_if_read_only()
        return self._claims.claim_nowait(partition, resource, token, now=now, until=until)

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the claim back."""
        self._claims.release(partition, token, open_until=open_until)

    # Maintenance

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        """Every record, read in batches."""
        after = -1
        while rows := self._connections.read(partial(_batch, after, batch)):
            yield from rows
            after = rows[-1].id

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it.

        Those that this store listed are found at once by where they lie.
        """
        now, changed = time.time(), 0
        listed: list[Placed] = []
        for each in seen:
            if new is None and isinstance(each, Placed):
                listed.append(each)
            else:
                at_once = partial(records.freshen_seen, seen=each, new=new) if isinstance(new, Item) else None
                changed += self._write(partial(records.change, seen=each, new=new, now=now), 0, at_once)
        for first in range(0, len(listed), _REMOVED_AT_ONCE):
            some = listed[first : first + _REMOVED_AT_ONCE]
            changed += self._write(partial(records.remove, listed=some, now=now))
        return changed

    def clear(self) -> None:
        """Remove everything but the id, the salt and the marks of dropped resources: from the file and its log, too.

        :raises StoreBusy: if others use the file for so long that parts may still lie in it.
        """
        connections = self._connections
        # The store there is to be empty, whichever it is; a session that uses other ids hears of it, too.
        ids, connections.ids = connections.ids, None
        try:
            connections.write(lambda db: [db.execute(statement) for statement in sql.CLEAR], longest=MAINTENANCE)
            self._maintenance.leave_nothing()
        finally:
            connections.ids = ids

    def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        self._write(lambda db: db.execute(sql.SIGN, (0,)))

    def take_salt(self, salt: bytes) -> bool:
        """See :class:`~sansio_cache_adapters.stores.protocol.TakingSalt`."""
        taken = self._write(lambda db: db.execute(sql.SALT, (salt,)).rowcount > 0)
        self.close()  # open connections know the file by its old salt
        return taken

    def size(self) -> Size:
        """How much it holds, in one read."""
        return Size._make(self._connections.read(lambda reader: reader.connect().execute(sql.TOTALS).fetchone()))

    def sweep(self, *, now: float, limit: int = 500) -> int:
        """One batch of what has expired, is over the bound, was replaced or left over."""
        self._backlog.settle(self._connections)
        return self._maintenance.sweep(now, limit)

    def flush(self, timeout: float) -> bool:
        """Write the uses noted, and what was given up. False if that could not be done."""
        try:
            self._backlog.write(self._connections)
        except StoreError:
            return False
        return True

    def close(self) -> None:
        """Write what is noted, end maintenance, close every connection."""
        self._maintenance.shut()
        self._claims.close()

    def __reduce__(self) -> tuple[Callable[[], SQLiteStore], tuple[()]]:
        """The same file, in whatever process it is unpickled; the secret travels along."""
        bounds: dict[str, Any] = {"max_bytes": self.max_bytes, "max_entries": self.max_entries}
        limits = bounds | {"busy_timeout": self.busy_timeout}
        return partial(type(self), self.path, **limits, secret_key=keys_of(self.sealer)), ()


def _chunk(entry: bytes, index: int, reader: Reader) -> bytes:
    db = reader.bulk()
    row: tuple[int, bool] | None = db.execute(sql.CHUNK, (index, entry)).fetchone()
    if row is None:
        raise StoreError("the body is gone")
    number, is_blob = row
    if not is_blob:
        return b""  # which is no chunk: its reader finds that out
    # A statement that gives the value would first put it together elsewhere, and copy it from there.
    with db.blobopen("chunks", "data", number, readonly=True) as blob:
        if len(blob) > reader.longest:
            raise TooLarge("a chunk is larger than any of ours")
        return blob.read()


def _load(partition: bytes, reader: Reader) -> list[Stored]:
    """A partition, without the rows that cannot be ours: such a row costs its own URL a miss, and no other."""
    place = (records.bits(partition), partition)
    try:
        return _bounded(reader.connect().execute(sql.LOAD, place))
    except (sqlite3.DataError, TypeError):
        return _bounded(reader.connect().execute(sql.LOAD_SOUND, place))


def _bounded(rows: sqlite3.Cursor) -> list[Stored]:
    found: list[Stored] = []
    weighs = 0
    for row in rows:
        found.append(Stored._make(row))
        weighs += len(row[0]) + len(row[1] or b"")
        if weighs > _PARTITION_BYTES or len(found) == _PARTITION_ROWS:
            break
    return found


def _batch(after: int, batch: int, reader: Reader) -> list[Placed]:
    """The next records; where a value of one of them is too large to be ours, the next that has none such."""
    try:
        return [placed(row) for row in reader.connect().execute(sql.LISTED, (after, batch))]
    except sqlite3.DataError:
        ids = reader.connect().execute(sql.LISTED_IDS, (after, batch)).fetchall()
    for (record,) in ids:
        with suppress(sqlite3.DataError):
            return [placed(row) for row in reader.connect().execute(sql.LISTED, (record - 1, 1))]
    return _batch(ids[-1][0], batch, reader)


def _read_on(cursor: sqlite3.Cursor, rows: list[tuple[bytes, bytes | None, bytes, int]]) -> bool:
    """Read the rest of a partition of many variants; False, and not all of it, if they are large."""
    weighs = 0
    for row in rows:
        weighs += len(row[0]) + len(row[1] or b"")
    while weighs <= INLINE_LIMIT and (row := cursor.fetchone()) is not None:
        rows.append(row)
        weighs += len(row[0]) + len(row[1] or b"")
    return weighs <= INLINE_LIMIT


def _seconds(busy_timeout: object) -> float:
    if isinstance(busy_timeout, bool) or not isinstance(busy_timeout, int | float) or not 0 <= busy_timeout <= 60:
        raise SettingError(f"busy_timeout takes seconds from 0 to 60, not {busy_timeout!r}")
    return float(busy_timeout)
