"""What hostile and broken servers send in the place of a response."""

from __future__ import annotations

from sansio_cache_adapters.trio.http.errors import RemoteProtocolError, TransportError

__all__ = ["BROKEN", "GOOD", "OK", "H"]

H = b"HTTP/1.1 "
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = OK + b"Content-Length: 5\r\n\r\nhello"

# id, what the server sends before it closes, the error that reading the response whole gives.
BROKEN: list[tuple[str, bytes, type[TransportError]]] = [
    ("nothing", b"", RemoteProtocolError),
    ("half a status line", b"HTTP/1.1 20", RemoteProtocolError),
    ("half a head", OK + b"Content-Length: 5\r\n", RemoteProtocolError),
    ("not HTTP", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", RemoteProtocolError),
    ("TLS alert", b"\x15\x03\x01\x00\x02\x02\x46", RemoteProtocolError),
    ("HTTP/0.9", b"<html>hello</html>\n\n", RemoteProtocolError),
    ("HTTP/2 preface", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", RemoteProtocolError),
    ("status of four digits", H + b"2000 OK\r\n\r\n", RemoteProtocolError),
    ("status 099", H + b"099 Low\r\n\r\n", RemoteProtocolError),
    ("space before colon", OK + b"Content-Length : 5\r\n\r\nhello", RemoteProtocolError),
    ("field without colon", OK + b"nonsense\r\n\r\n", RemoteProtocolError),
    ("NUL in a field", OK + b"X: a\0b\r\n\r\n", RemoteProtocolError),
    ("continuation first", OK + b" folded\r\n\r\n", RemoteProtocolError),
    ("short body", OK + b"Content-Length: 10\r\n\r\nhello", RemoteProtocolError),
    ("two lengths", OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", RemoteProtocolError),
    ("list of lengths", OK + b"Content-Length: 5, 6\r\n\r\nhello!", RemoteProtocolError),
    ("negative length", OK + b"Content-Length: -5\r\n\r\nhello", RemoteProtocolError),
    ("signed length", OK + b"Content-Length: +5\r\n\r\nhello", RemoteProtocolError),
    ("endless length", OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nhello", RemoteProtocolError),
    ("unknown coding", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", RemoteProtocolError),
    ("two codings", OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", RemoteProtocolError),
    ("chunk garbage", OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n", RemoteProtocolError),
    ("chunk too long", OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", RemoteProtocolError),
    ("chunk of 2**80", OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 21 + b"\r\n", RemoteProtocolError),
    ("negative chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n", RemoteProtocolError),
    ("no last chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", RemoteProtocolError),
    ("half a chunk", OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", RemoteProtocolError),
    ("no end of trailers", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", RemoteProtocolError),
    ("bad trailer", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX y\r\n\r\n", RemoteProtocolError),
    ("huge field", OK + b"X: " + b"y" * 200_000 + b"\r\n\r\n", RemoteProtocolError),
    ("huge field without end", OK + b"X: " + b"y" * 200_000, RemoteProtocolError),
    ("huge reason", H + b"200 " + b"y" * 200_000 + b"\r\n\r\n", RemoteProtocolError),
    ("many small fields", OK + b"X: y\r\n" * 2_000 + b"\r\n", RemoteProtocolError),
    ("fields without end", OK + b"X: y\r\n" * 50_000, RemoteProtocolError),
    ("chunk line without end", OK + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 100_000, RemoteProtocolError),
    ("huge trailers", OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 50_000, RemoteProtocolError),
    ("101 unasked", H + b"101 Switching Protocols\r\nUpgrade: evil\r\n\r\n", RemoteProtocolError),
    ("only interim", H + b"103 Early Hints\r\n\r\n", RemoteProtocolError),
    ("interim flood", (H + b"102 Processing\r\n\r\n") * 500, RemoteProtocolError),
    ("huge interim", H + b"103 Early Hints\r\nLink: " + b"y" * 200_000 + b"\r\n\r\n", RemoteProtocolError),
    ("huge interim before", H + b"103 X\r\nA: " + b"y" * 200_000 + b"\r\n\r\n" + GOOD, RemoteProtocolError),
    ("interim flood before", (H + b"102 Processing\r\n\r\n") * 500 + GOOD, RemoteProtocolError),
    ("huge reason before", H + b"200 " + b"y" * 200_000 + GOOD[15:], RemoteProtocolError),
]
