"""Bodies under httpx2's clients: read, left in the middle, closed unread, dropped, broken."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable

import anyio
import httpx2
import pytest
from anyio import to_thread
from colours import COLOURS, Client, Colour
from httpx_answers import FRESH, hit
from left_behind import no_flight_is_left
from local_origin import Conversation, Reply, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import MemoryStore
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.stores.finalizers import RELEASING

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", COLOURS, indirect=True)]

LARGE = bytes(3_000_000)


def in_pieces(body: bytes) -> Reply:
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    return Reply(pieces, fields=FRESH, framing="chunked")


async def test_a_large_body_streams_on_a_miss_and_on_a_hit(client: Client, origin: WatchedOrigin) -> None:
    body = bytes(range(256)) * 16_384
    url = origin.on("/", in_pieces(body))
    for _ in range(2):
        async with client.stream("GET", url) as response:
            pieces = await client.pieces(response)
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) <= 1024**2
        assert response.num_bytes_downloaded == len(body)
    assert hit(response)
    assert origin.count() == 1
    assert (await client.get(url)).content == body


async def test_the_body_of_a_hit_outlives_its_client(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(LARGE))
    await client.get(url)
    response = await client.unread(url)
    await client.close()
    assert hit(response)
    assert await client.read(response) == LARGE


async def test_a_cut_coding_is_not_stored(client: Client, store: MemoryStore, origin: WatchedOrigin) -> None:
    cut = gzip.compress(b"the quick brown fox" * 500)[:-10]
    url = origin.on("/", fresh(cut, content_encoding="gzip"))
    for _ in range(2):
        async with client.stream("GET", url) as response:
            assert b"".join(await client.pieces(response, raw=True)) == cut
    assert (origin.count(), store.size().entries) == (2, 0)


# Left, closed, dropped


async def nothing_is_left(origin: WatchedOrigin) -> None:
    await to_thread.run_sync(origin.wait_for_none)
    await to_thread.run_sync(no_flight_is_left)  # while a loop ends generators in its own time


# On trio httpx2 leaves a generator of its own to the collector, with or without a cache.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*PoolByteStream:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Async generator 'httpcore2.*PoolByteStream:ResourceWarning")
async def test_a_body_left_in_the_middle_is_not_stored(
    client: Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(LARGE))
    async with client.stream("GET", url) as response:
        await client.first_piece(response)
    await nothing_is_left(origin)
    assert store.size().entries == 0
    assert (await client.get(url)).content == LARGE
    assert hit(await client.get(url))


async def test_a_response_dropped_unread_sets_free_those_who_wait(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(LARGE))
    response = await client.unread(url)
    assert FLIGHTS.count() == 1
    del response
    assert RELEASING.wait(30)
    assert FLIGHTS.count() == 0
    assert (await client.get(url)).content == LARGE


def at_once(data: bytes) -> Callable[[Seen, Conversation], None]:
    """A script that sends a message in one piece."""
    return lambda _, conversation: conversation.send(data)


def half(_: Seen, conversation: Conversation) -> None:
    """A script that sends the half of a message."""
    conversation.send(Reply(b"half", fields=FRESH, length=8).head() + b"half")
    conversation.wait_for_end()


CHUNKED = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("framing", ["length", "chunked", "empty", "head"])
async def test_what_has_arrived_of_a_body_closed_unread_is_kept(
    client: Client, origin: WatchedOrigin, framing: str
) -> None:
    url = origin.on("/", fresh(b"" if framing == "empty" else b"hello"))
    if framing == "chunked":
        origin.script("/", at_once(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"))
    method = "HEAD" if framing == "head" else "GET"
    async with client.stream(method, url):
        pass
    assert hit(await client.request(method, url))
    # The origin waits for the next request: the connection was given back.
    assert framing == "chunked" or origin.open == 1


async def test_what_lies_in_the_socket_of_a_body_closed_unread_is_kept(client: Client, origin: WatchedOrigin) -> None:
    sent = threading.Event()

    def later(_: Seen, conversation: Conversation) -> None:
        conversation.send(fresh(b"hello").head())
        sent.wait(30)
        conversation.send(b"hello")

    url = origin.script("/", later)
    async with client.stream("GET", url) as response:
        sent.set()
        while not response.extensions["network_stream"].get_extra_info("is_readable"):
            await anyio.sleep(0)
    assert hit(await client.get(url))


async def test_closing_a_body_unread_never_waits_for_it(
    client: Client, store: MemoryStore, origin: WatchedOrigin
) -> None:
    async with client.stream("GET", origin.script("/", half)):
        pass
    await nothing_is_left(origin)
    assert store.size().entries == 0


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_more_than_a_little_is_not_read_of_a_body_closed_unread(
    client: Client, store: MemoryStore, origin: WatchedOrigin, framing: str
) -> None:
    async with client.stream("GET", origin.on("/", fresh(LARGE) if framing == "length" else in_pieces(LARGE))):
        pass
    await nothing_is_left(origin)
    assert store.size().entries == 0


async def test_the_last_byte_is_the_end(client: Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    async with client.stream("GET", url) as response:
        assert await client.first_piece(response) == b"hello"
        assert hit(await client.get(url))


# Broken


BROKEN = {
    "short": Reply(b"half", fields=FRESH, length=8).head() + b"half",
    "no end of chunks": CHUNKED + b"4\r\nhalf\r\n",
    "no chunk": CHUNKED + b"4\r\nhalf\r\nzz\r\n",
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_body_fails_as_without_a_cache_and_is_not_stored(
    client: Client, store: MemoryStore, origin: WatchedOrigin, colour: Colour, kind: str
) -> None:
    url = origin.script("/", at_once(BROKEN[kind]))
    with pytest.raises(httpx2.HTTPError) as expected:
        await colour.over(httpx2.HTTPTransport() if colour.blocks else httpx2.AsyncHTTPTransport()).get(url)
    for _ in range(2):
        with pytest.raises(type(expected.value)) as raised:
            await client.get(url)
        assert str(raised.value) == str(expected.value)
        assert raised.value.request.url == url
    assert store.size().entries == 0
