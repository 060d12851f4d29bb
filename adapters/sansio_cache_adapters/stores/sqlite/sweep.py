"""The steps of a sweep of a cache file: each function is the inside of one transaction."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from sansio_cache_adapters.stores.protocol import KEEP_REPLACED, LEASE_SECONDS, MARK_BYTES, MARK_SECONDS, marks_at_most

from . import schema as sql
from .records import Going, chunk_ids, delete_removed, let_go

__all__ = ["CHUNKS", "Bounds", "delete_chunks", "sweep"]

CHUNKS: Final = 16
"""So many chunks go at once."""
_MARKS_AT_ONCE: Final = 4000
_AHEAD: Final = 3600.0
_LOW_WATER: Final = 0.9


class Bounds(NamedTuple):
    """The most that a store holds; when it is over that, records go until it holds a tenth less."""

    bytes: int
    entries: int | None
    is_over: bool = False
    """It was over, and does not hold so much less yet."""


def sweep(db: sqlite3.Connection, *, now: float, limit: int, bounds: Bounds) -> tuple[int, bool]:
    """Remove a batch of what is not wanted any more. How many rows went, and whether the store is still ``is_over``."""
    # Few statements while there are many such rows: after each a thread may wait for its turn, and holds the lock.
    # They weigh nothing any more, so that a store over its bound lets go first.
    if _excess(db, bounds) is None and (deleted := delete_removed(db, limit)):
        return deleted, False
    execute = db.execute
    for statement, seconds in zip(sql.GIVE_UP_OLD, (LEASE_SECONDS, KEEP_REPLACED), strict=True):
        execute(statement, (now - seconds, now + _AHEAD, limit))
    _bound_kept_bodies(db, bounds.bytes // 4)
    _fold_marks(db, marks_at_most(bounds.bytes))
    swept = delete_chunks(db, min(limit, CHUNKS))
    expired: list[Going] = execute(sql.EXPIRED, (now, limit - swept)).fetchall()
    let_go(db, expired, now)
    swept += len(expired)
    evicted, is_over = _evict(db, now, limit - swept, bounds)
    swept += evicted or delete_removed(db, limit - swept)
    if swept == 0:
        swept = execute(sql.FORGET, (now - MARK_SECONDS, limit)).rowcount
    return swept, is_over


def _bound_kept_bodies(db: sqlite3.Connection, most: int) -> None:
    """Bodies kept for their last readers take room that does not count: not too much of it."""
    over = db.execute(sql.LET_GO_BYTES).fetchone()[0] - most
    if over > 0:
        for body, size in db.execute(sql.OLDEST_LET_GO).fetchall():
            if over <= 0:
                break
            db.execute(sql.GIVE_UP_BODY, (body,))
            over -= size


def _fold_marks(db: sqlite3.Connection, most: int) -> None:
    """Put one mark for all resources in the place of the oldest, where there are too many."""
    over = db.execute(sql.COUNT_MARKS).fetchone()[0] - most
    if over > 0:
        # Some more, so that it is not always.
        going = (min(over + most // 8, _MARKS_AT_ONCE),)
        db.execute(sql.MARK_ALL, db.execute(sql.NEWEST_OF_OLDEST, going).fetchone())
        db.execute(sql.REMOVE_OLDEST_MARKS, going)


def delete_chunks(db: sqlite3.Connection, limit: int) -> int:
    """Remove chunks of bodies that can no longer be read, from their ends."""
    gone = 0
    while gone < limit and (row := db.execute(sql.NEXT_DEAD).fetchone()) is not None:
        chunks = db.execute(sql.DELETE_CHUNKS, (*chunk_ids(row[0]), limit - gone)).rowcount
        gone += chunks
        if gone < limit:
            db.execute(sql.DELETE_BODY, row)
            gone += chunks == 0
    return gone


def _excess(db: sqlite3.Connection, bounds: Bounds) -> tuple[int, int] | None:
    """The bytes and entries that must go, with some more so that it is not always; None while nothing must."""
    entries, stored = db.execute(sql.TOTALS).fetchone()
    stored += db.execute(sql.COUNT_MARKS).fetchone()[0] * MARK_BYTES
    most = entries if bounds.entries is None else bounds.entries
    if not bounds.is_over and stored <= bounds.bytes and entries <= most:
        return None
    return stored - int(bounds.bytes * _LOW_WATER), 0 if bounds.entries is None else entries - int(most * _LOW_WATER)


def _evict(db: sqlite3.Connection, now: float, limit: int, bounds: Bounds) -> tuple[int, bool]:
    """Let the longest unused records go while there are too many. How many went, and whether more must."""
    excess = _excess(db, bounds)
    if excess is None:
        return 0, False
    spare_bytes, spare_entries = excess
    rows: list[Going] = []
    for row in db.execute(sql.LONGEST_UNUSED, (limit,)).fetchall():
        if spare_bytes <= 0 and spare_entries <= 0:
            break
        rows.append(row)
        spare_bytes -= row[3]
        spare_entries -= 1
    let_go(db, rows, now)
    return len(rows), spare_bytes > 0 or spare_entries > 0
