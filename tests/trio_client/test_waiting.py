"""Servers that keep one waiting: every wait ends, by its timeout, by a scope or by closing the session."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest
from anyio import to_thread

from sansio_cache_adapters.trio.http.client import HTTPSession, Limits, Timeout
from sansio_cache_adapters.trio.http.errors import (
    ConnectTimeout,
    ReadTimeout,
    SessionClosed,
    TransportError,
    WriteTimeout,
)
from sansio_cache_adapters.trio.http.pool import Counts

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\n"


async def test_a_handshake_that_never_ends_is_a_connect_timeout(serve: Any) -> None:
    server = serve(lambda peer: peer.wait_for_end())
    async with HTTPSession(timeout=Timeout(connect=0.1)) as session:
        with anyio.fail_after(30), pytest.raises(ConnectTimeout):
            await session.get(server.url.replace("http:", "https:"))
        assert session.pool.counts == Counts(0, 0, 0)


# id, what the server sends before it waits, the timeouts, the error
SILENT: list[tuple[str, bytes, Timeout, type[TransportError]]] = [
    ("nothing", b"", Timeout(read=0.1), ReadTimeout),
    ("half a head", b"HTTP/1.1 200 OK\r\n", Timeout(read=0.1), ReadTimeout),
    ("half a body", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Timeout(read=0.1), ReadTimeout),
    ("interim only", b"HTTP/1.1 100 Continue\r\n\r\n", Timeout(read=0.1), ReadTimeout),
]


@pytest.mark.parametrize(("sent", "timeout", "error"), [row[1:] for row in SILENT], ids=[row[0] for row in SILENT])
async def test_a_server_that_never_answers_is_given_up(
    serve: Any, sent: bytes, timeout: Timeout, error: type[TransportError]
) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(sent)
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession(timeout=timeout) as session:
        with anyio.fail_after(30), pytest.raises(error, match=r"0\.1 s"):
            await session.get(server.url)
        assert session.pool.counts == Counts(0, 0, 0)
        await to_thread.run_sync(server.wait, lambda server: server.open == 0)


async def test_a_scope_bounds_a_server_that_drips(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(OK + b"Content-Length: 1000000\r\n\r\n")
        while True:
            peer.send(b"x")

    server = serve(handler)
    async with HTTPSession() as session:
        with anyio.move_on_after(0.1) as scope:
            await session.get(server.url)
        assert scope.cancelled_caught
        assert session.pool.counts == Counts(0, 0, 0)


async def test_a_body_in_tiny_chunks_is_read_in_steps(serve: Any) -> None:
    server = serve.raw(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n")
    async with HTTPSession() as session, session.stream("GET", server.url) as response:
        sizes = [len(piece) async for piece in response.iter_bytes()]
    assert sum(sizes) == 5_000
    assert max(sizes) <= 256


async def test_a_server_that_reads_nothing_is_given_up(serve: Any) -> None:
    finish = threading.Event()

    def handler(peer: Any) -> None:
        peer.read_head()
        finish.wait(30)

    server = serve(handler)
    async with HTTPSession(timeout=Timeout(write=0.2)) as session:
        with anyio.fail_after(30), pytest.raises(WriteTimeout):
            await session.post(server.url, content=bytes(50_000_000))
        assert session.pool.counts == Counts(0, 0, 0)
    finish.set()


async def test_an_early_answer_is_read_although_the_body_could_not_be_sent(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read_head()
        peer.send(serve.message(b"too large", "413 Content Too Large", "Connection: close"))
        # Read on for a while, as a careful server does (RFC 9112 §9.6), then close.
        for _ in range(20):
            peer.receive()

    server = serve(handler)
    async with HTTPSession() as session:
        with anyio.fail_after(30):
            try:
                response = await session.post(server.url, content=bytes(50_000_000))
            except TransportError:
                pass  # the reset overtook the answer: TCP allows that
            else:
                assert response.status == 413
        assert session.pool.counts == Counts(0, 0, 0)


async def test_closing_the_session_ends_what_is_under_way(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.wait_for_end()

    server = serve(handler)
    session = HTTPSession(limits=Limits(per_host=1))
    errors: list[str] = []

    async def get() -> None:
        try:
            await session.get(server.url)
        except TransportError as exc:
            errors.append(type(exc).__name__)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(get)
            await to_thread.run_sync(server.wait, lambda server: len(server.seen) == 1)
            await session.aclose()
    assert sorted(errors) == ["ReadError", "SessionClosed", "SessionClosed"]
    assert session.pool.counts == Counts(0, 0, 0)
    with pytest.raises(SessionClosed):
        await session.get(server.url)
