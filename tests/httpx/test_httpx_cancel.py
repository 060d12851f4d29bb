"""Cancellation at the n-th checkpoint, for every n: no flight, lease, connection or half entry is left behind."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio import to_thread
from cancelling import by_scope, by_task
from clock import Clock
from left_behind import nothing_is_held
from local_origin import Conversation, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import AsyncCacheTransport, MemoryStore, SQLiteStore

pytestmark = pytest.mark.anyio

LARGE = bytes(2_500_000)


Cancel = Callable[[Coroutine[Any, Any, Any], int], Awaitable[bool]]


class House:
    """An origin, a store and a client on both; ``key`` is the partition of the URL under test."""

    def __init__(self, origin: WatchedOrigin, clock: Clock, store: Any) -> None:
        self.origin, self.clock, self.store = origin, clock, store
        self.transport = AsyncCacheTransport(cache=store, clock=clock, stale_while_revalidate=10)
        self.client = httpx2.AsyncClient(transport=self.transport)
        self.key = b""

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        response = await self.client.get(self.origin.url(path), **more)
        self.key = bytes.fromhex(response.extensions["cache_key"]) or self.key
        return response

    async def check(self) -> None:
        """Nothing is held in the store, and no connection is in use, neither here nor at the origin."""
        await nothing_is_held(vars(self.transport)["_cache"].engine, self.store, self.key)
        pool: Any = vars(self.transport.inner)["_pool"]
        assert not pool._requests
        assert all(each.is_idle() or each.is_closed() for each in pool.connections)
        idle = sum(each.is_idle() for each in pool.connections)
        await to_thread.run_sync(self.origin.wait_for_no_more_than, idle)


@pytest.fixture(params=["memory", "sqlite"])
async def house(
    request: pytest.FixtureRequest, origin: WatchedOrigin, clock: Clock, tmp_path: Path
) -> AsyncIterator[House]:
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "cache.sqlite")
    house = House(origin, clock, store)
    origin.on("/", fresh(b"hello"))
    origin.on("/large", fresh(LARGE))
    origin.on("/chunked", Reply([bytes(30_000)] * 5, fields={"Cache-Control": "max-age=60"}, framing="chunked"))
    origin.on("/gzip", fresh(bytes(100_000), coded=True))
    origin.on("/old", redirect("/"))
    origin.on("/tagged", tagged(b"tagged"))
    origin.on("/no", Reply(b"no", fields={"Cache-Control": "no-store"}))
    async with house.client:
        await house.get("/")
        yield house
    # Counted at the other end too.
    await to_thread.run_sync(origin.wait_for_none)


async def miss(house: House) -> None:
    await house.transport.cache.delete(urls=[house.origin.url()])
    assert (await house.get("/")).content == b"hello"


async def found(house: House) -> None:
    assert (await house.get("/")).content == b"hello"


async def validate(house: House) -> None:
    for _ in range(2):
        assert (await house.get("/tagged")).content == b"tagged"


async def large(house: House) -> None:
    for _ in range(2):
        assert (await house.get("/large")).content == LARGE


async def decode(house: House) -> None:
    assert (await house.get("/gzip")).content == bytes(100_000)


async def follow(house: House) -> None:
    response = await house.get("/old", follow_redirects=True)
    assert (response.content, len(response.history)) == (b"hello", 1)


async def not_stored(house: House) -> None:
    assert (await house.get("/no")).content == b"no"


async def unsafe(house: House) -> None:
    await house.client.post(house.origin.url(), content=b"new")


async def leave_unread(house: House) -> None:
    async with house.client.stream("GET", house.origin.url("/chunked")):
        await anyio.lowlevel.checkpoint()


async def stale(house: House) -> None:
    await house.get("/")
    house.clock.advance(3605)
    assert (await house.get("/")).content == b"hello"


async def wait_for_another(house: House) -> None:
    """One task leads and another waits for it."""
    await house.transport.cache.delete(urls=[house.origin.url()])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.get, "/")
        await anyio.sleep(0)
        await house.get("/")


Use = Callable[[House], Coroutine[Any, Any, None]]
USES: list[Use] = [
    *(miss, found, validate, large, decode, follow, not_stored, unsafe, leave_unread, stale, wait_for_another)
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("anyio_backend", "cancelled"), [("asyncio", by_scope), ("asyncio", by_task), ("trio", by_scope)]
)
async def test_cancellation_leaves_nothing_behind(house: House, cancelled: Cancel, use: Use) -> None:
    for n in range(1, 3000):
        reached = await cancelled(use(house), n)
        # Background validation is the transport's own, and ends by itself.
        while vars(vars(house.transport)["_tasks"])["_running"]:
            await anyio.sleep(0.001)
        await house.check()
        assert (await house.get("/")).content == b"hello"
        await house.check()
        if not reached:
            break
    else:
        raise AssertionError("it never ends")
    assert n > 1
    await use(house)
    assert len((await house.get("/large")).content) == len(LARGE)


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_of_half_a_body_nothing_is_stored(house: House, framing: str) -> None:
    """Wherever the reader is cancelled, and also once it waits for the rest."""
    fields = {"Cache-Control": "max-age=60"}

    def half(_: Seen, conversation: Conversation) -> None:
        reply = Reply(fields=fields, framing=framing, length=3_000_000)
        conversation.send(reply.head() + (b"" if framing == "length" else b"%x\r\n" % 3_000_000) + bytes(1_500_000))
        conversation.wait_for_end()

    url = house.origin.script("/half", half)
    entries = (await house.transport.cache.size()).entries
    for n in range(1, 3000):
        reached = False
        with anyio.move_on_after(0.5):
            reached = await by_scope(house.client.get(url), n)
        await house.check()
        assert (await house.transport.cache.size()).entries == entries
        assert not await house.transport.cache.contains(url)
        if not reached:
            break
    assert n > 5


class SlowToWrite(SQLiteStore):
    """A store that takes its time: a reader faster than its disk waits until there is room for the next chunk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go_on = threading.Event()

    def write(self, entry: bytes, index: int, data: bytes) -> None:
        assert self.go_on.wait(10)
        super().write(entry, index, data)


async def test_a_reader_cancelled_while_it_waits_for_the_store_ends_the_body_below(
    origin: WatchedOrigin, clock: Clock, tmp_path: Path
) -> None:
    """Not the collector, of which trio warns: and warnings are errors."""
    store = SlowToWrite(tmp_path / "cache.sqlite")
    origin.on("/", fresh(bytes(20_000_000)))
    house = House(origin, clock, store)
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
