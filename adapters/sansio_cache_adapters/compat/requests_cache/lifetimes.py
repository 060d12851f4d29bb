"""For how long what a session has fetched is kept: with ``cache_control`` a server's comes before a program's."""

from __future__ import annotations

from typing import Any, Final

from sansio_cache.expiry import Expiry, Resident
from sansio_cache.messages import Options

from .policy.directives import CacheDirectives
from .policy.expiration import expiry_for
from .policy.settings import CacheSettings

__all__ = ["USELESS", "time_of"]

USELESS: Final = Resident(0.0)
"""The time of what is stale at once, and of which nothing can be asked."""


def time_of(response: Any, options: Options, settings: CacheSettings) -> Expiry | None:
    """The time that a response gets which has come by these options; None where that is the one it has.

    :return: :data:`USELESS` for one that is not to be kept.
    """
    said = CacheDirectives.from_headers(response.headers)
    own = said.own_time if settings.cache_control else None
    expiry = options.expiry if own is None else expiry_for(own)
    if expiry is None:
        expiry = expiry_for(-1 if settings.expire_after is None else settings.expire_after)
    if expiry == Resident(0.0, any_status=True) and not said.has_validator:
        return USELESS
    if not settings.cache_control or response.history or said.no_cache or said.must_revalidate:
        return None
    # Without a time of its own, too: what is stored keeps this, whatever the settings say later.
    return expiry if own is not None or options.expiry is None else None
