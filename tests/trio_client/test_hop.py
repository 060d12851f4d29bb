"""The seam: a hop's head, and the ways its body may end."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest
from anyio import to_thread

from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.connection import Connection
from sansio_cache_adapters.trio.http.errors import StreamClosed
from sansio_cache_adapters.trio.http.hop import Drained, Hop
from sansio_cache_adapters.trio.http.pool import Counts
from sansio_cache_adapters.trio.http.url import Origin

pytestmark = pytest.mark.anyio


async def test_the_hop_is_the_whole_network_part(serve: Any) -> None:
    server = serve.pages({"*": serve.message(b"raw", "200 Fine", "X: 1", "x: 2")})
    async with HTTPSession() as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        assert (hop.status, hop.reason) == (200, "Fine")
        assert hop.headers == [("Content-Length", "3"), ("X", "1"), ("x", "2")]
        assert [piece async for piece in hop.chunks] == [b"raw"]
        assert session.pool.counts == Counts(0, 1, 0)
        await hop.aclose()
        hop.abort()
        assert [piece async for piece in hop.chunks] == []
        assert await hop.chunks.arrived() == b""
        assert session.pool.counts == Counts(0, 1, 0)


async def test_a_hop_that_is_over_does_not_look_at_the_connections_next_exchange(serve: Any) -> None:
    server = serve.pages({"*": serve.message(bytes(1_000_000))})
    async with HTTPSession() as session:
        old = await session.hop(session.prepare("GET", server.url, {}))
        assert sum([len(piece) async for piece in old.chunks]) == 1_000_000
        new = await session.hop(session.prepare("GET", server.url, {}))
        await old.aclose()
        assert [piece async for piece in old.chunks] == []
        assert sum([len(piece) async for piece in new.chunks]) == 1_000_000
    assert server.accepted == 1


async def test_a_read_that_is_cancelled_closes_the_connection_at_once(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession() as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        with anyio.move_on_after(0.05) as scope:
            await anext(aiter(hop.chunks))
        assert scope.cancelled_caught
        assert session.pool.counts == Counts(0, 0, 0)
        await to_thread.run_sync(server.wait, lambda server: server.open == 0)


async def test_what_has_arrived_can_be_taken_without_waiting(serve: Any) -> None:
    server = serve.pages({"*": serve.message(b"x" * 1000), "/empty": serve.message(b"")})
    async with HTTPSession() as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        taken = b""
        while piece := await hop.chunks.arrived():
            taken += piece
        assert (taken, piece) == (b"x" * 1000, b"")
        assert session.pool.counts == Counts(0, 1, 0)
        hop = await session.hop(session.prepare("GET", server.url + "/empty", {}))
        assert await hop.chunks.arrived() == b""


@pytest.mark.parametrize("abort", [False, True])
async def test_a_body_that_was_closed_has_no_clean_end(serve: Any, abort: bool) -> None:
    server = serve.pages({"*": serve.message(b"raw")})
    async with HTTPSession() as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        if abort:
            hop.abort()
        else:
            await hop.aclose()
        assert await hop.chunks.arrived() is None
        with pytest.raises(StreamClosed):
            await anext(aiter(hop.chunks))
        assert session.pool.counts == Counts(0, int(not abort), 0)
        await to_thread.run_sync(server.wait, lambda server: server.open == int(not abort))
        assert (await session.get(server.url)).content == b"raw"


async def test_nothing_has_arrived_of_a_body_that_is_still_to_come(serve: Any) -> None:
    go = threading.Event()

    def handler(peer: Any) -> None:
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        go.wait(30)
        peer.send(b"hello")
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession() as session:
        hop = await session.hop(session.prepare("GET", server.url, {}))
        assert await hop.chunks.arrived() is None
        go.set()
        assert [piece async for piece in hop.chunks] == [b"hello"]


async def test_a_body_in_memory_is_a_hops_body_too() -> None:
    chunks = Drained(b"x")
    assert (await chunks.arrived(), await chunks.arrived()) == (b"x", b"")
    hop = Hop(200, "OK", [], Drained(None))
    hop.abort()
    await hop.aclose()
    assert await hop.chunks.arrived() == b""


# id, what comes before the hop is closed
UNFINISHED: list[tuple[str, bytes]] = [
    ("nothing", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    ("a part", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"),
    ("garbage", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloZZ"),
    ("a head that goes on until the end", b"HTTP/1.1 200 OK\r\n\r\nhello"),
]


@pytest.mark.parametrize("sent", [row[1] for row in UNFINISHED], ids=[row[0] for row in UNFINISHED])
async def test_closing_before_the_end_closes_the_connection(serve: Any, sent: bytes) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(sent)
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession() as session:
        with anyio.fail_after(30):
            hop = await session.hop(session.prepare("GET", server.url, {}))
            await hop.aclose()
        assert session.pool.counts == Counts(0, 0, 0)
        with pytest.raises(StreamClosed):
            await anext(aiter(hop.chunks))
        await to_thread.run_sync(server.wait, lambda server: server.open == 0)


async def test_a_connection_can_be_half_closed_and_knows_when_it_is_closed(serve: Any) -> None:
    server = serve(lambda peer: peer.wait_for_end())
    connection = await Connection.open(Origin("http", "127.0.0.1", server.port), 5, None)
    assert connection.quiet()
    await connection._transport.send_eof()
    await to_thread.run_sync(server.wait, lambda server: server.open == 0)
    await connection.aclose()
    await connection.aclose()
    connection.shut()
    assert not connection.quiet()
