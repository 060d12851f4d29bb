"""How a session of requests handles its requests: all that it needs from the first one on."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import Any, Final, cast

import requests
from requests.adapters import BaseAdapter

from sansio_cache.messages import NO_OPTIONS, Options
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.keywords import overriding
from sansio_cache_adapters.cache.options import current_options, take_options
from sansio_cache_adapters.cache.stored_responses import StoredResponses
from sansio_cache_adapters.cache.switches import DISABLED, is_off

from .adapter import CacheAdapter
from .fast_path import FastPath, Going
from .lookup import given_response, request_maker
from .parts import StoredFirst
from .plain import PLAIN
from .response import CachedResponse, bypassing
from .transfer import bypassed

__all__ = ["Handler"]

_MOST_WRAPPED: Final = 64
_asking: ContextVar[Handler | None] = ContextVar("sansio_cache_asking", default=None)
"""The handler of the session whose request is under way."""


class Handler:
    """Handles the requests of one session.

    It is told the session with each request and does not hold it, so that one that is dropped is gone at once.

    :param peer: names whom the session talks to, and as whom, or None.
    :param part: the class of the session that is its cache; what those behind it do is asked of them.
    """

    def __init__(self, session: requests.Session, cache: BlockingCache, peer: str | None, part: type[Any]) -> None:
        self._cache = cache
        self._peer = peer
        self._part = part
        self._wrapped: dict[int, CacheAdapter] = {}
        self._fast = FastPath(session, _adapter_over, cache, part)
        behind = overriding(type(session), part, PLAIN, "send")
        self._first = StoredFirst(session, partial(_adapter_over, session), cache) if behind else None

    def stored_responses(self, session: requests.Session) -> StoredResponses:
        """The ``session.cache``: finds, deletes, verifies and counts stored responses."""
        return StoredResponses(self._cache, request_maker(session, self._peer), given_response)

    def _behind(self, session: requests.Session) -> Any:
        """The session, as the classes behind its cache have it."""
        return cast(Any, super(self._part, session))

    def get_adapter(self, session: requests.Session, url: str | bytes) -> BaseAdapter:
        """The adapter mounted for a URL; for a request that is being sent, with the cache above it."""
        over = _adapter_over(session, url) if _asking.get() is self else None
        return over or cast(BaseAdapter, self._behind(session).get_adapter(url))

    def adapter_over(self, session: requests.Session, url: str | bytes) -> CacheAdapter | None:
        """The cache above the adapter mounted for a URL, or None where that has a cache of its own.

        :raises requests.exceptions.InvalidSchema: none is mounted.
        """
        behind = cast(Any, super(self._part, session))
        adapter: BaseAdapter = behind.get_adapter(url)
        if isinstance(adapter, CacheAdapter):
            return None
        wrapped = self._wrapped.get(id(adapter))
        if wrapped is None:
            if len(self._wrapped) >= _MOST_WRAPPED:
                self._wrapped.clear()
            wrapped = self._wrapped[id(adapter)] = CacheAdapter.over(self._cache, adapter, self._peer)
        return wrapped

    def request(
        self, session: requests.Session, method: Any, url: Any, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> CachedResponse:
        """The response to a request."""
        options = take_options(keywords)
        cached = not is_off(session)
        going: Going | None = None
        if cached and not args and self._fast.applies(session, method, url, keywords):
            found = self._fast.look(session, url, keywords, options)
            if not isinstance(found, Going):
                return found
            going = found
        given, asking = current_options.set(options), _asking.set(self if cached else None)
        try:
            if going is not None:
                response = self._fast.send(session, going, keywords)
            else:
                response = self._behind(session).request(method, url, *args, **keywords)
        finally:
            _asking.reset(asking)
            current_options.reset(given)
        return bypassing(response, "" if cached else DISABLED)

    def send(
        self, session: requests.Session, request: requests.PreparedRequest, keywords: dict[str, Any]
    ) -> CachedResponse:
        """The response to a prepared request."""
        options = take_options(keywords)
        if _asking.get() is self and options is NO_OPTIONS:
            # Part of a request of ours, one hop of several perhaps: its options hold.
            return cast(CachedResponse, self._sent(session, request, keywords))
        if not is_off(session):
            return bypassing(self.send_with(session, request, keywords, options), "")
        given, asking = current_options.set(options), _asking.set(None)
        try:
            response: requests.Response = self._behind(session).send(request, **keywords)
        finally:
            _asking.reset(asking)
            current_options.reset(given)
        bypassed(self._behind(session).get_adapter, response)
        return bypassing(response, DISABLED)

    def send_with(
        self, session: requests.Session, request: requests.PreparedRequest, keywords: dict[str, Any], options: Options
    ) -> requests.Response:
        """The response to a prepared request with these options."""
        given, asking = current_options.set(options), _asking.set(self)
        try:
            return self._sent(session, request, keywords)
        finally:
            _asking.reset(asking)
            current_options.reset(given)

    def _sent(
        self, session: requests.Session, request: requests.PreparedRequest, keywords: dict[str, Any]
    ) -> requests.Response:
        """The response to a request, by the ``send`` of the classes behind unless a stored one answers before."""
        first, behind = self._first, self._behind(session)
        before = None if first is None else first.asked(request, keywords)
        response: requests.Response
        if first is None or before is None:
            response = behind.send(request, **keywords)
            return response
        found = first.look(before, request, keywords)
        if found is not None:
            return found
        with first.watched(before):
            response = behind.send(request, **keywords)
            return response


def _adapter_over(session: Any, url: str | bytes) -> CacheAdapter | None:
    over: CacheAdapter | None = session.adapter_over(url)
    return over
