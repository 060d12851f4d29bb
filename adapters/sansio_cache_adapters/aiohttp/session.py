"""``AsyncCachedSession``: an ``aiohttp.ClientSession`` with a cache."""

# Its verbs take more keywords than those they override, which pyright counts as an incompatible TypedDict.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, Never, Self, Unpack

from aiohttp import ClientRequest, ClientResponse, ClientSession
from aiohttp.hdrs import ACCEPT_ENCODING
from aiohttp.typedefs import StrOrURL
from yarl import URL

from sansio_cache.errors import SettingError
from sansio_cache.messages import NO_OPTIONS, Options, Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import SecretKey
from sansio_cache_adapters.cache.connection_auth import authenticated
from sansio_cache_adapters.cache.decoding import default_accept_encoding
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.cache.events import Event
from sansio_cache_adapters.cache.keywords import FixedSettings, handing_on, overriding, refuse_more
from sansio_cache_adapters.cache.opening import CacheLocation
from sansio_cache_adapters.cache.options import CacheKeywords, take_options
from sansio_cache_adapters.cache.setup import split_policy
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses
from sansio_cache_adapters.cache.switches import DISABLED, Block, is_off, switched_off
from sansio_cache_adapters.stores.settings import UNGIVEN, Ungiven

from .asked import asking_as, taken
from .fast_path import FastPath
from .middleware import AiohttpCache, Looked, Wish
from .private import retries, session_part
from .response import CachedClientResponse, bypassing

if TYPE_CHECKING:
    from aiohttp.client import _BaseRequestContextManager  # pyright: ignore[reportPrivateUsage]

    from .keywords import RequestOptions, SessionOptions

    _Answered = _BaseRequestContextManager[CachedClientResponse]


__all__ = ["AsyncCachedSession", "with_cache"]


def with_cache(
    session: ClientSession, keywords: dict[str, Any], cache: AiohttpCache, options: Options
) -> tuple[dict[str, Any], Wish]:
    """The keywords of a request that goes through a cache, innermost of its middlewares, and what it wishes for."""
    decode = keywords.get("auto_decompress")
    wish = Wish(
        options,
        decode=bool(session.auto_decompress if decode is None else decode),
        raw=True,
        follows=bool(keywords.get("allow_redirects", True)),
        bufsize=keywords.get("read_bufsize"),
        retries=retries(session),
    )
    # A request's own list takes the place of the session's.
    given = keywords.get("middlewares")
    above = session_part(session, "middlewares") if given is None else given
    changed: dict[str, Any] = {"auto_decompress": False, "middlewares": (*above, partial(cache.hop, wish))}
    if not _SAME_CODINGS and not _says_codings(session, keywords):
        wish.codings = default_accept_encoding()
    return {**keywords, **changed}, wish


def upgrades(keywords: dict[str, Any]) -> bool:
    """Whether a request asks for another protocol (WebSocket handshakes are GETs): that is nothing for a cache."""
    headers = keywords.get("headers")
    return isinstance(headers, Mapping) and any(str(name).lower() == "upgrade" for name in headers)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


_NOTHING_SAID: Final = {"allow_redirects"}
_SAME_CODINGS: Final = set(default_accept_encoding().split(", ")) == set(
    ClientRequest.DEFAULT_HEADERS[ACCEPT_ENCODING].split(", ")
)
"""Whether aiohttp offers by itself what we can decode."""


def _says_codings(session: ClientSession, keywords: dict[str, Any]) -> bool:
    """Whether the user says what Accept-Encoding is, or may say so in a way that can be read only once."""
    if ACCEPT_ENCODING in session.headers:
        return True
    headers = keywords.get("headers")
    if headers is None or isinstance(headers, Mapping):
        return any(str(name).lower() == "accept-encoding" for name in headers or ())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return True


