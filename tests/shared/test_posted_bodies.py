"""G14: a body posted twice is one request for every client, however it is written; and what differs is another."""

from __future__ import annotations

from typing import Any

import aiohttp
import httpx2
import pytest
from local_origin import Origin, Seen, fresh

from sansio_cache import AsyncCachedSession, AsyncCacheTransport, CachedSession, CacheTransport, MemoryStore

POSTS = {"allowed_methods": ["GET", "POST"]}
FORMS = [{"x": "y"}, {"x": "y"}, {"x": "z"}]
VALUES = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3}]
EXPECTED = [False, True, False]


pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop of aiohttp."""
    return "asyncio"


def echo(seen: Seen) -> Any:
    return fresh(seen.body)


@pytest.mark.parametrize("kind", ["json", "form"])
def test_requests(origin: Origin, kind: str) -> None:
    url = origin.on("/", echo)
    with CachedSession(MemoryStore(), **POSTS) as session:
        if kind == "json":
            got = [session.post(url, json=value) for value in VALUES]
        else:
            got = [session.post(url, data=form, files={"f": ("n.csv", b"a;b")}) for form in FORMS]
    assert [each.from_cache for each in got] == EXPECTED


@pytest.mark.parametrize("kind", ["json", "form"])
def test_httpx(origin: Origin, kind: str) -> None:
    url = origin.on("/", echo)
    with httpx2.Client(transport=CacheTransport(cache=MemoryStore(), **POSTS)) as client:
        if kind == "json":
            got = [client.post(url, json=value) for value in VALUES]
        else:
            got = [client.post(url, data=form, files={"f": ("n.csv", b"a;b")}) for form in FORMS]
    assert [each.extensions["from_cache"] for each in got] == EXPECTED
    assert all(each.content for each in got)


@pytest.mark.parametrize("kind", ["json", "form"])
async def test_httpx_awaiting(origin: Origin, kind: str) -> None:
    url = origin.on("/", echo)
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=MemoryStore(), **POSTS)) as client:
        if kind == "json":
            got = [await client.post(url, json=value) for value in VALUES]
        else:
            got = [await client.post(url, data=form, files={"f": ("n.csv", b"a;b")}) for form in FORMS]
    assert [each.extensions["from_cache"] for each in got] == EXPECTED


@pytest.mark.parametrize("kind", ["json", "form"])
async def test_aiohttp(origin: Origin, kind: str) -> None:
    url = origin.on("/", echo)
    got: list[bool] = []
    async with AsyncCachedSession(cache=MemoryStore(), **POSTS) as session:
        for value, fields in zip(VALUES, FORMS, strict=True):
            form = aiohttp.FormData(fields)
            form.add_field("f", b"a;b", filename="n.csv")
            said: Any = {"json": value} if kind == "json" else {"data": form}
            async with session.post(url, **said) as response:
                assert await response.read()
                got.append(response.from_cache)
    assert got == EXPECTED
