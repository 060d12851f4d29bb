"""Drop-in, points 2, 7 and 11: a hit is the client's own type and protocol, and outlives session and store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientConnectionError, ClientResponse, ClientResponseError
from clock import Clock
from local_origin import Origin, Reply, fresh, redirect
from multidict import CIMultiDictProxy
from yarl import URL

from sansio_cache import AsyncCachedSession, MemoryStore
from sansio_cache_adapters.aiohttp.response import CachedClientResponse

pytestmark = pytest.mark.anyio
BODY = b'{"name": "\xc3\xa9"}'
Sessions = Callable[..., AsyncCachedSession]


async def get(session: AsyncCachedSession, url: Any, **keywords: Any) -> CachedClientResponse:
    """A response whose body has been read."""
    response = await session.get(url, **keywords)
    assert isinstance(response, CachedClientResponse)
    await response.read()
    return response


async def slow(session: AsyncCachedSession, url: Any, **keywords: Any) -> CachedClientResponse:
    """The same, past the fast path."""
    return await get(session, url, middlewares=(_nothing,), **keywords)


async def _nothing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> ClientResponse:
    return await handler(request)


ways = pytest.mark.parametrize("again", [get, slow])


@ways
async def test_a_hit_has_what_a_response_has(session: AsyncCachedSession, origin: Origin, again: Any) -> None:
    """Every attribute of ClientResponse, with the same value as on the miss."""
    reply = fresh(BODY, content_type="application/json; charset=utf-8", link='</b>; rel="next"')
    reply.reason = "Very Fine"
    url = origin.on("/a", reply) + "#part"
    params = {"b": "2", "a": "1"}
    miss, hit = await get(session, url, params=params), await again(session, url, params=params)
    assert hit.from_cache
    assert not miss.from_cache
    assert isinstance(hit, ClientResponse)
    assert type(hit) is type(miss)
    for name in (
        *("status", "reason", "url", "real_url", "method", "host", "version", "ok", "history", "closed", "connection"),
        *("charset", "content_type", "content_length", "links", "content_disposition", "request_info", "cookies"),
    ):
        assert getattr(hit, name) == getattr(miss, name), name
    assert str(hit.real_url) == url.replace("#", "?b=2&a=1#")
    assert hit.reason == "Very Fine"
    assert await hit.json() == await miss.json() == {"name": "é"}
    assert await hit.text() == BODY.decode()
    assert hit.get_encoding() == "utf-8"
    assert isinstance(hit.cookies, SimpleCookie)
    assert {name.lower() for name in hit.headers} == {*(name.lower() for name in miss.headers), "age", "date"}
    assert hit.raw_headers[: len(miss.raw_headers)] == miss.raw_headers
    assert isinstance(hit.headers, CIMultiDictProxy)
    assert isinstance(hit.content, aiohttp.StreamReader)
    assert hit.closed
    assert repr(hit).startswith("<ClientResponse(")
    hit.raise_for_status()
    for name in dir(miss):
        if name not in ("output_size", "upload_complete", "url_obj"):  # deprecated
            assert hasattr(hit, name) or not hasattr(miss, name), name


@ways
async def test_a_hit_says_what_the_cache_knows(sessions: Sessions, clock: Clock, origin: Origin, again: Any) -> None:
    """from_cache, created_at, expires, is_expired, cache_key, revalidated and cache_status, typed."""
    session = sessions(clock=clock)
    url = origin.on("/a", fresh(b"a", 60))
    miss = await get(session, url)
    clock.advance(10)
    hit = await again(session, url)
    at = datetime.fromtimestamp(clock.now - 10, UTC)
    assert (miss.from_cache, miss.created_at, miss.revalidated) == (False, at, False)
    assert (hit.from_cache, hit.created_at, hit.revalidated) == (True, at, False)
    assert hit.expires == miss.expires == datetime.fromtimestamp(clock.now + 50, UTC)
    assert not hit.is_expired  # by the real clock, which is long before
    assert len(hit.cache_key) == 64
    assert hit.cache_key == miss.cache_key
    assert hit.cache_status == "sansio-cache;hit;ttl=50"
    assert miss.cache_status == "sansio-cache;fwd=uri-miss;fwd-status=200;stored"
    assert hit.headers["Age"] == "10"


async def test_what_passed_by_says_so(session: AsyncCachedSession, origin: Origin) -> None:
    """A response that has nothing to do with the cache knows of no record."""
    response = await session.post(origin.on("/a", fresh(b"a")))
    assert isinstance(response, CachedClientResponse)
    assert (response.from_cache, response.created_at, response.expires, response.cache_key) == (False, None, None, "")
    assert response.cache_status.startswith("sansio-cache;fwd=method")
    assert not response.is_expired
    with session.disabled():
        response = await session.get(origin.on("/b", fresh(b"b")))
    assert isinstance(response, ClientResponse)
    assert (response.from_cache, response.created_at, response.cache_key) == (False, None, "")  # type: ignore[attr-defined]


@ways
async def test_a_hit_streams(session: AsyncCachedSession, origin: Origin, again: Any) -> None:
    """Every way to read the content of a hit gives what it gives on the miss."""
    body = b"".join(b"line %d\n" % number for number in range(20_000))
    url = origin.on("/a", fresh(body, coded=True))
    await get(session, url)
    opened: Any = {"middlewares": (_nothing,)} if again is slow else {}

    async def hit() -> CachedClientResponse:
        response = await session.get(url, **opened)
        assert response.from_cache
        return response

    response = await hit()
    assert b"".join([piece async for piece in response.content.iter_any()]) == body
    response = await hit()
    pieces = [piece async for piece in response.content.iter_chunked(1000)]
    assert b"".join(pieces) == body
    assert max(map(len, pieces)) == 1000
    response = await hit()
    assert [line async for line in response.content] == body.splitlines(keepends=True)
    response = await hit()
    assert await response.content.readline() == b"line 0\n"
    assert await response.content.readexactly(7) == b"line 1\n"
    assert await response.content.readuntil(b"2") == b"line 2"
    assert b"".join([data async for data, _ in response.content.iter_chunks()]) == body[20:]
    assert response.content.at_eof()
    response = await hit()
    assert await response.content.readany() == body[: 64 * 1024]
    assert await response.read() == body[64 * 1024 :]
    response = await hit()
    assert response.content.is_eof()
    assert response.content.read_nowait() == body
    assert response.content.total_bytes == len(body)


async def test_read_nowait_gives_what_is_there(session: AsyncCachedSession, origin: Origin) -> None:
    """Without waiting: of a small hit all; after it nothing."""
    url = origin.on("/a", fresh(b"small"))
    await get(session, url)
    hit = await session.get(url)
    assert hit.content.read_nowait(2) == b"sm"
    assert hit.content.read_nowait() == b"all"
    assert hit.content.at_eof()
    assert hit.content.read_nowait() == b""
    assert await hit.read() == b""


async def test_a_hit_behaves_as_received_in_full(session: AsyncCachedSession, origin: Origin) -> None:
    """Callbacks for the end of the message run at once, anyone who waits for it goes on."""
    url = origin.on("/a", fresh(b"a"))
    await get(session, url)
    hit = await session.get(url)
    told: list[str] = []
    hit.content.on_eof(lambda: told.append("eof"))
    await hit.content.wait_eof()
    assert told == ["eof"]
    assert hit.content.exception() is None
    assert not hit.content.at_eof()
    assert hit.content.get_read_buffer_limits()[0] > 0


@ways
async def test_a_hit_can_be_read_twice_and_after_it_is_over(
    session: AsyncCachedSession, origin: Origin, again: Any
) -> None:
    """read() remembers; the content is consumed."""
    url = origin.on("/a", fresh(b"body"))
    await get(session, url)
    hit = await again(session, url)
    assert await hit.read() == await hit.read() == b"body"
    assert await hit.content.read() == b""
    assert hit.content.at_eof()


@pytest.mark.parametrize("leave", ["release", "close", "context", "wait_for_close"])
@ways
async def test_reading_after_the_end_fails_as_it_does_plain(
    session: AsyncCachedSession, origin: Origin, again: Any, leave: str
) -> None:
    """After release(), close() or the end of ``async with`` nothing can be read, as without a cache."""
    url = origin.on("/a", fresh(b"body"))
    await get(session, url)
    opened: Any = {"middlewares": (_nothing,)} if again is slow else {}
    hits = [await session.get(url, **opened) for _ in range(3)]
    assert await hits[1].read() == b"body"
    assert await hits[2].content.read(2) == b"bo"
    for hit in hits:
        assert hit.from_cache
        if leave == "release":
            await hit.release()
        elif leave == "close":
            hit.close()
        elif leave == "context":
            async with hit:
                pass
        else:
            await hit.wait_for_close()
        assert hit.closed
        with pytest.raises(ClientConnectionError, match="Connection closed"):
            await hit.read()
        with pytest.raises(ClientConnectionError, match="Connection closed"):
            await hit.content.read()
    hits[0].release()  # need not be awaited
    assert hits[0].headers["Cache-Control"] == "max-age=3600"


async def test_nothing_is_built_that_nobody_looks_at(session: AsyncCachedSession, origin: Origin) -> None:
    """A hit that is read, and left, has no reader of aiohttp's: a class between ours must not end that."""
    url = origin.on("/a", fresh(b"body"))
    await get(session, url)
    async with session.get(url) as hit:
        assert await hit.read() == b"body"
    assert isinstance(hit, CachedClientResponse)
    assert hit.from_cache
    assert "content" not in vars(hit)


