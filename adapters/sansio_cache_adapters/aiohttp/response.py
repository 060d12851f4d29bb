"""Responses of a cached session of aiohttp: the client's own, with the attributes of the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast
from weakref import WeakKeyDictionary

from aiohttp import ClientResponse, ClientSession, RequestInfo, StreamReader
from aiohttp.hdrs import CONTENT_ENCODING
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sansio_cache.decisions import Answer, FromStore, Given
from sansio_cache.messages import Headers
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.response_attributes import AnswerAttributes, AnswerState
from sansio_cache_adapters.cache.stored_body import StoredBody
from sansio_cache_adapters.cache.tee import Tee

from .bodies import NO_DECODING, Decoding, Keep, NetworkBody, StoredContent, coding_of, keep_arrived
from .private import LazyResponse, new_response, response_timer
from .private_reader import PulledReader

__all__ = [
    "AskedFor",
    "CachedClientResponse",
    "adopt",
    "bypassing",
    "cached_class",
    "is_kept",
    "received_fields",
    "stored_response",
]


class CachedClientResponse(LazyResponse, AnswerAttributes):
    """An ``aiohttp.ClientResponse`` with what the cache knows of it."""

    _state: AnswerState | None = None  # pyright: ignore[reportIncompatibleMethodOverride]


def cached_class(base: type[ClientResponse]) -> type[CachedClientResponse]:
    """The class of a session's responses with what the cache adds to it."""
    if base is ClientResponse:
        return CachedClientResponse
    if issubclass(base, CachedClientResponse):
        return base
    known = _classes.get(base)
    if known is None:
        made = type(base.__name__, (CachedClientResponse, base), {})
        known = _classes.setdefault(base, cast("type[CachedClientResponse]", made))
    return known


def bypassing(response: ClientResponse, why: str) -> ClientResponse:
    """A response with which the cache had nothing to do, with the attributes that those of cached sessions have.

    :param why: for ``cache_status``; ``""`` where it is not known: a double answers in the place of aiohttp.
    """
    if not isinstance(response, ClientResponse):
        return response
    for each in (response, *response.history):
        if not isinstance(each, CachedClientResponse):
            # A class of the user's own may have another layout: then it stays as it is.
            with suppress(TypeError):
                each.__class__ = cached_class(type(each))
                each.__dict__["_why_bypassed"] = why
    return response


def is_kept(response: CachedClientResponse) -> bool:
    """Whether a response is stored, or being stored."""
    state = response._state  # pyright: ignore[reportPrivateUsage]
    return state is not None and state.stale_at is not None


_classes: WeakKeyDictionary[type[ClientResponse], type[CachedClientResponse]] = WeakKeyDictionary()
"""Shared by threads without a lock: the first class made for another is set in one step, and stays."""


class AskedFor:
    """Attributes of a response that come from its request.

    :param fields: the header fields as they would be sent; the response gets a view of them.
    :param decode: whether the user wants content codings taken off.
    """

    __slots__ = ("bufsize", "cls", "decode", "fields", "method", "real_url", "session", "url")

    def __init__(
        self,
        session: ClientSession,
        cls: type[CachedClientResponse],
        method: str,
        url: URL,
        real_url: URL,
        fields: CIMultiDict[str],
        *,
        decode: bool,
        bufsize: int,
    ) -> None:
        self.session: ClientSession = session
        self.cls: type[CachedClientResponse] = cls
        self.method: str = method
        self.url: URL = url
        self.real_url: URL = real_url
        self.fields: CIMultiDict[str] = fields
        self.decode: bool = decode
        self.bufsize: int = bufsize

    def request_info(self) -> RequestInfo:
        return RequestInfo(self.url, self.method, CIMultiDictProxy(self.fields), self.real_url)


