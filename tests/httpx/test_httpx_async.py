"""``AsyncCacheTransport`` under ``httpx2.AsyncClient``, on asyncio and on trio."""

from __future__ import annotations

import gzip
import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import pytest
from anyio import to_thread
from clock import Clock
from httpx_answers import FRESH, hit
from left_behind import no_flight_is_left
from local_origin import Conversation, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import (
    AsyncCacheTransport,
    MemoryStore,
    NotCached,
    SettingError,
)
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.stores.afterwards import LETTING_GO

pytestmark = pytest.mark.anyio

TEXT = b"the quick brown fox " * 500


@pytest.fixture
async def client(store: MemoryStore, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, clock=clock)) as client:
        yield client


async def test_a_hit_is_the_response_that_was_stored(client: httpx2.AsyncClient, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(TEXT, content_type="text/plain"))
    miss, found = await client.get(url), await client.get(url)
    assert found.text == miss.text == TEXT.decode()
    assert (found.status_code, found.reason_phrase, found.http_version) == (200, "OK", "HTTP/1.1")
    assert (hit(miss), hit(found)) == (False, True)
    assert found.extensions["created_at"] == miss.extensions["created_at"]
    assert found.elapsed.total_seconds() < 10
    assert origin.count() == 1


async def test_a_stale_response_is_validated_and_its_connection_used_again(
    client: httpx2.AsyncClient, origin: WatchedOrigin
) -> None:
    url = origin.on("/", tagged(TEXT, set_cookie="a=1"))
    for _ in range(3):
        client.cookies.clear()
        response = await client.get(url)
        assert response.content == TEXT
        assert dict(client.cookies) == {"a": "1"}
    assert response.extensions["revalidated"]
    assert (origin.accepted, origin.count()) == (1, 3)


async def test_redirects_are_cached_hop_by_hop_with_their_history(
    client: httpx2.AsyncClient, origin: WatchedOrigin
) -> None:
    url = origin.on("/old", redirect("/new", 301))
    origin.on("/new", fresh(b"here"))
    for _ in range(2):
        response = await client.get(url, follow_redirects=True)
        assert [(hop.status_code, hop.content) for hop in response.history] == [(301, b"moved")]
    assert [hit(hop) for hop in (*response.history, response)] == [True, True]
    assert origin.count() == 2


async def test_content_coding_is_kept_and_decoded_above(client: httpx2.AsyncClient, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(TEXT, coded=True))
    assert [(await client.get(url)).content for _ in range(2)] == [TEXT, TEXT]
    async with client.stream("GET", url) as response:
        assert gzip.decompress(b"".join([piece async for piece in response.aiter_raw()])) == TEXT
    assert origin.count() == 1


async def test_a_large_body_streams_on_a_miss_and_on_a_hit(client: httpx2.AsyncClient, origin: WatchedOrigin) -> None:
    body = bytes(range(256)) * 16_384
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    url = origin.on("/", Reply(pieces, fields=FRESH, framing="chunked"))
    for _ in range(2):
        async with client.stream("GET", url) as response:
            assert b"".join([piece async for piece in response.aiter_bytes()]) == body
    assert hit(response)
    assert (await client.get(url)).content == body


async def test_the_body_of_a_hit_outlives_its_client(store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store)) as client:
        await client.get(url)
        response = await client.send(client.build_request("GET", url), stream=True)
    assert await response.aread() == bytes(3_000_000)


