"""Validation (RFC 9111 §4.3): asking whether a stored response is still good, and the user's own preconditions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from msgspec.structs import replace

from .dates import parse_date
from .lists import combined, members
from .messages import Headers, Received, Request
from .records import Record
from .validators import entity_tags, is_strong, usable_date, usable_tag, weak

__all__ = [
    "Precondition",
    "asks_for_others",
    "conditional_request",
    "freshened_headers",
    "has_preconditions",
    "head_confirms",
    "names_another",
    "precondition",
    "selected_by",
    "update_of",
]

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
    """The result of the user's own preconditions for a stored response."""

    NONE = "none"
    """There are none, or they hold: answer in full."""
    NOT_MODIFIED = "not modified"
    """The user has this very response: 304."""
    ORIGIN = "origin"
    """Only the origin may say."""


def has_preconditions(request: Request) -> bool:
    """Whether the user sent validators of their own, so that a 304 would be theirs."""
    return "if-none-match" in request.headers or "if-modified-since" in request.headers


def asks_for_others(request: Request, record: Record) -> bool:
    """Whether the user's If-None-Match names other responses than the stored one."""
    lines = request.headers.lines("if-none-match")
    if not lines:
        return False
    tags, ours = entity_tags(lines), usable_tag(record.headers)
    return tags is None or ours is None or {weak(tag) for tag in tags} != {weak(ours)}


def precondition(request: Request, record: Record) -> Precondition:
    """The user's preconditions against a stored response (RFC 9110 §13.2.2, RFC 9111 §4.3.2)."""
    headers = request.headers
    if any(name in headers for name in _FOR_ORIGIN) or combined(headers.lines("if-none-match")) is None:
        return Precondition.ORIGIN
    if request.method not in ("GET", "HEAD"):
        # To a method that changes something they say "only if": 412, not 304 (RFC 9110 §13.1.2).
        return Precondition.ORIGIN if has_preconditions(request) else Precondition.NONE
    if "if-none-match" in headers:
        return _if_none_match(headers.lines("if-none-match"), record.headers.get("etag"))
    since = headers.get("if-modified-since")
    if since is None:
        return Precondition.NONE
    return _if_modified_since(since, record)


def _if_none_match(lines: Sequence[str], etag: str | None) -> Precondition:
    tags = entity_tags(lines) or ()
    if tags == ["*"]:
        return Precondition.NOT_MODIFIED
    # "the recipient MUST use the weak comparison function" (RFC 9110 §13.1.2).
    if etag is not None and weak(etag.strip(" \t")) in map(weak, tags):
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
    tag, date = usable_tag(record.headers), usable_date(record.headers)
    theirs = headers.lines("if-none-match")
    there = headers.names()
    dated = "if-modified-since" in there
    for_origin = not there.isdisjoint(_FOR_ORIGIN)
    if for_origin or (tag is None and (dated or date is None)) or (dated and not theirs):
        return request
    tags = _joined(theirs, tag) if theirs else tag
    if tags == "":
        return request
    asked: list[tuple[str, str]] = []
    if tags is not None:
        asked.append(("If-None-Match", tags))
    if date is not None and not dated:
        asked.append(("If-Modified-Since", date))
    return replace(request, headers=headers.with_fields(*asked))


def _joined(theirs: Sequence[str], tag: str | None) -> str:
    """The user's If-None-Match with our tag in it; empty where nothing can join it."""
    tags = entity_tags(theirs)
    # "*" asks for any, and to what cannot be read as a list of tags nothing can be added.
    if tags is None or "*" in tags:
        return ""
    known = tag is None or weak(tag) in map(weak, tags)
    return ", ".join(theirs if known else (*theirs, tag or ""))


def selected_by(response: Received, records: Sequence[Record], asked: Record) -> Record | None:
    """The stored response that a 304 is about (RFC 9111 §4.3.4), or None where it is about none of ours.

    :param records: all that match the request, the most recent first.
    :param asked: the one whose validators went out; a 304 without any validator is about that one.
    """
    candidates = (asked, *records)
    tag = _tag_of(response.headers)
    if tag and is_strong(tag):
        # "then all stored responses in the initial set with the same strong validator are identified"
        return next((record for record in candidates if _tag_of(record.headers) == tag), None)
    modified = response.headers.get("last-modified")
    if not tag and modified is None:
        return asked
    # "if those validators correspond to any", "then the most recent of those matching"
    return next((record for record in records if _corresponds(tag, modified, record)), None)


def names_another(response: Received, record: Record) -> bool:
    """Whether a response is, by its validators, about something else than the stored one."""
    tag, stored = _tag_of(response.headers), _tag_of(record.headers)
    if tag and stored:
        return weak(tag) != weak(stored)
    modified = response.headers.get("last-modified")
    return modified is not None and "last-modified" in record.headers and not _same_date(modified, record)


def _tag_of(headers: Headers) -> str:
    return (headers.get("etag") or "").strip(" \t")


def _corresponds(tag: str, modified: str | None, record: Record) -> bool:
    stored = _tag_of(record.headers)
    if tag and stored:
        return weak(tag) == weak(stored)
    return modified is not None and _same_date(modified, record)


def _same_date(modified: str, record: Record) -> bool:
    if modified == record.headers.get("last-modified"):
        return True
    at = parse_date(modified)
    return at is not None and at == record.head.facts.last_modified


def head_confirms(response: Received, record: Record) -> bool:
    """Whether a 200 to HEAD is about a stored GET response (RFC 9111 §4.3.5)."""
    stored = {"content-length": str(record.head.length)}
    for name in ("etag", "last-modified", "content-length"):
        theirs = response.headers.get(name)
        if theirs is not None and theirs != (record.headers.get(name) or stored.get(name)):
            return False
    return True


def update_of(update: Headers) -> Headers:
    """The fields of a 304 (or a 200 to HEAD) that update the stored response (RFC 9111 §3.2)."""
    return update.without(_NOT_FRESHENED.union(members(update.lines("connection")) or ()))


def freshened_headers(stored: Headers, update: Headers) -> Headers:
    """The stored fields, those of an update (:func:`update_of`) replacing all lines of the same name (RFC 9111 §3.2).

    A stored Age goes: it belonged to the older message.
    """
    return Headers((*stored.without(update.names() | {"age"}), *update))