with warnings.catch_warnings():
    # aiohttp discourages inheritance; users run with -W error.
    warnings.simplefilter("ignore", DeprecationWarning)

    class AsyncCachedSession(FixedSettings, ClientSession):
        """An ``aiohttp.ClientSession`` that keeps what HTTP lets it keep. All keywords of aiohttp's hold.

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

        ATTRS = ClientSession.ATTRS | {"_cache", "_fast", "_made"}

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
            self._cache = AiohttpCache(cache, secret_key, policy, on_event, clock, peer)
            with handing_on(self, AsyncCachedSession, given):
                super().__init__(base_url, **given)
            # A class behind that sends in its own way sees every request.
            alone = not overriding(type(self), AsyncCachedSession, ClientSession, "_request")
            self._fast = FastPath(self, self._cache, alone=alone)
            self._made = True

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
            return AsyncStoredResponses(self._cache.inner, asking_as(self._look), taken)

        async def _request(self, method: str, str_or_url: StrOrURL, **keywords: Any) -> ClientResponse:
            # Most requests say nothing but what ``get()`` adds.
            options = NO_OPTIONS if keywords.keys() == _NOTHING_SAID else take_options(keywords)
            if is_off(self) or upgrades(keywords):
                answered = await super()._request(method, str_or_url, **keywords)
                authenticated.bypassed(self.connector, str(answered.url), answered.request_info.headers.items())
                return bypassing(answered, DISABLED if is_off(self) else "upgrade")
            key = self._fast.key(method, str_or_url, keywords)
            looked: Looked | None = None
            if key is not None:
                found = self._fast.answer(key, keywords, options)
                if found is not None and not isinstance(found, CachedClientResponse | Looked):
                    found = await found
                if isinstance(found, CachedClientResponse):
                    return found
                looked = found
            keywords, wish = with_cache(self, keywords, self._cache, options)
            wish.looked = looked
            answered = await super()._request(method, str_or_url, **keywords)
            if key is not None:
                self._fast.learn(key, wish, answered)
            return answered if isinstance(answered, CachedClientResponse) else bypassing(answered, "")

        async def _look(self, method: str, url: str, keywords: dict[str, Any]) -> Request | None:
            keywords, wish = with_cache(self, keywords, self._cache, NO_OPTIONS)
            keywords["middlewares"] = (*keywords["middlewares"][:-1], partial(self._cache.look, wish))
            await super()._request(method, url, **keywords)
            return None if wish.seen is None else wish.seen[1]

        def disabled(self) -> Block:
            """Bypass the cache within a block of ``with`` or ``async with``; others' tasks and threads do not."""
            return switched_off(self)

        async def __aenter__(self) -> Self:
            try:
                await self._cache.inner.open()
            except BaseException:
                await super().close()
                raise
            return self

        async def close(self) -> None:
            """Wait for background validation (at most 5 s), close the connections, write what is queued."""
            await self._cache.tasks.close(CLOSE_SECONDS)
            await super().close()
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
"""What a session is made with and goes on to have."""
_ELSEWHERE: Final = {"auth": "_default_auth", "headers": "_default_headers"}
_PARAMETERS: Final = signature(ClientSession.__init__).parameters


def settings_of(session: ClientSession) -> dict[str, Any]:
    """The keywords that make a session like another, on the same connector."""
    if not isinstance(session, ClientSession):
        raise SettingError(f"wrap takes an aiohttp.ClientSession, not {session!r}")
    places = {name: _ELSEWHERE.get(name, f"_{name}") for name in _KEPT if name in _PARAMETERS}
    found = {name: getattr(session, place) for name, place in places.items() if hasattr(session, place)}
    return {**found, "connector_owner": False}


_OF_STORES: Final = frozenset({"file", "redis", "rediss", "sqlite", "unix"})


def _check_base_url(base_url: object) -> None:
    # What would be a path's place elsewhere is aiohttp's base_url here.
    if base_url is None:
        return
    if not isinstance(base_url, URL | str) or not URL(base_url).absolute or URL(base_url).scheme in _OF_STORES:
        raise SettingError(f"base_url takes an absolute URL, not {base_url!r}; the place of the cache is cache=…")
