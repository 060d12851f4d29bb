"""G23: cancelled at the n-th checkpoint, for every n, a request leaves no flight, lease, connection or half entry."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread
from cancelling import by_scope, by_task
from clock import Clock
from left_behind import nothing_is_held
from local_origin import Conversation, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import MemoryStore, SQLiteStore, TrioCachedSession
from sansio_cache_adapters.trio_session import CachedTrioResponse

pytestmark = pytest.mark.anyio

LARGE = bytes(2_500_000)

Cancel = Callable[[Coroutine[Any, Any, Any], int], Awaitable[bool]]


class House:
    """An origin, a store and a session on both; ``key`` is the partition of the URL under test."""

    def __init__(self, origin: WatchedOrigin, clock: Clock, store: Any, session: TrioCachedSession) -> None:
        self.origin, self.clock, self.store, self.session = origin, clock, store, session
        self.key = b""

    async def get(self, path: str = "/") -> CachedTrioResponse:
        response = await self.session.get(self.origin.url(path))
        self.key = bytes.fromhex(response.cache_key) or self.key
        return response

    async def check(self) -> None:
        """Nothing is held in the store, and no connection is in use, neither here nor at the origin."""
        await nothing_is_held(vars(self.session)["_cache"].engine, self.store, self.key)
        counts = self.session.pool.counts
        assert (counts.active, counts.waiting) == (0, 0)
        await to_thread.run_sync(self.origin.wait_for_no_more_than, counts.idle)


@asynccontextmanager
async def housed(origin: WatchedOrigin, clock: Clock, kind: str, folder: Path) -> AsyncGenerator[House]:
    store = MemoryStore() if kind == "memory" else SQLiteStore(folder / "c.sqlite")
    origin.on("/", fresh(b"hello"))
    origin.on("/large", fresh(LARGE))
    origin.on("/chunked", Reply([bytes(30_000)] * 5, fields={"Cache-Control": "max-age=60"}, framing="chunked"))
    origin.on("/gzip", fresh(bytes(100_000), coded=True))
    origin.on("/old", redirect("/"))
    origin.on("/tagged", tagged(b"tagged"))
    origin.on("/no", Reply(b"no", fields={"Cache-Control": "no-store"}))
    async with TrioCachedSession(cache=store, clock=clock, stale_while_revalidate=10) as session:
        house = House(origin, clock, store, session)
        await house.get()
        yield house
        flaws = (await session.cache.verify()).flaws
    store.close()
    assert flaws == {}
    await to_thread.run_sync(origin.wait_for_none)


async def miss(house: House) -> None:
    await house.session.cache.delete(urls=[house.origin.url()])
    assert (await house.get()).content == b"hello"


async def found(house: House) -> None:
    assert (await house.get()).content == b"hello"


async def found_streaming(house: House) -> None:
    async with house.session.stream("GET", house.origin.url()) as response:
        assert await response.read() == b"hello"


async def validate(house: House) -> None:
    for _ in range(2):
        assert (await house.get("/tagged")).content == b"tagged"


async def large(house: House) -> None:
    for _ in range(2):
        assert (await house.get("/large")).content == LARGE


async def decode(house: House) -> None:
    assert (await house.get("/gzip")).content == bytes(100_000)


async def follow(house: House) -> None:
    response = await house.get("/old")
    assert (response.content, len(response.history)) == (b"hello", 1)


async def not_stored(house: House) -> None:
    assert (await house.get("/no")).content == b"no"


async def unsafe(house: House) -> None:
    await house.session.post(house.origin.url(), content=b"new")


async def leave_unread(house: House) -> None:
    async with house.session.stream("GET", house.origin.url("/chunked")):
        await anyio.lowlevel.checkpoint()


async def stale(house: House) -> None:
    await house.get()
    house.clock.advance(3605)
    assert (await house.get()).content == b"hello"


async def wait_for_another(house: House) -> None:
    """One task leads and another waits for it."""
    await house.session.cache.delete(urls=[house.origin.url()])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.get)
        await anyio.sleep(0)
        await house.get()


Use = Callable[[House], Coroutine[Any, Any, None]]
USES: list[Use] = [
    *(miss, found, found_streaming, validate, large, decode, follow, not_stored, unsafe, leave_unread, stale),
    wait_for_another,
]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("anyio_backend", "cancelled"), [("asyncio", by_scope), ("asyncio", by_task), ("trio", by_scope)]
)
async def test_cancelled_anywhere(
    origin: WatchedOrigin, clock: Clock, tmp_path: Path, kind: str, use: Use, cancelled: Cancel
) -> None:
    """The next request is fine, and everything that was taken has been given back."""
    async with housed(origin, clock, kind, tmp_path) as house:
        for n in range(1, 3000):
            reached = await cancelled(use(house), n)
            # Background validation is the session's own, and ends by itself.
            while vars(house.session)["_jobs"]:
                await anyio.sleep(0.001)
            await house.check()
            assert (await house.get()).content == b"hello"
            await house.check()
            if not reached:
                break
        else:
            raise AssertionError("it never ends")
        assert n > 1
        await use(house)
        assert len((await house.get("/large")).content) == len(LARGE)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_of_half_a_body_nothing_is_stored(
    origin: WatchedOrigin, clock: Clock, tmp_path: Path, kind: str, framing: str
) -> None:
    """Wherever the reader is cancelled, and also once it waits for the rest."""
    fields = {"Cache-Control": "max-age=60"}

    def half(_: Seen, conversation: Conversation) -> None:
        reply = Reply(fields=fields, framing=framing, length=3_000_000)
        conversation.send(reply.head() + (b"" if framing == "length" else b"%x\r\n" % 3_000_000) + bytes(1_500_000))
        conversation.wait_for_end()

    url = origin.script("/half", half)
    async with housed(origin, clock, kind, tmp_path) as house:
        for n in range(1, 3000):
            reached = False
            with anyio.move_on_after(0.5):
                reached = await by_scope(house.session.get(url), n)
            await house.check()
            assert (await house.session.cache.size()).entries == 1
            assert not await house.session.cache.contains(url)
            if not reached:
                break
        assert n > 5


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
