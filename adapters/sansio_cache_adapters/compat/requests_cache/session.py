"""``CachedSession`` of requests-cache, by ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self, cast

import requests
from requests import PreparedRequest
from requests import Session as OriginalSession
from requests.adapters import BaseAdapter

from sansio_cache.messages import REDIRECTS, Options
from sansio_cache_adapters.compat.times import time_for
from sansio_cache_adapters.requests.adapter import CacheAdapter
from sansio_cache_adapters.requests.session import CacheMixin as OurMixin

from .backends import BackendSpecifier, BaseCache, StrOrPath, init_backend
from .hooks import Hooks
from .lifetimes import USELESS, time_of
from .models import AnyResponse, CachedResponse
from .models.response import BaseResponse, as_theirs, key_of, replayed
from .policy.expiration import (
    ExpirationPatterns,
    ExpirationTime,
    FilterCallback,
    KeyCallback,
    expiry_for,
)
from .policy.settings import (
    DEFAULT_CACHE_NAME,
    DEFAULT_IGNORED_PARAMS,
    DEFAULT_METHODS,
    DEFAULT_STATUS_CODES,
    CacheSettings,
    whole_grace_of,
)
from .said import Asked, given_values, taken_by
from .serializers import SerializerType
from .telling import tell_of_replacing, tell_of_request, tell_of_response

__all__ = ["CacheMixin", "CachedSession", "OriginalSession", "get_504_response"]


_PutBack = Callable[[Any, requests.Session], CachedResponse]
_asked: ContextVar[Asked | None] = ContextVar("sansio_cache_compat_asked", default=None)


class CacheMixin(OurMixin):
    """What gives a class of sessions a cache, under the names of requests-cache; see :class:`CachedSession`."""

    def __init__(
        self,
        cache_name: StrOrPath = DEFAULT_CACHE_NAME,
        backend: BackendSpecifier | None = None,
        serializer: SerializerType | None = None,
        expire_after: ExpirationTime = -1,
        urls_expire_after: ExpirationPatterns | None = None,
        cache_control: bool = False,
        content_root_key: str | None = None,
        allowable_codes: Iterable[int] = DEFAULT_STATUS_CODES,
        allowable_methods: Iterable[str] = DEFAULT_METHODS,
        always_revalidate: bool = False,
        ignored_parameters: Iterable[str] = DEFAULT_IGNORED_PARAMS,
        match_headers: Iterable[str] | bool = False,
        filter_fn: FilterCallback | None = None,
        key_fn: KeyCallback | None = None,
        read_only: bool = False,
        stale_if_error: bool | int = False,
        autoclose: bool = True,
        **kwargs: Any,
    ) -> None:
        behind = super(OurMixin, self).__init__
        given = taken_by(behind, kwargs)
        rest = {name: value for name, value in kwargs.items() if name not in given}
        self._backend = init_backend(cache_name, backend, **given_values(serializer=serializer), **rest)
        self.settings = CacheSettings.from_kwargs(
            expire_after=expire_after,
            urls_expire_after=urls_expire_after,
            cache_control=cache_control,
            content_root_key=content_root_key,
            allowable_codes=allowable_codes,
            allowable_methods=allowable_methods,
            always_revalidate=always_revalidate,
            ignored_parameters=ignored_parameters,
            match_headers=match_headers,
            filter_fn=filter_fn,
            key_fn=key_fn,
            read_only=read_only,
            stale_if_error=stale_if_error,
            autoclose=autoclose,
            **{name: kwargs[name] for name in kwargs.keys() & _OTHER_SETTINGS},
        )
        behind(**given)
        self._begin(self._backend.caching(), None)
        self._backend.serves(self)

    def __init_subclass__(cls, **keywords: Any) -> None:
        # A mixin of theirs may stand anywhere before a session.
        super(OurMixin, cls).__init_subclass__(**keywords)

    def __setattr__(self, name: str, value: Any) -> None:
        # requests_mock puts its own adapter before all others in this way: the cache stays above it.
        object.__setattr__(self, "_replaced" if name == "get_adapter" else name, value)

    def adapter_over(self, url: str | bytes) -> CacheAdapter | None:
        """The cache above the adapter for a URL."""
        replaced: Callable[..., BaseAdapter] | None = self.__dict__.get("_replaced")
        if replaced is None:
            return super().adapter_over(url)
        return CacheAdapter.over(self._cache, replaced(url), self._peer)

    @classmethod
    def wrap(cls, original_session: requests.Session, **kwargs: Any) -> Self:  # type: ignore[override]
        """A cached session that goes on with the headers, cookies, adapters and settings of another."""
        made = cls(**kwargs)
        for name in OriginalSession.__attrs__:
            setattr(made, name, getattr(original_session, name))
        return made

    @property
    def cache(self) -> Any:
        """The cache."""
        return self._backend

    @cache.setter
    def cache(self, value: BaseCache) -> None:
        self._backend = value

    @property
    def settings(self) -> CacheSettings:
        """What the session does; to be changed at any time."""
        return self._backend.settings

    @settings.setter
    def settings(self, value: CacheSettings) -> None:
        self._backend.settings = value

    @property
    def expire_after(self) -> ExpirationTime:
        """That of the settings."""
        return self.settings.expire_after

    @expire_after.setter
    def expire_after(self, value: ExpirationTime) -> None:
        self.settings.expire_after = value

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *args: Any,
        expire_after: ExpirationTime = None,
        only_if_cached: bool = False,
        refresh: bool = False,
        force_refresh: bool = False,
        **kwargs: Any,
    ) -> AnyResponse:
        """As ``requests.Session.request``, from the cache where it has the response.

        :param expire_after: of what this request brings.
        :param only_if_cached: a stored response, or one with status 504.
        :param refresh: ask the origin whether the stored response is still good.
        :param force_refresh: fetch anew.
        """
        said = {
            "expire_after": expire_after,
            "only_if_cached": only_if_cached,
            "refresh": refresh,
            "force_refresh": force_refresh,
        }
        with self._asking_for(said):
            return cast(AnyResponse, super(OurMixin, self).request(method, url, *args, **kwargs))

    def send(self, request: PreparedRequest, **kwargs: Any) -> AnyResponse:
        """As ``requests.Session.send``, with the keywords of :meth:`request` for the cache."""
        asked = _asked.get()
        if asked is None or asked.session is not self:
            with self._asking_for(kwargs):
                return self.send(request, **kwargs)
        self._follow_settings()
        if asked.begun:
            return self._followed(request, asked, kwargs)
        asked.begun = True
        asked.hear(request)
        called = asked.hooks = Hooks(request)
        called.begin()
        try:
            response = self._first(request, asked, kwargs)
        finally:
            called.end()
        keep = self.settings.filter_fn
        if keep is not None and not keep(response):
            self._backend.discard(key_of(response) or "")
            return cast(AnyResponse, response)
        return cast(AnyResponse, called.dispatch(response, kwargs))

    def _first(self, request: PreparedRequest, asked: Asked, kwargs: dict[str, Any]) -> BaseResponse:
        """The response to a request, redirects followed."""
        if self.settings.disabled:
            if asked.only_if_cached or self.settings.only_if_cached:
                return get_504_response(request)
            with self.disabled():
                response = as_theirs(super().send(request, **kwargs))
            vars(response)["cache_key"] = None
            return response
        tell_of_request(request, self.settings, kwargs)
        response = self._answered(request, asked, kwargs)
        tell_of_response(response, decodes=self._backend.decodes)
        return response

    def _followed(self, request: PreparedRequest, asked: Asked, kwargs: dict[str, Any]) -> AnyResponse:
        """The response to a request that a redirect has led to."""
        response: Any = self.send_with(request, kwargs, self._options(request, asked))
        if asked.hooks is None or asked.hooks.stored_first is not False:
            return cast(AnyResponse, response)
        return cast(AnyResponse, asked.hooks.dispatch(as_theirs(response, self.settings), kwargs))

    def _answered(self, request: PreparedRequest, asked: Asked, kwargs: dict[str, Any]) -> BaseResponse:
        settings = self.settings
        if asked.only_if_cached or settings.only_if_cached:
            return self._from_cache_alone(request, asked, kwargs)
        if asked.refresh or settings.always_revalidate:
            record = self._stored(request, kwargs)
            # Without a validator there is nothing to ask the origin about.
            asked.refresh = record is not None and record.head.facts.validator
        fallback, options, began = self._fallback(request, asked, kwargs), self._options(request, asked), time.time()
        try:
            response = self._given_out(request, kwargs, options)
        except requests.RequestException:
            # What is fresh was only to be asked about.
            found = self._given_out(request, kwargs, Options(only_if_cached=True)) if asked.refresh else None
            if found is None or not found.from_cache:
                raise
            return found
        if response.from_cache and kwargs.get("allow_redirects") is False and self._is_hop(response):
            asked.force_refresh = True
            response = self._given_out(request, kwargs, self._options(request, asked))
        if response.from_cache:
            return response
        if fallback is not None and response.status_code not in settings.codes:
            return self._instead_of(response, fallback, request)
        expiry = time_of(response, options, settings)
        if expiry is USELESS:
            tell_of_replacing(asked.expire_after)
            self._backend.discard(key_of(response) or "")
            vars(response).update(expires=None, cache_key=None)
        elif expiry is not None:
            record = self._just_stored(request, kwargs, began)
            if record is not None:
                vars(response)["expires"] = self._backend.give_time(record, expiry, response.created_at)
        return response

    def _given_out(self, request: PreparedRequest, kwargs: dict[str, Any], options: Options) -> BaseResponse:
        response: Any = self.send_with(request, kwargs, options)
        attributes: dict[str, Any] = response.__dict__
        facts: Any = attributes.get("_facts")
        kept = facts is None or facts.tee is not None or response.from_cache
        if kwargs.get("stream") and kept:
            # requests-cache reads what it keeps before it gives it out.
            _ = response.content
            replayed(response)
        return as_theirs(response, self.settings)

    def _options(self, request: PreparedRequest, asked: Asked) -> Options:
        settings, url = self.settings, request.url or ""
        given = asked.expire_after if asked.expire_after is not None else time_for(url, settings.urls_expire_after)
        if given is None and not settings.cache_control:
            given = settings.expire_after if settings.expire_after is not None else -1
        if given is None:
            return Options(refresh=asked.refresh, force_refresh=asked.force_refresh)
        return Options(
            expiry=expiry_for(given), when_kept=True, refresh=asked.refresh, force_refresh=asked.force_refresh
        )

    def _from_cache_alone(self, request: PreparedRequest, asked: Asked, kwargs: dict[str, Any]) -> BaseResponse:
        options = self._options(request, asked)
        only = Options(expiry=options.expiry, when_kept=options.when_kept, only_if_cached=True)
        response = self._given_out(request, kwargs, only)
        if response.status_code != 504 or response.from_cache or response.created_at is None:
            return response
        unanswered = get_504_response(request)
        return self._stale(request, kwargs, unanswered) if self.settings.stale_if_error else unanswered

    def _fallback(self, request: PreparedRequest, asked: Asked, kwargs: dict[str, Any]) -> _PutBack | None:
        """What would be used in the place of a response with a status that is not kept.

        Ours, which goes by RFC 5861, does so for the server's own errors alone, and gives up the stored response for
        others: so it is read before the origin is asked.
        """
        wanted = self.settings.stale_if_error and not asked.force_refresh
        record = self._stored(request, kwargs) if wanted else None
        if record is None:
            return None
        asks_anyway = asked.refresh or self.settings.always_revalidate
        return self._backend.held(record) if asks_anyway or record.head.stale_at < time.time() else None

    def _instead_of(self, response: BaseResponse, put_back: _PutBack, request: PreparedRequest) -> BaseResponse:
        found, grace = put_back(request, self), whole_grace_of(self.settings.stale_if_error)
        if grace is not True and found.expires is not None and time.time() > found.expires.timestamp() + grace:
            response.raise_for_status()
            return response
        found.request, found.url = request, request.url or ""
        return found

    def _stale(self, request: PreparedRequest, kwargs: dict[str, Any], otherwise: BaseResponse) -> BaseResponse:
        record = self._stored(request, kwargs)
        if record is None or record.head.status not in self.settings.codes:
            return otherwise
        found = self._backend.of_record(record)
        if found is None:
            return otherwise
        found.request, found.url = request, request.url or ""
        return found

    def _stored(self, request: PreparedRequest, kwargs: dict[str, Any]) -> Any:
        sending = {name: kwargs[name] for name in ("proxies", "verify", "cert") if name in kwargs}
        return self._backend.matching(request, self, **sending)

    def _just_stored(self, request: PreparedRequest, kwargs: dict[str, Any], began: float) -> Any:
        record = self._stored(request, kwargs)
        return record if record is not None and record.head.received_at >= began else None

    def _is_hop(self, response: BaseResponse) -> bool:
        return response.status_code in REDIRECTS - self.settings.codes

    def _follow_settings(self) -> None:
        """Go on with the cache that does what the settings say now."""
        wanted = self._backend.caching()
        if wanted is not self._cache:
            self._begin(wanted, None)

    @contextmanager
    def _asking_for(self, said: dict[str, Any]) -> Generator[None]:
        token = _asked.set(Asked(self, said))
        try:
            yield
        finally:
            _asked.reset(token)

    @contextmanager
    def cache_disabled(self) -> Generator[None]:
        """Bypass the cache within a block."""
        before, self.settings.disabled = self.settings.disabled, True
        try:
            yield
        finally:
            self.settings.disabled = before

    def close(self) -> None:
        """Close the session, and the cache unless ``autoclose`` is off."""
        super(OurMixin, self).close()
        if self.settings.autoclose:
            self._backend.close()

    def __getstate__(self) -> dict[str, Any]:
        raise NotImplementedError("CachedSession cannot be pickled")

    def __repr__(self) -> str:
        return f"<CachedSession(cache={self._backend!r}, settings={self.settings})>"


class CachedSession(CacheMixin, OriginalSession):
    """A session with a cache, under the names of requests-cache.

    :param cache_name: a path or a name, by the cache.
    :param backend: ``"sqlite"``, ``"filesystem"``, ``"redis"``, ``"memory"``, or a cache.
    :param serializer: taken, and of no effect; see :mod:`.serializers`.
    :param expire_after: for how long, or until when, a response is fresh.
    :param urls_expire_after: the same for URLs that match a pattern.
    :param cache_control: let the response decide where it says so.
    :param allowable_codes: the status codes that are kept.
    :param allowable_methods: the methods whose responses are kept.
    :param always_revalidate: ask the origin each time whether what is stored is still good.
    :param match_headers: request fields that tell requests apart, or True for all.
    :param ignored_parameters: names of parameters that do not.
    :param read_only: store nothing.
    :param stale_if_error: use what is stored where the origin fails.
    :param filter_fn: whether a response is to be kept.
    :param key_fn: what tells requests apart.
    :param autoclose: close the cache with the session.
    """


_OTHER_SETTINGS = frozenset(
    {"disabled", "only_if_cached", "stale_while_revalidate", "old_data_on_error", "include_get_headers"}
)


def get_504_response(request: PreparedRequest) -> CachedResponse:
    """The answer to a request that may not go out and finds nothing."""
    response = CachedResponse(url=request.url or "", status_code=504, reason="Not Cached", request=request)
    content: Any = response
    content._content = None
    content._content_consumed = True
    return response
