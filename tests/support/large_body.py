"""A child process that fetches one large body twice through a cache, and tells how much memory it took.

    python large_body.py URL PATH [STORE]

Prints, as JSON, the peak of its resident memory above what it was after a small request, in bytes: for the miss, for
the hit, and how long each took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from sansio_cache import CachedSession, FileStore, MemoryStore, SQLiteStore

GIB = 1024**3


def resident() -> tuple[int, int]:
    """Resident memory and its peak, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def fetch(session: CachedSession, url: str) -> tuple[bool, int]:
    """Read a body piece by piece; whether it came from the store, and its length."""
    length = 0
    with session.get(url, stream=True, timeout=60) as response:
        for piece in response.iter_content(65_536):
            length += len(piece)
        return response.from_cache, length


def measured(session: CachedSession, url: str) -> dict[str, Any]:
    """One fetch: what it gave, how long it took, and the peak above what was there before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, _ = resident()
    started = time.monotonic()
    from_cache, length = fetch(session, url)
    took = time.monotonic() - started
    return {"from_cache": from_cache, "length": length, "above": resident()[1] - before, "seconds": took}


def main() -> None:
    """See the module's docstring."""
    url, path = sys.argv[1:3]
    kinds: dict[str, Any] = {"sqlite": SQLiteStore, "files": FileStore}
    kind = sys.argv[3] if len(sys.argv) > 3 else "sqlite"
    store = MemoryStore(4 * GIB) if kind == "memory" else kinds[kind](path, max_bytes=4 * GIB)
    with CachedSession(store, secret_key="a secret of at least 16 bytes", max_body=2 * GIB) as session:
        for _ in range(2):
            fetch(session, url + "?small")
        print(json.dumps([measured(session, url), measured(session, url)]))


if __name__ == "__main__":
    main()
