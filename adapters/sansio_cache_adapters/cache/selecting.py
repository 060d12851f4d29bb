"""The criteria of ``session.cache.filter``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import timedelta

from sansio_cache.errors import SettingError
from sansio_cache.expiry import parse_seconds

from .maintenance import Entry

__all__ = ["Wanted", "wanted"]

Wanted = Callable[[Entry], bool]


def wanted(
    now: float,
    keep: Wanted | None,
    expired: bool | None,
    older_than: float | timedelta | None,
    tags: Iterable[str],
) -> Wanted:
    """Whether all that a user says is true of an entry.

    :raises SettingError: for what is of another kind.
    """
    if keep is not None and not callable(keep):
        raise SettingError(f"filter takes a function of an entry, expired=, older_than= or tags=, not {keep!r}")
    if isinstance(tags, str | bytes) or not isinstance(tags, Iterable):
        raise SettingError(f"tags takes a list, not {tags!r}")
    any_of = frozenset(tags)
    bound = None if older_than is None else now - parse_seconds(older_than, "older_than")

    def is_wanted(entry: Entry) -> bool:
        stale_at = math.inf if entry.expires_at is None else entry.expires_at.timestamp()
        stored_at = math.inf if entry.stored_at is None else entry.stored_at.timestamp()
        return (
            (expired is None or (stale_at <= now) == expired)
            and (bound is None or stored_at < bound)
            and (not any_of or not any_of.isdisjoint(entry.tags))
            and (keep is None or keep(entry))
        )

    return is_wanted
