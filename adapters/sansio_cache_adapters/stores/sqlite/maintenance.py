"""Maintenance of a cache file, off the hot path: it notes uses, removes records, and checkpoints the log.

All of it runs in one daemon thread per store, which begins with the first write, in small transactions with pauses.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from sansio_cache.errors import StoreBusy, StoreError
from sansio_cache_adapters.stores.claims import CHECKPOINT, Claims
from sansio_cache_adapters.stores.finalizers import CLOSING
from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.maintenance import close_at_exit
from sansio_cache_adapters.stores.worker import Worker

from . import place
from . import schema as sql
from .connections import MAINTENANCE, Connections
from .guarded import Guarded
from .reader import Reader
from .records import bits
from .sweep import CHUNKS, Bounds, delete_chunks, sweep

__all__ = ["Backlog", "FileMaintenance"]

T = TypeVar("T")

_NOTED_EVERY: Final = 60.0
"""A record's use is written at most so often."""
_NOTED_AT_MOST: Final = 100_000
_REST: Final = 0.5
"""Seconds from the first write to the maintenance after it, so that many writes make one run of it."""
_IDLE: Final = 60.0
_BATCH: Final = 500
_LEAST: Final = 16
_HOLD: Final = 0.004
"""Seconds that a batch is to hold the lock: its size follows from how long the last one did."""
_PAUSES: Final = 4.0
"""The pause after a batch is so many times as long, so that others, of whom some sweep too, find the lock free."""
_YIELD: Final = 0.005
"""Seconds between looks whether others are writing; after so many looks in vain it waits for the lock."""
_YIELDS: Final = 20
_PUT_OFF: Final = 20
"""So many rests are taken at most while others remove many records: to take the rows out would hold them up."""
_ROWS: Final = 4000
"""After so many the log is brought into the file, so that it stays short and no commit of others has to do it."""
_LOG_BYTES: Final = 8 * 1024**2
"""After so many bytes written maintenance does not rest."""
_LONG_LOG: Final = 16_384
"""Pages."""
_IS_MENDED: Final = sqlite3.sqlite_version_info >= (3, 51, 3)
"""Whether SQLite itself keeps a checkpoint and a log that is begun anew apart."""


class Backlog:
    """Writes that can wait. Its methods neither wait nor lock, so that a finalizer may call them at any point."""

    def __init__(self) -> None:
        self.aborted: deque[bytes] = deque()
        self._used: dict[bytes, tuple[float, bytes]] = {}
        self._noted: dict[bytes, float] = {}

    def note_use(self, partition: bytes, entry: bytes, now: float) -> None:
        """Remember that a record was used, unless that was noted a moment ago."""
        noted = self._noted.get(entry)
        if noted is None or abs(now - noted) >= _NOTED_EVERY:
            if len(self._noted) >= _NOTED_AT_MOST:
                self._noted = {}
            self._noted[entry] = now
            self._used[entry] = (now, partition)

    def settle(self, connections: Connections) -> None:
        """Write what was given up. It is forgotten when it is written, not before."""
        aborted = list(self.aborted)
        if aborted:
            rows = [(entry,) for entry in aborted]
            connections.write(lambda db: db.executemany(sql.GIVE_UP_PENDING, rows), longest=MAINTENANCE)
            _forget(self.aborted, aborted)

    def write(self, connections: Connections) -> None:
        """Write all that waits."""
        self.settle(connections)
        self._write_uses(connections)

    def _write_uses(self, connections: Connections) -> None:
        """Write the uses noted, in batches that hold the lock for a moment.

        Each row lets go of the interpreter's lock: where another thread never rests, it comes back 5 ms later.
        """
        used, self._used = self._used, {}
        rows = [(at, bits(partition), partition, entry, at) for entry, (at, partition) in list(used.items())]
        limit, done = _LEAST, 0
        while done < len(rows):
            held = connections.write(partial(_note, rows[done : done + limit]), longest=MAINTENANCE)
            done += limit
            limit = _next_batch(limit, held)
            if done < len(rows):
                time.sleep(held)


def _next_batch(limit: int, held: float) -> int:
    """How many rows the next batch may have, after one of ``limit`` that held the lock so many seconds."""
    # A clock that somebody stopped for a test shows none at all.
    held = max(held, _HOLD / _BATCH)
    return max(_LEAST, min(_BATCH, 2 * limit, int(limit * _HOLD / held)))


