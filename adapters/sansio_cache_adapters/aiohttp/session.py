"""``AsyncCachedSession``: an ``aiohttp.ClientSession`` with a cache."""

# Its verbs take more keywords than those they override, which pyright counts as an incompatible TypedDict.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Coroutine
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, Never, Self, Unpack

from aiohttp import ClientResponse, ClientSession
from aiohttp.typedefs import StrOrURL
from yarl import URL

from sansio_cache.errors import SettingError
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.first_use import at_first_use, imported, is_made
from sansio_cache_adapters.cache.keywords import FixedSettings, handing_on, refuse_more
from sansio_cache_adapters.cache.setup import Setup, checked_name, set_up, split_policy
from sansio_cache_adapters.cache.switches import Block, switched_off
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from . import plain as plain  # before anyone replaces it

if TYPE_CHECKING:
    from aiohttp.client import _BaseRequestContextManager  # pyright: ignore[reportPrivateUsage]

    from sansio_cache_adapters.cache.events import Event
    from sansio_cache_adapters.cache.opening import CacheLocation
    from sansio_cache_adapters.cache.options import CacheKeywords

    # Modules that answer requests are imported with the first one: see `setup`.
    from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses

    from .handling import Handler
    from .keywords import RequestOptions, SessionOptions
    from .middleware import AiohttpCache
    from .response import CachedClientResponse

    _Answered = _BaseRequestContextManager[CachedClientResponse]


__all__ = ["AsyncCachedSession"]

_HANDLING: Final = "sansio_cache_adapters.aiohttp.handling"


