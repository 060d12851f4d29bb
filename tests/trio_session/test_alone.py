"""What the extra ``trio`` brings is enough: no other client, no store server, no codec."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_origin import Reply, fresh
from watched_origin import WatchedOrigin

MISSING = [
    *("requests", "urllib3", "aiohttp", "httpx2", "httpcore2", "redis"),
    *("brotli", "brotlicffi", "zstandard", "compression", "backports"),
]

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
for name in {missing!r}:
    sys.modules[name] = None

import anyio
from sansio_cache import TrioCachedSession
from sansio_cache_adapters.trio.http.errors import DecodingError

async def main():
    async with TrioCachedSession(cache={path!r}, secret_key="a secret of at least 16 bytes") as session:
        responses = [await session.get({url!r}) for _ in range(2)]
        print([(each.text, each.from_cache) for each in responses])
        coded = await session.get({coded!r})
        print(coded.content)
        try:
            coded.text
        except DecodingError as error:
            print(error)

anyio.run(main, backend={backend!r})
"""


def test_it_needs_nothing_else(origin: WatchedOrigin, tmp_path: Path, anyio_backend: str) -> None:
    """In a process where nothing else can be imported; a coding whose codec is not there says which to install."""
    fields = {"Cache-Control": "max-age=60", "Content-Encoding": "br"}
    program = PROGRAM.format(
        missing=MISSING,
        path=str(tmp_path / "c.sqlite"),
        url=origin.on("/", fresh(b"hello", coded=True)),
        coded=origin.on("/coded", Reply(b"\x0b\x02\x80hello\x03", fields=fields)),
        backend=anyio_backend,
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    hits, raw, complaint = done.stdout.splitlines()
    assert (hits, raw) == ("[('hello', False), ('hello', True)]", r"b'\x0b\x02\x80hello\x03'")
    assert complaint == (
        "the body is coded with br, which cannot be taken off here: pip install brotli; "
        "read it as bytes to have it as it came"
    )
    assert origin.seen[0].get("accept-encoding") == "gzip, deflate"


@pytest.mark.parametrize("name", ["trio", "asyncio"])
def test_only_the_loop_that_runs_is_loaded(name: str) -> None:
    """To import the session loads neither."""
    program = "import sys; from sansio_cache import TrioCachedSession; print({'trio', 'asyncio'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert name not in done.stdout
