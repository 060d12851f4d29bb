"""The store in memory: bounded, shared by the threads and loops of one process, and the reference for all others."""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Any

from msgspec.structs import replace

from sansio_cache.errors import StoreError
from sansio_cache.names import explains
from sansio_cache.policy import SETTINGS
from sansio_cache.records import INLINE_LIMIT, Item, Meta, Stored
from sansio_cache.sealing import Sealer, SecretKey, make_sealer

from .forking import follow_forks
from .memory_parts import ChunkedBody, HeldClaim, Marks, PlacedRecord
from .protocol import DEFAULT_MAX_BYTES, KEEP_REPLACED, LEASE_SECONDS, Lease, Listed, Seen, Size
from .settings import UNGIVEN, Ungiven, check_bounds, keys_of
from .store_repr import StoreRepr

__all__ = ["MemoryStore"]

_TIDY_EVERY = 60.0


class MemoryStore(StoreRepr):
    """A store in this process's memory, gone with it; safe for threads and for several event loops.

    :param max_bytes: bytes of heads and bodies that it holds at most; the longest unused records go.
    :param max_entries: how many records it holds at most; None for no bound.
    :param secret_key: signs records and verifies them, as for a session.
    :raises SettingError: for settings of wrong type or value.
    """

    instant = True

    @explains("MemoryStore", SETTINGS)
    def __init__(
        self,
        max_bytes: int = DEFAULT_MAX_BYTES,
        *,
        max_entries: int | None = None,
        secret_key: SecretKey | Ungiven = UNGIVEN,
    ) -> None:
        check_bounds(max_bytes, max_entries)
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.sealer: Sealer | None = None if secret_key is UNGIVEN else make_sealer(secret_key)
        self._meta = Meta(os.urandom(16), os.urandom(32), signed=False)
        self._lock = threading.RLock()
        self._rev = 0
        self._next_tidy = -inf
        self._marks = Marks(max_bytes)
        self._aborted: deque[bytes] = deque()
        self._released: deque[tuple[bytes, bytes, float]] = deque()
        self._begin_empty()
        follow_forks(self)

    def _begin_empty(self) -> None:
        self._loaded: dict[bytes, tuple[Stored, ...]] = {}
        self._partitions: dict[bytes, dict[bytes, PlacedRecord]] = {}
        self._resources: dict[bytes, dict[bytes, PlacedRecord]] = {}
        self._rows: OrderedDict[bytes, PlacedRecord] = OrderedDict()  # by entry, the longest unused first
        self._expiring: list[tuple[float, bytes]] = []  # a heap, in which rows that are gone may linger
        self._pending: dict[bytes, ChunkedBody] = {}
        self._bodies: dict[bytes, ChunkedBody] = {}
        self._replaced: OrderedDict[bytes, ChunkedBody] = OrderedDict()
        self._replaced_bytes = 0
        self._claims: dict[bytes, HeldClaim] = {}
        self._bytes = 0

    @property
    def location(self) -> str:
        """``"memory"``, for messages."""
        return "memory"

    def known_entries(self) -> int:
        """How many records there are."""
        return len(self._rows)

    def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed."""
        with self._lock:
            if signed:
                self._meta = self._meta._replace(signed=True)
            return self._meta

    # Reading

    def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition."""
        return self._loaded.get(partition, ())

    load_nowait = load

    def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        return self._body(entry).hashes

    def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        chunks = self._body(entry).chunks
        if not 0 <= index < len(chunks):
            raise StoreError(f"chunk {index} is not there")
        return chunks[index]

    def _body(self, entry: bytes) -> ChunkedBody:
        body = self._bodies.get(entry) or self._replaced.get(entry)
        if body is None:
            raise StoreError("the body is gone")
        return body

    # Writing

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Add the next chunk to a pending body."""
        with self._lock:
            if index == 0:
                self._pending[entry] = ChunkedBody(time.time())
            body = self._pending.get(entry)
            if body is None or index != len(body.chunks) or body.size + len(data) > self.max_bytes:
                raise StoreError("the pending body was given up, or is larger than the store")
            body.chunks.append(bytes(data))
            body.size += len(data)
            body.at = time.time()
            self._bytes += len(data)
            self._evict()

    def abort(self, entry: bytes) -> None:
        """Mark a pending body as given up. Takes no lock, since a finalizer may call it at any point."""
        self._aborted.append(entry)

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        with self._lock:
            pending = self._taken_back(item.entry)
            whole = not item.entry or (pending is not None and pending.size == item.size)
            fits = item.size + len(item.sealed) <= self.max_bytes
            if not whole or not fits or self._marks.refuse(item, now):
                return False
            entry, body = item.entry or os.urandom(16), item.body
            if pending is not None and item.size <= INLINE_LIMIT:
                body = b"".join(pending.chunks)
            elif pending is not None:
                pending.hashes = item.hashes
                self._bodies[entry] = pending
            variants = self._partitions.get(item.partition, {})
            if (replaced := variants.get(item.variant)) is not None:
                self._let_go(replaced, now)
            self._add(PlacedRecord(item, Stored(item.sealed, body, entry, self._new_rev()), now))
            while len(self._partitions[item.partition]) > max(vary_limit, 1):
                variants = self._partitions[item.partition]
                others = [row for variant, row in variants.items() if variant != item.variant]
                self._let_go(min(others, key=lambda row: row.used), now)
            self._evict()
            self._tidy(now)
            return True

    def _new_rev(self) -> int:
        self._rev += 1
        return self._rev

    def _taken_back(self, entry: bytes) -> ChunkedBody | None:
        body = self._pending.pop(entry, None)
        if body is not None:
            self._bytes -= body.size
        return body

    def _add(self, row: PlacedRecord) -> None:
        item, entry = row.item, row.stored.entry
        self._rows[entry] = row
        self._partitions.setdefault(item.partition, {})[item.variant] = row
        self._resources.setdefault(item.resource, {})[entry] = row
        self._bytes += row.cost
        if item.purge_at != inf:
            heapq.heappush(self._expiring, (item.purge_at, entry))
            if len(self._expiring) > 2 * len(self._rows) + 1000:
                self._expiring = [(each.item.purge_at, key) for key, each in list(self._rows.items())]
                heapq.heapify(self._expiring)
        self._show(item.partition)

    def _let_go(self, row: PlacedRecord, now: float, *, body_too: bool = True) -> None:
        """Take a record out; a body in chunks stays readable for a while, in a quarter of the bound at most."""
        item, entry = row.item, row.stored.entry
        self._rows.pop(entry, None)
        for rows, key, inner in (
            (self._partitions, item.partition, item.variant),
            (self._resources, item.resource, entry),
        ):
            del rows[key][inner]
            if not rows[key]:
                del rows[key]
        self._bytes -= row.cost
        self._show(item.partition)
        if body_too and (body := self._bodies.pop(entry, None)) is not None:
            body.at = now
            self._replaced[entry] = body
            self._replaced_bytes += body.size
            while self._replaced_bytes > self.max_bytes // 4:
                self._replaced_bytes -= self._replaced.popitem(last=False)[1].size

    def _show(self, partition: bytes) -> None:
        rows = self._partitions.get(partition)
        if rows:
            self._loaded[partition] = tuple([row.stored for row in rows.values()])
        else:
            self._loaded.pop(partition, None)

    # Changing

    def _exchange(self, row: PlacedRecord, item: Item) -> None:
        self._let_go(row, 0.0, body_too=False)
        stored = row.stored._replace(sealed=item.sealed, rev=self._new_rev())
        self._add(PlacedRecord(replace(item, size=row.item.size, hashes=row.item.hashes), stored, row.used))

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        return sum(self._change(each, new) for each in seen)

    def _change(self, seen: Seen | Listed, new: Item | bytes | None) -> bool:
        with self._lock:
            row = self._partitions.get(seen.partition, {}).get(seen.variant)
            if row is None or row.stored.rev != seen.rev:
                return False
            if new is None:
                self._let_go(row, time.time())
            else:
                self._exchange(row, replace(row.item, sealed=new) if isinstance(new, bytes) else new)
            return True

    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource, mark it, and free its leases."""
        with self._lock:
            rows = list(self._resources.get(resource, {}).values())
            for row in rows:
                self._let_go(row, now)
            self._marks.add(resource, now)
            self._evict()
            self._forget_claims(lambda claim: claim.resource == resource)
            return len(rows)

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used."""
        row = self._rows.get(entry)
        if row is not None:
            row.used = now
            try:
                self._rows.move_to_end(entry)
            except KeyError:
                return  # it went in another thread meanwhile

    # Leases

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the lease to fetch for a partition."""
        with self._lock:
            self._free_released()
            claim = self._claims.get(partition)
            if claim is not None and claim.token != token and now < claim.until:
                return Lease.OPEN if claim.open else Lease.HELD
            self._claims[partition] = HeldClaim(resource, token, min(until, now + LEASE_SECONDS))
            return Lease.GRANTED

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the lease back, at the next :meth:`claim`: like :meth:`abort` it takes no lock."""
        self._released.append((partition, token, open_until))

    def _free_released(self) -> None:
        while self._released:
            partition, token, open_until = self._released.popleft()
            claim = self._claims.get(partition)
            if claim is not None and claim.token == token:
                if open_until > 0.0:
                    self._claims[partition] = HeldClaim(claim.resource, b"", open_until, open=True)
                else:
                    del self._claims[partition]

    def _forget_claims(self, unwanted: Callable[[HeldClaim], bool]) -> None:
        for partition in [key for key, claim in self._claims.items() if unwanted(claim)]:
            del self._claims[partition]

    # Maintenance

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        """Every record that is there when its turn comes."""
        for row in list(self._rows.values()):
            if self._rows.get(row.stored.entry) is row:
                yield row.listed()

    def clear(self) -> None:
        """Remove everything but the id, the salt and the marks of dropped resources."""
        with self._lock:
            self._begin_empty()
            self.unsign()

    def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        with self._lock:
            self._meta = self._meta._replace(signed=False)

    def take_salt(self, salt: bytes) -> bool:
        """See :class:`~sansio_cache_adapters.stores.protocol.TakingSalt`."""
        with self._lock:
            if not self._rows:
                self._meta = self._meta._replace(salt=salt)
            return not self._rows

    def size(self) -> Size:
        """How much it holds."""
        return Size(len(self._rows), self._bytes)

    def sweep(self, *, now: float, limit: int = 500) -> int:
        """Remove one batch of records that expired, were replaced or left over. The bounds hold at all times."""
        with self._lock:
            swept = self._sweep_pending(now, limit)
            while swept < limit and self._expiring and self._expiring[0][0] <= now:
                purge_at, entry = heapq.heappop(self._expiring)
                row = self._rows.get(entry)
                if row is not None and row.item.purge_at == purge_at:
                    self._let_go(row, now)
                    swept += 1
            while swept < limit and self._replaced and next(iter(self._replaced.values())).at <= now - KEEP_REPLACED:
                self._replaced_bytes -= self._replaced.popitem(last=False)[1].size
                swept += 1
            self._marks.forget(now)
            self._forget_claims(lambda claim: claim.until <= now)
            return swept

    def _sweep_pending(self, now: float, limit: int) -> int:
        swept = 0
        while self._aborted and swept < limit:
            swept += self._taken_back(self._aborted.popleft()) is not None
        dead = [entry for entry, body in self._pending.items() if body.at <= now - LEASE_SECONDS]
        for entry in dead[: limit - swept]:
            self._taken_back(entry)
        return swept + len(dead[: limit - swept])

    def _evict(self) -> None:
        most = inf if self.max_entries is None else self.max_entries
        most_bytes = self.max_bytes - self._marks.weight
        while self._rows and (self._bytes > most_bytes or len(self._rows) > most):
            self._let_go(self._rows.popitem(last=False)[1], time.time())

    def _tidy(self, now: float) -> None:
        """Sweep now and then, since no thread does: after a full batch at once, else in a minute."""
        if now >= self._next_tidy or now < self._next_tidy - _TIDY_EVERY:
            self._next_tidy = now + (0.0 if self.sweep(now=now, limit=100) >= 100 else _TIDY_EVERY)

    def close(self) -> None:
        """Do nothing: all that it holds goes with the object."""

    def __reduce__(self) -> tuple[Callable[[], MemoryStore], tuple[()]]:
        """Another process begins with an empty store of the same bounds and secret."""
        bounds: dict[str, Any] = {"max_bytes": self.max_bytes, "max_entries": self.max_entries}
        return partial(type(self), **bounds, secret_key=keys_of(self.sealer)), ()

    def before_fork(self) -> None:
        """Let no thread be in the middle of a change when the child begins."""
        self._lock.acquire()

    def after_fork(self, *, child: bool) -> None:
        """Go on; the child with a copy of its own."""
        self._lock.release()
