"""A cache in DynamoDB: there is none here."""

from __future__ import annotations

from typing import Any

from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE

from .base import CacheBackend
from .storage import BaseCache, no_storage

__all__ = ["DynamoDBBackend", "DynamoDbCache"]

DynamoDbCache: type[BaseCache] = no_storage("DynamoDbCache")


class DynamoDBBackend(CacheBackend):
    """Not to be had: SQLite, files and Redis are, and any other store by docs/howto/own-store.md."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AIOHTTP_CLIENT_CACHE.refusal(
            "backends", "there is no cache in DynamoDB: take SQLiteBackend, FileBackend or RedisBackend"
        )
