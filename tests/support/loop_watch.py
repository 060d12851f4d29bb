"""How long an event loop is held at a time: run by the tests as a script, never imported.

loop_watch.py sqlite|files|redis LOCATION URL

Fetches plainly, then as misses and as hits, several times each, and says for each kind, as JSON, the longest step of
the loop in the calmest of its rounds: what holds the loop does so every time, what else the machine does not. There
are more rounds as long as the cache seems to hold it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp

from sansio_cache import AsyncCachedSession, FileStore, RedisStore, SQLiteStore
from sansio_cache_adapters.cache.opening import awaitable

STORES: dict[str, Callable[[str], Any]] = {"sqlite": SQLiteStore, "files": FileStore, "redis": RedisStore}
ROUNDS, AT_MOST = 5, 20
ENOUGH = 0.03
"""Seconds more than without a cache, below which nothing is looked at again."""


async def longest_step(ask: Callable[[], Awaitable[None]]) -> float:
    """The longest step of the loop while something is asked for, in seconds."""
    steps: list[float] = []

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            steps.append(now - last)
            last = now

    watching = asyncio.create_task(watch())
    await ask()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return max(steps)


async def fetch(session: aiohttp.ClientSession, url: str, *, hit: bool = False) -> None:
    async with session.get(url) as response:
        assert getattr(response, "from_cache", False) == hit
        assert len(await response.read()) > 10_000_000


async def main(kind: str, location: str, url: str) -> None:
    store = STORES[kind](location)
    calmest = dict.fromkeys(("plain", "miss", "hit"), 9e9)

    async def look(what: str, session: aiohttp.ClientSession, url: str) -> None:
        async def ask() -> None:
            await fetch(session, url, hit=what == "hit")
            assert await awaitable(store).flush(10)

        calmest[what] = min(calmest[what], await longest_step(ask))

    async with aiohttp.ClientSession() as plain, AsyncCachedSession(cache=store, secret_key="k" * 32) as session:
        await fetch(session, url)
        for number in range(AT_MOST):
            if number >= ROUNDS and max(calmest["miss"], calmest["hit"]) < calmest["plain"] + ENOUGH:
                break
            await look("plain", plain, f"{url}?{number}")
            await look("miss", session, f"{url}?{number}")
            await look("hit", session, f"{url}?{number}")
    print(json.dumps(calmest))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
