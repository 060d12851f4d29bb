"""What is said to a session: with one request, and when it is made."""

from __future__ import annotations

import inspect
from typing import Any

from requests import PreparedRequest

from .hooks import Hooks
from .policy.directives import CacheDirectives
from .policy.expiration import DO_NOT_CACHE, EXPIRE_IMMEDIATELY, ExpirationTime, get_expiration_seconds

__all__ = ["Asked", "given_values", "taken_by"]


class Asked:
    """What one request says to the cache, and whether its first hop is on its way."""

    __slots__ = ("begun", "expire_after", "force_refresh", "hooks", "only_if_cached", "refresh", "session")

    def __init__(self, session: object, said: dict[str, Any]) -> None:
        self.session = session
        given: ExpirationTime = said.pop("expire_after", None)
        # It goes by a field there, which has whole seconds.
        self.expire_after = given if given is None or given == DO_NOT_CACHE else get_expiration_seconds(given)
        self.only_if_cached = bool(said.pop("only_if_cached", False))
        self.refresh = bool(said.pop("refresh", False)) or self.expire_after == EXPIRE_IMMEDIATELY
        self.force_refresh = bool(said.pop("force_refresh", False))
        if self.expire_after == DO_NOT_CACHE:  # of one request that says: do not read
            self.expire_after, self.force_refresh = None, True
        self.begun = False
        self.hooks: Hooks | None = None

    def hear(self, request: PreparedRequest) -> None:
        """Take what the fields of the request say as if it had been said in keywords."""
        if "Cache-Control" in request.headers:
            said = CacheDirectives.from_headers(request.headers)
            if self.expire_after is None:
                self.expire_after = said.max_age
            self.only_if_cached |= said.only_if_cached
            self.refresh |= said.must_revalidate or said.max_age == EXPIRE_IMMEDIATELY
            self.force_refresh |= said.no_cache or said.no_store


def given_values(**given: Any) -> dict[str, Any]:
    """Those keywords that are not None."""
    return {name: value for name, value in given.items() if value is not None}


def taken_by(function: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Those of some keywords that the classes behind take."""
    if not keywords:
        return {}
    parameters = inspect.signature(function).parameters
    open_to_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return {name: value for name, value in keywords.items() if open_to_all or name in parameters}
