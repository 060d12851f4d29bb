"""Requests that are sent again, and those that must not be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio import to_thread

from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.errors import ReadError, RemoteProtocolError, SessionClosed, StreamConsumed
from sansio_cache_adapters.trio.http.pool import Counts

pytestmark = pytest.mark.anyio


class Replayable:
    def __init__(self) -> None:
        self.begun = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun += 1
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"x"


async def once() -> AsyncIterator[bytes]:
    yield b"x"


# id, method, content, whether it is sent again
AGAIN: list[tuple[str, str, Any, bool]] = [
    ("GET", "GET", None, True),
    ("HEAD", "HEAD", None, True),
    ("PUT", "PUT", lambda: b"x", True),
    ("DELETE", "DELETE", None, True),
    ("OPTIONS", "OPTIONS", None, True),
    ("POST", "POST", lambda: b"x", False),
    ("PATCH", "PATCH", lambda: b"x", False),
    ("unknown method", "QUERY", lambda: b"x", False),
    ("PUT, iterable", "PUT", Replayable, True),
    ("PUT, iterator", "PUT", once, False),
]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(("method", "content", "again"), [row[1:] for row in AGAIN], ids=[row[0] for row in AGAIN])
async def test_a_request_lost_on_a_kept_connection_is_sent_again_where_allowed(
    serve: Any, method: str, content: Any, again: bool, how: str
) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(serve.message(b"" if method == "HEAD" else b"first"))
        peer.read()
        if peer.number > 1:
            peer.send(serve.message(b"" if method == "HEAD" else b"second"))
        elif how == "reset":
            peer.reset()

    server = serve(handler)
    async with HTTPSession() as session:
        await session.get(server.url)
        body = content() if content else None
        if again:
            response = await session.request(method, server.url, content=body)
            assert response.content == (b"" if method == "HEAD" else b"first")
        else:
            with pytest.raises((RemoteProtocolError, ReadError)):
                await session.request(method, server.url, content=body)
        assert session.pool.counts.active == 0
    assert server.accepted == (2 if again else 1)


async def test_a_new_connection_that_the_server_closes_is_not_tried_again(serve: Any) -> None:
    server = serve(lambda peer: peer.read())
    async with HTTPSession() as session:
        with pytest.raises(RemoteProtocolError, match="without an answer"):
            await session.get(server.url)
    assert server.accepted == 1


async def test_a_half_answer_on_a_kept_connection_is_not_tried_again(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(serve.message())
        peer.read()
        peer.send(b"HTTP/1.1")

    server = serve(handler)
    async with HTTPSession() as session:
        await session.get(server.url)
        with pytest.raises(RemoteProtocolError):
            await session.get(server.url)
    assert server.accepted == 1


async def test_a_content_that_can_be_read_once_is_not_sent_on_a_second_request(serve: Any) -> None:
    server = serve.pages({"*": serve.message()})
    async with HTTPSession() as session:
        request = session.prepare("POST", server.url, {"content": once()})
        hop = await session.hop(request)
        await hop.aclose()
        with pytest.raises(StreamConsumed):
            await session.hop(request)
        assert session.pool.counts == Counts(0, 0, 0)


async def test_closing_the_session_stops_a_second_attempt(serve: Any) -> None:
    def handler(peer: Any) -> None:
        peer.read()
        peer.send(serve.message())
        peer.read()
        peer.wait_for_end()

    server = serve(handler)
    session = HTTPSession()
    await session.get(server.url)

    async def get() -> None:
        with pytest.raises(SessionClosed):
            await session.get(server.url)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(get)
            await to_thread.run_sync(server.wait, lambda server: len(server.seen) == 2)
            await session.aclose()
    assert session.pool.counts == Counts(0, 0, 0)
