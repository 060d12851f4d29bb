"""Freshness and age (RFC 9111 §4.2).

What a stored response says about time is read once, when it is stored, into :class:`Facts`; a hit then needs a few
additions and no parsing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from .cache_control import INVALID, Directives, parse_cache_control, parse_delta
from .dates import parse_date
from .expiry import DoNotCache, Expiry, Resident, Until
from .messages import Headers, Received
from .policy import Policy

__all__ = [
    "CLOCK_SKEW",
    "HEURISTIC_CODES",
    "Facts",
    "Says",
    "current_age",
    "expires_at",
    "freshness_lifetime",
    "read_facts",
    "remaining",
    "resident_time",
]

HEURISTIC_CODES: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Status codes defined as heuristically cacheable (RFC 9110 §15.1)."""

CLOCK_SKEW: Final = 60.0
"""Seconds that another host's clock may be ahead of ours; a record further in our future is stale."""


class Says:
    """What a stored response's fields say, beside its times: bits of an int (an IntFlag costs a hit 5 µs)."""

    NO_CACHE = 1
    NO_STORE = 2
    PRIVATE = 4
    PUBLIC = 8
    MUST_REVALIDATE = 16
    PROXY_REVALIDATE = 32
    S_MAXAGE = 64
    MUST_UNDERSTAND = 128
    AUTHORIZED = 256
    """The request carried Authorization (RFC 9111 §3.5)."""
    VALIDATOR = 512
    """The response has an ETag or a Last-Modified to validate it by."""
    EXPLICIT = 1024
    """The response states its freshness, for a private cache."""
    SHARED_EXPLICIT = 2048
    """The response states its freshness, for a shared cache."""
    SHARED_NO_STORE = 4096
    """A shared cache must not store it, by a field meant for it (RFC 9213)."""
    SHARED_NO_CACHE = 8192
    """A shared cache must validate it, by a field meant for it (RFC 9213)."""
    CODED = 16384
    """Its content is coded (RFC 9110 §8.4)."""


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What a decision needs of a stored response, as numbers.

    :ivar date: its Date, or when it was received (RFC 9110 §6.6.1); POSIX seconds.
    :ivar initial_age: *corrected_initial_age* (RFC 9111 §4.2.3), seconds; infinite where Age cannot be read.
    :ivar lifetime: its own freshness lifetime for a private cache, seconds; meaningless without ``EXPLICIT``.
    :ivar shared_lifetime: the same for a shared cache, with ``SHARED_EXPLICIT``.
    :ivar last_modified: POSIX seconds, or None.
    :ivar while_revalidate: its stale-while-revalidate window (RFC 5861 §3), seconds.
    :ivar if_error: its stale-if-error window (RFC 5861 §4), seconds.
    :ivar says: flags of :class:`Says`.
    """

    date: float
    initial_age: float
    lifetime: float
    shared_lifetime: float
    last_modified: float | None
    while_revalidate: float
    if_error: float
    says: int


def read_facts(response: Received, *, authorized: bool) -> Facts:
    """The facts of a response that has just come.

    :param authorized: the request carried an Authorization field.
    """
    headers = response.headers
    directives = parse_cache_control(headers.lines("cache-control"))
    # RFC 9213 §2.2: a shared cache that finds a targeted field for it ignores Cache-Control and Expires.
    targeted = headers.lines("cdn-cache-control")
    for_shared = parse_cache_control(targeted) if targeted else directives
    stated = parse_date(headers.get("date") or "", response.received_at)
    date = response.received_at if stated is None else stated
    expires = _expires_lifetime(headers, date, response.received_at)
    lifetime = directives.max_age if directives.max_age is not None else expires
    shared = for_shared.s_maxage if for_shared.s_maxage is not None else for_shared.max_age
    if shared is None and not targeted:
        shared = expires
    last_modified = parse_date(headers.get("last-modified") or "", response.received_at)
    says = _says(headers, directives, for_shared, authorized=authorized)
    says |= Says.EXPLICIT if lifetime is not None else 0
    says |= Says.SHARED_EXPLICIT if shared is not None else 0
    return Facts(
        date=date,
        initial_age=_initial_age(headers, date, response),
        lifetime=max(lifetime or 0.0, 0.0),
        shared_lifetime=max(shared or 0.0, 0.0),
        last_modified=last_modified,
        while_revalidate=max(directives.stale_while_revalidate or 0.0, 0.0),
        if_error=max(directives.stale_if_error or 0.0, 0.0),
        says=says,
    )


_SAYS: Mapping[str, int] = {
    "no_store": Says.NO_STORE,
    "public": Says.PUBLIC,
    "must_revalidate": Says.MUST_REVALIDATE,
    "proxy_revalidate": Says.PROXY_REVALIDATE,
    "must_understand": Says.MUST_UNDERSTAND,
}


def _says(headers: Headers, directives: Directives, for_shared: Directives, *, authorized: bool) -> int:
    says = 0
    for name, flag in _SAYS.items():
        if getattr(directives, name):
            says |= flag
    # The qualified forms restrict fields, not the response: storing leaves those fields out (see storing.py).
    says |= Says.NO_CACHE if directives.no_cache is True else 0
    says |= Says.PRIVATE if for_shared.private is True else 0
    says |= Says.S_MAXAGE if (for_shared.s_maxage or 0) > INVALID and for_shared.s_maxage is not None else 0
    says |= Says.SHARED_NO_STORE if for_shared.no_store else 0
    says |= Says.SHARED_NO_CACHE if for_shared.no_cache is True else 0
    says |= Says.AUTHORIZED if authorized else 0
    # Pragma: no-cache in a response means nothing (RFC 9111 §5.4).
    if "etag" in headers or "last-modified" in headers:
        says |= Says.VALIDATOR
    says |= Says.CODED if "content-encoding" in headers else 0
    return says


def _expires_lifetime(headers: Headers, date: float, received_at: float) -> float | None:
    lines = headers.lines("expires")
    if not lines:
        return None
    times = {parse_date(line, received_at) for line in lines}
    # "A cache recipient MUST interpret invalid date formats, especially the value "0", as representing a time in
    # the past" (RFC 9111 §5.3). Two that differ are read the same way (§4.2.1).
    at = times.pop() if len(times) == 1 else None
    return 0.0 if at is None else max(at - date, 0.0)


def _initial_age(headers: Headers, date: float, response: Received) -> float:
    """*corrected_initial_age* (RFC 9111 §4.2.3)."""
    apparent_age = max(0.0, response.received_at - date)
    response_delay = max(0.0, response.received_at - response.requested_at)
    lines = headers.lines("age")
    if not lines:
        return max(apparent_age, response_delay)
    # RFC 9111 §5.1 lets a list's first member stand; whoever sends a list or junk has no idea of the age, so that
    # response is taken as stale, which is never wrong (docs/topics/rfc9111.md).
    age_value = parse_delta(lines[0].strip(" \t")) if len(lines) == 1 else None
    return math.inf if age_value is None else max(apparent_age, age_value + response_delay)


def resident_time(received_at: float, now: float) -> float:
    """Seconds since we received a response by our own clock; infinite for one from our future."""
    resident = now - received_at
    if resident < 0.0:
        return 0.0 if resident >= -CLOCK_SKEW else math.inf
    return resident


def current_age(facts: Facts, received_at: float, now: float) -> float:
    """*current_age* (RFC 9111 §4.2.3), seconds."""
    return facts.initial_age + resident_time(received_at, now)


def freshness_lifetime(facts: Facts, status: int, policy: Policy) -> float:
    """*freshness_lifetime* by the response's own word, else by the heuristic (RFC 9111 §4.2.1–4.2.2), seconds."""
    if policy.shared:
        if facts.says & Says.SHARED_EXPLICIT:
            return facts.shared_lifetime
    elif facts.says & Says.EXPLICIT:
        return facts.lifetime
    return _heuristic_lifetime(facts, status, policy)


