"""Every error of the trio client, in one tree.

    TransportError
    ├── InvalidURL              not an http or https URL (also a ValueError)
    ├── LocalProtocolError      the request cannot be sent as it was given
    ├── ConnectError            no connection: name, route, refusal, TLS
    │   └── CertificateError    the certificate does not prove the host
    ├── WriteError              the connection broke while the request was sent
    ├── ReadError               the connection broke while the response was read
    ├── RemoteProtocolError     what came is not HTTP/1.1, or not all of it came
    ├── DecodingError           the content coding is broken, or the body ends in the middle of it
    ├── TransportTimeout        nothing moved for as long as the Timeout allows
    │   ├── ConnectTimeout, WriteTimeout, ReadTimeout
    │   └── PoolTimeout         no connection became free
    ├── TooManyRedirects        in ``response``, with those that were followed
    ├── HTTPStatusError         in ``response``: raised by ``raise_for_status()`` only
    ├── StreamError             the body cannot be read (again)
    │   ├── StreamConsumed, StreamClosed, ResponseNotRead
    └── SessionClosed           the session was used after ``aclose()``

Whatever h11, anyio, ssl or the operating system raised is the ``__cause__``; ``mapped_errors`` turns it into these.
Cancellation is never caught: it is no error.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import NamedTuple

import anyio
import h11

__all__ = [
    "TransportError",
    "InvalidURL", "LocalProtocolError",
    "ConnectError", "CertificateError", "WriteError", "ReadError", "RemoteProtocolError", "DecodingError",
    "TransportTimeout", "ConnectTimeout", "WriteTimeout", "ReadTimeout", "PoolTimeout",
    "StreamError", "StreamConsumed", "StreamClosed", "ResponseNotRead", "SessionClosed",
    "CONNECT", "READ", "WRITE", "Phase", "mapped_errors",
]  # fmt: skip


class TransportError(Exception):
    """The root: a request that did not bring a usable response."""

    url: str | None = None
    """The URL of the hop that failed, without userinfo; None where no request was made yet."""


class InvalidURL(TransportError, ValueError):
    """The text is no absolute http or https URL with a host (RFC 9110 §4.2)."""


class LocalProtocolError(TransportError):
    """The request breaks HTTP/1.1: an illegal field, a body longer or shorter than declared, CONNECT."""


class ConnectError(TransportError):
    """No connection: the name, the route, a refusal, or TLS."""


class CertificateError(ConnectError):
    """The peer's certificate does not prove that it is the host that was asked for."""


class WriteError(TransportError):
    """The connection broke while the request was being sent; the server may have seen a part of it."""


class ReadError(TransportError):
    """The connection broke while the response was being read."""


class RemoteProtocolError(TransportError):
    """The peer sent what HTTP/1.1 forbids, or closed the connection before the message was complete."""


class DecodingError(TransportError):
    """The body is not what its Content-Encoding says, or ends in the middle of it (RFC 9110 §8.4)."""


class TransportTimeout(TransportError):
    """Nothing moved for as long as the ``Timeout`` allows; the connection is closed."""


class ConnectTimeout(TransportTimeout):
    """No connection, TLS handshake included, within ``Timeout.connect`` seconds."""


class WriteTimeout(TransportTimeout):
    """The server took nothing for ``Timeout.write`` seconds."""


class ReadTimeout(TransportTimeout):
    """No byte came for ``Timeout.read`` seconds."""


class PoolTimeout(TransportTimeout):
    """No connection became free within ``Timeout.pool`` seconds."""


class StreamError(TransportError):
    """The body cannot be read, or not again."""


class StreamConsumed(StreamError):
    """The body streams once, and it has."""


class StreamClosed(StreamError):
    """The response was closed before its body had been read."""


class ResponseNotRead(StreamError):
    """``content``, ``text`` or ``json()`` of a streamed response before ``await response.read()``."""


class SessionClosed(TransportError):
    """The session was closed before, or while the request waited for a connection."""


class Phase(NamedTuple):
    """The step in which something broke, or nothing moved."""

    doing: str
    broken: type[TransportError]
    late: type[TransportTimeout]


CONNECT = Phase("connecting", ConnectError, ConnectTimeout)
WRITE = Phase("sending the request", WriteError, WriteTimeout)
READ = Phase("reading the response", ReadError, ReadTimeout)

# First match wins; None stands for the phase's own error.
_FOREIGN: dict[type[Exception], type[TransportError] | None] = {
    ssl.SSLCertVerificationError: CertificateError,
    h11.RemoteProtocolError: RemoteProtocolError,
    h11.LocalProtocolError: LocalProtocolError,
    anyio.BusyResourceError: LocalProtocolError,
    anyio.BrokenResourceError: None,
    anyio.ClosedResourceError: None,
    anyio.EndOfStream: None,
    OSError: None,
}
_FOREIGN_TYPES = tuple(_FOREIGN)


@contextmanager
def mapped_errors(phase: Phase, seconds: float | None = None) -> Generator[None]:
    """The one way in for what h11, anyio, ssl and the system raise: it leaves as an error of ours.

    ``seconds`` bounds what is done inside; then the phase's timeout is raised.
    """
    scope = None
    try:
        if seconds is None:
            yield
        else:
            with anyio.move_on_after(seconds) as scope:
                yield
    except _FOREIGN_TYPES as exc:
        error = next(ours for foreign, ours in _FOREIGN.items() if isinstance(exc, foreign))
        # The evidence may hold a whole head of garbage.
        text = str(exc)[:200] or type(exc).__name__
        raise (error or phase.broken)(f"{phase.doing}: {text}") from exc
    if scope is not None and scope.cancelled_caught:
        raise phase.late(f"{phase.doing}: nothing moved for {seconds:g} s")
