"""TLS: who is believed, and what counts as an end."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import truststore

from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.connection import default_ssl_context
from sansio_cache_adapters.trio.http.errors import CertificateError, ConnectError, ReadError, TransportError
from sansio_cache_adapters.trio.http.pool import Counts

pytestmark = pytest.mark.anyio


async def test_a_proven_host_is_talked_to_and_its_connection_kept(serve: Any, tls: Any) -> None:
    server = serve.pages({"*": serve.message(bytes(1_000_000))}, tls.server("127.0.0.1"))
    async with HTTPSession(ssl_context=tls.client()) as session:
        for _ in range(3):
            assert (await session.get(server.url)).content == bytes(1_000_000)
        assert (await session.post(server.url, content=bytes(1_000_000))).status == 200
        assert session.pool.counts == Counts(0, 1, 0)
    assert server.accepted == 1
    assert server.seen[3].body == bytes(1_000_000)


async def test_names_and_addresses_are_proven_alike(serve: Any, tls: Any) -> None:
    server = serve.pages({"*": serve.message()}, tls.server("localhost"))
    async with HTTPSession(ssl_context=tls.client()) as session:
        assert (await session.get(f"https://localhost:{server.port}/")).status == 200


# id, how the server's certificate is wrong
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("wrong host", {"host": "example.org"}),
    ("expired", {"host": "127.0.0.1", "expired": True}),
    ("another CA", {"host": "127.0.0.1", "stranger": True}),
    ("self-signed", {"host": "127.0.0.1", "self_signed": True}),
]


@pytest.mark.parametrize("how", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_an_unproven_host_is_refused(serve: Any, tls: Any, how: dict[str, Any]) -> None:
    server = serve.pages({"*": serve.message()}, tls.server(**how))
    async with HTTPSession(ssl_context=tls.client()) as session:
        with pytest.raises(CertificateError) as caught:
            await session.get(server.url)
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
        assert session.pool.counts == Counts(0, 0, 0)
    assert server.seen == []


async def test_the_default_is_the_systems_trust_store(serve: Any, tls: Any) -> None:
    assert type(default_ssl_context()) is truststore.SSLContext
    server = serve.pages({"*": serve.message()}, tls.server("127.0.0.1"))
    async with HTTPSession() as session:
        with pytest.raises(CertificateError):
            await session.get(server.url)


async def test_verification_can_be_turned_off_by_those_who_must(serve: Any, tls: Any) -> None:
    server = serve.pages({"*": serve.message()}, tls.server("example.org", expired=True))
    async with HTTPSession(verify=False) as session:
        assert (await session.get(server.url)).content == b"hello"
    with pytest.raises(ValueError, match="exclude"):
        HTTPSession(verify=False, ssl_context=tls.client())


async def test_a_version_that_is_too_old_is_a_connect_error(serve: Any, tls: Any) -> None:
    context = tls.server("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = serve.pages({"*": serve.message()}, context)
    client = tls.client()
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    async with HTTPSession(ssl_context=client) as session:
        with pytest.raises(ConnectError) as caught:
            await session.get(server.url)
        assert not isinstance(caught.value, CertificateError)


HEAD = b"HTTP/1.1 200 OK\r\n"

# id, what is sent, whether close_notify follows, the body or the error
ENDS: list[tuple[str, bytes, bool, bytes | type[TransportError]]] = [
    ("delimited by a proper end", HEAD + b"\r\nhello", True, b"hello"),
    ("delimited by a cut", HEAD + b"\r\nhello", False, ReadError),
    ("delimited by length, cut", HEAD + b"Content-Length: 5\r\n\r\nhello", False, b"hello"),
    ("chunked, cut", HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", False, b"hello"),
    ("too short, cut", HEAD + b"Content-Length: 9\r\n\r\nhello", False, ReadError),
    ("too short, proper end", HEAD + b"Content-Length: 9\r\n\r\nhello", True, TransportError),
]


@pytest.mark.parametrize("lenient", [False, True], ids=["strict context", "lenient context"])
@pytest.mark.parametrize(("sent", "notify", "result"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
async def test_an_end_without_close_notify_ends_no_message(
    serve: Any, tls: Any, sent: bytes, notify: bool, result: Any, lenient: bool
) -> None:
    """RFC 9112 §9.8, also where the context was told to overlook it."""

    def handler(peer: Any) -> None:
        peer.read()
        peer.send(sent)
        peer.goodbye() if notify else peer.interrupt()

    server = serve(handler, tls.server("127.0.0.1"))
    context = tls.client()
    if lenient:
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    async with HTTPSession(ssl_context=context) as session:
        if isinstance(result, bytes):
            assert (await session.get(server.url)).content == result
        else:
            with pytest.raises(result):
                await session.get(server.url)


async def test_junk_behind_a_response_closes_the_connection(serve: Any, tls: Any) -> None:
    def handler(peer: Any) -> None:
        while peer.read():
            peer.send(serve.message(b"true"))
            peer.send(serve.message(b"false"))

    server = serve(handler, tls.server("127.0.0.1"))
    async with HTTPSession(ssl_context=tls.client()) as session:
        for _ in range(5):
            assert (await session.get(server.url)).content == b"true"
    assert server.accepted == 5


async def test_an_unread_stream_keeps_its_connection(serve: Any, tls: Any) -> None:
    server = serve.pages({"*": serve.message(b"x" * 1000)}, tls.server("127.0.0.1"))
    async with HTTPSession(ssl_context=tls.client()) as session:
        async with session.stream("GET", server.url):
            pass
        assert session.pool.counts == Counts(0, 1, 0)


class InOneSegment:
    """A TLS server that decides which records share a TCP segment."""

    def __init__(self, peer: Any, context: ssl.SSLContext) -> None:
        self._peer = peer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._pump(self._tls.do_handshake)
        self._peer.send(self._out.read())

    def _pump(self, step: Any, *args: Any) -> Any:
        while True:
            try:
                return step(*args)
            except ssl.SSLWantReadError:
                self._peer.send(self._out.read())
                self._in.write(self._peer.receive())

    def read(self) -> None:
        self._pump(self._tls.read, 65536)

    def send(self, *records: bytes, raw: bytes = b"") -> None:
        for record in records:
            self._tls.write(record)
        self._peer.send(self._out.read() + raw)


# id, records of one segment, raw bytes behind them, whether the connection is kept
SEGMENTS: list[tuple[str, list[bytes], bytes, bool]] = [
    ("head and body", [HEAD + b"Content-Length: 5\r\n\r\n", b"hello"], b"", True),
    ("junk", [HEAD + b"Content-Length: 5\r\n\r\nhello", b"junk"], b"", False),
    ("broken record", [HEAD + b"Content-Length: 5\r\n\r\nhello"], b"\x17\x03\x03\x00\x05xxxxx", False),
]


@pytest.mark.parametrize("read", [True, False], ids=["read", "left unread"])
@pytest.mark.parametrize(("records", "raw", "kept"), [row[1:] for row in SEGMENTS], ids=[row[0] for row in SEGMENTS])
async def test_what_lies_in_the_tls_layer_is_seen(
    serve: Any, tls: Any, records: list[bytes], raw: bytes, kept: bool, read: bool
) -> None:
    def handler(peer: Any) -> None:
        server = InOneSegment(peer, tls.server("127.0.0.1"))
        server.read()
        server.send(*records, raw=raw)
        peer.wait_for_end()

    server = serve(handler)
    async with HTTPSession(ssl_context=tls.client()) as session:
        async with session.stream("GET", server.url.replace("http:", "https:")) as response:
            if read:
                assert await response.read() == b"hello"
        assert session.pool.counts == Counts(0, int(kept), 0)
