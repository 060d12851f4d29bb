"""Responses as requests-cache shows them: those of a session, and those that lie in a cache."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final, cast

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from sansio_cache.records import Record
from sansio_cache_adapters.cache.response_attributes import moment
from sansio_cache_adapters.compat.cookies import cookies_of
from sansio_cache_adapters.compat.keys import url_shown
from sansio_cache_adapters.compat.notes import REQUESTS_CACHE
from sansio_cache_adapters.compat.requests_cache.policy.expiration import ExpirationTime, get_expiration_datetime
from sansio_cache_adapters.compat.requests_cache.policy.settings import CacheSettings
from sansio_cache_adapters.compat.times import utcnow
from sansio_cache_adapters.requests.response import CachedResponse as OurResponse

from .raw_response import CachedHTTPResponse
from .request import CachedRequest, StoredRequest

__all__ = [
    "DATETIME_FORMAT",
    "BaseResponse",
    "CachedResponse",
    "OriginalResponse",
    "as_theirs",
    "format_datetime",
    "format_file_size",
    "key_of",
    "replayed",
    "stored",
]

DATETIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S %Z"
_BY_DEFAULT: Final = {
    "expires": None,
    "cache_key": "",
    "revalidated": False,
    "cache_status": "",
    "from_cache": False,
}
_OF_CONNECTIONS: Final = frozenset({"transfer-encoding", "connection", "keep-alive"})
_SHOWN: Final = (
    *(
        "_content",
        "created_at",
        "elapsed",
        "encoding",
        "expires",
        "headers",
        "history",
        "reason",
        "request",
        "status_code",
        "url",
    ),
)


class BaseResponse(OurResponse):
    """What responses of a session and of a cache have in common."""

    @property
    def expires_delta(self) -> int | None:
        """The seconds until it expires, rounded; None for never."""
        return None if self.expires is None else round((self.expires - utcnow()).total_seconds())

    @property
    def expires_unix(self) -> int | None:
        """When it expires, POSIX seconds, rounded; None for never."""
        return None if self.expires is None else round(self.expires.timestamp())

    @property
    def size(self) -> int:
        """The bytes of its content."""
        return len(self.content or b"")

    @property
    def age(self) -> float:
        """The seconds since it was received."""
        return 0.0 if self.created_at is None else (utcnow() - self.created_at).total_seconds()

    def is_older_than(self, older_than: ExpirationTime) -> bool:
        """Whether it was received longer ago."""
        before = get_expiration_datetime(older_than, negative_delta=True)
        return before is not None and self.created_at is not None and self.created_at < before

    def reset_expiration(self, expire_after: ExpirationTime) -> bool:
        """Give this object another time; the cache is told by :meth:`BaseCache.reset_expiration`."""
        self.__dict__["expires"] = get_expiration_datetime(expire_after)
        return self.is_expired

    def __str__(self) -> str:
        fresh = "stale" if self.is_expired else "fresh"
        return (
            f'<{type(self).__name__} [{self.status_code}]: "created: {format_datetime(self.created_at)}, '
            f"expires: {format_datetime(self.expires)} ({fresh}), size: {format_file_size(self.size)}, "
            f"request: {self.request.method} {self.request.url}>"
        )


def format_datetime(value: datetime | None) -> str:
    """A moment in the local time zone."""
    return "N/A" if value is None else value.astimezone().strftime(DATETIME_FORMAT)


def format_file_size(n_bytes: int) -> str:
    """A number of bytes as people say it."""
    size = float(n_bytes or 0)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{int(size)} {unit}" if unit == "bytes" else f"{size:.2f} {unit}"


class OriginalResponse(BaseResponse):
    """A response that has just come from the network."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.__dict__.update(_BY_DEFAULT, created_at=utcnow(), **attributes)

    @classmethod
    def wrap_response(cls, response: Any, actions: Any) -> OriginalResponse:
        """A response as one of these, with the key and the time under which it was kept."""
        if not isinstance(response, cls):
            response.__class__ = cls
            kept = {} if actions.skip_write else {"expires": actions.expires, "cache_key": actions.cache_key}
            response.__dict__.update({**_BY_DEFAULT, "cache_key": None, "created_at": utcnow(), **kept})
        made: OriginalResponse = response
        return made

    @property
    def is_expired(self) -> bool:
        """False: it is as new as can be."""
        return False

    def __str__(self) -> str:
        return repr(self)


