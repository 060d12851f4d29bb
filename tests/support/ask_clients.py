"""One way to ask through every client: each call makes a session on a store, asks, and closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx2
import trio

from sansio_cache import AsyncCachedSession, AsyncCacheTransport, CachedSession, CacheTransport, TrioCachedSession

__all__ = ["CLIENTS", "Ask", "Got", "ask"]


@dataclass
class Ask:
    """A request.

    :ivar said: further keywords of the client's own.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    method: str = "GET"
    said: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Got:
    """What came of it."""

    text: str
    from_cache: bool
    cache_status: str
    status: int = 200


Session = dict[str, Any]


def _requests(cache: Any, asks: tuple[Ask, ...], settings: Session) -> list[Got]:
    adapter = settings.pop("adapter", None)
    own = settings.pop("own", {})
    with CachedSession(cache, **settings) as session:
        for name, value in own.items():
            setattr(session, name, value)
        if adapter is not None:
            session.mount("https://", adapter)
            session.mount("http://", adapter)
        got: list[Got] = []
        for each in asks:
            response = session.request(each.method, each.url, headers=each.headers, **each.said)
            got.append(Got(response.text, response.from_cache, response.cache_status, response.status_code))
        return got


async def _aiohttp(cache: Any, asks: tuple[Ask, ...], settings: Session) -> list[Got]:
    connector: Callable[[], Any] = settings.pop("connector", lambda: None)
    async with AsyncCachedSession(cache=cache, connector=connector(), **settings) as session:
        got: list[Got] = []
        for each in asks:
            async with session.request(each.method, each.url, headers=each.headers, **each.said) as response:
                text = await response.text()
                got.append(Got(text, response.from_cache, response.cache_status, response.status))
        return got


async def _trio(cache: Any, asks: tuple[Ask, ...], settings: Session) -> list[Got]:
    async with TrioCachedSession(cache=cache, **settings) as session:
        got: list[Got] = []
        for each in asks:
            response = await session.request(each.method, each.url, headers=each.headers, **each.said)
            got.append(Got(response.text, response.from_cache, response.cache_status, response.status))
        return got


def _of_httpx(response: httpx2.Response) -> Got:
    known = response.extensions
    return Got(response.text, known["from_cache"], known["cache_status"], response.status_code)


def _httpx(cache: Any, asks: tuple[Ask, ...], settings: Session) -> list[Got]:
    inner = httpx2.HTTPTransport(**settings.pop("inner", {}))
    with httpx2.Client(transport=CacheTransport(inner, cache=cache, **settings)) as client:
        return [_of_httpx(client.request(each.method, each.url, headers=each.headers, **each.said)) for each in asks]


async def _httpx_awaiting(cache: Any, asks: tuple[Ask, ...], settings: Session) -> list[Got]:
    inner = httpx2.AsyncHTTPTransport(**settings.pop("inner", {}))
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(inner, cache=cache, **settings)) as client:
        return [
            _of_httpx(await client.request(each.method, each.url, headers=each.headers, **each.said)) for each in asks
        ]


def _on_asyncio(made: Callable[..., Coroutine[Any, Any, list[Got]]]) -> Callable[..., list[Got]]:
    return lambda *given: asyncio.run(made(*given))


_ASKED: dict[str, Callable[..., list[Got]]] = {
    "requests": _requests,
    "aiohttp": _on_asyncio(_aiohttp),
    "trio": lambda *given: trio.run(_trio, *given),
    "httpx": _httpx,
    "httpx-async": _on_asyncio(_httpx_awaiting),
}
CLIENTS = list(_ASKED)


def ask(client: str, cache: Any, *asks: Ask, **settings: Any) -> list[Got]:
    """What a session of its own gets for each of the requests, one after the other.

    :param settings: the session's; ``adapter`` and ``own`` (attributes) of requests, ``connector`` of aiohttp (a
        function) and ``inner`` of httpx2 (settings of its transport) say how the session goes to the network.
    """
    return _ASKED[client](cache, asks, dict(settings))
