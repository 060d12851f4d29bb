"""Connections of requests: how they are given up in the child of a ``fork``."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Queue
from typing import Any, Final

from requests.adapters import BaseAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, PoolManager
from urllib3._collections import RecentlyUsedContainer

from sansio_cache_adapters.cache.inherited import UsedConnections
from sansio_cache_adapters.cache.within import within
from sansio_cache_adapters.stores.forking import Living, cut_off, follow_forks

__all__ = ["adapters", "under_way"]

_POOLS: Final = (PoolManager, RecentlyUsedContainer, HTTPConnectionPool)


class _Bodies:
    """The responses whose body goes to a store as it is read. Their connection is in no pool."""

    def __init__(self) -> None:
        self._under_way: Living[HTTPResponse] = Living()
        follow_forks(self)

    def add(self, response: HTTPResponse) -> None:
        """Follow a response until it is dropped."""
        self._under_way.add(response)

    def begin_anew(self) -> None:
        """In a fork's child, end what is under way: each byte read there would be missing in what the parent keeps."""
        cut_off(_descriptor(each) for each in self._under_way.all())


def _descriptor(socket: Any) -> int:
    try:
        return int(socket.fileno())
    except (OSError, ValueError, AttributeError):  # it is closed, or was never opened
        return -1


def _renew(adapter: BaseAdapter, /, *, idle: bool) -> bool:
    """Give an adapter pools without connections, also to those within it; whether any could be found.

    Connections in use are in no pool: see :class:`_Bodies`.
    """
    parts: list[object] = within(adapter, BaseAdapter, *_POOLS)[1:]
    for part in parts:
        private: Any = part
        if isinstance(part, HTTPConnectionPool):
            _empty(part)
        elif isinstance(part, RecentlyUsedContainer):
            # Not the same pools: a response that is still being read would give its connection back to them.
            private._container.clear()
            private.lock = threading.RLock()
    return any(isinstance(part, _POOLS) for part in parts)


def _empty(pool: HTTPConnectionPool) -> None:
    private: Any = pool
    queue: Any = private.pool
    if queue is None:  # it was closed
        return
    idle = [each for each in list(queue.queue) if each is not None]
    cut_off(_descriptor(getattr(each, "sock", None)) for each in idle)
    if isinstance(queue, Queue):
        # Its locks are new then; urllib3 closes what is in this very queue when the pool is collected.
        kind: Any = Queue
        kind.__init__(queue, queue.maxsize)
    else:
        private.pool = type(queue)(queue.maxsize)
    for _ in range(queue.maxsize):
        private.pool.put(None)
    for each in idle:
        with suppress(Exception):
            each.close()


adapters: Final = UsedConnections(_renew)
under_way: Final = _Bodies()
