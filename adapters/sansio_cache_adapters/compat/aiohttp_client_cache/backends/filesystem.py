"""A cache in a folder of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE
from sansio_cache_adapters.compat.places import cache_path, store_in_folder

from .base import CacheBackend
from .storage import BaseCache, no_storage

__all__ = ["FileBackend", "FileCache"]

FileCache: type[BaseCache] = no_storage("FileCache")


class FileBackend(CacheBackend):
    """A cache in a folder.

    :param cache_name: the folder.
    :param use_temp: a relative path is one in the folder for temporary files.
    """

    def __init__(
        self, cache_name: Any = "http_cache", use_temp: bool = False, autoclose: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(cache_name, autoclose=autoclose, use_temp=use_temp, **kwargs)
        self.name = "aiohttp-cache"  # as theirs, whatever the folder

    def _make_store(self, cache_name: Any, kwargs: dict[str, Any]) -> Any:
        path = cache_path(cache_name, use_temp=bool(kwargs.pop("use_temp", False)))
        store = store_in_folder(AIOHTTP_CLIENT_CACHE, path)
        Path(store.location).mkdir(mode=0o700, parents=True, exist_ok=True)
        return store
