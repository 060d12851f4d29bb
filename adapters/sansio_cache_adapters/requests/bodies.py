"""Bodies under requests: file objects below urllib3's decoder, for what comes and is stored, and what was stored."""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, Final

from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from sansio_cache.errors import StoreError
from sansio_cache.policy import Policy
from sansio_cache_adapters.cache.stored_body import StoredBody, may_fetch_anew
from sansio_cache_adapters.cache.tee import Tee
from sansio_cache_adapters.cache.work import do

from .connections import under_way

__all__ = ["BodyGone", "StoredReader", "TeeResponse", "is_a_miss", "stored_raw"]

ARRIVED_LIMIT: Final = 65_536
"""Bytes that are taken, without waiting, of a body that is closed unread."""
_PIECE: Final = 65_536
_AT_ONCE: Final = 1e-6
"""Seconds. Not 0: a socket that does not block ends a read early without a word, and a cut body would look whole."""


class BodyGone(ProtocolError):
    """A stored body is no longer there: it was replaced a while ago, or its store is in trouble."""


def is_a_miss(error: Exception, policy: Policy) -> bool:
    """Whether a stored body that could not be read whole is a miss, nothing of it having been handed out."""
    return isinstance(error, BodyGone) or may_fetch_anew(error, policy)


class _TeeReader(io.RawIOBase):
    """The body of a response on its way to the reader: every byte also goes to the store.

    Reads what the reader asks for and no more; errors of the network pass as they are.
    """

    def __init__(self, inner: HTTPResponse, tee: Tee) -> None:
        self._inner = inner
        self._tee = tee
        self._chunks: Iterator[bytes] | None = None
        self._held = b""
        self._given_up = False

    def read(self, size: int | None = -1, /) -> bytes:
        """At most ``size`` bytes as received, coding kept; all for a negative size; ``b""`` at the end."""
        if self.closed:
            return b""
        if self._chunks is not None:
            return self._from_chunks(size)
        everything = size is None or size < 0
        data = self._passed(self._inner.read, None if everything else size)
        if everything or self._at_end(size, data):
            do(self._tee.finish())
        return data

    def read1(self, size: int | None = -1, /) -> bytes:
        """What comes next, at most ``size`` bytes: a chunk as it comes, without waiting for more."""
        if self.closed or size == 0:
            return b""
        if self._inner.chunked and self._inner.supports_chunked_reads():
            data = self._held or self._next_chunk()
            cut = len(data) if size is None or size < 0 else size
            self._held = data[cut:]
            return data[:cut]
        data = self._passed(self._inner.read1, None if size is None or size < 0 else size)
        if self._at_end(size, data):
            do(self._tee.finish())
        return data

    def _passed(self, read: Any, size: int | None) -> bytes:
        try:
            data: bytes = read(size, decode_content=False)
        except BaseException:
            self._tee.abandon()
            raise
        do(self._tee.feed(data))
        return data

    def _at_end(self, size: int | None, data: bytes) -> bool:
        # Many readers never ask for the empty read that comes after the last byte.
        return (not data and size != 0) or self._inner.length_remaining == 0 or self._inner.closed

    def _next_chunk(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._inner.read_chunked(_PIECE, decode_content=False)
        try:
            data = next(self._chunks, b"")
        except BaseException:
            self._tee.abandon()
            raise
        do(self._tee.feed(data) if data else self._tee.finish())
        return data

    def _from_chunks(self, size: int | None) -> bytes:
        """``read`` after ``read1``: the rest of a body that is read chunk by chunk."""
        pieces = [self._held]
        had = len(self._held)
        while (size is None or size < 0 or had < size) and (piece := self._next_chunk()):
            pieces.append(piece)
            had += len(piece)
        data = b"".join(pieces)
        cut = len(data) if size is None or size < 0 else size
        self._held = data[cut:]
        return data[:cut]

    def isclosed(self) -> bool:
        """Whether the end was read, as http.client means it."""
        return not self._held and (self.closed or self._inner.closed)

    def fileno(self) -> int:
        return self._inner.fileno()

    def close(self) -> None:
        """Give the connection back, or drop it; what has already arrived of a body left unread is kept first."""
        if not self.closed and not self._given_up:
            if not self._tee.done:
                self._take_arrived()
            self._tee.abandon()
            self._inner.close()
            self._inner.release_conn()
        super().close()

    def _take_arrived(self) -> None:
        """Read what has arrived, without waiting: if that completes the message, it is kept."""
        sock: Any = getattr(self._inner.connection, "sock", None)
        if not isinstance(sock, socket.socket):
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

    def give_up(self) -> None:
        """Store nothing, and leave the connection to its own end: no I/O, and no lock but our own."""
        self._given_up = True
        self._tee.abandon()

    def __del__(self) -> None:
        self.give_up()
        super().__del__()


class TeeResponse(HTTPResponse):
    """urllib3's response, its body also going to the store."""

    def __init__(self, inner: HTTPResponse, tee: Tee, request_method: str | None) -> None:
        self._inner = inner
        self._reader = _TeeReader(inner, tee)
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
        """Wake whoever is reading from another thread."""
        self._inner.shutdown()

    def __del__(self) -> None:
        self._reader.give_up()
        super().__del__()


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
        while had < size and (piece := self._next()):
            pieces.append(piece)
            had += len(piece)
        self._held, self._at = pieces[0] if len(pieces) == 1 else b"".join(pieces), 0

    read1 = read

    def isclosed(self) -> bool:
        """Whether the end was read, as http.client means it."""
        return self.closed or (self._at == len(self._held) and (self._body is None or self._body.at_end))

    def _next(self) -> bytes:
        if self._body is None:
            return b""
        try:
            return do(self._body.read())
        except StoreError as error:
            raise BodyGone(f"the stored body is gone: {error}", error) from error


def stored_raw(reader: StoredReader, **options: Any) -> HTTPResponse:
    """A urllib3 response over a stored body; it decodes, streams and closes as one from the network."""
    source: Any = reader
    return HTTPResponse(
        body=source, preload_content=False, decode_content=False, enforce_content_length=False, version=11, **options
    )
