"""Drop-in, points 1, 3 and 6: misses pass through untouched, and nothing is read before the caller asks."""

from __future__ import annotations

import asyncio
import gc
import gzip
import random
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientTimeout
from local_origin import Conversation, Origin, Reply, Seen, fresh, redirect

from sansio_cache import AsyncCachedSession, MemoryStore
from sansio_cache_adapters.aiohttp.private_reader import PulledReader
from sansio_cache_adapters.cache.flights import FLIGHTS

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]
HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"


async def is_stored(session: AsyncCachedSession, url: str) -> bool:
    """Whether a request would be answered from the store."""
    response = await session.get(url, only_if_cached=True)
    response.close()
    return response.status != 504


class Gate:
    """A body that is sent as far as the test lets it."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self._more = threading.Semaphore(0)
        self.sent = 0

    def let(self, pieces: int = 1) -> None:
        for _ in range(pieces):
            self._more.release()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._more.acquire(timeout=30)
            yield piece
            self.sent += 1


def chunked(body: Any) -> Reply:
    reply = fresh(body)
    reply.framing = "chunked"
    return reply


async def test_get_returns_before_the_body_has_come(session: AsyncCachedSession, origin: Origin) -> None:
    """``await session.get()`` waits for the head alone; the body streams; its end stores it."""
    gate = Gate(b"one", b"two")
    url = origin.on("/a", chunked(gate))
    response = await session.get(url)
    assert not response.closed
    gate.let()
    assert await response.content.readany() == b"one"
    assert not await is_stored(session, url)
    gate.let()
    assert await response.content.readany() == b"two"
    assert await response.content.readany() == b""
    assert response.content.at_eof()
    assert await is_stored(session, url)
    assert await (await session.get(url)).read() == b"onetwo"


async def test_what_is_neither_stored_nor_decoded_is_aiohttps_own(session: AsyncCachedSession, origin: Origin) -> None:
    """Nothing is teed that will not be stored, or is already: the reader stays the client's."""
    url = origin.on("/a", Reply(b"body", fields={"Cache-Control": "no-store"}))
    response = await session.get(url)
    assert type(response.content) is aiohttp.StreamReader
    assert await response.read() == b"body"
    url = origin.on("/b", fresh(b"body" * 100_000))
    response = await session.get(url)
    assert type(response.content) is PulledReader
    await response.read()

    def at_once(seen: Seen, connection: Conversation) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nbody")

    url = origin.script("/c", at_once)
    response = await session.get(url)
    assert type(response.content) is aiohttp.StreamReader
    assert await is_stored(session, url)
    assert await response.read() == b"body"


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("coded", [False, True])
async def test_every_framing_is_stored(session: AsyncCachedSession, origin: Origin, framing: str, coded: bool) -> None:
    """Content-Length, chunks and the end of the connection, coded or not, one byte or many."""
    for number, body in enumerate((b"", b"x", b"xyz" * 100_000, random.Random(1).randbytes(1_500_000))):
        reply = fresh(body, coded=coded)
        reply.framing = framing
        url = origin.on(f"/{number}", reply)
        for _ in range(2):
            response = await session.get(url)
            assert await response.read() == body
        assert response.from_cache


async def test_the_last_byte_of_a_known_length_is_the_end(session: AsyncCachedSession, origin: Origin) -> None:
    """A reader that never asks for the empty read after it has stored it nevertheless."""
    url = origin.on("/a", fresh(b"0123456789"))
    response = await session.get(url)
    assert await response.content.readexactly(10) == b"0123456789"
    assert response.content.at_eof()
    response.close()
    assert await is_stored(session, url)


async def test_http_chunks_keep_their_ends(session: AsyncCachedSession, origin: Origin) -> None:
    """``iter_chunks`` sees the origin's chunks as without a cache."""
    pieces = [b"one", b"two" * 1000, b"three"]
    url = origin.on("/a", chunked(pieces))
    seen: list[list[tuple[bytes, bool]]] = []
    for kind in (session, aiohttp.ClientSession()):
        async with kind.get(url) as response:
            whole: list[tuple[bytes, bool]] = []
            data = b""
            async for piece, ends in response.content.iter_chunks():
                data += piece
                if ends and data:  # aiohttp may show the end of the body as an end once more, as the packets come
                    whole.append((data, ends))
                    data = b""
            seen.append(whole)
        if kind is not session:
            await kind.close()
    assert seen[0] == seen[1] == [(piece, True) for piece in pieces]


