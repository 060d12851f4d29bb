"""The interface of stores: a few verbs over sealed bytes, blocking (:class:`Store`) or awaitable (:class:`AsyncStore`).

A store knows nothing of HTTP, of policy or of keys. Its promises are the tests of
:class:`sansio_cache.testing.StoreContract`; in short:

- ``commit`` is the one atomic step: before it nothing of an entry can be read, after it everything.
- A reader holds no lock between chunks. A body that was replaced can still be read for 60 s.
- Every size is bounded; records that expired or are over the bound are removed in small batches, off the hot path.
- Any trouble is a :class:`~sansio_cache.errors.StoreError`, within about a second; the session goes on without it.

Times are POSIX seconds and come as values (``now``), save where a store must bound its own waiting.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from enum import Enum
from typing import Final, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

from sansio_cache.errors import StoreBusy
from sansio_cache.records import Item, Meta, Stored

from .settings import DEFAULT_MAX_BYTES

__all__ = [
    "DEFAULT_MAX_BYTES",
    "KEEP_REPLACED",
    "LEASE_SECONDS",
    "MARK_BYTES",
    "MARK_SECONDS",
    "AsyncClaiming",
    "AsyncFlushing",
    "AsyncStore",
    "Checking",
    "Claiming",
    "ClaimingAtOnce",
    "DroppingSoon",
    "Flushing",
    "ForTasks",
    "Grouping",
    "Instant",
    "Lease",
    "Listed",
    "Listening",
    "QueueFull",
    "ReadingAhead",
    "ReadChunk",
    "ReadingAtOnce",
    "Seen",
    "Size",
    "Store",
    "TakingSalt",
    "marks_at_most",
    "new_entry",
]

T = TypeVar("T")
ReadChunk = Callable[[bytes, int], bytes]
"""A store's ``chunk``."""

LEASE_SECONDS: Final = 60.0
"""A writer or leader that has not renewed its lease for so long is taken for dead."""
KEEP_REPLACED: Final = 60.0
"""A replaced, dropped or evicted body stays readable for so long."""
MARK_SECONDS: Final = 600.0
"""For so long a dropped resource refuses responses that were requested before."""


MARK_BYTES: Final = 128
"""The bytes that a mark counts towards the bound, with those by which a database finds it."""


