"""The Redis store for tasks: the verbs of the blocking one, carried out on an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from math import inf

from sansio_cache.records import Item, Meta, Stored
from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.protocol import Lease, Listed, Seen, Size
from sansio_cache_adapters.stores.rows import Row
from sansio_cache_adapters.stores.store_repr import StoreRepr
from sansio_cache_adapters.stores.waiting import in_thread

from .runners import AsyncRunner
from .store import LISTED_AT_ONCE, RedisStore
from .verbs import unseen

__all__ = ["AsyncRedisStore"]


class AsyncRedisStore(StoreRepr):
    """A Redis store for tasks: on asyncio over redis-py's own client, one per event loop; on trio in threads.

    Made by :meth:`RedisStore.for_async`. Work that can wait goes to the blocking store's maintenance thread.
    """

    def __init__(self, store: RedisStore, runner: AsyncRunner) -> None:
        self.max_bytes = store.max_bytes
        self.sealer = store.sealer
        self.blocking = store
        self._verbs = store.verbs
        self._run = runner.run
        self._runner = runner
        follow_forks(self)

    def begin_anew(self) -> None:
        """In the child of a fork, begin with connections of its own."""
        self._runner.begin_anew()

    @property
    def location(self) -> str:
        """Where it lies, without any password, and the prefix."""
        return self.blocking.location

    async def open(self, *, signed: bool) -> Meta:
        """The meta record; ``signed=True`` marks the store as signed."""
        return await self._run(self._verbs.open(signed=signed))

    # Reading

    async def load(self, partition: bytes) -> Sequence[Stored]:
        """All records of a partition."""
        return await self._run(self._verbs.load(partition))

    async def hashes(self, entry: bytes) -> bytes:
        """The hashes of a body's chunks."""
        return await self._run(self._verbs.hashes(entry))

    async def chunk(self, entry: bytes, index: int) -> bytes:
        """One chunk of a body."""
        return await self._run(self._verbs.chunk(entry, index))

    # Writing

    async def write(self, entry: bytes, index: int, data: bytes) -> None:
        """Write the next chunk of a pending body."""
        await self._run(self._verbs.write(entry, index, data))

    def abort(self, entry: bytes) -> None:
        """Mark a pending body as given up; the maintenance thread removes it."""
        self.blocking.abort(entry)

    async def commit(self, item: Item, *, vary_limit: int, now: float) -> bool:
        """Make a record visible in place of the one of its variant; False where it must not be."""
        self.blocking.see(now)
        return await self._run(self._verbs.commit(item, vary_limit=vary_limit, now=now))

    # Changing

    async def change(self, seen: Sequence[Seen | Listed], new: Item | bytes | None) -> int:
        """Change or remove records, each if it still has the ``rev`` that was seen. How many had it."""
        return await self._run(self._verbs.change(seen, new))

    async def drop(self, resource: bytes, *, now: float) -> int:
        """Remove every record of a resource, mark it, and free its leases."""
        return await self._run(self._verbs.drop(resource, now=now))

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used; the maintenance thread writes it down."""
        self.blocking.touch(partition, entry, now=now)

    # Leases

    async def claim(self, partition: bytes, resource: bytes, token: bytes, *, now: float, until: float) -> Lease:
        """Take or renew the lease to fetch for a partition."""
        self.blocking.see(now)
        return await self._run(self._verbs.claim(partition, resource, token, now=now, until=until))

    def release(self, partition: bytes, token: bytes, *, open_until: float = 0.0) -> None:
        """Give the lease back; the maintenance thread does it, at once."""
        self.blocking.release(partition, token, open_until=open_until)

    # Maintenance

    async def _rows(self, batch: int) -> AsyncIterator[Row]:
        seen = set[int]()
        async for heads in self._runner.pages(self._verbs.names.every_heads, batch):
            for row in unseen(await self._run(self._verbs.rows(heads), longest=inf), seen):
                yield row

    async def listed(self, *, batch: int = LISTED_AT_ONCE) -> AsyncIterator[Listed]:
        """Every record, each once. Takes its time: all keys of the server are looked through."""
        async for row in self._rows(batch):
            if (listed := row.listed()) is not None:
                yield listed

    async def clear(self) -> None:
        """Remove everything but the id and the salt. Takes its time, as :meth:`listed` does."""
        for pattern in self._verbs.names.all:
            async for keys in self._runner.pages(pattern, LISTED_AT_ONCE):
                await self._run(self._verbs.clear(keys), longest=inf)

    async def unsign(self) -> None:
        """Remove the mark that the store is signed."""
        await self._run(self._verbs.unsign())

    async def size(self) -> Size:
        """How much it holds. Slow, as :meth:`listed` is: no count is kept."""
        entries = total = 0
        async for row in self._rows(LISTED_AT_ONCE):
            entries, total = entries + 1, total + row.cost
        async for bodies in self._runner.pages(self._verbs.names.every_body, LISTED_AT_ONCE):
            total += await self._run(self._verbs.pending(bodies), longest=inf)
        return Size(entries, total)

    async def sweep(self, *, now: float, limit: int = 500) -> int:
        """Removes bodies that were given up; returns 0, since the server itself removes expired records."""
        await self.flush(1.0)
        return 0

    async def flush(self, timeout: float) -> bool:
        """Wait until the maintenance thread has done all its jobs, at most ``timeout`` seconds; whether it has."""
        return await in_thread(lambda: self.blocking.flush(timeout))

    async def close(self) -> None:
        """Write what is left (at most 5 s) and close every connection. Using the store again reopens it."""
        await self._runner.close()
        await in_thread(self.blocking.close)
