"""G30: after a fork nothing wrong is stored, in the parent or in a child: no connection is shared by the two."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import forked_clients
import httpx2
import pytest
import requests
from certificates import Certificates
from forked_clients import CLIENTS, TRIO, child_ends, ended, fork
from local_origin import Origin, Reply, Seen, fresh
from redis_servers import RedisServer, make_redis, redis_server, short_path
from requests.adapters import BaseAdapter, HTTPAdapter

from sansio_cache import CacheAdapter, CachedSession, CacheTransport, FileStore, MemoryStore, RedisStore, SQLiteStore

__all__ = ["make_redis", "redis_server", "short_path"]

TOGETHER = [f"/together/{number}" for number in range(4)]


def serve(origin: Origin) -> None:
    """Answer each path with itself; those asked for together only when all have been asked for."""
    asked = threading.Barrier(len(TOGETHER))

    def together(seen: Seen) -> Reply:
        # On one connection they come one after the other: then no request waits for ever.
        with suppress(threading.BrokenBarrierError):
            asked.wait(2)
        return fresh(seen.path.encode())

    for path in TOGETHER:
        origin.on(path, together)
    for path in ("/before", "/after"):
        origin.on(path, fresh(path.encode()))


def run(client: str, location: Path | str, base: str, *more: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, forked_clients.__file__, client, str(location), base, *more]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("client", [*CLIENTS, TRIO])
def test_children_and_parent_at_once(client: str, origin: Origin, tmp_path: Path) -> None:
    """Each gets its own answer, each is stored under its own URL, and the parent's connection goes on."""
    serve(origin)
    run(client, tmp_path / "cache.sqlite", origin.url(""))
    connections = {seen.path: seen.connection for seen in origin.seen}
    assert len({connections[path] for path in TOGETHER}) == len(TOGETHER)
    assert connections["/before"] == connections[TOGETHER[-1]] == connections["/after"]
    with CachedSession(tmp_path / "cache.sqlite", offline=True) as session:
        assert [session.get(origin.url(path)).content for path in TOGETHER[:3]] == [
            path.encode() for path in TOGETHER[:3]
        ]


@pytest.mark.once
@pytest.mark.parametrize("client", ["requests", "httpx", "httpx-async", "aiohttp", TRIO])
def test_on_redis(client: str, origin: Origin, redis_server: RedisServer) -> None:
    """The connections to the server are as little shared: what a child closes stays open for the parent."""
    serve(origin)
    run(client, redis_server.tcp_url, origin.url(""))
    with CachedSession(RedisStore(redis_server.tcp_url), offline=True) as session:
        for path in ("/before", *TOGETHER, "/after"):
            assert session.get(origin.url(path)).content == path.encode()


@pytest.mark.once
@pytest.mark.parametrize("client", [*CLIENTS, TRIO])
def test_over_tls(client: str, tls_origin: Origin, certificates: Certificates, tmp_path: Path) -> None:
    """No child ends the parent's TLS: no alert and no shutdown goes out on the connection that both had."""
    serve(tls_origin)
    run(client, tmp_path / "cache.sqlite", tls_origin.url(""), certificates.bundle)
    connections = {seen.path: seen.connection for seen in tls_origin.seen}
    assert len({connections[path] for path in TOGETHER}) == len(TOGETHER)
    assert connections["/before"] == connections[TOGETHER[-1]] == connections["/after"]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("store", [SQLiteStore, FileStore, None])
