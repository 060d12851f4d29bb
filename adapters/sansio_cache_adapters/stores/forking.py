"""Stores and ``fork``: what holds a lock or a connection is told before and after, in the parent and in the child."""

from __future__ import annotations

import os
import weakref
from typing import Generic, Protocol, TypeVar

__all__ = ["Forking", "Living", "follow_forks"]

T = TypeVar("T")


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

    def all(self) -> list[T]:
        """Those that live now."""
        # list() of a dict's values is one step of the interpreter: other threads may add to it meanwhile.
        return [each for reference in list(self._references.values()) if (each := reference()) is not None]


class Forking(Protocol):
    """What wants to know of forks."""

    def before_fork(self) -> None:
        """Come to rest, waiting a second at most: the child begins with what memory holds now."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Go on in the parent, or begin anew in the child, where no other thread lives."""
        ...


_following: Living[Forking] = Living()


def follow_forks(each: Forking) -> None:
    """Tell ``each`` of all forks from now on, as long as it lives."""
    _following.add(each)


def _before() -> None:
    # The newest first: a store is made after what it locks last.
    for each in reversed(_following.all()):
        each.before_fork()


def _after(*, child: bool) -> None:
    for each in _following.all():
        each.after_fork(child=child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(child=False),
        after_in_child=lambda: _after(child=True),
    )
