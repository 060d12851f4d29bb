"""Which time counts for a stored response.

Most specific first: this request's ``expire_after``; the one of an earlier request, which its record remembers;
``urls_expire_after``; the session's ``expire_after``; the response's own fields; the heuristic.
"""

from __future__ import annotations

import msgspec

from .expiry import ANY_SETTINGS, DoNotCache, Expiry, Until, pack, unpack
from .messages import Request
from .policy import Policy
from .records import Remembered

__all__ = ["Told", "remembered", "told", "user_time"]


class Told(msgspec.Struct, frozen=True):
    """The user's time for an answer, or None where the answer decides, and what its record is to remember of it."""

    expiry: Expiry | None
    remembered: Remembered | None


def told(request: Request, kept: Remembered | None, policy: Policy, now: float) -> Told:
    """The time for an answer that has come ``now``.

    :param kept: what the record remembers that it may take the place of.
    """
    if kept is not None or request.options.expiry is not None:
        kept = remembered(request, kept, policy, now)
    return Told(user_time(request, kept, policy), kept)


def user_time(request: Request, kept: Remembered | None, policy: Policy) -> Expiry | None:
    """The user's time for a response, or None where the response decides.

    :param kept: what its record remembers: it counts for sessions whose settings are those under which it was given,
        and where another cache has given it, for all.
    """
    options = request.options
    if kept is None or (options.expiry is not None and not options.when_kept):
        return policy.expiry_for(request)
    if kept.settings == ANY_SETTINGS:
        return unpack(kept.time, any_status=True)
    settings = policy.settings_time(request)
    return unpack(kept.time) if kept.settings == pack(settings, policy.cache_control) else settings


def remembered(request: Request, kept: Remembered | None, policy: Policy, now: float) -> Remembered | None:
    """What the record of an answer is to remember: the request's own time, else what the one before it did.

    A moment that has passed is forgotten: else nothing would be fresh after it.
    """
    given = request.options.expiry
    if given is not None and not isinstance(given, DoNotCache):
        return Remembered(pack(given), pack(policy.settings_time(request), policy.cache_control))
    time = None if kept is None else unpack(kept.time)
    return None if isinstance(time, Until) and time.at <= now else kept
