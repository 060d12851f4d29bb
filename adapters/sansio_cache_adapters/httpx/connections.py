"""Connections of httpx2: how they are given up in the child of a ``fork``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import httpcore2
import httpx2

from sansio_cache_adapters.cache.inherited import UsedConnections
from sansio_cache_adapters.cache.within import within
from sansio_cache_adapters.stores.forking import cut_off

__all__ = ["transports"]

_ALONE: Final = (httpx2.MockTransport, httpx2.WSGITransport, httpx2.ASGITransport)
"""They have no connections."""
_TRANSPORTS: Final = (httpx2.BaseTransport, httpx2.AsyncBaseTransport)
_POOLS: Final = (httpcore2.ConnectionPool, httpcore2.AsyncConnectionPool)


class _Requests(list[Any]):
    """The requests of a child's pool. A response that the child inherited takes its own away, which is not in it."""

    def remove(self, request: object, /) -> None:
        with suppress(ValueError):
            super().remove(request)


def _renew(transport: object, /, *, idle: bool) -> bool:
    pools = [each for each in within(transport, *_TRANSPORTS, *_POOLS) if isinstance(each, _POOLS)]
    for pool in pools:
        _empty(pool, idle=idle)
    return bool(pools) or isinstance(transport, _ALONE)


def _empty(pool: object, *, idle: bool) -> None:
    """Give up the connections of a pool, or only those that are idle. In a child no other thread holds its lock."""
    private: Any = pool
    gone = [each for each in private._connections if not idle or each.is_idle()]
    cut_off(descriptor for each in gone for descriptor in _descriptors(each))
    private._connections = [each for each in private._connections if each not in gone]
    if isinstance(pool, httpcore2.ConnectionPool):
        private._optional_thread_lock._lock = threading.RLock()
        if not idle:
            # The threads that wait for a connection are the parent's. Tasks may go on in a child.
            private._requests = _Requests()
        for each in gone:
            with suppress(Exception):
                each.close()


def _descriptors(connection: object) -> Iterator[int]:
    """The sockets of a connection of httpcore: it is the innermost of several objects that has one."""
    within: Any = connection
    while within is not None:
        stream = getattr(within, "_network_stream", None)
        if stream is not None:
            found = stream.get_extra_info("socket")
            with suppress(OSError, ValueError, AttributeError):
                yield found.fileno()
        within = getattr(within, "_connection", None)


transports: Final = UsedConnections[object](_renew)