class _Stored(AnswerState):
    """The makings of a response from a store."""

    __slots__ = ("_asked",)

    def __init__(self, answer: Answer, asked: AskedFor, engine: Engine) -> None:
        # All that a hit needs, without a call.
        self.answer, self.engine, self.tee, self.kept_at = answer, engine, None, None
        self._asked = asked

    @property
    def method(self) -> str:
        return self._asked.method

    @property
    def url(self) -> URL:
        return self._asked.url

    @property
    def real_url(self) -> URL:
        return self._asked.real_url

    @property
    def session(self) -> ClientSession:
        return self._asked.session

    @property
    def version(self) -> int:
        return self.answer.version

    @property
    def reason(self) -> str:
        return _utf8(self.answer.reason)

    def headers(self) -> CIMultiDictProxy[str]:
        return CIMultiDictProxy(CIMultiDict([(_utf8(name), _utf8(value)) for name, value in self.answer.headers]))

    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return tuple((_bytes(name), _bytes(value)) for name, value in self.answer.headers)

    def request_info(self) -> RequestInfo:
        return self._asked.request_info()

    def whole(self) -> bytes | None:
        record = self.answer.record
        if record is not None and record.head.facts.coded and self._asked.decode:
            return None
        return self._at_hand()

    def _at_hand(self) -> bytes | None:
        source = self.answer.body
        if isinstance(source, FromStore):
            body = source.record.stored.body
            if body is None or (source.start == 0 and source.stop == len(body)):
                return body
            return body[source.start : source.stop]
        return source.data if isinstance(source, Given) else b""

    def content(self, *, read: bytes | None) -> StreamReader:
        asked, source = self._asked, self.answer.body
        body: StoredBody | bytes | None = self._at_hand() if read is None else b""
        if body is None:
            assert isinstance(source, FromStore)  # noqa: S101 - what is not at hand is in the store
            body = StoredBody(self.engine, source)
        decoding = Decoding(coding_of(self.answer.headers) if asked.decode and body != b"" else "")
        length = 0 if read is None else len(read)
        if read is None and not decoding:
            length = source.stop - source.start if isinstance(source, FromStore) else 0
        loop = asyncio.get_running_loop()
        return PulledReader(StoredContent(body, decoding, length), limit=asked.bufsize, timer=None, loop=loop)


def stored_response(answer: Answer, asked: AskedFor, engine: Engine) -> CachedClientResponse:
    """The response that an answer without the network gives; nothing of it is built before it is looked at."""
    made = _Stored(answer, asked, engine)
    response = new_response(asked.cls, made, answer.status)
    response.__dict__["_state"] = made
    return response


def received_fields(response: ClientResponse) -> Headers:
    """The header fields of a response as the core has them: byte for byte, by latin-1."""
    # Two functions for each field (``headers_of``) would take three times as long.
    return Headers([(str(name, "latin-1"), str(value, "latin-1")) for name, value in response.raw_headers])


async def adopt(
    response: ClientResponse,
    answer: Answer,
    tee: Tee | None,
    *,
    decode: bool,
    bufsize: Callable[[], int],
    keep: Keep,
    engine: Engine,
) -> None:
    """Tell a response from the network what the cache knows of it, and let its body pass through the tee.

    One whose body is neither stored nor decoded stays as it is.
    """
    if isinstance(response, CachedClientResponse):
        response.__dict__["_state"] = AnswerState(answer, engine, tee)
    check = coding_of(answer.headers) if CONTENT_ENCODING in response.headers else ""
    decoding = Decoding(check) if decode and check else NO_DECODING
    if response.status == 101 or (tee is None and not decoding):
        return
    raw = response.content
    if raw.at_eof() and raw.exception() is None:
        # No content (HEAD, 204), or none that anyone has to wait for; or a middleware below has read it.
        read: object = cast(Any, response)._body
        if tee is not None:
            if isinstance(read, bytes) and CONTENT_ENCODING not in response.headers:
                await tee.feed(read)
            await tee.finish()
        return
    if tee is not None:
        await keep_arrived(raw, tee, check)
        if tee.done and not decoding:
            return  # aiohttp's own reader has what is left to give
    patience = engine.policy.wait_for_body
    body = NetworkBody(raw, tee, decoding, keep, chunked=_is_chunked(response), patience=patience, check=check)
    body.keep_unread()
    loop, timer = asyncio.get_running_loop(), response_timer(response)
    response.content = PulledReader(body, limit=bufsize(), timer=timer, loop=loop)


def _is_chunked(response: ClientResponse) -> bool:
    return "chunked" in response.headers.get("Transfer-Encoding", "").lower()


def _utf8(text: str) -> str:
    """A field of the core's as aiohttp shows it."""
    return text if text.isascii() else _bytes(text).decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
