"""G31: a body of any shape costs time and memory within a small factor of the client without a cache."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import httpx2
import pytest
from local_origin import Conversation, Origin, Reply, Seen
from measured import step, without_collector

from sansio_cache import AsyncCachedSession, AsyncCacheTransport, MemoryStore, TrioCachedSession
from sansio_cache_adapters.trio.http.client import HTTPSession

pytestmark = pytest.mark.serial

Read = Callable[[str], Awaitable[int]]


@asynccontextmanager
async def aiohttp_client(session: aiohttp.ClientSession) -> AsyncIterator[Read]:
    async def read(url: str) -> int:
        async with session.get(url) as response:
            return sum([len(piece) async for piece in response.content.iter_any()])

    async with session:
        yield read


@asynccontextmanager
async def trio_client(session: HTTPSession) -> AsyncIterator[Read]:
    async def read(url: str) -> int:
        async with session.stream("GET", url) as response:
            return sum([len(piece) async for piece in response.iter_bytes()])

    async with session:
        yield read


@asynccontextmanager
async def httpx_client(transport: httpx2.AsyncBaseTransport) -> AsyncIterator[Read]:
    async def read(url: str) -> int:
        async with httpx2.AsyncClient(transport=transport) as client, client.stream("GET", url) as response:
            return sum([len(piece) async for piece in response.aiter_bytes()])

    yield read


Clients = tuple[str, Callable[[], Any], Callable[[Any], Any]]
CLIENTS: dict[str, Clients] = {
    "aiohttp": (
        "asyncio",
        lambda: aiohttp_client(aiohttp.ClientSession()),
        lambda store: aiohttp_client(AsyncCachedSession(cache=store)),
    ),
    "trio": ("trio", lambda: trio_client(HTTPSession()), lambda store: trio_client(TrioCachedSession(cache=store))),
    "httpx2": (
        "asyncio",
        lambda: httpx_client(httpx2.AsyncHTTPTransport()),
        lambda store: httpx_client(AsyncCacheTransport(cache=store)),
    ),
}
BOMB = gzip.compress(bytes(64_000_000))
EMPTY = gzip.compress(b"") * 20_000 + gzip.compress(b"x")
PIECES = 50_000
MORE = 10 * 2 * PIECES
"""Bytes that a body of tiny pieces may take beyond what it takes without a cache."""


def tiny(_: Seen, peer: Conversation) -> None:
    """A body in chunks of two bytes."""
    peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.send(b"2\r\nab\r\n" * PIECES + b"0\r\n\r\n")


def shape(origin: Origin, name: str) -> str:
    """The URL of a body of some shape."""
    if name == "tiny":
        return origin.script("/tiny", tiny)
    fields = {"Cache-Control": "max-age=60", "Content-Encoding": "gzip"}
    return origin.on("/coded", Reply({"bomb": BOMB, "empty members": EMPTY}[name], fields=fields))


async def longest_step(read: Read, url: str) -> float:
    """The longest step of the loop while a body is read, in seconds of its thread."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.thread_time()
        while True:
            await anyio.lowlevel.checkpoint()
            now = time.thread_time()
            longest = max(longest, now - last)
            last = now

    with without_collector():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.lowlevel.checkpoint()
            await read(url)
            tasks.cancel_scope.cancel()
    return longest


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ["bomb", "tiny"])
def test_no_step_of_a_loop_is_longer(client: str, name: str, origin: Origin) -> None:
    """G31: what a coding expands to is checked in steps by its output, on a miss as on a hit."""
    backend, plain, cached = CLIENTS[client]
    url = shape(origin, name)

    async def main() -> tuple[float, float, float]:
        """The calmest of some rounds each."""
        rounds: list[tuple[float, float, float]] = []
        while True:
            async with plain() as read:
                without = await longest_step(read, url)
            async with cached(MemoryStore()) as read:
                rounds.append((without, await longest_step(read, url), await longest_step(read, url)))
            without, miss, hit = map(min, zip(*rounds, strict=True))
            if max(miss, hit) < without + step() or len(rounds) == 6:
                return without, miss, hit

    without, miss, hit = anyio.run(main, backend=backend)
    assert miss < without + step()
    assert hit < without + step()


@pytest.mark.parametrize("client", ["aiohttp", "trio"])
def test_members_without_content_hold_no_loop(client: str, origin: Origin) -> None:
    """G31: they cost by their number; both clients' own decoders are ours here."""
    backend, _, cached = CLIENTS[client]
    url = shape(origin, "empty members")

    async def main() -> list[float]:
        async with cached(MemoryStore()) as read:
            return [await longest_step(read, url) for _ in range(6)]

    assert min(anyio.run(main, backend=backend)) < step()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_body_in_tiny_pieces_takes_no_more_room(client: str, origin: Origin) -> None:
    """G31: a hundred kilobytes in pieces of two bytes were two megabytes of objects."""
    backend, plain, cached = CLIENTS[client]
    url = shape(origin, "tiny")

    async def peak(read: Read) -> int:
        tracemalloc.start()
        try:
            assert await read(url) == 2 * PIECES
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    async def main() -> tuple[int, int]:
        without, with_cache = [], []
        async with plain() as read:
            await read(url)
        while True:
            # How many pieces wait at once is the network's chance, and differs by half a megabyte.
            async with plain() as read:
                without.append(await peak(read))
            async with cached(MemoryStore()) as read:
                with_cache.append(await peak(read))
            if min(with_cache) < max(without) + MORE or len(without) == 4:
                return max(without), min(with_cache)

    without, with_cache = anyio.run(main, backend=backend)
    assert with_cache < without + MORE
