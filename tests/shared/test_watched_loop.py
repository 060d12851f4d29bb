"""Awaiting sessions on an event loop that a detector of blocking calls watches, as many test suites have one.

It takes a look at a file for a blocking call, however short: none of that may cost the user a request, or the cache.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
from certificates import Certificates
from local_origin import Origin, fresh

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CacheMiddleware,
    FileStore,
    MemoryStore,
    SQLiteStore,
    TrioCachedSession,
)

blockbuster = pytest.importorskip("blockbuster")

Ask = Callable[..., Awaitable[tuple[bool, int]]]
Opened = Callable[..., Any]
KEY = "a secret of at least sixteen bytes"


@asynccontextmanager
async def over_aiohttp(cache: Any, context: ssl.SSLContext | None) -> AsyncIterator[tuple[Ask, Any]]:
    async with AsyncCachedSession(cache=cache, secret_key=KEY) as session:

        async def ask(method: str, url: str) -> tuple[bool, int]:
            async with session.request(method, url, ssl=True if context is None else context) as response:
                return response.from_cache, len(await response.read())

        yield ask, session.cache


@asynccontextmanager
async def over_a_middleware(cache: Any, context: ssl.SSLContext | None) -> AsyncIterator[tuple[Ask, Any]]:
    middleware = CacheMiddleware(cache=cache, secret_key=KEY)
    async with aiohttp.ClientSession(auto_decompress=False, middlewares=[middleware]) as session:

        async def ask(method: str, url: str) -> tuple[bool, int]:
            async with session.request(method, url, ssl=True if context is None else context) as response:
                return getattr(response, "from_cache", False), len(await response.read())

        yield ask, middleware.cache
    await middleware.close()


@asynccontextmanager
async def over_trio_client(cache: Any, context: ssl.SSLContext | None) -> AsyncIterator[tuple[Ask, Any]]:
    async with TrioCachedSession(cache=cache, secret_key=KEY, ssl_context=context) as session:

        async def ask(method: str, url: str) -> tuple[bool, int]:
            response = await session.request(method, url)
            return response.from_cache, len(response.content)

        yield ask, session.cache


@asynccontextmanager
async def over_httpx(cache: Any, context: ssl.SSLContext | None) -> AsyncIterator[tuple[Ask, Any]]:
    inner = httpx2.AsyncHTTPTransport(verify=True if context is None else context)
    transport = AsyncCacheTransport(inner, cache=cache, secret_key=KEY)
    async with httpx2.AsyncClient(transport=transport) as client:

        async def ask(method: str, url: str) -> tuple[bool, int]:
            response = await client.request(method, url)
            return response.extensions["from_cache"], len(response.content)

        yield ask, transport.cache


CLIENTS = (over_aiohttp, over_a_middleware, over_trio_client, over_httpx)
STORES: dict[str, Callable[[Path], Any]] = {
    "sqlite": lambda folder: SQLiteStore(folder / "cache.sqlite"),
    "files": lambda folder: FileStore(folder / "cache"),
    "memory": lambda _: MemoryStore(),
    "path": lambda folder: str(folder / "cache.sqlite"),
}


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_watched_loop_costs_no_hit(client: Opened, kind: str, origin: Origin, tmp_path: Path) -> None:
    """G20: nothing is bypassed, small and large bodies hit, and what was changed is fetched again."""
    small, large = origin.on("/a", fresh(b"a")), origin.on("/b", fresh(b"b" * 300_000))

    async def main() -> None:
        with blockbuster.blockbuster_ctx():
            async with client(STORES[kind](tmp_path), None) as (ask, cache):
                for url, size in ((small, 1), (large, 300_000)):
                    assert await ask("GET", url) == (False, size)
                    for _ in range(3):
                        assert await ask("GET", url) == (True, size)
                await ask("PUT", small)
                assert await ask("GET", small) == (False, 1)
                assert (await ask("GET", small))[0]
                assert cache.stats.store_troubles == 0
                assert len(await cache.entries()) == 2
                repr((cache, cache.store))

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_authorities_of_ones_own_can_be_looked_at(
    client: Opened, tls_origin: Origin, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G10: which authorities a context trusts is part of the key, and those of the environment lie in files."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    url = tls_origin.on("/a", fresh(b"a"))
    context = ssl.create_default_context(cafile=certificates.bundle)

    async def main() -> None:
        with blockbuster.blockbuster_ctx():
            async with client(SQLiteStore(tmp_path / "cache.sqlite"), context) as (ask, cache):
                assert [await ask("GET", url) for _ in range(3)] == [(False, 1), (True, 1), (True, 1)]
                assert cache.stats.store_troubles == 0

    asyncio.run(main())
