"""What a cached session of requests returns: the client's own response, and what the cache knows of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import requests
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse

from sansio_cache.decisions import Answer, FromStore, Given
from sansio_cache.freshness import Says

from .engine import Engine
from .requests_bodies import StoredReader, raw_response
from .tee import StoredBody

__all__ = ["CachedResponse", "adopt", "stored_response"]

_LAST_YEAR: Final = 9999


def moment(at: float | None) -> datetime | None:
    """A POSIX time as an aware datetime; None for none, for never, and for what a datetime cannot hold."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None


class CachedResponse(requests.Response):
    """A ``requests.Response`` with what the cache knows of it.

    :ivar from_cache: it was made from a stored response.
    :ivar created_at: when that was received; aware, UTC; None where nothing was stored.
    :ivar expires: when it becomes stale; None for never, and where it is not stored.
    :ivar cache_key: the partition key, hexadecimal; ``""`` where the cache was passed by.
    :ivar revalidated: the origin has just confirmed it.
    :ivar cache_status: how the cache handled the request, and why (RFC 9211).
    """

    __attrs__ = [  # noqa: RUF012 - as requests declares it
        *requests.Response.__attrs__,
        *("from_cache", "created_at", "expires", "cache_key", "revalidated", "cache_status"),
    ]

    if TYPE_CHECKING:
        from_cache: bool
        created_at: datetime | None
        expires: datetime | None
        cache_key: str
        revalidated: bool
        cache_status: str

    @property
    def is_expired(self) -> bool:
        """Whether it has become stale by now."""
        return self.expires is not None and self.expires.timestamp() <= time.time()

    def __getattr__(self, name: str) -> Any:
        # What a hit's reader does not look at is not built: a full Response costs ten times a bare one.
        make = _LAZY.get(name)
        facts = self.__dict__.get("_facts")
        if make is None or facts is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = self.__dict__[name] = make(facts)
        return value


class Facts:
    """What the lazy attributes of a response are made from."""

    __slots__ = ("adapter", "answer", "elapsed", "engine", "prepare", "prepared", "started", "url")

    def __init__(
        self,
        answer: Answer,
        engine: Engine,
        prepare: Callable[[], requests.PreparedRequest],
        adapter: Callable[[], Any],
        started: float,
    ) -> None:
        self.answer = answer
        self.engine = engine
        self.prepare = prepare
        self.prepared: requests.PreparedRequest | None = None
        self.adapter = adapter
        self.elapsed = time.perf_counter() - started

    def request(self) -> requests.PreparedRequest:
        """The request, prepared when it is first looked at."""
        if self.prepared is None:
            self.prepared = self.prepare()
        return self.prepared


def _raw(facts: Facts) -> HTTPResponse:
    answer = facts.answer
    source = answer.body
    body = source.data if isinstance(source, Given) else b""
    if isinstance(source, FromStore):
        inline = source.record.stored.body
        whole = inline is not None and source.start == 0 and source.stop == len(inline)
        reader = StoredReader(StoredBody(facts.engine, source))
        return _raw_of(facts, inline if whole and inline is not None else reader)
    return _raw_of(facts, body)


def _raw_of(facts: Facts, body: Any) -> HTTPResponse:
    answer = facts.answer
    request = facts.request()
    return raw_response(
        body,
        headers=HTTPHeaderDict(answer.headers.items),
        status=answer.status,
        reason=answer.reason,
        request_method=request.method,
        request_url=request.url,
    )


def _headers(facts: Facts) -> CaseInsensitiveDict[str]:
    headers = facts.answer.headers
    return CaseInsensitiveDict({name: headers.get(name.lower()) or "" for name, _ in headers})


def _created_at(facts: Facts) -> datetime | None:
    record = facts.answer.record
    return None if record is None else moment(record.head.received_at)


_LAZY: Final[dict[str, Callable[[Facts], Any]]] = {
    "raw": _raw,
    "headers": _headers,
    "request": lambda facts: facts.request(),
    "url": lambda facts: facts.request().url,
    "reason": lambda facts: facts.answer.reason,
    "status_code": lambda facts: facts.answer.status,
    "encoding": lambda facts: get_encoding_from_headers(_headers(facts)),
    "history": lambda facts: [],
    "cookies": lambda facts: RequestsCookieJar(),
    "elapsed": lambda facts: timedelta(seconds=facts.elapsed),
    "connection": lambda facts: facts.adapter(),
    "_next": lambda facts: None,
    "from_cache": lambda facts: facts.answer.record is not None and facts.answer.from_cache,
    "created_at": _created_at,
    "expires": lambda facts: moment(facts.answer.expires),
    "cache_key": lambda facts: facts.answer.key.hex(),
    "revalidated": lambda facts: facts.answer.revalidated,
    "cache_status": lambda facts: str(facts.answer.cache_status),
}


def stored_response(facts: Facts, *, stream: bool) -> CachedResponse:
    """The response that an answer without the network gives; with ``stream`` its body is left to be read.

    :raises BadSignature: the body is not what was signed.
    """
    response = CachedResponse.__new__(CachedResponse)
    attributes = response.__dict__
    attributes["_facts"] = facts
    attributes["_content"] = False
    attributes["_content_consumed"] = False
    record = facts.answer.record
    if not stream and (record is None or not record.head.facts.says & Says.CODED):
        # The whole body at once: requests would read it in pieces of 10 KiB.
        attributes["_content"] = _whole(facts)
        attributes["_content_consumed"] = True
    return response


def _whole(facts: Facts) -> bytes:
    source = facts.answer.body
    if isinstance(source, FromStore):
        inline = source.record.stored.body
        if inline is not None and source.start == 0 and source.stop == len(inline):
            return inline
        return StoredReader(StoredBody(facts.engine, source)).readall()
    return source.data if isinstance(source, Given) else b""


def adopt(response: requests.Response, facts: Facts) -> requests.Response:
    """A response from the network, with what the cache knows of it; otherwise the client's own as it is."""
    if type(response) is requests.Response:
        response.__class__ = CachedResponse
    for name in CachedResponse.__attrs__[len(requests.Response.__attrs__) :]:
        setattr(response, name, _LAZY[name](facts))
    if facts.answer.keeping is not None:
        setattr(response, "created_at", moment(facts.engine.clock()))  # noqa: B010 - may be a class of the user's
    return response


def take_cookies(response: CachedResponse, confirmed: requests.Response) -> None:
    """Give a confirmed response the cookies that came with its confirmation: they are this exchange's own."""
    raw: Any = response.raw
    raw._original_response = getattr(confirmed.raw, "_original_response", None)
    extract: Any = extract_cookies_to_jar
    extract(response.cookies, response.request, raw)
