"""What a store is: a few verbs over sealed bytes, blocking (:class:`Store`) or awaitable (:class:`AsyncStore`).

A store knows nothing of HTTP, of policy or of keys. Its promises are the tests of
:class:`sansio_cache.testing.StoreContract`; in short:

- ``commit`` is the one atomic step: before it nothing of an entry can be read, after it everything.
- A reader holds no lock between chunks. A body that was replaced can still be read for 60 s.
- Every size is bounded; what is over the bound or expired goes in small batches, off the hot path.
- Any trouble is a :class:`~sansio_cache.errors.StoreError`, within about a second; the session goes on without it.

Times are POSIX seconds and come as values (``now``), save where a store must bound its own waiting.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from sansio_cache.records import Item, Meta, Stored

__all__ = [
    "DEFAULT_MAX_BYTES",
    "KEEP_REPLACED",
    "LEASE_SECONDS",
    "MARK_BYTES",
    "MARK_SECONDS",
    "AsyncStore",
    "Lease",
    "Listed",
    "Size",
    "Store",
    "marks_at_most",
]

DEFAULT_MAX_BYTES: Final = 1024**3
LEASE_SECONDS: Final = 60.0
"""A writer or leader that has not renewed its lease for so long is taken for dead."""
KEEP_REPLACED: Final = 60.0
"""A replaced, dropped or evicted body stays readable for so long."""
MARK_SECONDS: Final = 600.0
"""For so long a dropped resource refuses responses that were requested before."""


MARK_BYTES: Final = 128
"""What a mark counts towards the bound, with what a database needs to find it."""


def marks_at_most(max_bytes: int) -> int:
    """How many marks a store keeps: a sixteenth of its bound is theirs.

    Where there are more, the oldest go, and one mark for all resources, of the time of the newest that went, takes
    their place: a response requested before that is not kept, whatever its resource.
    """
    return max(max_bytes // 16 // MARK_BYTES, 16)


class Lease(Enum):
    """What a store says to someone who wants to fetch for all."""

    GRANTED = "granted"
    HELD = "held"
    """Somebody else is fetching: ask again in a moment."""
    OPEN = "open"
    """The answer was not storable a moment ago: fetch without a lease, do not queue."""


class Listed(NamedTuple):
    """A stored record as maintenance sees it: where it lies, the row, and what is there for people to read.

    ``stored.body`` is None here even for small bodies.
    """

    resource: bytes
    partition: bytes
    variant: bytes
    stored: Stored
    size: int
    requested_at: float
    received_at: float
    stale_at: float
    purge_at: float
    url: str
    method: str
    status: int
    tags: tuple[str, ...]


class Size(NamedTuple):
    """How much a store holds: committed entries, and bytes of heads and bodies, pending ones included."""

    entries: int
    bytes: int


class Store(Protocol):
    """A blocking store; safe for several threads. Every method may raise StoreError; none waits above a second."""

    max_bytes: int

    @property
    def location(self) -> str:
        """Where it lies, for messages and for opening it again in another process."""
        ...

    def open(self, *, signed: bool) -> Meta:
        """The meta record, made if there is none. ``signed=True`` marks the store as signed, once and for all.

        May be called again, and from other threads; after ``fork`` the store reopens by itself.
        """
        ...

    def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition that are not dropped. Bodies up to INLINE_LIMIT come along."""
        ...

    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None:
        """The same at once, in microseconds, or None where that cannot be (a lock, a large row, a network)."""
        ...

    def hashes(self, entry: bytes) -> bytes:
        """The SHA-256s of an entry's chunks, one after the other, as committed; StoreError where it is gone."""
        ...

    def chunk(self, entry: bytes, index: int) -> bytes:
        """A chunk of a body; StoreError where it is gone."""
        ...

    def begin(self) -> bytes:
        """A fresh random id under which the chunks of a pending body are written, invisible until committed."""
        ...

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Write the next chunk (CHUNK_SIZE bytes, but for the last), and show that the writer lives."""
        ...

    def abort(self, entry: bytes) -> None:
        """Give up a pending body. Never blocks and never raises: it only marks; a sweep removes the chunks."""
        ...

    def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of the same variant, and let go of all it replaces.

        Of more than ``vary_limit`` records in its partition the longest unused ones go. False, and the chunks given
        up, where the resource was dropped at or after ``item.requested_at``, or the record is larger than the store.
        """
        ...

    def freshen(self, item: Item, *, rev: int) -> bool:
        """Change a record's head, its body staying, if it still has this ``rev``; else False."""
        ...

    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource in all partitions, mark it, and free its leases. How many there were."""
        ...

    def discard(self, partition: bytes, variant: bytes, *, rev: int) -> bool:
        """Remove one record if it still has this ``rev``."""
        ...

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used. Cheap: it is written later, in a batch; may be lost. Never raises."""
        ...

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take, or renew, the lease to fetch for this partition, until a time at most LEASE_SECONDS ahead."""
        ...

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the lease back; with ``open_until``, others hear OPEN until then. Never raises."""
        ...

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        """Every record, read in batches, so that no lock is held in between."""
        ...

    def reseal(self, listed: Listed, sealed: bytes) -> bool:
        """Give a record another sealed head, if it still has the ``rev`` listed; nothing else changes."""
        ...

    def remove(self, records: Sequence[Listed]) -> int:
        """Remove these records, as far as each still has its ``rev``. How many were removed."""
        ...

    def clear(self) -> None:
        """Remove everything, and the mark that the store is signed; the store id and salt stay."""
        ...

    def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        ...

    def size(self) -> Size:
        """How much it holds."""
        ...

    def sweep(self, *, now: float, limit: int = 500) -> int:
        """One small batch of what has expired, is over the bound, was replaced or left over. How many rows went."""
        ...

    def flush(self, timeout: float) -> bool:
        """Wait until all that was queued is written, at most ``timeout`` seconds; whether it was."""
        ...

    def close(self) -> None:
        """Write what is queued (at most 5 s), close every connection. Idempotent; using it reopens."""
        ...


class AsyncStore(Protocol):
    """The same promises for tasks, on asyncio and trio alike. What never blocks in :class:`Store` is plain here."""

    max_bytes: int

    @property
    def location(self) -> str: ...
    async def open(self, *, signed: bool) -> Meta: ...
    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None: ...
    async def load(self, partition: bytes) -> Sequence[Stored]: ...
    async def hashes(self, entry: bytes) -> bytes: ...
    async def chunk(self, entry: bytes, index: int) -> bytes: ...
    async def begin(self) -> bytes: ...
    async def write(self, entry: bytes, index: int, data: bytes) -> None: ...
    def abort(self, entry: bytes) -> None: ...
    async def commit(self, item: Item, *, vary_limit: int, now: float) -> bool: ...
    async def freshen(self, item: Item, *, rev: int) -> bool: ...
    async def drop(self, resource: bytes, *, now: float) -> int: ...
    async def discard(self, partition: bytes, variant: bytes, *, rev: int) -> bool: ...
    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None: ...
    async def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease: ...
    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None: ...
    def listed(self, *, batch: int = 500) -> AsyncIterator[Listed]: ...
    async def reseal(self, listed: Listed, sealed: bytes) -> bool: ...
    async def remove(self, records: Sequence[Listed]) -> int: ...
    async def clear(self) -> None: ...
    async def unsign(self) -> None: ...
    async def size(self) -> Size: ...
    async def sweep(self, *, now: float, limit: int = 500) -> int: ...
    async def flush(self, timeout: float) -> bool: ...
    async def close(self) -> None: ...