def _heuristic_lifetime(facts: Facts, status: int, policy: Policy) -> float:
    guess = policy.guess
    # "A cache MUST NOT use heuristics" for codes not so defined, unless the response is explicitly cacheable
    # (§4.2.2 with §3: public).
    if guess is None or (status not in HEURISTIC_CODES and not facts.says & Says.PUBLIC):
        return 0.0
    if guess.fixed is not None:
        return guess.fixed
    if facts.last_modified is None:
        return 0.0
    return min(guess.cap, max(0.0, guess.share * (facts.date - facts.last_modified)))


def remaining(
    facts: Facts, status: int, received_at: float, now: float, policy: Policy, expiry: Expiry | None
) -> float:
    """Seconds that a stored response stays fresh; zero or less: it is stale by that much.

    A user's explicit time runs from our receipt, and received Age does not count against it.
    """
    match expiry:
        case Resident(seconds):
            resident = resident_time(received_at, now)
            return seconds - resident if resident < math.inf else -math.inf
        case Until(at):
            return at - now if resident_time(received_at, now) < math.inf else -math.inf
        case DoNotCache():
            return -math.inf
        case None:
            pass
    if not policy.cache_control:
        return math.inf if resident_time(received_at, now) < math.inf else -math.inf
    age = current_age(facts, received_at, now)
    return freshness_lifetime(facts, status, policy) - age if age < math.inf else -math.inf


def expires_at(facts: Facts, status: int, received_at: float, policy: Policy, expiry: Expiry | None) -> float:
    """The POSIX time at which a stored response becomes stale; infinite for never."""
    return received_at + remaining(facts, status, received_at, received_at, policy, expiry)
