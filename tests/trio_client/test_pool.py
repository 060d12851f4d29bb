"""The pool: what is kept, what is reused, who waits, and what is sent again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio import to_thread

from sansio_cache_adapters.trio.http.client import HTTPSession, Limits, Timeout
from sansio_cache_adapters.trio.http.errors import (
    PoolTimeout,
    SessionClosed,
    TransportError,
)
from sansio_cache_adapters.trio.http.pool import Counts

pytestmark = pytest.mark.anyio


async def test_a_connection_is_used_again(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession() as session:
        for _ in range(5):
            assert (await session.get(server.url)).content == b"hello"
        assert session.pool.counts == Counts(0, 1, 0)
    assert server.accepted == 1
    await to_thread.run_sync(server.wait, lambda server: server.open == 0)


# id, how a stream is left, whether its connection is kept
LEAVING: list[tuple[str, int, bool]] = [("unread and short", 20, True), ("unread and long", 10_000_000, False)]


@pytest.mark.parametrize(("size", "kept"), [row[1:] for row in LEAVING], ids=[row[0] for row in LEAVING])
async def test_a_stream_left_unread_keeps_its_connection_if_all_has_come(serve: Any, size: int, kept: bool) -> None:
    server = serve.pages({"*": serve.message(bytes(size))})
    async with HTTPSession() as session:
        async with session.stream("GET", server.url) as response:
            assert session.pool.counts == Counts(1, 0, 0)
        assert response.status == 200
        assert session.pool.counts == Counts(0, int(kept), 0)
        await response.aclose()  # again: nothing happens
        assert (await session.get(server.url)).status == 200
        await response.aclose()  # again, while the connection is another's
        assert session.pool.counts == Counts(0, 1, 0)
    assert server.accepted == (1 if kept else 2)


async def test_closing_an_old_response_does_not_touch_the_connections_new_user(serve: Any) -> None:
    server = serve.pages({"*": serve.message(bytes(1_000_000))})
    async with HTTPSession() as session:
        async with session.stream("GET", server.url) as old:
            await old.read()
        async with session.stream("GET", server.url) as new:
            await old.aclose()
            assert len(await new.read()) == 1_000_000
            await old.aclose()
        assert session.pool.counts == Counts(0, 1, 0)
    assert server.accepted == 1


async def test_limits_hold_and_all_are_served_in_order(serve: Any) -> None:
    most = 0
    open_now = 0
    lock = threading.Lock()

    def handler(peer: Any) -> None:
        nonlocal most, open_now
        while peer.read():
            with lock:
                open_now += 1
                most = max(most, open_now)
            peer.send(serve.message())
            with lock:
                open_now -= 1

    servers = [serve(handler) for _ in range(3)]
    async with HTTPSession(limits=Limits(total=5, per_host=2, idle=5)) as session:

        async def get(url: str) -> None:
            assert (await session.get(url)).content == b"hello"
            assert sum(session.pool.counts[:2]) <= 5

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for i in range(90):
                    tasks.start_soon(get, servers[i % 3].url)
        assert session.pool.counts.active == session.pool.counts.waiting == 0
        assert session.pool.counts.idle <= 5
    assert most <= 5
    assert sum(len(server.seen) for server in servers) == 90


async def test_a_thousand_requests_a_hundred_at_once(serve: Any) -> None:
    server = serve.pages({"*": serve.message(bytes(1000))})
    done = 0
    limiter = anyio.CapacityLimiter(100)
    async with HTTPSession(limits=Limits(total=10)) as session:

        async def get(n: int) -> None:
            nonlocal done
            async with limiter:
                response = await session.get(f"{server.url}/{n % 20}")
            assert len(response.content) == 1000
            done += 1

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for n in range(1000):
                    tasks.start_soon(get, n)
        assert done == 1000
        assert session.pool.counts.active == session.pool.counts.waiting == 0
    assert server.accepted <= 10
    assert len(server.seen) == 1000


async def test_an_idle_connection_to_another_host_makes_room(serve: Any) -> None:
    first, second = serve.pages({"*": serve.message()}), serve.pages({"*": serve.message()})
    async with HTTPSession(limits=Limits(total=1)) as session:
        await session.get(first.url)
        await session.get(second.url)
        assert session.pool.counts == Counts(0, 1, 0)
        await to_thread.run_sync(first.wait, lambda server: server.open == 0)


async def test_a_request_that_waits_for_another_host_gets_its_turn(serve: Any) -> None:
    first, second = serve.pages({"*": serve.message()}), serve.pages({"*": serve.message()})
    order: list[str] = []
    async with HTTPSession(limits=Limits(total=1)) as session:

        async def get(url: str, name: str) -> None:
            await session.get(url)
            order.append(name)

        async with anyio.create_task_group() as tasks, session.stream("GET", first.url) as response:
            for place, (url, name) in enumerate([(second.url, "a"), (first.url, "b"), (second.url, "c")]):
                tasks.start_soon(get, url, name)
                while session.pool.counts.waiting <= place:
                    await anyio.sleep(0)
            await response.read()
    assert order == ["a", "b", "c"]


async def test_no_free_connection_is_a_pool_timeout(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession(limits=Limits(per_host=1), timeout=Timeout(pool=0.05)) as session:
        async with session.stream("GET", server.url):
            with pytest.raises(PoolTimeout) as caught:
                await session.get(server.url)
            assert caught.value.url == server.url + "/"
            assert session.pool.counts == Counts(1, 0, 0)
        assert (await session.get(server.url)).status == 200


async def test_idle_connections_expire_and_are_bounded(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession(limits=Limits(idle=2, idle_expiry=1e-9)) as session:
        await session.get(server.url)
        await session.get(server.url)
        assert server.accepted == 2
    async with HTTPSession(limits=Limits(idle=2)) as session:
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(session.get, server.url)
        assert session.pool.counts == Counts(0, 2, 0)
    async with HTTPSession(limits=Limits(idle=0)) as session:
        await session.get(server.url)
        assert session.pool.counts == Counts(0, 0, 0)


@pytest.mark.parametrize("limits", [{"total": 0}, {"per_host": 0}])
def test_limits_below_one_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(**limits)


async def test_a_connection_that_the_server_closed_while_idle_is_not_used(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(serve.message())

    server = serve(handler)
    async with HTTPSession() as session:
        await session.get(server.url)
        await to_thread.run_sync(server.wait, lambda server: server.open == 0)
        # Also what must not be sent twice: nothing has been sent yet.
        assert (await session.post(server.url, content=b"x")).content == b"hello"
    assert server.accepted == 2


async def test_an_error_of_the_contents_iterator_is_the_callers_and_closes_the_connection(serve: Any) -> None:
    closed = False

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            yield b"x"
            raise TimeoutError("mine")
        finally:
            closed = True

    server = serve.pages({"*": serve.message()})
    async with HTTPSession() as session:
        with pytest.raises(TimeoutError, match="mine"):
            await session.post(server.url, content=pieces())
        assert closed
        assert session.pool.counts == Counts(0, 0, 0)


async def test_a_turn_that_comes_together_with_the_cancellation_is_passed_on(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession(limits=Limits(per_host=1)) as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.get, server.url)
            while not session.pool.counts.waiting:
                await anyio.sleep(0)
            hop.abort()
            assert session.pool.counts == Counts(1, 0, 0)  # the one that waited has its turn, but does not run yet
            tasks.cancel_scope.cancel()
        assert session.pool.counts == Counts(0, 0, 0)
        assert (await session.get(server.url)).content == b"hello"


async def test_a_connection_that_opens_too_late_is_closed(serve: Any, tls: Any) -> None:
    go = threading.Event()
    context = tls.server("127.0.0.1")

    def handler(peer: Any) -> None:
        go.wait(30)
        peer.secure(context)
        peer.wait_for_end()

    server = serve(handler)
    session = HTTPSession(ssl_context=tls.client())

    async def get() -> None:
        with pytest.raises(SessionClosed):
            await session.get(server.url.replace("http:", "https:"))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get)
            await to_thread.run_sync(server.wait, lambda server: server.open == 1)
            await session.aclose()
            go.set()
    assert session.pool.counts == Counts(0, 0, 0)
    await to_thread.run_sync(server.wait, lambda server: server.open == 0)


async def test_a_contents_iterator_is_closed_when_nobody_takes_its_pieces(serve: Any) -> None:
    closed = False

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            while True:
                yield bytes(65536)
        finally:
            closed = True

    def handler(peer: Any) -> None:
        peer.read_head()
        peer.reset()

    server = serve(handler)
    async with HTTPSession() as session:
        with anyio.fail_after(30), pytest.raises(TransportError):
            await session.post(server.url, content=pieces())
        assert closed
        assert session.pool.counts == Counts(0, 0, 0)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancellation_passes_the_turn_on_too(serve: Any) -> None:
    """Unlike a scope's, it also hits a task that has been woken but does not run yet."""
    server = serve.pages({"*": serve.message()})
    async with HTTPSession(limits=Limits(per_host=1)) as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        task = asyncio.create_task(session.get(server.url))
        while not session.pool.counts.waiting:
            await asyncio.sleep(0)
        hop.abort()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert session.pool.counts == Counts(0, 0, 0)
        assert (await session.get(server.url)).content == b"hello"


async def test_a_dead_server_fails_every_waiter_with_its_own_error(serve: Any) -> None:
    server = serve(lambda peer: peer.reset())
    errors: list[TransportError] = []
    async with HTTPSession(limits=Limits(per_host=2)) as session:

        async def get() -> None:
            with pytest.raises(TransportError) as caught:
                await session.get(server.url)
            errors.append(caught.value)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(get)
        assert len(errors) == 20
        assert session.pool.counts == Counts(0, 0, 0)
