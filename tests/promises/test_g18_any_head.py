"""G18: no response head breaks a request that works without the cache."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from local_origin import Conversation, Origin, Seen

from sansio_cache import CachedSession, MemoryStore

END = b"Content-Length: 4\r\n\r\nbody"
STRANGE: dict[str, bytes] = {
    "huge age": b"Age: 99999999999999999999999999\r\nCache-Control: max-age=60\r\n",
    "negative age": b"Age: -5\r\nCache-Control: max-age=60\r\n",
    "huge max-age": b"Cache-Control: max-age=" + b"9" * 5000 + b"\r\n",
    "year 99999": b"Expires: Sun, 06 Nov 99999 08:49:37 GMT\r\nDate: Sun, 06 Nov 99999 08:49:37 GMT\r\n",
    "year 0": b"Expires: Sun, 06 Nov 0000 08:49:37 GMT\r\nLast-Modified: Sun, 06 Nov 0000 08:49:37 GMT\r\n",
    "no date": b"Date: yesterday\r\nLast-Modified: \xff\xfe\r\nExpires: 0\r\nCache-Control: max-age=60\r\n",
    "odd date": b"Last-Modified: Thu, 31 Feb 2020 25:61:61 GMT\r\nETag: x\r\nCache-Control: max-age=60\r\n",
    "latin-1": b'X-Name: caf\xe9\xff\r\nETag: "\xe9"\r\nCache-Control: max-age=0\r\n',
    "utf-8": "X-Name: ☃\r\nVary: ☃\r\nCache-Control: max-age=60\r\n".encode(),
    "nul": b"X-Name: a\0b\r\nCache-Control: max-age=60\r\n",
    "many": b"".join(b"X-%d: 1\r\n" % number for number in range(90)) + b"Cache-Control: max-age=60\r\n",
    "long": b"X-Long: " + b"x" * 60_000 + b"\r\nCache-Control: max-age=60\r\n",
    "very much": b"".join(b"X-%d: " % number + b"y" * 9000 + b"\r\n" for number in range(20))
    + b"Cache-Control: max-age=60\r\n",
    "very many directives": b"Cache-Control: max-age=60" + b', no-cache="a"' * 4_000 + b"\r\n",
    "lines of directives": (b"Cache-Control: max-age=60" + b", a" * 400 + b"\r\n") * 40,
    "very many fields in Vary": b"Cache-Control: max-age=60\r\nVary: a" + b", b" * 20_000 + b"\r\n",
    "very many fields of the hop": b"Cache-Control: max-age=60\r\nConnection: keep-alive" + b", b" * 20_000 + b"\r\n",
    "very many ages": b"Cache-Control: max-age=60\r\nAge: 1" + b", 2" * 20_000 + b"\r\n",
    "very many tags": b"Cache-Control: max-age=0\r\nETag: " + b'"a", ' * 10_000 + b"\r\n",
    "a targeted field of lists": b"CDN-Cache-Control: a=(" + b"b " * 20_000 + b")\r\nCache-Control: max-age=60\r\n",
    "empty fields": b"Vary:\r\nCache-Control:\r\nETag:\r\nExpires:\r\nAge:\r\nContent-Encoding:\r\n",
    "no name": b"Cache-Control: max-age=60\r\nVary: ,,,\r\nConnection: ,\r\n",
    "unknown coding": b"Content-Encoding: made-up\r\nCache-Control: max-age=60\r\n",
    "bad type": b"Content-Type: ;;;charset=\xff\r\nCache-Control: max-age=60\r\n",
    "quotes": b'Cache-Control: max-age=60, foo="\\\r\nVary: "\r\n',
    "location": b"Location: http://[\r\nContent-Location: //\r\nCache-Control: max-age=60\r\n",
}
STATUS = [b"200 OK", b"200", b"200 ", b"299 \xe9t\xe9", b"404 " + b"x" * 500, b"599 ?"]


def answers(client: requests.Session, url: str) -> tuple[Any, ...]:
    try:
        response = client.get(url, allow_redirects=False)
    except requests.RequestException as error:
        return (type(error),)
    fields = {name: value for name, value in response.headers.items() if name != "Age"}
    return response.status_code, response.reason, response.content, fields


def served(origin: Origin, head: bytes, status: bytes = b"200 OK") -> str:
    def script(_: Seen, peer: Conversation) -> None:
        # The connection stays, whatever the head says of it: a client that uses it again must not find it closing.
        while True:
            peer.send(b"HTTP/1.1 " + status + b"\r\n" + head + END)
            peer.read()

    return origin.script("/a", script)


def compared(session: CachedSession, url: str) -> None:
    with requests.Session() as plain:
        expected = answers(plain, url)
    first, second = answers(session, url), answers(session, url)
    assert first == expected
    if len(expected) == 1:
        assert second == expected
        return
    assert second[:3] == expected[:3]
    # Some fields are not stored, none is changed; a Date that was missing is there (RFC 9110 §6.6.1).
    assert {**second[3], "Date": None}.items() <= {**expected[3], "Date": None}.items()


@pytest.mark.parametrize("case", STRANGE)
@pytest.mark.parametrize("settings_", [{}, {"cache_control": False}, {"shared": True}, {"expire_after": 60}])
def test_strange_heads(sessions: Any, origin: Origin, case: str, settings_: dict[str, Any]) -> None:
    """G18: the answer, or the client's own error, is the same with the cache, on the miss and after."""
    compared(sessions(**settings_), served(origin, STRANGE[case]))


@pytest.mark.parametrize("status", STATUS)
def test_strange_status_lines(session: CachedSession, origin: Origin, status: bytes) -> None:
    """G18: reasons are kept as they came."""
    compared(session, served(origin, b"Cache-Control: max-age=60\r\n", status))


NAMES = st.sampled_from(
    [
        *(
            b"Cache-Control",
            b"Expires",
            b"Date",
            b"Age",
            b"Vary",
            b"ETag",
            b"Last-Modified",
            b"Content-Type",
            b"Pragma",
        ),
        *(b"Connection", b"Set-Cookie", b"Content-Encoding", b"X-Any", b"Warning", b"CDN-Cache-Control", b"Link"),
    ]
)
WORDS = st.sampled_from(
    [b"max-age=60", b"no-store", b"=", b",", b'"', b"\\", b"*", b";", b"Sun, 06 Nov 1994 08:49:37 GMT"]
)
BYTES = st.binary(max_size=12).map(lambda data: bytes(each for each in data if each not in b"\r\n"))
VALUES = st.lists(st.one_of(WORDS, BYTES), max_size=4).map(b" ".join)
HEADS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


@given(head=HEADS)
@example(head=[(b"Cache-Control", b"max-age=60"), (b"Vary", b"\xff"), (b"Age", b"\x00")])
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_any_head(origin: Origin, head: list[tuple[bytes, bytes]]) -> None:
    """G18: made of all that caches read."""
    url = served(origin, b"".join(name + b": " + value + b"\r\n" for name, value in head))
    with CachedSession(MemoryStore()) as session:
        compared(session, url)
