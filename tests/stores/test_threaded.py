"""Threaded: the contract on asyncio and trio."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, AsyncStore
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.stores.threaded import Threaded
from sansio_cache_adapters.testing import AsyncStoreContract

NOW = time.time()
T = TypeVar("T")
Run = Callable[[Callable[[], Awaitable[T]]], T]


class TestThreadedSQLite(AsyncStoreContract):
    queues = True

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        return Threaded(SQLiteStore(tmp_path / "cache.sqlite", max_bytes=max_bytes, max_entries=max_entries))


class TestThreadedMemory(AsyncStoreContract):
    queues = True
    shared = False

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        return Threaded(MemoryStore(max_bytes, max_entries=max_entries))
