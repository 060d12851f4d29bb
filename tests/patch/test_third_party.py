"""Libraries that people use, one for each client, run cached without a change to them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import gitlab
import pytest
from gidgethub.aiohttp import GitHubAPI

from sansio_cache import AsyncCachedSession, CachedSession, MemoryStore
from sansio_cache_adapters.patch import enabled

asked: Counter[str] = Counter()


class Api(BaseHTTPRequestHandler):
    """As much of a forge as the libraries ask for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked[self.path] += 1
        etag = '"one"'
        fresh = self.headers.get("If-None-Match") != etag
        body = json.dumps({"id": 1, "name": "a project", "asked": asked[self.path]}).encode() if fresh else b""
        self.send_response(200 if fresh else 304)
        self.send_header("ETag", etag)
        self.send_header("Cache-Control", "private, max-age=60")
        self.send_header("Vary", "Accept")
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if fresh:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_python_gitlab_takes_our_session(api: str) -> None:
    """python-gitlab is given a CachedSession where it takes a requests.Session."""
    with CachedSession(MemoryStore()) as session:
        client = gitlab.Gitlab(api, private_token="a token", session=session)
        assert [client.projects.get(1).asked for _ in range(3)] == [1, 1, 1]
        other = gitlab.Gitlab(api, private_token="another token", session=session)
        assert other.projects.get(1).asked == 2  # another user's answer is another entry


def test_python_gitlab_is_reached_in_a_block(api: str) -> None:
    """python-gitlab makes its own session, and is cached all the same."""
    client = gitlab.Gitlab(api, private_token="a token")
    with enabled(MemoryStore()):
        assert [client.projects.get(1).asked for _ in range(3)] == [1, 1, 1]
    client.session.close()


def test_gidgethub_takes_our_session(api: str) -> None:
    """gidgethub is given an AsyncCachedSession where it takes an aiohttp.ClientSession."""

    async def main() -> list[int]:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            client = GitHubAPI(session, "somebody", oauth_token="a token")
            return [(await client.getitem(f"{api}/repos/1"))["asked"] for _ in range(3)]

    assert asyncio.run(main()) == [1, 1, 1]


def test_gidgethub_is_reached_in_a_block(api: str) -> None:
    """gidgethub holds a plain session made before, and is cached all the same."""

    async def main() -> list[int]:
        async with aiohttp.ClientSession() as session:
            client = GitHubAPI(session, "somebody", oauth_token="a token")
            with enabled(MemoryStore()):
                return [(await client.getitem(f"{api}/repos/1"))["asked"] for _ in range(3)]

    assert asyncio.run(main()) == [1, 1, 1]
