"""Hostile and broken servers: an error of ours, or the response; never a hang, never a connection used again."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import h11
import pytest
from anyio import to_thread
from hostile import BROKEN, GOOD, OK, H

from sansio_cache_adapters.trio.http import connection as trio_connection
from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.errors import (
    ConnectError,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    StreamClosed,
    TransportError,
)
from sansio_cache_adapters.trio.http.pool import Counts

pytestmark = pytest.mark.anyio

DRIPPING = [(f"{row[0]}, dripping", *row[1:], False) for row in BROKEN if len(row[1]) < 10_000]
ALL_BROKEN = [(*row, True) for row in BROKEN] + DRIPPING


@pytest.mark.parametrize(
    ("sent", "error", "whole"), [row[1:] for row in ALL_BROKEN], ids=[row[0] for row in ALL_BROKEN]
)
async def test_what_is_no_response_is_an_error_of_ours(
    serve: Any, sent: bytes, error: type[TransportError], whole: bool
) -> None:
    def handler(peer: Any) -> None:
        if peer.read():
            peer.send(sent) if whole else peer.drip(sent)

    server = serve(handler)
    async with HTTPSession(timeout=5) as session:
        with pytest.raises(error) as caught:
            await session.get(server.url)
        assert caught.value.url == server.url + "/"
        assert len(str(caught.value)) < 300
        assert session.pool.counts == Counts(0, 0, 0)


# id, what the server sends before it closes, status, body, whether the connection is kept.
SOUND: list[tuple[str, bytes, int, bytes, bool]] = [
    ("length", OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
    ("no length", OK + b"\r\nhello", 200, b"hello", False),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
    ("no reason", b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, b"hello", True),
    ("same length twice", OK + b"Content-Length: 5\r\n" * 2 + b"\r\nhello", 200, b"hello", True),
    (
        "chunks",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n",
        200,
        b"hello",
        True,
    ),
    ("close asked", OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", False),
    (
        "interim first",
        (H + b"103 Early Hints\r\nLink: x\r\n\r\n") * 3 + OK + b"Content-Length: 0\r\n\r\n",
        200,
        b"",
        True,
    ),
    ("204 and junk", H + b"204 No Content\r\n\r\njunk", 204, b"", False),
    ("304 with length", H + b"304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b"", True),
    ("junk behind", OK + b"Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n", 200, b"hello", False),
    ("latin-1", OK + b"X: \xe4\xff\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    ("900 fields", OK + b"X: y\r\n" * 900 + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    ("obs-fold", OK + b"X: a\r\n  b\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
    ("status 999", H + b"999 What\r\nContent-Length: 0\r\n\r\n", 999, b"", True),
]


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "dripping"])
@pytest.mark.parametrize(("sent", "status", "body", "kept"), [row[1:] for row in SOUND], ids=[row[0] for row in SOUND])
async def test_odd_but_sound_responses_are_read(
    serve: Any, sent: bytes, status: int, body: bytes, kept: bool, whole: bool
) -> None:
    def handler(peer: Any) -> None:
        if peer.read():
            peer.send(sent) if whole else peer.drip(sent)
            if kept:
                peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession(timeout=5) as session:
        response = await session.get(server.url)
        assert (response.status, response.content) == (status, body)
        if whole:
            assert session.pool.counts == Counts(0, int(kept), 0)
        else:
            assert session.pool.counts.active == 0


async def test_junk_in_the_same_segment_ends_the_connection(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(GOOD + b"junk")
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession() as session:
        assert (await session.get(server.url)).content == b"hello"
        assert session.pool.counts == Counts(0, 0, 0)


async def test_junk_that_comes_later_is_never_read_as_a_response(serve: Any) -> None:
    answered, sent = threading.Event(), threading.Event()

    def handler(peer: Any) -> None:
        while peer.read():
            peer.send(serve.message(b"true"))
            if peer.number == 1:
                answered.wait(30)
                peer.send(serve.message(b"false"))
                sent.set()

    server = serve(handler)
    async with HTTPSession() as session:
        assert (await session.get(server.url)).content == b"true"
        assert session.pool.counts == Counts(0, 1, 0)
        answered.set()
        await to_thread.run_sync(sent.wait, 5)
        assert (await session.get(server.url)).content == b"true"
        assert server.accepted == 2


async def test_a_reset_is_a_read_error(serve: Any) -> None:
    read = threading.Event()

    def handler(peer: Any) -> None:
        peer.read()
        peer.send(OK + b"Content-Length: 10\r\n\r\nhello")
        read.wait(30)
        peer.reset()

    server = serve(handler)
    async with HTTPSession() as session:
        async with session.stream("GET", server.url) as response:
            pieces = response.iter_bytes()
            assert await anext(pieces) == b"hello"
            read.set()
            with pytest.raises(ReadError):
                await anext(pieces)
            assert session.pool.counts == Counts(0, 0, 0)
            with pytest.raises(StreamClosed):
                await anext(pieces)
        assert session.pool.counts == Counts(0, 0, 0)


async def test_nobody_there_is_a_connect_error(serve: Any) -> None:
    server = serve(lambda peer: None)
    server.close()
    async with HTTPSession() as session:
        with pytest.raises(ConnectError) as caught:
            await session.get(server.url)
        assert isinstance(caught.value.__cause__, OSError)
        assert session.pool.counts == Counts(0, 0, 0)


async def test_plain_http_on_a_tls_port_is_a_connect_error(serve: Any) -> None:
    server = serve(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    async with HTTPSession() as session:
        with pytest.raises(ConnectError):
            await session.get(server.url.replace("http:", "https:"))


@pytest.mark.parametrize("before", [b"", H + b"103 Early Hints\r\n\r\n"], ids=["first", "after an interim"])
@pytest.mark.parametrize("size", [65_536, 65_537, 200_000])
@pytest.mark.parametrize("start", [H + b"200 ", H + b"103 ", OK + b"X: "], ids=["reason", "interim", "field"])
async def test_a_head_may_have_64_kib_also_if_it_comes_at_once(
    serve: Any, start: bytes, size: int, before: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = b"\r\nContent-Length: 0\r\n\r\n"
    head = start + b"y" * (size - len(start) - len(end)) + end
    sent = [before + head + GOOD, b""]

    async def receive(self: Any, max_bytes: int = 0) -> bytes:
        return sent.pop(0)

    server = serve.pages({})
    monkeypatch.setattr(trio_connection._Transport, "receive", receive)
    async with HTTPSession() as session:
        if size > 65_537:
            with pytest.raises(RemoteProtocolError, match="too long"):
                await session.get(server.url)
        else:
            assert (await session.get(server.url)).status == 200


async def test_what_h11_never_gives_would_be_an_error_too(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve.pages({})
    monkeypatch.setattr(h11.Connection, "next_event", lambda self: h11.PAUSED)
    async with HTTPSession() as session:
        with pytest.raises(RemoteProtocolError, match="in the place of a response"):
            await session.get(server.url)


async def test_an_upgrade_that_was_asked_for_is_refused_too(serve: Any) -> None:
    server = serve.raw(H + b"101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    async with HTTPSession() as session:
        with pytest.raises(RemoteProtocolError, match="another protocol"):
            await session.get(server.url, headers={"Connection": "Upgrade", "Upgrade": "x"})


async def test_an_upgrade_that_the_server_ignores_does_no_harm(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession() as session:
        response = await session.get(server.url, headers={"Connection": "Upgrade", "Upgrade": "x"})
        assert response.content == b"hello"
        assert session.pool.counts == Counts(0, 1, 0)


async def test_connect_is_refused_before_anything_is_sent(serve: Any) -> None:
    server = serve.pages({})
    async with HTTPSession() as session:
        with pytest.raises(LocalProtocolError):
            await session.request("CONNECT", server.url)
        assert server.accepted == 0


async def test_two_readers_of_one_body_are_told_so(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(OK + b"Content-Length: 5\r\n\r\n")
        peer.wait_for_end()

    server = serve(handler)
    errors: list[TransportError] = []

    async def read(pieces: Any) -> None:
        try:
            await anext(pieces)
        except TransportError as exc:
            errors.append(exc)

    async with HTTPSession() as session, session.stream("GET", server.url) as response:
        pieces = response.iter_bytes()
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read, pieces)
                tasks.start_soon(read, pieces)
        assert {type(exc) for exc in errors} == {LocalProtocolError, ReadError}
        assert session.pool.counts == Counts(0, 0, 0)
