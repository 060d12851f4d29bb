"""Keywords for the cache, of a session's constructor and of single requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final, TypedDict, cast

from sansio_cache.errors import SettingError
from sansio_cache.expiry import ExpireAfter, parse_expire_after
from sansio_cache.messages import NO_OPTIONS, Options
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache.settings import Settings
from sansio_cache_adapters.stores.settings import Ungiven

from .events import Event

__all__ = ["OPTIONS", "CacheKeywords", "CacheOptions", "current_options", "take_options"]

OPTIONS: Final = ("expire_after", "only_if_cached", "refresh", "force_refresh", "tags")
"""The keywords that a single request takes; they are never sent."""

current_options: ContextVar[Options] = ContextVar("sansio_cache_options", default=NO_OPTIONS)
"""The options of the request under way, for the hops below that a client makes of it."""


class CacheKeywords(Settings, total=False):
    """The keywords of a session for its cache beside ``cache=``, for type checkers."""

    secret_key: SecretKey | Ungiven
    policy: Policy | None
    on_event: Callable[[Event], object] | None
    peer: str | None
    clock: Callable[[], float]


class CacheOptions(TypedDict, total=False):
    """The keywords of :data:`OPTIONS`, for type checkers."""

    expire_after: ExpireAfter
    only_if_cached: bool
    refresh: bool
    force_refresh: bool
    tags: Iterable[str]


def take_options(keywords: dict[str, Any]) -> Options:
    """The options among a request's keywords, which are removed from there.

    :raises SettingError: for one of wrong type or value.
    """
    given = {name: keywords.pop(name) for name in OPTIONS if name in keywords}
    if not given:
        return NO_OPTIONS
    for name in ("only_if_cached", "refresh", "force_refresh"):
        if not isinstance(given.get(name, False), bool):
            raise SettingError(f"{name} takes True or False, not {given[name]!r}")
    tags = given.pop("tags", ())
    if isinstance(tags, str | bytes) or not isinstance(tags, Iterable):
        raise SettingError(f"tags takes a list of names, not {tags!r}")
    tags = tuple(cast("Iterable[str]", tags))
    for tag in tags:
        if not isinstance(tag, str) or not tag:
            raise SettingError(f"tags takes names, not {tag!r}")
    return Options(expiry=parse_expire_after(given.pop("expire_after", None)), tags=tags, **given)
