"""Bodies under httpx2: byte streams that tee a body into the store, and streams of stored bodies.

They carry the bytes as received, content coding kept; httpx2 decodes above them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import anyio
import anyio.lowlevel
import httpx2

from sansio_cache.bodies import expected_length
from sansio_cache.decisions import Answer, FromStore, Given
from sansio_cache.errors import StoreError
from sansio_cache.framing import body_here
from sansio_cache.messages import headers_of
from sansio_cache_adapters.cache.engine import Engine
from sansio_cache_adapters.cache.stored_body import StoredBody
from sansio_cache_adapters.cache.tee import INCOMPLETE, Tee
from sansio_cache_adapters.stores.finalizers import RELEASING
from sansio_cache_adapters.stores.work import do

from .common import Timeouts

__all__ = [
    "AsyncStoredStream",
    "AsyncTeeStream",
    "Left",
    "StoredStream",
    "TeeStream",
    "stored_stream",
    "tee_into",
]

S = TypeVar("S")
Left = deque[object]
"""Streams that were dropped unread."""

ARRIVED_LIMIT: Final = 65_536
"""Bytes that are taken, without waiting, of a body that is closed unread."""
_PAUSE_AFTER: Final = 256
_WAY_DOWN: Final = ("_httpcore_stream", "_stream", "_connection", "_h11_state")
_PIECE: Final = 65_536
_INSTANT: Final = 0.01
"""Seconds in which a loop hands over what its socket already has."""


class _Passing:
    """A response's body on its way to the reader. Does not hold the response, which holds it: dropped, both go at once.

    :ivar begun: the reader has begun to read.
    :ivar here: all of it has been received, and is stored: to read it gives the connection back.
    """

    def __init__(self, native: httpx2.Response, tee: Tee) -> None:
        self.begun = False
        self.here = tee.outcome == ""
        self.tee = tee
        self._extensions = native.extensions
        self._expected = expected_length(native.request.method, native.status_code, headers_of(native.headers.raw))
        self._taken = 0

    async def take(self, data: bytes) -> None:
        """Feed the store with what the reader gets next; with the last byte promised it is stored."""
        await self.tee.feed(data)
        self._taken += len(data)
        # Many readers never ask for the end that comes after the last byte.
        if self._taken == self._expected:
            await self.tee.finish()

    def worth_taking(self) -> bool:
        """Whether what has arrived of a body closed unread may be all of it, and can be had without waiting.

        Not of HTTP/2: there a read that gives up breaks the connection for others.
        """
        extensions = self._extensions
        version: bytes = extensions.get("http_version", b"")
        return (
            not self.begun
            and (self.here or not self.tee.done)
            and (self._expected is None or self._expected <= ARRIVED_LIMIT)
            and version.startswith(b"HTTP/1")
            and "network_stream" in extensions
        )

    def dropped(self, stream: object, left: Left) -> None:
        """A finalizer only rings: the next request closes a stream that was left unread, and keeps what has arrived."""
        if self.tee.done:
            return
        if self.worth_taking():
            RELEASING(self.tee.set_free)
            left.append(stream)
        else:
            self.tee.drop()

    def too_much(self) -> bool:
        """Whether more was taken of an unread body than is allowed."""
        return self._taken > ARRIVED_LIMIT


class _TeeStream:
    """What both streams have in common that let a body pass into the store."""

    def __init__(self, native: httpx2.Response, tee: Tee, left: Left) -> None:
        self._passing = _Passing(native, tee)
        self._left = left
        self._timeouts: Timeouts = native.request.extensions["timeout"]
        self._network: Any = native.extensions.get("network_stream")
        self._inner: Any = native.stream

    def __del__(self) -> None:
        self._passing.dropped(self, self._left)


class TeeStream(_TeeStream, httpx2.SyncByteStream):
    """The body of a response from the network: every byte that is read also goes to the store.

    Reads what the reader asks for and no more; errors of the network pass as they are.
    """

    def __iter__(self) -> Iterator[bytes]:
        passing = self._passing
        passing.begun = True
        try:
            for data in self._inner:
                do(passing.take(data))
                yield data
            do(passing.tee.finish())
        finally:
            passing.tee.abandon(INCOMPLETE)

    def close(self) -> None:
        """Give the connection back, or drop it; an unread body is kept first where it has arrived."""
        if self._passing.worth_taking():
            self._take_arrived()
        self._passing.tee.abandon()
        self._inner.close()

    def _take_arrived(self) -> None:
        # httpx2 has not begun to read: from now on it waits for nothing.
        self._timeouts["read"] = 0.0
        # Where that does not bring the end, the connection is dropped, so that its state does not matter any more.
        with suppress(Exception):
            for _ in self:
                if self._passing.too_much():
                    break


class AsyncTeeStream(_TeeStream, httpx2.AsyncByteStream):
    """The same for tasks, on asyncio and trio."""

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        passing = self._passing
        passing.begun = True
        stream = aiter(self._inner)
        try:
            pieces = 0
            async for data in stream:
                await passing.take(data)
                yield data
                # httpx2 gives what it has without a pause, be it thirty thousand pieces of two bytes.
                pieces += 1
                if pieces % _PAUSE_AFTER == 0:
                    await anyio.lowlevel.checkpoint()
            await passing.tee.finish()
        finally:
            passing.tee.abandon(INCOMPLETE)
            await _ended(stream)

    async def aclose(self) -> None:
        """See :meth:`TeeStream.close`."""
        try:
            if self._passing.worth_taking():
                await self._take_arrived()
        finally:
            self._passing.tee.abandon()
            await self._inner.aclose()

    async def _take_arrived(self) -> None:
        patience = _INSTANT if self._network.get_extra_info("is_readable") else 0.0
        with anyio.move_on_after(patience) as scope, suppress(Exception):
            async for _ in self:
                if self._passing.too_much():
                    # Not by breaking off: httpx2 would leave the generators below to the collector.
                    scope.cancel()


async def _ended(stream: AsyncIterator[bytes]) -> None:
    """End a body in the middle from within, by cancelling its next read.

    httpx2's generators do not close those below them: closed from above, they leave them to the collector, of which
    trio warns.
    """
    if not isinstance(stream, AsyncGenerator):
        return
    taken = 0
    with anyio.CancelScope() as scope, suppress(Exception):
        scope.cancel()
        # Bytes that have arrived already come without a checkpoint.
        async for data in stream:
            taken += len(data)
            if taken > ARRIVED_LIMIT:
                break
    await stream.aclose()


async def tee_into(native: httpx2.Response, tee: Tee, left: Left, stream: type[TeeStream | AsyncTeeStream]) -> None:
    """Let the body of a response pass through a tee.

    :param left: takes streams that are dropped unread, to be closed by the next request.
    """
    whole = _whole(native, tee)
    if whole is not None:
        await tee.take(whole)
    if not native.is_stream_consumed:
        native.stream = stream(native, tee, left)


def _whole(native: httpx2.Response, tee: Tee) -> bytes | None:
    """The body as received of a response that has been read, or that has arrived as a whole; nothing is read."""
    if not native.is_stream_consumed:
        return arrived_whole(native)
    if isinstance(native.stream, httpx2.ByteStream):
        # It was made with its content, as by ``MockTransport``.
        return b"".join(native.stream)
    # A transport below has read it, to log it perhaps; it keeps the decoded body.
    if "content-encoding" in native.headers or not hasattr(native, "_content"):
        tee.abandon("decoded" if "content-encoding" in native.headers else INCOMPLETE)
        return None
    return native.content


def arrived_whole(native: httpx2.Response) -> bytes | None:
    """The body of a response that is still unread, if all of it has been received with its head."""
    stream: Any = native.stream
    # Down to the connection of httpcore2, whose h11 has what was received; of another transport nothing is known.
    for name in _WAY_DOWN:
        stream = getattr(stream, name, None)
    received = getattr(stream, "trailing_data", None)
    if not isinstance(received, tuple):
        return None
    headers = headers_of(native.headers.raw)
    expected = expected_length(native.request.method, native.status_code, headers)
    data: bytes = received[0]  # pyright: ignore[reportUnknownVariableType]
    return body_here(bytes(data), expected, headers)  # pyright: ignore[reportUnknownArgumentType]


class _StoredStream:
    """A large stored body; each chunk is verified before a byte of it is given.

    Holds nothing of the store between two chunks; outlives the transport.

    :param coded: httpx2 takes codings off piece by piece: it gets pieces as the network would bring them.
    """

    def __init__(self, body: StoredBody, *, coded: bool) -> None:
        self._body = body
        self._coded = coded


class StoredStream(_StoredStream, httpx2.SyncByteStream):
    """One that blocks."""

    def __iter__(self) -> Iterator[bytes]:
        with _mapped():
            while data := do(self._body.read()):
                yield from _pieces(data, coded=self._coded)


class AsyncStoredStream(_StoredStream, httpx2.AsyncByteStream):
    """The same for tasks."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _mapped():
            while data := await self._body.read():
                for piece in _pieces(data, coded=self._coded):
                    yield piece
                    if self._coded:
                        await anyio.lowlevel.checkpoint()


def _pieces(data: bytes, *, coded: bool) -> Iterator[bytes]:
    size = _PIECE if coded else len(data)
    return (data[at : at + size] for at in range(0, len(data), size))


@contextmanager
def _mapped() -> Generator[None]:
    """Make of a body that is gone from the store what httpx2 raises for one that breaks off."""
    try:
        yield
    except StoreError as error:
        raise httpx2.ReadError(f"the stored body is gone: {error}") from error


def stored_stream(answer: Answer, engine: Engine, large: Callable[..., S]) -> httpx2.ByteStream | S:
    """The body of an answer without the network: bytes where they are at hand, else ``large`` of the stored body."""
    source = answer.body
    if isinstance(source, FromStore):
        data = source.record.stored.body
        return (
            large(StoredBody(engine, source), coded=source.record.head.facts.coded)
            if data is None
            else httpx2.ByteStream(data[source.start : source.stop])
        )
    return httpx2.ByteStream(source.data if isinstance(source, Given) else b"")
