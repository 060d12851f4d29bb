"""All uses of aiohttp's private attributes in responses, requests and sessions, for 3.12 and later versions.

A response that builds itself when it is looked at, and attributes read of requests and sessions; those of readers are
in ``private_reader.py``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Generator, Sequence
from inspect import signature
from types import CellType, TracebackType
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast

from aiohttp import (
    ClientConnectionError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    MultipartWriter,
    RequestInfo,
    StreamReader,
    connector,
)
from aiohttp.helpers import TimerNoop
from aiohttp.http import HttpVersion
from aiohttp.http_exceptions import ContentEncodingError
from aiohttp.payload import BytesPayload
from multidict import CIMultiDictProxy
from yarl import URL

from .private_reader import PulledReader

__all__ = [
    "Codings",
    "LazyResponse",
    "Makings",
    "coding_complaint",
    "complete",
    "connector_tls",
    "default_context",
    "is_decoded",
    "known_body",
    "leave_coded",
    "makes_requests_plainly",
    "new_response",
    "request_traces",
    "response_timer",
    "retries",
    "session_part",
]

T = TypeVar("T")


class Makings(Protocol):
    """The values from which a :class:`LazyResponse` builds its parts.

    :ivar version: that of HTTP, in tenths.
    :ivar method: with the following, what aiohttp has of a request under the same names.
    """

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> URL: ...
    @property
    def real_url(self) -> URL: ...
    @property
    def session(self) -> ClientSession: ...
    @property
    def reason(self) -> str: ...
    @property
    def version(self) -> int: ...
    def headers(self) -> CIMultiDictProxy[str]: ...
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]: ...
    def request_info(self) -> RequestInfo: ...
    def content(self, *, read: bytes | None) -> StreamReader: ...
    def whole(self) -> bytes | None:
        """The content, where it is at hand as a whole."""
        ...


class _Built(Generic[T]):
    """An attribute that is built from a response's makings when first looked at; a value set goes before it.

    :param otherwise: what a response has that is not from a store, before it is given something else.
    """

    def __init__(self, build: Callable[[Any, Makings], T], otherwise: Any = None) -> None:
        self._build = build
        self._otherwise = otherwise
        self._name = ""

    def __set_name__(self, owner: object, name: str) -> None:
        self._name = name

    def __get__(self, response: Any, owner: object = None) -> Any:
        makings: Makings | None = None if response is None else response._makings
        if makings is None:
            return self._otherwise
        value = response.__dict__[self._name] = self._build(response, makings)
        return value


def _content(response: Any, makings: Makings) -> StreamReader:
    content = makings.content(read=response._body)
    if response._released:
        content.set_exception(ClientConnectionError("Connection closed"))
    return content


def _nothing(response: object, makings: Makings) -> dict[str, Any]:
    return {}


_NO_TIMER: Final = TimerNoop()
_READ: Final = frozenset({"_body", "_released", "_traces", "content"})
"""Attributes of a response that was read, given up, or is watched while it is read."""
_PLAIN: Final = cast(Any, ClientResponse)


class LazyResponse(ClientResponse):
    """A ``ClientResponse`` that may have come from a store: then its parts are built when they are looked at.

    One from the network is as aiohttp makes it, but that what has arrived of its body is not given up unstored.
    """

    _makings: Makings | None = None
    _plain = True
    _protocol: Any = None
    _timer = _NO_TIMER
    _traces: Any = ()
    version: HttpVersion | None = cast(Any, _Built(lambda _, makings: HttpVersion(*divmod(makings.version, 10))))
    reason: str | None = cast("str | None", _Built(lambda _, makings: makings.reason))
    content: StreamReader = cast(StreamReader, _Built(_content))
    method: str = cast(str, _Built(lambda _, makings: makings.method))
    _url = cast(URL, _Built(lambda _, makings: makings.url))
    _real_url = cast(URL, _Built(lambda _, makings: makings.real_url))
    _headers = cast("CIMultiDictProxy[str]", _Built(lambda _, makings: makings.headers()))
    _raw_headers = cast(Any, _Built(lambda _, makings: makings.raw_headers()))
    _request_info = cast(RequestInfo, _Built(lambda _, makings: makings.request_info()))
    _session = cast("ClientSession | None", _Built(lambda _, makings: makings.session))
    _loop = cast(asyncio.AbstractEventLoop, _Built(lambda _, makings: cast(Any, makings.session)._loop))
    _resolve_charset = cast(
        Any, _Built(lambda _, makings: cast(Any, makings.session)._resolve_charset, _PLAIN._resolve_charset)
    )
    _cache = cast("dict[str, Any]", _Built(_nothing))

    def __init_subclass__(cls) -> None:
        # A class of the user's own wants to be asked.
        cls._plain = LazyResponse in cls.__bases__

    def _leave(self) -> asyncio.Task[None] | None:
        """The work that is left to do for a body that is not going to be read any further."""
        content = self.__dict__.get("content")
        return content.leave() if isinstance(content, PulledReader) else None

    def _notify_content(self) -> None:
        if self._makings is not None and "content" not in self.__dict__:
            self._released = True
        else:
            super()._notify_content()

    def close(self) -> None:
        self._leave()
        super().close()

    def release(self) -> Any:
        left = self._leave()
        done = super().release()
        return done if left is None else _Awaited(left)

    async def read(self) -> bytes:
        attributes = self.__dict__
        makings: Makings | None = attributes.get("_makings")
        if makings is not None and self._plain and attributes.keys().isdisjoint(_READ):
            whole = makings.whole()
            if whole is not None:
                attributes["_body"] = whole
                return whole
        return await super().read()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        if self._makings is not None and self._plain:
            self._in_context = False
            self._notify_content()
            return
        left = self._leave()
        await super().__aexit__(exc_type, exc_val, exc_tb)
        if left is not None:
            await _Awaited(left)


class _Awaited:
    """Waits for a task that goes on if the waiter is cancelled; need not be awaited."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.shield(self._task).__await__()


