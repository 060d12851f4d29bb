"""Responses as aiohttp-client-cache shows them: read, to be read again, with naive times in UTC."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, Final, cast

from aiohttp import ClientResponse, RequestInfo, StreamReader
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sansio_cache.records import Record
from sansio_cache_adapters.aiohttp.private import new_response
from sansio_cache_adapters.aiohttp.response import CachedClientResponse
from sansio_cache_adapters.cache.response_attributes import moment
from sansio_cache_adapters.compat.cookies import morsels_of
from sansio_cache_adapters.compat.notes import AIOHTTP_CLIENT_CACHE

from .cache_control import utcnow

__all__ = [
    "AnyResponse",
    "CachedResponse",
    "CachedStreamReader",
    "OriginalResponse",
    "UnsupportedExpiresError",
    "as_theirs",
    "stored",
]


_Fields = tuple[tuple[bytes, bytes], ...]
_HIDDEN: Final = "REDACTED"


def _naive(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None)


class UnsupportedExpiresError(Exception):
    """An aware datetime where a naive one is meant."""

    def __init__(self, expires: datetime) -> None:
        super().__init__(f"Expected a naive datetime, but got {expires}.")


class OriginalResponse(CachedClientResponse):
    """A response that has just come from the network."""

    @property
    def created_at(self) -> datetime | None:
        """None: nobody has asked a cache for it."""
        return None

    @property
    def expires(self) -> datetime | None:
        """None, as above."""
        return None

    @property
    def is_expired(self) -> bool:
        """False."""
        return False


class CachedResponse(CachedClientResponse):
    """A response from a cache: its body is there, and stays."""

    def __init__(
        self,
        method: str,
        reason: str | None,
        status: int,
        url: Any,
        version: Any,
        body: bytes | None = None,
        expires: datetime | None = None,
        raw_headers: _Fields = (),
        request_raw_headers: _Fields = (),
        real_url: Any = None,
        created_at: datetime | None = None,
        history: tuple[Any, ...] = (),
        cookies: Any = None,
    ) -> None:
        kept = _Kept(method, url, reason, body, (raw_headers, request_raw_headers), real_url)
        made = _made(kept, status, _created_at=created_at or utcnow(), _expires=expires, version=version)
        self.__dict__.update(made.__dict__, _history=history)
        if cookies is not None:
            self.cookies = cookies

    @classmethod
    async def from_client_response(
        cls, client_response: ClientResponse, expires: datetime | None = None
    ) -> CachedResponse:
        """A response as one of these; it is read for it, and can be read as a stream after that.

        :raises UnsupportedExpiresError: ``expires`` is aware.
        """
        if expires is not None and expires.tzinfo is not None:
            raise UnsupportedExpiresError(expires)
        given: Any = client_response
        body: bytes | None = given._body if given._released and given._body is not None else await given.read()
        given.content = CachedStreamReader(body)
        asked = given.request_info
        return cls(
            given.method,
            given.reason,
            given.status,
            given.url,
            given.version,
            body,
            expires,
            tuple(given.raw_headers),
            tuple((name.encode(), value.encode()) for name, value in asked.headers.items()),
            asked.real_url,
            history=tuple([await cls.from_client_response(hop) for hop in given.history]),
            cookies=given.cookies,
        )

    @property
    def created_at(self) -> datetime | None:
        """When it was received; naive, in UTC."""
        return self.__dict__.get("_created_at") or _naive(super().created_at)

    @property
    def expires(self) -> datetime | None:
        """When it expires; naive, in UTC; None for never."""
        return self.__dict__["_expires"] if "_expires" in self.__dict__ else _naive(super().expires)

    @property
    def is_expired(self) -> bool:
        """Whether it has expired."""
        return self.expires is not None and utcnow() > self.expires

    @property
    def from_cache(self) -> bool:
        """True."""
        return True

    async def read(self) -> bytes:
        """The content, as often as it is asked for."""
        if self._body is None:
            return await super().read()
        return self._body

    async def json(self, *, encoding: str | None = None, **_: Any) -> Any:
        """The content, read as JSON; None where it is empty."""
        content = (await self.read()).strip()
        return json.loads(content.decode(encoding or self.get_encoding())) if content else None

    def reset(self) -> None:
        """Let the body be read as a stream from its beginning."""
        self.__dict__["content"] = CachedStreamReader(self._body)

    async def start(self, connection: Any = None) -> Any:
        """Nothing: it has begun."""

    async def terminate(self) -> None:
        """Nothing: it has ended."""

    @property
    def encoding(self) -> str:
        """The charset of the content."""
        return self.get_encoding()

    @property
    def last_used(self) -> datetime | None:
        """Now: it is being used."""
        return utcnow()

    @property
    def request_headers(self) -> Any:
        """The fields of the request that it answers."""
        return self.request_info.headers

    @property
    def request_raw_headers(self) -> _Fields:
        """The same, as bytes."""
        return tuple((name.encode(), value.encode()) for name, value in self.request_headers.items())


class CachedStreamReader(StreamReader):
    """A body that is there, as a stream."""

    def __init__(self, body: bytes | None = None) -> None:
        loop = asyncio.get_running_loop()
        content = body or b""
        super().__init__(BaseProtocol(loop), limit=max(len(content), 1), loop=loop)
        if content:
            self.feed_data(content)
        self.feed_eof()


AnyResponse = ClientResponse | CachedResponse


async def as_theirs(response: ClientResponse) -> ClientResponse:
    """A response of a session of ours as one of theirs: what is kept has been read."""
    for each in (*response.history, response):
        if not isinstance(each, CachedClientResponse) or isinstance(each, CachedResponse | OriginalResponse):
            continue
        if type(each) is not CachedClientResponse:
            continue
        state = each._state  # pyright: ignore[reportPrivateUsage]
        if each.from_cache or (state is not None and state.tee is not None):
            await _read(each)
        if each.from_cache:
            record = None if state is None else state.answer.record
            each.__class__ = CachedResponse
            if record is not None:
                _show_as_stored(each, record)
        else:
            each.__class__ = OriginalResponse
    return response


def _show_as_stored(response: CachedClientResponse, record: Record) -> None:
    """Let a response be what aiohttp-client-cache makes of a stored one: its URL, its fields, its cookies."""
    fields = _fields_of(record)
    shown: dict[str, Any] = {"_raw_headers": fields, "_headers": _decoded(fields)}
    if _HIDDEN not in record.head.url:
        shown["_url"] = URL(record.head.url, encoded=True)
    vars(response).update(shown)
    if record.headers.has("set-cookie"):
        AIOHTTP_CLIENT_CACHE.differs(
            "cookies", "the cookies of a stored response are in response.cookies, and in no jar"
        )
        response.cookies = morsels_of(record)


def _fields_of(record: Record) -> _Fields:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in record.headers)


async def _read(response: CachedClientResponse) -> None:
    """Read a body and leave it there, to be read as a whole or as a stream."""
    if response.__dict__.get("_released") and response.__dict__.get("_body") is None:
        return  # a redirect, whose body the client has thrown away
    body = await response.read()
    response.content = CachedStreamReader(body)


class _Kept:
    """The makings of a response that is only looked at.

    :param fields: its own, and those of its request.
    """

    version = 11

    def __init__(
        self,
        method: str,
        url: Any,
        reason: str | None,
        body: bytes | None,
        fields: tuple[_Fields, _Fields] = ((), ()),
        real_url: Any = None,
    ) -> None:
        self.method = method
        self.url = URL(url)
        self.real_url = URL(url if real_url is None else real_url)
        self.reason = reason
        self.session: Any = self
        self._body = body
        self._fields, self._asked = fields

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _resolve_charset(self, *_: object) -> str:
        return "utf-8"

    def raw_headers(self) -> _Fields:
        return self._fields

    def headers(self) -> CIMultiDictProxy[str]:
        return _decoded(self._fields)

    def request_info(self) -> RequestInfo:
        return RequestInfo(self.url, self.method, _decoded(self._asked), self.real_url)

    def content(self, *, read: bytes | None) -> StreamReader:
        return CachedStreamReader(self._body)

    def whole(self) -> bytes | None:
        return self._body


def _decoded(fields: _Fields) -> CIMultiDictProxy[str]:
    pairs = [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in fields]
    return CIMultiDictProxy(CIMultiDict(pairs))


def _made(kept: _Kept, status: int, **attributes: Any) -> CachedResponse:
    made: Any = new_response(CachedClientResponse, cast(Any, kept), status)
    made.__class__ = CachedResponse
    made.__dict__.update(_body=kept.whole() or b"", **attributes)
    response: CachedResponse = made
    return response


def stored(record: Record, body: bytes) -> CachedResponse:
    """A record as their cache shows it.

    :param body: its coding taken off.
    """
    head = record.head
    fields = _fields_of(record)
    made = _made(
        _Kept(head.method, head.url, head.reason, body, (fields, ())),
        head.status,
        _created_at=_naive(moment(head.received_at)),
        _expires=_naive(moment(head.stale_at)),
        _key=head.partition.hex(),
    )
    made.cookies = morsels_of(record)
    return made
