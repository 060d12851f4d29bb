"""A store whose every verb takes microseconds, for tasks: no thread could make it faster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from sansio_cache.records import Item, Meta, Stored

from .protocol import Claiming, Lease, Listed, Seen, Size, Store

__all__ = ["Immediate"]


class Immediate:
    """An AsyncStore whose verbs call those of a blocking store at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.max_bytes = store.max_bytes
        self.load_nowait: Callable[[bytes], Sequence[Stored] | None] = store.load
        self.abort = store.abort
        self.touch = store.touch

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.store!r}>"

    @property
    def location(self) -> str:
        """Where the store lies."""
        return self.store.location

    async def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed."""
        return self.store.open(signed=signed)

    async def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition."""
        return self.store.load(partition)

    async def hashes(self, entry: bytes) -> bytes:
        """The SHA-256s of a body's chunks."""
        return self.store.hashes(entry)

    async def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        return self.store.chunk(entry, index)

    async def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Add the next chunk to a pending body."""
        self.store.write(entry, index, data)

    async def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible."""
        return self.store.commit(item, vary_limit=vary_limit, now=now)

    async def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        return self.store.change(seen, new)

    async def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource."""
        return self.store.drop(resource, now=now)

    async def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the claim to fetch for a partition; open to all where the store knows none."""
        if not isinstance(self.store, Claiming):
            return Lease.OPEN
        return self.store.claim(partition, resource, token, now=now, until=until)

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the claim back."""
        if isinstance(self.store, Claiming):
            self.store.release(partition, token, open_until=open_until)

    async def listed(self, *, batch: int = 500) -> AsyncIterator[Listed]:
        """Every record."""
        for each in self.store.listed(batch=batch):
            yield each

    async def clear(self) -> None:
        """Remove everything but the id and the salt."""
        self.store.clear()

    async def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        self.store.unsign()

    async def size(self) -> Size:
        """How much it holds."""
        return self.store.size()

    async def sweep(self, *, now: float, limit: int = 500) -> int:
        """One small batch of what is not wanted any more."""
        return self.store.sweep(now=now, limit=limit)

    async def close(self) -> None:
        """Close the store."""
        self.store.close()
