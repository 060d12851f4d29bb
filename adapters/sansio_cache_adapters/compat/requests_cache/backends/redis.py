"""A cache in Redis."""

from __future__ import annotations

import inspect
from typing import Any

from sansio_cache_adapters.stores.redis.store import RedisStore

from .base import BaseCache
from .storage import BaseStorage, no_storage

__all__ = ["RedisCache", "RedisDict", "RedisHashDict"]

RedisDict: type[BaseStorage] = no_storage("RedisDict")
RedisHashDict: type[BaseStorage] = no_storage("RedisHashDict")


class RedisCache(BaseCache):
    """A cache in Redis.

    :param namespace: what its keys begin with.
    :param connection: a client of redis-py.
    :param ttl: taken, and of no effect, as ``ttl_offset``: what has expired goes by itself.
    :param kwargs: what a client takes: ``host``, ``port``, ``db``, ``password``…
    """

    def __init__(
        self, namespace: str = "http_cache", connection: Any = None, serializer: Any = None, **kwargs: Any
    ) -> None:
        import redis

        client_class: Any = redis.Redis
        taken = inspect.signature(client_class.__init__).parameters
        given = {name: value for name, value in kwargs.items() if name in taken and value is not None}
        client = client_class(**given) if connection is None else connection
        prefix = namespace.translate({ord("{"): "(", ord("}"): ")"}) or "http_cache"
        store = RedisStore(client, prefix=prefix, **self._secret(serializer))
        self._begin(namespace, store, {name: value for name, value in kwargs.items() if name not in given})
