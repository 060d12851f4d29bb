"""``CachedSession``: a ``requests.Session`` with a cache."""

# Its verbs take more keywords than those they override.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Never, NoReturn, Self, Unpack, cast

import requests
from requests.adapters import BaseAdapter

from sansio_cache.messages import NO_OPTIONS, Options
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.care import Care
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, handing_on, name_settings, overriding, refuse_more
from sansio_cache_adapters.cache.opening import CacheLocation
from sansio_cache_adapters.cache.options import CacheKeywords, current_options, split_policy, take_options
from sansio_cache_adapters.cache.peers import checked_name
from sansio_cache_adapters.cache.switches import DISABLED, Block, is_off, switched_off
from sansio_cache_adapters.stores.forking import renew_in_child
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .adapter import CacheAdapter, make_cache
from .asked import asking, taken
from .fast_path import FastPath, Going
from .keywords import RequestOptions
from .parts import StoredFirst
from .response import CachedResponse, bypassing
from .transfer import bypassed

__all__ = ["CacheMixin", "CachedSession"]

_MOST_WRAPPED: Final = 64
_PLAIN: Final = requests.Session
"""Theirs, whatever a program puts in its place: ``requests.Session = CachedSession`` is a way to cache all of it."""
_asking: ContextVar[CacheMixin | None] = ContextVar("sansio_cache_asking", default=None)
"""The session whose request is under way."""


if TYPE_CHECKING:
    _Session = requests.Session
else:
    _Session = object


