"""A stored response whose body was lost, cut or altered behind its back, in every client and store (G2, G20)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import aiohttp
import httpx2
import pytest
import requests
from client_bodies import CLIENTS, opened_client
from clock import Clock
from local_origin import Origin, Reply, Seen, fresh
from redis_servers import RedisServer
from without_wheel import NEEDS_BLAKE3

from sansio_cache import BadSignature, FileStore, MemoryStore, RedisStore, SQLiteStore
from sansio_cache_adapters.trio.http.errors import ReadError

pytestmark = pytest.mark.once

SHORT = b"s" * 200_000
LONG = b"l" * 1_500_000


class Shelf:
    """A store and what it takes to harm the bodies in it.

    :param change: what becomes of a chunk; None takes it away.
    """

    def __init__(self, store: Any, harm: Callable[[Callable[[bytes], bytes] | None], None]) -> None:
        self.store = store
        self.harm = harm


def memory(_: Path) -> Shelf:
    store = MemoryStore()

    def harm(change: Callable[[bytes], bytes] | None) -> None:
        for entry, body in list(store._bodies.items()):
            if change is None:
                del store._bodies[entry]
            else:
                body.chunks[0] = change(body.chunks[0])

    return Shelf(store, harm)


def sqlite(folder: Path) -> Shelf:
    store = SQLiteStore(folder / "cache.sqlite")

    def harm(change: Callable[[bytes], bytes] | None) -> None:
        with closing(sqlite3.connect(folder / "cache.sqlite")) as database, database:
            if change is None:
                database.execute("DELETE FROM chunks")
                return
            database.create_function("changed", 1, change)
            database.execute("UPDATE chunks SET data = changed(data) WHERE id % 1048576 = 0")

    return Shelf(store, harm)


def files(folder: Path) -> Shelf:
    def harm(change: Callable[[bytes], bytes] | None) -> None:
        for path in folder.glob("cache/bodies/*/*"):
            if change is None:
                path.unlink()
            else:
                data = path.read_bytes()
                path.write_bytes(change(data[:100_000]) + data[100_000:])

    return Shelf(FileStore(folder / "cache"), harm)


def redis(server: RedisServer) -> Shelf:
    def harm(change: Callable[[bytes], bytes] | None) -> None:
        with server.client() as client:
            for name in client.scan_iter("*:b:*"):
                if change is None:
                    client.delete(name)
                else:
                    client.hset(name, "0", change(client.hget(name, "0")))

    return Shelf(RedisStore(server.tcp_url), harm)


@pytest.fixture(params=["memory", "sqlite", "files", "redis"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """A store of each kind."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("shared_redis")
        with server.client() as client:
            client.flushall()
        made = redis(server)
    else:
        made = {"memory": memory, "sqlite": sqlite, "files": files}[request.param](tmp_path)
    yield made
    made.store.close()


HARMS: dict[str, Callable[[bytes], bytes] | None] = {
    "gone": None,
    "cut": lambda data: data[:-1],
    "altered": lambda data: b"#" + data[1:],
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("harm", HARMS)
def test_it_is_fetched_anew(client: str, harm: str, shelf: Shelf, origin: Origin) -> None:
    """G2, G20: whole or streamed, a body of one chunk or two; users see no more than a miss."""
    urls = {origin.on(f"/{name}", fresh(body)): body for name, body in (("short", SHORT), ("long", LONG))}
    with opened_client(client, shelf.store) as session:
        for stream in (False, True):
            for url in urls:
                session.get(url)
            session.settle()
            shelf.harm(HARMS[harm])
            for url, body in urls.items():
                got = session.get(url, stream=stream)
                assert (got.from_cache, got.body) == (False, body)
                assert session.get(url, stream=stream).from_cache
        assert session.stats.flaws == 4


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("answer", "digest"), [("raise", "sha256"), ("miss", "sha256"), pytest.param("raise", "blake3", marks=NEEDS_BLAKE3)]
)
@pytest.mark.parametrize("stream", [False, True])
def test_altered_bytes_of_a_signed_store(
    client: str, answer: str, digest: str, stream: bool, shelf: Shelf, origin: Origin, key: str
) -> None:
    """G2, G5: a body of one chunk raises before it is handed out, or not at all."""
    url = origin.on("/a", fresh(SHORT))
    settings = {"on_bad_signature": answer, "body_digest": digest}
    with opened_client(client, shelf.store, secret_key=key, **settings) as session:
        session.get(url)
        session.settle()
        shelf.harm(HARMS["altered"])
        if answer == "raise":
            with pytest.raises(BadSignature):
                session.get(url, stream=stream)
        got = session.get(url, stream=stream)
        assert (got.from_cache, got.body) == (False, SHORT)
        assert session.get(url).from_cache


BROKEN_OFF: Final = (
    requests.exceptions.ChunkedEncodingError,
    aiohttp.ClientPayloadError,
    httpx2.ReadError,
    ReadError,
)
"""What each client says of a body that ends before its end."""


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyError])
def test_a_store_that_fails_in_the_middle_of_a_body(
    client: str, stream: bool, error: type[Exception], origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """G20: whatever it raises is its own trouble: a miss, or the client's own words for one who has begun to read."""

    class Failing(MemoryStore):
        fails = False

        def chunk(self, entry: bytes, index: int) -> bytes:
            if index and self.fails:
                raise error
            return super().chunk(entry, index)

    url = origin.on("/a", fresh(LONG))
    store = Failing()
    with opened_client(client, store) as session:
        session.get(url)
        session.settle()
        assert session.get(url).from_cache
        store.fails = True
        if stream or client not in ("requests", "trio"):
            with pytest.raises(BROKEN_OFF):
                session.get(url, stream=stream)
        got = session.get(url)
        assert (got.from_cache, got.body) == (False, LONG)
        assert f"is bypassed: {error.__name__}" in caplog.text


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("settings", [{}, {"stale_while_revalidate": 1000}], ids=["validated", "in the background"])
def test_a_confirmed_head_without_its_body_is_worth_nothing(
    client: str, settings: dict[str, Any], tmp_path: Path, clock: Clock, origin: Origin
) -> None:
    """RFC 9111 §4.3.4: the 304 would keep alive what cannot be given; the origin is asked for the whole."""

    def confirm(seen: Seen) -> Reply:
        return Reply(status=304, fields={"ETag": '"a"'}) if seen.get("if-none-match") else fresh(SHORT, 60, etag='"a"')

    shelf = sqlite(tmp_path)
    url = origin.on("/a", confirm)
    with opened_client(client, shelf.store, clock=clock, **settings) as session:
        session.get(url)
        clock.advance(61)
        session.settle()
        shelf.harm(None)
        got = session.get(url)
        assert (got.from_cache, got.body) == (False, SHORT)
        assert session.get(url).from_cache
    shelf.store.close()
