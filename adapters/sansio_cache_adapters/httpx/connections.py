"""Connections of httpx2 and ``fork``: a child gives up those that were opened before it.

The transports that go to the network are the user's. In a child each that was ever used through a cache gets an empty
pool, and its old connections are cut off, so that nothing that it does to them reaches the parent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import httpcore2
import httpx2

from sansio_cache_adapters.stores.forking import FORKS, Living, cut_off, follow_forks
from sansio_cache_adapters.stores.loops import loops

__all__ = ["INHERITED", "transports"]

INHERITED: Final = "connection-before-fork"
"""Why nothing is kept of what comes through a transport whose connections cannot be seen."""
_DEPTH: Final = 3
_ALONE: Final = (httpx2.MockTransport, httpx2.WSGITransport, httpx2.ASGITransport)
"""They have no connections."""
_Transport = httpx2.BaseTransport | httpx2.AsyncBaseTransport
_Pool = httpcore2.ConnectionPool | httpcore2.AsyncConnectionPool


class _Requests(list[Any]):
    """The requests of a child's pool. A response that the child inherited takes its own away, which is not in it."""

    def remove(self, request: object, /) -> None:
        with suppress(ValueError):
            super().remove(request)


class _Transports:
    """The transports that were used below a cache."""

    def __init__(self) -> None:
        self._known: Living[_Transport] = Living()
        self._inherited: Living[_Transport] = Living()
        follow_forks(self)

    def use(self, transport: _Transport) -> str:
        """To be called before each request that goes down. Why its answer must not be kept, or ``""``."""
        loops.use()
        if transport not in self._known:
            self._known.add(transport)
            if FORKS.generation:
                # Used without a cache till now, perhaps before the fork.
                for pool in _pools(transport, 0):
                    _empty(pool, idle=True)
        return INHERITED if transport in self._inherited else ""

    def before_fork(self) -> None:
        """Do nothing: the parent keeps its connections, and the child gives them up without a lock."""

    def after_fork(self, *, child: bool) -> None:
        """In the child, empty every pool."""
        if not child:
            return
        for transport in self._known.all():
            pools = list(_pools(transport, 0))
            for pool in pools:
                _empty(pool, idle=False)
            if not pools and not isinstance(transport, _ALONE):
                self._inherited.add(transport)


def _pools(value: object, depth: int) -> Iterator[_Pool]:
    """The pools of a transport, and of one within it."""
    if isinstance(value, _Pool):
        yield value
    elif depth < _DEPTH and isinstance(value, _Transport):
        for each in vars(value).values():
            yield from _pools(each, depth + 1)


def _empty(pool: _Pool, *, idle: bool) -> None:
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


transports: Final = _Transports()
