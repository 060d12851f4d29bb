"""URLs: which spellings are one resource (RFC 3986 §6.2.2–6.2.3), and what may be shown of one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["SplitURL", "join", "normalise", "origin", "redact", "split"]

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
# RFC 3986 appendix B.
_URL = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_SECRET = re.compile(
    r"(?:^|[_\-.])(?:key|apikey|appid|token|secret|sig|signature|password|passwd|pwd|pass|auth|credential|credentials"
    r"|session|sessionid|sid|jwt|code)(?:$|[_\-.\[])|token$|secret$|password$|apikey$|signature$|^auth",
    re.IGNORECASE,
)


class SplitURL(NamedTuple):
    """The parts of a URL; ``query`` and ``userinfo`` are None where absent, which is not the same as empty."""

    scheme: str
    userinfo: str | None
    host: str
    port: str
    path: str
    query: str | None


def split(url: str) -> SplitURL:
    """The parts of a URL as they are spelled; the fragment, which is not sent, is left out."""
    match = _URL.fullmatch(url)
    assert match is not None  # noqa: S101 - every string matches
    scheme, authority, path, query, _ = match.groups()
    userinfo, at, hostport = (authority or "").rpartition("@")
    host, port = _host_and_port(hostport)
    return SplitURL(scheme or "", userinfo if at else None, host, port, path, query)


def _host_and_port(text: str) -> tuple[str, str]:
    host, colon, port = text.rpartition(":")
    # An IPv6 literal holds colons of its own, inside its brackets.
    if colon and "]" not in port:
        return host, port
    return text, ""


def _escapes(text: str) -> str:
    if "%" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        byte = int(match[1], 16)
        return chr(byte) if byte in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(one, text)


def _without_dots(path: str) -> str:
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            # The first, empty segment is the root: nothing lies above it.
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


@lru_cache(maxsize=4096)
def normalise(url: str) -> tuple[str, str | None]:
    """The one spelling of the resource that a URL names, and its userinfo, which names a user and no resource.

    Case of scheme and host, default port, empty path, escapes of unreserved characters and dot segments are made
    one. Order and repetition of parameters, ``+`` against ``%20``, blank against absent stay different.
    """
    parts = split(url)
    scheme = parts.scheme.lower()
    host = _escapes(parts.host).lower()
    port = "" if parts.port == _DEFAULT_PORTS.get(scheme) or not parts.port else ":" + parts.port
    path = _without_dots(_escapes(parts.path)) or "/"
    query = "" if parts.query is None else "?" + _escapes(parts.query)
    return f"{scheme}://{host}{port}{path}{query}", parts.userinfo


def origin(url: str) -> str:
    """Scheme, host and port of a URL (RFC 9110 §4.3.1), normalised."""
    scheme, _, rest = normalise(url)[0].partition("://")
    return f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0]}"


def join(base: str, reference: str) -> str:
    """The URL that a reference names, seen from ``base`` (RFC 3986 §5.2); ``reference`` where it cannot be read."""
    from urllib.parse import urljoin

    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def redact(url: str) -> str:
    """A URL for people to read: userinfo dropped, values of secret-looking parameters replaced by REDACTED."""
    parts = split(url)
    port = f":{parts.port}" if parts.port else ""
    query = "" if parts.query is None else "?" + _redact_query(parts.query)
    return f"{parts.scheme}://{parts.host}{port}{parts.path or '/'}{query}"


def _redact_query(query: str) -> str:
    def one(pair: str) -> str:
        name, equals, _ = pair.partition("=")
        plain = _escapes(name)
        # camelCase names are words too: accessToken, X-Amz-Signature.
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
        return f"{name}=REDACTED" if equals and (_SECRET.search(words) or _SECRET.search(plain)) else pair

    return "&".join(one(pair) for pair in query.split("&"))
