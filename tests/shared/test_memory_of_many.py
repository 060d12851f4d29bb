"""What a session keeps in mind of a thousand small responses that are asked for again and again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_origin import Origin, fresh

pytestmark = pytest.mark.once

URLS, ROUNDS, ALLOWED = 1_000, 5, 10.0
CHILD = """
import asyncio, gc, sys
from pathlib import Path

client, base, place, count, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
urls = [f"{base}/{number}" for number in range(count)]
settings = {"cache": place, "secret_key": "a secret of at least 16 bytes"}

def resident():
    gc.collect()
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024

async def played(get):
    for _ in range(2):
        await get(urls[0])
    at_rest = resident()
    for _ in range(1 + rounds):
        for url in urls:
            await get(url)
    print(resident() - at_rest)

async def on_requests():
    from sansio_cache import CachedSession
    with CachedSession(**settings) as session:
        async def get(url):
            assert session.get(url).content
        await played(get)

async def on_aiohttp():
    from sansio_cache import AsyncCachedSession
    async with AsyncCachedSession(**settings) as session:
        async def get(url):
            async with session.get(url) as response:
                assert await response.read()
        await played(get)

async def on_trio():
    from sansio_cache import TrioCachedSession
    async with TrioCachedSession(**settings) as session:
        async def get(url):
            assert (await session.get(url)).content
        await played(get)

if client == "trio":
    import trio
    trio.run(on_trio)
else:
    asyncio.run({"requests": on_requests, "aiohttp": on_aiohttp}[client]())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured by /proc")
@pytest.mark.parametrize("client", ["requests", "aiohttp", "trio"])
def test_a_thousand_responses_take_little_memory(client: str, origin: Origin, tmp_path: Path) -> None:
    """G31: some 8 MiB above what one response leaves; 17 where each holds the fields that it shares with the others."""
    fields = {f"X-Field-{number}": f"a value of the usual length, {number}" for number in range(8)}
    for number in range(URLS):
        origin.on(f"/{number}", fresh(os.urandom(1024), 3600, **fields))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, client, origin.url(""), str(tmp_path / "cache.sqlite")]
    done = subprocess.run(
        [*command, str(URLS), str(ROUNDS)], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert origin.count() == URLS
    assert float(done.stdout) <= ALLOWED
