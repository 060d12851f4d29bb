"""Freshness and age (RFC 9111 §4.2).

The fields of a response about time are read once, when it is stored, into :class:`Facts`; a hit then needs a few
additions and no parsing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from .cache_control import INVALID, NO_DIRECTIVES, Directives, parse_cache_control, parse_delta, parse_targeted
from .dates import parse_date
from .expiry import DoNotCache, Expiry, Resident, Until
from .lists import members
from .messages import Headers, Received
from .policy import Policy
from .validators import usable_date, usable_tag

__all__ = [
    "CLOCK_SKEW",
    "HEURISTIC_CODES",
    "Facts",
    "Flags",
    "Terms",
    "covers",
    "current_age",
    "expires_at",
    "expiry_time",
    "freshness_lifetime",
    "overridden",
    "read_facts",
    "remaining",
    "resident_time",
]

HEURISTIC_CODES: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Status codes defined as heuristically cacheable (RFC 9110 §15.1)."""

CLOCK_SKEW: Final = 60.0
"""Seconds that another host's clock may be ahead of ours; a record further in our future is stale."""


_MAX_SPELLINGS: Final = 16
"""In how many ways a message may spell one time: each of them is parsed."""


class Flags:
    """The directives without a time that a response has for one kind of cache: bits of an int.

    No IntFlag: that would cost a hit 5 µs.
    """

    NO_CACHE = 1
    NO_STORE = 2
    PRIVATE = 4
    PUBLIC = 8
    MUST_REVALIDATE = 16
    PROXY_REVALIDATE = 32
    S_MAXAGE = 64
    MUST_UNDERSTAND = 128
    IMMUTABLE = 256
    EXPLICIT = 512
    """It states how long it is fresh."""


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """The terms under which a private cache, or a shared one, may reuse a stored response.

    :ivar lifetime: its own freshness lifetime, seconds; meaningless without ``Flags.EXPLICIT``.
    :ivar while_revalidate: its stale-while-revalidate window (RFC 5861 §3), seconds.
    :ivar if_error: its stale-if-error window (RFC 5861 §4), seconds.
    :ivar flags: bits of :class:`Flags`.
    """

    lifetime: float
    while_revalidate: float
    if_error: float
    flags: int


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """The numbers of a stored response that decisions need.

    :ivar date: its Date, or when it was received (RFC 9110 §6.6.1); POSIX seconds.
    :ivar initial_age: *corrected_initial_age* (RFC 9111 §4.2.3), seconds; infinite where Age is longer than is read.
    :ivar last_modified: POSIX seconds, or None.
    :ivar validator: it has an ETag or a Last-Modified that it can be validated by.
    :ivar authorized: the request carried Authorization (RFC 9111 §3.5).
    :ivar coded: its content is coded (RFC 9110 §8.4).
    :ivar private: its terms for a private cache.
    :ivar shared: its terms for a shared one.
    """

    date: float
    initial_age: float
    last_modified: float | None
    validator: bool
    authorized: bool
    coded: bool
    private: Terms
    shared: Terms

    def terms(self, policy: Policy) -> Terms:
        """Its terms for a cache of this policy."""
        return self.shared if policy.shared else self.private


def read_facts(response: Received, *, authorized: bool) -> Facts:
    """The facts of a response that has just come.

    :param authorized: the request carried an Authorization field.
    """
    headers, received_at = response.headers, response.received_at
    # Most fields are not there, and are not asked for.
    there = headers.names()
    directives = parse_cache_control(headers.lines("cache-control"))
    stated = parse_date(headers.get("date") or "", received_at) if "date" in there else None
    date = received_at if stated is None else stated
    expires = _expires_lifetime(headers, date, received_at) if "expires" in there else None
    modified = headers.get("last-modified") if "last-modified" in there else None
    age = _age_value(headers.lines("age")) if "age" in there else 0.0
    private = _terms(directives, directives.max_age, expires, headers)
    return Facts(
        date=date,
        initial_age=_initial_age(age, date, response),
        last_modified=None if modified is None else parse_date(modified, received_at),
        validator=("etag" in there and usable_tag(headers) is not None)
        or (modified is not None and usable_date(headers) is not None),
        authorized=authorized,
        coded="content-encoding" in there,
        private=private,
        shared=_shared_terms(directives, expires, headers, private)
        if "cdn-cache-control" in there or directives.s_maxage is not None
        else private,
    )


def _shared_terms(directives: Directives, expires: float | None, headers: Headers, private: Terms) -> Terms:
    # "it MUST ignore the Cache-Control and Expires header fields in that response" (RFC 9213 §2.2)
    targeted = parse_targeted(headers.lines("cdn-cache-control"))
    if targeted is not None:
        directives, expires = targeted, None
    elif directives.s_maxage is None:
        return private
    max_age = directives.max_age if directives.s_maxage is None else directives.s_maxage
    return _terms(directives, max_age, expires, headers)


def _terms(directives: Directives, max_age: float | None, expires: float | None, headers: Headers) -> Terms:
    # A time that cannot be read is negative: stated, and stale.
    lifetime = expires if max_age is None else max_age
    return Terms(
        lifetime=max(lifetime or 0.0, 0.0),
        while_revalidate=max(directives.stale_while_revalidate or 0.0, 0.0),
        if_error=max(directives.stale_if_error or 0.0, 0.0),
        flags=_flags(directives, headers) | (0 if lifetime is None else Flags.EXPLICIT),
    )


