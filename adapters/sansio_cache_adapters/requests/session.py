"""``CachedSession``: a ``requests.Session`` with a cache."""

# Its verbs take more keywords than those they override.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Never, NoReturn, Self, Unpack, cast

import requests
from requests.adapters import BaseAdapter

from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.first_use import at_first_use, is_made
from sansio_cache_adapters.cache.keywords import FixedSettings, handing_on, name_settings, refuse_more
from sansio_cache_adapters.cache.setup import Setup, checked_name, set_up, split_policy
from sansio_cache_adapters.cache.switches import Block, switched_off
from sansio_cache_adapters.stores.forking import renew_in_child
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .plain import PLAIN

if TYPE_CHECKING:
    # Modules that answer requests are imported with the first one: see `setup`.
    from sansio_cache.messages import Options
    from sansio_cache_adapters.cache.blocking import BlockingCache
    from sansio_cache_adapters.cache.events import Event
    from sansio_cache_adapters.cache.opening import CacheLocation
    from sansio_cache_adapters.cache.options import CacheKeywords
    from sansio_cache_adapters.cache.stored_responses import StoredResponses

    from .adapter import CacheAdapter
    from .handling import Handler
    from .keywords import RequestOptions
    from .response import CachedResponse

__all__ = ["CacheMixin", "CachedSession"]


if TYPE_CHECKING:
    _Session = requests.Session
else:
    _Session = object


class CacheMixin(FixedSettings, _Session):
    """Gives a cache to a ``requests.Session``, for classes of several parts.

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
    :raises TypeError: for an unknown keyword; the message has the nearest one.
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
        if not isinstance(self, PLAIN):
            raise TypeError("CacheMixin is a part of a session: class Session(CacheMixin, requests.Session)")
        refuse_more(type(self).__name__, more)
        policy = split_policy(keywords, policy)
        peer = checked_name(peer)
        told = set_up(cache, secret_key, policy, on_event, clock)
        with handing_on(self, CacheMixin, keywords):
            super().__init__(**keywords)
        self._begin(told, peer)

    name_settings(__init__)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        order = cls.__mro__
        if PLAIN in order and order.index(PLAIN) < order.index(CacheMixin):
            raise TypeError(
                f"{cls.__name__}: CacheMixin belongs before requests.Session, which calls no class behind it"
            )

    if not TYPE_CHECKING:  # to a type checker any attribute would be one that there is

        def __setattr__(self, name: str, value: object) -> None:
            if name in _PUT_BACK and _is_own(self, name, value):
                vars(self).pop(name, None)
            else:
                super().__setattr__(name, value)

    def _begin(self, told: Setup | BlockingCache, peer: str | None) -> None:
        for name in ("_cache", "_handler"):
            vars(self).pop(name, None)
        self._told = told
        self._peer = peer
        renew_in_child(self.cookies, "_cookies_lock", threading.RLock)
        self._made = True

    @at_first_use
    def _cache(self) -> BlockingCache:
        told = self._told
        if not isinstance(told, Setup):
            return told
        from .adapter import cache_of

        return cache_of(told)

    @at_first_use
    def _handler(self) -> Handler:
        from .handling import Handler

        return Handler(self, self._cache, self._peer, CacheMixin)

    @classmethod
    def wrap(cls, session: requests.Session, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]) -> Self:
        """A cached session that goes on with the headers, cookies, adapters and settings of another.

        :param keywords: what the constructor takes.
        """
        made = cls(cache, **cast("dict[str, Any]", keywords))
        for name in PLAIN.__attrs__:
            setattr(made, name, getattr(session, name))
        return made

    @property
    def policy(self) -> Policy:
        """The session's settings."""
        return self._cache.engine.policy

    @property
    def cache(self) -> StoredResponses:
        """Finds, deletes, verifies and counts what is stored; ``.store`` is the store."""
        return self._handler.stored_responses(self)

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """The adapter mounted for a URL; for a request that is being sent, with the cache above it."""
        return self._handler.get_adapter(self, url)

    def adapter_over(self, url: str | bytes) -> CacheAdapter | None:
        """The cache above the adapter mounted for a URL, or None where that has a cache of its own.

        :raises requests.exceptions.InvalidSchema: none is mounted.
        """
        return self._handler.adapter_over(self, url)

    def request(self, method: Any, url: Any, *args: Any, **keywords: Any) -> CachedResponse:
        """As ``requests.Session.request``; takes ``expire_after``, ``only_if_cached``, ``refresh``,
        ``force_refresh`` and ``tags`` beside its keywords.

        :raises BadSignature: see ``docs/topics/security.md``.
        :raises NotCached: ``offline``, and nothing stored answers.
        """  # noqa: D205
        return self._handler.request(self, method, url, args, keywords)

    def send(self, request: requests.PreparedRequest, **keywords: Any) -> CachedResponse:
        """As ``requests.Session.send``, with the keywords of :meth:`request` for the cache."""
        return self._handler.send(self, request, keywords)

    def send_with(
        self, request: requests.PreparedRequest, keywords: dict[str, Any], options: Options
    ) -> requests.Response:
        """The response to a request, or to one hop of several, for a session that says its options in other words."""
        return self._handler.send_with(self, request, keywords, options)

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
        told = self._told
        if is_made(self, "_cache") or not isinstance(told, Setup) or told.given is not None:
            self._cache.close()

    def __getstate__(self) -> dict[str, Any]:
        plain: Any = super()
        return {"session": plain.__getstate__(), "cache": self._cache, "peer": self._peer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        plain: Any = super()
        plain.__setstate__(state["session"])
        self._begin(state["cache"], state["peer"])


_PUT_BACK: Final = frozenset({"get_adapter", "send"})
"""Methods that doubles of the network replace in an object."""


def _is_own(session: requests.Session, name: str, value: object) -> bool:
    """Whether a value is the method that a session has in any case, or that of the plain one.

    Doubles put back what they have found, as an attribute of the object; requests_mock, that of ``requests.Session``.
    There it would go before ours, and the cache would never be asked again.
    """
    function = getattr(value, "__func__", None)
    own = getattr(value, "__self__", None) is session
    return own and function in (getattr(type(session), name), PLAIN.get_adapter)


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
