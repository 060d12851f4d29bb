"""``AsyncCacheTransport`` among many tasks, in the background, and over the stores."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio import to_thread
from clock import Clock
from httpx_answers import hit
from local_origin import Reply, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import (
    AsyncCacheTransport,
    CacheTransport,
    MemoryStore,
)
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.httpx.tasks import Tasks

pytestmark = pytest.mark.anyio

TEXT = b"the quick brown fox " * 500


@pytest.fixture
async def client(store: MemoryStore, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, clock=clock)) as client:
        yield client


# Many tasks


async def test_a_hundred_tasks_on_one_cold_url_make_one_fetch(
    client: httpx2.AsyncClient, origin: WatchedOrigin
) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(_: Seen) -> Reply:
        asked.set()
        go.wait(30)
        return fresh(TEXT)

    url = origin.on("/", slow)
    bodies: list[bytes] = []

    async def get() -> None:
        bodies.append((await client.get(url)).content)

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(get)
        await to_thread.run_sync(asked.wait, 10)
        go.set()
    assert bodies == [TEXT] * 100
    assert origin.count() == 1


async def test_threads_and_tasks_wait_for_each_other(store: MemoryStore, origin: WatchedOrigin) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(_: Seen) -> Reply:
        asked.set()
        go.wait(30)
        return fresh(TEXT)

    url = origin.on("/", slow)
    with httpx2.Client(transport=CacheTransport(cache=store)) as blocking:
        async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store)) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(to_thread.run_sync, lambda: blocking.get(url))
                await to_thread.run_sync(asked.wait, 10)
                tasks.start_soon(client.get, url)
                await anyio.wait_all_tasks_blocked()
                go.set()
            assert hit(await client.get(url))
    assert origin.count() == 1


async def test_a_hit_lets_other_tasks_run_and_can_be_cancelled(
    client: httpx2.AsyncClient, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(b"hello"))
    await client.get(url)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.get(url)
    assert scope.cancelled_caught


# The background


async def test_jobs_that_do_not_end_are_cancelled_on_close() -> None:
    tasks, ended = Tasks(), anyio.Event()

    async def endless() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    assert tasks.spawn("one", endless)
    assert not tasks.spawn("one", endless)
    await tasks.close(0.01)
    assert ended.is_set()
    assert tasks.spawn("one", anyio.lowlevel.checkpoint)
    await tasks.close(5)


async def test_a_bounded_number_of_jobs_runs_at_once() -> None:
    tasks = Tasks()
    assert [tasks.spawn(key, anyio.sleep_forever) for key in range(70)] == [True] * 64 + [False] * 6
    await tasks.close(0)


async def test_closing_while_cancelled_leaves_no_job(store: MemoryStore, origin: WatchedOrigin, clock: Clock) -> None:
    url = origin.on("/", fresh(b"old", 10))
    transport = AsyncCacheTransport(cache=store, clock=clock, stale_while_revalidate=True)
    client = httpx2.AsyncClient(transport=transport)
    await client.get(url)
    clock.advance(60)
    origin.script("/", lambda _, conversation: conversation.wait_for_end())
    await client.get(url)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.aclose()
    assert FLIGHTS.count() == 0
    await to_thread.run_sync(origin.wait_for_none)


# Stores


async def test_several_transports_of_one_client(store: MemoryStore, origin: WatchedOrigin, tmp_path: Path) -> None:
    url = origin.on("/", fresh(b"hello"))
    mounts = {"all://localhost": AsyncCacheTransport(cache=tmp_path / "cache.sqlite")}
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store), mounts=mounts) as client:
        for each in (url, url.replace("127.0.0.1", "localhost")):
            assert [hit(await client.get(each)) for _ in range(2)] == [False, True]
