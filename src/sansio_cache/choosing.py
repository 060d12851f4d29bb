"""``choose``: one named decision about which stored response answers a request (RFC 9111 §4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

import msgspec

from .answering import answer_from, gateway_timeout
from .cache_control import NO_DIRECTIVES, Directives, parse_cache_control
from .cache_status import CacheStatus, Fwd
from .decisions import Choice, Forward, Refuse, Reuse, ReuseStale, Validate
from .errors import NotCached
from .expiry import Expiry
from .freshness import CLOCK_SKEW, Flags, current_age, expiry_time, overridden, remaining
from .messages import Request
from .policy import Policy
from .precedence import user_time
from .records import Record
from .validation import conditional_request

__all__ = ["choose", "prohibits_stale", "request_directives"]

_NO_CACHE = Directives(no_cache=True)


class Standing(Enum):
    """How a stored response stands towards a request."""

    FRESH = auto()
    STALE_WHILE_REVALIDATE = auto()
    STALE_ALLOWED = auto()
    COLLAPSED = auto()
    """Stale, but fetched while this request waited for it (RFC 9111 §4)."""
    MUST_VALIDATE = auto()


class _Judged(msgspec.Struct, frozen=True):
    standing: Standing
    ttl: float
    reason: str


_WITH_DIRECTIVES: Final = frozenset({"cache-control", "pragma"})


def request_directives(request: Request) -> Directives:
    """The directives of a request; ``Pragma: no-cache`` counts where there is no Cache-Control (RFC 9111 §5.4)."""
    headers = request.headers
    if _WITH_DIRECTIVES.isdisjoint(headers.names()):
        return NO_DIRECTIVES
    if headers.has("cache-control"):
        return parse_cache_control(headers.lines("cache-control"))
    if headers.has("pragma") and "no-cache" in (headers.get("pragma") or "").lower():
        return _NO_CACHE
    return NO_DIRECTIVES


def prohibits_stale(record: Record, policy: Policy, expiry: Expiry | None) -> bool:
    """Whether the response forbids to use it stale (RFC 9111 §4.2.4); a user's own time replaces what it says."""
    if overridden(record.head.status, policy, expiry):
        return False
    flags = record.head.facts.terms(policy).flags
    if flags & (Flags.NO_CACHE | Flags.MUST_REVALIDATE):
        return True
    return policy.shared and bool(flags & (Flags.PROXY_REVALIDATE | Flags.S_MAXAGE))


def choose(
    request: Request, records: Sequence[Record], now: float, policy: Policy, *, waited_since: float | None = None
) -> Choice:
    """The decision about a request.

    :param records: those that match the request (RFC 9111 §4: URI, method, Vary, storable by this policy), the
        preferred first. It alone decides: an older one must not be used because a newer one has become stale.
    :param waited_since: since when this request has waited for another's fetch, or None.
    """
    if policy.offline:
        return _offline(request, records, now, policy)
    directives = request_directives(request)
    only_stored = directives.only_if_cached or request.options.only_if_cached
    if not records:
        return Refuse(gateway_timeout("only-if-cached")) if only_stored else Forward(request, None, Fwd.MISS, "")
    record = records[0]
    expiry = user_time(request, record.head.remembered, policy)
    judged = _stand(record, request, directives, now, policy, expiry)
    standing = judged.standing
    # One from our future was received before the clock was set back, not while this request waited.
    collapsed = waited_since is not None and waited_since < record.head.received_at <= now + CLOCK_SKEW
    if standing is Standing.MUST_VALIDATE and collapsed and _collapses(record, directives, policy, expiry):
        standing = Standing.COLLAPSED
    if standing is Standing.STALE_WHILE_REVALIDATE and only_stored:
        standing = Standing.MUST_VALIDATE
    if standing is not Standing.MUST_VALIDATE:
        choice = _reuse(record, request, now, standing, judged.ttl, collapsed=collapsed)
        if choice is not None:
            return choice
    if only_stored:
        return Refuse(gateway_timeout("only-if-cached"))
    if standing is not Standing.MUST_VALIDATE:
        # It would do, but what the request asks of it only the origin may answer.
        return Forward(request, record, Fwd.REQUEST, "precondition-or-range")
    return _ask_origin(request, records, judged)


