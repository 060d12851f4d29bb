"""The verbs of a Redis store as commands to the server: one table, carried out blocking or on asyncio.

A verb is a generator: it yields a list of commands, which are carried out in their order, and is sent their replies. It
knows nothing of clients, sockets or time limits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final, NamedTuple

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT, Item, Meta, Stored
from sansio_cache_adapters.stores.lease_tokens import is_abandoned
from sansio_cache_adapters.stores.protocol import (
    KEEP_REPLACED,
    LEASE_SECONDS,
    MARK_SECONDS,
    Lease,
    Listed,
    Seen,
)
from sansio_cache_adapters.stores.rows import RESOURCE, REV_BYTES, Row, pack, row_of, stored_in, unpack

from . import scripts
from .commands import ADDED_MS, Call, Command, Names, Steps, groups, lifetime

__all__ = ["Bound", "Verbs", "unseen"]

_META: Final = 48
"""Bytes of the meta record: id and salt."""
_CHECK_EVERY: Final = 5.0
_LEASE_MS: Final = str(int(LEASE_SECONDS * 1000))
_MARK_MS: Final = str(int(MARK_SECONDS * 1000))
_KEEP_MS: Final = str(int(KEEP_REPLACED * 1000))
_LOAD: Final = scripts.LOAD.sha.encode()
_MOST_KNOWN: Final = 10_000
_MOST_DROPPED: Final = 1000


class Bound(NamedTuple):
    """The bounds of a server: bytes (0: none), and the policy by which it evicts; ``""`` where it does not say."""

    bytes: int
    policy: str


class Verbs:
    """The verbs of a store under one prefix.

    :param max_bytes: what one record may have.
    """

    _ids = b""
    _marked = False
    _checked = 0.0

    def __init__(self, prefix: str, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.names: Names = Names(prefix)
        self._resources: dict[bytes, bytes] = {}
        self._dropped: dict[bytes, tuple[float, float]] = {}

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
            yield [("SET", self.names.signed, "1")]
        made = self._ids or os.urandom(_META)
        found, marked = yield [self._read_meta(), ("EXISTS", self.names.signed)]
        if not found:
            _, found = yield [("SET", self.names.meta, made, "NX"), self._read_meta()]
        if not isinstance(found, bytes) or len(found) != _META:
            raise ForeignStore(f"{self.names.meta} holds something that is not ours: left as it is")
        self._ids, self._marked, self._checked = found, bool(marked), time.monotonic()
        return Meta(found[:16], found[16:], self._marked)

    def _read_meta(self) -> Command:
        # No more than tells whether it is ours.
        return ("GETRANGE", self.names.meta, "0", str(_META))

    def _check(self) -> Steps[None]:
        """See now and then that the meta record is still there, since others could not read what we write.

        The server may have been flushed, or have evicted it.
        """
        if not self._ids or time.monotonic() - self._checked < _CHECK_EVERY:
            return
        made, found = yield [("SET", self.names.meta, self._ids, "NX"), self._read_meta()]
        if found != self._ids:
            raise StoreError("another store has taken the place of ours")
        if made and self._marked:
            yield [("SET", self.names.signed, "1")]
        self._checked = time.monotonic()

    def take_salt(self, salt: bytes) -> Steps[bool]:
        """Go on under another salt."""
        ids = self._ids[:16] + salt
        yield [("SET", self.names.meta, ids)]
        self._ids = ids
        return True

    def unsign(self) -> Steps[None]:
        """Remove the mark that the store is signed."""
        self._marked = False
        yield [("DEL", self.names.signed)]

    def bound(self) -> Steps[Bound]:
        """The bounds of the server, as it states them."""
        [said] = yield [("INFO", "memory")]
        return Bound(int(said.get("maxmemory", 0)), str(said.get("maxmemory_policy", "")))

    # Reading

    def load(self, partition: bytes) -> Steps[Sequence[Stored]]:
        """All records of a partition."""
        # A hit: as little to pack as can be.
        [rows] = yield [("EVALSHA", _LOAD, b"1", self.names.heads(partition))]
        if rows:
            if len(self._resources) >= _MOST_KNOWN:
                self._resources = {}
            resource = self._resources[partition] = rows[0][RESOURCE]
            if resource in self._dropped:
                rows = [row for row in rows if not self._was_dropped(row, resource)]
        return [stored for row in rows for stored in stored_in(row)]

    def _was_dropped(self, row: bytes, resource: bytes) -> bool:
        """Whether this process has dropped a record of late; the drop missed it if what leads to it was evicted."""
        at, until = self._dropped.get(resource, (0.0, 0.0))
        return time.monotonic() < until and any(each.requested_at <= at for each in unpack(row))

    def hashes(self, entry: bytes) -> Steps[bytes]:
        """The hashes of a body's chunks."""
        return (yield from self._part(entry, "hashes"))

    def chunk(self, entry: bytes, index: int) -> Steps[bytes]:
        """One chunk of a body."""
        return (yield from self._part(entry, str(index)))

    def _part(self, entry: bytes, name: str) -> Steps[bytes]:
        longest = max(CHUNK_SIZE, self.max_bytes // CHUNK_SIZE * 32 + 32)
        [part] = yield [Call(scripts.PART, [self.names.body(entry)], (name, str(longest)))]
        if not isinstance(part, bytes):
            raise StoreError("the body is gone")
        return part

    def rows(self, heads: Sequence[bytes]) -> Steps[list[Row]]:
        """The rows under these keys, without their bodies."""
        found: list[Row] = []
        for group in groups(heads):
            replies = yield [Call(scripts.LIST, [each]) for each in group]
            found += [row for rows in replies for data in rows for row in unpack(data)]
        return found

    def pending(self, bodies: Sequence[bytes]) -> Steps[int]:
        """The bytes of those of these bodies that are not committed."""
        total = 0
        for group in groups(bodies):
            total += sum((yield [Call(scripts.PENDING, [each]) for each in group]))
        return total

    # Writing

    def write(self, entry: bytes, index: int, data: bytes) -> Steps[None]:
        """Write the next chunk of a pending body."""
        if index * CHUNK_SIZE + len(data) > self.max_bytes:
            raise StoreError("the body is larger than a record may be")
        [done] = yield [Call(scripts.WRITE, [self.names.body(entry)], (str(index), bytes(data), _LEASE_MS))]
        if not done:
            yield from self.abort(entry)
            raise StoreError("the pending body was given up")

    def abort(self, entry: bytes) -> Steps[None]:
        """Remove a pending body."""
        yield [("UNLINK", self.names.body(entry))]

    def commit(self, item: Item, *, vary_limit: int, now: float) -> Steps[bool]:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        yield from self._check()
        entry, body = item.entry or os.urandom(16), item.body
        if item.size + len(item.sealed) > self.max_bytes:
            yield from self.abort(entry)
            return False
        small = item.size <= INLINE_LIMIT
        if item.entry and small:
            body = (yield from self._part(entry, "0")) if item.size else b""
        elif not item.entry and not small:
            whole = memoryview(body or b"")
            for index, at in enumerate(range(0, len(whole), CHUNK_SIZE)):
                yield from self.write(entry, index, bytes(whole[at : at + CHUNK_SIZE]))
        row = row_of(item, entry=entry, body=(body or b"") if small else None, used=now)
        gone = (
            (yield from self._show(row, vary_limit, now)) if (yield from self._enter(row, item.hashes, now)) else None
        )
        if gone is None or (item.entry and small):
            # Not to be kept, or beside its head now.
            yield from self.abort(entry)
        # Last, so that no body without a record lives long where its writer dies in between.
        live = [self._living(row, now)] if gone is not None and not small else []
        yield from self._let_go(gone or (), live)
        return gone is not None

    def _enter(self, row: Row, hashes: bytes, now: float) -> Steps[bool]:
        """Enter a partition among those of its resource, and complete its body; whether the record may be shown."""
        ttl = lifetime(row.purge_at, now, ADDED_MS)
        commands = [self._entering(row.resource, row.partition, ttl, (repr(row.requested_at), repr(now)))]
        if row.body is None:
            whole = (str(len(hashes) // 32), str(row.size), hashes, _LEASE_MS)
            commands.append(Call(scripts.SETTLE, [self.names.body(row.entry)], whole))
        return all((yield commands))

    def _living(self, row: Row, now: float) -> Command:
        """Let a body live as long as its record, and a while longer."""
        return Call(scripts.EXTEND, [self.names.body(row.entry)], (lifetime(row.purge_at, now, ADDED_MS),))

    def _entering(self, resource: bytes, partition: bytes, ttl: str, asked: tuple[str, str] = ("", "")) -> Command:
        return Call(scripts.ENTER, self.names.of_resource(resource), (partition, ttl, *asked))

    def _show(self, row: Row, vary_limit: int, now: float) -> Steps[list[bytes] | None]:
        arguments = (
            *(row.variant, pack(row), row.entry, repr(row.requested_at), repr(now)),
            *(lifetime(row.purge_at, now), str(max(vary_limit, 1))),
        )
        [gone] = yield [Call(scripts.COMMIT, self.names.of_partition(row.partition)[:3], arguments)]
        return gone if gone is None else list(gone)

    def _let_go(self, bodies: Iterable[bytes], also: Sequence[Command] = ()) -> Steps[None]:
        """Let the bodies of records that are gone live on for a while; ``b""`` for one that lay in its row."""
        parting: list[Command] = [("PEXPIRE", self.names.body(each), _KEEP_MS) for each in bodies if len(each) == 16]
        for group in groups([*also, *parting]):
            yield list(group)

    # Changing

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> Steps[int]:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        if new is None:
            return (yield from self._take(seen))
        count = 0
        for each in seen:
            [found] = yield [
                Call(scripts.PART, [self.names.heads(each.partition)], (each.variant, str(scripts.ROW_BYTES)))
            ]
            for row in unpack(found or b""):
                if row.rev == each.rev:
                    count += yield from self._change(row, new)
        return count

    def _change(self, row: Row, new: Item | bytes) -> Steps[int]:
        seen = row.rev.to_bytes(REV_BYTES, "big")
        keys = self.names.of_partition(row.partition)[:2]
        if isinstance(new, bytes):
            [changed] = yield [Call(scripts.CHANGE, keys, (row.variant, seen, pack(row.resealed(new)), "1"))]
            return int(changed)
        fresh, now = row.freshened(new), new.received_at
        # The keys that lead to a record must not go before it. A body that goes before it makes it a miss.
        arguments = (row.variant, seen, pack(fresh), lifetime(fresh.purge_at, now))
        _, changed = yield [
            self._entering(row.resource, row.partition, lifetime(fresh.purge_at, now, ADDED_MS)),
            Call(scripts.CHANGE, keys, arguments),
        ]
        if changed and row.body is None:
            yield [self._living(fresh, now)]
        return int(changed)

    def _take(self, seen: Sequence[Seen | Listed]) -> Steps[int]:
        count = 0
        for group in groups(seen):
            taken = yield [
                Call(
                    scripts.TAKE,
                    self.names.of_partition(each.partition)[:2],
                    (each.variant, each.rev.to_bytes(REV_BYTES, "big")),
                )
                for each in group
            ]
            gone = [each for each in taken if each is not None]
            yield from self._let_go(gone)
            count += len(gone)
        return count

    def drop(self, resource: bytes, *, now: float) -> Steps[int]:
        """Remove every record of a resource, mark it, and free its leases."""
        if len(self._dropped) >= _MOST_DROPPED:
            self._dropped = {}
        self._dropped[resource] = now, time.monotonic() + MARK_SECONDS
        [partitions] = yield [Call(scripts.MARK, self.names.of_resource(resource), (repr(now), _MARK_MS))]
        count = 0
        for group in groups(partitions):
            dropped = yield [
                Call(scripts.DROP, self.names.of_partition(partition), (repr(now), _MARK_MS)) for partition in group
            ]
            for gone in dropped:
                yield from self._let_go(gone)
                count += len(gone)
        return count

    def use(self, touched: dict[tuple[bytes, bytes], float]) -> Steps[None]:
        """Note when records were last used, and remove those that a drop would not find.

        The server may have evicted what leads to them; to be looked at keeps it from that as long as they are used.
        """
        resources, self._resources = self._resources, {}
        for group in groups(list(touched.items())):
            yield [
                ("ZADD", self.names.of_partition(partition)[1], "XX", repr(now), entry)
                for (partition, entry), now in group
            ]
            known = [(partition, found) for (partition, _), _ in group if (found := resources.get(partition))]
            entered = yield [
                ("ZSCORE", self.names.of_resource(resource)[0], partition) for partition, resource in known
            ]
            lost = [partition for (partition, _), last in zip(known, entered, strict=True) if last is None]
            yield [("UNLINK", *self.names.of_partition(partition)[:2]) for partition in lost]

    def clear(self, keys: Iterable[bytes]) -> Steps[None]:
        """Remove these keys, the id and the salt excepted."""
        meta = self.names.meta.encode()
        for group in groups([key for key in keys if key != meta]):
            yield [("UNLINK", key) for key in group]

    # Leases

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Steps[Lease]:
        """Take or renew the lease to fetch for a partition, which lasts by the server's clock."""
        seconds = min(max(until - now, 0.001), LEASE_SECONDS)
        keys, milliseconds = [self.names.lease(partition)], str(ceil(seconds * 1000))
        _, holder = yield [
            self._entering(resource, partition, lifetime(now + seconds, now, ADDED_MS)),
            Call(scripts.CLAIM, keys, (token, milliseconds, "")),
        ]
        if holder == scripts.OPEN:
            return Lease.OPEN
        if holder and is_abandoned(holder):
            [holder] = yield [Call(scripts.CLAIM, keys, (token, milliseconds, holder))]
        return Lease.HELD if holder else Lease.GRANTED

    def release(self, partition: bytes, token: bytes, *, open_for: float) -> Steps[None]:
        """Give the lease back; others hear OPEN for so many seconds."""
        milliseconds = str(max(ceil(open_for * 1000), 0))
        yield [Call(scripts.RELEASE, [self.names.lease(partition)], (token, milliseconds))]


def unseen(rows: Iterable[Row], seen: set[int]) -> Iterable[Row]:
    """The items that were not seen before. Only a hash of each is remembered: eight bytes."""
    for row in rows:
        key = hash((row.partition, row.variant, row.entry))
        if key not in seen:
            seen.add(key)
            yield row
