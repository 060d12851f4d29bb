"""One HTTP/1.1 connection: h11 between an anyio stream and the pool (RFC 9112).

h11 knows the protocol and no socket, anyio the socket and no protocol. This module moves bytes between them
and keeps three promises: every wait has a deadline, every foreign exception leaves as one of ours, and a
connection that is not provably at rest is never used again.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import anyio
import anyio.abc
import h11
from anyio.abc import SocketAttribute
from anyio.lowlevel import checkpoint
from anyio.streams.tls import TLSAttribute, TLSStream

from .content import OutgoingRequest
from .errors import (
    CONNECT,
    READ,
    WRITE,
    ReadError,
    RemoteProtocolError,
    TransportError,
    WriteError,
    mapped_errors,
)
from .fields import Fields
from .url import Origin

__all__ = ["Connection", "ReceivedHead", "default_ssl_context"]

MAX_HEAD = 64 * 1024
"""Bytes that a response's head may have; also what h11 may hold of any event that is not complete."""
MAX_FIELDS = 1000
MAX_INTERIM = 100
"""Fields of a head, and 1xx responses before the final one: a server that sends more wants no answer read."""

RECEIVE = 256 * 1024
# asyncio reads up to 256 KiB from the socket at once. RequestMaker for less would leave the rest in a buffer of
# anyio's, where ``_quiet`` cannot see it.
PIECE = 64 * 1024
"""Bytes of a request's content that are written at once, and about as many that a piece of a body has."""
MAX_PARTS = 256
"""Chunks that a piece may be made of: a body in chunks of one byte must not keep the event loop busy."""
GRACE = 0.01
"""Seconds that bytes which already lie in the socket may take to come through TLS and the event loop."""


class ReceivedHead(NamedTuple):
    """The head of a final response: status, reason and fields, as the origin spelled them, by latin-1."""

    status: int
    reason: str
    headers: Fields
    version: str


