"""Whether a TLS context would show a client certificate.

A context has no attribute for that. So it takes the client's part of a handshake with a server of ours, in memory, up
to the message that holds the client's certificate, which TLS 1.2 does not encrypt. The context is not changed, and need
not trust that server: the handshake begins under a context of ours, and the user's takes its place before the first
byte (as in servers that choose a context by the client's wish).
"""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["PlainContext", "shows_certificate"]

PlainContext: Final[Any] = next(each for each in ssl.SSLContext.__mro__ if each.__module__ == "ssl")
"""``ssl.SSLContext`` itself; truststore can put its own in the place of it."""

_HANDSHAKE: Final = 22
_CERTIFICATE: Final = 11


def shows_certificate(context: ssl.SSLContext) -> bool | None:
    """Whether a context would answer a server that asks for a client certificate with one; None if that is unknown."""
    return _ask(context) if _works() else None


@cache
def _works() -> bool:
    """Whether the TLS library lets itself be asked: one context with and one without a certificate must show it."""
    bare, holding = (PlainContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
    try:
        holding.load_cert_chain(_handshake_certificate())
    except (OSError, ValueError):
        return False
    return _ask(bare) is False and _ask(holding) is True


def _handshake_certificate() -> Path:
    return Path(__file__).with_name("handshake.pem")


@cache
def _parties() -> tuple[Any, Any]:
    """The context that a handshake begins under, and the server's."""
    beginning, server = PlainContext(ssl.PROTOCOL_TLS_CLIENT), PlainContext(ssl.PROTOCOL_TLS_SERVER)
    beginning.check_hostname = False
    beginning.verify_mode = ssl.CERT_NONE
    server.load_cert_chain(_handshake_certificate())
    server.verify_mode = ssl.CERT_OPTIONAL
    for each in (beginning, server):
        each.minimum_version = each.maximum_version = ssl.TLSVersion.TLSv1_2
    return beginning, server


def _ask(context: ssl.SSLContext) -> bool | None:
    try:
        beginning, server_context = _parties()
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = beginning.wrap_bio(to_client, to_server)
        client.context = context
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        for each in (client, server, client):
            _step(each)
    except (ssl.SSLError, OSError, ValueError, TypeError, AttributeError):
        return None
    return _holds_certificate(to_server.read())


def _step(side: Any) -> None:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return
    raise ssl.SSLError("the handshake ended before the certificate")


def _holds_certificate(sent: bytes) -> bool | None:
    """Whether a client's second flight holds a certificate: its first message, which may be empty (RFC 5246 §7.4.6)."""
    messages = b""
    while len(sent) > 5 and sent[0] == _HANDSHAKE:
        end = 5 + int.from_bytes(sent[3:5], "big")
        messages += sent[5:end]
        sent = sent[end:]
    if len(messages) < 7 or messages[0] != _CERTIFICATE:
        return None
    return messages[4:7] != bytes(3)
