"""Times as requests-cache takes them."""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from math import ceil, inf
from typing import Any, Final

from requests import Response

from sansio_cache.expiry import DoNotCache, Expiry, Until
from sansio_cache_adapters.compat.times import expiry_of, time_for, utcnow

__all__ = [
    "DO_NOT_CACHE",
    "EXPIRE_IMMEDIATELY",
    "NEVER_EXPIRE",
    "ExpirationPattern",
    "ExpirationPatterns",
    "ExpirationTime",
    "FilterCallback",
    "HeaderDict",
    "KeyCallback",
    "add_tzinfo",
    "expiry_for",
    "get_expiration_datetime",
    "get_expiration_seconds",
    "get_url_expiration",
    "utcnow",
]

DO_NOT_CACHE: Final = 0x0D0E0200020704
EXPIRE_IMMEDIATELY: Final = 0
NEVER_EXPIRE: Final = -1

ExpirationTime = int | float | str | datetime | timedelta | None
ExpirationPattern = str | re.Pattern[str]
ExpirationPatterns = dict[ExpirationPattern, ExpirationTime]
FilterCallback = Callable[[Response], bool]
KeyCallback = Callable[..., str]
HeaderDict = MutableMapping[str, str]


def expiry_for(value: Any) -> Expiry:
    """A time as ours are."""
    return expiry_of(value, (DO_NOT_CACHE,))


def get_expiration_datetime(
    expire_after: ExpirationTime,
    start_time: datetime | None = None,
    negative_delta: bool = False,
    ignore_invalid_httpdate: bool = False,
) -> datetime | None:
    """The moment that a time stands for; None for never."""
    try:
        expiry = expiry_for(expire_after)
    except ValueError:
        if not ignore_invalid_httpdate:
            raise
        return None
    if isinstance(expiry, DoNotCache):
        return None
    if isinstance(expiry, Until):
        return datetime.fromtimestamp(expiry.at, UTC)
    if expiry.seconds == inf:
        return None
    start, delta = start_time or utcnow(), timedelta(seconds=expiry.seconds)
    if not delta:
        return start
    return start - delta if negative_delta else start + delta


def get_expiration_seconds(expire_after: ExpirationTime) -> int:
    """The seconds until a time, rounded up; -1 for never."""
    at = get_expiration_datetime(expire_after, ignore_invalid_httpdate=True)
    return ceil((at - utcnow()).total_seconds()) if at else NEVER_EXPIRE


def get_url_expiration(url: str | None, urls_expire_after: ExpirationPatterns | None = None) -> ExpirationTime:
    """The time of the first pattern that matches a URL, if any."""
    found: ExpirationTime = time_for(url, urls_expire_after) if url else None
    return found


def add_tzinfo(dt: datetime | None) -> datetime | None:
    """A datetime with a zone: UTC where it has none."""
    return dt.replace(tzinfo=UTC) if dt and dt.tzinfo is None else dt
