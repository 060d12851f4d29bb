"""One request by any client, with a session of its own on a store that outlives it.

A session that is closed has ended what it began: background validation, and writing. So a test says what is asked one
after the other, and needs to wait for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import aiohttp
import httpx2
import requests
import trio
from clock import Clock

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CachedSession,
    CacheTransport,
    MemoryStore,
    TrioCachedSession,
)

__all__ = ["CLIENTS", "Asking", "Got"]

OPTIONS: Final = {"expire_after", "only_if_cached", "refresh", "force_refresh", "tags"}
"""What a client of httpx2 takes in its extensions."""
BROKEN: Final = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    aiohttp.ClientPayloadError,
    httpx2.RemoteProtocolError,
)


class Got(NamedTuple):
    """What a client got."""

    status: int
    body: bytes
    from_cache: bool
    headers: Any


def _requests(store: Any, settings: dict[str, Any], method: str, url: str, **options: Any) -> Got:
    with CachedSession(store, **settings) as session:
        response: Any = session.request(method, url, allow_redirects=False, **options)
        return Got(response.status_code, response.content, response.from_cache, response.headers)


def _aiohttp(store: Any, settings: dict[str, Any], method: str, url: str, **options: Any) -> Got:
    async def main() -> Got:
        async with AsyncCachedSession(cache=store, **settings) as session:
            response: Any
            async with session.request(method, url, allow_redirects=False, **options) as response:
                return Got(response.status, await response.read(), response.from_cache, response.headers)

    return asyncio.run(main())


def _trio(store: Any, settings: dict[str, Any], method: str, url: str, **options: Any) -> Got:
    async def main() -> Got:
        async with TrioCachedSession(cache=store, **settings) as session:
            response = await session.request(method, url, follow_redirects=False, **options)
            return Got(response.status, response.content, response.from_cache, response.headers)

    return trio.run(main)


def _extended(options: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in options.items() if name in OPTIONS}
    rest = {name: value for name, value in options.items() if name not in OPTIONS}
    return {**rest, "extensions": {"sansio_cache": own}}


def _httpx(store: Any, settings: dict[str, Any], method: str, url: str, **options: Any) -> Got:
    with httpx2.Client(transport=CacheTransport(cache=store, **settings)) as client:
        response = client.request(method, url, **_extended(options))
        return Got(response.status_code, response.content, response.extensions["from_cache"], response.headers)


def _httpx_async(store: Any, settings: dict[str, Any], method: str, url: str, **options: Any) -> Got:
    async def main() -> Got:
        async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, **settings)) as client:
            response = await client.request(method, url, **_extended(options))
            return Got(response.status_code, response.content, response.extensions["from_cache"], response.headers)

    return asyncio.run(main())


CLIENTS: Final[dict[str, Callable[..., Got]]] = {
    "requests": _requests,
    "aiohttp": _aiohttp,
    "trio": _trio,
    "httpx": _httpx,
    "httpx-async": _httpx_async,
}


class Asking:
    """Asks by one client, on one store.

    :param settings: of the sessions.
    """

    def __init__(self, client: str, clock: Clock, store: Any = None, **settings: Any) -> None:
        self._ask = CLIENTS[client]
        self.store = MemoryStore() if store is None else store
        self.clock = clock
        self.settings = settings

    def get(self, url: str, *, method: str = "GET", settings: dict[str, Any] | None = None, **options: Any) -> Got:
        """What a request brings.

        :param settings: of this session, beside or in the place of those of all.
        """
        return self._ask(self.store, {"clock": self.clock, **self.settings, **(settings or {})}, method, url, **options)
