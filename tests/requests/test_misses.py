"""Drop-in, point 1: a miss passes through untouched, and is stored while the user reads it."""

from __future__ import annotations

import gc
import gzip
import threading
import zlib
from collections.abc import Callable
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import requests
from local_origin import Conversation, Origin, Reply, Seen, fresh
from requests.exceptions import ChunkedEncodingError, ContentDecodingError

from sansio_cache import CachedSession

BODY = bytes(range(256)) * 40
HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\n"


def stored(session: CachedSession, url: str) -> bool:
    return session.cache.contains(url)


def held(peer: Conversation, data: bytes) -> None:
    """Send so much and no more, until the client has gone."""
    peer.send(data)
    peer.wait_for_end()


CODINGS = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "br": brotli.compress(BODY),
    "gzip, gzip": gzip.compress(gzip.compress(BODY)),
}


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("coding", [None, *CODINGS])
def test_a_body_is_the_same_from_the_network_and_from_the_store(
    session: CachedSession, origin: Origin, framing: str, coding: str | None
) -> None:
    """Whatever frames it and codes it."""
    fields = {"Cache-Control": "max-age=3600"} | ({"Content-Encoding": coding} if coding else {})
    url = origin.on("/", Reply(CODINGS[coding] if coding else BODY, fields=fields, framing=framing))
    first, second = session.get(url), session.get(url)
    assert (first.content, second.content) == (BODY, BODY)
    assert (first.from_cache, second.from_cache) == (False, True)
    assert origin.count() == 1


READERS: dict[str, Callable[[Any], bytes]] = {
    "content": lambda r: r.content,
    "iter_content": lambda r: b"".join(r.iter_content(7)),
    "iter_content_none": lambda r: b"".join(r.iter_content(None)),
    "iter_lines": lambda r: b"".join(r.iter_lines(chunk_size=5, delimiter=b"\x00")),
    "raw.read": lambda r: r.raw.read(),
    "raw.read_n": lambda r: b"".join(iter(lambda: r.raw.read(1000), b"")),
    "raw.read1": lambda r: b"".join(iter(lambda: r.raw.read1(1000), b"")),
    "raw.stream": lambda r: b"".join(r.raw.stream(100)),
    "raw.readinto": lambda r: readinto(r.raw),
    "raw.data": lambda r: r.raw.data,
    "raw.iter": lambda r: b"".join(r.raw),
}


def readinto(raw: Any) -> bytes:
    buffer, data = bytearray(333), b""
    while count := raw.readinto(buffer):
        data += buffer[:count]
    return data


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("reader", READERS)
def test_every_way_to_read_reads_the_same_and_stores(
    session: CachedSession, origin: Origin, framing: str, reader: str
) -> None:
    """As requests reads it without a cache, on the miss and on the hit."""
    url = origin.on("/", Reply(BODY, fields={"Cache-Control": "max-age=3600"}, framing=framing))
    with requests.get(url, stream=True) as plain:
        expected = READERS[reader](plain)
    for from_cache in (False, True):
        with session.get(url, stream=True) as response:
            assert response.from_cache is from_cache
            assert READERS[reader](response) == expected
            assert response.raw.closed
    assert origin.count() == 2


@pytest.mark.parametrize("decode", [False, True])
def test_raw_gives_the_coded_bytes_unless_asked_to_decode(session: CachedSession, origin: Origin, decode: bool) -> None:
    """``raw.read()`` as urllib3 has it under requests."""
    url = origin.on("/", fresh(BODY, coded=True))
    for _ in range(2):
        with session.get(url, stream=True) as response:
            # What gzip makes of it tells the second in which that was.
            data = response.raw.read(decode_content=decode)
            assert (data == BODY) is decode
            assert (data if decode else gzip.decompress(data)) == BODY


def test_nothing_is_read_before_the_caller_asks(session: CachedSession, origin: Origin) -> None:
    """The head is enough for ``get`` to return, though the body never comes."""
    url = origin.script("/", lambda _, peer: held(peer, HEAD + b"Content-Length: 5\r\n\r\n"))
    with session.get(url, stream=True, timeout=5) as response:
        assert response.status_code == 200
    assert not stored(session, url)


