"""Cancellation at the n-th checkpoint, for every n: no flight, lease, connection or half entry is left behind."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio import to_thread
from cancelled_uses import USES, Cancel, Use, cancel_everywhere, cancel_in_half_a_body, serve
from cancelling import by_scope, by_task
from clock import Clock
from left_behind import nothing_is_held
from local_origin import Conversation, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import AsyncCacheTransport, MemoryStore, SQLiteStore
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses

pytestmark = [pytest.mark.anyio, pytest.mark.once]


class HttpxHouse:
    """An origin, a store and a client on both; ``key`` is the partition of the URL under test."""

    def __init__(self, origin: WatchedOrigin, clock: Clock, store: Any) -> None:
        self.origin, self.clock, self.store = origin, clock, store
        self.transport = AsyncCacheTransport(cache=store, clock=clock, stale_while_revalidate=10)
        self.client = httpx2.AsyncClient(transport=self.transport, follow_redirects=True)
        self.key = b""

    @property
    def cache(self) -> AsyncStoredResponses:
        return self.transport.cache

    async def get(self, path: str = "/") -> httpx2.Response:
        response = await self.client.get(self.origin.url(path))
        self.key = bytes.fromhex(response.extensions["cache_key"]) or self.key
        return response

    async def post(self, path: str, content: bytes) -> object:
        return await self.client.post(self.origin.url(path), content=content)

    def stream(self, path: str) -> AbstractAsyncContextManager[httpx2.Response]:
        return self.client.stream("GET", self.origin.url(path))

    def is_busy(self) -> bool:
        tasks = vars(self.transport).get("_tasks")
        return tasks is not None and bool(vars(tasks)["_running"])

    async def check(self) -> None:
        await nothing_is_held(vars(self.transport)["_cache"].engine, self.store, self.key)
        pool: Any = vars(self.transport.inner)["_pool"]
        assert not pool._requests
        assert all(each.is_idle() or each.is_closed() for each in pool.connections)
        idle = sum(each.is_idle() for each in pool.connections)
        await to_thread.run_sync(self.origin.wait_for_no_more_than, idle)


@pytest.fixture(params=["memory", "sqlite"])
async def house(
    request: pytest.FixtureRequest, origin: WatchedOrigin, clock: Clock, tmp_path: Path
) -> AsyncIterator[HttpxHouse]:
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "cache.sqlite")
    house = HttpxHouse(origin, clock, store)
    serve(origin)
    async with house.client:
        await house.get()
        yield house
    # Counted at the other end too.
    await to_thread.run_sync(origin.wait_for_none)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("anyio_backend", "cancelled"), [("asyncio", by_scope), ("asyncio", by_task), ("trio", by_scope)]
)
async def test_cancellation_leaves_nothing_behind(house: HttpxHouse, cancelled: Cancel, use: Use) -> None:
    """The next request is fine, and everything that was taken has been given back."""
    await cancel_everywhere(house, use, cancelled)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_of_half_a_body_nothing_is_stored(house: HttpxHouse, framing: str) -> None:
    """Wherever the reader is cancelled, and also once it waits for the rest."""
    await cancel_in_half_a_body(house, framing)


class SlowToWrite(SQLiteStore):
    """A store that takes its time: a reader faster than its disk waits until there is room for the next chunk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go_on = threading.Event()

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        assert self.go_on.wait(30)
        super().write(entry, index, data)


async def test_a_reader_cancelled_while_it_waits_for_the_store_ends_the_body_below(
    origin: WatchedOrigin, clock: Clock, tmp_path: Path
) -> None:
    """Not the collector, of which trio warns: and warnings are errors."""
    store = SlowToWrite(tmp_path / "cache.sqlite")
    origin.on("/", fresh(bytes(20_000_000)))
    house = HttpxHouse(origin, clock, store)
    async with house.client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.get, "/")
            queue = vars(house.transport)["_cache"].engine.store._queue
            while not queue._waiting:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        store.go_on.set()
    await to_thread.run_sync(origin.wait_for_none)


async def test_a_cancelled_leader_frees_those_who_wait(origin: WatchedOrigin) -> None:
    asked = threading.Event()

    def first(seen: Seen, conversation: Conversation) -> None:
        if not asked.is_set():
            asked.set()
            conversation.wait_for_end()
        else:
            conversation.reply(fresh(b"hello"), seen.method)

    url = origin.script("/", first)
    client = httpx2.AsyncClient(transport=AsyncCacheTransport(cache=MemoryStore()))
    async with client, anyio.create_task_group() as tasks:
        leader = anyio.CancelScope()

        async def lead() -> None:
            with leader:
                await client.get(url)

        tasks.start_soon(lead)
        await to_thread.run_sync(asked.wait, 10)
        bodies: list[bytes] = []

        async def follow() -> None:
            bodies.append((await client.get(url)).content)

        tasks.start_soon(follow)
        await anyio.wait_all_tasks_blocked()
        assert bodies == []
        leader.cancel()
    assert bodies == [b"hello"]
    assert origin.count() == 2
