"""Single flight over tasks and loops; anyone who goes away takes nothing with them (G23, G24, G28)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

import aiohttp
import pytest
from local_origin import Conversation, Origin, Reply, Seen, fresh

from sansio_cache import AsyncCachedSession, CachedSession, SQLiteStore
from sansio_cache_adapters.cache.flights import FLIGHTS

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]
Gathered = Callable[[int], Awaitable[None]]
T = TypeVar("T")


async def fetch(session: AsyncCachedSession, url: str, **keywords: Any) -> bytes:
    async with session.get(url, **keywords) as response:
        return await response.read()


class Held:
    """A reply that waits until the crowd has gathered."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._let = threading.Event()

    def __call__(self, _: Seen) -> Reply:
        assert self._let.wait(30)
        return self._reply

    def let(self) -> None:
        self._let.set()


async def crowd(sessions: list[AsyncCachedSession], url: str, held: Held, gathered: Gathered) -> list[bytes]:
    """What fifty tasks of each session get, of which all but one have to wait."""
    tasks = [asyncio.create_task(fetch(one, url)) for one in sessions for _ in range(50)]
    await gathered(len(tasks) - 1)
    held.let()
    return await asyncio.gather(*tasks)


async def test_a_hundred_tasks_make_one_fetch(sessions: Sessions, origin: Origin, gathered: Gathered) -> None:
    """All get the body; 99 from the store, collapsed or not."""
    held = Held(fresh(b"body" * 1000))
    session, other = sessions(), sessions()
    got = await crowd([session, other], origin.on("/a", held), held, gathered)
    assert set(got) == {b"body" * 1000}
    assert origin.count() == 1
    stats = [one.cache.stats for one in (session, other)]
    assert sum(each.misses for each in stats) == 1
    assert sum(each.hits for each in stats) == 99


async def test_a_crowd_on_a_stale_url_validates_once(sessions: Sessions, origin: Origin, gathered: Gathered) -> None:
    """What is validated once serves all who wait."""
    held = Held(Reply(status=304, fields={"ETag": '"1"', "Cache-Control": "max-age=60"}))
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'), held)
    session = sessions()
    await fetch(session, url)
    assert set(await crowd([session], url, held, gathered)) == {b"a"}
    assert origin.count() == 2


async def test_a_crowd_shares_what_is_stale_at_once(sessions: Sessions, origin: Origin, gathered: Gathered) -> None:
    """``max-age=0``: those who waited while it was fetched may use it once (RFC 9111 §4)."""
    held = Held(fresh(b"a", 0, etag='"1"'))
    assert set(await crowd([sessions()], origin.on("/a", held), held, gathered)) == {b"a"}
    assert origin.count() == 1


async def test_what_is_not_storable_is_not_queued_for(sessions: Sessions, origin: Origin, gathered: Gathered) -> None:
    """When the head shows it, those who wait go on side by side, and later ones do not queue."""
    not_storable = Reply(b"a", fields={"Cache-Control": "no-store"})
    held = Held(not_storable)
    all_who_waited, all_later = threading.Barrier(9, timeout=30), threading.Barrier(10, timeout=30)

    def side_by_side(_: Seen) -> Reply:
        (all_who_waited if origin.count() <= 10 else all_later).wait()
        return not_storable

    url = origin.on("/a", held, side_by_side)
    session = sessions(connector=aiohttp.TCPConnector(limit=0))
    tasks = [asyncio.create_task(fetch(session, url)) for _ in range(10)]
    await gathered(9)
    held.let()
    assert set(await asyncio.gather(*tasks)) == {b"a"}
    assert set(await asyncio.gather(*(fetch(session, url) for _ in range(10)))) == {b"a"}
    assert origin.count() == 20


@pytest.mark.parametrize("when", ["before the head", "midway"])
async def test_a_leader_that_is_cancelled_leaves_waiters_that_succeed(
    sessions: Sessions, origin: Origin, eventually: Any, gathered: Gathered, when: str
) -> None:
    """One of them asks again, and all are served from that."""
    gone = threading.Event()

    def first_hangs(seen: Seen, connection: Conversation) -> None:
        if origin.count() > 1:
            connection.reply(fresh(b"halfhalf"), seen.method)
            return
        if when == "midway":
            connection.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 8\r\n\r\nhalf")
        gone.wait(20)

    url = origin.script("/a", first_hangs)
    session = sessions(wait_for_body=20)
    has_head = asyncio.Event()

    async def lead() -> bytes:
        async with session.get(url) as response:
            has_head.set()
            return await response.read()

    leader = asyncio.create_task(lead())
    await (eventually(lambda: origin.count() == 1) if when == "before the head" else has_head.wait())
    waiters = [asyncio.create_task(fetch(session, url)) for _ in range(20)]
    await gathered(20)
    leader.cancel()
    assert set(await asyncio.gather(*waiters)) == {b"halfhalf"}
    with pytest.raises(asyncio.CancelledError):
        await leader
    gone.set()
    assert origin.count() == 2
    assert FLIGHTS.count() == 0


async def test_a_leader_that_fails_leaves_waiters_that_try(
    sessions: Sessions, origin: Origin, gathered: Gathered
) -> None:
    """The next one asks again, and all are served from that; aiohttp's own second try is one of them."""
    fail = threading.Event()

    def fail_first(seen: Seen, connection: Conversation) -> None:
        if origin.count() > 1:
            connection.reply(fresh(b"a"), seen.method)
        else:
            fail.wait(30)

    url = origin.script("/a", fail_first)
    session = sessions()
    tasks = [asyncio.create_task(fetch(session, url)) for _ in range(20)]
    await gathered(19)
    fail.set()
    assert set(await asyncio.gather(*tasks)) == {b"a"}
    assert origin.count() == 2


