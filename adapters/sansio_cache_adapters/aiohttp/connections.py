"""Connections of aiohttp and ``fork``: a child gives up those that were opened before it.

The connectors are the user's. In a child each that was ever used through a cache begins without connections, and its
old ones are cut off, so that nothing that it does to them reaches the parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final, cast

from aiohttp import BaseConnector

from sansio_cache_adapters.stores.forking import FORKS, Living, cut_off, follow_forks
from sansio_cache_adapters.stores.loops import loops

__all__ = ["INHERITED", "connectors"]

INHERITED: Final = "connection-before-fork"
"""Why nothing is kept of what comes through a connector whose connections cannot be seen."""


class _Connectors:
    """The connectors that were used through a cache."""

    def __init__(self) -> None:
        self._known: Living[BaseConnector] = Living()
        self._inherited: Living[BaseConnector] = Living()
        follow_forks(self)

    def use(self, connector: BaseConnector | None) -> str:
        """To be called before each request that goes out. Why its answer must not be kept, or ``""``."""
        if connector is None:
            return ""
        loops.use()
        if connector not in self._known:
            self._known.add(connector)
            if FORKS.generation:
                # Used without a cache till now, perhaps before the fork.
                _empty(connector, idle=True)
        return INHERITED if FORKS.generation and connector in self._inherited else ""

    def before_fork(self) -> None:
        """Do nothing: the parent keeps its connections."""

    def after_fork(self, *, child: bool) -> None:
        """In the child, drop every connection."""
        if child:
            for connector in self._known.all():
                if not _empty(connector, idle=False):
                    self._inherited.add(connector)


def _empty(connector: BaseConnector, *, idle: bool) -> bool:
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


connectors: Final = _Connectors()
