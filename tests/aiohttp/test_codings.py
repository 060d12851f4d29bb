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
from local_origin import Origin, Reply, fresh

from sansio_cache import AsyncCachedSession, CacheMiddleware, MemoryStore
from sansio_cache_adapters.cache.decoding import default_accept_encoding

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


async def test_a_middleware_takes_codings_off(origin: Origin) -> None:
    """On a session with ``auto_decompress=False`` it decodes every answer, stored or not."""
    url = origin.on("/a", fresh(TEXT, coded=True))
    other = origin.on("/b", Reply(gzip.compress(TEXT), fields={"Content-Encoding": "gzip"}))
    cache = CacheMiddleware(MemoryStore())
    async with cache, ClientSession(auto_decompress=False, middlewares=[cache]) as client:
        for _ in range(2):
            async with client.get(url) as response:
                assert await response.read() == TEXT
        assert response.from_cache  # type: ignore[attr-defined]
        async with client.get(other) as response:
            assert await response.read() == TEXT
    assert origin.count("/a") == 1


async def test_decoded_bytes_are_not_stored(origin: Origin) -> None:
    """Below a client that takes codings off, a coded response passes unstored, and says why; others are stored."""
    url = origin.on("/a", fresh(TEXT, coded=True))
    plain = origin.on("/b", fresh(TEXT))
    told: list[tuple[str, str]] = []
    cache = CacheMiddleware(MemoryStore(), on_event=lambda event: told.append((event.kind, event.reason)))
    async with cache, ClientSession(middlewares=[cache]) as client:
        for _ in range(2):
            async with client.get(url) as response:
                assert await response.read() == TEXT
                assert response.cache_status.endswith('detail="decoded"')  # type: ignore[attr-defined]
        assert ("not-stored", "decoded") in told
        for _ in range(2):
            async with client.get(plain) as response:
                assert await response.read() == TEXT
        assert response.from_cache  # type: ignore[attr-defined]
    assert origin.count("/a") == 2


async def test_decoded_bytes_of_one_request_are_not_stored(origin: Origin) -> None:
    """A request may ask aiohttp to decode in a session that does not: its bytes are not those that came."""
    if not hasattr(aiohttp.StreamReader, "total_raw_bytes"):
        pytest.skip("this aiohttp does not tell")
    url = origin.on("/a", fresh(TEXT, coded=True))
    cache = CacheMiddleware(MemoryStore())
    async with cache, ClientSession(auto_decompress=False, middlewares=[cache]) as client:
        for _ in range(2):
            async with client.get(url, auto_decompress=True) as response:
                assert await response.read() == TEXT
        async with client.get(url) as response:
            assert not response.from_cache  # type: ignore[attr-defined]
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
    monkeypatch.setattr("sansio_cache_adapters.aiohttp.session._SAME_CODINGS", False)
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
