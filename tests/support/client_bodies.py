"""Bodies in every client by the same few verbs: read whole, as they come, or not at all. Blocking: no test awaits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import anyio.to_thread
import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal

from sansio_cache import AsyncCachedSession, AsyncCacheTransport, CachedSession, CacheTransport, TrioCachedSession
from sansio_cache_adapters.stores.protocol import AsyncFlushing

__all__ = ["CLIENTS", "Client", "Got", "opened_client"]


class Got(NamedTuple):
    """What a client got: its body, and what the response said of the cache once that had been read."""

    body: bytes
    from_cache: bool
    cache_status: str
    response: Any


class Client:
    """A session of one of the clients.

    :ivar native: the session, or the transport.
    """

    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def cache(self) -> Any:
        return self.native.cache

    @property
    def stats(self) -> Any:
        return self.cache.stats

    def get(self, url: str, *, stream: bool = False, **fields: str) -> Got:
        """Ask for a URL and read the body, whole or as it comes."""
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until what was kept lies in the store."""

    def leave_unread(self, url: str, how: str) -> str:
        """Ask for a URL and do not read the body: ``close`` it or ``drop`` it; what its status says then."""
        raise NotImplementedError

    def drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        """Ask for a URL, let something arrive, and drop the response unread; what its status said before that."""
        raise NotImplementedError


class _Requests(Client):
    def get(self, url: str, *, stream: bool = False, **fields: str) -> Got:
        response = self.native.get(url, stream=stream, headers=fields or None)
        body = b"".join(response.iter_content(65_536)) if stream else response.content
        return Got(body, response.from_cache, response.cache_status, response)

    def leave_unread(self, url: str, how: str) -> str:
        response = self.native.get(url, stream=True)
        if how == "close":
            response.close()
        return str(response.cache_status)

    def drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        response = self.native.get(url, stream=True)
        arrive()
        return str(response.cache_status)


class _Httpx(Client):
    def __init__(self, native: CacheTransport) -> None:
        super().__init__(native)
        self._client = httpx2.Client(transport=native)

    def get(self, url: str, *, stream: bool = False, **fields: str) -> Got:
        if not stream:
            return _got(self._client.get(url, headers=fields))
        with self._client.stream("GET", url, headers=fields) as response:
            return _got(response, b"".join(response.iter_bytes()))

    def leave_unread(self, url: str, how: str) -> str:
        response = self._client.send(self._client.build_request("GET", url), stream=True)
        if how == "close":
            response.close()
        return str(response.extensions["cache_status"])

    def drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        response = self._client.send(self._client.build_request("GET", url), stream=True)
        arrive()
        return str(response.extensions["cache_status"])


def _got(response: httpx2.Response, body: bytes | None = None) -> Got:
    known = response.extensions
    return Got(response.content if body is None else body, known["from_cache"], known["cache_status"], response)


class _Awaiting(Client):
    def __init__(self, native: Any, portal: BlockingPortal) -> None:
        super().__init__(native)
        self.portal = portal

    def get(self, url: str, *, stream: bool = False, **fields: str) -> Got:
        got: Got = self.portal.call(self._get, url, stream, fields)
        return got

    def settle(self) -> None:
        store = self.cache._engine.store
        if isinstance(store, AsyncFlushing):
            self.portal.call(store.flush, 5.0)

    def leave_unread(self, url: str, how: str) -> str:
        return str(self.portal.call(self._leave_unread, url, how))

    def drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        return str(self.portal.call(self._drop_later, url, arrive))

    async def _get(self, url: str, stream: bool, fields: dict[str, str]) -> Got:
        raise NotImplementedError

    async def _drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        raise NotImplementedError

    async def _leave_unread(self, url: str, how: str) -> str:
        raise NotImplementedError


class _Aiohttp(_Awaiting):
    async def _get(self, url: str, stream: bool, fields: dict[str, str]) -> Got:
        async with self.native.get(url, headers=fields) as response:
            body = b"".join([each async for each in response.content.iter_any()]) if stream else await response.read()
            return Got(body, response.from_cache, response.cache_status, response)

    async def _leave_unread(self, url: str, how: str) -> str:
        response = await self.native.get(url)
        if how == "close":
            response.close()
        return str(response.cache_status)

    async def _drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        response = await self.native.get(url)
        status = response.cache_status
        await anyio.to_thread.run_sync(arrive)
        return str(status)


class _Trio(_Awaiting):
    async def _get(self, url: str, stream: bool, fields: dict[str, str]) -> Got:
        if not stream:
            response = await self.native.get(url, headers=fields)
            return Got(response.content, response.from_cache, response.cache_status, response)
        async with self.native.stream("GET", url, headers=fields) as response:
            body = b"".join([each async for each in response.iter_bytes()])
        return Got(body, response.from_cache, response.cache_status, response)

    async def _leave_unread(self, url: str, how: str) -> str:
        async with self.native.stream("GET", url) as response:
            pass
        return str(response.cache_status)


class _AsyncHttpx(_Awaiting):
    def __init__(self, native: AsyncCacheTransport, portal: BlockingPortal) -> None:
        super().__init__(native, portal)
        self._client = httpx2.AsyncClient(transport=native)

    async def _get(self, url: str, stream: bool, fields: dict[str, str]) -> Got:
        if not stream:
            return _got(await self._client.get(url, headers=fields))
        async with self._client.stream("GET", url, headers=fields) as response:
            return _got(response, b"".join([each async for each in response.aiter_bytes()]))

    async def _leave_unread(self, url: str, how: str) -> str:
        response = await self._client.send(self._client.build_request("GET", url), stream=True)
        if how == "close":
            await response.aclose()
        return str(response.extensions["cache_status"])

    async def _drop_later(self, url: str, arrive: Callable[[], None]) -> str:
        response = await self._client.send(self._client.build_request("GET", url), stream=True)
        await anyio.to_thread.run_sync(arrive)
        return str(response.extensions["cache_status"])


def _blocking(wrap: Callable[[Any], Client], make: Callable[..., Any]) -> Callable[..., AbstractContextManager[Client]]:
    @contextmanager
    def opened(**settings: Any) -> Iterator[Client]:
        with make(**settings) as native:
            yield wrap(native)

    return opened


def _awaiting(
    wrap: Callable[[Any, BlockingPortal], Client], make: Callable[..., Any], backend: str
) -> Callable[..., AbstractContextManager[Client]]:
    @contextmanager
    def opened(**settings: Any) -> Iterator[Client]:
        async def made() -> Any:
            return make(**settings)

        with (
            start_blocking_portal(backend) as portal,
            portal.wrap_async_context_manager(portal.call(made)) as native,
        ):
            yield wrap(native, portal)

    return opened


CLIENTS: dict[str, Callable[..., AbstractContextManager[Client]]] = {
    "requests": _blocking(_Requests, CachedSession),
    "httpx2": _blocking(_Httpx, CacheTransport),
    "aiohttp": _awaiting(_Aiohttp, AsyncCachedSession, "asyncio"),
    "trio": _awaiting(_Trio, TrioCachedSession, "trio"),
    "httpx2 on asyncio": _awaiting(_AsyncHttpx, AsyncCacheTransport, "asyncio"),
    "httpx2 on trio": _awaiting(_AsyncHttpx, AsyncCacheTransport, "trio"),
}


def opened_client(name: str, store: Any, **settings: Any) -> AbstractContextManager[Client]:
    """A client by its name, with a session on a store."""
    return CLIENTS[name](cache=store, **settings)
