"""What each verb of a Redis store asks of the server: one table, carried out blocking or on asyncio.

A verb is a generator: it yields a list of commands that do not depend on each other, and is sent their replies. It
knows nothing of clients, sockets or time limits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from math import ceil
from typing import Final

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Item, Meta, Stored
from sansio_cache_adapters.stores.holders import is_abandoned
from sansio_cache_adapters.stores.protocol import (
    KEEP_REPLACED,
    LEASE_SECONDS,
    MARK_SECONDS,
    Lease,
    Listed,
    Seen,
    marks_at_most,
)
from sansio_cache_adapters.stores.rows import REV_BYTES, Row, pack, row_of, stored_in, unpack

from . import index_scripts, scripts
from .commands import ADDED_MS, Call, Command, Steps, body, groups, lifetime, record, score
from .maintenance import Care

__all__ = ["Verbs"]

_META: Final = 48
"""Bytes of the meta record: id and salt."""
_EVICTED_AT_ONCE: Final = 20
_CHECK_EVERY: Final = 5.0
_LEASE_MS: Final = str(int(LEASE_SECONDS * 1000))
_MARK_MS: Final = str(int(MARK_SECONDS * 1000))


class Verbs(Care):
    """The verbs of a store under one prefix."""

    _ids = b""
    _marked = False
    _checked = 0.0

    # Opening

    def exists(self) -> Steps[bool]:
        """Whether anything lies in the place of the meta record."""
        [found] = yield [self._read_meta()]
        return bool(found)

    def open(self, *, signed: bool) -> Steps[Meta]:
        """The meta record, made if there is none.

        :raises ForeignStore: if something else lies in its place.
        """
        if signed:
            yield [("SET", self._names.signed, "1")]
        made = self._ids or os.urandom(_META)
        found, marked = yield [self._read_meta(), ("EXISTS", self._names.signed)]
        if not found:
            _, found = yield [("SET", self._names.meta, made, "NX"), self._read_meta()]
        if not isinstance(found, bytes) or len(found) != _META:
            raise ForeignStore(f"{self._names.meta} holds something that is not ours: left as it is")
        self._ids, self._marked, self._checked = found, bool(marked), time.monotonic()
        return Meta(found[:16], found[16:], self._marked)

    def _read_meta(self) -> Command:
        # No more than tells whether it is ours.
        return ("GETRANGE", self._names.meta, "0", str(_META))

    def _check(self) -> Steps[None]:
        """See now and then that the meta record is still there, since others could not read what we write.

        The server may have been flushed, or have evicted it.
        """
        if not self._ids or time.monotonic() - self._checked < _CHECK_EVERY:
            return
        made, found = yield [("SET", self._names.meta, self._ids, "NX"), self._read_meta()]
        if found != self._ids:
            raise StoreError("another store has taken the place of ours")
        if made and self._marked:
            yield [("SET", self._names.signed, "1")]
        self._checked = time.monotonic()

    def take_salt(self, salt: bytes) -> Steps[bool]:
        """Go on under another salt."""
        ids = self._ids[:16] + salt
        yield [("SET", self._names.meta, ids)]
        self._ids = ids
        return True

    def unsign(self) -> Steps[None]:
        """Remove the mark that the store is signed."""
        self._marked = False
        yield [("DEL", self._names.signed)]

    # Reading

    def load(self, partition: bytes) -> Steps[Sequence[Stored]]:
        """All records of a partition."""
        [rows] = yield [self._rows_of(partition)]
        return [stored for row in rows for stored in stored_in(row)]

    def hashes(self, entry: bytes) -> Steps[bytes]:
        """The SHA-256s of a body's chunks."""
        return (yield from self._part(entry, "hashes"))

    def chunk(self, entry: bytes, index: int) -> Steps[bytes]:
        """One chunk of a body."""
        return (yield from self._part(entry, str(index)))

    def _part(self, entry: bytes, name: str) -> Steps[bytes]:
        longest = max(CHUNK_SIZE, self.max_bytes // CHUNK_SIZE * 32 + 32)
        [part] = yield [Call(scripts.PART, [self._names.body(entry)], (name, str(longest)))]
        if not isinstance(part, bytes):
            raise StoreError("the body is gone")
        return part

    # Writing

    def write(self, entry: bytes, index: int, data: bytes) -> Steps[None]:
        """Write the next chunk of a pending body."""
        if index * CHUNK_SIZE + len(data) > self.max_bytes:
            raise StoreError("the body is larger than the store")
        due = score(time.time() + LEASE_SECONDS)
        done, _ = yield [
            Call(scripts.WRITE, [self._names.body(entry)], (str(index), bytes(data), _LEASE_MS)),
            Call(index_scripts.GROW, self._names.index, (body(entry), str(len(data)), due)),
        ]
        if not done:
            yield from self.abort(entry)
            raise StoreError("the pending body was given up")

    def abort(self, entry: bytes) -> Steps[None]:
        """Remove a pending body."""
        yield [("UNLINK", self._names.body(entry)), Call(index_scripts.FORGET, self._names.index, (body(entry),))]

    def commit(self, item: Item, *, vary_limit: int, now: float) -> Steps[bool]:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        yield from self._check()
        entry, body = item.entry or os.urandom(16), item.body
        if item.size + len(item.sealed) > self.max_bytes:
            yield from self.abort(entry)
            return False
        if item.entry and item.size <= INLINE_LIMIT:
            body = (yield from self._part(entry, "0")) if item.size else b""
        elif not item.entry and item.size > INLINE_LIMIT:
            whole = memoryview(body or b"")
            for index, at in enumerate(range(0, len(whole), CHUNK_SIZE)):
                yield from self.write(entry, index, bytes(whole[at : at + CHUNK_SIZE]))
        small = item.size <= INLINE_LIMIT
        row = row_of(item, entry=entry, body=(body or b"") if small else None, used=now)
        ready, total = yield from self._enter(row, item.hashes, now)
        gone = (yield from self._show(row, vary_limit, now)) if ready else None
        if gone is None or small:
            yield [("UNLINK", self._names.body(entry))] if item.entry or not small else []
        if gone is None:
            yield [Call(index_scripts.FORGET, self._names.index, (record(row.partition, entry),))]
            return False
        if gone:
            yield from self._let_go([record(row.partition, each) for each in gone])
        if total[0] > self.max_bytes or 0 < self._max_entries < total[1]:
            yield from self.trim(now=now, limit=_EVICTED_AT_ONCE)
        return True

    def _enter(self, row: Row, hashes: bytes, now: float) -> Steps[tuple[bool, list[int]]]:
        """Count a record and let its body live; whether it may become visible, and how much there is in all."""
        commands: list[Command] = [
            Call(
                scripts.ENTER, self._names.of_resource(row.resource), self._entering(row, repr(row.requested_at), now)
            ),
            Call(
                index_scripts.NOTE,
                [*self._names.index, self._names.marks[1]],
                (
                    *(record(row.partition, row.entry), str(row.cost), score(row.purge_at), repr(now)),
                    *(body(row.entry), repr(row.requested_at), repr(now)),
                ),
            ),
        ]
        if row.body is None:
            whole = (str(len(hashes) // 32), str(row.size), hashes, lifetime(row.purge_at, now, ADDED_MS))
            commands.append(Call(scripts.SETTLE, [self._names.body(row.entry)], whole))
        entered, total, *settled = yield commands
        return bool(entered) and total[0] >= 0 and all(settled), total

    def _entering(self, row: Row, requested_at: str, now: float) -> tuple[str | bytes, ...]:
        end = row.purge_at
        return (
            *(row.partition, requested_at, repr(now), score(end)),
            *(lifetime(end, now, ADDED_MS), repr(now - 2 * KEEP_REPLACED)),
        )

    def _show(self, row: Row, vary_limit: int, now: float) -> Steps[list[bytes] | None]:
        [gone] = yield [
            Call(
                scripts.COMMIT,
                self._names.of_partition(row.partition),
                (
                    *(row.variant, pack(row), row.entry, repr(row.requested_at), repr(now)),
                    *(lifetime(row.purge_at, now), str(max(vary_limit, 1))),
                ),
            )
        ]
        return gone if gone is None else list(gone)

    # Changing

    def _row(self, partition: bytes, variant: bytes, rev: int) -> Steps[Row | None]:
        [found] = yield [Call(scripts.PART, [self._names.heads(partition)], (variant, str(scripts.ROW_BYTES)))]
        return next((row for row in unpack(found or b"") if row.rev == rev), None)

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> Steps[int]:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        if new is None:
            return (yield from self._take([(each.partition, each.variant, each.rev) for each in seen]))
        count = 0
        for each in seen:
            row = yield from self._row(each.partition, each.variant, each.rev)
            if row is None:
                continue
            if isinstance(new, bytes):
                count += yield from self._change(row, row.resealed(new), "1")
            else:
                count += yield from self._freshen(row, new)
        return count

    def _freshen(self, row: Row, item: Item) -> Steps[bool]:
        fresh, now = row.freshened(item), item.received_at
        # What must live longer first, so that no record outlives its body.
        ttl = lifetime(fresh.purge_at, now, ADDED_MS)
        yield [
            Call(scripts.EXTEND, [self._names.body(row.entry)], (ttl,)),
            Call(scripts.ENTER, self._names.of_resource(row.resource), self._entering(fresh, "", now)),
        ]
        return (yield from self._change(row, fresh, lifetime(fresh.purge_at, now)))

    def _change(self, row: Row, fresh: Row, ttl: str) -> Steps[bool]:
        seen = row.rev.to_bytes(REV_BYTES, "big")
        keys = self._names.of_partition(row.partition)
        [changed] = yield [Call(scripts.CHANGE, keys, (row.variant, seen, pack(fresh), ttl))]
        if changed:
            member = record(row.partition, row.entry)
            yield [
                Call(index_scripts.NOTE, self._names.index, (member, str(fresh.cost), score(fresh.purge_at), "", ""))
            ]
        return bool(changed)

    def _take(self, seen: Sequence[tuple[bytes, bytes, int]]) -> Steps[int]:
        count = 0
        for group in groups(seen):
            taken = yield [
                Call(scripts.TAKE, self._names.of_partition(partition), (variant, rev.to_bytes(REV_BYTES, "big")))
                for partition, variant, rev in group
            ]
            gone = [record(place[0], entry) for place, entry in zip(group, taken, strict=True) if entry]
            yield from self._let_go(gone)
            count += len(gone)
        return count

    def drop(self, resource: bytes, *, now: float) -> Steps[int]:
        """Remove every record of a resource, mark it, and free its leases."""
        most = marks_at_most(self.max_bytes)
        folded = (resource, repr(now), str(most), str(most // 8), _MARK_MS)
        partitions, forgotten = yield [
            Call(scripts.MARK, self._names.of_resource(resource), (repr(now), _MARK_MS)),
            Call(index_scripts.FOLD, self._names.marks, folded),
        ]
        for group in groups([each for each in forgotten if each != resource]):
            yield [("UNLINK", self._names.of_resource(each)[1]) for each in group]
        count = 0
        for group in groups(partitions):
            dropped = yield [
                Call(scripts.DROP, self._names.of_partition(partition), (repr(now), _MARK_MS)) for partition in group
            ]
            gone = [record(part, entry) for part, all_of_it in zip(group, dropped, strict=True) for entry in all_of_it]
            yield from self._let_go(gone)
            count += len(gone)
        return count

    # Leases

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Steps[Lease]:
        """Take or renew the lease to fetch for a partition, which lasts by the server's clock."""
        seconds = min(max(until - now, 0.001), LEASE_SECONDS)
        end = now + seconds
        entering = (partition, "", repr(now), repr(end), lifetime(end, now, ADDED_MS), repr(now - 2 * KEEP_REPLACED))
        keys, milliseconds = self._names.of_partition(partition), str(ceil(seconds * 1000))
        _, (answer, *holder) = yield [
            Call(scripts.ENTER, self._names.of_resource(resource), entering),
            Call(scripts.CLAIM, keys, (token, milliseconds, "")),
        ]
        if holder and is_abandoned(holder[0]):
            [(answer, *_)] = yield [Call(scripts.CLAIM, keys, (token, milliseconds, holder[0]))]
        return Lease(answer.decode())

    def release(self, partition: bytes, token: bytes, *, open_for: float) -> Steps[None]:
        """Give the lease back; others hear OPEN for so many seconds."""
        milliseconds = str(max(ceil(open_for * 1000), 0))
        yield [Call(scripts.RELEASE, self._names.of_partition(partition), (token, milliseconds))]