async def test_async_with_and_await_are_both_there(session: AsyncCachedSession, origin: Origin) -> None:
    """``async with session.get()`` and ``await session.get()``, on a miss and on a hit."""
    url = origin.on("/a", fresh(b"body"))
    for _ in range(2):
        async with session.get(url) as response:
            assert await response.read() == b"body"
    assert response.from_cache
    response = await session.get(url)
    async with response:
        assert await response.text() == "body"
    async with session.request("GET", url) as response:
        assert await response.read() == b"body"
    assert origin.count() == 1


async def test_each_hop_of_a_redirect_is_cached(session: AsyncCachedSession, origin: Origin) -> None:
    """History holds hops, each with its own ``from_cache``; their bodies were not read."""
    url = origin.on("/a", redirect("/b", link="</x>; rel=x"))
    origin.on("/b", redirect("/c", 301))
    origin.on("/c", fresh(b"end"))
    miss, hit = await get(session, url), await get(session, url)
    assert [each.from_cache for each in hit.history] == [True, True]  # type: ignore[attr-defined]
    assert [each.from_cache for each in miss.history] == [False, False]  # type: ignore[attr-defined]
    assert [str(each.url) for each in hit.history] == [str(each.url) for each in miss.history]
    assert hit.from_cache
    assert str(hit.url) == origin.url("/c")
    assert hit.history[0].headers["Location"] == "/b"
    assert str(next(iter(hit.history[0].links.values()))["url"]) == origin.url("/x")
    assert origin.count() == 3