def _flags(directives: Directives, headers: Headers) -> int:
    if directives is NO_DIRECTIVES:
        return 0
    # The qualified forms restrict fields, not the response: storing leaves those fields out (see storing.py).
    # Pragma: no-cache in a response means nothing (RFC 9111 §5.4).
    flags = (
        (Flags.NO_CACHE if directives.no_cache is True else 0)
        | (Flags.NO_STORE if directives.no_store else 0)
        | (Flags.PRIVATE if directives.private is True else 0)
        | (Flags.PUBLIC if directives.public else 0)
        | (Flags.MUST_REVALIDATE if directives.must_revalidate else 0)
        | (Flags.PROXY_REVALIDATE if directives.proxy_revalidate else 0)
        | (Flags.MUST_UNDERSTAND if directives.must_understand else 0)
    )
    if directives.s_maxage is not None:
        # One that cannot be read prohibits what a good one does, and permits nothing.
        flags |= Flags.PROXY_REVALIDATE if directives.s_maxage == INVALID else Flags.S_MAXAGE
    # To be believed only with "a strong indication that the stored response size is the correct" one (RFC 8246 §3).
    if directives.immutable and ("content-length" in headers or "transfer-encoding" in headers):
        flags |= Flags.IMMUTABLE
    return flags


def _expires_lifetime(headers: Headers, date: float, received_at: float) -> float | None:
    lines = headers.lines("expires")
    if not lines:
        return None
    # "A cache recipient MUST interpret invalid date formats, especially the value "0", as representing a time in
    # the past" (RFC 9111 §5.3). Two that differ are read the same way (§4.2.1), and so is a date in many spellings.
    spellings = set(lines)
    times = {parse_date(line, received_at) for line in spellings} if len(spellings) <= _MAX_SPELLINGS else {None}
    at = times.pop() if len(times) == 1 else None
    return 0.0 if at is None else max(at - date, 0.0)


def _initial_age(age: float, date: float, response: Received) -> float:
    """*corrected_initial_age* (RFC 9111 §4.2.3).

    :param age: *age_value*, seconds.
    """
    apparent_age = max(0.0, response.received_at - date)
    response_delay = max(0.0, response.received_at - response.requested_at)
    return max(apparent_age, age + response_delay)


def _age_value(lines: Sequence[str]) -> float:
    """The seconds of a received Age: the first member of a list, on however many lines (RFC 9111 §5.1).

    0 where there is none, and where it is no delta-seconds, since it SHOULD be ignored then; infinite for a list that
    is longer than is read.
    """
    if not lines:
        return 0.0
    ages = members(lines)
    if ages is None:
        return math.inf
    # "A recipient MUST parse and ignore a reasonable number of empty list elements" (RFC 9110 §5.6.1.2).
    return parse_delta(next(filter(None, ages), "")) or 0.0


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
    """*freshness_lifetime* as the response states it, else by the heuristic (RFC 9111 §4.2.1–4.2.2), seconds."""
    terms = facts.terms(policy)
    return terms.lifetime if terms.flags & Flags.EXPLICIT else _heuristic_lifetime(facts, status, policy)


def _heuristic_lifetime(facts: Facts, status: int, policy: Policy) -> float:
    guess = policy.guess
    # "A cache MUST NOT use heuristics" for codes not so defined, unless the response is explicitly cacheable
    # (§4.2.2 with §3: public).
    if guess is None or (status not in HEURISTIC_CODES and not facts.terms(policy).flags & Flags.PUBLIC):
        return 0.0
    if guess.fixed is not None:
        return guess.fixed
    if facts.last_modified is None:
        return 0.0
    return min(guess.cap, max(0.0, guess.share * (facts.date - facts.last_modified)))


def covers(status: int, policy: Policy, expiry: Expiry | None = None) -> bool:
    """Whether a time of the user's is meant for a status: for success and redirects, and for what they have named.

    A page that was missing for a moment must not be missing for an hour: errors state their own time.

    :param expiry: that time: one that was given for this very response is meant for it.
    """
    named = status < 400 if policy.codes is None else status in policy.codes
    return named or (isinstance(expiry, Resident | Until) and expiry.any_status)


def overridden(status: int, policy: Policy, expiry: Expiry | None) -> bool:
    """Whether the user's time counts in the place of what the response says."""
    return (expiry is not None or not policy.cache_control) and covers(status, policy, expiry)


def remaining(
    facts: Facts, status: int, received_at: float, now: float, policy: Policy, expiry: Expiry | None
) -> float:
    """Seconds that a stored response stays fresh; zero or less: it is stale by that much.

    A user's explicit time runs from our receipt, and received Age does not count against it.
    """
    resident = resident_time(received_at, now)
    if resident == math.inf or isinstance(expiry, DoNotCache):
        return -math.inf
    if isinstance(expiry, Resident) and (expiry.seconds == 0.0 or covers(status, policy, expiry)):
        return expiry.seconds - resident
    if overridden(status, policy, expiry):
        return expiry.at - now if isinstance(expiry, Until) else math.inf
    age = facts.initial_age + resident
    return freshness_lifetime(facts, status, policy) - age if age < math.inf else -math.inf


def expires_at(facts: Facts, status: int, received_at: float, policy: Policy, expiry: Expiry | None) -> float:
    """The POSIX time at which a stored response becomes stale; infinite for never."""
    return expiry_time(received_at, remaining(facts, status, received_at, received_at, policy, expiry))


def expiry_time(now: float, ttl: float) -> float:
    """The POSIX time at which freshness ends or ended; ``now`` where it is not known how long ago that was."""
    return now if ttl == -math.inf else now + ttl
