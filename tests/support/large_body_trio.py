"""A child process that streams one large body twice through a nursery's session, and tells how much memory it took.

    python large_body_trio.py URL PATH

Prints, as JSON, the peak of its resident memory above what it was after a small request, in bytes: for the miss and
for the hit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio

from sansio_cache import SQLiteStore, TrioCachedSession

GIB = 1024**3


def resident() -> tuple[int, int]:
    """Resident memory and its peak, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


async def fetch(session: TrioCachedSession, url: str) -> tuple[bool, int]:
    """Read a body piece by piece; whether it came from the store, and its length."""
    length = 0
    async with session.stream("GET", url) as response:
        async for piece in response.iter_bytes():
            length += len(piece)
        return response.from_cache, length


async def measured(session: TrioCachedSession, url: str) -> dict[str, Any]:
    """One fetch: what it gave, and the peak above what was there before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, _ = resident()
    from_cache, length = await fetch(session, url)
    return {"from_cache": from_cache, "length": length, "above": resident()[1] - before}


async def main() -> None:
    """See the module's docstring."""
    url, path = sys.argv[1:3]
    store = SQLiteStore(path, max_bytes=4 * GIB)
    async with TrioCachedSession(cache=store, secret_key="a secret of at least 16 bytes", max_body=2 * GIB) as session:
        for _ in range(2):
            await fetch(session, url + "?small")
        print(json.dumps([await measured(session, url), await measured(session, url)]))
    store.close()


if __name__ == "__main__":
    anyio.run(main, backend="trio")