async def test_a_redirect_may_be_looked_at_instead_of_followed(session: AsyncCachedSession, origin: Origin) -> None:
    """``allow_redirects=False`` gives the stored redirect itself, also after it was followed, and the other way."""
    url = origin.on("/a", redirect("/b"))
    origin.on("/b", fresh(b"end"))
    for follow in (True, False, True, False):
        response = await get(session, url, allow_redirects=follow)
        assert response.status == (200 if follow else 302)
    assert await response.read() == b"moved"
    assert origin.count() == 2


async def test_too_many_stored_redirects_are_too_many(session: AsyncCachedSession, origin: Origin) -> None:
    """A loop in the store ends as a loop on the network does."""
    url = origin.on("/a", redirect("/a", 301))
    for _ in range(2):
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(url, max_redirects=3)
    assert origin.count() == 1


@ways
async def test_raise_for_status_raises_on_a_hit(session: AsyncCachedSession, origin: Origin, again: Any) -> None:
    """By the method, by the request's keyword, and by the session's."""
    reply = fresh(b"gone")
    reply.status = 410
    url = origin.on("/a", reply)
    miss = await get(session, url)
    hit = await again(session, url)
    assert hit.from_cache
    for response in (miss, hit):
        with pytest.raises(ClientResponseError) as caught:
            response.raise_for_status()
        assert (caught.value.status, caught.value.message) == (410, "Gone")
        assert str(caught.value.request_info.real_url) == url
    with pytest.raises(ClientResponseError):
        await again(session, url, raise_for_status=True)
    assert origin.count() == 1


