"""A cache in a SQLite file."""

from __future__ import annotations

from typing import Any

from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE
from sansio_cache_adapters.compat.places import MOST_BYTES, cache_path, in_memory, store_in_file
from sansio_cache_adapters.stores.memory import MemoryStore

from .base import CacheBackend
from .storage import BaseCache, no_storage

__all__ = ["SQLiteBackend", "SQLiteCache", "SQLitePickleCache"]

SQLiteCache: type[BaseCache] = no_storage("SQLiteCache")
SQLitePickleCache: type[BaseCache] = no_storage("SQLitePickleCache")


class SQLiteBackend(CacheBackend):
    """A cache in a SQLite file.

    :param cache_name: a path; ``.sqlite`` is added where it has no suffix.
    :param use_temp: a relative path is one in the folder for temporary files.
    """

    def __init__(
        self,
        cache_name: Any = "aiohttp-cache",
        use_temp: bool = False,
        fast_save: bool = False,
        autoclose: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(cache_name, autoclose=autoclose, use_temp=use_temp, **kwargs)

    def _make_store(self, cache_name: Any, kwargs: dict[str, Any]) -> Any:
        use_temp = bool(kwargs.pop("use_temp", False))
        if in_memory(str(cache_name)):
            return MemoryStore(max_bytes=MOST_BYTES)
        suffix = "" if "." in str(cache_name).rpartition("/")[2] else ".sqlite"
        path = cache_path(f"{cache_name}{suffix}", use_temp=use_temp)
        return store_in_file(AIOHTTP_CLIENT_CACHE, path)
