"""Clients for tests of ``fork``: each is used in a process, and then in its children at the same time.

Run as a script, ``forked_clients.py CLIENT LOCATION BASE [CA]``: one process and three children, in each of which one
request is made, and in the process too. It ends with 0 if each had its own answer.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import ssl
import sys
import traceback
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import httpx2
import requests
import trio
from requests.adapters import HTTPAdapter

from sansio_cache import (
    AsyncCachedSession,
    AsyncCacheTransport,
    CacheAdapter,
    CachedSession,
    CacheMiddleware,
    CacheTransport,
    TrioCachedSession,
    install_cache,
    uninstall_cache,
)
from sansio_cache_adapters.trio.http.pool import Limits

__all__ = ["CLIENTS", "TRIO", "Client", "child_ends", "children", "ended", "fork"]

TRIO = "trio"


KEPT = httpx2.Limits(keepalive_expiry=None)


class Client(NamedTuple):
    """A client: ``get`` gives the body at a URL, ``close`` closes it, so that all is stored."""

    get: Callable[[str], bytes]
    close: Callable[[], object]


def _session(location: str, ca: str | None) -> Client:
    session = CachedSession(location)
    session.verify = ca or True
    return Client(lambda url: session.get(url, timeout=10).content, session.close)


def _streamed(location: str, ca: str | None) -> Client:
    session = CachedSession(location)
    session.verify = ca or True

    def get(url: str) -> bytes:
        with session.get(url, timeout=10, stream=True) as response:
            return b"".join(response.iter_content(2))

    return Client(get, session.close)


def _adapter(location: str, ca: str | None) -> Client:
    class Own(HTTPAdapter):
        """An adapter of the user's own."""

    session = requests.Session()
    session.verify = ca or True
    cached = CacheAdapter(Own(pool_connections=2, pool_block=True), location)
    session.mount("http://", cached)
    session.mount("https://", cached)
    return Client(lambda url: session.get(url, timeout=10).content, session.close)


def _installed(location: str, ca: str | None) -> Client:
    session = requests.Session()
    session.verify = ca or True
    install_cache(location)
    return Client(lambda url: session.get(url, timeout=10).content, uninstall_cache)


def _used_plain(location: str, ca: str | None) -> Client:
    """The parent uses its session without a cache, the children mount one over the same adapter."""
    plain, here = HTTPAdapter(), os.getpid()
    session = requests.Session()
    session.verify = ca or True
    for scheme in ("http://", "https://"):
        session.mount(scheme, plain)

    def get(url: str) -> bytes:
        if os.getpid() != here:
            for scheme in ("http://", "https://"):
                session.mount(scheme, CacheAdapter(plain, location))
        return session.get(url, timeout=10).content

    return Client(get, session.close)


def _httpx(location: str, ca: str | None) -> Client:
    verify = ssl.create_default_context(cafile=ca) if ca else True
    client = httpx2.Client(
        transport=CacheTransport(
            httpx2.HTTPTransport(verify=verify, limits=KEPT), location, peer="test" if ca else None
        )
    )
    return Client(lambda url: client.get(url, timeout=10).content, client.close)


def _httpx_async(location: str, ca: str | None) -> Client:
    verify = ssl.create_default_context(cafile=ca) if ca else True
    transport = AsyncCacheTransport(
        httpx2.AsyncHTTPTransport(verify=verify, limits=KEPT), location, peer="test" if ca else None
    )
    client = httpx2.AsyncClient(transport=transport)

    async def get(url: str) -> bytes:
        return (await client.get(url, timeout=10)).content

    return _on_one_loop(get, client.aclose)


def _httpx_trio(location: str, ca: str | None) -> Client:
    verify = ssl.create_default_context(cafile=ca) if ca else True
    transport = AsyncCacheTransport(
        httpx2.AsyncHTTPTransport(verify=verify, limits=KEPT), location, peer="test" if ca else None
    )
    client = httpx2.AsyncClient(transport=transport)

    async def get(url: str) -> bytes:
        return (await client.get(url, timeout=10)).content

    return Client(lambda url: trio.run(get, url), lambda: trio.run(client.aclose))