class _Sent:
    """In the place of a writer whose request has gone out."""

    output_size = 0


_PARAMETERS: Final = signature(ClientResponse.__init__).parameters
_R = TypeVar("_R", bound=LazyResponse)


def new_response(cls: type[_R], makings: Makings, status: int) -> _R:
    """A response as it is when its message has wholly come: closed, its connection given back, its body unread."""
    response = cls.__new__(cls) if cls.__init__ is ClientResponse.__init__ else _constructed(cls, makings)
    attributes = response.__dict__
    attributes["_makings"] = makings
    attributes["status"] = status
    return response


def _constructed(cls: type[_R], makings: Makings) -> _R:
    """A response of a class of the user's own, with more to it."""
    session: Any = makings.session
    parts: dict[str, Any] = {
        "writer": None,
        "continue100": None,
        "timer": _NO_TIMER,
        "request_info": makings.request_info(),
        "traces": (),
        "loop": session._loop,
        "session": session,
    }
    if "stream_writer" in _PARAMETERS:
        parts["stream_writer"] = _Sent()
    response = cls(makings.method, makings.real_url, **parts)
    del response.__dict__["_traces"]  # none yet
    return response


def complete(response: LazyResponse, traces: Sequence[Any], cookies: tuple[str, ...]) -> None:
    """Let a response be watched, and let aiohttp's jar take cookies from it."""
    if traces:
        response.__dict__["_traces"] = traces
    if cookies:
        response.__dict__["_raw_cookie_headers"] = cookies


def response_timer(response: ClientResponse) -> Any:
    """The total timeout that a response is under."""
    return cast(Any, response)._timer


def is_decoded(session: ClientSession, raw: StreamReader) -> bool:
    """Whether aiohttp takes the content coding off a body, so that its bytes are not those that came."""
    return session.auto_decompress or getattr(raw, "total_compressed_bytes", None) is not None


class Codings(NamedTuple):
    """How the content coding of an answer is handled.

    :ivar decode: whether the user wants it taken off.
    :ivar left: aiohttp leaves it on, whatever the user wants.
    """

    decode: bool
    left: bool