def marks_at_most(max_bytes: int) -> int:
    """How many marks a store keeps: a sixteenth of its bound is theirs.

    Where there are more, the oldest go, and one mark for all resources, of the time of the newest that went, takes
    their place: a response requested before that is not kept, whatever its resource.
    """
    return max(max_bytes // 16 // MARK_BYTES, 16)


def new_entry() -> bytes:
    """A fresh random id, under which the chunks of a pending body are written."""
    return os.urandom(16)


class QueueFull(StoreBusy):
    """More is to be written than can be queued: a record was dropped, and the store is well."""


class Lease(Enum):
    """A store's reply to a claim."""

    GRANTED = "granted"
    HELD = "held"
    """Another process is fetching: ask again in a moment."""
    OPEN = "open"
    """The answer was not storable a moment ago: fetch without a lease, do not queue."""


class Seen(NamedTuple):
    """A record as a caller saw it: the caller may change it as long as it is still the same one."""

    partition: bytes
    variant: bytes
    rev: int


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

    @property
    def rev(self) -> int:
        """The ``rev`` that was listed."""
        return self.stored.rev

    @classmethod
    def of(cls, item: Item, stored: Stored) -> Self:
        """A record as it was committed, and as it is stored."""
        return cls(
            *(item.resource, item.partition, item.variant, stored._replace(body=None), item.size),
            *(item.requested_at, item.received_at, item.stale_at, item.purge_at),
            *(item.url, item.method, item.status, item.tags),
        )


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

    def hashes(self, entry: bytes) -> bytes:
        """The hashes of an entry's chunks, 32 bytes each, as committed; StoreError where it is gone."""
        ...

    def chunk(self, entry: bytes, index: int) -> bytes:
        """A chunk of a body; StoreError where it is gone."""
        ...

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Write the next chunk (CHUNK_SIZE bytes, but for the last), and show that the writer lives.

        :param entry: a fresh random id (:func:`new_entry`); all that is under it is invisible until committed.
        """
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

    def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it.

        :param new: None removes them. For one record: an item whose head and times it gets, its body staying; or
            another sealed head, nothing else changing.
        """
        ...

    def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource in all partitions, mark it, and free its leases. How many there were."""
        ...

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used. Cheap: it is written later, in a batch; may be lost. Never raises."""
        ...

    def listed(self, *, batch: int = 500) -> Iterator[Listed]:
        """Every record, read in batches, so that no lock is held in between."""
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

    def close(self) -> None:
        """Write what is queued (at most 5 s), close every connection. Idempotent; using it reopens."""
        ...


class AsyncStore(Protocol):
    """The same promises for tasks, on asyncio and trio alike. What never blocks in :class:`Store` is plain here."""

    max_bytes: int

    @property
    def location(self) -> str: ...
    async def open(self, *, signed: bool) -> Meta: ...
    async def load(self, partition: bytes) -> Sequence[Stored]: ...
    async def hashes(self, entry: bytes) -> bytes: ...
    async def chunk(self, entry: bytes, index: int) -> bytes: ...
    async def write(self, entry: bytes, index: int, data: bytes) -> None: ...
    def abort(self, entry: bytes) -> None: ...
    async def commit(self, item: Item, *, vary_limit: int, now: float) -> bool: ...
    async def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int: ...
    async def drop(self, resource: bytes, *, now: float) -> int: ...
    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None: ...
    def listed(self, *, batch: int = 500) -> AsyncIterator[Listed]: ...
    async def clear(self) -> None: ...
    async def unsign(self) -> None: ...
    async def size(self) -> Size: ...
    async def sweep(self, *, now: float, limit: int = 500) -> int: ...
    async def close(self) -> None: ...


# Optional verbs. Each is a protocol of its own: callers ask whether a store is an instance.


@runtime_checkable
class Claiming(Protocol):
    """Lets one fetch for all who share the store. Without it, all fetch for themselves, each process once at a time."""

    def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take, or renew, the claim to fetch for this partition, until a time at most LEASE_SECONDS ahead."""
        ...

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the claim back; with ``open_until``, others hear OPEN until then. Never raises."""
        ...


@runtime_checkable
class ClaimingAtOnce(Claiming, Protocol):
    """:class:`Claiming` whose claims are a matter of microseconds: what an event loop may call, both verbs."""

    def claim_nowait(
        self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float
    ) -> Lease | None:
        """The same as ``claim``, or None where that would take longer."""
        ...


@runtime_checkable
class AsyncClaiming(Protocol):
    """:class:`Claiming` for tasks."""

    async def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease: ...
    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None: ...


@runtime_checkable
class ReadingAtOnce(Protocol):
    """Reads without waiting: what an event loop may call."""

    def load_nowait(self, partition: bytes) -> Sequence[Stored] | None:
        """All records of a partition in microseconds, or None where that cannot be (a lock, a large row)."""
        ...


@runtime_checkable
class ReadingAhead(Protocol):
    """An awaitable store that reads in threads, where what is read can be looked at, too."""

    def read_soon(self, entry: bytes, work: Callable[[ReadChunk], T]) -> Future[T]:
        """The result of ``work``, which is given a function that reads chunks; in a thread."""
        ...


@runtime_checkable
class Flushing(Protocol):
    """Writes some things later."""

    def flush(self, timeout: float) -> bool:
        """Wait until all that was queued is written, at most ``timeout`` seconds; whether it was."""
        ...


@runtime_checkable
class AsyncFlushing(Protocol):
    """:class:`Flushing` for tasks."""

    async def flush(self, timeout: float) -> bool: ...


@runtime_checkable
class Checking(Protocol):
    """Can tell that it is not well without being used."""

    def check(self) -> None:
        """Return if a write could be made now, without waiting.

        :raises StoreError: if it could not.
        """
        ...


@runtime_checkable
class Grouping(Protocol):
    """Makes several changes as one."""

    def together(self, work: Callable[[], T]) -> T:
        """The result of ``work``; all that this thread writes within it is one transaction, or is not written."""
        ...


@runtime_checkable
class Listening(Protocol):
    """Answers before it has written, and tells later what went wrong."""

    def listen(self, on_error: Callable[[BaseException], object]) -> Callable[[], None]:
        """Tell ``on_error`` of queued writes that fail; call what is returned to end that."""
        ...


@runtime_checkable
class DroppingSoon(Protocol):
    """An awaitable store that drops a resource for its own process at once, and for others in a moment."""

    async def drop_soon(self, resource: bytes, *, now: float) -> None:
        """Drop a resource as ``drop`` does, and wait for nothing."""
        ...


@runtime_checkable
class ForTasks(Protocol):
    """A blocking store that has an awaitable form of its own."""

    def for_async(self) -> AsyncStore:
        """The same store for tasks."""
        ...


@runtime_checkable
class TakingSalt(Protocol):
    """Can go on with what another store was kept under: records that were moved are found again then."""

    def take_salt(self, salt: bytes) -> bool:
        """Take the salt of another store, while no record is kept here; open it anew then. Whether it was taken."""
        ...


@runtime_checkable
class Instant(Protocol):
    """It lies in the memory of this process: tasks may call any verb where they are, and flights stand for claims."""

    instant: bool
