"""What sessions and stores are shown as: where the cache lies, whether it is signed, how much is in it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from local_origin import Origin, fresh

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CacheAdapter,
    CachedSession,
    CacheMiddleware,
    CacheTransport,
    FileStore,
    MemoryStore,
    RedisStore,
    SQLiteStore,
    TrioCachedSession,
)
from sansio_cache_adapters.stores.default import default_store

SECRET = "hunter2, of at least sixteen bytes"


@pytest.mark.parametrize("kind", [CachedSession, CacheAdapter, CacheTransport], ids=lambda kind: kind.__name__)
def test_a_blocking_session_says_where_its_cache_lies_and_what_is_in_it(
    kind: Any, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "cache.sqlite"
    with closing(kind(cache=path, secret_key=SECRET)) as made:
        assert repr(made) == f"<{kind.__name__} {path}, signed>"
        assert not path.exists(), "nothing is made by being shown"
        if kind is CachedSession:
            made.get(origin.on("/a", fresh(b"a")))
            assert repr(made) == f"<CachedSession {path}, signed, 1 entry>"
            assert repr(made.cache) == f"<StoredResponses {path}, signed, 1 entry>"
            assert repr(made.cache.store) == f"<SQLiteStore {path}, 1 entry>"
            made.cache.clear()
            assert repr(made.cache.store) == f"<SQLiteStore {path}, 0 entries>"


@pytest.mark.parametrize(
    "kind",
    [AsyncCachedSession, CacheMiddleware, TrioCachedSession, AsyncCacheTransport],
    ids=lambda kind: kind.__name__,
)
def test_an_awaiting_session_says_where_its_cache_lies(kind: Any, tmp_path: Path) -> None:
    async def show() -> str:
        made = kind(cache=tmp_path / "cache.sqlite", secret_key=SECRET)
        try:
            return repr(made)
        finally:
            close = made.aclose if isinstance(made, httpx2.AsyncBaseTransport | TrioCachedSession) else made.close
            await close()

    assert asyncio.run(show()) == f"<{kind.__name__} {tmp_path / 'cache.sqlite'}, signed>"


def test_a_store_says_where_it_lies(tmp_path: Path) -> None:
    assert repr(SQLiteStore(tmp_path / "a")) == f"<SQLiteStore {tmp_path / 'a'}>"
    assert repr(FileStore(tmp_path / "b", secret_key=SECRET)) == f"<FileStore {tmp_path / 'b'}, signed>"
    assert repr(MemoryStore()) == "<MemoryStore memory, 0 entries>"
    assert "h:1/0" in repr(RedisStore("redis://user:hunter2@h:1/0"))
    assert "hunter2" not in repr(RedisStore("redis://user:hunter2@h:1/0"))


def test_the_default_store_is_shown_under_a_name_that_can_be_imported() -> None:
    assert repr(default_store()).startswith("<SQLiteStore /")


def test_what_is_not_made_to_its_end_is_shown_all_the_same() -> None:
    """A debugger shows what a constructor has begun."""
    assert "CachedSession object" in repr(CachedSession.__new__(CachedSession))
    assert "SQLiteStore object" in repr(SQLiteStore.__new__(SQLiteStore))
    assert "MemoryStore object" in repr(MemoryStore.__new__(MemoryStore))