with warnings.catch_warnings():
    # aiohttp discourages inheritance; users run with -W error.
    warnings.simplefilter("ignore", DeprecationWarning)

    class AsyncCachedSession(FixedSettings, ClientSession):
        """An ``aiohttp.ClientSession`` that keeps what HTTP lets it keep. It takes every keyword that aiohttp's does.

        :param base_url: as aiohttp has it.
        :param cache: a path or a store; left out, ``default.sqlite`` in the user's cache folder.
        :param secret_key: signs what is stored: str, bytes or a list of them, oldest first.
        :param policy: the settings (:class:`~sansio_cache.policy.Policy`), or each of them as a keyword.
        :param on_event: is told every decision (:class:`~sansio_cache_adapters.cache.events.Event`).
        :param peer: names whom the session talks to, and as whom: what differs in it shares no entries. Without one,
            what came through a TLS context that would show a client certificate is kept for that context alone.
        :param clock: POSIX seconds; for tests.
        :raises SettingError: for a setting of wrong type or value.
        """

        ATTRS = ClientSession.ATTRS | {"_cache", "_handler", "_made", "_peer", "_told"}

        def __init__(
            self,
            base_url: StrOrURL | None = None,
            *more: Never,
            cache: CacheLocation = None,
            secret_key: SecretKey | Ungiven = UNGIVEN,
            policy: Policy | None = None,
            on_event: Callable[[Event], object] | None = None,
            peer: str | None = None,
            clock: Callable[[], float] = time.time,
            **keywords: Unpack[SessionOptions],
        ) -> None:
            self._connector = None  # for aiohttp's finalizer, if this raises
            refuse_more(type(self).__name__, more, "base_url")
            given: dict[str, Any] = {**keywords}
            policy = split_policy(given, policy)
            _check_base_url(base_url)
            peer = checked_name(peer)
            told = set_up(cache, secret_key, policy, on_event, clock)
            with handing_on(self, AsyncCachedSession, given):
                super().__init__(base_url, **given)
            self._begin(told, peer)
            self._made = True

        def _begin(self, told: Setup | AiohttpCache, peer: str | None) -> None:
            for name in ("_cache", "_handler"):
                vars(self).pop(name, None)
            self._told = told
            self._peer = peer

        @at_first_use
        def _cache(self) -> AiohttpCache:
            told = self._told
            if not isinstance(told, Setup):
                return told
            from .middleware import AiohttpCache

            return AiohttpCache(told, self._peer)

        @at_first_use
        def _handler(self) -> Handler:
            from .handling import Handler

            return Handler(self, self._cache, AsyncCachedSession)

        @classmethod
        def wrap(
            cls, session: ClientSession, *, cache: CacheLocation = None, **keywords: Unpack[CacheKeywords]
        ) -> Self:
            """A cached session that goes on with the connector, cookies, headers and settings of another.

            The connector stays that session's: close both.

            :param keywords: what the constructor takes; it goes before what the other session has.
            """
            given: dict[str, Any] = {**settings_of(session), "cache": cache, **keywords}
            return cls(**given)

        @property
        def policy(self) -> Policy:
            """The session's settings."""
            return self._cache.engine.policy

        @property
        def cache(self) -> AsyncStoredResponses:
            """Finds, deletes, verifies and counts what is stored; ``.store`` is the store."""
            return self._handler.stored(self)

        def _request(self, method: str, str_or_url: StrOrURL, **keywords: Any) -> Coroutine[Any, Any, ClientResponse]:
            if is_made(self, "_handler"):
                return self._handler.request(self, method, str_or_url, keywords)
            return self._first_request(method, str_or_url, keywords)

        async def _first_request(self, method: str, str_or_url: StrOrURL, keywords: dict[str, Any]) -> ClientResponse:
            await imported(_HANDLING)
            return await self._handler.request(self, method, str_or_url, keywords)

        def disabled(self) -> Block:
            """Bypass the cache within a block of ``with`` or ``async with``; others' tasks and threads do not."""
            return switched_off(self)

        async def __aenter__(self) -> Self:
            try:
                await imported(_HANDLING)
                await self._cache.inner.open()
            except BaseException:
                await super().close()
                raise
            return self

        async def close(self) -> None:
            """Wait for background validation (at most 5 s), close the connections, write what is queued."""
            if is_made(self, "_cache"):
                await self._handler.end_tasks()
            await super().close()
            if is_made(self, "_cache"):
                await self._cache.close()

        if TYPE_CHECKING:

            def request(self, method: str, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def get(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def options(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def head(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def post(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def put(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def patch(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...
            def delete(self, url: StrOrURL, **kwargs: Unpack[RequestOptions]) -> _Answered: ...


_KEPT: Final = (
    *("base_url", "connector", "cookie_jar", "headers", "skip_auto_headers", "auth", "json_serialize", "timeout"),
    *("trust_env", "trace_configs", "raise_for_status", "auto_decompress", "version", "requote_redirect_url"),
    *("read_bufsize", "max_line_size", "max_field_size", "middlewares", "request_class", "response_class"),
)
"""Attributes that a session is made with and keeps."""
_ELSEWHERE: Final = {"auth": "_default_auth", "headers": "_default_headers"}


def settings_of(session: ClientSession) -> dict[str, Any]:
    """The keywords that make a session like another, on the same connector."""
    if not isinstance(session, ClientSession):
        raise SettingError(f"wrap takes an aiohttp.ClientSession, not {session!r}")
    known = signature(ClientSession.__init__).parameters
    places = {name: _ELSEWHERE.get(name, f"_{name}") for name in _KEPT if name in known}
    found = {name: getattr(session, place) for name, place in places.items() if hasattr(session, place)}
    return {**found, "connector_owner": False}


_OF_STORES: Final = frozenset({"file", "redis", "rediss", "sqlite", "unix"})


def _check_base_url(base_url: object) -> None:
    # The first argument is aiohttp's base_url; in other sessions it is the path of the cache.
    if base_url is None:
        return
    if not isinstance(base_url, URL | str) or not URL(base_url).absolute or URL(base_url).scheme in _OF_STORES:
        raise SettingError(f"base_url takes an absolute URL, not {base_url!r}; the place of the cache is cache=…")