class CutShort:
    """A body that ends too early, after its client has seen the beginning.

    aiohttp gives nothing of what came together with the end.
    """

    def __init__(self) -> None:
        self._let = threading.Semaphore(0)

    def __call__(self, seen: Seen, connection: Conversation) -> None:
        connection.send(HEAD + b"Content-Length: 100\r\n\r\nhalf of it")
        self._let.acquire(timeout=30)

    def let(self) -> None:
        self._let.release()


def cut_in_a_chunk(seen: Seen, connection: Conversation) -> None:
    connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo")


def reset(seen: Seen, connection: Conversation) -> None:
    connection.send(HEAD + b"Content-Length: 100\r\n\r\nhalf")
    connection.reset()


@pytest.mark.parametrize("make", [CutShort, lambda: cut_in_a_chunk, lambda: reset], ids=["short", "chunk", "reset"])
async def test_a_broken_body_shows_itself_in_read(
    session: AsyncCachedSession, origin: Origin, no_flight_is_left: Callable[[], None], make: Callable[[], Any]
) -> None:
    """The client's own error, from ``read()`` and not from ``get()``; none of it is kept, none waits."""
    script = make()
    url = origin.script("/a", script)
    failures: list[Exception] = []
    async with aiohttp.ClientSession() as plain:
        for client in (plain, session):
            response = await client.get(url)
            if isinstance(script, CutShort):
                script.let()
            with pytest.raises(aiohttp.ClientError) as caught:
                await response.read()
            failures.append(caught.value)
            assert response.closed
            with pytest.raises(aiohttp.ClientError):
                await response.read()
            response.close()
    assert type(failures[0]) is type(failures[1])
    assert str(failures[0]) == str(failures[1])
    assert not await is_stored(session, url)
    no_flight_is_left()


async def test_reading_on_after_a_break_fails_again(session: AsyncCachedSession, origin: Origin) -> None:
    """``exception()`` tells of it, and every further read raises it."""
    script = CutShort()
    url = origin.script("/a", script)
    response = await session.get(url)
    assert await response.content.readexactly(10) == b"half of it"
    script.let()
    with pytest.raises(ClientPayloadError):
        await response.content.readany()
    assert isinstance(response.content.exception(), ClientPayloadError)
    with pytest.raises(ClientPayloadError):
        await response.content.read(1)
    response.close()


async def test_a_timeout_shows_itself_in_read(session: AsyncCachedSession, origin: Origin) -> None:
    """``sock_read`` and ``total``, while the body stalls: from ``read()``, and nothing is kept."""
    for number, timeout in enumerate((ClientTimeout(sock_read=1), ClientTimeout(total=1.5))):
        gate = Gate(b"one", b"two")
        gate.let()
        url = origin.on(f"/{number}", chunked(gate))
        response = await session.get(url, timeout=timeout)
        assert await response.content.readany() == b"one"
        with pytest.raises(asyncio.TimeoutError):
            await response.read()
        assert response.closed
        gate.let(2)
        assert not await is_stored(session, url)


async def test_a_timeout_before_the_head_is_get_s(session: AsyncCachedSession, origin: Origin) -> None:
    """A head that does not come times out in ``get()``, as without a cache."""
    hold = threading.Event()

    def late(_: Seen) -> Reply:
        hold.wait(30)
        return fresh(b"late")

    url = origin.on("/a", late)
    with pytest.raises(asyncio.TimeoutError):
        await session.get(url, timeout=ClientTimeout(total=0.1))
    hold.set()
    assert FLIGHTS.count() == 0


async def test_nothing_listens(session: AsyncCachedSession, origin: Origin) -> None:
    """A refused connection is aiohttp's own error."""
    url = origin.url("/a")
    origin.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await session.get(url)
    assert FLIGHTS.count() == 0


@pytest.mark.parametrize("leave", ["release", "close", "context", "raise_for_status"])
async def test_what_has_arrived_of_an_unread_body_is_kept(
    session: AsyncCachedSession, origin: Origin, eventually: Any, leave: str
) -> None:
    """``if r.status == 404: return`` stores the response, if it completes the message."""
    reply = fresh(b"x" * 10_000)
    reply.status = 404
    url = origin.on("/a", reply)
    response = await session.get(url)
    await response.content.wait_eof()
    if leave == "release":
        await response.release()
    elif leave == "close":
        response.close()
        await asyncio.sleep(0)
    elif leave == "context":
        async with response:
            pass
    else:
        with pytest.raises(aiohttp.ClientResponseError):
            response.raise_for_status()
        await asyncio.sleep(0)
    await session.close()
    again = AsyncCachedSession(cache=session.cache.store, secret_key="a secret of at least sixteen bytes")
    assert await is_stored(again, url)
    await again.close()
    assert FLIGHTS.count() == 0


