"""What other caches take for a time, as ours do, and which URL has which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from fnmatch import fnmatch
from typing import Any, Final, cast

from sansio_cache.expiry import DO_NOT_CACHE, DoNotCache, Expiry, Resident, Until

__all__ = ["NEVER", "expiry_of", "grace_of", "time_for", "utcnow"]

NEVER: Final = Resident(float("inf"), any_status=True)


def utcnow() -> datetime:
    """Now; aware, in UTC."""
    return datetime.now(UTC)


def time_for(url: str, patterns: Mapping[Any, Any] | None) -> Any:
    """The time of the first pattern that matches a URL: a glob, or a compiled expression; None for none."""
    for pattern, value in (patterns or {}).items():
        if isinstance(pattern, re.Pattern):
            if cast("re.Pattern[str]", pattern).search(url):
                return value
        elif fnmatch(url.split("://")[-1], pattern.split("://")[-1].rstrip("*") + "**"):
            return value
    return None


def expiry_of(value: Any, not_at_all: Iterable[object]) -> Expiry:
    """A time of theirs as one of ours; meant for a response of any status that is kept.

    :param not_at_all: values that mean neither to store nor to answer from the store.
    :raises ValueError: a text that is no HTTP-date.
    """
    if isinstance(value, DoNotCache) or (not isinstance(value, bool | datetime) and value in not_at_all):
        return DO_NOT_CACHE
    if value is None or value == -1:
        return NEVER
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, datetime):
        return Until(value.astimezone(UTC).timestamp(), any_status=True)
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    # A negative time lies so far in the past.
    return Until(utcnow().timestamp() + seconds, any_status=True) if seconds < 0 else Resident(seconds, any_status=True)


def _of_text(value: str) -> Expiry:
    # Servers send "0" and "-1" where a date belongs: that has passed already.
    if value.removeprefix("-").isdigit():
        return Resident(0.0, any_status=True)
    try:
        return Until(parsedate_to_datetime(value).astimezone(UTC).timestamp(), any_status=True)
    except (TypeError, ValueError):
        raise ValueError(f"Invalid HTTP date: {value}") from None


def grace_of(value: Any) -> bool | float:
    """For how long a stale response may be used, of what they take for it."""
    if value is None or isinstance(value, bool):
        return bool(value)
    expiry = expiry_of(value, ())
    if isinstance(expiry, Until):
        return max(expiry.at - utcnow().timestamp(), 0.0)
    assert isinstance(expiry, Resident)  # noqa: S101 - nothing means not at all here
    return True if expiry == NEVER else expiry.seconds
