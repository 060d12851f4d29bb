"""A child process that streams one large body twice through an httpx2 transport, and tells how much memory it took.

    python large_body_httpx.py URL PATH blocking|asyncio|trio

Prints, as JSON, the peak of its resident memory above what it was after a small request, in bytes: for the miss and
for the hit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2

from sansio_cache import AsyncCacheTransport, CacheTransport, SQLiteStore

GIB = 1024**3
SETTINGS: Any = {"secret_key": "a secret of at least 16 bytes", "max_body": 2 * GIB}
Fetch = Callable[[str], Awaitable[tuple[bool, int]]]
"""Reads a body piece by piece; gives whether it came from the store, and its length."""


def resident() -> tuple[int, int]:
    """Resident memory and its peak, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


async def measured(fetch: Fetch, url: str) -> dict[str, Any]:
    """One fetch: what it gave, and the peak above what was there before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, _ = resident()
    from_cache, length = await fetch(url)
    return {"from_cache": from_cache, "length": length, "above": resident()[1] - before}


async def told(fetch: Fetch, url: str) -> None:
    """Two small requests, then the large one twice."""
    for _ in range(2):
        await fetch(url + "?small")
    print(json.dumps([await measured(fetch, url), await measured(fetch, url)]))


async def blocking(store: SQLiteStore, url: str) -> None:
    """Through ``CacheTransport``; the loop has nothing else to do."""
    with httpx2.Client(transport=CacheTransport(cache=store, **SETTINGS), timeout=60) as client:

        async def fetch(url: str) -> tuple[bool, int]:
            with client.stream("GET", url) as response:
                return response.extensions["from_cache"], sum(map(len, response.iter_bytes()))

        await told(fetch, url)


async def awaiting(store: SQLiteStore, url: str) -> None:
    """Through ``AsyncCacheTransport``."""
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(cache=store, **SETTINGS), timeout=60) as client:

        async def fetch(url: str) -> tuple[bool, int]:
            length = 0
            async with client.stream("GET", url) as response:
                async for piece in response.aiter_bytes():
                    length += len(piece)
                return response.extensions["from_cache"], length

        await told(fetch, url)


def main() -> None:
    """See the module's docstring."""
    url, path, colour = sys.argv[1:4]
    store = SQLiteStore(path, max_bytes=4 * GIB)
    if colour == "blocking":
        anyio.run(blocking, store, url)
    else:
        anyio.run(awaiting, store, url, backend=colour)
    store.close()


if __name__ == "__main__":
    main()