def _note(rows: list[tuple[float, int, bytes, bytes, float]], db: sqlite3.Connection) -> float:
    """Write uses; for how many seconds that held the lock."""
    began = time.perf_counter()
    try:
        db.executemany(sql.USED, rows)
    except sqlite3.DataError:
        # One of them bears what is too large to be ours.
        for row in rows:
            with suppress(sqlite3.DataError):
                db.execute(sql.USED, row)
    return time.perf_counter() - began


def _forget(waiting: deque[T], written: list[T]) -> None:
    for each in written:
        # Another thread may have settled it too, which does no harm.
        with suppress(ValueError):
            waiting.remove(each)


class FileMaintenance:
    """Maintenance of one file, in a thread."""

    def __init__(
        self, connections: Connections, backlog: Backlog, claims: Claims, max_bytes: int, max_entries: int | None
    ) -> None:
        self._connections = connections
        self._backlog = backlog
        self._claims = claims
        self._bounds = Bounds(max_bytes, max_entries)
        self._worker = Worker("sansio-cache maintenance")
        self.begin_anew()
        follow_forks(self)
        close_at_exit(self)

    def begin_anew(self) -> None:
        """Begin without a thread: in the child of a fork, too, which waits for the locks that each step holds."""
        self._shift: object = None
        self._is_due = self._is_hasty = False
        self._written = 0
        self._newest: int | None = None

    @property
    def runs(self) -> bool:
        """Whether it is begun."""
        return self._shift is not None

    def nudge(self, written: int = 0) -> None:
        """There is something to do, after so many bytes written: in a moment, or at once if they are many."""
        self._written += written
        if self._shift is None:
            self._shift = shift = object()
            self._worker.after(_IDLE, partial(self._come_by, shift))
        # Where no thread can be begun now (there are too many, or it is the end) the next nudge tries again.
        if self._written >= _LOG_BYTES and not self._is_hasty:
            self._is_hasty = True
            if not self._worker(self._run):
                self._is_hasty = False
        elif not self._is_due:
            self._is_due = True
            if not self._worker.after(_REST, self._run):
                self._is_due = False

    def _come_by(self, shift: object) -> None:
        """Run now and then, even if there are no writes."""
        if self._shift is shift:
            self._run()
            self._worker.after(_IDLE, partial(self._come_by, shift))

    def _run(self) -> None:
        shift = self._shift
        self._is_due = self._is_hasty = False
        if shift is not None:
            self._written = 0
            with suppress(StoreError):
                self.once(time.time(), shift)

    def _end_shift(self) -> object:
        shift, self._shift = self._shift, None
        self._is_due = self._is_hasty = False
        return shift

    def stop(self) -> None:
        """Come to an end; the next nudge begins anew."""
        if self._end_shift() is not None:
            self._worker.end(min(self._connections.patience, 1.0))

    def leave(self) -> None:
        """Have all shut, by another thread: for the finalizer of the store, which is gone. Never waits."""
        if self._end_shift() is not None:
            # When what is under way has seen that it is over.
            self._worker(partial(CLOSING, self._shut))
            self._worker.stop()
        elif self._connections.is_open:
            CLOSING(self._shut)

    def shut(self) -> None:
        """Write what is noted, end the thread, close every connection."""
        self.stop()
        self._shut()

    def close_within(self, seconds: float) -> None:
        """The same at exit, if there is time left."""
        if seconds > 0.0:
            self._connections.patience = min(self._connections.patience, seconds)
            self.shut()

    def _shut(self) -> None:
        with suppress(StoreError):
            self._backlog.write(self._connections)
        self._connections.close()

    def once(self, now: float, shift: object = None) -> None:
        """All that there is to do now, or until the shift ends."""
        self._backlog.write(self._connections)
        self._sweep_all(now, shift)
        self._checkpoint()

    def _sweep_all(self, now: float, shift: object) -> None:
        """Batch after batch, of a size that holds the lock for a moment, while no other process wants it.

        A store over its bound takes its turn among those who write, or it would grow for as long as they do.
        """
        rows, limit, yielded, put_off = 0, _LEAST, 0, 0
        while self._shift is shift or shift is None:
            if put_off < _PUT_OFF and self._are_being_removed():
                put_off += 1
                self._rest(_REST, shift)
                continue
            try:
                swept, held = self._batch(now, limit, wait=self._bounds.is_over or yielded == _YIELDS)
            except StoreBusy:
                if yielded == _YIELDS:
                    raise
                yielded += 1
                time.sleep(_YIELD)
                continue
            if not swept:
                return
            yielded = 0
            rows += swept
            if rows >= _ROWS:
                rows = 0
                self._checkpoint()
            limit = _next_batch(limit, held)
            time.sleep(held if self._bounds.is_over else _PAUSES * held)

    def _are_being_removed(self) -> bool:
        """Whether records were removed since the last look; in the order of their ids, as they are listed."""
        newest, self._newest = (
            self._newest,
            self._connections.read(lambda reader: reader.connect().execute(sql.NEWEST_REMOVED).fetchone()[0]),
        )
        return self._newest is not None and self._newest != newest

    def _rest(self, seconds: float, shift: object) -> None:
        """Sleep. Ending the shift does not wait for it."""
        for _ in range(int(seconds / _YIELD)):
            if self._shift is shift:
                time.sleep(_YIELD)

    def sweep(self, now: float, limit: int) -> int:
        """One batch."""
        return self._batch(now, limit)[0]

    def _batch(self, now: float, limit: int, *, wait: bool = True) -> tuple[int, float]:
        """How many rows a batch took out, and for how many seconds it held the lock."""

        def timed(db: sqlite3.Connection) -> tuple[int, float]:
            began = time.perf_counter()
            # Or the sum over what was not counted yet becomes longer with each batch.
            db.execute(sql.COUNT_ON)
            swept, is_over = sweep(db, now=now, limit=limit, bounds=self._bounds)
            self._bounds = self._bounds._replace(is_over=is_over)
            return swept, time.perf_counter() - began

        return self._connections.write(timed, wait=wait, longest=MAINTENANCE)

    def leave_nothing(self) -> None:
        """After all was removed, remove it from the file and from the log too.

        :raises StoreBusy: if others are at the file for so long that something may still lie there.
        """
        connections = self._connections
        while connections.write(lambda db: delete_chunks(db, CHUNKS), longest=MAINTENANCE):
            pass
        deadline = time.monotonic() + connections.patience
        for rid in (_rewrite, self._empty_log):
            while not connections.alone(rid):
                if time.monotonic() >= deadline:
                    raise StoreBusy(
                        f"{connections.path}: all is removed, but parts may stay in the file while others use it; "
                        "clear it once more"
                    )
                time.sleep(_YIELD)

    def _empty_log(self, db: Guarded) -> bool:
        with self._claims.alone(CHECKPOINT) as alone:
            return alone and not _checkpoint(db, "TRUNCATE")[0]

    def _checkpoint(self) -> None:
        """Checkpoint the log as far as readers allow, unless another process does; no reader loses anything.

        Before SQLite 3.51.3 no commit may run meanwhile: a log that is begun anew while it is checkpointed can end in a
        broken file. Since then others are held up only where they write so fast that the log has become long, until all
        of it is in the file and it can begin again.
        """
        connections = self._connections
        with self._claims.alone(CHECKPOINT) as alone:
            if not alone:
                return
            if not _IS_MENDED:
                # It begins with this, which takes most of its time and need not keep anyone waiting.
                place.sync_log(connections.path)
                connections.write(lambda _: connections.read(_bring_in), longest=MAINTENANCE)
            elif connections.read(_bring_in) > _LONG_LOG:
                connections.alone(lambda db: _checkpoint(db, "RESTART"))


def _checkpoint(db: sqlite3.Connection, how: str) -> tuple[int, int, int]:
    """Whether it was busy, the pages of the log, and how many of them are in the file."""
    row: tuple[int, int, int] = db.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
    return row


def _bring_in(reader: Reader) -> int:
    """The pages of the log, as many of which are in the file as readers allow."""
    return _checkpoint(reader.outside(), "PASSIVE")[1]


def _rewrite(db: Guarded) -> bool:
    try:
        db.rewrite()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False
    return True
