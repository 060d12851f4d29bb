"""Responses: fields, text, lines, and the ways of reading a body once."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sansio_cache_adapters.trio.http.content import OutgoingRequest, Timeout
from sansio_cache_adapters.trio.http.errors import (
    DecodingError,
    ResponseNotRead,
    StreamClosed,
    StreamConsumed,
)
from sansio_cache_adapters.trio.http.hop import Hop
from sansio_cache_adapters.trio.http.response import FieldMap, HTTPStatusError, Response
from sansio_cache_adapters.trio.http.url import parse

REQUEST = OutgoingRequest("GET", "http://h/", [], b"", Timeout())


class Pieces:
    """A hop's body from memory."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)

    async def arrived(self) -> bytes | None:
        return None

    async def aclose(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        self.closed += 1


def response(*pieces: bytes, status: int = 200, fields: Any = ()) -> Response:
    return Response(Hop(status, "Reason", list(fields), Pieces(*pieces)), REQUEST)


def test_fields_are_found_without_regard_to_case() -> None:
    fields = FieldMap([("Set-Cookie", "a=1"), ("X", "1"), ("set-cookie", "b=2")])
    assert fields["SET-COOKIE"] == "a=1, b=2"
    assert fields.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x" in fields
    assert "y" not in fields
    assert not fields.__contains__(1)
    assert fields.get("y") is None
    assert list(fields) == ["Set-Cookie", "X"]
    assert len(fields) == 2
    assert dict(fields) == {"Set-Cookie": "a=1, b=2", "X": "1"}
    assert repr(fields) == "FieldMap([('Set-Cookie', '…'), ('X', '1'), ('set-cookie', '…')])"
    with pytest.raises(KeyError):
        fields["y"]


@pytest.mark.anyio
async def test_a_body_is_read_once_and_kept() -> None:
    r = response(b'{"a"', b": 1}")
    for early in ("content", "text"):
        with pytest.raises(ResponseNotRead):
            getattr(r, early)
    with pytest.raises(ResponseNotRead):
        r.json()
    assert await r.read() == await r.read() == r.content == b'{"a": 1}'
    assert (r.text, r.json()) == ('{"a": 1}', {"a": 1})
    assert [piece async for piece in r.iter_bytes()] == [r.content]
    with pytest.raises(StreamConsumed):
        r.iter_raw()
    await r.aclose()
    assert r.content == b'{"a": 1}'
    assert repr(r) == "<Response [200 Reason]>"


@pytest.mark.anyio
async def test_a_streamed_body_is_gone() -> None:
    r = response(b"a", b"b")
    assert [piece async for piece in r.iter_bytes()] == [b"a", b"b"]
    with pytest.raises(StreamConsumed):
        r.iter_bytes()
    with pytest.raises(StreamConsumed):
        await r.read()


@pytest.mark.anyio
async def test_a_closed_body_is_gone() -> None:
    r = response(b"a")
    await r.aclose()
    with pytest.raises(StreamClosed):
        r.iter_bytes()
    with pytest.raises(ResponseNotRead):
        _ = r.content


@pytest.mark.anyio
async def test_raw_pieces_keep_their_coding() -> None:
    coded = gzip.compress(b"hello")
    fields = [("Content-Encoding", "gzip")]
    assert [piece async for piece in response(coded, fields=fields).iter_raw()] == [coded]
    assert await response(coded[:9], coded[9:], fields=fields).read() == b"hello"
    with pytest.raises(DecodingError, match="middle"):
        await response(coded[:-1], fields=fields).read()
    with pytest.raises(DecodingError):
        await response(b"hello", fields=fields).read()
    assert await response(fields=fields).read() == b""
    assert await response(b"hello", fields=[("Content-Encoding", "aes128gcm")]).read() == b"hello"


# Content-Type, body, text
TEXTS: list[tuple[str | None, bytes, str]] = [
    (None, "ä".encode(), "ä"),
    ("text/plain", "ä".encode(), "ä"),
    ("text/plain; charset=latin-1", b"\xe4", "ä"),
    ('text/plain; charset="ISO-8859-1"', b"\xe4", "ä"),
    ("text/plain; charset=utf-16", "ä".encode("utf-16"), "ä"),
    ("text/plain; charset=utf-8", b"\xff", "\ufffd"),
    ("text/plain; charset=nonsense", "ä".encode(), "ä"),
    ("text/plain; charset=zlib", "ä".encode(), "ä"),
    ("text/plain; charset=idna", "ä".encode(), "ä"),
    ("text/plain; charset=punycode", "ä".encode(), "ä"),
    ("text/plain; charset=unicode_escape", b"\\x", "\\x"),
    ("text/plain; charset=undefined", "ä".encode(), "ä"),
    ("text/plain; charset=", "ä".encode(), "ä"),
    ("text/plain; charset*=utf-8''%FF", "ä".encode(), "ä"),
    ("\xff;;;=;charset", "ä".encode(), "ä"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "body", "text"), TEXTS)
async def test_text_is_decoded_as_its_type_says(kind: str | None, body: bytes, text: str) -> None:
    r = response(body, fields=[("Content-Type", kind)] if kind else [])
    await r.read()
    assert r.text == text


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40), st.binary(max_size=20))
def test_no_content_type_breaks_text(kind: str, body: bytes) -> None:
    r = response(body, fields=[("Content-Type", "text/plain; charset=" + kind)])
    r._content = body
    assert isinstance(r.text, str)


