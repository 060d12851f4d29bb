"""One cache for a whole script: installed, for a block, and switched off for a block."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from requests import get as imported_before

from sansio_cache import CachedSession, MemoryStore, SettingError
from sansio_cache_adapters.patch import disabled, enabled, install_cache, is_installed, uninstall_cache

KEY = "a secret of at least sixteen bytes"


class Origin(ThreadingHTTPServer):
    daemon_threads = True
    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        self.server.asked += 1
        body = str(self.server.asked).encode()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=3600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Every test leaves the clients' own methods in place."""
    before = requests.Session.get_adapter, vars(aiohttp.ClientSession)["_request"]
    yield
    uninstall_cache()
    assert (requests.Session.get_adapter, vars(aiohttp.ClientSession)["_request"]) == before


async def fetch(url: str, session: aiohttp.ClientSession | None = None) -> str:
    async with session or aiohttp.ClientSession() as own, own.get(url) as response:
        return await response.text()


def test_existing_sessions_and_imported_names_are_reached(origin: Origin, tmp_path: Path) -> None:
    """What was made or imported before goes through the cache, in both clients, on one store."""
    with requests.Session() as session:
        install_cache(tmp_path / "cache.sqlite", secret_key=KEY)
        assert is_installed()
        first = session.get(origin.url)
        assert imported_before(origin.url).text == requests.get(origin.url).text == first.text == "1"
        assert getattr(session.get(origin.url), "from_cache") is True  # noqa: B009
        assert asyncio.run(fetch(origin.url)) == "1"
    assert origin.asked == 1


def test_aiohttp_writes_what_requests_reads(origin: Origin, tmp_path: Path) -> None:
    """A session of aiohttp made before, with its own defaults, is reached; two loops one after the other too."""

    async def main() -> str:
        async with aiohttp.ClientSession() as session:
            install_cache(tmp_path / "cache.sqlite")
            async with session.get(origin.url) as response:
                return await response.text()

    assert asyncio.run(main()) == asyncio.run(fetch(origin.url)) == requests.get(origin.url).text == "1"


def test_uninstalled_is_as_before(origin: Origin) -> None:
    """After uninstall_cache() every request goes out, and installing again begins anew."""
    install_cache(MemoryStore())
    requests.get(origin.url)
    uninstall_cache()
    assert not is_installed()
    uninstall_cache()
    assert requests.get(origin.url).text == "2"
    assert not hasattr(requests.get(origin.url), "from_cache")
    install_cache(MemoryStore())
    assert requests.get(origin.url).text == "4"


def test_disabled_is_for_its_context_only(origin: Origin) -> None:
    """disabled() touches neither other threads nor other tasks."""
    install_cache(MemoryStore())
    requests.get(origin.url)
    seen: list[str] = []
    with disabled():
        assert not is_installed()
        thread = threading.Thread(target=lambda: seen.append(requests.get(origin.url).text))
        thread.start()
        thread.join()
        assert requests.get(origin.url).text == "2"
    assert seen == ["1"]
    assert is_installed()

    async def outside(go: asyncio.Event, done: asyncio.Event) -> str:
        await go.wait()
        text = await fetch(origin.url)
        done.set()
        return text

    async def main() -> list[str]:
        go, done = asyncio.Event(), asyncio.Event()
        other = asyncio.create_task(outside(go, done))
        with disabled():
            go.set()
            inside = await fetch(origin.url)
            await done.wait()
        return [await other, inside]

    assert asyncio.run(main()) == ["1", "3"]


def test_enabled_is_for_its_context_only(origin: Origin) -> None:
    """enabled() gives a cache to its block and its tasks alone; many threads may do so at once."""
    with enabled(MemoryStore(), expire_after=60):
        assert requests.get(origin.url).text == requests.get(origin.url).text == "1"
        assert asyncio.run(fetch(origin.url)) == "1"
        thread = threading.Thread(target=requests.get, args=(origin.url,))
        thread.start()
        thread.join()
        assert origin.asked == 2
        with disabled():
            assert requests.get(origin.url).text == "3"
    assert requests.get(origin.url).text == "4"

    barrier = threading.Barrier(8)
    seen: list[tuple[str, str]] = []

    def block() -> None:
        with enabled(MemoryStore()):
            barrier.wait()
            seen.append((requests.get(origin.url).text, requests.get(origin.url).text))

    threads = [threading.Thread(target=block) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert origin.asked == 12
    assert len(seen) == 8
    assert all(one == two for one, two in seen)


def test_sessions_of_ours_keep_their_own_cache(origin: Origin) -> None:
    """A CachedSession is not given a second cache."""
    install_cache(MemoryStore())
    with CachedSession(MemoryStore()) as session:
        requests.get(origin.url)
        assert session.get(origin.url).text == "2"
        assert session.get(origin.url).from_cache  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"expire_after": "soon"}, SettingError, "HTTP-date"),
        ({"secret_key": ""}, SettingError, "non-empty"),
        ({"expires": 5}, TypeError, "expires"),
        ({"cache": 5}, SettingError, "path or a store"),
    ],
)
def test_bad_settings_install_nothing(settings: dict[str, Any], error: type[Exception], says: str) -> None:
    """A wrong setting is said at once, and nothing is patched."""
    with pytest.raises(error, match=says):
        install_cache(**{"cache": MemoryStore(), **settings})
    assert not is_installed()


def test_third_party_code_is_reached_without_a_change(origin: Origin, tmp_path: Path) -> None:
    """A program that knows nothing of the cache, and holds sessions of its own, runs cached in another process."""
    code = (
        "import sys, asyncio, aiohttp, requests\n"
        "from sansio_cache import install_cache\n"
        "class Api:\n"
        "    session = requests.Session()\n"
        "    def read(self): return self.session.get(sys.argv[1]).text\n"
        "api = Api()\n"
        "install_cache('c.sqlite', secret_key='a secret of at least sixteen bytes')\n"
        "print(api.read(), api.read())\n"
    )
    for _ in range(2):
        command = [sys.executable, "-W", "error", "-c", code, origin.url]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
        assert (done.returncode, done.stdout) == (0, "1 1\n"), done.stderr
    assert origin.asked == 1
