"""Bodies under requests: file objects below urllib3's decoder, for what comes and is stored, and what was stored."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from sansio_cache.errors import StoreError

from .tee import StoredBody, Tee
from .work import do

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["StoredReader", "TeeReader", "raw_response"]

ARRIVED_LIMIT: Final = 65_536
"""Bytes that are taken, without waiting, of a body that is closed unread."""
_PIECE: Final = 65_536


class TeeReader(io.RawIOBase):
    """The body of a response on its way to the reader: every byte also goes to the store.

    Reads what the reader asks for and no more; errors of the network pass as they are.
    """

    def __init__(self, inner: HTTPResponse, tee: Tee) -> None:
        self._inner = inner
        self._tee = tee

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes as received, coding kept; all of them for a negative size; ``b""`` at the end."""
        if self.closed:
            return b""
        try:
            data = self._inner.read(None if size < 0 else size, decode_content=False)
        except BaseException:
            self._tee.abandon()
            raise
        do(self._tee.feed(data))
        if self._at_end(size, data):
            do(self._tee.finish())
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _at_end(self, size: int, data: bytes) -> bool:
        # With a known length the last byte is the end: many readers never ask for the empty read after it.
        return size < 0 or (not data and size != 0) or self._inner.length_remaining == 0

    def close(self) -> None:
        """Give the connection back, or drop it; what has already arrived of a body left unread is kept first."""
        if not self.closed:
            if not self._tee.done:
                self._take_arrived()
            self._tee.abandon()
            self._inner.close()
            self._inner.release_conn()
        super().close()

    def _take_arrived(self) -> None:
        """Read what has arrived, without waiting: if that completes the message, it is kept."""
        sock: Any = getattr(getattr(self._inner, "connection", None), "sock", None)
        if not isinstance(sock, socket.socket):
            return
        taken = 0
        # The connection is dropped next unless it comes to its end, so that its state does not matter any more.
        with suppress(Exception):
            sock.settimeout(0.0)
            while taken <= ARRIVED_LIMIT and not self._tee.done:
                taken += len(self.read(_PIECE))

    def __del__(self) -> None:
        self._tee.abandon()
        super().__del__()


class StoredReader(io.RawIOBase):
    """A stored body as a file; each chunk is verified before a byte of it is given."""

    def __init__(self, body: StoredBody) -> None:
        self._body = body
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes as received, coding kept; ``b""`` at the end.

        :raises BadSignature: the body is not what was signed.
        :raises ProtocolError: it is gone from the store.
        """
        if size < 0:
            return self.readall()
        if not self._held and size:
            self._held = self._next()
        data, self._held = self._held[:size], self._held[size:]
        return data

    def readall(self) -> bytes:
        """All that is left."""
        pieces = [self._held]
        self._held = b""
        while piece := self._next():
            pieces.append(piece)
        return pieces[-1] if len(pieces) == 2 and not pieces[0] else b"".join(pieces)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _next(self) -> bytes:
        try:
            return do(self._body.read())
        except StoreError as error:
            raise ProtocolError(f"the stored body is gone: {error}", error) from error


def raw_response(body: io.IOBase | bytes, **options: Any) -> HTTPResponse:
    """A urllib3 response over a file, or over bytes; it decodes, streams and closes as one from the network."""
    source: Any = io.BytesIO(body) if isinstance(body, bytes) else body
    return HTTPResponse(
        body=source, preload_content=False, decode_content=True, enforce_content_length=False, version=11, **options
    )