async def test_raise_for_status_of_the_session_holds_for_hits(sessions: Sessions, origin: Origin) -> None:
    """``raise_for_status=True`` and a callable one, in the constructor."""
    reply = fresh(b"gone")
    reply.status = 410
    url = origin.on("/a", reply)
    store = MemoryStore()
    plain, raising = sessions(cache=store), sessions(cache=store, raise_for_status=True)
    for _ in range(2):
        await get(plain, url)
        with pytest.raises(ClientResponseError):
            await raising.get(url)
        assert (await get(raising, url, raise_for_status=False)).from_cache
    told: list[int] = []

    async def tell(response: ClientResponse) -> None:
        told.append(response.status)

    telling = sessions(cache=store, raise_for_status=tell)
    assert (await get(telling, url)).from_cache
    assert (await get(plain, url, raise_for_status=tell)).from_cache
    assert told == [410, 410]
    assert origin.count() == 1


async def test_cookies_are_not_replayed(sessions: Sessions, origin: Origin) -> None:
    """A stored response puts nothing into the jar (G13); a confirmation's cookies are this exchange's own."""
    first = fresh(b"a", 0, etag='"1"', set_cookie="old=1")
    confirmation = Reply(status=304, fields={"ETag": '"1"', "Cache-Control": "max-age=60", "Set-Cookie": "new=2"})
    url = origin.on("/a", first, confirmation)
    store = MemoryStore()
    await get(sessions(cache=store), url)
    other = sessions(cache=store, cookie_jar=aiohttp.CookieJar(unsafe=True))
    confirmed = await get(other, url)
    assert confirmed.revalidated
    assert confirmed.status == 200
    assert {cookie.key: cookie.value for cookie in other.cookie_jar} == {"new": "2"}
    assert {name: morsel.value for name, morsel in confirmed.cookies.items()} == {"new": "2"}
    third = sessions(cache=store, cookie_jar=aiohttp.CookieJar(unsafe=True))
    hit = await get(third, url)
    assert hit.from_cache
    assert not list(third.cookie_jar)
    assert not hit.cookies
    assert "Set-Cookie" not in hit.headers


async def test_traces_see_a_hit(sessions: Sessions, origin: Origin) -> None:
    """The traces of a request run on a hit too; those of a connection cannot."""
    told: list[str] = []
    config = aiohttp.TraceConfig()
    for name in ("request_start", "request_end", "response_chunk_received", "connection_create_start"):

        async def tell(*_: Any, name: str = name) -> None:
            told.append(name)

        getattr(config, f"on_{name}").append(tell)
    session = sessions(trace_configs=[config])
    url = origin.on("/a", fresh(b"a"))
    await get(session, url)
    assert told == ["request_start", "connection_create_start", "request_end", "response_chunk_received"]
    told.clear()
    assert (await get(session, url)).from_cache
    assert told == ["request_start", "request_end", "response_chunk_received"]


async def test_traces_added_later_are_called(session: AsyncCachedSession, origin: Origin) -> None:
    """The list of a session's traces may grow after requests were made."""
    url = origin.on("/a", fresh(b"a"))
    for _ in range(2):
        await get(session, url)
    told: list[str] = []
    config = aiohttp.TraceConfig()

    async def tell(*_: Any) -> None:
        told.append("start")

    config.on_request_start.append(tell)
    config.freeze()
    session.trace_configs.append(config)
    assert (await get(session, url)).from_cache
    assert told == ["start"]