async def test_an_unread_body_that_has_not_arrived_is_given_up(session: AsyncCachedSession, origin: Origin) -> None:
    """Releasing does not wait; the connection is dropped as without a cache, and no request waits for the flight."""
    gate = Gate(b"one", b"two")
    gate.let()
    url = origin.on("/a", chunked(gate))
    async with session.get(url) as response:
        assert await response.content.readany() == b"one"
    gate.let(2)
    assert FLIGHTS.count() == 0
    assert not await is_stored(session, url)
    await (await session.get(origin.on("/b", fresh(b"b")))).read()
    assert origin.last("/b").connection != origin.last("/a").connection


async def test_more_than_64_kib_unread_is_not_taken(session: AsyncCachedSession, origin: Origin) -> None:
    """More than that is not kept in memory."""
    url = origin.on("/a", fresh(b"x" * 100_000))
    async with session.get(url) as response:
        await response.content.wait_eof()
    assert not await is_stored(session, url)


async def test_a_body_half_read_by_bytes_and_then_released_is_kept(session: AsyncCachedSession, origin: Origin) -> None:
    """The part that was read and the part that had arrived make the message."""
    body = bytes(range(200))
    url = origin.on("/a", fresh(body))
    async with session.get(url) as response:
        assert await response.content.read(50) == body[:50]
        await response.content.wait_eof()
    hit = await session.get(url)
    assert hit.from_cache
    assert await hit.read() == body


async def test_a_response_that_is_forgotten_keeps_nobody_waiting(
    sessions: Sessions, origin: Origin, eventually: Any
) -> None:
    """aiohttp keeps it alive with its connection; its flight ends after ``wait_for_body``; nothing is stored."""
    session = sessions(wait_for_body=0.1)
    gate = Gate(b"one", b"two")
    gate.let()
    url = origin.on("/a", chunked(gate))
    response = await session.get(url)
    assert await response.content.readany() == b"one"
    assert FLIGHTS.count() == 1
    del response
    await eventually(lambda: FLIGHTS.count() == 0)
    gate.let(2)
    await eventually(lambda: gate.sent == 2 and not session.connector._acquired)
    gc.collect()
    assert not await is_stored(session, url)


async def test_a_redirect_is_stored_though_nobody_reads_it(
    session: AsyncCachedSession, origin: Origin, eventually: Any
) -> None:
    """Its body is read up to 64 KiB, even where it comes late; without following, nothing is read."""
    gate = Gate(b"mo", b"ved")
    reply = redirect("/b", 301)
    reply.body, reply.framing = gate, "chunked"
    url = origin.on("/a", reply)
    origin.on("/b", fresh(b"end"))
    asking = asyncio.create_task(_text(session, url))
    gate.let()
    await eventually(lambda: gate.sent == 1)
    gate.let()
    assert await asking == "end"
    assert await is_stored(session, url)
    unread = redirect("/b", 301)
    late = Gate(b"late")
    unread.body, unread.framing = late, "chunked"
    response = await session.get(origin.on("/c", unread), allow_redirects=False)
    assert response.status == 301
    response.close()
    late.let()


async def _text(session: AsyncCachedSession, url: str) -> str:
    async with session.get(url) as response:
        return await response.text()


async def test_a_redirect_whose_body_stalls_is_followed(sessions: Sessions, origin: Origin) -> None:
    """It is waited for, for ``wait_for_body`` at most, then followed unstored."""
    session = sessions(wait_for_body=0.1)
    gate = Gate(b"never")
    reply = redirect("/b", 301)
    reply.body, reply.framing = gate, "chunked"
    url = origin.on("/a", reply)
    origin.on("/b", fresh(b"end"))
    assert await _text(session, url) == "end"
    assert FLIGHTS.count() == 0
    gate.let(2)


