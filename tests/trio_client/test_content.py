"""Requests on their way out: parameters, fields, contents, framing, timeouts."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sansio_cache_adapters.trio.http.content import (
    OutgoingRequest,
    StreamBody,
    Timeout,
    add_params,
    encode_content,
    request_event,
)
from sansio_cache_adapters.trio.http.errors import InvalidURL, LocalProtocolError, StreamConsumed
from sansio_cache_adapters.trio.http.fields import merge_fields

U = "http://h/p"

# URL, layers of parameters, result
PARAMS: list[tuple[str, list[Any], str]] = [
    (U, [None, None], U),
    (U, [{}], U),
    (U, [{"a": 1, "b": "x y"}], U + "?a=1&b=x+y"),
    (U, [{"b": 1, "a": 2}], U + "?b=1&a=2"),
    (U, [{"a": [1, 2]}, None], U + "?a=1&a=2"),
    (U, [[("a", 1), ("b", 2), ("a", 3)]], U + "?a=1&b=2&a=3"),
    (U, [{"a": None, "b": True, "c": False, "d": 1.5}], U + "?b=true&c=false&d=1.5"),
    (U, [{"a": 1, "b": 2}, {"a": 3}], U + "?b=2&a=3"),
    (U, [{"a": 1, "b": 2}, {"a": None}], U + "?b=2"),
    (U, [{"ä&": "=?"}], U + "?%C3%A4%26=%3D%3F"),
    (U + "?z=0", [{"a": 1}], U + "?z=0&a=1"),
    (U + "?", [{"a": 1}], U + "?a=1"),
    (U + "?z&", [{"a": 1}], U + "?z&a=1"),
    (U + "#f?g", [{"a": 1}], U + "?a=1#f?g"),
]


@pytest.mark.parametrize(("url", "layers", "result"), PARAMS)
def test_parameters_join_the_query(url: str, layers: list[Any], result: str) -> None:
    assert add_params(url, *layers) == result


# layers of fields, result
FIELDS: list[tuple[list[Any], list[tuple[str, str]]]] = [
    ([None, None], []),
    ([{"A": "1"}, {"B": "2"}], [("A", "1"), ("B", "2")]),
    ([{"A": "1", "B": "2"}, {"a": "3"}], [("B", "2"), ("a", "3")]),
    ([{"A": "1", "B": "2"}, {"a": None}], [("B", "2")]),
    ([[("A", "1"), ("a", "2")], None], [("A", "1"), ("a", "2")]),
    ([{"A": "1"}, [("a", "2"), ("a", "3")]], [("a", "2"), ("a", "3")]),
]


@pytest.mark.parametrize(("layers", "result"), FIELDS)
def test_later_fields_replace_earlier_ones(layers: list[Any], result: list[tuple[str, str]]) -> None:
    assert merge_fields(*layers) == result


# arguments, body, Content-Type
BODIES: list[tuple[dict[str, Any], bytes, str | None]] = [
    ({}, b"", None),
    ({"content": b"x"}, b"x", None),
    ({"content": bytearray(b"x")}, b"x", None),
    ({"content": "ä"}, b"\xc3\xa4", "text/plain; charset=utf-8"),
    ({"content": io.BytesIO(b"x")}, b"x", None),
    ({"json": {"ä": [1, None]}}, '{"ä":[1,null]}'.encode(), "application/json"),
    ({"json": False}, b"false", "application/json"),
    ({"data": {"a": "x y", "b": ["1", True], "c": None}}, b"a=x+y&b=1&b=true", "application/x-www-form-urlencoded"),
    ({"data": [("a", "1"), ("a", "2")]}, b"a=1&a=2", "application/x-www-form-urlencoded"),
]


@pytest.mark.parametrize(("given", "body", "kind"), BODIES)
def test_contents_become_bytes(given: dict[str, Any], body: bytes, kind: str | None) -> None:
    assert encode_content(**given) == (body, [("Content-Type", kind)] if kind else [])


# arguments, error
NO_BODIES: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"content": b"x", "json": 1}, TypeError),
    ({"data": {}, "json": 1}, TypeError),
    ({"data": "a=1"}, TypeError),
    ({"data": b"a=1"}, TypeError),
    ({"content": 1}, TypeError),
    ({"content": [b"x"]}, TypeError),
    ({"content": io.StringIO("x")}, TypeError),
    ({"json": float("nan")}, ValueError),
    ({"json": object()}, TypeError),
]


@pytest.mark.parametrize(("given", "error"), NO_BODIES)
def test_what_is_no_content_is_refused(given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_content(**given)


async def pieces() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


class Again:
    def __aiter__(self) -> AsyncIterator[bytes]:
        return pieces()


async def collect(body: bytes | StreamBody) -> bytes:
    assert isinstance(body, StreamBody)
    return b"".join([piece async for piece in body()])


@pytest.mark.anyio
async def test_an_iterator_streams_once() -> None:
    body, kind = encode_content(pieces())
    assert isinstance(body, StreamBody)
    assert (body.length, body.replayable, body.ready, kind) == (None, False, True, [])
    assert await collect(body) == b"ab"
    assert not body.ready
    with pytest.raises(StreamConsumed):
        await collect(body)


@pytest.mark.anyio
async def test_an_iterable_streams_each_time_anew() -> None:
    body, _ = encode_content(Again())
    assert await collect(body) == await collect(body) == b"ab"


@pytest.mark.anyio
async def test_a_file_is_sent_from_where_it_stands_each_time(tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(b"skipped" + data)
    with (tmp_path / "file").open("rb") as file:
        file.read(7)
        body, _ = encode_content(file)
        assert isinstance(body, StreamBody)
        assert (body.length, body.replayable) == (len(data), True)
        assert await collect(body) == await collect(body) == data
    with (tmp_path / "file").open("r") as text, pytest.raises(TypeError, match="binary"):
        encode_content(text)  # type: ignore[arg-type]


class Pipe(io.RawIOBase):
    def __init__(self) -> None:
        self._left = [b"a", b"b"]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._left.pop(0) if self._left and size else b""


@pytest.mark.anyio
async def test_a_pipe_streams_once() -> None:
    body, _ = encode_content(Pipe())  # type: ignore[arg-type]
    assert isinstance(body, StreamBody)
    assert (body.length, body.replayable) == (None, False)
    assert await collect(body) == b"ab"


def request(
    method: str = "GET", fields: Any = (), body: bytes | StreamBody = b"", url: str = "http://h/p?q#f"
) -> OutgoingRequest:
    return OutgoingRequest(method, url, list(fields), body, Timeout())


STREAM = StreamBody(pieces)
SIZED = StreamBody(pieces, length=2)

# id, request, what follows Host
FRAMED: list[tuple[str, OutgoingRequest, list[tuple[bytes, bytes]]]] = [
    ("GET", request(), []),
    ("HEAD", request("HEAD"), []),
    ("DELETE", request("DELETE"), []),
    ("POST without", request("POST"), [(b"Content-Length", b"0")]),
    ("PUT without", request("PUT"), [(b"Content-Length", b"0")]),
    ("PATCH without", request("PATCH"), [(b"Content-Length", b"0")]),
    ("GET with", request("GET", body=b"x"), [(b"Content-Length", b"1")]),
    ("stream", request("POST", body=STREAM), [(b"Transfer-Encoding", b"chunked")]),
    ("sized", request("POST", body=SIZED), [(b"Content-Length", b"2")]),
    ("own length", request("POST", [("content-length", "9")], STREAM), [(b"content-length", b"9")]),
    ("own equal length", request("POST", [("content-length", "2")], SIZED), [(b"content-length", b"2")]),
    ("own coding", request("POST", [("transfer-encoding", "chunked")], b"x"), [(b"transfer-encoding", b"chunked")]),
    ("spelling kept", request(fields=[("x-ODD", "\xe4")]), [(b"x-ODD", b"\xe4")]),
]


@pytest.mark.parametrize(("asked", "fields"), [row[1:] for row in FRAMED], ids=[row[0] for row in FRAMED])
def test_host_comes_first_and_the_content_is_framed(asked: OutgoingRequest, fields: list[tuple[bytes, bytes]]) -> None:
    event = request_event(asked)
    assert (event.method, event.target) == (asked.method.encode(), b"/p?q")
    assert event.headers.raw_items() == [(b"Host", b"h"), *fields]


def test_a_given_host_is_kept() -> None:
    assert request_event(request(fields=[("hOST", "other")])).headers.raw_items() == [(b"hOST", b"other")]


# id, request, error
ILLEGAL: list[tuple[str, OutgoingRequest, type[Exception]]] = [
    ("CONNECT", request("CONNECT"), LocalProtocolError),
    ("method with space", request("GE T"), LocalProtocolError),
    ("method with line end", request("GET\r\nX: y"), LocalProtocolError),
    ("method outside ASCII", request("GÉT"), LocalProtocolError),
    ("field name", request(fields=[("X Y", "z")]), LocalProtocolError),
    ("empty name", request(fields=[("", "z")]), LocalProtocolError),
    ("line end in a value", request(fields=[("X", "y\r\nZ: w")]), LocalProtocolError),
    ("NUL in a value", request(fields=[("X", "\0")]), LocalProtocolError),
    ("outside latin-1", request(fields=[("X", "\u20ac")]), LocalProtocolError),
    ("two hosts", request(fields=[("Host", "a"), ("Host", "b")]), LocalProtocolError),
    (
        "length and coding",
        request("POST", [("Content-Length", "1"), ("Transfer-Encoding", "chunked")], b"x"),
        LocalProtocolError,
    ),
    ("wrong length", request("POST", [("Content-Length", "2")], b"x"), LocalProtocolError),
    ("wrong length of a file", request("POST", [("Content-Length", "3")], SIZED), LocalProtocolError),
    ("length that is none", request("POST", [("Content-Length", "x")], STREAM), LocalProtocolError),
    ("unknown coding", request("POST", [("Transfer-Encoding", "gzip")], b"x"), LocalProtocolError),
    ("no URL", request(url="/p"), InvalidURL),
]


@pytest.mark.parametrize(("asked", "error"), [row[1:] for row in ILLEGAL], ids=[row[0] for row in ILLEGAL])
def test_what_http_forbids_is_not_sent(asked: OutgoingRequest, error: type[Exception]) -> None:
    with pytest.raises(error):
        request_event(asked)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, Timeout(None, None, None, None)),
        (2, Timeout(2, 2, 2, 2)),
        (Timeout(read=1), Timeout(10, 1, 30, None)),
    ],
)
def test_a_number_stands_for_every_wait(given: Any, meant: Timeout) -> None:
    assert Timeout.of(given) == meant


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
@pytest.mark.parametrize("name", ["connect", "read", "write", "pool"])
def test_a_wait_of_nothing_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=name):
        Timeout(**{name: seconds})


def test_json_round_trips() -> None:
    body, _ = encode_content(json={"a": "\u2028</script>"})
    assert isinstance(body, bytes)
    assert json.loads(body) == {"a": "\u2028</script>"}
