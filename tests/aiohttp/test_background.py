"""Stale-while-revalidate: validated in the background, once, bounded, awaited on close; the good entry stays."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import pytest
from clock import Clock
from local_origin import Conversation, Origin, Reply, Seen, fresh

from sansio_cache import AsyncCachedSession, CacheMiddleware, MemoryStore
from sansio_cache_adapters.aiohttp.tasks import Tasks
from sansio_cache_adapters.cache.flights import FLIGHTS

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]


async def text(session: aiohttp.ClientSession, url: str, **keywords: Any) -> str:
    async with session.get(url, **keywords) as response:
        return await response.text()


def stale(body: bytes, number: int = 1) -> Reply:
    fields = {"Cache-Control": "max-age=10, stale-while-revalidate=60", "ETag": f'"{number}"'}
    return Reply(body, fields=fields)


async def test_the_stale_answer_comes_at_once_and_is_validated(
    sessions: Sessions, origin: Origin, clock: Clock, eventually: Any
) -> None:
    """By a 304 or a new response; the user's request stays as it was."""
    session = sessions(clock=clock)
    renewed = Reply(status=304, fields={"Cache-Control": "max-age=10, stale-while-revalidate=60", "ETag": '"1"'})
    url = origin.on("/a", stale(b"old"), renewed, stale(b"new" * 500_000, 2))
    assert await text(session, url) == "old"
    for requests, then in ((2, "old"), (3, "new" * 500_000)):
        clock.advance(20)
        response = await session.get(url, headers={"X-One": "1"})
        assert response.from_cache
        assert await response.text() == "old"
        assert "stale-while-revalidate" in response.cache_status
        await eventually(lambda requests=requests: origin.count() == requests)
        await session._cache.tasks.close(5)
        assert "If-None-Match" not in response.request_info.headers
        assert origin.last().get("x-one") == "1"
        fresh_now = await session.get(url, headers={"X-One": "1"})
        assert fresh_now.cache_status == "sansio-cache;hit;ttl=10"
        assert await fresh_now.text() == then
    assert FLIGHTS.count() == 0


async def test_a_crowd_validates_once(sessions: Sessions, origin: Origin, clock: Clock, eventually: Any) -> None:
    """All get the stale answer; one request goes out."""
    session = sessions(clock=clock)
    all_had_theirs = threading.Event()

    def slow(_: Seen) -> Reply:
        all_had_theirs.wait(30)
        return stale(b"new", 2)

    url = origin.on("/a", stale(b"old"), slow)
    await text(session, url)
    clock.advance(20)
    assert set(await asyncio.gather(*(text(session, url) for _ in range(50)))) == {"old"}
    all_had_theirs.set()
    await eventually(lambda: session.cache.stats.stored == 2)
    assert origin.count() == 2
    assert await text(session, url) == "new"


async def test_a_failure_keeps_the_good_entry(
    sessions: Sessions, origin: Origin, clock: Clock, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged and counted; the stale answer is still there (G27)."""
    session = sessions(clock=clock)
    url = origin.on("/a", stale(b"old"))
    await text(session, url)
    clock.advance(20)
    origin.close()
    with caplog.at_level(logging.WARNING, "sansio_cache"):
        assert await text(session, url) == "old"
        await eventually(lambda: session.cache.stats.background_errors == 1)
    assert "background validation of a stale response failed" in caplog.text
    assert await text(session, url) == "old"


async def test_close_waits_for_it(sessions: Sessions, origin: Origin, clock: Clock) -> None:
    """What is under way is finished, and stored, before the connections go."""
    store = MemoryStore()
    session = sessions(cache=store, clock=clock)

    def slow(_: Seen) -> Reply:
        time.sleep(0.3)
        return stale(b"new", 2)

    url = origin.on("/a", stale(b"old"), slow)
    await text(session, url)
    clock.advance(20)
    assert await text(session, url) == "old"
    await session.close()
    assert origin.count() == 2
    assert await text(sessions(cache=store, clock=clock), url) == "new"


async def test_close_gives_up_after_a_while(
    sessions: Sessions, origin: Origin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs is cancelled, and leaves no flight."""
    monkeypatch.setattr("sansio_cache_adapters.aiohttp.handling.CLOSE_SECONDS", 0.2)
    session = sessions(clock=clock)

    def hang(seen: Seen, connection: Conversation) -> None:
        if origin.count("/a") == 1:
            connection.reply(stale(b"old"), seen.method)
        else:
            connection.wait_for_end()

    url = origin.script("/a", hang)
    await text(session, url)
    clock.advance(20)
    assert await text(session, url) == "old"
    began = time.monotonic()
    await session.close()
    assert time.monotonic() - began < 10
    assert FLIGHTS.count() == 0


async def test_a_response_that_must_not_be_stored_is_not_read(
    sessions: Sessions, origin: Origin, clock: Clock, eventually: Any
) -> None:
    """In the background it is not needed; a huge one is not fetched for nothing."""
    session = sessions(clock=clock)
    url = origin.on("/a", stale(b"old"), Reply(b"x" * 5_000_000, fields={"Cache-Control": "no-store"}))
    await text(session, url)
    clock.advance(20)
    assert await text(session, url) == "old"
    await eventually(lambda: origin.count() == 2)
    await session._cache.tasks.close(5)
    assert FLIGHTS.count() == 0


async def test_a_middleware_validates_in_the_background(origin: Origin, clock: Clock, eventually: Any) -> None:
    """Coded or not; where aiohttp has decoded, nothing is stored."""
    url = origin.on("/a", stale(b"old"), stale(b"new", 2))
    cache = CacheMiddleware(MemoryStore(), clock=clock)
    async with aiohttp.ClientSession(auto_decompress=False, middlewares=[cache]) as client:
        await text(client, url)
        clock.advance(20)
        assert await text(client, url) == "old"
        await eventually(lambda: cache.cache.stats.stored == 2)
        assert await text(client, url) == "new"
        await cache.close()

    async def below(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await handler(request)
        return response

    url = origin.on("/b", stale(b"old"), fresh(b"new", coded=True))
    cache = CacheMiddleware(MemoryStore(), clock=clock)
    async with aiohttp.ClientSession(middlewares=[cache, below]) as client:
        await text(client, url)
        clock.advance(20)
        assert await text(client, url) == "old"
        await eventually(lambda: origin.count("/b") == 2)
        await cache.close()
        assert cache.cache.stats.stored == 1


async def test_tasks_are_bounded_and_one_for_each_key() -> None:
    """At most 64 at a time; a key under way is not begun again; one that fails is logged."""
    tasks = Tasks()
    hold = asyncio.Event()
    done: list[int] = []

    async def job(number: int) -> None:
        await hold.wait()
        done.append(number)
        if number == 3:
            raise RuntimeError("boom")

    for number in range(100):
        assert tasks.spawn(number, partial(job, number)) == (number < 64)
    assert not tasks.spawn(0, partial(job, 0))
    hold.set()
    await tasks.close(5)
    assert sorted(done) == list(range(64))
    assert tasks.spawn(0, partial(job, 0))
    await tasks.close(5)


def test_tasks_of_a_loop_that_is_gone_block_no_key() -> None:
    """One cache may serve several loops, one after the other."""
    tasks = Tasks()
    begun: list[int] = []

    async def hang() -> None:
        begun.append(1)
        await asyncio.Event().wait()

    async def start() -> None:
        assert tasks.spawn("key", hang)
        await asyncio.sleep(0.01)

    for _ in range(2):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(start())
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
    assert begun == [1, 1]
