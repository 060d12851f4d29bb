"""``response.raw``: urllib3's response in all that users do with it, though a store listens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from local_origin import Conversation, Origin, Reply, Seen, fresh
from urllib3.exceptions import HTTPError

from sansio_cache import CachedSession

BODY = bytes(range(256)) * 20


def chunks() -> Any:
    for at in range(0, len(BODY), 1000):
        yield BODY[at : at + 1000]


def mixed(raw: Any) -> bytes:
    pieces: list[bytes] = [raw.read1(10), raw.read(2000), raw.read(3), raw.read1(5000), raw.read1(), raw.read()]
    return b"".join(pieces)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_ways_to_read_can_be_mixed(session: CachedSession, origin: Origin, framing: str) -> None:
    """Chunk by chunk first, then by size; urllib3 by itself cannot do that with chunks."""
    url = origin.on("/a", lambda _: Reply(chunks(), 200, {"Cache-Control": "max-age=60"}, None, framing, len(BODY)))
    for from_cache in (False, True):
        with session.get(url, stream=True) as response:
            assert response.from_cache is from_cache
            assert mixed(response.raw) == BODY
            assert response.raw.read1() == b""
            assert response.raw.read(5) == b""
    assert origin.count() == 1


@pytest.mark.parametrize("coded", [False, True])
def test_read1_decodes(session: CachedSession, origin: Origin, coded: bool) -> None:
    """If asked to."""
    url = origin.on("/a", fresh(BODY, coded=coded))
    for _ in range(2):
        with session.get(url, stream=True) as response:
            assert b"".join(iter(lambda: response.raw.read1(700, decode_content=True), b"")) == BODY


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_read_chunked(session: CachedSession, origin: Origin, framing: str) -> None:
    """Gives the chunks as they were sent, or says that there are none."""
    url = origin.on("/a", lambda _: Reply(chunks(), 200, {"Cache-Control": "max-age=60"}, None, framing, len(BODY)))
    with requests.get(url, stream=True) as plain, session.get(url, stream=True) as response:
        outcomes: list[Any] = []
        for each in (plain, response):
            try:
                outcomes.append(list(each.raw.read_chunked()))
            except HTTPError as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]
        assert outcomes[1] == (list(chunks()) if framing == "chunked" else urllib3.exceptions.ResponseNotChunked)


SAME: dict[str, Callable[[Any], Any]] = {
    "status": lambda raw: raw.status,
    "reason": lambda raw: raw.reason,
    "version": lambda raw: raw.version,
    "version_string": lambda raw: raw.version_string,
    "headers": lambda raw: dict(raw.headers),
    "getheader": lambda raw: raw.headers.getlist("x-a"),
    "chunked": lambda raw: raw.chunked,
    "decode_content": lambda raw: raw.decode_content,
    "geturl": lambda raw: raw.geturl(),
    "retries": lambda raw: raw.retries.total,
    "length_remaining": lambda raw: raw.length_remaining,
    "tell": lambda raw: (raw.read(10), raw.tell()),
    "closed": lambda raw: raw.closed,
    "isclosed": lambda raw: raw.isclosed(),
    "readable": lambda raw: (raw.readable(), raw.seekable(), raw.writable()),
    "enter": lambda raw: raw.__enter__() is raw,
    "connection": lambda raw: raw.connection.sock.getpeername()[1],
    "_connection": lambda raw: type(raw._connection),
    "pool": lambda raw: type(raw._pool),
    "original": lambda raw: raw._original_response.getheader("X-A"),
    "after drain": lambda raw: (raw.drain_conn(), raw.closed, raw.read()),
    "after close": lambda raw: (raw.close(), raw.closed, raw.read(), raw.read1(), raw.connection),
    "after release": lambda raw: (raw.release_conn(), raw.connection),
    "flush": lambda raw: raw.flush(),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_miss_shows_what_urllib3_shows(session: CachedSession, origin: Origin, framing: str, name: str) -> None:
    """Each attribute, with the same value."""
    fields = [("Cache-Control", "max-age=60"), ("X-A", "1"), ("X-A", "2")]
    url = origin.on("/a", Reply(BODY, 200, fields, "Fine", framing))
    with requests.get(url, stream=True) as plain, session.get(url, stream=True) as response:
        assert SAME[name](response.raw) == SAME[name](plain.raw)


def test_fileno(session: CachedSession, origin: Origin) -> None:
    """The socket's, as select wants it; what comes from the store has none."""
    url = origin.on("/a", fresh(BODY))
    with session.get(url, stream=True) as response:
        raw: Any = response.raw
        assert raw.fileno() == raw.connection.sock.fileno()
        assert response.content == BODY
    with session.get(url, stream=True) as response, pytest.raises(OSError, match="fileno"):
        response.raw.fileno()


def test_shutdown_wakes_the_reader(session: CachedSession, origin: Origin) -> None:
    """From another thread (urllib3 2.3); what had come by then is not taken for whole."""

    def script(_: Seen, peer: Conversation) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhello")
        peer.wait_for_end()

    url = origin.script("/a", script)
    with session.get(url, stream=True, timeout=10) as response:
        assert response.raw.read(5) == b"hello"
        timer = threading.Timer(0.1, response.raw.shutdown)
        timer.start()
        with pytest.raises(HTTPError):
            response.raw.read()
        timer.join()
    assert not session.cache.contains(url)


def test_a_connection_that_was_released_early_is_not_mixed_up(session: CachedSession, origin: Origin) -> None:
    """``release_conn`` with a body unread: urllib3 hands the connection on; nothing false is stored."""
    first, second = origin.on("/a", fresh(b"a" * 100)), origin.on("/b", fresh(b"b" * 100))
    response = session.get(first, stream=True)
    response.raw.release_conn()
    response.close()
    assert session.get(second).content == b"b" * 100
    for url, letter in ((first, b"a"), (second, b"b")):
        assert session.get(url).content == letter * 100
