"""Transports of httpx2 that send nothing, to stand where one is asked for."""

from __future__ import annotations

import httpx2

__all__ = ["AsyncSendsNothing", "SendsNothing"]


class SendsNothing(httpx2.BaseTransport):
    """Sends nothing: it stands below a client that only makes requests, or a cache that is put above others."""


class AsyncSendsNothing(httpx2.AsyncBaseTransport):
    """The same for awaiting clients."""
