"""``cache.responses`` and ``cache.redirects``: what is stored, to be looked at one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final, Protocol

from sansio_cache.records import Record
from sansio_cache_adapters.cache.maintenance import Maintenance
from sansio_cache_adapters.compat.aiohttp_client_cache.response import CachedResponse
from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE

__all__ = ["OWN_STORAGE", "BaseCache", "DictCache", "Redirects", "Responses", "no_storage"]

OWN_STORAGE: Final = (
    "a cache with storage of your own is not taken: records are sealed, and a storage would see pickled objects. Write "
    "a store (docs/howto/own-store.md), and give it to sansio_cache.AsyncCachedSession(cache=store)"
)


class Cache(Protocol):
    """What is asked of a cache here."""

    store: Any

    def work(self) -> Maintenance: ...
    async def records(self, *, hops: bool) -> list[Record]: ...
    async def by_key(self, key: str) -> Record | None: ...
    async def final(self, record: Record | None) -> Record | None: ...
    async def shown(self, record: Record) -> CachedResponse | None: ...
    async def save_response(self, response: Any, cache_key: str) -> None: ...
    async def clear(self) -> None: ...


class BaseCache:
    """What the storages of aiohttp-client-cache have in common; classes of a user's own cannot be used here."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AIOHTTP_CLIENT_CACHE.refusal("storages", OWN_STORAGE)


def no_storage(name: str) -> type[BaseCache]:
    """A storage that is not to be made by itself."""
    return type(name, (BaseCache,), {"__doc__": "A storage by itself; here there are caches alone."})


DictCache: type[BaseCache] = no_storage("DictCache")


class _View(BaseCache):
    _hops = False

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def _records(self) -> list[Record]:
        return await self._cache.records(hops=self._hops)

    async def keys(self) -> AsyncIterator[str]:
        """The keys."""
        for record in await self._records():
            yield record.head.partition.hex()

    async def size(self) -> int:
        """How many there are."""
        return len(await self._records())

    async def contains(self, key: str) -> bool:
        """Whether something is stored under a key."""
        return any([each == key async for each in self.keys()])

    async def delete(self, key: str) -> None:
        """Remove what is stored under a key."""
        if await self.contains(key):
            await self._cache.work().discard(bytes.fromhex(key))

    async def bulk_delete(self, keys: Iterable[str]) -> None:
        """Remove what is stored under these keys."""
        for key in list(keys):
            await self.delete(key)

    async def clear(self) -> None:
        """Remove all of these."""
        await self.bulk_delete([key async for key in self.keys()])

    async def close(self) -> None:
        """Nothing: it is the cache that is closed."""

    async def read(self, key: str) -> Any:
        """What is stored under a key, or None."""
        raise NotImplementedError

    async def values(self) -> AsyncIterator[Any]:
        """What is stored."""
        async for key in self.keys():
            value = await self.read(key)
            if value is not None:
                yield value

    async def pop(self, key: str, default: Any = None) -> Any:
        """What is stored under a key, or None; it is removed."""
        value = await self.read(key)
        await self.delete(key)
        return value  # without the default, as aiohttp-client-cache

    def __aiter__(self) -> AsyncIterator[str]:
        return self.keys()


class Responses(_View):
    """The stored responses by their keys."""

    async def read(self, key: str) -> CachedResponse | None:
        """The stored response of a key, or None."""
        record = await self._cache.by_key(key)
        return (
            None
            if record is None or key not in {each async for each in self.keys()}
            else (await self._cache.shown(record))
        )

    async def values(self) -> AsyncIterator[CachedResponse]:
        """The stored responses."""
        for record in await self._records():
            found = await self._cache.shown(record)
            if found is not None:
                yield found

    async def write(self, key: str, item: Any) -> None:
        """Store a response, under the key of its own request."""
        AIOHTTP_CLIENT_CACHE.differs("keys", "a response is stored under the key of its request, whatever key is given")
        await self._cache.save_response(item, key)

    async def clear(self) -> None:
        """Remove everything."""
        await self._cache.clear()

    async def paths(self) -> AsyncIterator[str]:
        """The files of the responses, where there is one for each."""
        for record in await self._records():
            resource = record.head.resource.hex()
            yield str(Path(self.cache_dir, "resources", resource[:2], resource, record.head.partition.hex()))

    @property
    def cache_dir(self) -> str:
        """The folder, where there is one."""
        return str(self._cache.store.location)

    @property
    def filename(self) -> str:
        """The file, where there is one."""
        return str(self._cache.store.location)


class Redirects(_View):
    """Stored redirects by their keys, and the keys of what they lead to."""

    _hops = True

    async def read(self, key: str) -> str | None:
        """The key of what a redirect leads to, or None."""
        record = await self._cache.by_key(key)
        final = None if record is None else await self._cache.final(record)
        return None if final is None or final is record else final.head.partition.hex()

    async def write(self, key: str, item: Any) -> None:
        """Nothing to be had: redirects are stored responses here, one by one."""
        raise AIOHTTP_CLIENT_CACHE.refusal("redirects", "an alias cannot be made", TypeError)