def test_a_slow_chunk_is_given_as_it_comes(session: CachedSession, origin: Origin) -> None:
    """An event stream is not held back until so many bytes have come."""
    go_on = threading.Event()

    def pieces() -> Any:
        yield b"data: 1\n\n"
        assert go_on.wait(30)
        yield b"data: 2\n\n"

    url = origin.on("/", lambda _: Reply(pieces(), fields={"Cache-Control": "max-age=60"}, framing="chunked"))
    with session.get(url, stream=True, timeout=10) as response:
        lines = response.iter_lines()
        assert next(lines) == b"data: 1"
        go_on.set()
        assert list(lines) == [b"", b"data: 2", b""]
    assert stored(session, url)


BROKEN = {
    "short": (b"Content-Length: 10\r\n\r\nhello", (requests.ConnectionError, ChunkedEncodingError)),
    "chunk cut": (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe", (ChunkedEncodingError,)),
    "no last chunk": (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", (ChunkedEncodingError,)),
    "chunk size": (b"Transfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n", (ChunkedEncodingError,)),
    "not gzip": (b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", (ContentDecodingError,)),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_body_breaks_as_without_a_cache(
    session: CachedSession, origin: Origin, case: str, stream: bool
) -> None:
    """The same error in the same place, and nothing of it is stored."""
    data, errors = BROKEN[case]
    url = origin.script("/", lambda _, peer: peer.send(HEAD + data))
    for client in (requests.Session(), session):
        with client:
            if stream:
                response = client.get(url, stream=True)
                with response, pytest.raises(errors):
                    _ = response.content
            else:
                with pytest.raises(errors):
                    client.get(url)
    assert not stored(session, url)


def test_a_truncated_gzip_body_is_not_stored(session: CachedSession, origin: Origin) -> None:
    """urllib3 reports nothing, but what was stored would be cut for ever."""
    body = gzip.compress(BODY)[:-20]
    url = origin.on("/", Reply(body, fields={"Cache-Control": "max-age=60", "Content-Encoding": "gzip"}))
    with requests.get(url) as plain:
        assert session.get(url).content == plain.content
    assert not stored(session, url)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_reader_who_goes_away_stores_nothing(session: CachedSession, origin: Origin, framing: str) -> None:
    """Neither by closing nor by forgetting it."""
    go_on = threading.Event()

    def pieces() -> Any:
        yield BODY
        go_on.wait(30)
        yield BODY

    def answer(_: Seen) -> Reply:
        return Reply(pieces(), 200, {"Cache-Control": "max-age=60"}, framing=framing, length=2 * len(BODY))

    url = origin.on("/", answer)
    with session.get(url, stream=True) as response:
        assert len(response.raw.read(10)) == 10
    forgotten = session.get(url, stream=True)
    assert len(forgotten.raw.read(10)) == 10
    del forgotten, response
    gc.collect()
    go_on.set()
    assert not stored(session, url)
    assert session.cache.stats.stored == 0


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_what_has_arrived_of_an_unread_body_is_kept(session: CachedSession, origin: Origin, framing: str) -> None:
    """``if r.status_code == 404: return`` is stored too, and the connection can go on."""
    came = threading.Event()

    def answer(seen: Seen, peer: Conversation) -> None:
        reply = Reply(b"gone", 404, {"Cache-Control": "max-age=60"}, framing=framing)
        peer.reply(reply, seen.method)
        came.set()
        peer.wait_for_end()

    url = origin.script("/", answer)
    with session.get(url, stream=True) as response:
        assert response.status_code == 404
        assert came.wait(30)
    again = session.get(url)
    assert again.from_cache
    assert again.content == b"gone"


def test_an_unread_body_that_is_large_is_not_read(session: CachedSession, origin: Origin) -> None:
    """No more than 64 KiB are taken from what has arrived."""
    url = origin.on("/", fresh(bytes(5_000_000)))
    with session.get(url, stream=True):
        pass
    assert not stored(session, url)


def test_a_body_ended_by_the_connection_is_not_taken_for_whole_when_it_pauses(
    session: CachedSession, origin: Origin
) -> None:
    """Closing unread between two pieces: only the end of the connection ends such a body."""
    came = threading.Event()

    def script(_: Seen, peer: Conversation) -> None:
        peer.send(HEAD + b"Connection: close\r\n\r\nthe first half")
        came.set()
        peer.wait_for_end()

    url = origin.script("/", script)
    with session.get(url, stream=True):
        assert came.wait(30)
    assert not stored(session, url)


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 200), ("HEAD", 404), ("GET", 301), ("GET", 410)]
)
def test_an_empty_body_is_stored(session: CachedSession, origin: Origin, method: str, status: int) -> None:
    """HEAD, 204 and a length of 0."""
    url = origin.on(
        "/", Reply(b"", status, {"Cache-Control": "max-age=60"}, framing="none" if status == 204 else "length")
    )
    for _ in range(2):
        response = session.request(method, url, allow_redirects=False)
        assert (response.status_code, response.content) == (status, b"")
    assert response.from_cache
    assert origin.count() == 1


