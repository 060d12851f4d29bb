"""Hooks, called as often as requests-cache calls them: twice for what the network brings, once for what is stored."""

from __future__ import annotations

from typing import Any

import requests
from requests import PreparedRequest, hooks

from sansio_cache_adapters.requests.response import CachedResponse as OurResponse

__all__ = ["Hooks"]


class Hooks:
    """The hooks of a request while a session of ours is at work on it.

    requests calls them with what came from the network, which is a plain response then; the session calls them once
    more with what it gives out. What is stored is shown to them by the session alone.
    """

    def __init__(self, request: PreparedRequest) -> None:
        self._request = request
        self._theirs: Any = request.hooks
        self._ours: Any = {**(self._theirs or {}), "response": [self._called]}
        self.stored_first: bool | None = None

    def begin(self) -> None:
        """Stand between requests and the hooks."""
        if self._theirs and self._theirs.get("response"):
            self._request.hooks = self._ours

    def end(self) -> None:
        """Leave, those requests too that redirects have made of this one."""
        self._request.hooks = self._theirs
        if self._theirs:
            self._ours.update(self._theirs)

    def _called(self, response: Any, **keywords: Any) -> Any:
        stored = bool(getattr(response, "from_cache", False))
        if self.stored_first is None:
            self.stored_first = stored
        return response if stored else self._as_plain(response, keywords)

    def _as_plain(self, response: requests.Response, keywords: dict[str, Any]) -> Any:
        """What they make of a response that knows nothing of a cache."""
        kind = type(response)
        if not issubclass(kind, OurResponse):
            return self.dispatch(response, keywords)
        response.__class__ = requests.Response
        if "_facts" in vars(response):
            vars(response).pop("from_cache", None)  # has been looked at, and comes again with its class
        try:
            made = self.dispatch(response, keywords)
        finally:
            response.__class__ = kind
        return made

    def dispatch(self, response: Any, keywords: dict[str, Any]) -> Any:
        """What they make of a response."""
        requests_hooks: Any = hooks
        return requests_hooks.dispatch_hook("response", self._theirs or {}, response, **keywords)
