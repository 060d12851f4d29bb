"""Connections and ``fork``: a child gives up those that were opened before it.

Two processes that read from one connection get each other's answers. What goes to the network is the user's: adapters,
connectors, transports. In a child each that was ever used through a cache begins without connections, and its old ones
are cut off, so that nothing that it does to them reaches the parent.
"""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

from sansio_cache_adapters.stores.forking import FORKS, Living, follow_forks

__all__ = ["INHERITED", "UsedConnections"]

INHERITED: Final = "connection-before-fork"
"""Why nothing is kept of what comes over connections that cannot be seen."""
T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Emptying(Protocol[T_contra]):
    """How a client's connections are given up. In a child no lock of the client's may be taken: none is released."""

    def __call__(self, owner: T_contra, /, *, idle: bool) -> bool:
        """Give up all connections of an owner, or only those that are idle; whether they could be seen."""
        ...


class UsedConnections(Generic[T]):
    """The owners of connections (adapters, connectors, transports) that were used through a cache."""

    def __init__(self, empty: Emptying[T]) -> None:
        self._empty = empty
        self._known: Living[T] = Living()
        self._unseen: Living[T] = Living()
        follow_forks(self)

    def use(self, owner: T) -> str:
        """To be called before each request that goes out. Why its answer must not be kept, or ``""``."""
        if owner not in self._known:
            self._known.add(owner)
            if FORKS.generation:
                # Used without a cache till now, perhaps before the fork.
                self._empty(owner, idle=True)
        return INHERITED if FORKS.generation and owner in self._unseen else ""

    def begin_anew(self) -> None:
        """In the child of a fork, give up every connection, without a lock; the parent keeps them."""
        for owner in self._known.all():
            if not self._empty(owner, idle=False):
                self._unseen.add(owner)
