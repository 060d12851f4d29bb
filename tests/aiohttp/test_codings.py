"""Content codings come off as without a cache, in bounded steps, on a miss and on a hit."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientPayloadError, ClientSession
from local_origin import Origin, Reply, fresh, redirect

from sansio_cache import AsyncCachedSession, CacheMiddleware, MemoryStore
from sansio_cache.errors import CacheWarning
from sansio_cache_adapters.aiohttp.middleware import _DECODED
from sansio_cache_adapters.cache.decoding import default_accept_encoding
from sansio_cache_adapters.cache.notices import _told

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]
TEXT = b"a text that is long enough to be worth it. " * 5000


def coded(body: bytes, coding: str, **more: str) -> Reply:
    return Reply(body, fields={"Cache-Control": "max-age=60", "Content-Encoding": coding, **more})


def raw_deflate(body: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(body) + squeeze.flush()


CODED = {
    "gzip": gzip.compress(TEXT),
    "GZIP": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "Deflate": raw_deflate(TEXT),
    "identity": TEXT,
    "unheard-of": TEXT,
    "gzip, gzip": gzip.compress(gzip.compress(TEXT)),
    "x-gzip": gzip.compress(TEXT),
}


@pytest.mark.parametrize("coding", CODED)
async def test_a_coding_comes_off_as_aiohttp_does_it(session: AsyncCachedSession, origin: Origin, coding: str) -> None:
    """Those that aiohttp knows, in its spellings; lists and others stay on."""
    url = origin.on("/a", coded(CODED[coding], coding))
    async with ClientSession() as plain, plain.get(url) as own:
        expected = await own.read()
    for _ in range(3):
        response = await session.get(url)
        assert await response.read() == expected
        assert response.headers["Content-Encoding"] == coding
        assert response.headers["Content-Length"] == str(len(CODED[coding]))
    assert response.from_cache
    assert origin.count() == 2


async def test_br_and_zstd_come_off_where_a_codec_is(session: AsyncCachedSession, origin: Origin) -> None:
    """What Accept-Encoding offers can be decoded."""
    brotli = pytest.importorskip("brotli")
    url = origin.on("/a", coded(brotli.compress(TEXT), "br"))
    for _ in range(2):
        response = await session.get(url)
        assert "br" in (origin.last().get("accept-encoding") or "")
        assert await response.read() == TEXT
    assert response.from_cache


@pytest.mark.parametrize("where", ["session", "request"])
async def test_without_auto_decompress_bytes_stay_as_they_came(sessions: Sessions, origin: Origin, where: str) -> None:
    """``auto_decompress=False`` of the session or of one request, on a miss and on a hit."""
    session = sessions(auto_decompress=False) if where == "session" else sessions()
    keywords: dict[str, Any] = {} if where == "session" else {"auto_decompress": False}
    assert session.auto_decompress is (where == "request")
    url = origin.on("/a", fresh(TEXT, coded=True))
    for _ in range(2):
        response = await session.get(url, **keywords)
        assert gzip.decompress(await response.read()) == TEXT
    assert response.from_cache
    response = await session.get(url, auto_decompress=True)
    assert response.from_cache
    assert await response.read() == TEXT


async def test_the_raw_size_is_counted(session: AsyncCachedSession, origin: Origin) -> None:
    """``content.total_raw_bytes`` of aiohttp 3.14 on."""
    if not hasattr(aiohttp.StreamReader, "total_raw_bytes"):
        pytest.skip("this aiohttp does not count")
    url = origin.on("/a", fresh(TEXT, coded=True))
    for _ in range(2):
        response = await session.get(url)
        assert await response.content.read() == TEXT
        assert response.content.total_bytes == len(TEXT)
        assert response.content.total_raw_bytes == int(response.headers["Content-Length"])
    assert response.from_cache


async def test_what_is_no_gzip_fails_as_without_a_cache(session: AsyncCachedSession, origin: Origin) -> None:
    """The same error from ``read()``; it is not stored."""
    failures: list[Exception] = []
    url = origin.on("/a", coded(b"this is no gzip", "gzip"))
    async with ClientSession() as plain:
        for client in (plain, session):
            response = await client.get(url)
            with pytest.raises(ClientPayloadError) as caught:
                await response.read()
            failures.append(caught.value)
    assert str(failures[0]) == str(failures[1])
    assert (await session.get(url, only_if_cached=True)).status == 504


@pytest.mark.serial
async def test_a_bomb_is_read_in_steps(session: AsyncCachedSession, origin: Origin) -> None:
    """A reader of pieces gets pieces; the loop runs on meanwhile (G22)."""
    size = 200 * 2**20
    squeeze = zlib.compressobj(wbits=31)
    body = b"".join([squeeze.compress(bytes(2**20)) for _ in range(size // 2**20)]) + squeeze.flush()
    url = origin.on("/a", coded(body, "gzip"))
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    ticking = asyncio.create_task(tick())
    for _ in range(2):
        response = await session.get(url)
        total = 0
        async for piece in response.content.iter_any():
            assert len(piece) <= 64 * 1024
            total += len(piece)
        assert total == size
    ticking.cancel()
    assert response.from_cache
    assert longest < 0.1


async def passing(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    """A middleware that does nothing."""
    response: aiohttp.ClientResponse = await handler(request)
    return response


GZIPPED = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize("of_session", [None, True, False])
@pytest.mark.parametrize("of_request", [None, True, False])
@pytest.mark.parametrize("above", [0, 1, 2])
async def test_a_middleware_keeps_coded_answers_of_any_session(
    of_session: bool | None, of_request: bool | None, above: int, origin: Origin
) -> None:
    """The user reads what the session and the request ask for, stored or not, of a redirect's target too."""
    fields = {"Content-Encoding": "gzip", "Cache-Control": "max-age=60"}
    url = origin.on("/a", Reply(GZIPPED, fields=fields))
    led = origin.on("/led", redirect("/a", 302, 0))
    other = origin.on("/b", Reply(GZIPPED, fields={"Content-Encoding": "gzip"}))
    cache = CacheMiddleware(MemoryStore())
    keywords = {} if of_session is None else {"auto_decompress": of_session}
    asked: Any = {} if of_request is None else {"auto_decompress": of_request}
    decoded = of_request if of_request is not None else of_session is not False
    expected = TEXT if decoded else GZIPPED
    async with cache, ClientSession(middlewares=[*[passing] * above, cache], **keywords) as client:
        for number, each in enumerate((url, url, led, led)):
            async with client.get(each, **asked) as response:
                assert await response.read() == expected
                assert response.from_cache == (number > 0)  # type: ignore[attr-defined]
                assert response.headers["Content-Encoding"] == "gzip"
        async with client.get(other, **asked) as response:
            assert await response.read() == expected
        async with client.post(other, **asked) as response:
            assert await response.read() == expected
        async with client.head(other, **asked) as response:
            assert await response.read() == b""
        # A hit serves the other wish as well.
        async with client.get(url, auto_decompress=not decoded) as response:
            assert response.from_cache  # type: ignore[attr-defined]
            assert await response.read() == (GZIPPED if decoded else TEXT)
    assert origin.count("/a") == 1


