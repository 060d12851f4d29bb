"""Authentication of connections: NTLM and Negotiate prove once who is at the other end, and then say it no more.

A response over such a connection belongs to its user, though neither request nor response need show it (RFC 4559 §6:
"the connection … is authenticated"). So no such response is stored, and this module knows how such a connection begins.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from .messages import Headers

__all__ = ["CONNECTION_AUTH", "ConnectionAuth", "said_by_request", "said_by_response"]

CONNECTION_AUTH: Final = "connection-auth"
"""The reason why nothing of an answer is stored."""
_SCHEME = re.compile(
    r"(?:^|,)[ \t]*(?:ntlm|negotiate|kerberos|nego2)(?![!#$%&'*+\-.^_`|~0-9a-z])([ \t]+[^ \t,=]+)?", re.I
)
_LONGEST: Final = 65_536
"""Characters of a field that are read; a longer one is taken for the strict case."""


class ConnectionAuth(Enum):
    """How a message describes its connection."""

    NOTHING = "nothing"
    OFFERED = "offered"
    """The server would authenticate connections, and this one is not yet."""
    BY_ORIGIN = "by the origin"
    """It is, or is about to be, authenticated for its origin."""
    BY_PROXY = "by the proxy"
    """It is for the proxy, whatever the origin."""


_OF_REQUESTS: Final = frozenset({"authorization", "proxy-authorization"})
_OF_RESPONSES: Final = frozenset({"persistent-auth", "proxy-authenticate", "www-authenticate"})


def said_by_request(headers: Headers) -> ConnectionAuth:
    """How the credentials of a request describe its connection."""
    if _OF_REQUESTS.isdisjoint(headers.names()):
        return ConnectionAuth.NOTHING
    if headers.has("proxy-authorization") and _names(headers, "proxy-authorization"):
        return ConnectionAuth.BY_PROXY
    if headers.has("authorization") and _names(headers, "authorization"):
        return ConnectionAuth.BY_ORIGIN
    return ConnectionAuth.NOTHING


def said_by_response(status: int, headers: Headers) -> ConnectionAuth:
    """How the head of a response describes its connection."""
    if _OF_RESPONSES.isdisjoint(headers.names()):
        return ConnectionAuth.NOTHING
    if headers.has("persistent-auth") and (headers.get("persistent-auth") or "").strip().lower() != "false":
        return ConnectionAuth.BY_ORIGIN
    for name, by in (("proxy-authenticate", ConnectionAuth.BY_PROXY), ("www-authenticate", ConnectionAuth.BY_ORIGIN)):
        if headers.has(name) and (tokens := _names(headers, name)):
            # A mere offer has no token, and comes with a refusal.
            return by if any(tokens) or status not in (401, 407) else ConnectionAuth.OFFERED
    return ConnectionAuth.NOTHING


def _names(headers: Headers, name: str) -> list[str]:
    """The tokens, be they empty, that come with the schemes that authenticate connections; none for other schemes."""
    text = ",".join(headers.lines(name))
    return ["?"] if len(text) > _LONGEST else _SCHEME.findall(text)