async def test_a_redirect_with_a_large_or_broken_body_is_followed(session: AsyncCachedSession, origin: Origin) -> None:
    """Errors in it, or beyond 64 KiB, are not raised."""
    large = redirect("/b", 301)
    large.body = b"x" * 500_000
    short = redirect("/b", 301)
    short.length = 1000
    short.framing = "length"
    origin.on("/b", fresh(b"end"))
    for number, reply in enumerate((large, short)):
        url = origin.on(f"/r{number}", reply)
        if reply is short:

            def cut(_: Seen, connection: Conversation, reply: Reply = reply) -> None:
                connection.reply(reply, "GET")

            url = origin.script("/cut", cut)
        assert await _text(session, url) == "end"
        response = await session.get(url, only_if_cached=True, allow_redirects=False)
        assert response.status == 504


async def test_back_pressure_is_natural(session: AsyncCachedSession, origin: Origin) -> None:
    """A reader that does not read holds up the origin, with a cache between them too."""
    sent = 0
    piece = b"x" * 65_536

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1600):
            yield piece
            sent += len(piece)

    url = origin.on("/a", chunked(body()))
    response = await session.get(url)
    await response.content.readexactly(65_536)
    last = -1
    while sent != last:
        last = sent
        await asyncio.sleep(0.1)
    assert sent < 80 * 2**20
    total = 65_536
    async for data in response.content.iter_any():
        total += len(data)
    assert total == 1600 * 65_536


async def test_two_readers_at_once_are_refused(session: AsyncCachedSession, origin: Origin, eventually: Any) -> None:
    """As aiohttp's reader does."""
    gate = Gate(b"one")
    response = await session.get(origin.on("/a", chunked(gate)))
    first = asyncio.create_task(response.content.read())
    await eventually(lambda: response.content._pulling)
    with pytest.raises(RuntimeError, match="another coroutine is already waiting for incoming data"):
        await response.content.read(1)
    gate.let()
    assert await first == b"one"


async def test_a_read_that_is_given_up_can_be_taken_up_again(session: AsyncCachedSession, origin: Origin) -> None:
    """``asyncio.wait_for`` around a read of the content loses no byte, and the body is stored."""
    gate = Gate(b"one", b"two")
    url = origin.on("/a", chunked(gate))
    response = await session.get(url)
    for piece in (b"one", b"two"):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(response.content.readany(), 0.05)
        gate.let()
        assert await response.content.readany() == piece
    assert await response.content.readany() == b""
    assert await (await session.get(url)).read() == b"onetwo"
    assert origin.count() == 1


async def test_releasing_wakes_the_reader(session: AsyncCachedSession, origin: Origin, eventually: Any) -> None:
    """A reader in another task gets the client's own error, and nothing is kept."""
    gate = Gate(b"one")
    url = origin.on("/a", chunked(gate))
    response = await session.get(url)
    reading = asyncio.create_task(response.content.read())
    await eventually(lambda: response.content._pulling)
    response.release()
    with pytest.raises(ClientConnectionError, match="Connection closed"):
        await reading
    gate.let()
    assert FLIGHTS.count() == 0
    assert not await is_stored(session, url)


async def test_setting_an_exception_reaches_the_reader(session: AsyncCachedSession, origin: Origin) -> None:
    """``content.set_exception`` is aiohttp's way to break a body off."""
    gate = Gate(b"one")
    response = await session.get(origin.on("/a", chunked(gate)))
    response.content.set_exception(RuntimeError("mine"))
    with pytest.raises(RuntimeError, match="mine"):
        await response.read()
    assert response.closed
    gate.let()


async def test_a_head_and_a_204_are_stored_at_once(session: AsyncCachedSession, origin: Origin) -> None:
    """Where there is no content, there is nothing to wait for."""
    empty = Reply(status=204, fields={"Cache-Control": "max-age=60"}, framing="none")
    url = origin.on("/a", empty)
    for _ in range(2):
        response = await session.get(url)
        assert await response.read() == b""
    assert response.from_cache
    url = origin.on("/b", fresh(b"body", coded=True))
    for _ in range(2):
        response = await session.head(url)
        assert await response.read() == b""
        assert response.headers["Content-Encoding"] == "gzip"
    assert response.from_cache
    assert origin.count() == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_pass_and_invalidate(session: AsyncCachedSession, origin: Origin, method: str) -> None:
    """They go to the origin each time; unsafe ones invalidate what is stored of their URL (RFC 9111 §4.4)."""
    url = origin.on("/a", fresh(b"body"))
    await (await session.get(url)).read()
    for _ in range(2):
        response = await session.request(method, url)
        assert await response.read() == b"body"
        assert not response.from_cache
    assert origin.count() == 3
    assert await is_stored(session, url) == (method == "OPTIONS")


