"""The steps of writing to a cache file: each function is the inside of one transaction."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Item, Stored
from sansio_cache_adapters.stores.protocol import MARK_SECONDS, Listed, Seen

from . import schema as sql
from .guarded import Altered

__all__ = [
    "Going",
    "Placed",
    "delete_removed",
    "change",
    "chunk_ids",
    "commit",
    "commit_first",
    "drop",
    "freshen_seen",
    "let_go",
    "placed",
    "remove",
    "remove_unsound",
    "write",
]

Going = tuple[int, int | None, int | None, int]
"""A record about to go: its id, of its body in ``small`` or in ``bodies``, and its weight in bytes."""


def bits(digest: bytes) -> int:
    """The first 64 bits of a digest, as SQLite indexes them."""
    return int.from_bytes(digest[:8], "big", signed=True)


def rev_of(fresh: bytes) -> int:
    """A rev that no record had before, from 8 random bytes: the first 63 bits."""
    return int.from_bytes(fresh[:8], "big") >> 1


_VARIANTS_AT_MOST: Final = 4096
"""Rows of one partition that a commit looks at. Our own programs never put more there."""


# Bodies


def write(db: sqlite3.Connection, entry: bytes, index: int, data: bytes, now: float, max_bytes: int) -> None:
    """Add a chunk to a pending body, beginning it with the first.

    :raises StoreError: if it was given up meanwhile, or if pending bodies would be larger than the store.
    """
    execute = db.execute
    if index == 0:
        execute(sql.BEGIN_BODY, (entry, now))
    execute(sql.GROW_BODY, (now, len(data), entry))
    row = execute(sql.PENDING_BODY, (entry,)).fetchone()
    if row is None:
        raise StoreError("the pending body was given up")
    if execute(sql.PENDING_BYTES).fetchone()[0] > max_bytes:
        raise StoreError("the pending bodies are larger than the store")
    execute(sql.ADD_CHUNK, (row[0] << sql.INDEX_BITS | index, data))


def _pending(db: sqlite3.Connection, entry: bytes) -> tuple[int, int] | None:
    row: tuple[int, int] | None = db.execute(sql.PENDING_BODY, (entry,)).fetchone()
    return row


def chunk_ids(body: int) -> tuple[int, int]:
    """The first and the last id that a chunk of a body can have."""
    first = body << sql.INDEX_BITS
    return first, first | (1 << sql.INDEX_BITS) - 1


# Records


def commit(db: sqlite3.Connection, *, item: Item, vary_limit: int, now: float, max_bytes: int) -> bool:
    """Make a record visible in place of the one of its variant; False where it must not be."""
    execute = db.execute
    pending = _pending(db, item.entry) if item.entry else None
    if item.entry and (pending is None or pending[1] != item.size):
        return False
    weight = item.size + len(item.sealed)
    rows = execute(sql.VARIANTS, (item.resource, bits(item.partition), item.partition)).fetchmany(_VARIANTS_AT_MOST)
    dropped_at = rows[0][6]
    dropped = isinstance(dropped_at, float) and item.requested_at <= dropped_at and abs(now - dropped_at) < MARK_SECONDS
    if dropped or weight > max_bytes:
        if pending is not None:
            execute(sql.GIVE_UP_BODY, (pending[0],))
        return False
    if rows[0][0] is not None:
        others = sorted((row for row in rows if row[4] != item.variant), key=lambda row: _time(row[5]), reverse=True)
        replaced = [row for row in rows if row[4] == item.variant]
        let_go(db, [row[:4] for row in replaced + others[max(vary_limit, 1) - 1 :]], now)
    fresh = os.urandom(24)
    row = _row(item, fresh, _place_body(db, item, item.entry or fresh[8:], pending), now)
    # By the statement of commit_first, so that this connection has it prepared from then on.
    if rows[0][0] is not None or not _insert_first(db, item, row):
        execute(sql.INSERT, row)
    return True


def commit_first(db: sqlite3.Connection, *, item: Item, now: float, max_bytes: int) -> bool:
    """Make the first record of a partition visible, in one statement; False where :func:`commit` has to do it."""
    body = item.body
    if body is None or len(body) > sql.IN_ROW or item.size + len(item.sealed) > max_bytes:
        return False
    return _insert_first(db, item, _row(item, os.urandom(24), (body, None, None), now))


def _insert_first(db: sqlite3.Connection, item: Item, row: tuple[object, ...]) -> bool:
    # Each value in its place: parameters with numbers are deprecated in Python 3.12.0 to 3.12.3.
    partition_64, resource_64, *others = row
    seen = partition_64, item.partition, item.resource
    return db.execute(sql.INSERT_FIRST, (partition_64, resource_64, *seen, *others)).rowcount == 1


def _time(value: object) -> float:
    """A time as it was stored; long ago where somebody has put something else there."""
    return value if isinstance(value, float) else 0.0


_Place = tuple[bytes | None, int | None, int | None]
"""Where a body lies: in the row, in ``small`` or in ``chunks``, of which two are None."""


def _row(item: Item, fresh: bytes, place: _Place, now: float) -> tuple[object, ...]:
    """The values of a new row but its id.

    :param fresh: 24 random bytes, for rev and entry: to ask the system for them lets go of the GIL.
    """
    in_row, small_id, body_id = place
    return (
        *(bits(item.partition), bits(item.resource), rev_of(fresh), item.status, item.method, item.url),
        *(_text(item.tags) if item.tags else "[]", item.size, item.size + len(item.sealed)),
        *(item.requested_at, item.received_at, item.stale_at, item.purge_at, now),
        *(item.entry or fresh[8:], item.partition, item.resource, item.variant),
        *(small_id, body_id, item.sealed, in_row),
    )


def _place_body(db: sqlite3.Connection, item: Item, entry: bytes, pending: tuple[int, int] | None) -> _Place:
    """Where a body comes to lie."""
    execute = db.execute
    body = item.body
    if pending is not None:
        if item.size > INLINE_LIMIT:
            execute(sql.KEEP_BODY, (item.hashes, pending[0]))
            return None, None, pending[0]
        body = b"".join([row[0] for row in execute(sql.CHUNKS, chunk_ids(pending[0]))])
        execute(sql.GIVE_UP_BODY, (pending[0],))
    body = body or b""
    if len(body) <= sql.IN_ROW:
        return body, None, None
    if len(body) <= INLINE_LIMIT:
        return None, execute(sql.ADD_SMALL, (body,)).lastrowid, None
    body_id = execute(sql.BEGIN_BODY, (entry, item.received_at)).lastrowid or 0
    for index, at in enumerate(range(0, len(body), CHUNK_SIZE)):
        execute(sql.ADD_CHUNK, (body_id << sql.INDEX_BITS | index, body[at : at + CHUNK_SIZE]))
    execute(sql.KEEP_BODY, (item.hashes, body_id))
    return None, None, body_id


def let_go(db: sqlite3.Connection, rows: Sequence[Going], now: float) -> None:
    """Take records out. A body in chunks stays readable for a while."""
    if not rows:
        return
    execute = db.execute
    for record, small_id, body_id, _ in rows:
        execute(sql.DELETE, (record,))
        if small_id is not None:
            execute(sql.DELETE_SMALL, (small_id,))
        if body_id is not None:
            execute(sql.LET_GO_BODY, (now, body_id))
    _uncount(db, [(row[0], row[3]) for row in rows])


def _uncount(db: sqlite3.Connection, gone: Sequence[tuple[int, int]]) -> None:
    """Take records (id, weight) out of the totals, as far as they were counted."""
    counted: object = db.execute(sql.COUNTED).fetchone()[0]
    # A column of SQLite holds values of any type: what another program has put there counts for nothing.
    last = counted if isinstance(counted, int) else 0
    weights = [weight for record, weight in gone if record <= last]
    db.execute(sql.UNCOUNT, (len(weights), sum(weights)))


def change(db: sqlite3.Connection, *, seen: Seen | Listed, new: Item | bytes | None, now: float) -> bool:
    """Change or remove a record, if it still has the ``rev`` that was seen; whether it had."""
    row: tuple[int, int | None, int | None, int, int] | None = db.execute(
        sql.SEEN, (bits(seen.partition), seen.partition, seen.variant, seen.rev)
    ).fetchone()
    if row is None:
        return False
    if new is None:
        let_go(db, [row[:4]], now)
        return True
    record, _, _, weight, size = row
    sealed = new if isinstance(new, bytes) else new.sealed
    if isinstance(new, bytes):
        db.execute(sql.RESEAL, (sealed, rev_of(os.urandom(8)), size + len(sealed), record))
    elif not freshen_seen(db, seen=seen, new=new):
        rev, *known = _freshened(new)
        db.execute(sql.FRESHEN, (sealed, rev, size + len(sealed), *known, record))
    if size + len(sealed) != weight:  # the totals are a page of their own
        db.execute(sql.WEIGH, (size + len(sealed) - weight, record))
    return True


def freshen_seen(db: sqlite3.Connection, *, seen: Seen | Listed, new: Item) -> bool:
    """Do the same, in one statement; False where :func:`change` has to do it."""
    found = (bits(seen.partition), seen.partition, seen.variant, seen.rev, len(new.sealed))
    return db.execute(sql.FRESHEN_SEEN, (new.sealed, *_freshened(new), *found)).rowcount == 1


def _freshened(new: Item) -> tuple[object, ...]:
    known = (new.status, new.method, new.url, _text(new.tags) if new.tags else "[]")
    return (rev_of(os.urandom(8)), *known, new.requested_at, new.received_at, new.stale_at, new.purge_at)


_ASKED_AT_ONCE: Final = 500


def remove(db: sqlite3.Connection, listed: Sequence[Placed], now: float) -> int:
    """Remove many records, as far as each still has its ``rev``: they are noted as removed. How many were."""
    revs = {each.id: each.stored.rev for each in listed}
    ids = list(revs)
    gone: list[tuple[int, int, int, int | None]] = []
    for first in range(0, len(ids), _ASKED_AT_ONCE):
        some = ids[first : first + _ASKED_AT_ONCE]
        rows = db.execute(sql.REVS.format(",".join("?" * len(some))), some)
        gone += [row for row in rows if revs[row[0]] == row[1]]
    db.executemany(sql.REMOVE, [row[:2] for row in gone])
    db.executemany(sql.LET_GO_BODY, [(now, row[3]) for row in gone if row[3] is not None])
    _uncount(db, [(row[0], row[2]) for row in gone])
    return len(gone)


def delete_removed(db: sqlite3.Connection, limit: int) -> int:
    """Take out the rows of so many records that were removed. How many there were."""
    last, small = db.execute(sql.NEXT_REMOVED, (limit,)).fetchone()
    if last is None:
        return 0
    if small:
        db.execute(sql.DELETE_REMOVED_SMALL, (last,))
    db.execute(sql.DELETE_REMOVED, (last,))
    deleted = db.execute(sql.FORGET_REMOVED, (last,)).rowcount
    db.execute(sql.UNCOUNT, (0, 0))
    return deleted


def drop(db: sqlite3.Connection, resource: bytes, now: float) -> int:
    """Remove every record of a resource, and mark it. How many there were."""
    rows: list[Going] = db.execute(sql.OF_RESOURCE, (bits(resource), resource)).fetchall()
    let_go(db, rows, now)
    db.execute(sql.SET_MARK, (resource, now))
    return len(rows)


class Placed(Listed):
    """A record as maintenance sees it, and the id of its row, by which it is found again at once."""

    id: int


def placed(row: tuple[Any, ...]) -> Placed:
    """A row of LISTED as maintenance sees it. What others wrote into it can at worst make it look odd."""
    record, resource, partition, variant, sealed, entry, rev, *known, tags = row
    listed = Placed._make((resource, partition, variant, Stored(sealed, None, entry, rev), *known, _tags(tags)))
    listed.id = record
    return listed


def _text(tags: tuple[str, ...]) -> str:
    return msgspec.json.encode(tags).decode()


def _tags(text: str) -> tuple[str, ...]:
    if text == "[]":
        return ()
    try:
        return tuple(msgspec.json.decode(text, type=list[str]))
    except msgspec.MsgspecError:
        return ()


# Foreign rows


def remove_unsound(db: sqlite3.Connection, longest: int) -> None:
    """Remove every row with a value that none of ours can have: one that is too long stops whatever meets it.

    :param longest: bytes of the hashes of the largest body.
    :raises sqlite3.Error: if that cannot be done.
    :raises Altered: if the meta record is such a one.
    """
    if not db.execute(sql.META_IS_SOUND).fetchone()[0]:
        raise Altered("its meta record is broken")
    for statement in sql.REMOVE_UNSOUND:
        db.execute(statement, {"longest": longest} if ":longest" in statement else {})
    # The marks went too: whatever was requested before now may be one that was dropped.
    db.execute(sql.MARK_ALL, (time.time(),))
