"""Run in an environment with one extra, or none: everything that it brings works, the rest says what to install.

``python check.py EXTRA`` with the name of the extra, or ``none``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import sansio_cache
from sansio_cache import *  # noqa: F403 - what is tested

BRINGS = {
    "CachedSession": "requests",
    "CacheAdapter": "requests",
    "AsyncCachedSession": "aiohttp",
    "CacheMiddleware": "aiohttp",
    "TrioCachedSession": "trio",
    "CacheTransport": "httpx",
    "AsyncCacheTransport": "httpx",
}


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with something that stays fresh."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None: ...


def requests_hits(url: str) -> list[bool]:
    """A miss and a hit over requests."""
    with sansio_cache.CachedSession("requests.sqlite") as session:
        return [session.get(url).from_cache for _ in range(2)]


async def aiohttp_hits(url: str) -> list[bool]:
    """The same over aiohttp."""
    hits: list[bool] = []
    async with sansio_cache.AsyncCachedSession(cache="aiohttp.sqlite") as session:
        for _ in range(2):
            async with session.get(url) as response:
                await response.read()
                hits.append(response.from_cache)
    return hits


async def trio_hits(url: str) -> list[bool]:
    """The same over trio."""
    async with sansio_cache.TrioCachedSession(cache="trio.sqlite") as session:
        return [(await session.get(url)).from_cache for _ in range(2)]


def httpx_hits(url: str) -> list[bool]:
    """The same over httpx2."""
    import httpx2

    with httpx2.Client(transport=sansio_cache.CacheTransport(cache="httpx.sqlite")) as client:
        return [client.get(url).extensions["from_cache"] for _ in range(2)]


def run_trio(url: str) -> list[bool]:
    """On trio itself."""
    import trio

    return trio.run(trio_hits, url)


HITS: dict[str, Callable[[str], list[bool]]] = {
    "requests": requests_hits,
    "aiohttp": lambda url: asyncio.run(aiohttp_hits(url)),
    "trio": run_trio,
    "httpx": httpx_hits,
}


def check(extra: str, url: str) -> None:
    """Everything, for one extra. Raises: AssertionError, or what is wrong."""
    if extra == "datasette":
        read_by_people()
        return
    names = {name for name, _ in inspect.getmembers(sansio_cache)}
    with contextlib.redirect_stdout(io.StringIO()):
        help(sansio_cache)
    for name, brought_by in BRINGS.items():
        if brought_by == extra:
            assert name in names, f"{name} is not shown"
            assert name in globals(), f"{name} is not in import *"
            continue
        try:
            getattr(sansio_cache, name)
        except ImportError as error:
            assert str(error).endswith(f"pip install 'sansio-cache[{brought_by}]'"), error
        else:
            # Another extra may bring the same packages: httpx2 needs all that the trio client needs.
            assert name in names, f"{name} can be had and is not shown"
    if extra in HITS:
        found = HITS[extra](url)
        assert found == [False, True], found
    if extra in ("requests", "aiohttp"):
        with sansio_cache.enabled("script.sqlite"):
            hit_without_ours(extra, url)
    check_command(extra, url)
    check_digest(extra)
    if extra == "redis":
        sansio_cache.RedisStore("redis://127.0.0.1:1")
    elif extra == "none":
        try:
            sansio_cache.RedisStore("redis://127.0.0.1:1").open(signed=False)
        except ImportError as error:
            assert str(error).endswith("pip install 'sansio-cache[redis]'"), error


def check_digest(extra: str) -> None:
    """The digest of bodies that has an extra of its own."""
    try:
        sansio_cache.Policy(body_digest="blake3")
    except sansio_cache.SettingError as error:
        assert extra != "blake3", error
        assert str(error).endswith("pip install 'sansio-cache[blake3]'"), error
    else:
        assert extra == "blake3"


def check_command(extra: str, url: str) -> None:
    """The command line, as a module and as a program, or what it says where its extra is missing."""
    ran = subprocess.run([sys.executable, "-m", "sansio_cache", "keygen"], capture_output=True, text=True, check=False)
    if extra != "cli":
        assert ran.returncode == 2, ran
        assert "pip install 'sansio-cache[cli]'" in ran.stderr, ran.stderr
        return
    assert (ran.returncode, len(ran.stdout)) == (0, 65), ran
    fill("listed.sqlite")
    program = str(Path(sys.executable).with_name("sansio-cache"))
    for command in ("ls", "stats", "du"):
        ran = subprocess.run(
            [program, command, "--cache", "listed.sqlite"], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, "example.org" in ran.stdout) == (0, True), ran


def read_by_people() -> None:
    """What lies in a cache file, by sqlite-utils and by Datasette."""
    from datasette.app import Datasette
    from sqlite_utils import Database

    fill("people.sqlite")
    db = Database("people.sqlite")
    assert [row["url"] for row in db["responses"].rows] == ["http://example.org/one"]
    db.close()

    async def browse() -> None:
        reply = await Datasette(["people.sqlite"]).client.get("/people/responses.json?_shape=array")
        assert [row["url"] for row in reply.json()] == ["http://example.org/one"]

    asyncio.run(browse())


def fill(path: str) -> None:
    """Begin a store, and put one row into it that a person can read; only its plain columns matter here."""
    store = sansio_cache.SQLiteStore(path)
    store.open(signed=False)
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(records)")]
        said: dict[str, object] = {"url": "http://example.org/one", "method": "GET", "body": None}
        values = [said.get(name, 0) for name in columns]
        connection.execute(f"INSERT INTO records VALUES ({', '.join('?' * len(values))})", values)


def hit_without_ours(extra: str, url: str) -> None:
    """The client's own session, while the whole script has a cache."""
    if extra == "requests":
        import requests

        assert requests.get(url, timeout=5).text == requests.get(url, timeout=5).text == "hello"
        return

    async def get() -> None:
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert await response.text() == "hello"

    asyncio.run(get())


def main() -> None:
    """Start an origin, check, say so."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        check(sys.argv[1], f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
    print("works")


main()
