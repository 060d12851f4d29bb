"""All uses of aiohttp's private attributes in readers: a reader that pulls, for 3.12 and later versions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol, cast

from aiohttp import ClientConnectionError, ClientResponse, StreamReader, helpers
from aiohttp.base_protocol import BaseProtocol

__all__ = ["PulledBody", "PulledReader", "is_drained", "peeked", "pulled", "whole_body"]

_NO_CAUSE: Final[BaseException] = cast(Any, helpers)._EXC_SENTINEL
_SMALL: Final = 4096
"""Bytes below which an HTTP chunk is not worth a step of its own."""
_PAUSE_AFTER: Final = 8
"""Pieces of 64 KiB that are decoded before the event loop gets its turn."""


async def whole_body(response: ClientResponse) -> bytes | None:
    """A response's content, read now or before; None where part of it was given out, or it was closed unread.

    aiohttp itself gives none once the response is released, and what is left of it after a part.
    """
    body: bytes | None = cast(Any, response)._body
    if body is None:
        try:
            body = await response.read()
        except ClientConnectionError:
            return None
    return body if response.content.total_bytes in (0, len(body)) else None


def is_drained(raw: StreamReader) -> bool:
    """Whether a body has come to its end and been read, the ends of its HTTP chunks too."""
    return raw.at_eof() and not getattr(raw, "_http_chunk_splits", None)


async def pulled(raw: StreamReader, *, coded: bool) -> tuple[bytes, Sequence[int]]:
    """More of a body, and where in it HTTP chunks end.

    :param coded: the chunks become others when they are decoded, so that each is needed by itself.
    """
    data, ends = await raw.readchunk()
    reader: Any = raw
    if not ends or coded or len(data) >= _SMALL or not reader._buffer:
        return data, (len(data),) if ends else ()
    # Chunks of a few bytes, a hundred thousand of them: all that are here at once.
    first = len(data)
    start = reader._cursor - first
    edges = [edge - start for edge in reader._http_chunk_splits or ()]
    data += raw.read_nowait()
    return data, [first, *(edge for edge in edges if edge <= len(data))]


def peeked(raw: StreamReader) -> bytes:
    """The part of a body that has arrived and is unread; it stays unread."""
    reader: Any = raw
    data = b"".join(reader._buffer)
    return data[reader._buffer_offset :]


class PulledBody(Protocol):
    """The source of a :class:`PulledReader`. What is said here holds for a body that is here already.

    :ivar chunked: it comes in HTTP chunks, whose ends its reader may want to see.
    :ivar coded: a content coding is taken off it.
    :ivar at_once: all that is left of it is about to be read, and held.
    :ivar length: bytes of content that are known to be here; 0 where only what was read is.
    """

    chunked: bool = False
    coded: bool = False
    at_once: bool = False
    length: int = 0

    @property
    def at_end(self) -> bool:
        """Whether there is nothing left to pull."""
        ...

    async def pull(self) -> tuple[bytes, Sequence[int]]:
        """More bytes as received, and where in them HTTP chunks end; only behind them where they are coded."""
        ...

    async def taken(self, data: bytes) -> None:
        """Told of what was pulled, once it cannot get lost any more."""
        return

    def decoded(self, data: bytes) -> Iterator[bytes]:
        """Pieces of the content, as the reader gets them."""
        ...

    def finish_decoding(self) -> None:
        """Told at the end; raises where the coding has not come to its own."""
        ...

    def arrived(self) -> bytes:
        """The bytes that are there without waiting."""
        ...

    def leave(self, *, reading: bool) -> asyncio.Task[None] | None:
        """Told that nothing more will be pulled; the work that is left to do for what has arrived."""
        return None

    def exception(self) -> BaseException | None:
        return None

    def set_exception(self, exc: BaseException, exc_cause: BaseException) -> None:
        return

    def is_eof(self) -> bool:
        return True

    def on_eof(self, callback: Callable[[], None]) -> None: ...

    async def wait_eof(self) -> None:
        return


class _Unpaced(BaseProtocol):
    """The connection of a reader that fetches by itself: there is no sender to pause."""

    __slots__ = ()

    def __init__(self) -> None:
        self._reading_paused = False

    @property
    def connected(self) -> bool:
        return True

    def pause_reading(self) -> None:
        return

    def resume_reading(self, *_: object, **__: object) -> None:
        return


_UNPACED: Final = _Unpaced()


class PulledReader(StreamReader):
    """A ``StreamReader`` that fetches where another would wait to be fed: back pressure without a task.

    :param source: where it fetches from.
    :param limit: the session's ``read_bufsize``.
    """

    def __init__(self, source: PulledBody, *, limit: int, timer: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._total = 0
        super().__init__(_UNPACED, limit, timer=timer, loop=loop)
        self._pieces: Iterator[bytes] = iter(())
        self._ahead: bytes | None = None
        self._chunk_ends: Sequence[int] = ()
        self._pulling = False
        self._unpaused = 0
        self._pulled = 0
        self.total_compressed_bytes = 0 if source.coded else None
        if source.chunked:
            self.begin_http_chunk_receiving()

    @property
    def total_bytes(self) -> int:
        """Bytes of content received: of a stored body, which is here, all of it, read or not."""
        return max(self._total, self._source.length)

    @total_bytes.setter
    def total_bytes(self, fed: int) -> None:
        # aiohttp begins at 0 and adds what it is fed to what is shown.
        self._total = self._total + fed - self.total_bytes if fed else 0

    async def _wait(self, func_name: str) -> None:
        if self._pulling:
            raise RuntimeError(f"{func_name}() called while another coroutine is already waiting for incoming data")
        self._pulling = True
        try:
            await self._more()
        finally:
            self._pulling = False

    async def _more(self) -> None:
        if self._ahead is None and not self._source.at_end:
            data, self._chunk_ends = await self._source.pull()
            # From here on a cancellation loses nothing: the next call goes on with what was pulled.
            self._begin(data)
            await self._source.taken(data)
        self._unpaused += 1
        if self._unpaused % _PAUSE_AFTER == 0:
            await asyncio.sleep(0)
        self._step()

    def _begin(self, data: bytes) -> None:
        if self._source.coded:
            self.total_compressed_bytes = (self.total_compressed_bytes or 0) + len(data)
        self._pulled = len(data)
        self._pieces = self._source.decoded(data)
        self._advance()

    def _advance(self) -> None:
        try:
            self._ahead = next(self._pieces, None)
        except Exception as error:
            self._ahead = None
            super().set_exception(error)
            raise

    def _step(self) -> None:
        """Feed one piece, and what comes after it if it was the last."""
        if self._ahead is not None:
            self.feed_data(self._ahead)
            self._advance()
        if self._ahead is not None:
            return
        if self._chunk_ends:
            self._mark_ends()
        if self._source.at_end and not self._eof:
            try:
                self._source.finish_decoding()
            except Exception as error:
                super().set_exception(error)
                raise
            super().feed_eof()

    def _mark_ends(self) -> None:
        ends, self._chunk_ends = self._chunk_ends, ()
        splits: Any = self._http_chunk_splits
        if len(ends) > 1 and splits is not None:
            start = self._total - self._pulled
            splits.extend(start + end for end in ends[:-1])
        self.end_http_chunk_receiving()

    async def read_ahead(self, limit: int) -> None:
        """Fetch up to so many bytes of content before anyone asks.

        :raises Exception: what reading raises.
        """
        while not self._eof and self._total < limit:
            await self._wait("read_ahead")

    async def read(self, n: int = -1) -> bytes:
        self._source.at_once = n < 0
        try:
            return await super().read(n)
        finally:
            self._source.at_once = False

    def read_nowait(self, n: int = -1) -> bytes:
        if not self._buffer and not self._eof and not self._pulling and self._exception is None:
            if self._ahead is None:
                self._begin(self._source.arrived())
            self._step()
            # An expanded body is not given all at once: the caller cannot wait in between.
            for _ in range(_PAUSE_AFTER):
                if self._ahead is not None:
                    self._step()
        return super().read_nowait(n)

    def leave(self) -> asyncio.Task[None] | None:
        """Stop reading. Returns the work that is left to do for unread bytes that have arrived."""
        return self._source.leave(reading=self._pulling)

    # Whether all has been received is the source's to say: it may not have been read yet.

    def is_eof(self) -> bool:
        return self._eof or self._source.is_eof()

    def on_eof(self, callback: Callable[[], None]) -> None:
        self._source.on_eof(callback)

    async def wait_eof(self) -> None:
        await self._source.wait_eof()

    def exception(self) -> BaseException | None:
        return self._exception or self._source.exception()

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _NO_CAUSE) -> None:
        super().set_exception(exc, exc_cause)
        self._source.set_exception(exc, exc_cause)
