"""G17: only complete messages are stored."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import brotli  # type: ignore[import-untyped]
import pytest
import requests
from local_origin import Conversation, Origin, Seen

from sansio_cache import CachedSession

PLAIN = bytes(range(256)) * 500
HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"


def length(data: bytes, promised: int) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (promised, data)


def chunked(data: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s" % (len(data), data, end)


def closed(data: bytes) -> bytes:
    return b"Connection: close\r\n\r\n" + data


def coded(coding: str, framed: bytes) -> bytes:
    return b"Content-Encoding: " + coding.encode() + b"\r\n" + framed


GZIP, DEFLATE, RAW, BR = (
    gzip.compress(PLAIN),
    zlib.compress(PLAIN),
    zlib.compress(PLAIN)[2:-4],
    brotli.compress(PLAIN),
)
WHOLE: dict[str, bytes] = {
    "length": length(PLAIN, len(PLAIN)),
    "chunked": chunked(PLAIN),
    "closed": closed(PLAIN),
    "empty": length(b"", 0),
    "gzip": coded("gzip", length(GZIP, len(GZIP))),
    "two gzip members": coded("gzip", chunked(GZIP + GZIP)),
    "gzip, closed": coded("gzip", closed(GZIP)),
    "deflate": coded("deflate", chunked(DEFLATE)),
    "raw deflate": coded("deflate", chunked(RAW)),
    "br": coded("br", chunked(BR)),
}
CUT: dict[str, bytes] = {
    "length": length(PLAIN[:-1], len(PLAIN)),
    "nothing came": length(b"", 5),
    "chunk": chunked(PLAIN)[:-20],
    "last chunk missing": chunked(PLAIN, b""),
    "gzip, length true": coded("gzip", length(GZIP[:-1], len(GZIP) - 1)),
    "gzip, chunked": coded("gzip", chunked(GZIP[:-30])),
    "gzip, closed": coded("gzip", closed(GZIP[:-4])),
    "second gzip member": coded("gzip", chunked(GZIP + GZIP[:50])),
    "deflate": coded("deflate", chunked(DEFLATE[:-2])),
    "raw deflate": coded("deflate", chunked(RAW[:-2])),
    "no gzip": coded("gzip", length(PLAIN, len(PLAIN))),
}


def asked_twice(session: CachedSession, origin: Origin, data: bytes, stream: bool) -> bool:
    """Whether the second answer came from the store."""

    def script(_: Seen, peer: Conversation) -> None:
        peer.send(HEAD + data)

    url = origin.script("/a", script)
    with suppress(requests.RequestException), session.get(url, stream=stream) as response:
        _ = response.content
    with suppress(requests.RequestException):
        return session.get(url).from_cache
    return False


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", WHOLE)
def test_whole_messages_are_stored(session: CachedSession, origin: Origin, case: str, stream: bool) -> None:
    """G17: however they are framed and coded."""
    assert asked_twice(session, origin, WHOLE[case], stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", CUT)
def test_cut_messages_are_not(session: CachedSession, origin: Origin, case: str, stream: bool) -> None:
    """G17: be it the framing that is broken off or the coding within it."""
    assert not asked_twice(session, origin, CUT[case], stream)
    assert session.cache.size().entries == 0
    session.cache.store.sweep(now=9e9)
    assert session.cache.size().bytes == 0