def _aiohttp(location: str, ca: str | None) -> Client:
    async def make() -> aiohttp.ClientSession:
        return AsyncCachedSession(cache=location, connector=_connector(ca))

    return _with_aiohttp(make)


def _middleware(location: str, ca: str | None) -> Client:
    cache = CacheMiddleware(location)

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(auto_decompress=False, middlewares=[cache], connector=_connector(ca))

    return _with_aiohttp(make, cache.close)


def _connector(ca: str | None) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=_trust(ca), keepalive_timeout=60)


def _trust(ca: str | None) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=ca) if ca else True


def _with_aiohttp(
    make: Callable[[], Awaitable[aiohttp.ClientSession]], and_close: Callable[[], Awaitable[None]] | None = None
) -> Client:
    sessions: list[aiohttp.ClientSession] = []

    async def get(url: str) -> bytes:
        if not sessions:
            sessions.append(await make())
        async with sessions[0].get(url, timeout=aiohttp.ClientTimeout(10)) as response:
            return await response.read()

    async def close() -> None:
        await sessions[0].close()
        if and_close is not None:
            await and_close()

    return _on_one_loop(get, close)


def _on_one_loop(
    get: Callable[[str], Coroutine[Any, Any, bytes]], close: Callable[[], Coroutine[Any, Any, None]]
) -> Client:
    loop = asyncio.new_event_loop()
    return Client(lambda url: loop.run_until_complete(get(url)), lambda: loop.run_until_complete(close()))


CLIENTS: dict[str, Callable[[str, str | None], Client]] = {
    "requests": _session,
    "requests-streamed": _streamed,
    "requests-adapter": _adapter,
    "requests-installed": _installed,
    "requests-used-plain": _used_plain,
    "httpx": _httpx,
    "httpx-async": _httpx_async,
    "httpx-trio": _httpx_trio,
    "aiohttp": _aiohttp,
    "aiohttp-middleware": _middleware,
}


def fork() -> int:
    """The id of a child, or 0 in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, that is the point
        child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(20, exit=True)
    return child


@contextmanager
def child_ends() -> Generator[None]:
    """End a child after a block, with 0 unless it raised."""
    code = 1
    try:
        yield
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def children(number: int, work: Callable[[int], Any]) -> list[int]:
    """Fork so many children that do ``work(0)``, ``work(1)``…; their ids."""
    made: list[int] = []
    for index in range(number):
        child = fork()
        if not child:
            with child_ends():
                work(index)
        made.append(child)
    return made


def ended(made: list[int]) -> bool:
    """Wait for children; whether all went well."""
    return [os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in made] == [0] * len(made)


def _blocking(client: Client, base: str) -> bool:
    """The scene with calls that block, or an event loop that runs for one request at a time."""

    def check(path: str) -> None:
        _compare(path, client.get(base + path))

    def in_child(index: int) -> None:
        check(f"/together/{index}")
        client.close()

    check("/before")
    made = children(3, in_child)
    check("/together/3")
    well = ended(made)
    check("/after")
    client.close()
    return well


async def _within_a_block(session: TrioCachedSession, base: str) -> bool:
    """The scene within the block of a session: children are forked in a thread, and have a loop of their own."""

    async def check(path: str) -> None:
        _compare(path, (await session.get(base + path)).content)

    async def in_child(index: int) -> None:
        await check(f"/together/{index}")
        await session.aclose()

    async with session:
        await check("/before")
        made = await trio.to_thread.run_sync(children, 3, partial(trio.run, in_child))
        await check("/together/3")
        well = await trio.to_thread.run_sync(ended, made)
        await check("/after")
    return well


def _compare(path: str, body: bytes) -> None:
    if body != path.encode():
        raise AssertionError(f"asked for {path}, got {body!r}")


def _main(name: str, location: str, base: str, ca: str | None = None) -> None:
    if name == TRIO:
        trust: dict[str, Any] = {"ssl_context": ssl.create_default_context(cafile=ca)} if ca else {}
        well = trio.run(
            _within_a_block, TrioCachedSession(cache=location, limits=Limits(idle_expiry=None), **trust), base
        )
    else:
        well = _blocking(CLIENTS[name](location, ca), base)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
