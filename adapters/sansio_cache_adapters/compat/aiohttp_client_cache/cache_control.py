"""Times as aiohttp-client-cache takes them: 0 means not to cache, and datetimes are naive, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import inf
from typing import Any, Final

from multidict import CIMultiDict

from sansio_cache.cache_control import parse_cache_control
from sansio_cache.expiry import DoNotCache, Expiry, Until
from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE
from sansio_cache_adapters.compat.times import expiry_of, time_for

__all__ = [
    "DO_NOT_CACHE",
    "CacheActions",
    "ExpirationPatterns",
    "ExpirationTime",
    "coalesce",
    "compose_refresh_headers",
    "convert_to_utc_naive",
    "expiry_for",
    "get_cache_directives",
    "get_expiration_datetime",
    "get_url_expiration",
    "has_cache_headers",
    "parse_http_date",
    "split_kv_directive",
    "try_int",
    "url_match",
    "utcnow",
]

DO_NOT_CACHE: Final = 0
ExpirationTime = int | float | str | datetime | timedelta | None
ExpirationPatterns = dict[str, ExpirationTime]


@dataclass
class CacheActions:
    """What aiohttp-client-cache would do with a request: to be looked at, and asked by programs that decide by it.

    A session does not ask it. What was done, and why, says ``response.cache_status``.

    :ivar expire_after: the time of the request, else that of its URL, else that of the cache.
    """

    cache_control: bool = False
    expire_after: ExpirationTime = None
    key: str | None = None
    revalidate: bool = False
    skip_read: bool = False
    skip_write: bool = False

    @classmethod
    def from_request(
        cls,
        key: str,
        cache_control: bool = False,
        cache_disabled: bool = False,
        refresh: bool = False,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> CacheActions:
        """What a request and the settings say."""
        if cache_disabled:
            return cls(key=key, skip_read=True, skip_write=True)
        if cache_control and has_cache_headers(headers or {}):
            return cls.from_headers(key, headers or {})
        return cls.from_settings(key, cache_control=cache_control, refresh=refresh, **kwargs)

    @classmethod
    def from_headers(cls, key: str, headers: Mapping[str, str]) -> CacheActions:
        """What the fields of a request say."""
        said = get_cache_directives(headers)
        expire_after = said.get("max-age")
        unwritten = expire_after == DO_NOT_CACHE or "no-store" in said
        unread = unwritten or "no-cache" in said
        return cls(cache_control=True, key=key, expire_after=expire_after, skip_read=unread, skip_write=unwritten)

    @classmethod
    def from_settings(
        cls,
        key: str,
        url: Any,
        cache_control: bool = False,
        refresh: bool = False,
        request_expire_after: ExpirationTime = None,
        session_expire_after: ExpirationTime = None,
        urls_expire_after: ExpirationPatterns | None = None,
        **_: Any,
    ) -> CacheActions:
        """What the settings say."""
        times = (request_expire_after, get_url_expiration(url, urls_expire_after), session_expire_after)
        expire_after = coalesce(*times)
        not_at_all = expire_after == DO_NOT_CACHE
        return cls(
            cache_control=cache_control,
            key=key,
            expire_after=expire_after,
            skip_read=not_at_all,
            skip_write=not_at_all,
            revalidate=refresh and not not_at_all,
        )

    @property
    def expires(self) -> datetime | None:
        """The moment that ``expire_after`` stands for; None for never."""
        return get_expiration_datetime(self.expire_after)

    def update_from_response(self, response: Any) -> None:
        """What the fields of a response make of it."""
        if self.cache_control:
            said = get_cache_directives(response.headers)
            not_at_all = said.get("max-age") == DO_NOT_CACHE
            self.expire_after = coalesce(self.expires, said.get("max-age"), said.get("expires"))
            self.skip_write = self.skip_write or not_at_all or "no-store" in said
            self.revalidate = self.revalidate or not_at_all


def coalesce(*values: Any, default: Any = None) -> Any:
    """The first value that is not None."""
    return next((value for value in values if value is not None), default)


def get_cache_directives(headers: Mapping[str, str]) -> dict[str, Any]:
    """The directives among some fields that aiohttp-client-cache obeys."""
    fields = CIMultiDict(headers)
    read = parse_cache_control(fields.getall("Cache-Control", []))
    said: dict[str, Any] = {"max-age": None if read.max_age is None else int(read.max_age)}
    said |= {"no-cache": read.no_cache or None, "no-store": read.no_store or None, "expires": fields.get("Expires")}
    return {name: value for name, value in said.items() if value is not None}


def has_cache_headers(headers: Mapping[str, str]) -> bool:
    """Whether there are any."""
    return bool(get_cache_directives(headers))


def compose_refresh_headers(
    request_headers: Mapping[str, str] | None, cached_headers: Mapping[str, str]
) -> tuple[bool, dict[str, str]]:
    """Whether the origin can be asked if a stored response is still good, and the fields of the request that asks."""
    pairs = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
    asked = {name: cached_headers[validator] for name, validator in pairs.items() if validator in cached_headers}
    return bool(asked), {**(request_headers or {}), **asked}


def parse_http_date(value: str) -> datetime | None:
    """A date of a field; None where it is none."""
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None


def split_kv_directive(header_value: str) -> tuple[str, int | bool | None]:
    """The name of a directive, and its number, or True where it has none."""
    name, equals, value = header_value.strip().partition("=")
    return name, try_int(value) if equals else True


def try_int(value: object) -> int | None:
    """A text as an int; None where it is none."""
    if isinstance(value, bool | float):
        raise TypeError(f"{value!r} is no text")
    if isinstance(value, str):
        return int(value) if value.removeprefix("-").isdecimal() else None
    if value is None or isinstance(value, int):
        return value
    raise NotImplementedError(f"{value!r} is no text")


def url_match(url: Any, pattern: Any) -> bool:
    """Whether a URL matches a glob, with or without what comes after."""
    return bool(url) and time_for(str(url), {str(pattern): True}) is not None


def utcnow() -> datetime:
    """Now; naive, in UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def convert_to_utc_naive(dt: datetime) -> datetime:
    """The same moment in UTC, naive."""
    return dt.astimezone(UTC).replace(tzinfo=None) if dt.tzinfo else dt


def expiry_for(value: Any) -> Expiry:
    """A time as ours are."""
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    if isinstance(value, str) and not value.removeprefix("-").isdigit() and parse_http_date(value) is None:
        AIOHTTP_CLIENT_CACHE.differs("dates", f"{value!r} is no HTTP-date, and stands for no end, as it does there")
        value = None
    return expiry_of(value, (DO_NOT_CACHE,))


def get_expiration_datetime(expire_after: ExpirationTime) -> datetime | None:
    """The moment that a time stands for; None for never."""
    if expire_after == DO_NOT_CACHE and not isinstance(expire_after, str | datetime | timedelta):
        return utcnow()
    if isinstance(expire_after, str) and parse_http_date(expire_after) is None:
        return None
    expiry = expiry_for(expire_after)
    if isinstance(expiry, DoNotCache):
        return utcnow()
    if isinstance(expiry, Until):
        return convert_to_utc_naive(datetime.fromtimestamp(expiry.at, UTC))
    return None if expiry.seconds == inf else utcnow() + timedelta(seconds=expiry.seconds)


def get_url_expiration(url: Any, urls_expire_after: ExpirationPatterns | None = None) -> ExpirationTime:
    """The time of the first pattern that matches a URL, if any."""
    found: ExpirationTime = time_for(str(url), urls_expire_after)
    return found