def test_a_body_under_way_is_the_parents(store: Any, framing: str, origin: Origin, tmp_path: Path) -> None:
    """A child may read, drop and close its copy of the response: the parent has and keeps the whole."""
    go_on = threading.Event()
    pieces = [b"a" * 1_500_000, b"b" * 500_000, b"c" * 500_000]

    def answer(_: Seen) -> Reply:
        def body() -> Iterator[bytes]:
            yield pieces[0]
            go_on.wait(30)
            yield from pieces[1:]

        return Reply(body(), fields={"Cache-Control": "max-age=60"}, framing=framing, length=2_500_000)

    url = origin.on("/large", answer)
    with CachedSession(MemoryStore() if store is None else store(str(tmp_path / "cache"))) as session:
        response = session.get(url, stream=True)
        begun = response.raw.read(1_400_000)
        child = fork()
        if not child:
            with child_ends(), suppress(Exception):
                go_on.set()
                response.raw.read(1_000_000)
                response.close()
                del response
                gc.collect()
                session.close()
        assert ended([child])
        go_on.set()
        assert begun + response.raw.read() == b"".join(pieces)
        assert session.get(url).from_cache
        assert session.get(url).content == b"".join(pieces)


def test_a_response_that_a_child_inherited_fails_as_its_clients_do(origin: Origin) -> None:
    """httpx2: reading it there is an error of the client's, closing it is none, and the parent reads on."""
    go_on = threading.Event()

    def answer(_: Seen) -> Reply:
        def body() -> Iterator[bytes]:
            yield b"a" * 100
            go_on.wait(10)
            yield b"b" * 100

        return Reply(body(), fields={"Cache-Control": "max-age=60"}, framing="chunked")

    url, other = origin.on("/slow", answer), origin.on("/after", fresh(b"/after"))
    with httpx2.Client(transport=CacheTransport(cache=MemoryStore())) as client:
        with client.stream("GET", url) as response:
            pieces = response.iter_raw(100)
            begun = next(pieces)
            child = fork()
            if not child:
                with child_ends():
                    with pytest.raises(httpx2.TransportError):
                        b"".join(pieces)
                    response.close()
                    assert client.get(other).content == b"/after"
            assert ended([child])
            go_on.set()
            assert begun + b"".join(pieces) == b"a" * 100 + b"b" * 100
        assert client.get(url).extensions["from_cache"]


class Hiding(BaseAdapter):
    """An adapter whose connections cannot be found."""

    def __init__(self) -> None:
        super().__init__()
        inner = HTTPAdapter()
        self.send, self.close = inner.send, inner.close  # type: ignore[method-assign]


def test_nothing_is_kept_of_connections_that_cannot_be_dropped(origin: Origin) -> None:
    """The status says why."""
    for path in ("/before", "/after"):
        origin.on(path, fresh(b"x"))
    with requests.Session() as session:
        session.mount("http://", CacheAdapter(Hiding(), MemoryStore()))
        assert "stored" in session.get(origin.url("/before")).cache_status
        child = fork()
        if not child:
            with child_ends():
                for _ in range(2):
                    response = session.get(origin.url("/after"))
                    assert not response.from_cache
                    assert "connection-before-fork" in response.cache_status
                    assert "stored" not in response.cache_status.split(";")
        assert ended([child])


def test_what_was_in_flight_is_not_waited_for(origin: Origin, tmp_path: Path) -> None:
    """A child sends the request itself that a thread of its parent was sending; the parent keeps its own answer."""
    asked, go_on = threading.Event(), threading.Event()
    counted: list[Seen] = []

    def answer(seen: Seen) -> Reply:
        counted.append(seen)
        if len(counted) == 1:
            asked.set()
            go_on.wait(30)
        return fresh(b"answer %d" % len(counted))

    url = origin.on("/slow", answer)
    for path in ("/before", "/after"):
        origin.on(path, fresh(path.encode()))
    with CachedSession(SQLiteStore(tmp_path / "cache.sqlite"), wait_for_leader=0.5) as session:
        session.get(origin.url("/before"))
        thread = threading.Thread(target=session.get, args=(url,))
        thread.start()
        assert asked.wait(30)
        child = fork()
        if not child:
            with child_ends():
                assert session.get(url).content.startswith(b"answer")
                assert session.get(origin.url("/after")).content == b"/after"
                session.close()
        assert ended([child])
        go_on.set()
        thread.join(30)
        assert session.get(url).from_cache
