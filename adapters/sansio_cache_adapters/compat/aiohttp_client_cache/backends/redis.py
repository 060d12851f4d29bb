"""A cache in Redis."""

from __future__ import annotations

from typing import Any, Final

from sansio_cache_adapters.stores.redis.store import RedisStore

from .base import CacheBackend
from .storage import BaseCache, no_storage

__all__ = ["DEFAULT_ADDRESS", "RedisBackend", "RedisCache"]

DEFAULT_ADDRESS: Final = "redis://localhost"
RedisCache: type[BaseCache] = no_storage("RedisCache")


class RedisBackend(CacheBackend):
    """A cache in Redis.

    :param cache_name: what its keys begin with.
    :param address: a URL.
    :param connection: a client of redis-py, in the place of a URL.
    :param kwargs: what a client takes: ``db``, ``password``…
    """

    def __init__(self, cache_name: str = "aiohttp-cache", address: str = DEFAULT_ADDRESS, **kwargs: Any) -> None:
        super().__init__(cache_name, address=address, **kwargs)

    def _make_store(self, cache_name: Any, kwargs: dict[str, Any]) -> Any:
        import inspect

        import redis.asyncio

        client_class: Any = redis.asyncio.Redis
        taken = inspect.signature(client_class.__init__).parameters
        given = {name: kwargs.pop(name) for name in list(kwargs) if name in taken}
        connection, address = kwargs.pop("connection", None), kwargs.pop("address")
        prefix = str(cache_name).translate({ord("{"): "(", ord("}"): ")"}) or "aiohttp-cache"
        if connection is None and given:
            connection = redis.asyncio.from_url(address, **given)
        return RedisStore(address if connection is None else connection, prefix=prefix)
