"""What requests-cache decides of a request, step by step; for the session the core decides, by RFC 9111."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from sansio_cache_adapters.compat.requests_cache._utils import RichMixin, coalesce

from .directives import CacheDirectives
from .expiration import (
    DO_NOT_CACHE,
    EXPIRE_IMMEDIATELY,
    NEVER_EXPIRE,
    ExpirationTime,
    get_expiration_datetime,
    get_expiration_seconds,
    get_url_expiration,
    utcnow,
)
from .settings import CacheSettings

__all__ = ["METHOD_OVERRIDE_HEADERS", "CacheActions"]

METHOD_OVERRIDE_HEADERS: Final = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]


@dataclass(repr=False)
class CacheActions(RichMixin):
    """What requests-cache would do with a request: to be looked at, and to be asked by programs that decide by it.

    A session does not ask it. What was done, and why, says ``response.cache_status``.

    :ivar expire_after: the time of the request, else that of its URL, else that of the session.
    """

    cache_key: str | None = field(default=None, repr=False)
    error_504: bool = False
    expire_after: ExpirationTime = None
    send_request: bool = False
    resend_request: bool = False
    resend_async: bool = False
    skip_read: bool = False
    skip_write: bool = False
    vary_cache_key: str | None = None
    settings: CacheSettings = field(default_factory=CacheSettings, repr=False)
    directives: CacheDirectives = field(default_factory=CacheDirectives, repr=False)
    request: Any = field(default=None, repr=False)
    _validation_headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def from_request(cls, cache_key: str | None, request: Any, settings: CacheSettings | None = None) -> CacheActions:
        """What a request and the settings say, before anything has been looked for."""
        settings = settings or CacheSettings()
        said = CacheDirectives.from_headers(request.headers)
        by_url = get_url_expiration(request.url, settings.urls_expire_after)  # type: ignore[arg-type]
        expire_after: ExpirationTime = coalesce(said.max_age, by_url, settings.expire_after)
        unread = said.no_cache or said.no_store or said.actual_no_cache or expire_after == DO_NOT_CACHE
        return cls(
            cache_key=cache_key,
            expire_after=expire_after,
            skip_read=settings.disabled or unread or not _is_allowed(request, settings),
            skip_write=said.no_store,
            settings=settings,
            directives=said,
            request=request,
        )

    @property
    def expires(self) -> datetime | None:
        """The moment that ``expire_after`` stands for; None for never."""
        return get_expiration_datetime(self.expire_after)

    @property
    def _only_if_cached(self) -> bool:
        return self.settings.only_if_cached or self.directives.only_if_cached

    @property
    def _stale_while_revalidate(self) -> Any:
        return self.settings.stale_while_revalidate or self.directives.stale_while_revalidate

    def is_usable(self, cached_response: Any, error: bool = False) -> bool:
        """Whether a stored response answers the request as it is, or would if the origin failed."""
        if cached_response is None:
            return False
        grace = self._stale_while_revalidate if cached_response.is_expired else False
        if error:
            grace = self.settings.stale_if_error or self.directives.stale_if_error or grace
        if cached_response.expires is None or grace is True:
            return True
        offset = timedelta(seconds=get_expiration_seconds(grace)) if grace else self.directives.get_expire_offset()
        usable: bool = utcnow() < cached_response.expires + offset
        return usable

    def update_from_cached_response(
        self, cached_response: Any, create_key: Callable[..., str] | None = None, **key_kwargs: Any
    ) -> None:
        """What a stored response, or that there is none, makes of it."""
        usable, if_error = self.is_usable(cached_response), self.is_usable(cached_response, error=True)
        if not usable and self._only_if_cached and not if_error:
            self.error_504 = True
        elif cached_response is None or not self._is_same(cached_response, create_key, key_kwargs):
            self.send_request = True
        elif not usable and not (self._only_if_cached and if_error):
            self.resend_request = True
        elif cached_response.is_expired and usable and self._stale_while_revalidate:
            self.resend_async = True
        if cached_response is not None and not self._only_if_cached:
            self._ask_origin(cached_response)

    def update_from_response(self, response: Response) -> None:
        """What a response from the network makes of it."""
        said, settings = CacheDirectives.from_headers(response.headers), self.settings
        if settings.cache_control:
            own = NEVER_EXPIRE if said.immutable else coalesce(said.max_age, said.expires, self.expire_after)
            self.expire_after = own
            self.skip_write = self.skip_write or said.no_store
        self.skip_write = (
            self.skip_write
            or settings.disabled
            or settings.read_only
            or response.status_code not in settings.allowable_codes
            or not _is_allowed(response.request, settings)
            or self.expire_after == DO_NOT_CACHE
            or (self.expire_after == EXPIRE_IMMEDIATELY and not said.has_validator)
            or (settings.filter_fn is not None and not settings.filter_fn(response))
        )

    def update_request(self, request: PreparedRequest) -> PreparedRequest:
        """The request with the fields that ask the origin whether the stored response is still good."""
        request.headers.update(self._validation_headers)
        return request

    def update_revalidated_response(self, response: Response, cached_response: Any) -> Any:
        """The stored response, of which the origin has said that it is still good."""
        kept: Any = cached_response.headers
        changed = any(kept.get(name) != value for name, value in response.headers.items())
        unwritten = self.settings.read_only or self.settings.disabled or self.directives.no_store
        self.skip_write = unwritten or not (changed or self.expires != cached_response.expires)
        cached_response.expires = self.expires
        kept.update(response.headers)
        if "Transfer-Encoding" in kept and "Content-Length" in kept:
            del kept["Content-Length"]
        cached_response.revalidated = True
        return cached_response

    def _ask_origin(self, cached_response: Any) -> None:
        said = CacheDirectives.from_headers(cached_response.headers)
        refresh = self.directives.max_age == EXPIRE_IMMEDIATELY or self.directives.must_revalidate
        wanted = said.has_validator and (cached_response.is_expired or refresh or self.settings.always_revalidate)
        if wanted or (self.settings.cache_control and (said.no_cache or said.must_revalidate)):
            asked = {"If-None-Match": said.etag, "If-Modified-Since": said.last_modified}
            self._validation_headers.update({name: value for name, value in asked.items() if value})
            self.send_request, self.resend_request = False, True

    def _is_same(self, cached_response: Any, create_key: Callable[..., str] | None, keywords: dict[str, Any]) -> bool:
        """Whether the request has the fields that the stored response varies by, as its own request had them."""
        vary = cached_response.headers.get("Vary")
        if create_key is None or not vary:
            return True
        names = [name.strip().lower() for name in vary.split(",")]
        if "*" in names:
            return False
        history = cached_response.history
        before = history[-1].request if history else cached_response.request
        if "cookie" in names:
            if _cookies(before) != _cookies(self.request):
                return False
            names.remove("cookie")
        ignored = {name.lower() for name in self.settings.ignored_parameters or ()}
        if any(name in ignored and name in self.request.headers for name in names):
            return False
        keys = [create_key(each, **{**keywords, "match_headers": names}) for each in (before, self.request)]
        if names and keys[0] != keys[1]:
            merged = _merged(names, self.settings.match_headers)
            self.vary_cache_key = create_key(self.request, **{**keywords, "match_headers": merged})
            return False
        return True


def _merged(names: list[str], matched: Iterable[str] | bool) -> list[str] | bool:
    if isinstance(matched, bool):
        return matched or names
    return sorted({*names, *(name.lower() for name in matched)})


def _cookies(request: Any) -> dict[str, str]:
    return dict(getattr(request, "_cookies", None) or {})


def _is_allowed(request: Any, settings: CacheSettings) -> bool:
    fields: Any = request.headers or CaseInsensitiveDict[Any]()
    methods: list[Any] = [request.method, *(fields.get(name) for name in METHOD_OVERRIDE_HEADERS)]
    return any(method in settings.allowable_methods for method in methods if method is not None)
