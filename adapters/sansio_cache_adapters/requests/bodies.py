"""Bodies under requests: file objects below urllib3's decoder, for bodies on their way and for stored ones."""

from __future__ import annotations

import io
import socket
import sys
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, Final

from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from sansio_cache.errors import StoreError
from sansio_cache.framing import body_here
from sansio_cache.messages import HTTP_1_1, Headers, version_name
from sansio_cache.policy import Policy
from sansio_cache_adapters.cache.stored_body import StoredBody, may_fetch_anew
from sansio_cache_adapters.cache.tee import INCOMPLETE, Tee
from sansio_cache_adapters.stores.finalizers import RELEASING
from sansio_cache_adapters.stores.work import do

from .connections import under_way

__all__ = ["BodyGone", "Left", "StoredReader", "TeeResponse", "is_a_miss", "stored_raw", "whole_at_once"]

ARRIVED_LIMIT: Final = 65_536
"""Bytes that are taken, without waiting, of a body that is closed unread."""
_MOST_LEFT: Final = 64
_PIECE: Final = 65_536
_AT_ONCE: Final = 1e-6
"""Seconds. Not 0: a socket that does not block ends a read early without a word, and a cut body would look whole."""


class BodyGone(ProtocolError):
    """A stored body is no longer there: it was replaced a while ago, or its store is in trouble."""


def is_a_miss(error: Exception, policy: Policy) -> bool:
    """Whether a stored body that could not be read whole is a miss, nothing of it having been handed out."""
    return isinstance(error, BodyGone) or may_fetch_anew(error, policy)


class Left:
    """Bodies that were dropped unread. The next request keeps what has arrived of them: a finalizer only rings."""

    def __init__(self) -> None:
        self.bodies: deque[tuple[HTTPResponse, Tee]] = deque(maxlen=_MOST_LEFT)

    def ring(self, inner: HTTPResponse, tee: Tee) -> None:
        """Leave a body: takes no lock, waits for nothing."""
        RELEASING(tee.set_free)
        self.bodies.append((inner, tee))

    def take(self) -> None:
        """Keep what has arrived of each, and give its connection back, or drop it."""
        while self.bodies:
            with suppress(IndexError):  # another thread was faster
                _TeeReader(*self.bodies.popleft()).close()


