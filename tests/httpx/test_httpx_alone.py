"""What the extra ``httpx`` brings is enough: no other client, no trio, no store server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local_origin import fresh
from watched_origin import WatchedOrigin

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
for name in ("requests", "urllib3", "aiohttp", "trio", "redis"):
    sys.modules[name] = None

import anyio, httpx2
from sansio_cache import AsyncCacheTransport, CacheTransport

settings = {{"cache": {path!r}, "secret_key": "a secret of at least 16 bytes"}}
with httpx2.Client(transport=CacheTransport(**settings)) as client:
    print([client.get({url!r}).extensions["from_cache"] for _ in range(2)])

async def main():
    async with httpx2.AsyncClient(transport=AsyncCacheTransport(**settings)) as client:
        print([(await client.get(url)).extensions["from_cache"] for url in [{url!r}, {other!r}, {other!r}]])

anyio.run(main)
"""


def test_they_need_nothing_else(origin: WatchedOrigin, tmp_path: Path) -> None:
    """In a process where nothing else can be imported."""
    url, other = origin.on("/", fresh(b"hello")), origin.on("/other", fresh(b"other"))
    program = PROGRAM.format(path=str(tmp_path / "c.sqlite"), url=url, other=other)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[False, True]", "[True, False, True]"]
