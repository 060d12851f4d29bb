"""Every client behind one interface: what asks, and its ``session.cache``."""

from __future__ import annotations

import inspect
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx2

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CachedSession,
    CacheTransport,
    MemoryStore,
    TrioCachedSession,
)

__all__ = ["CLIENTS", "Client", "Opener"]

CLIENTS: Final = ["requests", "aiohttp", "httpx", "httpx-async", "trio"]


class Client:
    """One client behind one interface."""

    def __init__(self, name: str, session: Any, cache: Any) -> None:
        self.name = name
        self.session = session
        self.cache = cache

    async def is_hit(self, method: str, url: Any, **keywords: Any) -> bool:
        response = self.session.request(method, url, **keywords)
        if inspect.isawaitable(response):
            response = await response
        if self.name == "aiohttp":
            await response.read()
        if self.name.startswith("httpx"):
            return bool(response.extensions["from_cache"])
        return bool(response.from_cache)

    async def ask(self, verb: str, *arguments: Any, **keywords: Any) -> Any:
        result = getattr(self.cache, verb)(*arguments, **keywords)
        return await result if inspect.isawaitable(result) else result


class Opener:
    """Opens clients, each closed after the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(self, name: str, headers: dict[str, str] | None = None, **settings: Any) -> Client:
        stack, settings = self._stack, {"cache": MemoryStore(), **settings}
        if name == "requests":
            session: Any = stack.enter_context(CachedSession(**settings))
            session.headers.update(headers or {})
        elif name == "aiohttp":
            session = await stack.enter_async_context(AsyncCachedSession(headers=headers, **settings))
        elif name == "trio":
            session = await stack.enter_async_context(TrioCachedSession(headers=headers, **settings))
        elif name == "httpx":
            transport: Any = CacheTransport(**settings)
            session = stack.enter_context(httpx2.Client(transport=transport, headers=headers))
            return Client(name, session, transport.cache)
        else:
            transport = AsyncCacheTransport(**settings)
            session = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, headers=headers))
            return Client(name, session, transport.cache)
        return Client(name, session, session.cache)