async def test_decoded_bytes_are_not_stored(origin: Origin) -> None:
    """Above a middleware to which they belong decoded, a coded response passes unstored, and says why; once, aloud."""
    url = origin.on("/a", fresh(TEXT, coded=True))
    plain = origin.on("/b", fresh(TEXT))
    told: list[tuple[str, str]] = []
    cache = CacheMiddleware(MemoryStore(), on_event=lambda event: told.append((event.kind, event.reason)))
    _told.clear()
    async with cache, ClientSession(middlewares=[cache, passing]) as client:

        async def twice() -> None:
            for _ in range(2):
                async with client.get(url) as response:
                    assert await response.read() == TEXT
                    assert response.cache_status.endswith('detail="decoded"')  # type: ignore[attr-defined]

        with pytest.warns(CacheWarning, match="last in middlewares") as warned:
            await twice()
        assert len(warned) == 1
        assert ("not-stored", "decoded") in told
        assert cache.cache.stats.not_stored["decoded"] == 2
        for _ in range(2):
            async with client.get(plain) as response:
                assert await response.read() == TEXT
        assert response.from_cache  # type: ignore[attr-defined]
    assert origin.count("/a") == 2


async def test_above_another_middleware_bytes_that_aiohttp_leaves_coded_are_stored(origin: Origin) -> None:
    """In a session with ``auto_decompress=False``; a request that asks aiohttp to decode passes unstored."""
    url = origin.on("/a", Reply(GZIPPED, fields={"Content-Encoding": "gzip", "Cache-Control": "max-age=60"}))
    cache = CacheMiddleware(MemoryStore())
    async with cache, ClientSession(auto_decompress=False, middlewares=[cache, passing]) as client:
        _told.add(_DECODED)
        async with client.get(url, auto_decompress=True) as response:
            assert await response.read() == TEXT
        for from_cache in (False, True):
            async with client.get(url) as response:
                assert response.from_cache == from_cache  # type: ignore[attr-defined]
                assert await response.read() == GZIPPED
        async with client.get(url, auto_decompress=True) as response:
            assert response.from_cache  # type: ignore[attr-defined]
            assert await response.read() == TEXT


