"""Caches, under the names of requests-cache."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

from sansio_cache_adapters.compat.requests_cache.policy.settings import DEFAULT_CACHE_NAME

from .base import BaseCache
from .dynamodb import DynamoDbCache, DynamoDbDict
from .filesystem import FileCache, FileDict, LRUFileDict
from .gridfs import GridFSCache, GridFSDict
from .mongodb import MongoCache, MongoDict
from .redis import RedisCache, RedisDict, RedisHashDict
from .sqlite import SQLiteCache, SQLiteDict
from .storage import BaseStorage, DictStorage

__all__ = [
    "BACKEND_CLASSES",
    "CACHE_NAME_KWARGS",
    "BackendSpecifier",
    "BaseCache",
    "BaseStorage",
    "DictStorage",
    "DynamoDbCache",
    "DynamoDbDict",
    "FileCache",
    "FileDict",
    "GridFSCache",
    "GridFSDict",
    "LRUFileDict",
    "MongoCache",
    "MongoDict",
    "RedisCache",
    "RedisDict",
    "RedisHashDict",
    "SQLiteCache",
    "SQLiteDict",
    "StrOrPath",
    "init_backend",
]

BackendSpecifier = str | BaseCache
StrOrPath = Path | str
CACHE_NAME_KWARGS: Final = ["db_path", "db_name", "namespace", "table_name"]
BACKEND_CLASSES: Final[dict[str, type[BaseCache]]] = {
    "dynamodb": DynamoDbCache,
    "filesystem": FileCache,
    "gridfs": GridFSCache,
    "memory": BaseCache,
    "mongodb": MongoCache,
    "redis": RedisCache,
    "sqlite": SQLiteCache,
}


def init_backend(cache_name: StrOrPath, backend: BackendSpecifier | None = None, **kwargs: Any) -> BaseCache:
    """A cache by its name, or the one that was given."""
    named = [kwargs.pop(name) for name in CACHE_NAME_KWARGS if name in kwargs]
    cache_name = cache_name if cache_name and not (named and cache_name == DEFAULT_CACHE_NAME) else named[0]
    if isinstance(backend, BaseCache):
        if cache_name and cache_name != DEFAULT_CACHE_NAME:
            backend.cache_name = str(cache_name)
            warnings.warn(
                "cache_name= renames a cache that is given, and does not move it: give the name to the cache",
                DeprecationWarning,
                stacklevel=3,
            )
        return backend
    name = str(backend or "sqlite").lower()
    if name not in BACKEND_CLASSES:
        raise ValueError(
            f"Invalid backend: {name}. Provide a backend instance, or choose from one of the following aliases: "
            f"{list(BACKEND_CLASSES)}"
        )
    return BACKEND_CLASSES[name](cache_name, **kwargs)
