"""URLs as the trio client needs them: who is asked, for what, and by whom (RFC 3986, RFC 9110 §4.2).

A URL is changed only where it could not be sent otherwise: what RFC 3986 forbids is percent-encoded, a host
outside ASCII goes through IDNA, an empty path becomes "/". Errors and responses show the URL that was asked for.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin

from .errors import InvalidURL

__all__ = ["Origin", "URL", "basic", "join", "parse"]

DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 3986, appendix B. urlsplit is not used: it drops tabs and newlines without a word and cannot tell
# "?" from no query, which are two resources.
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
# A reg-name as resolvers take it, underscores included; percent-encoded names are refused.
_HOST = re.compile(r"(?!.{254})(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# gen-delims, sub-delims, unreserved and "%": all that a path, query or fragment may hold as it is.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 9110 §4.3.1): what a connection belongs to and credentials stop at."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of the Host field: the port is left out where it is the scheme's own."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class URL:
    """One absolute URL, taken apart. ``text`` is the whole of it without userinfo, fragment included."""

    origin: Origin
    target: str
    """Path and query, as they stand in the request line (origin-form, RFC 9112 §3.2.1)."""
    fragment: str
    """With its "#", or empty. It is never sent."""
    userinfo: tuple[str, str] | None = field(repr=False)
    text: str


def parse(text: str) -> URL:
    """The parts of an absolute http or https URL.

    :raises InvalidURL: it is not a URL of http or https.
    """
    return _remembered(text) if len(text) <= _REMEMBERED else _parsed(text)


_REMEMBERED = 2048
"""Characters: longer URLs are rare, and strangers may choose them."""


def _parsed(text: str) -> URL:
    if _CONTROL.search(text):
        raise InvalidURL(f"control character in the URL {_shown(text)!r}")
    found = _PARTS.fullmatch(text.strip(" "))
    if not found:
        raise InvalidURL(f"no absolute URL: {_shown(text)!r} (is a base_url missing?)")
    scheme = found[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise InvalidURL(f"only http and https can be asked: {_shown(text)!r}")
    authority = found[2] or ""
    if "\\" in authority:
        # To a browser it would begin the path: the two would talk to different hosts.
        raise InvalidURL(f"backslash in the host of {_shown(text)!r}")
    userinfo, _, hostport = authority.rpartition("@")
    origin = _origin(scheme, hostport)
    target, fragment = _encoded((found[3] or "/") + (found[4] or "")), _encoded(found[5] or "")
    user, _, password = userinfo.partition(":")
    return URL(
        origin=origin,
        target=target,
        fragment=fragment,
        userinfo=(unquote(user), unquote(password)) if userinfo else None,
        text=f"{scheme}://{origin.authority}{target}{fragment}",
    )


_remembered = lru_cache(maxsize=256)(_parsed)


def join(base: str, reference: str) -> str:
    """The URL that ``reference`` means when found at ``base`` (RFC 3986 §5), not yet checked by ``parse``."""
    # urljoin knows neither blank queries nor unusual schemes: an absolute URL is left alone.
    if _PARTS.fullmatch(reference.strip(" ")):
        return reference
    try:
        return urljoin(base, reference)
    except ValueError:
        raise InvalidURL(f"no URL: {_shown(reference)!r} at {_shown(base)!r}") from None


def basic(user: str, password: str) -> str:
    """The value of Authorization for the Basic scheme, in UTF-8 (RFC 7617 §2.1).

    :raises ValueError: the user name has a colon, which would move into the password (§2).
    """
    if ":" in user:
        raise ValueError("a user name for Basic authentication cannot contain a colon")
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def _origin(scheme: str, hostport: str) -> Origin:
    if hostport.startswith("["):
        host, bracket, port = hostport[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise InvalidURL(f"illegal host {hostport!r}")
        from ipaddress import IPv6Address  # few hosts are addresses of this kind

        try:
            host = str(IPv6Address(host.replace("%25", "%", 1)))
        except ValueError as exc:
            raise InvalidURL(f"no IPv6 address: {host!r}") from exc
        port = port[1:]
    else:
        host, _, port = hostport.partition(":")
        host = _ascii(host).lower()
        if not _HOST.fullmatch(host):
            raise InvalidURL(f"illegal host {host!r}")
    if not port:
        return Origin(scheme, host, DEFAULT_PORTS[scheme])
    if not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
        raise InvalidURL(f"illegal port {port!r}")
    return Origin(scheme, host, int(port))


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    # IDNA 2008 with the mapping browsers apply; anyio and trio both bring the package.
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as exc:
        raise InvalidURL(f"illegal host {host!r}") from exc


def _encoded(text: str) -> str:
    try:
        return quote(text, safe=_SAFE)
    except UnicodeEncodeError as exc:  # a lone surrogate
        raise InvalidURL(f"{_shown(text)!r} cannot be encoded") from exc


def _shown(text: str) -> str:
    """A text that is no URL, for people to read: without userinfo, query and fragment, which may hold secrets."""
    plain = re.split("[?#;]", text.rpartition("@")[2], maxsplit=1)[0]
    return plain[:200] + ("…" if plain[:200] != text else "")
