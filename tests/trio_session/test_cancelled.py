"""G23: cancelled at the n-th checkpoint, for every n, a request leaves no flight, lease, connection or half entry."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from cancelled_uses import USES, Cancel, House, Use, cancel_everywhere, cancel_in_half_a_body, serve
from cancelling import by_scope, by_task
from clock import Clock
from left_behind import nothing_is_held
from local_origin import Reply, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import MemoryStore, SQLiteStore, TrioCachedSession
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
from sansio_cache_adapters.trio.response import CachedTrioResponse

pytestmark = pytest.mark.anyio


class TrioHouse:
    """An origin, a store and a session on both; ``key`` is the partition of the URL under test."""

    def __init__(self, origin: WatchedOrigin, clock: Clock, store: Any, session: TrioCachedSession) -> None:
        self.origin, self.clock, self.store, self.session = origin, clock, store, session
        self.key = b""

    @property
    def cache(self) -> AsyncStoredResponses:
        return self.session.cache

    async def get(self, path: str = "/") -> CachedTrioResponse:
        response = await self.session.get(self.origin.url(path))
        self.key = bytes.fromhex(response.cache_key) or self.key
        return response

    async def post(self, path: str, content: bytes) -> object:
        return await self.session.post(self.origin.url(path), content=content)

    def stream(self, path: str) -> AbstractAsyncContextManager[CachedTrioResponse]:
        return self.session.stream("GET", self.origin.url(path))

    def is_busy(self) -> bool:
        return bool(vars(self.session)["_jobs"])

    async def check(self) -> None:
        await nothing_is_held(vars(self.session)["_cache"].engine, self.store, self.key)
        counts = self.session.pool.counts
        assert (counts.active, counts.waiting) == (0, 0)
        await to_thread.run_sync(self.origin.wait_for_no_more_than, counts.idle)


@asynccontextmanager
async def housed(origin: WatchedOrigin, clock: Clock, kind: str, folder: Path) -> AsyncGenerator[TrioHouse]:
    store = MemoryStore() if kind == "memory" else SQLiteStore(folder / "c.sqlite")
    serve(origin)
    async with TrioCachedSession(cache=store, clock=clock, stale_while_revalidate=10) as session:
        house = TrioHouse(origin, clock, store, session)
        await house.get()
        yield house
        flaws = (await session.cache.verify()).flaws
    store.close()
    assert flaws == {}
    await to_thread.run_sync(origin.wait_for_none)


async def found_streaming(house: House) -> None:
    async with house.stream("/") as response:
        assert await response.read() == b"hello"


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("use", [*USES, found_streaming])
@pytest.mark.parametrize(
    ("anyio_backend", "cancelled"), [("asyncio", by_scope), ("asyncio", by_task), ("trio", by_scope)]
)
async def test_cancelled_anywhere(
    origin: WatchedOrigin, clock: Clock, tmp_path: Path, kind: str, use: Use, cancelled: Cancel
) -> None:
    """The next request is fine, and everything that was taken has been given back."""
    async with housed(origin, clock, kind, tmp_path) as house:
        await cancel_everywhere(house, use, cancelled)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_of_half_a_body_nothing_is_stored(
    origin: WatchedOrigin, clock: Clock, tmp_path: Path, kind: str, framing: str
) -> None:
    """Wherever the reader is cancelled, and also once it waits for the rest."""
    async with housed(origin, clock, kind, tmp_path) as house:
        await cancel_in_half_a_body(house, framing)


async def test_a_leader_cancelled_midway_leaves_waiters_that_succeed(origin: WatchedOrigin) -> None:
    """Those who waited for it fetch among themselves, once."""
    asked, gate = threading.Event(), threading.Event()

    def slow(_: Seen) -> Reply:
        asked.set()
        gate.wait(30)
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
        await to_thread.run_sync(asked.wait)
        for _ in range(10):
            nursery.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert contents == []
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert contents == [b"body"] * 10
    assert origin.count() == 2
