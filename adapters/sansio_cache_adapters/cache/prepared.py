"""The size of prepared requests that the fast paths remember: bounded in bytes, since strangers may choose URLs."""

from __future__ import annotations

from itertools import chain
from typing import Final

from sansio_cache.messages import Request

__all__ = ["PREPARED_BYTES", "bytes_of"]

PREPARED_BYTES: Final = 16_777_216
"""Bytes of prepared requests that a session remembers: some 3,000 of the usual length."""
_OVERHEAD: Final = 4_096
"""Bytes of the objects that a client makes of a request, without their texts."""
_COPIES: Final = 4
"""How often a text stands in them, counted generously."""


def bytes_of(request: Request) -> int:
    """The bytes that a prepared request takes, roughly: as the client has it and as the core sees it."""
    fields = sum(map(len, chain.from_iterable(request.headers.items)))
    return _OVERHEAD + _COPIES * (request.url.__sizeof__() + fields)