# On trio httpx2 leaves a generator of its own to the collector, with or without a cache.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*PoolByteStream:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Async generator 'httpcore2.*PoolByteStream:ResourceWarning")
async def test_a_body_left_in_the_middle_is_not_stored(
    client: httpx2.AsyncClient, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    async with client.stream("GET", url) as response:
        pieces = response.aiter_raw()
        await anext(pieces)
        await pieces.aclose()
    await to_thread.run_sync(origin.wait_for_none)
    await to_thread.run_sync(no_flight_is_left)  # while the loop ends generators in its own time
    assert store.size().entries == 0
    assert len((await client.get(url)).content) == 3_000_000
    assert hit(await client.get(url))


@pytest.mark.parametrize("framing", ["length", "chunked", "empty", "head"])
async def test_what_has_arrived_of_a_body_closed_unread_is_kept(
    client: httpx2.AsyncClient, origin: WatchedOrigin, framing: str
) -> None:
    url = origin.on("/", fresh(b"" if framing == "empty" else b"hello"))
    if framing == "chunked":
        head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
        message = head + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        origin.script("/", lambda _, conversation: conversation.send(message))
    method = "HEAD" if framing == "head" else "GET"
    async with client.stream(method, url):
        pass
    assert hit(await client.request(method, url))
    assert framing == "chunked" or origin.open == 1


async def test_what_lies_in_the_socket_of_a_body_closed_unread_is_kept(
    client: httpx2.AsyncClient, origin: WatchedOrigin
) -> None:
    sent = threading.Event()

    def later(_: Seen, conversation: Conversation) -> None:
        conversation.send(fresh(b"hello").head())
        sent.wait(10)
        conversation.send(b"hello")

    url = origin.script("/", later)
    async with client.stream("GET", url) as response:
        sent.set()
        while not response.extensions["network_stream"].get_extra_info("is_readable"):
            await anyio.sleep(0)
    assert hit(await client.get(url))


async def test_closing_a_body_unread_never_waits_for_it(
    client: httpx2.AsyncClient, store: MemoryStore, origin: WatchedOrigin
) -> None:
    def half(_: Seen, conversation: Conversation) -> None:
        conversation.send(Reply(fields=FRESH, length=8).head() + b"half")
        conversation.wait_for_end()

    url = origin.script("/", half)
    async with client.stream("GET", url):
        pass
    await to_thread.run_sync(origin.wait_for_none)
    await to_thread.run_sync(no_flight_is_left)
    assert store.size().entries == 0


async def test_more_than_a_little_is_not_read_of_a_body_closed_unread(
    client: httpx2.AsyncClient, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.on("/", Reply([bytes(50_000)] * 40, fields=FRESH, framing="chunked"))
    async with client.stream("GET", url):
        pass
    await to_thread.run_sync(origin.wait_for_none)
    assert store.size().entries == 0


async def test_a_response_dropped_unread_frees_those_who_wait(
    client: httpx2.AsyncClient, origin: WatchedOrigin
) -> None:
    url = origin.on("/", fresh(bytes(3_000_000)))
    response = await client.send(client.build_request("GET", url), stream=True)
    assert FLIGHTS.count() == 1
    del response
    assert LETTING_GO.wait(10)
    assert FLIGHTS.count() == 0


async def test_a_broken_body_is_not_stored(
    client: httpx2.AsyncClient, store: MemoryStore, origin: WatchedOrigin
) -> None:
    url = origin.script("/", lambda _, talk: talk.send(Reply(fields=FRESH, length=8).head() + b"half"))
    for _ in range(2):
        with pytest.raises(httpx2.RemoteProtocolError) as raised:
            await client.get(url)
        assert raised.value.request.url == url
    assert store.size().entries == 0


async def test_errors_are_httpx2s_own(client: httpx2.AsyncClient, origin: WatchedOrigin) -> None:
    url = origin.script("/", lambda _, conversation: conversation.wait_for_end())
    with pytest.raises(httpx2.ReadTimeout):
        await client.get(url, timeout=0.05)
    await to_thread.run_sync(origin.close)
    with pytest.raises(httpx2.ConnectError):
        await client.get(url)


async def test_a_stale_response_stands_in_for_an_origin_that_fails(
    store: MemoryStore, origin: WatchedOrigin, clock: Clock
) -> None:
    url = origin.on("/", fresh(b"hello", 1), Reply(b"sorry", 503))
    transport = AsyncCacheTransport(cache=store, clock=clock, stale_if_error=True)
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get(url)
        clock.advance(60)
        assert (await client.get(url)).content == b"hello"
        await to_thread.run_sync(origin.close)
        assert hit(await client.get(url))
    assert origin.count() == 2


async def test_options_and_settings(origin: WatchedOrigin, clock: Clock) -> None:
    url = origin.on("/", Reply(b"hello"))
    transport = AsyncCacheTransport(cache=MemoryStore(), clock=clock, expire_after=10)
    assert transport.policy.expire_after == 10
    async with httpx2.AsyncClient(transport=transport) as client:
        await client.get(url, extensions={"sansio_cache": {"tags": ["greeting"]}})
        clock.advance(20)
        assert hit(await client.get(url, extensions={"sansio_cache": {"expire_after": 60}}))
        with transport.disabled():
            assert not (await client.get(url)).extensions["from_cache"]
        assert await transport.cache.urls() == [url]
        assert await transport.cache.delete(tags=["greeting"]) == 1
        with pytest.raises(SettingError):
            await client.get(url, extensions={"sansio_cache": {"expire_afer": 60}})
    assert transport.cache.stats.misses == 1


@pytest.mark.parametrize(
    ("error", "given"),
    [
        (SettingError, {"cache": 7}),
        (SettingError, {"inner": httpx2.HTTPTransport()}),
        (SettingError, {"cache": MemoryStore(), "secret_key": None}),
        (TypeError, {"cache": MemoryStore(), "verify": False}),
    ],
)
async def test_wrong_settings_are_errors(error: type[Exception], given: dict[str, Any]) -> None:
    with pytest.raises(error):
        AsyncCacheTransport(**given)


async def test_offline_never_asks_the_origin(store: MemoryStore, origin: WatchedOrigin) -> None:
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, offline=True)) as client:
        with pytest.raises(NotCached):
            await client.get(origin.url())
    assert origin.seen == []


