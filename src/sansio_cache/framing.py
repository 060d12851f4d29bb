"""Messages on the wire (RFC 9112): whether the body of one is already here as a whole."""

from __future__ import annotations

from .messages import Headers

__all__ = ["body_here"]


def body_here(received: bytes, expected: int | None, headers: Headers) -> bytes | None:
    """A message's body, transfer coding removed, if all of it is among the bytes that follow its head; else None.

    :param expected: the length in bytes that its framing promises, or None.
    """
    if "transfer-encoding" in headers:
        if (headers.get("transfer-encoding") or "").strip(" \t").lower() != "chunked":
            return None
        return _from_chunks(received)
    # A body that ends with its connection is never seen to be whole.
    return None if expected is None or len(received) < expected else received[:expected]


def _from_chunks(received: bytes) -> bytes | None:
    """RFC 9112 §7.1; None for what is not yet, or never, a whole body in chunks: the client is the judge of it."""
    pieces: list[bytes] = []
    at = 0
    while True:
        end = received.find(b"\r\n", at, at + 1024)
        size = _size(received[at:end]) if end >= 0 else None
        if size is None:
            return None
        at = end + 2
        if size == 0:
            break
        if received[at + size : at + size + 2] != b"\r\n":
            return None
        pieces.append(received[at : at + size])
        at += size + 2
    ended = received.startswith(b"\r\n", at) or received.find(b"\r\n\r\n", at) >= 0
    return b"".join(pieces) if ended else None


def _size(line: bytes) -> int | None:
    digits = line.partition(b";")[0].strip(b" \t")
    return int(digits, 16) if digits and len(digits) <= 8 and digits.isalnum() and not _odd(digits) else None


def _odd(digits: bytes) -> bool:
    return any(each not in b"0123456789abcdefABCDEF" for each in digits)
