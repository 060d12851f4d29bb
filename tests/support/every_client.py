"""Every client behind one face, so that one scenario is played with each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import anyio
import httpx2
import requests

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CachedSession,
    CacheTransport,
    TrioCachedSession,
)
from sansio_cache_adapters.trio.http.client import HTTPSession

__all__ = ["CLIENTS", "Face", "Got", "make", "play"]


@dataclass(frozen=True)
class Got:
    """What a response says of itself."""

    body: bytes
    from_cache: bool
    cache_status: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)


class Face:
    """A session of one client, or a transport, with one way to ask it."""

    def __init__(self, owner: Any, get: Callable[..., Awaitable[Got]]) -> None:
        self.owner = owner
        """The session or transport: what has the settings, ``cache`` and ``disabled``."""
        self.get = get


def _of(response: Any, body: bytes) -> Got:
    # The client itself, without a cache, says neither.
    return Got(body, getattr(response, "from_cache", False), getattr(response, "cache_status", ""), response.headers)


async def _requests(session: Any, scenario: Callable[[Face], Awaitable[None]]) -> None:
    async def get(url: str, **options: Any) -> Got:
        response = session.get(url, **options)
        return _of(response, response.content)

    with session:
        await scenario(Face(session, get))


async def _aiohttp(session: Any, scenario: Callable[[Face], Awaitable[None]]) -> None:
    async def get(url: str, **options: Any) -> Got:
        async with session.get(url, **options) as response:
            return _of(response, await response.read())

    async with session:
        await scenario(Face(session, get))


async def _trio(session: Any, scenario: Callable[[Face], Awaitable[None]]) -> None:
    async def get(url: str, **options: Any) -> Got:
        response = await session.get(url, **options)
        return _of(response, response.content)

    async with session:
        await scenario(Face(session, get))


def _keywords(options: dict[str, Any]) -> dict[str, Any]:
    own = {name: options.pop(name) for name in ("headers",) if name in options}
    return {**own, "extensions": {"sansio_cache": options}} if options else own


def _of_httpx(response: httpx2.Response) -> Got:
    extensions = response.extensions
    said = extensions.get("from_cache", False), extensions.get("cache_status", "")
    return Got(response.content, *said, response.headers)


async def _httpx(transport: Any, scenario: Callable[[Face], Awaitable[None]]) -> None:
    with httpx2.Client(transport=transport) as client:

        async def get(url: str, **options: Any) -> Got:
            return _of_httpx(client.get(url, **_keywords(options)))

        await scenario(Face(transport, get))


async def _async_httpx(transport: Any, scenario: Callable[[Face], Awaitable[None]]) -> None:
    async with httpx2.AsyncClient(transport=transport) as client:

        async def get(url: str, **options: Any) -> Got:
            return _of_httpx(await client.get(url, **_keywords(options)))

        await scenario(Face(transport, get))


_KINDS: Final[dict[str, tuple[Callable[..., Any], Callable[..., Awaitable[None]], str]]] = {
    "requests": (CachedSession, _requests, "asyncio"),
    "aiohttp": (AsyncCachedSession, _aiohttp, "asyncio"),
    "trio": (TrioCachedSession, _trio, "trio"),
    "trio on asyncio": (TrioCachedSession, _trio, "asyncio"),
    "httpx": (CacheTransport, _httpx, "asyncio"),
    "async httpx": (AsyncCacheTransport, _async_httpx, "asyncio"),
    "async httpx on trio": (AsyncCacheTransport, _async_httpx, "trio"),
}
CLIENTS: Final = list(_KINDS)
_PLAIN: Final[dict[Callable[..., Any], Callable[..., Any]]] = {
    CachedSession: requests.Session,
    AsyncCachedSession: aiohttp.ClientSession,
    TrioCachedSession: HTTPSession,
    CacheTransport: httpx2.HTTPTransport,
    AsyncCacheTransport: httpx2.AsyncHTTPTransport,
}


def make(client: str, **settings: Any) -> Any:
    """A session or transport, not yet used; to be called within a loop for aiohttp."""
    return _KINDS[client][0](**settings)


def play(client: str, scenario: Callable[[Face], Awaitable[None]], *, plain: bool = False, **settings: Any) -> None:
    """Play a scenario with a new session of a client, and close that.

    :param plain: with the client itself, without a cache.
    """
    build, enter, backend = _KINDS[client]

    async def main() -> None:
        await enter(_PLAIN[build](**settings) if plain else build(**settings), scenario)

    anyio.run(main, backend=backend)
