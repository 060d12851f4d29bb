"""G23: cancelled at the n-th checkpoint, for every n, a request leaves no flight, lease, connection or half entry."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import pytest
from cancelling import by_scope
from local_origin import Reply, Seen, fresh
from watched_origin import WatchedOrigin, tagged

from sansio_cache import MemoryStore, SQLiteStore, TrioCachedSession
from sansio_cache_adapters.flights import FLIGHTS

LARGE = bytes(2_500_000)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("answer", ["miss", "hit", "large", "validated"])
@pytest.mark.anyio
async def test_cancelled_anywhere(origin: WatchedOrigin, tmp_path: Path, kind: str, answer: str) -> None:
    """The next request is fine, and everything that was taken has been given back."""
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "c.sqlite")
    body = LARGE if answer == "large" else b"body"
    reply = tagged(body) if answer == "validated" else fresh(body)
    n = 0
    reached = True
    async with TrioCachedSession(cache=store) as session:
        while reached:
            n += 1
            url = origin.on(f"/{n}", reply)
            if answer in ("hit", "validated"):
                await session.get(url)
            reached = await by_scope(session.get(url), n)
            assert FLIGHTS.count() == 0
            assert session.pool.counts.active == 0
            response = await session.get(url)
            assert response.content == body
            assert session.pool.counts.active == 0
        assert n > 1
        stored = await session.cache.verify()
        assert stored.flaws == {}
    store.close()


@pytest.mark.anyio
async def test_a_leader_cancelled_midway_leaves_waiters_that_succeed(origin: WatchedOrigin) -> None:
    """Those who waited for it fetch among themselves, once."""
    asked, gate = threading.Event(), threading.Event()

    def slow(_: Seen) -> Reply:
        asked.set()
        gate.wait(10)
        return fresh(b"body")

    url = origin.on("/slow", slow)
    async with TrioCachedSession(cache=MemoryStore()) as session, anyio.create_task_group() as nursery:
        scope = anyio.CancelScope()
        contents: list[bytes] = []

        async def lead() -> None:
            with scope:
                await session.get(url)

        async def wait() -> None:
            contents.append((await session.get(url)).content)

        nursery.start_soon(lead)
        await anyio.to_thread.run_sync(asked.wait)
        for _ in range(10):
            nursery.start_soon(wait)
        await anyio.sleep(0.05)
        scope.cancel()
        await anyio.sleep(0.05)
        gate.set()
    assert contents == [b"body"] * 10
    assert origin.count() == 2
