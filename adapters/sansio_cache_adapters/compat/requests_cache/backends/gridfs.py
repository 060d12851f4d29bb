"""A cache in GridFS: there is none here."""

from __future__ import annotations

from typing import Any

from sansio_cache_adapters.compat.notes import REQUESTS_CACHE

from .base import BaseCache
from .storage import BaseStorage, no_storage

__all__ = ["GridFSCache", "GridFSDict"]

GridFSDict: type[BaseStorage] = no_storage("GridFSDict")


class GridFSCache(BaseCache):
    """Not to be had: SQLite, files and Redis are, and any other store by docs/howto/own-store.md."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise REQUESTS_CACHE.refusal(
            "backends", "there is no cache in GridFS: take backend='sqlite', 'filesystem' or 'redis'"
        )