def _stand(
    record: Record, request: Request, directives: Directives, now: float, policy: Policy, expiry: Expiry | None
) -> _Judged:
    head = record.head
    ttl = remaining(head.facts, head.status, head.received_at, now, policy, expiry)
    reason = _must_validate(record, request, directives, now, policy, expiry, ttl)
    if reason:
        return _Judged(Standing.MUST_VALIDATE, ttl, reason)
    if ttl > 0.0:
        return _Judged(Standing.FRESH, ttl, "")
    staleness = -ttl
    if not prohibits_stale(record, policy, expiry):
        if directives.max_stale is not None and staleness <= directives.max_stale:
            return _Judged(Standing.STALE_ALLOWED, ttl, "max-stale")
        own = 0.0 if overridden(head.status, policy, expiry) else head.facts.terms(policy).while_revalidate
        window = max(policy.stale_grace, own)
        # "Unless the max-stale request directive is also present", max-age asks for nothing stale (§5.2.1.1).
        if 0.0 < window >= staleness and directives.max_age is None:
            return _Judged(Standing.STALE_WHILE_REVALIDATE, ttl, "stale-while-revalidate")
    return _Judged(Standing.MUST_VALIDATE, ttl, "stale")


def _must_validate(
    record: Record,
    request: Request,
    directives: Directives,
    now: float,
    policy: Policy,
    expiry: Expiry | None,
    ttl: float,
) -> str:
    """Why a stored response must be validated even while fresh; empty where it need not be."""
    if request.options.refresh or policy.always_revalidate:
        return "refresh"
    flags = record.head.facts.terms(policy).flags
    if flags & Flags.NO_CACHE and not overridden(record.head.status, policy, expiry):
        return "no-cache"
    if directives is NO_DIRECTIVES:
        return ""
    if directives.no_cache:
        return "request-no-cache"
    # A value that cannot be read is negative here: the strictest demand.
    if directives.max_age is not None and not _immutable(request, flags, ttl):
        age = current_age(record.head.facts, record.head.received_at, now)
        if age > directives.max_age:
            return "request-max-age"
    if directives.min_fresh is not None and (directives.min_fresh < 0.0 or ttl < directives.min_fresh):
        return "request-min-fresh"
    return ""


def _immutable(request: Request, flags: int, ttl: float) -> bool:
    """Whether age does not matter while it is fresh (RFC 8246 §2), to be believed over TLS only (§3).

    ``max-age`` in a request is a reload; ``no-cache``, ``refresh`` and ``always_revalidate`` force it.
    """
    return bool(flags & Flags.IMMUTABLE) and ttl > 0.0 and request.url[:6].lower() == "https:"


def _collapses(record: Record, directives: Directives, policy: Policy, expiry: Expiry | None) -> bool:
    """Whether a stale response may be used once by a request that waited while it was fetched (RFC 9111 §4)."""
    if prohibits_stale(record, policy, expiry):
        return False
    return not (directives.no_cache or directives.max_age is not None or directives.min_fresh is not None)


def _reuse(
    record: Record, request: Request, now: float, standing: Standing, ttl: float, *, collapsed: bool
) -> Choice | None:
    stale = standing is not Standing.FRESH
    detail = standing.name.lower().replace("_", "-") if stale else ""
    status = CacheStatus(hit=True, ttl=ttl, collapsed=collapsed, detail=detail)
    answer = answer_from(record, request, now, expiry_time(now, ttl), status)
    if answer is None:
        return None
    return ReuseStale(answer) if standing is Standing.STALE_WHILE_REVALIDATE else Reuse(answer)


def _offline(request: Request, records: Sequence[Record], now: float, policy: Policy) -> Choice:
    """The preferred of the stored responses that can answer, of any age: the origin is never asked."""
    for record in records:
        head = record.head
        expiry = user_time(request, head.remembered, policy)
        ttl = remaining(head.facts, head.status, head.received_at, now, policy, expiry)
        status = CacheStatus(hit=True, ttl=ttl, detail="offline")
        answer = answer_from(record, request, now, expiry_time(now, ttl), status)
        if answer is not None:
            return Reuse(answer)
    return Refuse(NotCached(request.url))


def _ask_origin(request: Request, records: Sequence[Record], judged: _Judged) -> Choice:
    # RFC 9211 §2.2: "request" is for a fresh response that "the request's semantics" did not allow.
    demanded = judged.reason.startswith(("request-", "refresh")) and judged.ttl > 0.0
    fwd = Fwd.REQUEST if demanded else Fwd.STALE
    for each in records:
        conditional = conditional_request(request, each)
        if conditional is not request:
            return Validate(conditional, each, records, fwd, judged.reason)
    return Forward(request, records[0], fwd, judged.reason)
