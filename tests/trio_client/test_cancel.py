"""Cancellation at the n-th checkpoint, for every n: nothing is left behind and the next request is fine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
from anyio import to_thread
from cancelling import CancelAt

from sansio_cache_adapters.trio.http.client import HTTPSession, Limits
from sansio_cache_adapters.trio.http.pool import Counts

pytestmark = pytest.mark.anyio


async def read_whole(session: HTTPSession, url: str) -> None:
    assert (await session.get(url + "/page")).content == bytes(300_000)


async def post_bytes(session: HTTPSession, url: str) -> None:
    await session.post(url + "/small", content=bytes(200_000))


async def post_iterator(session: HTTPSession, url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            await anyio.sleep(0)
            yield b"x" * 1000

    await session.post(url + "/small", content=pieces())


async def follow_redirect(session: HTTPSession, url: str) -> None:
    response = await session.get(url + "/moved")
    assert (response.content, len(response.history)) == (b"small", 1)


async def decode_gzip(session: HTTPSession, url: str) -> None:
    assert (await session.get(url + "/gzip")).content == bytes(500_000)


async def stream_lines(session: HTTPSession, url: str) -> None:
    async with session.stream("GET", url + "/lines") as response:
        assert len([line async for line in response.iter_lines()]) == 40


async def leave_unread(session: HTTPSession, url: str) -> None:
    async with session.stream("GET", url + "/page") as response:
        async for _ in response.iter_bytes():
            break


async def wait_in_line(session: HTTPSession, url: str) -> None:
    """Both connections are held: the request waits until the first is given back."""
    async with (
        session.stream("GET", url + "/small") as one,
        session.stream("GET", url + "/small"),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(session.get, url + "/small")
        await anyio.sleep(0)
        await anyio.sleep(0)
        await one.read()


Use = Callable[[HTTPSession, str], Coroutine[Any, Any, None]]
USES: list[Use] = [
    read_whole,
    post_bytes,
    post_iterator,
    follow_redirect,
    decode_gzip,
    stream_lines,
    leave_unread,
    wait_in_line,
]


def pages(serve: Any) -> dict[str, bytes]:
    import gzip

    return {
        "/page": serve.message(bytes(300_000)),
        "/small": serve.message(b"small"),
        "/moved": serve.message(b"elsewhere", "302 Found", "Location: /small"),
        "/gzip": serve.message(gzip.compress(bytes(500_000)), "200 OK", "Content-Encoding: gzip"),
        "/lines": serve.message(b"line\r\n" * 40),
    }


async def none_is_left(server: Any, session: HTTPSession) -> None:
    """No connection is in use, and the server has none but those that the pool keeps."""
    assert session.pool.counts[::2] == (0, 0)
    idle = session.pool.counts.idle
    await to_thread.run_sync(server.wait, lambda server: server.open <= idle)


async def cancelled_everywhere(
    server: Any,
    session: HTTPSession,
    run: Callable[[], Coroutine[Any, Any, None]],
    check: Callable[[], Awaitable[None]],
) -> int:
    """Run it with the n-th checkpoint cancelled, n = 1, 2, …, until it ends uncancelled; the number of runs."""
    for n in range(1, 2000):
        with anyio.CancelScope() as scope:
            probe = CancelAt(run(), scope.cancel, n)
            await probe
        await none_is_left(server, session)
        await check()
        if not probe.reached:
            return n
    raise AssertionError("it never ends")


@pytest.mark.parametrize("warm", [False, True], ids=["new connection", "kept connection"])
@pytest.mark.parametrize("use", USES)
async def test_cancellation_leaves_nothing_behind(serve: Any, use: Use, warm: bool) -> None:
    server = serve.pages(pages(serve))
    async with HTTPSession(limits=Limits(per_host=2, idle=2 if warm else 0)) as session:

        async def check() -> None:
            if warm:
                assert (await session.get(server.url + "/small")).content == b"small"
            assert sum(session.pool.counts) == session.pool.counts.idle <= 2

        await check()
        runs = await cancelled_everywhere(server, session, lambda: use(session, server.url), check)
        assert runs > 3
        assert (await session.get(server.url + "/small")).content == b"small"
    # Counted at the other end too.
    await to_thread.run_sync(server.wait, lambda server: server.open == 0)


async def test_cancellation_of_the_tls_handshake_leaves_nothing_behind(serve: Any, tls: Any) -> None:
    server = serve.pages(pages(serve), tls.server("127.0.0.1"))
    async with HTTPSession(ssl_context=tls.client(), limits=Limits(per_host=1, idle=0)) as session:

        async def check() -> None:
            assert session.pool.counts == Counts(0, 0, 0)

        runs = await cancelled_everywhere(server, session, lambda: post_bytes(session, server.url), check)
        assert runs > 3
        await post_bytes(session, server.url)
    await to_thread.run_sync(server.wait, lambda server: server.open == 0)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("use", USES)
async def test_asyncios_own_cancellation_leaves_nothing_behind(serve: Any, use: Use) -> None:
    """`asyncio.timeout` and `Task.cancel` know no scopes."""
    server = serve.pages(pages(serve))
    async with HTTPSession(limits=Limits(per_host=2)) as session:
        for n in range(1, 2000):

            async def run(n: int = n) -> None:
                task = asyncio.current_task()
                assert task
                await CancelAt(use(session, server.url), task.cancel, n)

            running = asyncio.create_task(run())
            await asyncio.wait([running])
            await none_is_left(server, session)
            if not running.cancelled():
                running.result()
                break
        assert n > 3
        assert (await session.get(server.url + "/small")).content == b"small"
    await to_thread.run_sync(server.wait, lambda server: server.open == 0)


async def test_cancellation_in_the_line_frees_the_place(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession(limits=Limits(per_host=1)) as session:
        async with session.stream("GET", server.url) as response:
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(session.get, server.url)
                while session.pool.counts.waiting < 5:
                    await anyio.sleep(0)
                tasks.cancel_scope.cancel()
            assert session.pool.counts == Counts(1, 0, 0)
            await response.read()
        assert (await session.get(server.url)).content == b"hello"


async def test_a_cancelled_stream_block_closes_its_connection(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession() as session:
        with anyio.CancelScope() as scope:
            async with session.stream("GET", server.url) as response:
                pieces = response.iter_bytes()
                assert await anext(pieces) == b"hello"
                scope.cancel()
                await anext(pieces)
        assert scope.cancelled_caught
        assert session.pool.counts == Counts(0, 0, 0)
        await to_thread.run_sync(server.wait, lambda server: server.open == 0)
