"""Heads, URLs and bodies of absurd length, of every shape that a reader could be slow at (G31)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["BODIES", "FIELDS", "URLS", "Head"]

Head = list[tuple[str, str]]
"""Header fields."""


def _listed(name: str, member: str, *, first: str = "") -> Callable[[int], Head]:
    """A list of members, ``#`` in them being their number."""

    def made(size: int) -> Head:
        count = size // (len(member) + 5)
        return [(name, first + ",".join(member.replace("#", str(number)) for number in range(count)))]

    return made


def _lines(name: str, line: str) -> Callable[[int], Head]:
    """As many lines, ``#`` in them being their number."""

    def made(size: int) -> Head:
        count = size // (len(name) + len(line) + 5)
        return [(name, line.replace("#", str(number))) for number in range(count)]

    return made


def _long(name: str, start: str, repeated: str, end: str = "") -> Callable[[int], Head]:
    """One member of any length."""
    return lambda size: [(name, start + repeated * (size // len(repeated)) + end)]


FIELDS: Final[dict[str, Callable[[int], Head]]] = {
    "no-cache with a name each": _listed("Cache-Control", 'no-cache="a#"'),
    "private with a name each": _listed("Cache-Control", 'private="a#"'),
    "private with many names": lambda size: [
        ("Cache-Control", f'private="{",".join(f"a{n}" for n in range(size // 7))}"')
    ],
    "extensions": _listed("Cache-Control", 'a#="b"'),
    "malformed directives": _listed("Cache-Control", 'a#="b"x'),
    "max-age again and again": _listed("Cache-Control", "max-age=#"),
    "a long number": _long("Cache-Control", "max-age=", "9"),
    "a long number of noughts": _long("Cache-Control", "max-age=", "0"),
    "a directive of many words": _long("Cache-Control", "max-age=1 ", "no-store b "),
    "quotes": _long("Cache-Control", "", '"'),
    "pairs of quotes": _long("Cache-Control", "", '""a'),
    "an open quote of escapes": _long("Cache-Control", 'a="', "\\"),
    "an argument of escapes": _long("Cache-Control", 'private="', "\\a", '"'),
    "spaces": _long("Cache-Control", "max-age=1", " ", "x"),
    "a long name": _long("Cache-Control", "", "a"),
    "lines of directives": _lines("Cache-Control", 'no-cache="a#"'),
    "Pragma": _listed("Pragma", "a#"),
    "Vary": _listed("Vary", "a#"),
    "lines of Vary": _lines("Vary", "a#"),
    "a name of Vary": _long("Vary", "", "a"),
    "nearly a thousand names of Vary": lambda _: [("Vary", ",".join(f"a{n}" for n in range(999)))],
    "targeted directives": _listed("CDN-Cache-Control", "a#=1"),
    "targeted parameters": _long("CDN-Cache-Control", "a", ";b=1"),
    "a targeted inner list": _long("CDN-Cache-Control", "a=(", "b ", ")"),
    "a targeted byte sequence": _long("CDN-Cache-Control", "a=:", "AAAA", ":"),
    "a targeted string": _long("CDN-Cache-Control", 'a="', '\\"', '"'),
    "a targeted display string": _long("CDN-Cache-Control", 'a=%"', "%20", '"'),
    "targeted spaces": _long("CDN-Cache-Control", "a", " ", "b"),
    "Age": _listed("Age", "#"),
    "lines of Age": _lines("Age", "#"),
    "a long Age": _long("Age", "", "1"),
    "Date": _long("Date", "Sun, 06 Nov 1994 08:49:37", " ", "GMT"),
    "lines of Date": _lines("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    "lines of Expires": _lines("Expires", "Sun, 06 Nov 2094 08:49:37 GMT"),
    "lines of Expires that differ": _lines("Expires", "Sun, 06 Nov 2094 08:49:37 GMT #"),
    "lines of Last-Modified": _lines("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    "Connection": _listed("Connection", "a#"),
    "lines of Connection": _lines("Connection", "a#"),
    "an ETag": _long("ETag", '"', "a", '"'),
    "lines of ETag": _lines("ETag", '"a#"'),
    "codings": _listed("Content-Encoding", "gzip"),
    "lines of codings": _lines("Content-Encoding", "identity"),
    "lengths": _listed("Content-Length", "10"),
    "lines of lengths": _lines("Content-Length", "10"),
    "Location": _long("Location", "https://example.org", "/a/.."),
    "lines of Location": _lines("Location", "/a#"),
    "lines of Content-Location": _lines("Content-Location", "https://example.org/%41#"),
    "escapes in Location": _long("Location", "/", "%41"),
    "Link": _listed("Link", '</a#>; rel="next"'),
    "Cache-Status": _listed("Cache-Status", "c#; hit; ttl=5"),
    "Warning": _listed("Warning", '199 - "a#"'),
    "cookies": _lines("Set-Cookie", "a#=b; Path=/; Max-Age=5"),
    "a long cookie": _long("Set-Cookie", "a=", "b;"),
    "fields of one name": _lines("X-A", "#"),
    "empty fields": _lines("a", ""),
    "a field for each letter": lambda size: [(f"a{number}", "b") for number in range(size // 8)],
    "a long field": _long("X-Long", "", "y"),
    "a long name of a field": lambda size: [("x" * size, "y")],
    "a name of a credential": lambda size: [("request" * (size // 7), "y")],
    "tags of the user": _listed("If-None-Match", '"a#"'),
    "a tag of the user": _long("If-None-Match", '"', "a"),
    "open tags of the user": _long("If-None-Match", "", '"a '),
    "a date of the user": _long("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37", " ", "GMT"),
    "a range": _long("Range", "bytes=", "1", "-"),
    "ranges": _listed("Range", "#-#", first="bytes="),
    "an If-Range": _long("If-Range", '"', "a", '"'),
    "codings that the user takes": _listed("Accept-Encoding", "gzip;q=0.#"),
    "hosts": _lines("Host", "a#"),
}
"""A head of about so many characters, with one field or many of one kind."""

URLS: Final[dict[str, Callable[[int], str]]] = {
    "parameters": lambda size: "https://example.org/?" + "a=1&" * (size // 4),
    "semicolons": lambda size: "https://example.org/" + ";a=" * (size // 3),
    "segments": lambda size: "https://example.org" + "/a" * (size // 2),
    "dots": lambda size: "https://example.org" + "/a/.." * (size // 5),
    "slashes": lambda size: "https://example.org" + "/" * size,
    "escapes": lambda size: "https://example.org/" + "%41" * (size // 3),
    "escaped parameters": lambda size: "https://example.org/?a=" + "%3Fb%3D" * (size // 7),
    "parameters of a parameter": lambda size: "https://example.org/?a=" + "?b=" * (size // 3),
    "percent signs": lambda size: "https://example.org/" + "%" * size,
    "a name": lambda size: "https://example.org/?" + "request" * (size // 7) + "=1",
    "a name of words": lambda size: "https://example.org/?" + "Aa" * (size // 2) + "=1",
    "a host": lambda size: "https://" + "a" * size + "/",
    "a host of labels": lambda size: "https://" + ".a.b" * (size // 4) + "/",
    "ats": lambda size: "https://" + "a@" * (size // 2) + "example.org/",
    "ports": lambda size: "https://example.org" + ":1" * (size // 2) + "/",
    "a scheme": lambda size: "a" * size + "://example.org/",
    "letters of two bytes": lambda size: "https://example.org/" + "\u0101" * (size // 2),
}
"""A URL of about so many characters."""

_JSON, _FORM, _PARTS = "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"


def _multipart(part: str) -> Callable[[int], bytes]:
    return lambda size: b"--b\r\n" + b"\r\n--b\r\n".join([part.encode()] * (size // (len(part) + 7))) + b"\r\n--b--\r\n"


BODIES: Final[dict[str, tuple[str, Callable[[int], bytes]]]] = {
    "numbers": (_JSON, lambda size: b"[" + b",".join([b"1"] * (size // 2)) + b"]"),
    "a number": (_JSON, lambda size: b"1" * size),
    "a float": (_JSON, lambda size: b"1e" + b"9" * size),
    "members": (_JSON, lambda size: b"{" + b",".join(b'"a%d":1' % number for number in range(size // 10)) + b"}"),
    "objects": (_JSON, lambda size: b"[" + b",".join([b'{"k":1}'] * (size // 8)) + b"]"),
    "lists in lists": (_JSON, lambda size: b"[" * (size // 2) + b"]" * (size // 2)),
    "objects in objects": (_JSON, lambda size: b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6)),
    "strings": (_JSON, lambda size: b"[" + b",".join([b'""'] * (size // 3)) + b"]"),
    "escapes": (_JSON, lambda size: b'"' + b"\\u1234" * (size // 6) + b'"'),
    "spaces": (_JSON, lambda size: b" " * size),
    "fields": (_FORM, lambda size: b"%61=1&" * (size // 6)),
    "ampersands": (_FORM, lambda size: b"&" * size),
    "parts": (_PARTS, _multipart('Content-Disposition: form-data; name="a"\r\n\r\nx')),
    "empty parts": (_PARTS, _multipart("")),
    "a part's parameters": (_PARTS, _multipart("Content-Disposition: form-data" + ";" * 900 + "\r\n\r\nx")),
    "a part's quotes": (_PARTS, _multipart("Content-Disposition: form-data" + ';"' * 450 + "\r\n\r\nx")),
    "a part's names": (_PARTS, _multipart("Content-Disposition: form-data" + "; name*0=a" * 90 + "\r\n\r\nx")),
    "a long part": (_PARTS, lambda size: _multipart("x" * size)(size + 100)),
    "bytes": ("application/octet-stream", bytes),
}
"""A request's body of about so many bytes, and its Content-Type."""