class _TeeReader(io.RawIOBase):
    """The body of a response on its way to the reader: every byte also goes to the store.

    Reads what the reader asks for and no more; errors of the network pass as they are.
    """

    def __init__(self, inner: HTTPResponse, tee: Tee, left: Left | None = None) -> None:
        self._inner = inner
        self._tee = tee
        self._left = left
        self._begun = self._ended = False
        self._chunks: Iterator[bytes] | None = None
        self._held = b""
        self._given_up = False

    def read(self, size: int | None = -1, /) -> bytes:
        """At most ``size`` bytes as received, coding kept; all for a negative size; ``b""`` at the end."""
        if self.closed:
            return b""
        wanted = None if size is None or size < 0 else size
        if self._chunks is not None:
            return self._from_chunks(wanted)
        data = self._passed(self._inner.read, wanted)
        if not self._ended and (wanted is None or self._at_end(wanted, data)):
            self._end()
        return data

    def read1(self, size: int | None = -1, /) -> bytes:
        """The next bytes, at most ``size``: a chunk as it comes, without waiting for more."""
        if self.closed or size == 0:
            return b""
        wanted = None if size is None or size < 0 else size
        if self._inner.chunked and self._inner.supports_chunked_reads():
            return self._cut(self._held or self._next_chunk(), wanted)
        data = self._passed(self._inner.read1, wanted)
        if not self._ended and self._at_end(wanted, data):
            self._end()
        return data

    def _passed(self, read: Any, size: int | None) -> bytes:
        self._begun = True
        try:
            data: bytes = read(size, decode_content=False)
        except BaseException:
            self._tee.abandon(INCOMPLETE)
            raise
        if not self._ended:
            do(self._tee.feed(data))
        return data

    def _end(self) -> None:
        self._ended = True
        do(self._tee.finish())

    def _at_end(self, size: int | None, data: bytes) -> bool:
        # Many readers never ask for the empty read that comes after the last byte.
        return (not data and size != 0) or self._inner.length_remaining == 0 or self._inner.closed

    def _next_chunk(self) -> bytes:
        self._begun = True
        if self._chunks is None:
            self._chunks = self._inner.read_chunked(_PIECE, decode_content=False)
        try:
            data = next(self._chunks, b"")
        except BaseException:
            self._tee.abandon(INCOMPLETE)
            raise
        do(self._tee.feed(data) if data else self._tee.finish())
        return data

    def _from_chunks(self, size: int | None) -> bytes:
        """``read`` after ``read1``: the rest of a body that is read chunk by chunk."""
        pieces = [self._held]
        had = len(self._held)
        while (size is None or had < size) and (piece := self._next_chunk()):
            pieces.append(piece)
            had += len(piece)
        return self._cut(b"".join(pieces), size)

    def _cut(self, data: bytes, size: int | None) -> bytes:
        self._held = b"" if size is None else data[size:]
        return data[:size]

    def isclosed(self) -> bool:
        """Whether the end was read, as http.client means it."""
        return not self._held and (self.closed or self._inner.closed)

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        """Give the connection back, or drop it; an unread body is kept first where it has arrived."""
        if not self.closed and not self._given_up:
            if not self._tee.done:
                self._take_arrived()
                self._tee.abandon()
            self._inner.close()
            self._inner.release_conn()
        super().close()

    def _take_arrived(self) -> None:
        """Read what has arrived, without waiting: if that completes the message, it is kept."""
        sock = _socket_of(self._inner)
        if sock is None:
            return
        patience = sock.gettimeout()
        taken = 0
        # Unless the message comes to its end the connection is dropped next, whatever state it is in.
        with suppress(Exception):
            sock.settimeout(_AT_ONCE)
            while taken <= ARRIVED_LIMIT and not self._tee.done:
                taken += len(self.read(_PIECE))
        with suppress(OSError):
            sock.settimeout(patience)

    def give_up(self) -> bool:
        """Leave an unread body to the next request, and any other, with its connection, to its own end. No I/O here."""
        given_up, self._given_up = self._given_up, True
        if given_up or self._tee.done:
            return False
        if self._left is None or self._begun or self.closed:
            self._tee.drop()
            return False
        self._left.ring(self._inner, self._tee)
        return True

    def __del__(self) -> None:
        self.give_up()
        super().__del__()


class TeeResponse(HTTPResponse):
    """urllib3's response, its body also going to the store."""

    def __init__(self, inner: HTTPResponse, tee: Tee, request_method: str | None, left: Left | None) -> None:
        self._inner = inner
        self._reader = _TeeReader(inner, tee, left)
        super().__init__(
            body=self._reader,
            headers=inner.headers,
            status=inner.status,
            version=inner.version,
            reason=inner.reason,
            preload_content=False,
            decode_content=inner.decode_content,
            original_response=getattr(inner, "_original_response", None),
            retries=inner.retries,
            # The response below says what is missing.
            enforce_content_length=False,
            request_method=request_method,
            request_url=getattr(inner, "_request_url", None),
        )
        self.version_string = getattr(inner, "version_string", "HTTP/1.1")  # since urllib3 2.3
        self._pool = getattr(inner, "_pool", None)
        under_way.add(self)

    @property
    def _connection(self) -> Any:
        return self._inner.connection

    @_connection.setter
    def _connection(self, _: Any) -> None:
        """The connection stays with the response below, which knows when to give it back."""

    def stream(self, amt: int | None = 2**16, decode_content: bool | None = None) -> Generator[bytes]:
        """As urllib3's: a chunked body is given chunk by chunk, as it comes."""
        if self._inner.chunked and self._inner.supports_chunked_reads():
            yield from self.read_chunked(amt, decode_content)
        else:
            yield from super().stream(amt, decode_content)

    def read_chunked(self, amt: int | None = None, decode_content: bool | None = None) -> Generator[bytes]:
        """As urllib3's."""
        if not self._inner.chunked or not self._inner.supports_chunked_reads():
            # Says what is wrong.
            yield from self._inner.read_chunked(amt, decode_content)
        while data := self.read1(amt, decode_content):
            yield data

    def release_conn(self) -> None:
        """Give the connection back to its pool."""
        self._inner.release_conn()

    def shutdown(self) -> None:
        """Wake anyone who is reading from another thread."""
        self._inner.shutdown()

    def __del__(self) -> None:
        if not self._reader.give_up():
            super().__del__()


