"""URLs: which spellings are one resource (RFC 3986 §6.2.2–6.2.3), and which parts may be shown to people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_plus, urljoin

from .credentials import is_secret_parameter
from .memo import remembered

__all__ = ["MAX_URL", "SplitURL", "foreign_authority", "join", "normalise", "origin", "redact", "split"]

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
# RFC 3986 appendix B.
_URL = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Spelled as most clients spell it: nothing of it is to be made one with another spelling.
_NORMAL = re.compile(r"https?://[a-z0-9.-]+(?::(?!80/|443/)[0-9]+)?/[^%#]*")
_AUTHORITY = re.compile(r"(?:\[[0-9A-Za-z:.%_~-]+\]|[0-9A-Za-z.%_~-]+)(?::[0-9]*)?")

MAX_URL: Final = 65_536
"""Characters of a URL that is looked up and stored; a record of a longer one would be too large anyway."""
_REMEMBERED: Final = 4_194_304
"""Bytes of URLs whose normal form is remembered."""
_MAX_SHOWN: Final = 1_000
"""Parameters and segments of a URL, at most, that are looked at one by one before people are shown it."""


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
    # An IPv6 literal holds colons of its own, inside its brackets. Colons elsewhere name no port that can be told.
    if colon and "]" not in port and (":" not in host or host.endswith("]")):
        return host, port
    return text, ""


def _lower(text: str) -> str:
    # Only ASCII letters are alike in both cases: the Kelvin sign is no "k".
    return text.lower() if text.isascii() else text


def _escapes(text: str) -> str:
    if "%" not in text or _STRAY.search(text):
        # Beside a percent sign that begins no escape, decoding could make a new one: "%%341" is not "%41".
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


@remembered(_REMEMBERED)
def normalise(url: str) -> tuple[str, str | None]:
    """The one spelling of the resource that a URL names, and its userinfo, which names a user and no resource.

    Case of scheme and host, default port, empty path, escapes of unreserved characters and dot segments are made
    one. Order and repetition of parameters, ``+`` against ``%20``, blank against absent stay different.
    """
    if _NORMAL.fullmatch(url) and "/." not in url:
        return url, None
    parts = split(url)
    if not parts.host:
        return url.partition("#")[0], parts.userinfo  # no URL of a resource on the network: nothing is known of it
    scheme = _lower(parts.scheme)
    authority = _authority(scheme, parts.host, parts.port)
    path = _without_dots(_escapes(parts.path)) or "/"
    query = "" if parts.query is None else "?" + _escapes(parts.query)
    return f"{scheme}://{authority}{path}{query}", parts.userinfo


def _authority(scheme: str, host: str, port: str) -> str:
    port = "" if port == _DEFAULT_PORTS.get(scheme) or not port else ":" + port
    return _lower(_escapes(host)) + port


def foreign_authority(url: str, lines: Sequence[str]) -> str | None:
    """The authority of a Host field, normalised, where it is not the URL's; else None.

    It is the field that selects the resource (RFC 9110 §7.1), and the URL that the connection goes to.

    :param lines: every line of the field.
    """
    if not lines:
        return None
    host = lines[0]
    if len(lines) == 1 and "@" not in host:
        # As clients that send Host by themselves spell it: this is asked of every request.
        at = url.find("://") + 3
        if url.startswith(host, at) and url[at + len(host) : at + len(host) + 1] in ("", "/", "?", "#"):
            return None
    return _foreign(url, ",".join(line.strip(" \t") for line in lines))


def _foreign(url: str, host: str) -> str | None:
    parts = split(url)
    scheme = _lower(parts.scheme)
    if not _AUTHORITY.fullmatch(host):
        return host
    named = _authority(scheme, *_host_and_port(host))
    # Some clients leave the root's final dot out of the field.
    own = {_authority(scheme, each, parts.port) for each in (parts.host, parts.host.removesuffix("."))}
    return None if named in own else named


def origin(url: str) -> str:
    """Scheme, host and port of a URL (RFC 9110 §4.3.1), normalised."""
    scheme, _, rest = normalise(url)[0].partition("://")
    return f"{scheme}://{re.split('[/?]', rest, maxsplit=1)[0]}"


def join(base: str, reference: str) -> str:
    """The URL that a reference names, seen from ``base`` (RFC 3986 §5.2); ``reference`` where it cannot be read."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def redact(url: str) -> str:
    """A URL for people to read: userinfo dropped, values of secret-looking parameters replaced by REDACTED.

    Of one with more parameters than anybody reads, only the host is left.
    """
    if _NOTHING_TO_HIDE.fullmatch(url):
        return url
    parts = split(url)
    port = f":{parts.port}" if parts.port else ""
    if sum(map(url.count, "&;/")) > _MAX_SHOWN:
        return f"{parts.scheme}://{parts.host}{port}/REDACTED"
    # Parameters may stand in the path, too: /cart;jsessionid=1234
    path = _parameters_redacted(parts.path or "/", _IN_PATH)
    query = "" if parts.query is None else "?" + _parameters_redacted(parts.query, _IN_QUERY)
    return f"{parts.scheme}://{parts.host}{port}{path}{query}"


_NOTHING_TO_HIDE = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[^=&;@#]{0,1000}")
"""URLs that are shown as they are: without userinfo, fragment and values of parameters."""
_LONGEST_SHOWN: Final = 8192
"""Characters of a value that are looked through for parameters of its own; a longer one is not shown."""
_IN_PATH = re.compile(r"([;/])")
_IN_QUERY = re.compile(r"([&;])")
_NESTED = re.compile(r"[?&;#]([^?&;#=/]+)=")


def _parameters_redacted(text: str, separator: re.Pattern[str]) -> str:
    return "".join(map(_redacted, separator.split(text)))


def _redacted(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if len(value) > _LONGEST_SHOWN:
        return f"{name}=REDACTED"
    # A URL within a value has parameters of its own.
    names = [name, *_NESTED.findall(unquote_plus(value))]
    if len(names) > _MAX_SHOWN:
        return f"{name}=REDACTED"
    return f"{name}=REDACTED" if equals and any(map(_looks_secret, names)) else pair


def _looks_secret(name: str) -> bool:
    return is_secret_parameter(unquote_plus(name))
