"""Caches, under the names of aiohttp-client-cache."""

from __future__ import annotations

from .base import CacheBackend, ResponseOrKey
from .dynamodb import DynamoDBBackend
from .filesystem import FileBackend
from .mongodb import MongoDBBackend
from .redis import RedisBackend
from .sqlite import SQLiteBackend
from .storage import BaseCache, no_storage

__all__ = [
    "BaseCache",
    "CacheBackend",
    "DictCache",
    "DynamoDBBackend",
    "FileBackend",
    "MongoDBBackend",
    "RedisBackend",
    "ResponseOrKey",
    "SQLiteBackend",
]

DictCache = no_storage("DictCache")
