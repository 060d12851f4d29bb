"""A process that uses a cache beside others: run by the tests as a script, never imported.

remote_client.py requests|aiohttp|trio

Reads one command a line, JSON, and answers each with a line of JSON; ends with its input.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import anyio
import anyio.to_thread

from sansio_cache import AsyncCachedSession, CachedSession, FileStore, RedisStore, SQLiteStore, TrioCachedSession
from sansio_cache_adapters.trio.http.errors import ReadError

STORES: dict[str, Callable[..., Any]] = {"sqlite": SQLiteStore, "files": FileStore, "redis": RedisStore}
PATIENCE = {"sqlite": "busy_timeout", "redis": "timeout"}
BROKEN_OFF = (aiohttp.ClientPayloadError, ReadError)
THREADS = anyio.CapacityLimiter(100)


class Requests:
    """A blocking session, each request in a thread."""

    async def open(self, store: Any, settings: dict[str, Any]) -> None:
        self.session = await anyio.to_thread.run_sync(partial(CachedSession, store, **settings))

    async def get(self, url: str) -> tuple[bool, bytes]:
        response = await anyio.to_thread.run_sync(self.session.get, url, limiter=THREADS)
        return response.from_cache, response.content

    async def get_often(self, url: str, times: int) -> None:
        """Ask again and again, in one thread: to hand each request over would take longer than a hit."""
        await anyio.to_thread.run_sync(lambda: [self.session.get(url) for _ in range(times)])

    async def close(self) -> None:
        await anyio.to_thread.run_sync(self.session.close)


class Aiohttp:
    """A session of aiohttp."""

    async def open(self, store: Any, settings: dict[str, Any]) -> None:
        self.session = AsyncCachedSession(cache=store, **settings)

    async def get(self, url: str) -> tuple[bool, bytes]:
        async with self.session.get(url) as response:
            return response.from_cache, await response.read()  # type: ignore[attr-defined,unused-ignore]

    async def close(self) -> None:
        await self.session.close()


class Trio:
    """A session on trio."""

    async def open(self, store: Any, settings: dict[str, Any]) -> None:
        self.session = await TrioCachedSession(cache=store, **settings).__aenter__()

    async def get(self, url: str) -> tuple[bool, bytes]:
        response = await self.session.get(url)
        return response.from_cache, response.content

    async def close(self) -> None:
        await self.session.__aexit__(None, None, None)


CLIENTS: dict[str, Callable[[], Any]] = {"requests": Requests, "aiohttp": Aiohttp, "trio": Trio}


class Server:
    """Performs commands."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.is_open = False
        self.ahead = 0.0

    async def open(self, kind: str, location: str, patience: float = 0.0, **settings: Any) -> None:
        """Open a session on a store.

        :param patience: seconds for which the store waits for others, where they are not what it usually waits for.
        """
        await self.close()
        self.ahead = 0.0
        waits = {PATIENCE[kind]: patience} if patience and kind in PATIENCE else {}
        self.store = STORES[kind](location, **waits)
        await self.client.open(self.store, {"clock": self.clock} | settings)
        self.is_open = True

    async def close(self) -> None:
        """Close it, if there is one."""
        if self.is_open:
            self.is_open = False
            await self.client.close()
            await anyio.to_thread.run_sync(self.store.close)
            gc.collect()

    async def get(self, urls: list[str], may_break: bool = False) -> list[tuple[bool, str, float]]:
        """Ask for all at the same time: from the cache or not, the body, and how long it took.

        :param may_break: a stored body may break off, as the client's own error of reading; asked once more, then.
        """
        results: list[tuple[bool, str, float]] = []

        async def ask(url: str) -> None:
            began = time.monotonic()
            try:
                from_cache, body = await self.client.get(url)
            except BROKEN_OFF:
                if not may_break:
                    raise
                from_cache, body = await self.client.get(url)
            results.append((from_cache, body.decode("latin-1"), time.monotonic() - began))

        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(ask, url)
        return results

    async def rate(self, url: str, rounds: int, seconds: float) -> tuple[float, float]:
        """How often a second it can ask for a URL, one request after the other, in the best of some rounds.

        Once by a second of the clock, and once by a second of its own on the processor: others do not disturb that.
        """
        found = [await self._rate(url, seconds) for _ in range(rounds)]
        return max(by_clock for by_clock, _ in found), max(of_its_own for _, of_its_own in found)

    async def _rate(self, url: str, seconds: float) -> tuple[float, float]:
        count = 0
        began, own = time.perf_counter(), time.process_time()
        while (took := time.perf_counter() - began) < seconds:
            if isinstance(self.client, Requests):
                await self.client.get_often(url, 20)
            else:
                for _ in range(20):
                    await self.client.get(url)
            count += 20
        return count / took, count / (time.process_time() - own)

    def clock(self) -> float:
        """POSIX seconds of this process."""
        return time.time() + self.ahead

    async def shift_clock(self, ahead: float) -> None:
        """Let the clock be so many seconds ahead of the true one."""
        self.ahead = ahead

    async def limit(self, size: int) -> None:
        """Let no file grow beyond this; -1 for no limit."""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    async def be(self, user: int) -> None:
        """Have the rights of another user, if this process may choose."""
        if os.getuid() == 0:
            os.seteuid(user)


async def main(name: str) -> None:
    server = Server(CLIENTS[name]())
    answer: Any = None
    while True:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        line = await anyio.to_thread.run_sync(sys.stdin.readline)
        if not line:
            break
        verb, arguments, settings = json.loads(line)
        call: Awaitable[Any] = getattr(server, verb)(*arguments, **settings)
        try:
            answer = await call
        except Exception as error:
            answer = {"error": repr(error)}
    await server.close()


if __name__ == "__main__":
    backend = "trio" if sys.argv[1] == "trio" else "asyncio"
    anyio.run(main, sys.argv[1], backend=backend)
