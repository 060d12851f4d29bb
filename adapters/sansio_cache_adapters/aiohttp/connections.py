"""Connections of aiohttp: how they are given up in the child of a ``fork``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, cast

from aiohttp import BaseConnector

from sansio_cache_adapters.cache.inherited import UsedConnections
from sansio_cache_adapters.stores.forking import cut_off

__all__ = ["connectors"]


def _empty(connector: BaseConnector, /, *, idle: bool) -> bool:
    """Give up the connections of a connector, or only those that are idle; whether they could be found."""
    private: Any = connector
    try:
        kept: Iterable[Iterable[tuple[Any, float]]] = list(private._conns.values())
        gone = [protocol for each in kept for protocol, *_ in each]
        if not idle:
            gone += private._acquired
    except AttributeError:
        return False
    private._conns.clear()
    for protocol in gone:
        transport: asyncio.BaseTransport | None = getattr(protocol, "transport", None)
        if transport is not None:
            _cut(transport)
    return True


def _cut(transport: asyncio.BaseTransport) -> None:
    socket = transport.get_extra_info("socket")
    with suppress(OSError, ValueError, AttributeError):
        cut_off([socket.fileno()])
    # It is no longer shared with the parent, so changes here stay here. A loop that has ended takes no calls.
    with suppress(Exception):
        cast(asyncio.Transport, transport).abort()


connectors: Final = UsedConnections(_empty)