async def test_a_stored_coding_serves_a_client_that_decodes_by_itself(origin: Origin) -> None:
    """One store serves a session of ours and a middleware below any session."""
    url = origin.on("/a", fresh(TEXT, coded=True))
    store = MemoryStore()
    async with AsyncCachedSession(cache=store) as ours:
        await (await ours.get(url)).read()
    cache = CacheMiddleware(store)
    async with cache, ClientSession(middlewares=[cache]) as client, client.get(url) as response:
        assert response.from_cache  # type: ignore[attr-defined]
        assert await response.read() == TEXT
    assert origin.count() == 1


async def test_accept_encoding_is_ours_unless_the_user_says_something(sessions: Sessions, origin: Origin) -> None:
    """One default for all clients; the user's own wins, and may be left out."""
    url = origin.on("/a", Reply(b"a"))
    session = sessions()
    await (await session.get(url)).read()
    offered = (origin.last().get("accept-encoding") or "").split(", ")
    assert set(offered) == set(default_accept_encoding().split(", "))
    await (await session.get(url, headers={"accept-encoding": "identity"})).read()
    assert origin.last().all("accept-encoding") == ["identity"]
    await (await session.get(url, skip_auto_headers=["Accept-Encoding"])).read()
    assert origin.last().get("accept-encoding") is None
    session = sessions(headers={"Accept-Encoding": "gzip;q=0.5"})
    await (await session.get(url)).read()
    assert origin.last().all("accept-encoding") == ["gzip;q=0.5"]


async def test_accept_encoding_offers_only_what_can_be_decoded_here(
    sessions: Sessions, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where aiohttp would offer a coding that we cannot take off in bounded steps, ours is sent in its place."""
    monkeypatch.setattr("sansio_cache_adapters.aiohttp.handling._SAME_CODINGS", False)
    url = origin.on("/a", Reply(b"a"))
    session = sessions(headers={"X": "1"})
    await (await session.get(url, headers={"Y": "2"})).read()
    assert len(origin.last().all("accept-encoding")) == 1
    assert (origin.last().get("x"), origin.last().get("y")) == ("1", "2")
    await (await session.get(url, headers={"accept-encoding": "identity"})).read()
    assert origin.last().all("accept-encoding") == ["identity"]
    await (await session.get(url, skip_auto_headers=["accept-encoding"])).read()
    assert origin.last().get("accept-encoding") is None


async def test_a_coding_without_a_codec_is_aiohttps_error(
    session: AsyncCachedSession, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From ``get()``, as aiohttp has it; nothing is stored."""
    monkeypatch.setattr("sansio_cache_adapters.aiohttp.bodies.decoders", lambda coding: [])
    url = origin.on("/a", coded(b"\x3b", "br"))
    with pytest.raises(aiohttp.ClientResponseError, match="Can not decode content-encoding: br") as caught:
        await session.get(url)
    assert caught.value.status == 400
    head = await session.head(url)
    assert head.status == 200
