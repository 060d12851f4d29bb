"""SQLiteStore: the contract, and what is its own."""

from __future__ import annotations

from pathlib import Path

from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import StoreContract


class TestSQLiteStore(StoreContract):
    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> SQLiteStore:
        return SQLiteStore(tmp_path / "cache.sqlite", max_bytes=max_bytes, max_entries=max_entries)