async def test_the_leaders_error_is_its_own(sessions: Sessions, origin: Origin) -> None:
    """Where nothing comes, each gets the client's own error, and none waits for ever."""
    url = origin.script("/a", lambda seen, connection: connection.close())
    session = sessions(connector=aiohttp.TCPConnector(limit=0))
    got = await asyncio.gather(*(fetch(session, url) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in got} == {aiohttp.ServerDisconnectedError}
    assert FLIGHTS.count() == 0


async def test_a_task_does_not_wait_for_itself(sessions: Sessions, origin: Origin) -> None:
    """While it holds an unread response it may ask for the same URL again."""
    url = origin.on("/a", fresh(b"a" * 200_000))
    session = sessions(wait_for_body=30)
    async with asyncio.timeout(15):
        first = await session.get(url)
        second = await session.get(url)
        assert await second.read() == await first.read() == b"a" * 200_000
    assert FLIGHTS.count() == 0


async def test_nobody_waits_long_for_a_body_that_is_not_read(sessions: Sessions, origin: Origin) -> None:
    """``wait_for_body`` after the head, others fetch for themselves."""
    url = origin.on("/a", fresh(b"a" * 3_000_000))
    session = sessions(wait_for_body=0.2)
    first = await session.get(url)
    began = time.monotonic()
    assert len(await asyncio.create_task(fetch(session, url))) == 3_000_000
    assert 0.1 < time.monotonic() - began < 10
    first.close()


async def test_a_waiter_has_its_own_timeout(sessions: Sessions, origin: Origin, eventually: Any) -> None:
    """Waiting for another's fetch counts towards ``total``."""
    held = Held(fresh(b"a"))
    url = origin.on("/a", held)
    session = sessions()
    leader = asyncio.create_task(fetch(session, url))
    await eventually(lambda: origin.count() == 1)
    with pytest.raises(asyncio.TimeoutError):
        await fetch(session, url, timeout=aiohttp.ClientTimeout(total=0.1))
    held.let()
    assert await leader == b"a"
    assert origin.count() == 1


async def test_two_loops_in_two_threads_share_one_store(origin: Origin, cache_file: Any, gathered: Gathered) -> None:
    """Each with a session of its own on one store object; a blocking one then finds all of it (G24)."""
    store = SQLiteStore(cache_file)
    replies = [Held(fresh(b"%d" % number)) for number in range(10)]
    urls = [origin.on(f"/{number}", held) for number, held in enumerate(replies)]

    async def all_of_them() -> list[bytes]:
        async with AsyncCachedSession(cache=store) as session:
            return await asyncio.gather(*(fetch(session, url) for url in urls * 3))

    expected = [b"%d" % number for number in range(10)] * 3
    results: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(all_of_them()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    await gathered(50)
    for held in replies:
        held.let()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert results == [expected] * 2
    with CachedSession(store) as blocking:
        assert [blocking.get(url).content for url in urls * 3] == expected
    assert origin.count() == 10
    store.close()


@coroutine
def cancelled_at(work: Coroutine[Any, Any, T], checkpoint: int) -> Generator[Any, Any, T]:
    """Do work in the running task, which is cancelled where it suspends for the n-th time."""
    count = 0
    error: BaseException | None = None
    while True:
        try:
            waited_for = work.send(None) if error is None else work.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        count += 1
        if count == checkpoint:
            task = asyncio.current_task()
            assert task is not None
            task.set_name("cancelled")
            task.cancel()
        try:
            error = yield waited_for
        except BaseException as thrown:
            error = thrown


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", ["miss", "large miss", "hit", "large hit", "validate", "redirect", "post"])
async def test_cancellation_anywhere_leaves_nothing_behind(
    sessions: Sessions, origin: Origin, eventually: Any, case: str
) -> None:
    """At the n-th checkpoint for every n: no flight, no lease, no connection, no half entry (G23)."""
    large = bytes(range(256)) * 10_000
    confirmed = Reply(status=304, fields={"ETag": '"1"', "Cache-Control": "max-age=0"})
    session = sessions(wait_for_leader=20, connector=aiohttp.TCPConnector(force_close=True))
    connector = session.connector
    assert connector is not None

    def answer(seen: Seen) -> Reply:
        if seen.get("if-none-match"):
            return confirmed
        body = large if "large" in seen.path else b"small"
        if "redirect" in seen.path:
            return Reply(b"m" * 9000, 301, {"Cache-Control": "max-age=60", "Location": "/target"})
        return fresh(body, 0 if "validate" in seen.path else 60, etag='"1"')

    async def work(url: str) -> bytes:
        keywords: Any = {"middlewares": (_nothing,)} if "hit" in case else {}
        async with session.request("POST" if case == "post" else "GET", url, **keywords) as response:
            return b"".join([piece async for piece in response.content.iter_any()])

    origin.on("/target", answer)
    for number in range(1, 200):
        url = origin.on(f"/{case.replace(' ', '-')}/{number}", answer)
        expected = large if "large" in case else b"small"
        if case in ("hit", "large hit", "validate"):
            assert await fetch(session, url) == expected
        task = asyncio.create_task(_through(cancelled_at(work(url), number)))
        await asyncio.wait([task])
        over = task.get_name() != "cancelled"
        if over:
            assert task.result() == expected
        else:
            assert task.cancelled()
        await eventually(lambda: FLIGHTS.count() == 0)
        assert not connector._acquired
        async with asyncio.timeout(15):  # a lease left behind would hold this up
            assert await work(url) == expected
        if over:
            break
    else:
        pytest.fail("the request never came to its end")
    assert number > (0 if case == "hit" else 3)


async def _nothing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    return await handler(request)


async def _through(work: Any) -> Any:
    return await work
