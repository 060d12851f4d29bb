"""What an unsafe request invalidates, on an event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from local_origin import Origin, fresh

from sansio_cache import AsyncCachedSession, SQLiteStore
from sansio_cache_adapters.cache.opening import awaitable
from sansio_cache_adapters.stores import threaded

pytestmark = pytest.mark.anyio


async def test_the_answer_does_not_wait_for_what_it_invalidates(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G14: another process holds the file; nothing of the resource is reused from then on all the same."""
    monkeypatch.setattr(threaded, "_SEEN_WITHIN", 30.0)  # so long who asks how many records there were would wait
    url = origin.on("/a", fresh(b"a"))
    store = SQLiteStore(tmp_path / "cache.sqlite", busy_timeout=20)
    queued = awaitable(store)
    async with AsyncCachedSession(cache=store) as session:
        for hit in (False, True):
            async with session.get(url) as response:
                assert response.from_cache is hit
        assert await queued.flush(30)
        with closing(sqlite3.connect(tmp_path / "cache.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(30), session.put(url, data=b"b") as response:
                assert response.status == 200
            assert queued._queue.drops == 1, "it is still to be done"
            assert queued.load_nowait(b"any partition") is None, "and nothing is reused before"
            other.execute("ROLLBACK")
        async with session.get(url) as response:
            assert not response.from_cache
