"""Connections of requests and ``fork``: a child gives up those that were opened before it.

Two processes that read from one connection get each other's answers. The adapters that go to the network are the
user's, and so are their pools: in a child each adapter that was ever used through a cache gets empty pools, and its old
connections are cut off, so that nothing that it does to them reaches the parent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from queue import Queue
from typing import Any, Final, cast

from requests.adapters import BaseAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, PoolManager
from urllib3._collections import RecentlyUsedContainer

from sansio_cache_adapters.stores.forking import FORKS, Living, cut_off, follow_forks

__all__ = ["INHERITED", "adapters", "under_way"]

INHERITED: Final = "connection-before-fork"
"""Why nothing is kept of what comes through an adapter whose connections cannot be seen."""
_DEPTH: Final = 3
_Container = RecentlyUsedContainer[Any, HTTPConnectionPool]


class _Adapters:
    """The adapters that were used through a cache."""

    def __init__(self) -> None:
        self._known: Living[BaseAdapter] = Living()
        self._inherited: Living[BaseAdapter] = Living()
        follow_forks(self)

    def use(self, adapter: BaseAdapter) -> str:
        """To be called before each request that an adapter sends. Why its answer must not be kept, or ``""``."""
        if adapter not in self._known:
            self._known.add(adapter)
            if FORKS.generation and hasattr(adapter, "poolmanager"):
                # Used without a cache till now, perhaps before the fork.
                _renew(adapter)
        return INHERITED if FORKS.generation and adapter in self._inherited else ""

    def before_fork(self) -> None:
        """Do nothing: the parent keeps its connections, and the child gives them up without a lock."""

    def after_fork(self, *, child: bool) -> None:
        """In the child, empty every pool."""
        if child:
            for adapter in self._known.all():
                if not _renew(adapter):
                    self._inherited.add(adapter)


class _Bodies:
    """The responses whose body goes to a store as it is read. Their connection is in no pool."""

    def __init__(self) -> None:
        self._under_way: Living[HTTPResponse] = Living()
        follow_forks(self)

    def add(self, response: HTTPResponse) -> None:
        """Follow a response until it is dropped."""
        self._under_way.add(response)

    def before_fork(self) -> None:
        """Do nothing: see :meth:`after_fork`."""

    def after_fork(self, *, child: bool) -> None:
        """In the child, end what is under way: each byte read there would be missing in what the parent keeps."""
        if child:
            cut_off(_descriptor(each) for each in self._under_way.all())


def _descriptor(socket: Any) -> int:
    try:
        return int(socket.fileno())
    except (OSError, ValueError, AttributeError):  # it is closed, or was never opened
        return -1


def _renew(adapter: BaseAdapter) -> bool:
    """Give an adapter pools without connections; whether all its pools could be found.

    In a child no lock of urllib3's may be taken: a thread of the parent may have held it.
    """
    found = list(_parts(adapter, 0))
    for part in found:
        if isinstance(part, HTTPConnectionPool):
            _empty(part)
            continue
        container = part.pools if isinstance(part, PoolManager) else part
        private = cast(Any, container)
        for pool in list(private._container.values()):
            _empty(pool)
        # Not the same pools: a response that is still being read would give its connection back to them.
        private._container.clear()
        private.lock = threading.RLock()
    return bool(found)


def _parts(value: object, depth: int) -> Iterator[PoolManager | _Container | HTTPConnectionPool]:
    """Whatever holds connections in an adapter: its own, those for proxies, and those of an adapter within it."""
    if isinstance(value, PoolManager | RecentlyUsedContainer | HTTPConnectionPool):
        yield value
    elif depth < _DEPTH:
        within: list[object] = []
        if isinstance(value, BaseAdapter):
            within = list(vars(value).values())
        elif isinstance(value, Mapping):
            within = list(cast("Mapping[object, object]", value).values())
        elif isinstance(value, list | tuple):
            within = list(cast("list[object]", value))
        for each in within:
            yield from _parts(each, depth + 1)


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


adapters: Final = _Adapters()
under_way: Final = _Bodies()