def leave_coded(session: ClientSession, handler: object) -> Codings:
    """Have aiohttp leave the coding on the answer to one request, where only aiohttp itself is below the cache.

    What one request says of it (``auto_decompress``) is a variable of the call that ``handler`` is a part of, and of
    nothing else. Other middlewares below the cache get what they always get.
    """
    cell = _auto_decompress(handler)
    if cell is not None:
        wanted: object = cell.cell_contents
        if wanted is True:
            # As good as False; and the next hop of the request sees what it was.
            cell.cell_contents = _WANTED
        if wanted is True or wanted is _WANTED or wanted is False:
            return Codings(decode=wanted is not False, left=True)
    for _ in range(_MOST_BELOW):
        handler = _below(handler)
        cell = _auto_decompress(handler)
        if cell is not None:
            return Codings(decode=bool(cell.cell_contents), left=False)
    return Codings(decode=session.auto_decompress, left=False)


class _Wanted:
    """In the place of a True that was taken away: false, and to be known again."""

    def __bool__(self) -> bool:
        return False


_WANTED: Final = _Wanted()
_MOST_BELOW: Final = 20


def _auto_decompress(handler: object) -> CellType | None:
    return _variable(handler, "auto_decompress")


def _below(handler: object) -> object:
    """The handler that a middleware's one calls."""
    cell = _variable(handler, "next_h") or _variable(handler, "handler")
    return None if cell is None else cell.cell_contents


def _variable(function: object, name: str) -> CellType | None:
    code, closure = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    if code is None or closure is None or name not in code.co_freevars:
        return None
    cell: CellType = closure[code.co_freevars.index(name)]
    return cell


def coding_complaint(coding: str) -> str:
    """The message of aiohttp for a coding that it cannot decode."""
    return str(ContentEncodingError(f"Can not decode content-encoding: {coding}"))


def known_body(request: ClientRequest) -> bytes | None:
    """The content of a request, ``b""`` for none; None where it cannot be known without consuming it."""
    body: Any = request.body
    if not body:
        return b""
    if isinstance(body, bytes):
        return body
    return _multipart(body) if isinstance(body, MultipartWriter) else _bytes_of(body)


def _bytes_of(payload: object) -> bytes | None:
    if not isinstance(payload, BytesPayload):
        return None
    # A bytearray or memoryview may change until it is sent.
    value: object = cast(Any, payload)._value
    return value if isinstance(value, bytes) else None


def _multipart(writer: MultipartWriter) -> bytes | None:
    """The bytes that a multipart writer is going to write, where all its parts are plain bytes or text."""
    parts: Sequence[tuple[Any, object, object]] = cast(Any, writer)._parts
    boundary = writer.boundary.encode("latin-1")
    pieces: list[bytes] = []
    for part, coding, transfer_coding in parts:
        content = _bytes_of(part)
        if content is None or coding or transfer_coding:
            return None
        pieces += [b"--", boundary, b"\r\n", part._binary_headers, content, b"\r\n"]
    return b"".join([*pieces, b"--", boundary, b"--\r\n"])


def request_traces(request: ClientRequest) -> Sequence[Any]:
    """The traces that a request tells of its progress."""
    traces: Sequence[Any] = cast(Any, request)._traces
    return traces


def connector_tls(session: ClientSession) -> tuple[object, str | None]:
    """The TLS setting of a session's connector (True: the default), and a socket that stands in for every host."""
    own: Any = session.connector
    if own is None:
        return True, None
    path: object = getattr(own, "path", None)
    return getattr(own, "_ssl", True), path if isinstance(path, str) else None


def default_context() -> ssl.SSLContext | None:
    """The TLS context of every session that was told none; None where it cannot be found."""
    return getattr(connector, "_SSL_CONTEXT_VERIFIED", None)


def session_part(session: ClientSession, name: str) -> Any:
    """A setting of a session that it does not show."""
    return getattr(session, f"_{name}")


def makes_requests_plainly(session: ClientSession) -> bool:
    """Whether a session's class makes URLs and header fields as aiohttp's own does."""
    own, plain = cast(Any, type(session)), cast(Any, ClientSession)
    return all(getattr(own, name) is getattr(plain, name) for name in ("_prepare_headers", "_build_url"))


def retries(session: ClientSession) -> bool:
    """Whether aiohttp itself sends a request again when a kept connection turns out to be closed."""
    return bool(getattr(session, "_retry_connection", True))