async def test_a_hit_outlives_its_session(sessions: Sessions, origin: Origin) -> None:
    """The body of a hit, large or small, can be read after session and store were closed."""
    large = bytes(range(256)) * 12_000
    urls = {origin.on("/large", fresh(large)): large, origin.on("/small", fresh(b"small")): b"small"}
    session = sessions()
    for url in urls:
        await get(session, url)
    session = sessions()
    hits = {url: await session.get(url) for url in urls}
    await session.close()
    for url, hit in hits.items():
        assert hit.from_cache
        assert await hit.read() == urls[url]
    assert origin.count() == 2


async def test_the_url_is_reported_as_asked(session: AsyncCachedSession, origin: Origin) -> None:
    """Spelling, order of parameters and fragment are those of this request, not of the one that was stored."""
    spelled = origin.url("/%7Euser?b=1&a=%2f#first")
    origin.on("/%7Euser", fresh(b"a"))
    await get(session, URL(spelled, encoded=True))
    other = origin.url("/~user?b=1&a=%2F#second")
    hit = await get(session, URL(other, encoded=True))
    assert hit.from_cache
    assert str(hit.real_url) == other
    assert str(hit.request_info.url) == other.partition("#")[0]


async def test_read_bufsize_reaches_the_reader(sessions: Sessions, origin: Origin) -> None:
    """The session's and the request's ``read_bufsize`` limit the reader of a hit as that of a miss."""
    session = sessions(read_bufsize=2**10)
    url = origin.on("/a", fresh(b"a" * 5000))
    for _ in range(2):
        response = await session.get(url)
        assert response.content.get_read_buffer_limits() == (2**10, 2**11)
        await response.read()
        response = await session.get(url, read_bufsize=2**12)
        assert response.content.get_read_buffer_limits() == (2**12, 2**13)
        await response.read()


async def test_a_response_class_of_the_users_own_stays(sessions: Sessions, origin: Origin) -> None:
    """Hits and misses are of the user's class, constructed by its own constructor."""

    class Mine(ClientResponse):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.own = "mine"
            self.releases = 0

        def release(self) -> Any:
            self.releases += 1
            return super().release()

    session = sessions(response_class=Mine)
    url = origin.on("/a", fresh(b"body"))
    for _ in range(3):
        async with session.get(url) as response:
            assert isinstance(response, Mine)
            assert isinstance(response, CachedClientResponse)
            assert response.own == "mine"
            assert await response.text() == "body"
        assert response.releases > 0
        assert str(response.request_info.real_url) == url
    assert response.from_cache
    assert type(response).__name__ == "Mine"


async def test_a_ranged_and_a_head_request_are_answered_from_the_whole(
    session: AsyncCachedSession, origin: Origin
) -> None:
    """A part of a stored response, and its head alone."""
    body = bytes(range(256)) * 9000
    url = origin.on("/a", fresh(body, etag='"1"'))
    await get(session, url)
    part = await get(session, url, headers={"Range": "bytes=1048570-1048585"})
    assert (part.status, part.from_cache) == (206, True)
    assert await part.read() == body[1048570:1048586]
    head = await session.head(url)
    assert head.from_cache
    assert head.headers["Content-Length"] == str(len(body))
    assert await head.read() == b""
    unmodified = await get(session, url, headers={"If-None-Match": '"1"'})
    assert (unmodified.status, unmodified.from_cache, await unmodified.read()) == (304, True, b"")
    assert origin.count() == 1


async def test_many_hits_at_once_do_not_mix(session: AsyncCachedSession, origin: Origin) -> None:
    """Each task gets its own response."""
    urls = {origin.on(f"/{number}", fresh(b"%d" % number)): b"%d" % number for number in range(50)}
    for _ in range(2):
        responses = await asyncio.gather(*(get(session, url) for url in urls))
        for response, (url, body) in zip(responses, urls.items(), strict=True):
            assert await response.read() == body
            assert str(response.url) == url
    assert origin.count() == 50
