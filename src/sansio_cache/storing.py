"""Which responses are stored, and what of them (RFC 9111 §3)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from .cache_control import NO_DIRECTIVES, Directives, parse_cache_control, parse_targeted
from .dates import format_date
from .expiry import DoNotCache, Expiry
from .freshness import HEURISTIC_CODES, Facts, Flags, covers
from .lists import combined, members
from .messages import Headers, Received, Request
from .policy import Policy
from .records import MAX_FIELDS
from .vary import ANYTHING, nominated

__all__ = ["Storing", "dated_headers", "all_read", "may_keep", "may_share", "may_store", "storable_headers"]

UNDERSTOOD_CODES: Final = frozenset(
    {*range(200, 209), 226, *range(300, 309), *range(400, 418), *range(421, 427), 428, 429, 431, 451, *range(500, 512)}
)
"""Status codes whose caching rules we follow (RFC 9111 §3, *understands*), for must-understand."""

_NEVER: Final = frozenset({206, 304, 412, 416})
"""Answers to a range or a precondition: neither is part of the key, so they would answer the wrong request."""

_NEVER_STORED_FIELDS: Final = frozenset(
    {
        # RFC 9111 §3.1, with RFC 9110 §7.6.1 and §11.7
        "connection",
        "keep-alive",
        # read into the facts; the answer's own Age takes its place
        "age",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # A stored cookie would log the next reader in as the first (CVE-2023-30861).
        "set-cookie",
    }
)


class Storing(StrEnum):
    """Whether a response is stored, or the reason why not."""

    KEEP = "kept"
    METHOD = "method"
    STATUS = "status"
    NO_STORE = "no-store"
    REQUEST_NO_STORE = "request-no-store"
    PRIVATE = "private"
    AUTHORIZATION = "authorization"
    NO_FRESHNESS = "no-freshness"
    VARY = "vary"
    DO_NOT_CACHE = "do-not-cache"
    READ_ONLY = "read-only"
    TOO_LARGE = "too-large"
    FILTERED = "filtered"


def may_keep(method: str, status: int, facts: Facts, policy: Policy, expiry: Expiry | None) -> Storing:
    """Whether a policy would store such a response; also asked by the reader of what another policy stored."""
    if method not in policy.methods:
        return Storing.METHOD
    if status in _NEVER or status < 200 or (policy.codes is not None and status not in policy.codes):
        return Storing.STATUS
    if isinstance(expiry, DoNotCache):
        return Storing.DO_NOT_CACHE
    flags = facts.terms(policy).flags
    if policy.cache_control or not covers(status, policy, expiry):
        # RFC 9111 §5.2.2.3: with must-understand, no-store is for those who do not understand the status.
        if status not in UNDERSTOOD_CODES if flags & Flags.MUST_UNDERSTAND else flags & Flags.NO_STORE:
            return Storing.NO_STORE
        if policy.shared and (refusal := may_share(facts)) is not Storing.KEEP:
            return refusal
    if flags & Flags.EXPLICIT:
        return Storing.KEEP
    if expiry is not None or not policy.cache_control:
        return Storing.KEEP if covers(status, policy, expiry) else Storing.STATUS
    return _without_freshness(status, facts, policy)


def may_share(facts: Facts) -> Storing:
    """Whether a shared cache may hold a response, or the reason why only a private one may (RFC 9111 §3, §3.5)."""
    flags = facts.shared.flags
    if flags & Flags.PRIVATE:
        return Storing.PRIVATE
    if facts.authorized and not flags & (Flags.MUST_REVALIDATE | Flags.PUBLIC | Flags.S_MAXAGE):
        return Storing.AUTHORIZATION
    return Storing.KEEP


def _without_freshness(status: int, facts: Facts, policy: Policy) -> Storing:
    """RFC 9111 §3 for a response that does not state its freshness."""
    flags = facts.terms(policy).flags
    cacheable = status in HEURISTIC_CODES or flags & (Flags.PUBLIC | (0 if policy.shared else Flags.PRIVATE))
    if not cacheable:
        return Storing.STATUS
    # The RFC lets it be stored; with nothing to reuse it by, it would only take up room.
    usable = facts.validator or (policy.guess is not None and policy.guess.fixed is not None)
    return Storing.KEEP if usable else Storing.NO_FRESHNESS


def may_store(request: Request, response: Received, facts: Facts, policy: Policy, expiry: Expiry | None) -> Storing:
    """Whether the response to a request is stored (RFC 9111 §3)."""
    if policy.read_only:
        return Storing.READ_ONLY
    asked = request.headers
    if asked.has("cache-control") and parse_cache_control(asked.lines("cache-control")).no_store:
        return Storing.REQUEST_NO_STORE
    if response.headers.has("vary") and nominated(response.headers) == ANYTHING:
        return Storing.VARY
    if not all_read(response.headers):
        return Storing.TOO_LARGE
    return may_keep(request.method, response.status, facts, policy, expiry)


_READ_WHOLE: Final = ("connection", "content-encoding", "content-length")
"""Lists that must be read whole: they say which fields a record lacks, how its body is read, when it is whole."""


def all_read(headers: Headers) -> bool:
    """Whether there are no more fields than are kept, and the lists that a record depends on are read whole."""
    if len(headers.items) > MAX_FIELDS:
        return False
    names = headers.names()
    return None not in [combined(headers.lines(name)) for name in _READ_WHOLE if name in names]


def dated_headers(headers: Headers, received_at: float) -> Headers:
    """The fields of a message, with a Date: its own, or when it was received (RFC 9110 §6.6.1)."""
    return headers if headers.has("date") else Headers([*headers, ("Date", format_date(received_at))])


def storable_headers(headers: Headers, policy: Policy) -> Headers:
    """The fields of a response that are stored (RFC 9111 §3.1).

    Left out are hop-by-hop fields, those that Connection nominates, Set-Cookie, and those that a qualified
    ``no-cache="…"`` (or in a shared cache ``private="…"``) restricts: without them the rest may be reused.
    """
    there = headers.names()
    unwanted = _NEVER_STORED_FIELDS
    if "connection" in there:
        unwanted = unwanted.union(members(headers.lines("connection")) or ())
    directives = parse_cache_control(headers.lines("cache-control"))
    if isinstance(directives.no_cache, frozenset):
        unwanted |= directives.no_cache
    if policy.shared:
        unwanted |= _restricted_to_one_user(headers, directives)
    elif policy.keep_set_cookie:
        # To be looked at. No answer shows it, and no jar takes it (Record.shown).
        unwanted -= {"set-cookie"}
    if "content-encoding" in unwanted:
        # Without it no reader could decode the stored body, which an origin that restricts it did not mean.
        unwanted -= {"content-encoding"}
    return headers.without(unwanted)


def _restricted_to_one_user(headers: Headers, directives: Directives) -> frozenset[str]:
    # A field meant for shared caches may restrict other fields than Cache-Control does (RFC 9213): all of them go.
    targeted = parse_targeted(headers.lines("cdn-cache-control")) or NO_DIRECTIVES
    named = (directives.private, targeted.private, targeted.no_cache)
    return frozenset(name for each in named if isinstance(each, frozenset) for name in each)