class CacheMixin(FixedSettings, _Session):
    """What makes a ``requests.Session`` keep what HTTP lets it keep, for classes of several parts.

    ``class Session(CacheMixin, LimiterMixin, requests.Session)``: keywords that the cache does not know go to the
    classes behind it. Their ``request`` is called for every request, their ``send`` for what is not answered from the
    cache (``docs/howto/several-parts.md``).

    :param cache: a path, a store or the URL of one; left out, ``default.sqlite`` in the user's cache folder.
    :param secret_key: signs what is stored: str, bytes or a list of them, oldest first.
    :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
    :param on_event: is told every decision (:class:`~sansio_cache_adapters.cache.events.Event`).
    :param peer: names whom the session talks to, and as whom: what differs in it shares no entries. Without one, what
        came through a TLS context that would show a client certificate is kept for that context alone.
    :param clock: POSIX seconds; for tests.
    :param keywords: the settings, and what the classes behind this one take.
    :raises SettingError: for a setting of wrong type or value.
    :raises TypeError: for a keyword that nobody takes; it says what comes near.
    :raises KeyRequired: on first use: the store is signed, and no secret was given.
    """

    def __init__(
        self,
        cache: Any = None,
        *more: Never,
        secret_key: SecretKey | Ungiven = UNGIVEN,
        policy: Policy | None = None,
        on_event: Callable[[Event], object] | None = None,
        peer: str | None = None,
        clock: Callable[[], float] = time.time,
        **keywords: Any,
    ) -> None:
        if not isinstance(self, _PLAIN):
            raise TypeError("CacheMixin is a part of a session: class Session(CacheMixin, requests.Session)")
        refuse_more(type(self).__name__, more)
        policy = split_policy(keywords, policy)
        peer = checked_name(peer)
        own = make_cache(cache, secret_key, policy, on_event, clock)
        with handing_on(self, CacheMixin, keywords):
            super().__init__(**keywords)
        self._begin(own, peer)

    name_settings(__init__)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        order = cls.__mro__
        if _PLAIN in order and order.index(_PLAIN) < order.index(CacheMixin):
            raise TypeError(
                f"{cls.__name__}: CacheMixin belongs before requests.Session, which calls no class behind it"
            )

    def _begin(self, cache: BlockingCache, peer: str | None) -> None:
        self._cache = cache
        self._peer = peer
        renew_in_child(self.cookies, "_cookies_lock", threading.RLock)
        self._wrapped: dict[int, CacheAdapter] = {}
        self._fast = FastPath(self, type(self).adapter_over, cache, CacheMixin)
        behind = overriding(type(self), CacheMixin, _PLAIN, "send")
        self._first = StoredFirst(self, self.adapter_over, cache) if behind else None
        self._made = True

    @classmethod
    def wrap(cls, session: requests.Session, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]) -> Self:
        """A cached session that goes on with the headers, cookies, adapters and settings of another.

        :param keywords: what the constructor takes.
        """
        made = cls(cache, **cast("dict[str, Any]", keywords))
        for name in _PLAIN.__attrs__:
            setattr(made, name, getattr(session, name))
        return made

    @property
    def policy(self) -> Policy:
        """The session's settings."""
        return self._cache.engine.policy

    @property
    def cache(self) -> Care:
        """Finds, deletes, verifies and counts what is stored; ``.store`` is the store."""
        return Care(self._cache, asking(self, self._peer), taken)

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """The adapter mounted for a URL; for a request that is being sent, with the cache above it."""
        if _asking.get() is not self:
            return super().get_adapter(url)  # type: ignore[arg-type] # bytes where a user gave bytes
        return self.adapter_over(url) or super().get_adapter(url)  # type: ignore[arg-type]

    def adapter_over(self, url: str | bytes) -> CacheAdapter | None:
        """The cache above the adapter mounted for a URL, or None where that has a cache of its own.

        :raises requests.exceptions.InvalidSchema: none is mounted.
        """
        adapter = super().get_adapter(url)  # type: ignore[arg-type]
        if isinstance(adapter, CacheAdapter):
            return None
        wrapped = self._wrapped.get(id(adapter))
        if wrapped is None:
            if len(self._wrapped) >= _MOST_WRAPPED:
                self._wrapped.clear()
            wrapped = self._wrapped[id(adapter)] = CacheAdapter.over(self._cache, adapter, self._peer)
        return wrapped

    def request(self, method: Any, url: Any, *args: Any, **keywords: Any) -> CachedResponse:
        """As ``requests.Session.request``; takes ``expire_after``, ``only_if_cached``, ``refresh``,
        ``force_refresh`` and ``tags`` beside its keywords.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        """  # noqa: D205
        options = take_options(keywords)
        cached = not is_off(self)
        going: Going | None = None
        if cached and not args and self._fast.applies(self, method, url, keywords):
            found = self._fast.look(self, url, keywords, options)
            if not isinstance(found, Going):
                return found
            going = found
        given, asking = current_options.set(options), _asking.set(self if cached else None)
        try:
            if going is not None:
                response = self._fast.send(self, going, keywords)
            else:
                response = super().request(method, url, *args, **keywords)
        finally:
            _asking.reset(asking)
            current_options.reset(given)
        return bypassing(response, "" if cached else DISABLED)

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> CachedResponse:
        """As ``requests.Session.send``, with the keywords of :meth:`request` for the cache."""
        options = take_options(keywords)
        if _asking.get() is self and options is NO_OPTIONS:
            # Part of a request of ours, one hop of several perhaps: its options hold.
            return cast(CachedResponse, self._sent(request, keywords))
        cached = not is_off(self)
        given, asking = current_options.set(options), _asking.set(self if cached else None)
        try:
            response = self._sent(request, keywords) if cached else super().send(request, **keywords)
        finally:
            _asking.reset(asking)
            current_options.reset(given)
        if not cached:
            bypassed(super().get_adapter, response)
        return bypassing(response, "" if cached else DISABLED)

    def send_with(
        self, request: requests.PreparedRequest, keywords: dict[str, Any], options: Options
    ) -> requests.Response:
        """The response to a request, or to one hop of several, for a session that says its options in other words."""
        given, asking = current_options.set(options), _asking.set(self)
        try:
            return self._sent(request, keywords)
        finally:
            _asking.reset(asking)
            current_options.reset(given)

    def _sent(self, request: requests.PreparedRequest, keywords: dict[str, Any]) -> requests.Response:
        """The response to a request, by the ``send`` of the classes behind unless a stored one answers before."""
        first = self._first
        before = None if first is None else first.asked(request, keywords)
        if first is None or before is None:
            return super().send(request, **keywords)
        found = first.look(before, request, keywords)
        if found is not None:
            return found
        with first.watched(before):
            return super().send(request, **keywords)

    if TYPE_CHECKING:

        def get(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...
        def options(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...
        def head(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...
        def post(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...
        def put(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...
        def patch(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...
        def delete(self, url: Any, *args: Any, **keywords: Any) -> CachedResponse: ...

    def disabled(self) -> Block:
        """Bypass the cache within a block of ``with`` or ``async with``; other threads and tasks are not touched."""
        return switched_off(self)

    def close(self) -> None:
        """Close the adapters, and the cache: background validation is waited for, 5 s at most."""
        super().close()
        self._cache.close()

    def __getstate__(self) -> dict[str, Any]:
        plain: Any = super()
        return {"session": plain.__getstate__(), "cache": self._cache, "peer": self._peer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        plain: Any = super()
        plain.__setstate__(state["session"])
        self._begin(state["cache"], state["peer"])


class CachedSession(CacheMixin, requests.Session):
    """A ``requests.Session`` that keeps what HTTP lets it keep. Its arguments are those of :class:`CacheMixin`."""

    if TYPE_CHECKING:

        def __init__(self, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]) -> None: ...
        def request(self, method: Any, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def get(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def options(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def head(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def post(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def put(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def patch(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...
        def delete(self, url: Any, *args: Any, **keywords: Unpack[RequestOptions]) -> CachedResponse: ...

    async def __aenter__(self) -> NoReturn:
        """Nothing.

        :raises TypeError: always: here the name is that of the session of requests.
        """
        raise TypeError("CachedSession is a session of requests: for aiohttp take AsyncCachedSession")

    async def __aexit__(self, *_: object) -> None: ...
