"""Responses of a cached session of requests: the client's own, with the attributes of the cache."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import requests
from requests import cookies as requests_cookies
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse

from sansio_cache.decisions import Answer, FromStore, Given
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.response_attributes import AnswerState, TimeAttributes, moment
from sansio_cache_adapters.cache.stored_body import StoredBody
from sansio_cache_adapters.cache.switches import bypassed
from sansio_cache_adapters.cache.tee import Tee

from .bodies import StoredReader, stored_raw

__all__ = ["CachedResponse", "AnswerFacts", "adopt", "bypassing", "stored_response", "take_cookies"]


class CachedResponse(requests.Response, TimeAttributes):
    """A ``requests.Response`` with what the cache knows of it.

    :ivar from_cache: it was made from a stored response.
    :ivar created_at: when that was received; aware, UTC; None where nothing was stored.
    :ivar expires: when it becomes stale; None for never, and where it is not stored.
    :ivar cache_key: the partition key, hexadecimal; ``""`` where the cache was bypassed.
    :ivar revalidated: the origin has just confirmed it.
    :ivar cache_status: how the cache handled the request, and why (RFC 9211).
    """

    __attrs__: list[str] = [  # noqa: RUF012 - as requests declares it
        *requests.Response.__attrs__,
        *("from_cache", "created_at", "expires", "cache_key", "revalidated", "cache_status"),
    ]

    if TYPE_CHECKING:
        history: list[CachedResponse]  # type: ignore[assignment] # pyright: ignore[reportIncompatibleVariableOverride]
        from_cache: bool
        created_at: datetime | None
        expires: datetime | None
        cache_key: str
        revalidated: bool
        cache_status: str

    @property
    def is_expired(self) -> bool:
        """Whether it has become stale by now."""
        facts: AnswerFacts | None = self.__dict__.get("_facts")  # not of one that was pickled
        now = time.time() if facts is None else facts.engine.clock()
        return self.expires is not None and self.expires.timestamp() <= now

    def __getattr__(self, name: str) -> Any:
        # Attributes are built when they are looked at: a full Response costs ten times a bare one.
        make = _LAZY.get(name)
        facts = self.__dict__.get("_facts")
        if make is None or facts is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = make(facts)
        if facts.settled or name not in _OPEN:
            self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(_LAZY if "_facts" in self.__dict__ else ())})


class AnswerFacts(AnswerState):
    """The values from which the lazy attributes of a response are made.

    :param prepare: gives the prepared request.
    :param adapter: gives what the request went through, or would have.
    :param tee: stores the body that the network brings.
    """

    __slots__ = ("adapter", "data", "elapsed", "prepare", "prepared")

    def __init__(
        self,
        answer: Answer,
        engine: Engine,
        prepare: Callable[[], requests.PreparedRequest],
        adapter: Callable[[], Any],
        started: float,
        tee: Tee | None = None,
    ) -> None:
        self.answer = answer
        self.tee = tee
        self.engine = engine
        self.prepare = prepare
        self.prepared: requests.PreparedRequest | None = None
        self.adapter = adapter
        self.data: bytes | None = None
        self.kept_at: float | None = None
        self.elapsed = time.perf_counter() - started

    @property
    def settled(self) -> bool:
        """Whether it is known what became of the body."""
        return self.tee is None or self.tee.outcome is not None

    def request(self) -> requests.PreparedRequest:
        """The request, prepared when it is first looked at."""
        if self.prepared is None:
            self.prepared = self.prepare()
        return self.prepared


def _reader(facts: AnswerFacts) -> StoredReader:
    source = facts.answer.body
    if facts.data is not None:
        return StoredReader(facts.data)
    if isinstance(source, FromStore):
        return StoredReader(StoredBody(facts.engine, source))
    return StoredReader(source.data if isinstance(source, Given) else b"")


def _raw(facts: AnswerFacts) -> HTTPResponse:
    answer = facts.answer
    request = facts.request()
    return stored_raw(
        _reader(facts),
        answer.version,
        headers=HTTPHeaderDict(answer.headers.items),
        status=answer.status,
        reason=answer.reason,
        request_method=request.method,
        request_url=request.url,
    )


def _headers(facts: AnswerFacts) -> CaseInsensitiveDict[str]:
    headers = facts.answer.headers
    return CaseInsensitiveDict({name: headers.get(name.lower()) or "" for name, _ in headers})


_LAZY: Final[dict[str, Callable[[AnswerFacts], Any]]] = {
    "raw": _raw,
    "headers": _headers,
    "request": lambda facts: facts.request(),
    "url": lambda facts: facts.request().url,
    "reason": lambda facts: facts.answer.reason,
    "status_code": lambda facts: facts.answer.status,
    "encoding": lambda facts: get_encoding_from_headers(_headers(facts)),
    "history": lambda facts: [],
    "cookies": lambda facts: requests_cookies.RequestsCookieJar(),
    "elapsed": lambda facts: timedelta(seconds=facts.elapsed),
    "connection": lambda facts: facts.adapter(),
    "_next": lambda facts: None,
    "from_cache": lambda facts: facts.answer.record is not None and facts.answer.from_cache,
    "created_at": lambda facts: moment(facts.received_at),
    "expires": lambda facts: moment(facts.stale_at),
    "cache_key": lambda facts: facts.answer.key.hex(),
    "revalidated": lambda facts: facts.answer.revalidated,
    "cache_status": lambda facts: facts.cache_status,
}
_OPEN: Final = frozenset({"cache_status", "created_at", "expires"})
"""Attributes that may change until the body was stored or given up."""
_OURS: Final = CachedResponse.__attrs__[len(requests.Response.__attrs__) :]


def stored_response(facts: AnswerFacts, *, stream: bool) -> CachedResponse:
    """The response that an answer without the network gives; with ``stream`` its body is left to be read.

    :raises BadSignature: the body is not what was signed.
    :raises BodyGone: it is gone from the store.
    :raises requests.RequestException: it cannot be decoded.
    """
    response = CachedResponse.__new__(CachedResponse)
    attributes = response.__dict__
    attributes["_facts"] = facts
    attributes["_content"] = False
    attributes["_content_consumed"] = False
    if not stream:
        # The whole body at once: requests would read it in pieces of 10 KiB.
        source, record = facts.answer.body, facts.answer.record
        data = source.record.stored.body if isinstance(source, FromStore) else None
        if data is None or not isinstance(source, FromStore) or source.stop - source.start != len(data):
            data = _reader(facts).read()
        if record is not None and record.head.facts.coded:
            facts.data = data
            _ = response.content
        else:
            attributes["_content"] = data
            attributes["_content_consumed"] = True
        # Only what is left to read of it, as when it was read from the network.
        facts.data = b""
    return response


def adopt(response: requests.Response, facts: AnswerFacts, adapter: Any) -> requests.Response:
    """A response from the network, with what the cache knows of it; otherwise the client's own as it is."""
    if facts.answer.keeping is not None:
        facts.kept_at = facts.engine.clock()
    if type(response) is requests.Response:
        response.__class__ = CachedResponse
        vars(response)["_facts"] = facts
    else:
        for name in _OURS:
            setattr(response, name, _LAZY[name](facts))
        if facts.tee is not None and not facts.settled:
            facts.tee.told = partial(_settle, weakref.ref(response), facts)
    # Hooks send again through it (digest auth does): that goes through the cache too.
    vars(response)["connection"] = adapter
    return response