@pytest.mark.parametrize("interim", [100, 103])
def test_interim_responses_are_as_without_a_cache(session: CachedSession, origin: Origin, interim: int) -> None:
    """1xx are not the answer (RFC 9110 §15.2), though http.client takes some for it; they are never stored."""
    data = b"HTTP/1.1 %d Early\r\nCache-Control: max-age=60\r\n\r\n" % interim
    url = origin.script("/", lambda _, peer: peer.send(data + HEAD + b"Content-Length: 5\r\n\r\nhello"))
    with requests.get(url) as plain:
        first = session.get(url)
        assert (first.status_code, first.content) == (plain.status_code, plain.content)
        assert session.cache.contains(url) is (plain.status_code == 200)


def test_a_timeout_in_the_body_is_the_clients(session: CachedSession, origin: Origin) -> None:
    """It shows itself where the body is read, and nothing is stored."""
    head = HEAD + b"Content-Length: 10\r\n\r\nhello"
    url = origin.script("/", lambda _, peer: held(peer, head))
    with (
        session.get(url, stream=True, timeout=1) as response,
        pytest.raises(requests.ConnectionError, match="timed out"),
    ):
        _ = response.content
    with pytest.raises(requests.exceptions.ReadTimeout):
        session.get(origin.script("/mute", lambda _, peer: peer.wait_for_end()), timeout=0.2)
    assert not stored(session, url)


def test_the_connection_is_given_back(session: CachedSession, origin: Origin) -> None:
    """A body that was read to its end, or was empty, leaves its connection to the next request."""
    for path in ("/a", "/b", "/c"):
        session.get(origin.on(path, fresh(BODY)))
        session.get(origin.on(path + "x", fresh(BODY, coded=True)))
        with session.get(origin.on(path + "s", Reply(BODY, framing="chunked")), stream=True) as response:
            _ = response.content
    assert {seen.connection for seen in origin.seen} == {1}


def test_the_connection_of_a_confirmation_is_given_back(session: CachedSession, origin: Origin) -> None:
    """A 304 has no body, and a validation costs no new connection."""
    first = fresh(BODY, 0, etag='"1"')
    url = origin.on("/", first, Reply(status=304, fields={"ETag": '"1"'}, framing="none"))
    for _ in range(4):
        assert session.get(url).content == BODY
    assert {seen.connection for seen in origin.seen} == {1}


def test_an_adapter_that_reads_the_body_is_no_trouble(session: CachedSession, origin: Origin) -> None:
    """One that logs what comes, say: the body is kept if its bytes as received are known."""

    class Logging(requests.adapters.HTTPAdapter):
        def send(self, *args: Any, **keywords: Any) -> requests.Response:
            response = super().send(*args, **keywords)
            assert response.content == BODY
            return response

    session.mount("http://", Logging())
    plain, coded = origin.on("/plain", fresh(BODY)), origin.on("/coded", fresh(BODY, coded=True))
    for url in (plain, coded):
        assert [session.get(url).content for _ in range(2)] == [BODY, BODY]
    assert origin.count("/plain") == 1
    assert origin.count("/coded") == 2