def _socket_of(inner: HTTPResponse) -> socket.socket | None:
    """The socket of a response: its connection's, or its own, where the connection is not to be used again."""
    native: Any = getattr(inner, "_original_response", None)
    raw: Any = getattr(getattr(native, "fp", None), "raw", None)
    sock: Any = getattr(inner.connection, "sock", None) or getattr(raw, "_sock", None)
    return sock if isinstance(sock, socket.socket) else None


def whole_at_once(inner: HTTPResponse, expected: int | None, headers: Headers) -> bytes | None:
    """The body of a response, if all of it has arrived with its head; nothing of it is read.

    :param expected: the length in bytes that its framing promises, or None.
    """
    native: Any = getattr(inner, "_original_response", None)
    buffered: Any = getattr(native, "fp", None)
    sock = _socket_of(inner)
    if sock is None or not isinstance(buffered, io.BufferedReader):
        return None
    if expected is None and "transfer-encoding" not in headers:
        return None
    if expected is not None and expected > ARRIVED_LIMIT:
        return None
    patience = sock.gettimeout()
    try:
        # A look waits for nothing; the bytes stay in the buffer for the reader.
        sock.settimeout(0.0)
        here = buffered.peek()
        if type(sock) is socket.socket and (expected is None or len(here) < expected):
            with suppress(BlockingIOError):
                here += sock.recv(ARRIVED_LIMIT, socket.MSG_PEEK)
    except (OSError, ValueError):
        return None
    finally:
        sock.settimeout(patience)
    return body_here(here, expected, headers)


class StoredReader(io.RawIOBase):
    """A stored body as a file; each chunk is verified before a byte of it is given.

    :param body: to be read on, or the whole body.
    """

    def __init__(self, body: StoredBody | bytes) -> None:
        self._body = body if isinstance(body, StoredBody) else None
        self._held = b"" if isinstance(body, StoredBody) else body
        self._at = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """At most ``size`` bytes as received, coding kept; all for a negative size; ``b""`` at the end.

        :raises BadSignature: the body is not what was signed.
        :raises BodyGone: it is gone from the store.
        """
        wanted = sys.maxsize if size is None or size < 0 else size
        if wanted > len(self._held) - self._at:
            # As urllib3 does: a short read means the end.
            self._hold(wanted)
        start, self._at = self._at, min(self._at + wanted, len(self._held))
        if self._at < len(self._held):
            return self._held[start : self._at]
        # A whole piece is given as it is: nothing is copied.
        data, self._held, self._at = self._held[start:] if start else self._held, b"", 0
        return data

    def _hold(self, size: int) -> None:
        pieces = [self._held[self._at :]] if self._at < len(self._held) else []
        had = sum(map(len, pieces))
        if size == sys.maxsize and (rest := self._next(all_of_it=True)):
            pieces.append(rest)
        while had < size < sys.maxsize and (piece := self._next()):
            pieces.append(piece)
            had += len(piece)
        self._held, self._at = pieces[0] if len(pieces) == 1 else b"".join(pieces), 0

    read1 = read

    def isclosed(self) -> bool:
        """Whether the end was read, as http.client means it."""
        return self.closed or (self._at == len(self._held) and (self._body is None or self._body.at_end))

    def _next(self, *, all_of_it: bool = False) -> bytes:
        if self._body is None:
            return b""
        try:
            return do(self._body.rest() if all_of_it else self._body.read())
        except StoreError as error:
            raise BodyGone(f"the stored body is gone: {error}", error) from error


def stored_raw(reader: StoredReader, version: int, **options: Any) -> HTTPResponse:
    """A urllib3 response over a stored body; it decodes, streams and closes as one from the network."""
    source: Any = reader
    raw = HTTPResponse(
        body=source,
        preload_content=False,
        decode_content=False,
        enforce_content_length=False,
        version=version,
        **options,
    )
    # urllib3 names the version that its connection speaks, whatever an HTTP/1 response says.
    raw.version_string = version_name(max(version, HTTP_1_1))
    return raw
