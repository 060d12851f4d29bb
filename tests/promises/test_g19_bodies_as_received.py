"""G19: bodies are stored as received, up to ``max_body``; the cache reads nothing that the caller did not ask for."""

from __future__ import annotations

import gzip
import threading
import time
from typing import Any

from local_origin import Conversation, Origin, Reply, Seen, fresh

from sansio_cache import CachedSession


def test_a_bomb_stays_small(session: CachedSession, origin: Origin) -> None:
    """G19: 60 KB that unpack to 60 MB are stored as 60 KB."""
    bomb = gzip.compress(bytes(60_000_000))
    url = origin.on("/a", Reply(bomb, fields={"Cache-Control": "max-age=60", "Content-Encoding": "gzip"}))
    for _ in range(2):
        with session.get(url, stream=True) as response:
            assert response.raw.read(decode_content=False) == bomb
    assert response.from_cache
    assert session.cache.size().bytes < len(bomb) + 5_000


def test_a_bomb_is_only_unpacked_by_its_reader(session: CachedSession, origin: Origin) -> None:
    """G19: piece by piece, on a hit as on a miss."""
    bomb = gzip.compress(bytes(60_000_000))
    url = origin.on("/a", Reply(bomb, fields={"Cache-Control": "max-age=60", "Content-Encoding": "gzip"}))
    session.get(url)
    with session.get(url, stream=True) as response:
        assert response.from_cache
        assert next(response.iter_content(1000)) == bytes(1000)


def test_max_body(sessions: Any, origin: Origin) -> None:
    """G19: a longer one passes through unstored; of what was written on the way nothing stays."""
    session = sessions(max_body=2_000_000)
    for framing in ("length", "chunked", "close"):
        reply = Reply(bytes(3_000_000), fields={"Cache-Control": "max-age=60"}, framing=framing)
        url = origin.on("/" + framing, reply)
        assert len(session.get(url).content) == 3_000_000
        assert not session.get(url).from_cache
    session.cache.store.sweep(now=time.time())
    assert session.cache.size() == (0, 0)


def test_the_default_bound_is_an_eighth_of_the_store(sessions: Any, cache_file: Any, key: str, origin: Origin) -> None:
    """G19: of its ``max_bytes``."""
    from sansio_cache import SQLiteStore

    session = sessions(SQLiteStore(cache_file, max_bytes=800_000, secret_key=key), secret_key=...)
    for size, kept in ((100_000, True), (100_001, False)):
        url = origin.on(f"/{size}", fresh(bytes(size)))
        session.get(url)
        assert session.get(url).from_cache is kept


def test_nothing_is_read_ahead(session: CachedSession, origin: Origin) -> None:
    """G19: an origin that sends without end gets rid of no more than the caller takes and buffers hold."""
    sent = 0
    closed = threading.Event()

    def script(_: Seen, peer: Conversation) -> None:
        nonlocal sent
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\n")
        try:
            while True:
                peer.send(bytes(65_536))
                sent += 65_536
        finally:
            closed.set()

    url = origin.script("/a", script)
    with session.get(url, stream=True) as response:
        assert len(response.raw.read(1000)) == 1000
        before = -1
        while before != sent:
            before = sent
            time.sleep(0.1)
        assert sent < 20_000_000
    assert closed.wait(30)
    assert session.cache.size().entries == 0