async def test_a_body_that_passes_by_is_not_touched(session: AsyncCachedSession, origin: Origin) -> None:
    """Files, iterators and multipart forms go out as they are; a GET with one is not looked up."""
    url = origin.on("/a", fresh(b"body"))

    async def pieces() -> Any:
        yield b"one"
        yield b"two"

    form = aiohttp.FormData()
    form.add_field("file", b"content", filename="name")
    for data in (pieces(), form):
        await (await session.post(url, data=data)).read()
    assert b"content" in origin.last().body
    assert origin.seen[0].body == b"onetwo"
    for _ in range(2):
        response = await session.get(url, data=pieces())
        await response.read()
        assert response.cache_status.endswith('detail="body-not-known"')
    for text in ("one", "one", "two"):
        response = await session.get(url, json={"query": text})
        await response.read()
    assert origin.count() == 6
    assert origin.last().body == b'{"query": "two"}'


async def test_a_body_opted_in_is_part_of_the_key(sessions: Sessions, origin: Origin) -> None:
    """``allowed_methods=("GET", "POST")``: bytes, texts and forms are known; what can be read once is not."""
    session = sessions(allowed_methods=("GET", "POST"))
    url = origin.on("/a", lambda seen: fresh(seen.body))
    for data in (b"one", b"two", "one text", {"a": "1"}):
        first, second = [await (await session.post(url, data=data)).read() for _ in range(2)]
        assert first == second
    assert origin.count() == 4
    response = await session.post(url, json={"a": 1})
    assert not response.from_cache
    await response.read()
    assert (await session.post(url, json={"a": 1})).from_cache
    buffer = bytearray(b"may change")
    for _ in range(2):
        assert not (await session.post(url, data=buffer)).from_cache


async def test_endless_streams_never_wait_for_their_end(session: AsyncCachedSession, origin: Origin) -> None:
    """An event stream gives each event as it comes, and is left at will."""
    gate = Gate(b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")
    reply = Reply(gate, fields={"Content-Type": "text/event-stream", "Cache-Control": "max-age=60"}, framing="chunked")
    url = origin.on("/events", reply)
    async with session.get(url) as response:
        for number in (1, 2):
            gate.let()
            assert await response.content.readline() == b"data: %d\n" % number
            assert await response.content.readline() == b"\n"
    gate.let(2)
    assert FLIGHTS.count() == 0


async def test_a_body_beyond_the_bound_passes_unstored(sessions: Sessions, origin: Origin) -> None:
    """By Content-Length before the first byte, or when it is exceeded."""
    for cache in (MemoryStore(), None):
        session = sessions(max_body=100_000) if cache is None else sessions(cache=cache, max_body=100_000)
        body = b"x" * 200_000
        url = origin.on("/length", fresh(body))
        response = await session.get(url)
        assert response.cache_status == 'sansio-cache;fwd=uri-miss;fwd-status=200;detail="too-large"'
        assert type(response.content) is aiohttp.StreamReader
        assert await response.read() == body
        url = origin.on("/chunked", chunked([body[:90_000], body[90_000:]]))
        assert await (await session.get(url)).read() == body
        assert not await is_stored(session, url)
    assert FLIGHTS.count() == 0


async def test_gzip_that_ends_early_is_not_stored(session: AsyncCachedSession, origin: Origin) -> None:
    """aiohttp gives what there is; the cache keeps nothing (G17)."""
    whole = gzip.compress(b"hello" * 1000)
    reply = Reply(whole[:-9], fields={"Cache-Control": "max-age=60", "Content-Encoding": "gzip"})
    url = origin.on("/a", reply)
    async with aiohttp.ClientSession() as plain, plain.get(url) as response:
        expected = await response.read()
    assert await (await session.get(url)).read() == expected
    assert not await is_stored(session, url)
    reply = Reply(zlib.compress(b"hello" * 1000)[:-9], fields=reply.fields)
    url = origin.on("/b", Reply(reply.body, fields={"Cache-Control": "max-age=60", "Content-Encoding": "deflate"}))
    with pytest.raises(ClientPayloadError):
        await (await session.get(url)).read()
    assert not await is_stored(session, url)
