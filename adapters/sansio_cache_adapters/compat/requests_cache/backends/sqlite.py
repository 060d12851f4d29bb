"""A cache in a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from sansio_cache_adapters.compat.notes import REQUESTS_CACHE
from sansio_cache_adapters.compat.places import MOST_BYTES, cache_path, in_memory, store_in_file
from sansio_cache_adapters.compat.requests_cache.models import CachedResponse
from sansio_cache_adapters.compat.requests_cache.policy.expiration import ExpirationTime
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

from .base import BaseCache
from .storage import BaseStorage, no_storage

__all__ = ["MEMORY_URI", "SQLiteCache", "SQLiteDict", "get_cache_path"]

MEMORY_URI = "file::memory:?cache=shared"
SQLiteDict: type[BaseStorage] = no_storage("SQLiteDict")


def get_cache_path(db_path: Any, use_cache_dir: bool = False, use_temp: bool = False) -> Path:
    """The absolute path that a name stands for."""
    path = cache_path(db_path, use_cache_dir=use_cache_dir, use_temp=use_temp)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FileExistsError(f"{path.parent} is a file: give a path below a folder") from None
    return path


class SQLiteCache(BaseCache):
    """A cache in a SQLite file, or in memory.

    :param db_path: a path; ``.sqlite`` is added where it has no suffix.
    :param use_cache_dir: a relative path is one in the user's cache folder.
    :param use_temp: a relative path is one in the folder for temporary files.
    :param use_memory: in memory.
    :param busy_timeout: milliseconds.
    """

    def __init__(
        self,
        db_path: Any = "http_cache",
        serializer: Any = None,
        use_cache_dir: bool = False,
        use_temp: bool = False,
        use_memory: bool = False,
        busy_timeout: int | None = None,
        **kwargs: Any,
    ) -> None:
        options: dict[str, Any] = self._secret(serializer)
        store: Any
        if use_memory or in_memory(str(db_path)):
            store = MemoryStore(max_bytes=MOST_BYTES, **options)
        else:
            name = str(db_path)
            path = get_cache_path(name if Path(name).suffix else f"{name}.sqlite", use_cache_dir, use_temp)
            if busy_timeout is not None:
                options["busy_timeout"] = min(busy_timeout / 1000, 1.0)
            store = store_in_file(REQUESTS_CACHE, path, **options)
        self._begin(db_path, store, kwargs)
        self._memory_uri = MEMORY_URI if use_memory else str(db_path)
        with suppress(Exception):  # a broken place costs no program its requests
            self.caching()

    def filter(
        self, valid: bool = True, expired: bool = True, invalid: bool = False, older_than: ExpirationTime = None
    ) -> Iterator[CachedResponse]:
        """The stored responses that are any of these.

        As requests-cache does of SQLite: those that are asked for because they are valid come in the order in which
        they expire, and those of errors, which are false, are left out.
        """
        if not valid or invalid:
            return super().filter(valid, expired, invalid, older_than)
        return (each for each in self.sorted(expired=expired) if each)

    @property
    def db_path(self) -> str | Path:
        """The path of the file."""
        return Path(self._store.path) if isinstance(self._store, SQLiteStore) else self._memory_uri