class _Transport(anyio.abc.ByteStream):
    """The socket below TLS, which remembers whether its end was reached.

    TLS says goodbye before TCP does. Where the socket ended and no close_notify came, the end of a body that
    is delimited by it may be an attacker's (RFC 9112 §9.8). A context may be set to overlook that: not we.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream
        self.ended: bool = False

    async def receive(self, max_bytes: int = RECEIVE) -> bytes:
        try:
            return await self._stream.receive(RECEIVE)
        except anyio.EndOfStream:
            self.ended = True
            raise

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes


class Connection:
    """A connection to one origin, for one exchange at a time.

    :ivar heard: whether any byte of the current response has come.
    :ivar complete: whether the current response has come to its end.
    :ivar raw_socket: the socket, below TLS.

    After any error, cancellation included, only ``aclose`` may be called.
    """

    def __init__(self, origin: Origin, transport: _Transport, tls: TLSStream | None) -> None:
        self.origin = origin
        self.heard: bool = False
        self.complete: bool = False
        self._transport = transport
        self._tls = tls
        self._stream: anyio.abc.ByteStream = tls or transport
        self.raw_socket: socket.socket = transport.extra(SocketAttribute.raw_socket)  # noqa: S610 - no Django
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._held = b""  # received, not given to h11 yet
        self._unparsed = 0  # bytes of a head that h11 has and cannot make an event of yet

    @classmethod
    async def open(cls, origin: Origin, seconds: float | None, context: ssl.SSLContext | None) -> Connection:
        """A new connection, over TLS where ``context`` is given.

        :raises ConnectError: there is no connection; CertificateError and ConnectTimeout likewise.
        """
        with mapped_errors(CONNECT._replace(doing=f"connecting to {origin.authority}"), seconds):
            transport = _Transport(await anyio.connect_tcp(origin.host, origin.port))
            tls = None if context is None else await _secure(transport, origin.host, context)
        return cls(origin, transport, tls)

    async def exchange(self, event: h11.Request, request: OutgoingRequest) -> ReceivedHead:
        """The head of the final response to a request; ``event`` is what ``request_event`` made of it.

        :raises TransportError: a WriteError, WriteTimeout, ReadError, ReadTimeout, RemoteProtocolError or
            LocalProtocolError.
        :raises Exception: an error of the body's iterator.
        """
        self.heard = self.complete = False
        self._unparsed = 0
        broken = None
        try:
            await self._send(event, request)
        except WriteError as exc:
            # A server may refuse a body before it has read it, and close (RFC 9112 §9.6): its answer says
            # more than the broken pipe.
            broken = exc
        try:
            return await self._read_head(request.timeout.read)
        except TransportError:
            if broken is None:
                raise
            raise broken from broken.__cause__

    async def next_piece(self, seconds: float | None) -> bytes:
        """The next bytes of the body as received, transfer coding removed; b"" at its end.

        :raises TransportError: a ReadError, ReadTimeout or RemoteProtocolError.
        """
        piece = self.parsed()
        if piece is not None:
            await checkpoint()
            return piece
        while piece is None:
            await self._fill(seconds)
            piece = self.parsed()
        return piece

    def parsed(self) -> bytes | None:
        """Like ``next_piece``, but only of what was received already: None where more is needed."""
        parts: list[bytes] = []
        size = 0
        with mapped_errors(READ):
            while not self.complete and size < PIECE and len(parts) < MAX_PARTS:
                event = self._h11.next_event()
                if isinstance(event, h11.Data):
                    parts.append(bytes(event.data))
                    size += len(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.complete = True
                else:
                    break
        return b"".join(parts) if parts or self.complete else None

    async def arrived(self) -> bytes | None:
        """Like ``next_piece``, but only of what has already arrived: None where one would have to wait."""
        piece = self.parsed()
        if piece is None and self._held == b"" and (rest := self._decrypted(RECEIVE)):
            self._h11.receive_data(rest)
            piece = self.parsed()
        if piece is None and (self._held or self._readable()):
            with anyio.move_on_after(GRACE):
                await self._fill(None)
            piece = self.parsed()
        return piece

    def recycle(self) -> bool:
        """Make ready for another exchange: False where the connection is of no use any more."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE or not self.quiet():
            return False
        self._h11.start_next_cycle()
        return True

    def quiet(self) -> bool:
        """Whether nothing has come since the last exchange: no end, and no unrequested byte.

        The next response would be read from such bytes: anyone who sent them could answer another's request.
        """
        unread = self._held or self._h11.trailing_data[0]
        return not unread and self._decrypted(1) is None and not self._readable()

    def shut(self) -> None:
        """End the connection without waiting; ``aclose`` frees the socket later. Never raises."""
        with suppress(OSError):
            self.raw_socket.shutdown(socket.SHUT_RDWR)

    async def aclose(self) -> None:
        """Close the socket at once, also when cancelled. Idempotent."""
        await _close(self._transport)

    async def _send(self, event: h11.Request, request: OutgoingRequest) -> None:
        seconds, body = request.timeout.write, request.body
        if isinstance(body, bytes):
            if len(body) <= PIECE:
                await self._write(seconds, event, h11.Data(data=body), h11.EndOfMessage())
                return
            await self._write(seconds, event)
            for start in range(0, len(body), PIECE):
                await self._write(seconds, h11.Data(data=body[start : start + PIECE]))
        else:
            await self._write(seconds, event)
            pieces = body()
            try:
                async for piece in pieces:
                    await self._write(seconds, h11.Data(data=_bytes(piece)))
            finally:
                # A generator left in the middle would be closed by the garbage collector, elsewhere and late.
                close = getattr(pieces, "aclose", None)
                if close is not None:
                    await close()
        await self._write(seconds, h11.EndOfMessage())

    async def _write(self, seconds: float | None, *events: h11.Event) -> None:
        with mapped_errors(WRITE, seconds):
            data = b"".join(self._h11.send(event) or b"" for event in events)
            if data:
                await self._stream.send(data)

    async def _read_head(self, seconds: float | None) -> ReceivedHead:
        for _ in range(MAX_INTERIM):
            event = await self._next_head(seconds)
            if isinstance(event, h11.Response):
                fields = event.headers.raw_items()
                if len(fields) > MAX_FIELDS:
                    raise RemoteProtocolError(f"a head of {len(fields)} fields")
                return ReceivedHead(
                    event.status_code,
                    event.reason.decode("latin-1"),
                    [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields],
                    f"HTTP/{event.http_version.decode('ascii')}",
                )
            if event.status_code == 101:
                raise RemoteProtocolError("the server switched to another protocol")
        raise RemoteProtocolError(f"more than {MAX_INTERIM} interim responses")

    async def _next_head(self, seconds: float | None) -> h11.Response | h11.InformationalResponse:
        while True:
            with mapped_errors(READ):
                event = self._h11.next_event()
            if isinstance(event, (h11.Response, h11.InformationalResponse)):
                self._unparsed = len(self._h11.trailing_data[0])
                return event
            if event is not h11.NEED_DATA:
                raise RemoteProtocolError(f"{event!r} in the place of a response")
            await self._fill(seconds)

    async def _fill(self, seconds: float | None) -> None:
        data = self._held
        if not data:
            with mapped_errors(READ, seconds):
                try:
                    data = await self._stream.receive(RECEIVE)
                except anyio.EndOfStream:
                    if self._tls and self._transport.ended:
                        raise ReadError("the TLS connection was cut off: no close_notify came") from None
            if not data and not self.heard:
                raise RemoteProtocolError("the server closed the connection without an answer")
        self.heard = True
        step = RECEIVE
        if self._h11.their_state is h11.SEND_RESPONSE:
            # h11 finds a head too long only while it is incomplete: never give it one that is both.
            step = MAX_HEAD + 1 - self._unparsed
            self._unparsed += len(data[:step])
        self._held = data[step:]
        self._h11.receive_data(data[:step])

    def _decrypted(self, size: int) -> bytes | None:
        """The bytes that are ready in the TLS layer, without touching the socket; None for nothing, b"" at its end."""
        if self._tls is None:
            return None
        try:
            return self._tls.extra(TLSAttribute.ssl_object).read(size)  # noqa: S610 - no Django
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLError:
            return b""

    def _readable(self) -> bool:
        """Whether the socket has bytes, its end or an error to show."""
        if self.raw_socket.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(self.raw_socket.fileno(), select.POLLIN)
        return bool(poller.poll(0))


def _bytes(piece: Any) -> bytes:
    try:
        return bytes(memoryview(piece))
    except TypeError:
        raise TypeError(f"content= takes an iterator of bytes, and this one gave {type(piece).__name__}") from None


async def _secure(transport: _Transport, host: str, context: ssl.SSLContext) -> TLSStream:
    try:
        return await TLSStream.wrap(
            transport,
            server_side=False,
            # Neither the root's final dot nor an IPv6 zone is part of the name that a certificate shows.
            hostname=host.rstrip(".").partition("%")[0],
            ssl_context=context,
            # HTTP knows where its messages end: no closing handshake is waited for.
            standard_compatible=False,
        )
    except BaseException:
        await _close(transport)
        raise


async def _close(stream: anyio.abc.AsyncResource) -> None:
    # Shielded, so that the error on its way out is not replaced; forced, so that nothing is waited for.
    with anyio.CancelScope(shield=True), suppress(OSError):
        await anyio.aclose_forcefully(stream)


def default_ssl_context(*, verify: bool = True) -> ssl.SSLContext:
    """TLS as the system trusts it (truststore), or unverified."""
    if verify:
        import truststore

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
