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
from watched_origin import WatchedOrigin, tagged

from sansio_cache import (
    AsyncCacheTransport,
    BadSignature,
    CachedSession,
    CacheTransport,
    KeyRequired,
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
        go.wait(10)
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
        go.wait(10)
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


@pytest.mark.parametrize("later", [fresh(b"new"), Reply(b"new", fields={"Cache-Control": "no-store"})])
async def test_a_stale_answer_is_validated_in_the_background(
    store: MemoryStore, origin: WatchedOrigin, clock: Clock, later: Reply
) -> None:
    url = origin.on("/", fresh(b"old", 10), later)
    client = httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, clock=clock, stale_while_revalidate=True))
    await client.get(url)
    clock.advance(60)
    assert (await client.get(url)).content == b"old"
    await client.aclose()  # waits for it
    assert origin.count() == 2
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, clock=clock)) as client:
        assert (await client.get(url)).content == b"new"


async def test_a_request_changed_afterwards_is_validated_as_it_was(
    store: MemoryStore, origin: WatchedOrigin, clock: Clock
) -> None:
    """It is the user's: what they do to it after the stale answer must not be asked for, and kept, in its place."""
    url, other = origin.on("/", fresh(b"old", 10), fresh(b"new")), origin.on("/other", fresh(b"another's"))
    transport = AsyncCacheTransport(cache=store, clock=clock, stale_while_revalidate=True)
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get(url)
        clock.advance(60)
        request = client.build_request("GET", url, extensions={"trace": None})
        assert (await client.send(request)).content == b"old"
        request.url = httpx2.URL(other)
        request.method = "DELETE"
        request.headers["X-Late"] = "1"
        request.extensions["target"] = b"/other"
    assert [(seen.method, seen.target, seen.get("x-late")) for seen in origin.seen] == [("GET", "/", None)] * 2
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, clock=clock)) as client:
        response = await client.get(url)
        assert (response.content, hit(response)) == (b"new", True)


async def test_an_application_is_asked_in_the_background_too(store: MemoryStore, clock: Clock) -> None:
    bodies = [b"old", b"new"]
    fields = {"Cache-Control": "max-age=10"}
    inner = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=fields, content=bodies.pop(0)))
    transport = AsyncCacheTransport(inner, store, clock=clock, stale_while_revalidate=True)
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get("http://app/")
        clock.advance(60)
        assert (await client.get("http://app/")).content == b"old"
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(inner, store, clock=clock)) as client:
        assert (await client.get("http://app/")).content == b"new"


async def test_one_stale_url_is_validated_once_at_a_time(
    store: MemoryStore, origin: WatchedOrigin, clock: Clock
) -> None:
    go = threading.Event()

    def slow(seen: Seen) -> Reply:
        if seen.get("if-none-match"):
            go.wait(10)
        return tagged(b"hello")(seen)

    url = origin.on("/", slow)
    transport = AsyncCacheTransport(cache=store, clock=clock, stale_while_revalidate=True)
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get(url)
        clock.advance(60)
        for _ in range(5):
            assert (await client.get(url)).content == b"hello"
        go.set()
    assert origin.count() == 2


async def test_a_background_validation_that_fails_is_told_and_changes_nothing(
    store: MemoryStore, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"old", 10))
    told: list[str] = []
    transport = AsyncCacheTransport(
        cache=store, clock=clock, stale_while_revalidate=True, on_event=lambda event: told.append(event.kind)
    )
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get(url)
        await to_thread.run_sync(origin.close)
        clock.advance(60)
        assert (await client.get(url)).content == b"old"
    assert told == ["miss", "stored", "stale", "background-error"]


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


async def test_one_signed_file_serves_requests_and_httpx2(origin: WatchedOrigin, tmp_path: Path, key: str) -> None:
    first, second = origin.on("/first", fresh(TEXT, coded=True)), origin.on("/second", fresh(bytes(3_000_000)))
    path = tmp_path / "cache.sqlite"
    transport = AsyncCacheTransport(cache=path, secret_key=key)
    with CachedSession(path, secret_key=key) as session:
        await to_thread.run_sync(session.get, first)
        async with httpx2.AsyncClient(transport=transport) as client:
            response = await client.get(first)
            assert (response.content, hit(response)) == (TEXT, True)
            await client.get(second)
            response = await client.get(second)
            assert (response.content, hit(response)) == (bytes(3_000_000), True)
        # What was queued has been written.
        assert (await to_thread.run_sync(session.get, second)).content == bytes(3_000_000)
    assert origin.count() == 2


async def test_a_signed_store_needs_its_key(origin: WatchedOrigin, tmp_path: Path, key: str) -> None:
    url = origin.on("/", fresh(b"hello"))
    path = tmp_path / "cache.sqlite"
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=path, secret_key=key)) as client:
        await client.get(url)
    with pytest.raises(KeyRequired):
        async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=path)):
            pass
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=path, secret_key=key[::-1])) as client:
        with pytest.raises(BadSignature):
            await client.get(url)


async def test_a_stored_body_that_is_gone_is_a_read_error(
    client: httpx2.AsyncClient, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    await client.get(url)
    async with client.stream("GET", url) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        store.clear()
        with pytest.raises(httpx2.ReadError) as raised:
            await anext(pieces)
    assert raised.value.request.url == url
    assert len((await client.get(url)).content) == 3_000_000
