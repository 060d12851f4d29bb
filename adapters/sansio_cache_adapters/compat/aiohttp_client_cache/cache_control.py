"""Times as aiohttp-client-cache takes them: 0 means not to cache, and datetimes are naive, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Final

from sansio_cache.expiry import DoNotCache, Expiry, Until
from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE
from sansio_cache_adapters.compat.times import expiry_of, time_for

__all__ = [
    "DO_NOT_CACHE",
    "CacheActions",
    "ExpirationPatterns",
    "ExpirationTime",
    "convert_to_utc_naive",
    "expiry_for",
    "get_expiration_datetime",
    "get_url_expiration",
    "utcnow",
]

DO_NOT_CACHE: Final = 0
ExpirationTime = int | float | str | datetime | timedelta | None
ExpirationPatterns = dict[str, ExpirationTime]


class CacheActions:
    """Not to be had: to see what the cache does with a request, look at ``response.cache_status``."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AIOHTTP_CLIENT_CACHE.refusal(
            "CacheActions is not there: response.cache_status tells what was done, and why"
        )


def utcnow() -> datetime:
    """Now; naive, in UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def convert_to_utc_naive(dt: datetime) -> datetime:
    """The same moment in UTC, naive."""
    return dt.astimezone(UTC).replace(tzinfo=None) if dt.tzinfo else dt


def expiry_for(value: Any) -> Expiry:
    """A time as ours are."""
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return expiry_of(value, (DO_NOT_CACHE,))


def get_expiration_datetime(expire_after: ExpirationTime) -> datetime | None:
    """The moment that a time stands for; None for never."""
    if expire_after == DO_NOT_CACHE and not isinstance(expire_after, str | datetime | timedelta):
        return utcnow()
    expiry = expiry_for(expire_after)
    if isinstance(expiry, DoNotCache):
        return utcnow()
    if isinstance(expiry, Until):
        return convert_to_utc_naive(datetime.fromtimestamp(expiry.at, UTC))
    return None if expiry.seconds == inf else utcnow() + timedelta(seconds=expiry.seconds)


def get_url_expiration(url: Any, urls_expire_after: ExpirationPatterns | None = None) -> ExpirationTime:
    """The time of the first pattern that matches a URL, if any."""
    found: ExpirationTime = time_for(str(url), urls_expire_after)
    return found