async def test_a_body_that_can_be_read_once_goes_to_the_origin_whole(origin: WatchedOrigin) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    url = origin.on("/", lambda seen: fresh(seen.body))
    transport = AsyncCacheTransport(cache=MemoryStore(), allowed_methods=("GET", "POST"))
    async with httpx2.AsyncClient(transport=transport) as client:
        for _ in range(2):
            assert (await client.post(url, content=pieces())).content == b"onetwo"
            assert (await client.post(url, content=b"three")).content == b"three"
    assert origin.count() == 3


async def test_an_application_in_the_place_of_the_network(store: MemoryStore) -> None:
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
        await send({"type": "http.response.body", "body": b"hello"})

    async with httpx2.AsyncClient(transport=AsyncCacheTransport(httpx2.ASGITransport(app), store)) as client:
        assert [(await client.get("http://app/")).content for _ in range(2)] == [b"hello"] * 2
    assert asked == ["/"]


class Words(httpx2.AsyncByteStream):
    """A stream that is no generator."""

    def __init__(self, *words: bytes) -> None:
        self._words = iter(words)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for word in self._words:
            return word
        raise StopAsyncIteration


@pytest.mark.parametrize("kind", ["content", "stream"])
async def test_what_another_transport_answers_is_stored(store: MemoryStore, kind: str) -> None:
    def respond(_: httpx2.Request) -> httpx2.Response:
        if kind == "content":
            return httpx2.Response(200, headers=FRESH, content=b"hello")
        return httpx2.Response(200, headers=FRESH, stream=Words(b"hel", b"lo"))

    transport = AsyncCacheTransport(httpx2.MockTransport(respond), store)
    async with httpx2.AsyncClient(transport=transport) as client:
        responses = [await client.get("http://app/") for _ in range(2)]
    assert [(each.content, hit(each)) for each in responses] == [(b"hello", False), (b"hello", True)]


async def test_a_confirmation_with_content_confirms_all_the_same(store: MemoryStore) -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        fields = {"Cache-Control": "max-age=0", "ETag": '"tag"'}
        status, body = (304, b"junk") if "if-none-match" in request.headers else (200, b"hello")
        return httpx2.Response(status, headers=fields, stream=httpx2.ByteStream(body))

    async with httpx2.AsyncClient(transport=AsyncCacheTransport(httpx2.MockTransport(respond), store)) as client:
        assert [(await client.get("http://app/")).content for _ in range(2)] == [b"hello"] * 2