@pytest.mark.anyio
async def test_the_encoding_can_be_set() -> None:
    r = response(b"\xe4")
    await r.read()
    r.encoding = "latin-1"
    assert (r.encoding, r.text) == ("latin-1", "ä")
    with pytest.raises(LookupError):
        r.encoding = "nonsense"


@pytest.mark.anyio
@pytest.mark.parametrize("body", ['{"a": "ä"}'.encode(coding) for coding in ("utf-8", "utf-8-sig", "utf-16", "utf-32")])
async def test_json_is_found_out_by_its_bytes(body: bytes) -> None:
    r = response(body)
    await r.read()
    assert r.json() == {"a": "ä"}


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xff"])
async def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    r = response(body)
    await r.read()
    with pytest.raises(ValueError):
        r.json()


@pytest.mark.anyio
@pytest.mark.parametrize("coding", ["nonsense", "gzip, nonsense", "X-Nonsense"])
async def test_what_is_still_coded_is_no_text(coding: str) -> None:
    """As bytes it is given as it came."""
    fields = [("Content-Encoding", coding), ("Content-Type", "application/json")]
    words = "coded with .*nonsense, which cannot be taken off here; read it as bytes"
    r = response(b"coded", fields=fields)
    assert await r.read() == r.content == b"coded"
    for read in (lambda: r.text, r.json):
        with pytest.raises(DecodingError, match=words):
            read()
    lines = response(b"coded", fields=fields).iter_lines()
    with pytest.raises(DecodingError, match=words):
        await anext(lines)


@pytest.mark.anyio
async def test_an_empty_body_is_text_however_it_is_coded() -> None:
    """The answer to HEAD has the fields of a body, and none."""
    r = response(fields=[("Content-Encoding", "nonsense")])
    await r.read()
    assert r.text == ""
    assert [line async for line in response(fields=[("Content-Encoding", "nonsense")]).iter_lines()] == []


# pieces, lines
LINES: list[tuple[list[bytes], list[str]]] = [
    ([], []),
    ([b""], []),
    ([b"a"], ["a"]),
    ([b"a\n"], ["a"]),
    ([b"a\n\n"], ["a", ""]),
    ([b"\n"], [""]),
    ([b"a\r\nb\rc\nd"], ["a", "b", "c", "d"]),
    ([b"a\r", b"\nb"], ["a", "b"]),
    ([b"a\r"], ["a"]),
    ([b"a\r", b"b"], ["a", "b"]),
    ([b"a", b"b", b"c\nd", b"e"], ["abc", "de"]),
    ([b"\xc3", b"\xa4\n\xc3"], ["ä", "\ufffd"]),
    ([b"a\x0bb\x85\x1cc"], ["a\x0bb\ufffd\x1cc"]),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("pieces", "lines"), LINES)
async def test_lines_end_as_on_any_system(pieces: list[bytes], lines: list[str]) -> None:
    assert [line async for line in response(*pieces).iter_lines()] == lines


@pytest.mark.anyio
async def test_lines_of_a_body_that_was_read() -> None:
    r = response(b"a\nb", fields=[("Content-Type", "text/plain; charset=latin-1")])
    await r.read()
    assert [line async for line in r.iter_lines()] == ["a", "b"]


@pytest.mark.parametrize(
    ("status", "error"), [(200, False), (304, False), (399, False), (400, True), (599, True), (600, False)]
)
def test_client_and_server_errors_can_be_raised(status: int, error: bool) -> None:
    r = response(status=status)
    if error:
        with pytest.raises(HTTPStatusError, match=f"{status} Reason for http://h/") as caught:
            r.raise_for_status()
        assert caught.value.response is r
        assert caught.value.url == "http://h/"
    else:
        assert r.raise_for_status() is r


def test_what_is_shown_holds_no_credentials() -> None:
    """It ends up in logs and tracebacks."""
    fields = [("Authorization", "Bearer hunter2"), ("Set-Cookie", "a=hunter2"), ("Accept", "b")]
    request = OutgoingRequest("GET", "http://h/?token=hunter2&a=1", fields, b"hunter2", Timeout(), {"a": "hunter2"})
    shown = f"{request!r} {FieldMap(fields)!r} {parse('http://u:hunter2@h/')!r}"
    assert "hunter2" not in shown
    assert "'http://h/?token=REDACTED&a=1'" in shown
    assert "('Authorization', '…')" in shown
    assert "('Accept', 'b')" in shown
