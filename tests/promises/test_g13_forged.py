"""G13: a Set-Cookie that was written into an unsigned store reaches no client's jar, by the fast way nor the long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import httpx2
import pytest
from attacker import Attacker
from local_origin import Origin, Reply

from sansio_cache import AsyncCachedSession, AsyncCacheTransport, CachedSession, CacheTransport, TrioCachedSession

# As long as Set-Cookie, so that the forger need not know the format.
FIELDS = {"Cache-Control": "max-age=60", "Not-Cookie": "sid=forged; Path=/"}


@pytest.fixture
def url(origin: Origin) -> str:
    return origin.on("/a", Reply(b"x", fields=FIELDS))


def forge(path: Path) -> None:
    """Make a cookie of what an answer in the store says."""
    attacker = Attacker(path)
    sealed = attacker.row("/a")["sealed"]
    assert b"Not-Cookie" in sealed
    attacker.put("/a", sealed=sealed.replace(b"Not-Cookie", b"Set-Cookie"))


def test_by_requests(cache_file: Path, url: str) -> None:
    """G13: also where the body streams, which is the long way."""
    with CachedSession(cache=cache_file) as session:
        session.get(url)
    forge(cache_file)
    for more in ({}, {"stream": True}):
        with CachedSession(cache=cache_file) as session:
            hit = session.get(url, **more)
            assert (hit.from_cache, hit.content) == (True, b"x")
            assert "Set-Cookie" not in hit.headers
            assert not [*hit.cookies, *session.cookies]


def test_by_httpx(cache_file: Path, url: str) -> None:
    """G13."""
    for forged in (False, True):
        with httpx2.Client(transport=CacheTransport(cache=cache_file)) as client:
            response = client.get(url)
            assert (response.extensions["from_cache"], response.content) == (forged, b"x")
            assert "set-cookie" not in response.headers
            assert not [*client.cookies.jar]
        if not forged:
            forge(cache_file)


async def by_httpx(path: Path, url: str, **_: Any) -> tuple[bool, list[object]]:
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=path)) as client:
        response = await client.get(url)
        return response.extensions["from_cache"], [*client.cookies.jar, *response.headers.get_list("set-cookie")]


async def by_aiohttp(path: Path, url: str, *, long: bool) -> tuple[bool, list[object]]:
    jar = aiohttp.CookieJar(unsafe=True)
    more: dict[str, Any] = {"read_until_eof": True, "params": {}} if long else {}
    async with AsyncCachedSession(cache=path, cookie_jar=jar) as session, session.get(url, **more) as response:
        assert await response.read() == b"x"
        return response.from_cache, [*jar, *response.cookies, *response.headers.getall("Set-Cookie", [])]


async def by_trio(path: Path, url: str, *, long: bool) -> tuple[bool, list[object]]:
    async with TrioCachedSession(cache=path) as session:
        if not long:
            response = await session.get(url)
            return response.from_cache, [*session.cookies, *response.cookies, *response.headers.get_list("set-cookie")]
        async with session.stream("GET", url) as response:
            assert await response.read() == b"x"
            return response.from_cache, [*session.cookies, *response.cookies]


Asks = Callable[..., Awaitable[tuple[bool, list[object]]]]


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    ("ask", "backend"),
    [(by_httpx, "asyncio"), (by_httpx, "trio"), (by_aiohttp, "asyncio"), (by_trio, "asyncio"), (by_trio, "trio")],
)
def test_by_tasks(cache_file: Path, url: str, ask: Asks, backend: str, *, long: bool) -> None:
    """G13."""
    for forged in (False, True):
        assert anyio.run(lambda: ask(cache_file, url, long=long), backend=backend) == (forged, [])
        if not forged:
            forge(cache_file)
