"""Forks: objects that hold a lock, a thread or a connection are told before and after each.

They are told in the parent and in the child. The child has one thread: locks that other threads held are never released
there, and connections that both processes use would give each the other's answers.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar, runtime_checkable

__all__ = ["FORKS", "Forking", "Living", "Renewing", "RestingLock", "cut_off", "follow_forks", "renew_in_child"]

logger = logging.getLogger("sansio_cache")

T = TypeVar("T")


class _Forks:
    """How many forks lie between this process and the one that imported this module.

    What was begun in an earlier generation is the parent's to end: its lease, its pending body, its connection.
    """

    generation = 0


FORKS = _Forks()


def cut_off(descriptors: Iterable[int]) -> None:
    """In a child, put a connection that has ended in the place of each of these inherited sockets.

    Who holds one finds that its peer has closed it, and may close it in the usual way: no TLS alert and no shutdown
    reaches the parent's connection, and an epoll that both processes share keeps watching it for the parent.
    """
    ended, peer = socket.socketpair()
    peer.close()
    with ended:
        for each in descriptors:
            if each >= 0:
                with suppress(OSError):
                    os.dup2(ended.fileno(), each, inheritable=False)


class Living(Generic[T]):
    """Objects, as long as they live, in the order in which they came. Unlike a WeakSet safe for several threads."""

    def __init__(self) -> None:
        self._references: dict[int, weakref.ref[T]] = {}

    def add(self, each: T) -> None:
        """Know ``each`` from now on."""
        references, key = self._references, id(each)

        def forget(_: object) -> None:
            references.pop(key, None)

        references[key] = weakref.ref(each, forget)

    def discard(self, each: T) -> None:
        """Know ``each`` no more."""
        self._references.pop(id(each), None)

    def __contains__(self, each: object) -> bool:
        reference = self._references.get(id(each))
        return reference is not None and reference() is each

    def all(self) -> list[T]:
        """The objects that are alive now."""
        # list() of a dict's values is one step, without a GIL too: other threads may add to it meanwhile.
        return [each for reference in list(self._references.values()) if (each := reference()) is not None]


@runtime_checkable
class Forking(Protocol):
    """An object that is told of forks, in the parent and in the child."""

    def before_fork(self) -> None:
        """Come to rest, waiting a second at most: the child begins with what memory holds now."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Go on in the parent, or begin anew in the child, where no other thread lives."""
        ...


class Renewing(Protocol):
    """An object that goes on in the parent as it is, and begins anew in the child."""

    def begin_anew(self) -> None:
        """Forget what is the parent's. No other thread lives in the child, and its locks may be held for ever."""
        ...


_following: Living[Forking | Renewing] = Living()
"""Shared by threads without a lock: each step on its dict is one."""
_renewals: dict[int, tuple[weakref.ref[object], dict[str, Callable[[], object]]]] = {}
"""Shared by threads without a lock: an entry is set and removed in one step, and read from a list of them."""


def follow_forks(each: Forking | Renewing) -> None:
    """Tell ``each`` of all forks from now on, as long as it lives."""
    _following.add(each)


class RestingLock:
    """A lock that no thread holds during a fork, if it is given back within a second. The child has a free one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rests = False
        follow_forks(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """See :class:`Forking`."""
        self._rests = self._lock.acquire(timeout=1.0)

    def after_fork(self, *, child: bool) -> None:
        """See :class:`Forking`."""
        if self._rests:
            self._lock.release()
        elif child:
            # The thread of the parent that holds it will never give it back here.
            self._lock = threading.RLock()


def renew_in_child(owner: object, name: str, make: Callable[[], object]) -> None:
    """Give a child another value of an attribute: a lock, which a thread of the parent may have held.

    For locks under which nothing is left half done that matters.
    """
    key = id(owner)

    def forget(_: object) -> None:
        _renewals.pop(key, None)

    _renewals.setdefault(key, (weakref.ref(owner, forget), {}))[1][name] = make


def _before() -> None:
    # The newest first: a store is made after what it locks last.
    for each in reversed(_following.all()):
        if isinstance(each, Forking):
            each.before_fork()


def _after(*, child: bool) -> None:
    if child:
        FORKS.generation += 1
        for reference, makers in list(_renewals.values()):
            if (owner := reference()) is not None:
                for name, make in makers.items():
                    setattr(owner, name, make())
    for each in sorted(_following.all(), key=lambda each: bool(getattr(each, "last", False))):
        try:
            if isinstance(each, Forking):
                each.after_fork(child=child)
            elif child:
                each.begin_anew()
        except Exception:
            # The others must go on all the same: their locks would be held for ever.
            logger.exception("%s failed after a fork", type(each).__name__)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
