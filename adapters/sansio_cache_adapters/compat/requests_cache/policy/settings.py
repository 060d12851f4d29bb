"""``CacheSettings``: what a session of requests-cache has been told, and may be told anew at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any, Final

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from sansio_cache.keys import CoversBody
from sansio_cache.messages import REDIRECTS, Kept, Request
from sansio_cache.policy import Heuristic, Policy
from sansio_cache_adapters.cache.reading import without_coding
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE
from sansio_cache_adapters.compat.requests_cache._utils import RichMixin
from sansio_cache_adapters.compat.times import grace_of

from .expiration import ExpirationPattern, ExpirationTime, get_expiration_seconds
from .keys import is_a_list, keyed

__all__ = [
    "ALL_METHODS",
    "AUTH_HEADERS",
    "AUTH_PARAMS",
    "DEFAULT_CACHE_NAME",
    "DEFAULT_IGNORED_PARAMS",
    "DEFAULT_METHODS",
    "DEFAULT_STATUS_CODES",
    "CacheSettings",
    "policy_of",
]

ALL_METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
DEFAULT_CACHE_NAME: Final = "http_cache"
DEFAULT_METHODS: Final = ("GET", "HEAD")
DEFAULT_STATUS_CODES: Final = (200,)
AUTH_HEADERS: Final = (
    "Authorization",
    "Proxy-Authorization",
    "X-API-Key",
    "X-Auth-Token",
    "X-API-Token",
    "X-Access-Token",
)
AUTH_PARAMS: Final = ("access_token", "api_key", "apikey")
DEFAULT_IGNORED_PARAMS: Final = AUTH_HEADERS + AUTH_PARAMS
_RENAMED: Final = {"old_data_on_error": "stale_if_error", "include_get_headers": "match_headers"}


@dataclass(repr=False)
class CacheSettings(RichMixin):
    """What a session does; each may be changed at any time."""

    allowable_codes: Iterable[int] = DEFAULT_STATUS_CODES
    allowable_methods: Iterable[str] = DEFAULT_METHODS
    always_revalidate: bool = False
    autoclose: bool = True
    cache_control: bool = False
    content_root_key: str | None = None
    disabled: bool = False
    expire_after: ExpirationTime = None
    filter_fn: Callable[[requests.Response], bool] | None = None
    ignored_parameters: Iterable[str] = DEFAULT_IGNORED_PARAMS
    key_fn: Callable[..., str] | None = None
    match_headers: Iterable[str] | bool = False
    only_if_cached: bool = False
    read_only: bool = False
    stale_if_error: bool | ExpirationTime = False
    stale_while_revalidate: bool | ExpirationTime = False
    urls_expire_after: Mapping[ExpirationPattern, ExpirationTime] | None = field(
        default_factory=dict[ExpirationPattern, ExpirationTime]
    )

    @classmethod
    def from_kwargs(cls, **kwargs: Any) -> CacheSettings:
        """Settings from keywords, of which those that are none are left out."""
        named = {_RENAMED.get(name, name): value for name, value in kwargs.items()}
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in named.items() if name in known and value is not None})

    def state(self) -> tuple[object, ...]:
        """What is compared to tell whether anything was changed since."""
        return tuple(_as_it_is(getattr(self, each.name)) for each in fields(self))

    @property
    def left_out(self) -> frozenset[str]:
        """The names that are left out of keys: those that the user named. What tells users apart by itself stays."""
        given = self.ignored_parameters
        return frozenset() if given is DEFAULT_IGNORED_PARAMS else frozenset(given or ())

    @property
    def codes(self) -> frozenset[int]:
        """The status codes that are kept."""
        return frozenset(code for code in self.allowable_codes if 200 <= code <= 599)


def _as_it_is(value: Any) -> object:
    many: Any = value
    if isinstance(value, Mapping):
        return tuple(many.items())
    return tuple(many) if isinstance(value, list | set | frozenset) else many


def policy_of(settings: CacheSettings) -> Policy:
    """The policy that does what settings say."""
    left_out = settings.left_out
    key_fn = settings.key_fn
    if key_fn is not None:
        REQUESTS_CACHE.differs(
            "key-fn",
            "key_fn gives a part of the key: users stay separate, and cache_key is another",
        )
    if settings.cache_control:
        REQUESTS_CACHE.differs("cache-control", "cache_control=True obeys all of RFC 9111, and not some directives")
    root = settings.content_root_key
    within = {f"{root}.{name}" for name in left_out} if root else set[str]()
    matched = False if key_fn else _matched(settings.match_headers)
    lists = [] if isinstance(matched, bool) else [name for name in matched if is_a_list(name)]
    if not isinstance(matched, bool):
        matched = [name for name in matched if name not in lists]
    return Policy(
        cache_control=settings.cache_control,
        heuristic=_fallback(settings),
        allowed_codes=settings.codes | REDIRECTS,
        allowed_methods=[method.upper() for method in settings.allowable_methods],
        ignored_parameters=left_out | within,
        match_headers=matched,
        parameter_order=False,
        filter_fn=None if settings.filter_fn is None else _filter(settings.filter_fn),
        key_fn=_keyed_by(key_fn, settings) if key_fn else keyed(left_out, lists, root),
        stale_if_error=whole_grace_of(settings.stale_if_error),
        stale_while_revalidate=whole_grace_of(settings.stale_while_revalidate),
        keep_set_cookie=True,
        read_only=settings.read_only,
    )


def whole_grace_of(value: Any) -> bool | float:
    """For how long a stale response may be used: whole seconds, a part of one for one."""
    grace = grace_of(value)
    return grace if isinstance(grace, bool) else float(ceil(grace))


def _matched(given: Iterable[str] | bool) -> list[str] | bool:
    return given if isinstance(given, bool) else list(given or ())


def _fallback(settings: CacheSettings) -> Heuristic | None:
    """With ``cache_control`` the response's own time comes before the session's, which is for those that have none."""
    if not settings.cache_control:
        return None
    seconds = get_expiration_seconds(settings.expire_after)
    return Heuristic(fixed=float("inf") if seconds < 0 else float(seconds))


def _filter(keep: Callable[[requests.Response], bool]) -> Callable[[Request, Kept], bool]:
    """Their filter as ours; what is longer than 64 KiB is looked at when it has been read."""

    def wanted(request: Request, kept: Kept) -> bool:
        if kept.body is None:
            return True
        response = requests.Response()
        response.status_code, response.reason, response.url = kept.status, kept.reason, request.url
        response.headers.update(kept.headers)
        response.encoding = get_encoding_from_headers(response.headers)
        response.request = _prepared(request)
        content: Any = response
        content._content = without_coding(kept.headers.get("content-encoding") or "", kept.body)
        content._content_consumed = True
        return kept.status in REDIRECTS or bool(keep(response))

    return wanted


def _prepared(request: Request) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.body = request.method, request.url, request.body or None
    prepared.headers = CaseInsensitiveDict(request.headers)
    return prepared


def _keyed_by(key_fn: Callable[..., str], settings: CacheSettings) -> Callable[[Request], str]:
    def key(request: Request) -> str:
        said = key_fn(
            request=_prepared(request),
            ignored_parameters=settings.ignored_parameters,
            content_root_key=settings.content_root_key,
            match_headers=settings.match_headers,
            serializer=None,
        )
        return CoversBody(said)

    return key