def _settle(response: weakref.ref[requests.Response], facts: AnswerFacts, _: Tee) -> None:
    """Tell a response of a class of the user's own what became of its body."""
    alive = response()
    if alive is not None:
        for name in _OPEN:
            setattr(alive, name, _LAZY[name](facts))


def bypassing(response: requests.Response, why: str) -> CachedResponse:
    """A response with which the cache had nothing to do, with the attributes that those of cached sessions have.

    :param why: for ``cache_status``; ``""`` where it is not known: a double answers in the place of requests.
    """
    if not isinstance(response, requests.Response):
        return response
    for each in (response, *response.history):
        if "from_cache" in vars(each) or isinstance(each, CachedResponse):
            continue
        if type(each) is requests.Response:
            each.__class__ = CachedResponse
        vars(each).update(_NOTHING_KNOWN, cache_status=bypassed(each.status_code, why))
    return cast(CachedResponse, response)


_NOTHING_KNOWN: Final[dict[str, object]] = {
    "from_cache": False,
    "created_at": None,
    "expires": None,
    "cache_key": "",
    "revalidated": False,
}


def take_cookies(response: CachedResponse, confirmed: requests.Response) -> None:
    """Give a confirmed response the cookies that came with its confirmation: they are this exchange's own."""
    raw: Any = response.raw
    raw._original_response = getattr(confirmed.raw, "_original_response", None)
    of_requests: Any = requests_cookies
    of_requests.extract_cookies_to_jar(response.cookies, response.request, raw)
