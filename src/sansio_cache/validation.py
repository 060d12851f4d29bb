"""Validation (RFC 9111 §4.3): asking whether a stored response is still good, and the user's own preconditions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final

from msgspec.structs import replace

from .dates import parse_date
from .lists import combined, members
from .messages import Headers, Received, Request
from .records import Record

__all__ = [
    "Precondition",
    "asks_for_others",
    "conditional_request",
    "freshened_headers",
    "has_preconditions",
    "head_confirms",
    "precondition",
    "selected_by",
]

# entity-tag = [ weak ] opaque-tag   (RFC 9110 §8.8.3)
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')

_FOR_ORIGIN: Final = ("if-match", "if-unmodified-since")
"""Preconditions that a cache must not evaluate (RFC 9111 §4.3.2)."""

_NOT_FRESHENED: Final = frozenset(
    {
        # "Header fields that the cache's stored response depends upon", and Content-Length (RFC 9111 §3.2): they
        # describe the stored content, which a 304 does not bring.
        "content-encoding",
        "content-length",
        "content-md5",
        "content-range",
        "etag",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Precondition(Enum):
    """What the user's own preconditions make of a stored response."""

    NONE = "none"
    """There are none, or they hold: answer in full."""
    NOT_MODIFIED = "not modified"
    """The user has this very response: 304."""
    ORIGIN = "origin"
    """Only the origin may say."""


def _weak(tag: str) -> str:
    return tag.removeprefix("W/")


def has_preconditions(request: Request) -> bool:
    """Whether the user sent validators of their own, so that a 304 would be theirs."""
    return "if-none-match" in request.headers or "if-modified-since" in request.headers


def asks_for_others(request: Request, record: Record) -> bool:
    """Whether the user's If-None-Match names other responses than the stored one."""
    tags = request.headers.get("if-none-match")
    ours = record.headers.get("etag") or ""
    return tags is not None and {_weak(tag.strip()) for tag in tags.split(",")} != {_weak(ours)}


def precondition(request: Request, record: Record) -> Precondition:
    """The user's preconditions against a stored response (RFC 9110 §13.2.2, RFC 9111 §4.3.2)."""
    headers = request.headers
    if any(name in headers for name in _FOR_ORIGIN) or combined(headers.lines("if-none-match")) is None:
        return Precondition.ORIGIN
    if request.method not in ("GET", "HEAD"):
        # To a method that changes something they say "only if": 412, not 304 (RFC 9110 §13.1.2).
        return Precondition.ORIGIN if has_preconditions(request) else Precondition.NONE
    tags = headers.get("if-none-match")
    if tags is not None:
        return _if_none_match(tags, record.headers.get("etag"))
    since = headers.get("if-modified-since")
    if since is None:
        return Precondition.NONE
    return _if_modified_since(since, record)


def _if_none_match(tags: str, etag: str | None) -> Precondition:
    if tags.strip() == "*":
        return Precondition.NOT_MODIFIED
    # "the recipient MUST use the weak comparison function" (RFC 9110 §13.1.2).
    if etag is not None and _weak(etag) in {_weak(tag) for tag in _ENTITY_TAG.findall(tags)}:
        return Precondition.NOT_MODIFIED
    return Precondition.NONE


def _if_modified_since(since: str, record: Record) -> Precondition:
    at = parse_date(since)
    if at is None:
        return Precondition.NONE
    facts = record.head.facts
    # "the Last-Modified header field is not present": "use the stored response's Date field value (or, if no Date
    # field is present, the time that the stored response was received)" (§4.3.2).
    modified = facts.date if facts.last_modified is None else facts.last_modified
    return Precondition.NOT_MODIFIED if modified <= at else Precondition.NONE


def conditional_request(request: Request, record: Record) -> Request:
    """The request that asks whether a stored response is still good (RFC 9111 §4.3.1).

    The user's own If-None-Match stays, ours joins it. The request itself where there is nothing to ask by, or where
    the user asks by other means: If-None-Match ``*``, If-Modified-Since alone, and what only the origin may answer.
    """
    headers = request.headers
    etag = record.headers.get("etag")
    modified = record.headers.get("last-modified")
    if any(name in headers for name in _FOR_ORIGIN) or (etag is None and modified is None):
        return request
    if combined(headers.lines("if-none-match")) is None:
        return request
    theirs = headers.get("if-none-match")
    if theirs is not None:
        if etag is None or theirs.strip() == "*":
            return request
        tags = theirs if _weak(etag) in map(_weak, _ENTITY_TAG.findall(theirs)) else f"{theirs}, {etag}"
        return replace(request, headers=headers.with_field("If-None-Match", tags))
    if "if-modified-since" in headers:
        return request
    if etag is not None:
        headers = headers.with_field("If-None-Match", etag)
    if modified is not None:
        headers = headers.with_field("If-Modified-Since", modified)
    return replace(request, headers=headers)


def selected_by(response: Received, records: Sequence[Record], asked: Record) -> Record | None:
    """The stored response that a 304 is about (RFC 9111 §4.3.4), or None where it is about none of ours.

    :param asked: the one whose validators went out.
    """
    candidates = (asked, *(record for record in records if record is not asked))
    tag = response.headers.get("etag")
    if tag is not None:
        tagged = [(record, record.headers.get("etag")) for record in candidates]
        same = [record for record, theirs in tagged if theirs == tag]
        # One is taken as the other's weak form: origins that compress weaken the tag of the 200, not that of the 304.
        alike = [record for record, theirs in tagged if theirs is not None and _weak(theirs) == _weak(tag)]
        return next(iter(same or alike), None)
    modified = response.headers.get("last-modified")
    theirs = asked.headers.get("last-modified")
    if modified is not None and theirs is not None and modified != theirs:
        at = parse_date(modified)
        return asked if at is not None and at == asked.head.facts.last_modified else None
    return asked


def head_confirms(response: Received, record: Record) -> bool:
    """Whether a 200 to HEAD is about a stored GET response (RFC 9111 §4.3.5)."""
    stored = {"content-length": str(record.head.length)}
    for name in ("etag", "last-modified", "content-length"):
        theirs = response.headers.get(name)
        if theirs is not None and theirs != (record.headers.get(name) or stored.get(name)):
            return False
    return True


def freshened_headers(stored: Headers, update: Headers) -> Headers:
    """The stored fields, those in a 304 (or a 200 to HEAD) replacing all lines of the same name (RFC 9111 §3.2).

    A stored Age goes: it belonged to the older message.
    """
    unwanted = _NOT_FRESHENED.union(members(update.lines("connection")) or ())
    new = [(name, value) for name, value in update if name.lower() not in unwanted]
    replaced = {name.lower() for name, _ in new} | {"age"}
    return Headers([*(item for item in stored if item[0].lower() not in replaced), *new])
