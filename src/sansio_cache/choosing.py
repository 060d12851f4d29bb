"""``choose``: what a request gets from the stored responses (RFC 9111 §4), as one named decision."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from .answering import answer_from, gateway_timeout
from .cache_control import NO_DIRECTIVES, Directives, parse_cache_control
from .cache_status import CacheStatus, Fwd
from .decisions import Choice, Forward, Refuse, Reuse, ReuseStale, Validate
from .errors import NotCached
from .expiry import Expiry
from .freshness import Says, current_age, remaining
from .messages import Request
from .policy import Policy
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


class _Judged(NamedTuple):
    standing: Standing
    ttl: float
    reason: str


def request_directives(request: Request) -> Directives:
    """The directives of a request; ``Pragma: no-cache`` counts where there is no Cache-Control (RFC 9111 §5.4)."""
    headers = request.headers
    lines = headers.lines("cache-control")
    if lines:
        return parse_cache_control(lines)
    if "pragma" in headers and "no-cache" in (headers.get("pragma") or "").lower():
        return _NO_CACHE
    return NO_DIRECTIVES


def prohibits_stale(record: Record, policy: Policy, expiry: Expiry | None) -> bool:
    """Whether the response forbids to use it stale (RFC 9111 §4.2.4); a user's own time replaces what it says."""
    if expiry is not None or not policy.cache_control:
        return False
    says = record.head.facts.says
    if says & (Says.NO_CACHE | Says.MUST_REVALIDATE):
        return True
    return policy.shared and bool(says & (Says.PROXY_REVALIDATE | Says.S_MAXAGE | Says.SHARED_NO_CACHE))


def choose(
    request: Request, records: Sequence[Record], now: float, policy: Policy, *, waited_since: float | None = None
) -> Choice:
    """What becomes of a request.

    :param records: those that match the request (RFC 9111 §4: URI, method, Vary, storable by this policy), the most
        recent first.
    :param waited_since: since when this request has waited for another's fetch, or None.
    """
    directives = request_directives(request) if policy.cache_control else NO_DIRECTIVES
    expiry = policy.expiry_for(request)
    only_stored = directives.only_if_cached or request.options.only_if_cached
    for record in records:
        judged = _stand(record, request, directives, now, policy, expiry)
        standing = judged.standing
        if standing is Standing.MUST_VALIDATE:
            if not _collapses(record, directives, policy, request, waited_since):
                continue
            standing = Standing.COLLAPSED
        if only_stored and standing is Standing.STALE_WHILE_REVALIDATE:
            continue
        choice = _reuse(record, request, now, standing, judged.ttl)
        return _elsewhere(request, record) if choice is None else choice
    if policy.offline:
        return _offline(request, records, now)
    if only_stored:
        return Refuse(gateway_timeout("only-if-cached"))
    return _ask_origin(request, records, now, directives, policy, expiry)


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
        own = head.facts.while_revalidate if policy.cache_control and expiry is None else 0.0
        if staleness <= max(policy.stale_grace, own) and max(policy.stale_grace, own) > 0.0:
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
    says = record.head.facts.says
    no_cache = Says.SHARED_NO_CACHE if policy.shared else Says.NO_CACHE
    if says & no_cache and policy.cache_control and expiry is None:
        return "no-cache"
    if directives is NO_DIRECTIVES:
        return ""
    if directives.no_cache:
        return "request-no-cache"
    # A value that cannot be read is negative here: the strictest demand.
    age = current_age(record.head.facts, record.head.received_at, now)
    if directives.max_age is not None and age > directives.max_age:
        return "request-max-age"
    if directives.min_fresh is not None and (directives.min_fresh < 0.0 or ttl < directives.min_fresh):
        return "request-min-fresh"
    return ""


def _collapses(
    record: Record, directives: Directives, policy: Policy, request: Request, waited_since: float | None
) -> bool:
    """Whether a stale response may be used once by a request that waited while it was fetched (RFC 9111 §4)."""
    if waited_since is None or record.head.received_at < waited_since:
        return False
    says = record.head.facts.says
    if policy.cache_control and says & (Says.NO_CACHE | Says.SHARED_NO_CACHE):
        return False
    return not (directives.no_cache or directives.max_age is not None or directives.min_fresh is not None)


def _reuse(record: Record, request: Request, now: float, standing: Standing, ttl: float) -> Choice | None:
    stale = standing is not Standing.FRESH
    detail = standing.name.lower().replace("_", "-") if stale else ""
    status = CacheStatus(hit=True, ttl=ttl, collapsed=standing is Standing.COLLAPSED, detail=detail)
    answer = answer_from(record, request, now, now + ttl, status)
    if answer is None:
        return None
    return ReuseStale(answer) if standing is Standing.STALE_WHILE_REVALIDATE else Reuse(answer)


def _elsewhere(request: Request, record: Record) -> Choice:
    """A stored response would do, but what the request asks of it only the origin may answer."""
    return Forward(request, record, Fwd.REQUEST, "precondition-or-range")


def _offline(request: Request, records: Sequence[Record], now: float) -> Choice:
    for record in records:
        status = CacheStatus(hit=True, detail="offline")
        answer = answer_from(record, request, now, now, status)
        if answer is not None:
            return Reuse(answer)
    return Refuse(NotCached(request.url))


def _ask_origin(
    request: Request,
    records: Sequence[Record],
    now: float,
    directives: Directives,
    policy: Policy,
    expiry: Expiry | None,
) -> Choice:
    if not records:
        return Forward(request, None, Fwd.MISS, "")
    record = records[0]
    judged = _stand(record, request, directives, now, policy, expiry)
    fwd = Fwd.STALE if judged.ttl <= 0.0 else Fwd.REQUEST
    for each in records:
        if each.head.facts.says & Says.VALIDATOR:
            conditional = conditional_request(request, each)
            if conditional is not request:
                return Validate(conditional, each, records, fwd, judged.reason)
    return Forward(request, record, fwd, judged.reason)
