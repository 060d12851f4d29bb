"""How long a stored response is fresh and by whose word, as a sentence: for people who look into a cache.

Nothing is decided here: every number comes from the functions that decide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from .cache_control import parse_cache_control, parse_targeted
from .expiry import DoNotCache, Expiry, Resident, Until
from .freshness import CLOCK_SKEW, HEURISTIC_CODES, Flags, current_age, freshness_lifetime, overridden, remaining
from .messages import Headers, Request
from .policy import Policy
from .precedence import user_time
from .records import Record

__all__ = ["Lifetime", "lifetime_of"]


class Lifetime(NamedTuple):
    """How long a stored response is fresh, and by whose word.

    :ivar left: seconds; zero or less: it is stale by that much.
    :ivar says: why, in one sentence.
    :ivar section: where that is written.
    """

    left: float
    says: str
    section: str

    @property
    def state(self) -> str:
        """``fresh`` or ``stale``."""
        return "fresh" if self.left > 0.0 else "stale"


def lifetime_of(record: Record, request: Request, policy: Policy, now: float) -> Lifetime:
    """How long a stored response is fresh for a request under some settings."""
    head = record.head
    expiry = user_time(request, head.remembered, policy)
    left = remaining(head.facts, head.status, head.received_at, now, policy, expiry)
    if head.received_at > now + CLOCK_SKEW:
        return Lifetime(left, "it was received in the future of this clock, which nothing is believed of", _SETTINGS)
    if isinstance(expiry, DoNotCache):
        return Lifetime(left, f"{_whose(record, request, policy)} says DO_NOT_CACHE", _SETTINGS)
    # A time of nothing counts for every status (freshness.remaining).
    at_once = isinstance(expiry, Resident) and expiry.seconds == 0.0
    if at_once or overridden(head.status, policy, expiry):
        return Lifetime(left, _by_user(record, request, policy, expiry, now), _SETTINGS)
    lifetime = freshness_lifetime(head.facts, head.status, policy)
    says, section = _by_response(record, policy, lifetime)
    age = current_age(head.facts, head.received_at, now)
    return Lifetime(left, f"{says}, and its age is {_seconds(age)}", section)


_SETTINGS = "settings"


def _by_user(record: Record, request: Request, policy: Policy, expiry: Expiry | None, now: float) -> str:
    if expiry is None:
        return "cache_control=False, and no expire_after: it stays fresh for ever"
    whose = _whose(record, request, policy)
    if isinstance(expiry, Until):
        over = expiry.at <= now
        return f"{whose} names a moment that {'has passed' if over else 'is still to come'}"
    if isinstance(expiry, Resident) and expiry.seconds == math.inf:
        return f"{whose} says that it stays fresh for ever"
    seconds = expiry.seconds if isinstance(expiry, Resident) else 0.0
    resident = _seconds(max(now - record.head.received_at, 0.0))
    return f"{whose} gives it {_seconds(seconds)}, and it has been here for {resident}"


def _whose(record: Record, request: Request, policy: Policy) -> str:
    """The sources of a time, the most specific first, as :mod:`.precedence` has it."""
    if request.options.expiry is not None:
        return "expire_after of this request"
    settings = policy.settings_time(request)
    if user_time(request, record.head.remembered, policy) != settings:
        return "expire_after of the request that brought it"
    if any(pattern.search(request.url) for pattern, _ in policy.url_rules):
        return "urls_expire_after"
    return "expire_after"


def _by_response(record: Record, policy: Policy, lifetime: float) -> tuple[str, str]:
    """Which of its fields states its freshness, or why none does."""
    headers, terms = record.headers, record.head.facts.terms(policy)
    if terms.flags & Flags.EXPLICIT:
        return f"{_field(headers, policy)} gives it {_seconds(lifetime)}", "RFC 9111 §4.2.1"
    guess, status = policy.guess, record.head.status
    if guess is None:
        return "it states no freshness, and heuristic=None", "RFC 9111 §4.2.2"
    if status not in HEURISTIC_CODES and not terms.flags & Flags.PUBLIC:
        return f"it states no freshness, and that of a {status} must not be guessed", "RFC 9111 §4.2.2"
    if guess.fixed is not None:
        return f"it states no freshness; the heuristic gives it {_seconds(lifetime)}", "RFC 9111 §4.2.2"
    if record.head.facts.last_modified is None:
        return "it states no freshness, and has no Last-Modified to guess it from", "RFC 9111 §4.2.2"
    share = f"{guess.share:.0%} of the time since Last-Modified, {_seconds(guess.cap)} at most"
    return f"it states no freshness; the heuristic ({share}) gives it {_seconds(lifetime)}", "RFC 9111 §4.2.2"


def _field(headers: Headers, policy: Policy) -> str:
    directives = parse_cache_control(headers.lines("cache-control"))
    if policy.shared:
        targeted = parse_targeted(headers.lines("cdn-cache-control"))
        if targeted is not None:
            return "CDN-Cache-Control"
        if directives.s_maxage is not None:
            return "Cache-Control: s-maxage"
    return "Cache-Control: max-age" if directives.max_age is not None else "Expires"


def _seconds(value: float) -> str:
    return "for ever" if value == math.inf else f"{value:.0f} s"