class CachedResponse(BaseResponse):
    """A response from a cache."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.__dict__.update(_BY_DEFAULT, created_at=utcnow(), from_cache=True, request=CachedRequest())
        for name, value in attributes.items():
            setattr(self, name, value)

    @classmethod
    def from_response(cls, response: requests.Response, **attributes: Any) -> CachedResponse:
        """The same response as one from a cache."""
        made = cls(**attributes)
        for name in requests.Response.__attrs__:
            setattr(made, name, getattr(response, name, None))
        content: Any = made
        content._content, content._content_consumed = response.content, True
        made.raw = CachedHTTPResponse.from_cached_response(made)
        made.request = cast(Any, CachedRequest.from_request(response.request))
        made.history = [] if made.is_redirect else [cls.from_response(hop) for hop in response.history]
        return made

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        """Pairs of a name and a value, for rich."""
        for name in _SHOWN:
            value = getattr(self, name)
            yield name, str(value) if isinstance(value, datetime) else value

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.__rich_repr__() if value]
        return f"{type(self).__name__}({', '.join(shown)})"


def as_theirs(response: requests.Response, settings: CacheSettings | None = None) -> BaseResponse:
    """A response of a session of ours as one of theirs."""
    for each in (response, *response.history):
        if not isinstance(each, OurResponse):
            each.__dict__.update(_BY_DEFAULT, created_at=utcnow())  # of a double that stands for the network
            each.__class__ = OriginalResponse
        elif not isinstance(each, BaseResponse):
            if each.from_cache:
                _show_as_stored(each, frozenset(settings.ignored_parameters or () if settings else ()))
            each.__class__ = CachedResponse if each.from_cache else OriginalResponse
            if not each.from_cache:
                _show_as_new(each)
        if settings is not None and settings.cache_control:
            _show_whole_seconds(each)
    return cast(BaseResponse, response)


def key_of(response: requests.Response) -> str | None:
    """The key under which a response would be stored, whether it is or not; None where the cache was bypassed."""
    facts: Any = response.__dict__.get("_facts")
    found: str | None = getattr(response, "cache_key", None) if facts is None else facts.answer.key.hex()
    return found


def _show_as_new(response: OurResponse) -> None:
    if response.created_at is None:
        response.__dict__["created_at"] = utcnow()
    facts: Any = response.__dict__.get("_facts")
    if facts is None or facts.tee is None or facts.lost:
        response.__dict__["cache_key"] = None


def _show_whole_seconds(response: Any) -> None:
    """Servers give times in whole seconds; ours takes from them the part of one that the response was under way."""
    if response.expires is not None and response.created_at is not None and not response.headers.get("Expires"):
        left = (response.expires - response.created_at).total_seconds()
        response.__dict__["expires"] = response.created_at + timedelta(seconds=ceil(left))


def _show_as_stored(response: OurResponse, ignored: frozenset[str]) -> None:
    """Let a response be what requests-cache makes of a stored one: its URL, its fields, a body that has been read."""
    _ = response.content
    facts: Any = response.__dict__.get("_facts")
    record: Record | None = None if facts is None else facts.answer.record
    if record is not None:
        _show_cookies(response, record)
        response.headers = _fields(record, ignored)
    url = response.url
    if record is not None and "REDACTED" not in record.head.url and "#" not in url:
        url = record.head.url  # as it was asked for when it was stored
    response.url = url_shown(url, ignored)
    asked: Any = CachedRequest.from_request(response.request)
    asked.url = response.url
    response.request = asked
    replayed(response)


def _show_cookies(response: OurResponse, record: Record) -> None:
    if record.headers.has("set-cookie"):
        REQUESTS_CACHE.differs("cookies", "the cookies of a stored response are in response.cookies, and in no jar")
        jar: Any = RequestsCookieJar()
        jar.update(cookies_of(record))
        response.cookies = jar


def replayed(response: requests.Response) -> None:
    """Let the body of a response, which has been read, be read as a stream once more."""
    version = 0 if getattr(response, "from_cache", True) else getattr(response.raw, "version", 0)
    response.raw = CachedHTTPResponse.from_cached_response(response)
    response.raw.version = version


def stored(record: Record, content: bytes, history: list[CachedResponse], ignored: frozenset[str]) -> CachedResponse:
    """A record as their cache shows it.

    :param content: the body, coding taken off.
    """
    head = record.head
    url = url_shown(head.url, ignored)
    made = CachedResponse(status_code=head.status, reason=head.reason, url=url, history=history)
    made.headers = _fields(record, ignored)
    made.encoding = get_encoding_from_headers(made.headers)
    made.elapsed = timedelta(seconds=max(head.received_at - head.requested_at, 0.0))
    made.request = cast(Any, StoredRequest(method=head.method, url=url))
    jar: Any = made.cookies
    jar.update(cookies_of(record))
    content_of: Any = made
    content_of._content, content_of._content_consumed = content, True
    made.__dict__.update(
        created_at=datetime.fromtimestamp(head.received_at, UTC),
        expires=moment(head.stale_at),
        cache_key=head.partition.hex(),
    )
    replayed(made)
    return made


def _fields(record: Record, ignored: frozenset[str]) -> CaseInsensitiveDict[str]:
    """The fields of a record: by name, and without the values of those that are ignored, where any are."""
    fields = CaseInsensitiveDict({name: record.headers.get(name) or "" for name, _ in record.headers})
    pairs = sorted(fields.items()) if ignored else fields.items()
    return _StoredFields({name: "REDACTED" if name in ignored else value for name, value in pairs})


class _StoredFields(CaseInsensitiveDict[str]):
    """The fields of a stored response, which are none of the connection that it came by."""

    def __getitem__(self, name: str) -> str:
        if name.lower() in _OF_CONNECTIONS and name.lower() not in self._store:  # type: ignore[attr-defined]
            REQUESTS_CACHE.differs("fields", "fields of a connection, such as Transfer-Encoding, are not stored")
        return super().__getitem__(name)
