"""``CachedSession`` of aiohttp-client-cache, by ours."""

# Its verbs take more keywords than those they override, which pyright counts as an incompatible TypedDict.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Self

from aiohttp import ClientResponse, ClientSession
from aiohttp.typedefs import StrOrURL
from yarl import URL

from sansio_cache.messages import REDIRECTS, Options
from sansio_cache.records import Record
from sansio_cache_adapters.aiohttp.handling import with_cache
from sansio_cache_adapters.aiohttp.session import AsyncCachedSession
from sansio_cache_adapters.cache.keywords import overriding
from sansio_cache_adapters.compat.times import time_for
from sansio_cache_adapters.stores.work import awaited

from .backends import CacheBackend
from .cache_control import DO_NOT_CACHE, ExpirationTime, expiry_for, get_cache_directives
from .cache_keys import asking_for, normalize_url_params
from .response import as_theirs
from .telling import tell_of_request, tell_of_response

__all__ = ["CacheMixin", "CachedSession"]

with warnings.catch_warnings():
    # aiohttp discourages inheritance; users run with -W error.
    warnings.simplefilter("ignore", DeprecationWarning)

    class CacheMixin(AsyncCachedSession):
        """What gives a class of sessions a cache, under the names of aiohttp-client-cache."""

        ATTRS = AsyncCachedSession.ATTRS | {"_backend", "cache"}

        def __init__(
            self, base_url: StrOrURL | None = None, *, cache: CacheBackend | None = None, **kwargs: Any
        ) -> None:
            self._connector = None  # for aiohttp's finalizer, if this raises
            self._backend = cache or CacheBackend()
            behind = super(AsyncCachedSession, self).__init__
            behind(**_taken_by(behind, {**kwargs, "base_url": base_url}))
            self._follow_settings()
            self._backend.serves(self)

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        @property
        def cache(self) -> Any:
            """The cache."""
            return self._backend

        @cache.setter
        def cache(self, value: CacheBackend) -> None:
            object.__setattr__(self, "_backend", value)

        def _follow_settings(self) -> None:
            """Go on with the cache that does what the settings say now."""
            wanted = self._backend.caching()
            if wanted is not self.__dict__.get("_told"):
                self._begin(wanted, None)

        async def _request(
            self,
            method: str,
            str_or_url: StrOrURL,
            expire_after: ExpirationTime = None,
            refresh: bool = False,
            **kwargs: Any,
        ) -> ClientResponse:
            self._follow_settings()
            backend = self._backend
            if backend.disabled or not backend.is_method_allowed(method):
                with super().disabled():
                    return await as_theirs(await super()._request(method, str_or_url, **kwargs))
            url = self._resolve_url(str_or_url)
            options = self._options(url, expire_after, kwargs)
            tell_of_request(url, _names_of(self, kwargs))
            known = await self._known(method, url, kwargs)
            if refresh:
                record = await self._stored(method, url, kwargs)
                # Without a validator there is nothing to ask the origin about.
                options = _with(options, refresh=record is not None and record.head.facts.validator)
            elif known is not None and known.head.stale_at < time.time():
                options = _with(options, force_refresh=True)  # theirs asks nobody whether it is still good
            with await self._apart(known, kwargs):
                response = await self._fetched(method, str_or_url, kwargs, options)
                if _is_stored(response) and (self._is_hop(response, kwargs) or not await backend.wanted(response)):
                    response = await self._fetched(method, str_or_url, kwargs, _with(options, force_refresh=True))
            if not _is_stored(response) and (self._says_not_to(response) or not await backend.wanted(response)):
                await self._forget(response)
            tell_of_response(response, is_traced=bool(self._trace_configs))
            return response

        async def _fetched(
            self, method: str, url: StrOrURL, keywords: dict[str, Any], options: Options
        ) -> ClientResponse:
            found = await self._found(method, url, keywords, options) if self._is_behind() else None
            if found is not None:
                return found
            keywords, _ = with_cache(self, keywords, self._cache, options)
            return await as_theirs(await super(AsyncCachedSession, self)._request(method, url, **keywords))

        def _is_behind(self) -> bool:
            """Whether classes behind want to hear of requests: of those alone that the cache does not answer."""
            return overriding(type(self), AsyncCachedSession, ClientSession, "_request") and not self._middlewares

        async def _found(
            self, method: str, url: StrOrURL, keywords: dict[str, Any], options: Options
        ) -> ClientResponse | None:
            """What the cache answers, if it does."""
            if options.refresh or options.force_refresh or keywords.get("middlewares"):
                return None
            mine = {**keywords, "raise_for_status": False}
            mine, _ = with_cache(self, mine, self._cache, _with(options, only_if_cached=True))
            response = await as_theirs(await ClientSession._request(self, method, url, **mine))
            return response if _is_stored(response) and response.ok else None

        def _options(self, url: URL, expire_after: ExpirationTime, keywords: dict[str, Any]) -> Options:
            backend = self._backend
            said = get_cache_directives(self._prepare_headers(keywords.get("headers")))
            if backend.cache_control and said:
                # What the request says counts in the place of all settings.
                given = said.get("max-age")
                return Options() if given is None else Options(expiry=expiry_for(given), when_kept=True)
            given = expire_after if expire_after is not None else time_for(str(url), backend.urls_expire_after)
            if given is None:
                given = backend.expire_after
            if backend.cache_control and (given is None or given == -1):
                return Options()
            return Options(expiry=expiry_for(given), when_kept=True)

        async def _stored(self, method: str, url: URL, keywords: dict[str, Any]) -> Any:
            return await self._backend.work().matching(str(url), method, dict(keywords))

        async def _known(self, method: str, url: URL, keywords: dict[str, Any]) -> Record | None:
            if keywords.get("data") is not None or keywords.get("json") is not None:
                return None
            whole = normalize_url_params(url, keywords["params"]) if keywords.get("params") else url
            return await self._backend.known(method, whole, self._prepare_headers(keywords.get("headers")))

        async def _apart(self, known: Record | None, keywords: dict[str, Any]) -> AbstractContextManager[None]:
            """Where what redirects lead to is kept: apart, but for what was imported."""
            backend = self._backend
            imported = False
            if known is not None and backend.is_hop(known):
                headers = self._prepare_headers(keywords.get("headers"))
                imported = await backend.target(known, headers=headers) is None
            return nullcontext() if imported else asking_for()

        def _says_not_to(self, response: ClientResponse) -> bool:
            """Whether the server wants nothing stored, whatever time the program gives."""
            if not self._backend.cache_control:
                return False
            return get_cache_directives(response.headers).get("max-age") == DO_NOT_CACHE

        def _is_hop(self, response: ClientResponse, keywords: dict[str, Any]) -> bool:
            return keywords.get("allow_redirects") is False and response.status in REDIRECTS - self._backend.codes

        async def _forget(self, response: ClientResponse) -> None:
            """Remove what has just been stored."""
            state = getattr(response, "_state", None)
            if state is not None and state.answer.keeping is not None:
                engine = self._cache.engine
                # A mark stays, so that a write that is still on its way is not kept either.
                await awaited(engine.store.drop(state.answer.keeping.keys.resource, now=engine.clock()))

        def _resolve_url(self, str_or_url: StrOrURL) -> URL:
            url = URL(str_or_url)
            base: URL | None = self._base_url
            return base.join(url) if base is not None and not url.absolute else url

        async def delete_url(self, url: StrOrURL, method: str = "GET", **kwargs: Any) -> None:
            """Remove what is stored for a request."""
            await self._backend.delete_url(self._resolve_url(url), method, **kwargs)

        async def has_url(self, url: StrOrURL, method: str = "GET", **kwargs: Any) -> bool:
            """Whether something is stored for a request."""
            return await self._backend.has_url(self._resolve_url(url), method, **kwargs)

        @asynccontextmanager
        async def disabled(self) -> AsyncGenerator[None]:  # type: ignore[override]
            """Bypass the cache within a block."""
            token = self._backend.bypassed.set(True)
            try:
                yield
            finally:
                self._backend.bypassed.reset(token)

        async def delete_expired_responses(self) -> None:
            """Remove what has expired."""
            await self._backend.delete_expired_responses()

        async def __aenter__(self) -> Self:
            return self

        async def close(self) -> None:
            """Close the connections, and the cache where ``autoclose`` is on."""
            await super(AsyncCachedSession, self).close()
            await self._backend.close_if_enabled()

    class CachedSession(CacheMixin, ClientSession):
        """A session with a cache, under the names of aiohttp-client-cache.

        :param cache: a cache; left out, one in memory.
        """


def _with(options: Options, **changes: Any) -> Options:
    from msgspec.structs import replace

    return replace(options, **changes)


def _names_of(session: Any, keywords: dict[str, Any]) -> list[str]:
    """The names of the fields that a request has."""
    known = bool(keywords.get("auth") or session._default_auth)
    return [*(["Authorization"] if known else []), *session.headers, *dict(keywords.get("headers") or {})]


def _is_stored(response: ClientResponse) -> bool:
    return bool(getattr(response, "from_cache", False))


def _taken_by(function: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Those of some keywords that the classes behind take."""
    parameters = inspect.signature(function).parameters
    open_to_all = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return {
        name: value for name, value in keywords.items() if open_to_all or (name in parameters and value is not None)
    }
