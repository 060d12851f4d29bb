"""Threads that hit at the same time take turns of some milliseconds.

A hit lets go of the interpreter's lock several times, for some microseconds each (SQLite does at every step), and each
time it wakes a thread that waits for that lock: with eight threads on idle processors a hit took five times as long as
with one, all of it spent on waking and going back to sleep. A thread that waits for a turn does not wait for the lock.
Nothing depends on turns: a thread that has waited for a while, or finds the turn unused, just goes on.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import Final

from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.protocol import Instant, ReadingAtOnce
from sansio_cache_adapters.stores.worker import Bell

__all__ = ["Turns", "turns_for"]

_TURN: Final = 0.003
_ABSENT: Final = 0.0002
"""Seconds without a hit after which the turn is free."""
_LOOK: Final = 0.0005
"""Seconds between two looks whether it is. Each disturbs the one whose turn it is; with longer ones nobody goes on."""
_PATIENCE: Final = 0.05

_Waiting = tuple[int, Bell]


class Turns:
    """The thread whose turn it is. Threads share it without a lock: at worst two go on at the same time."""

    __slots__ = ("__weakref__", "_seen", "_until", "_waiting", "_whose")

    def __init__(self) -> None:
        self.begin_anew()
        follow_forks(self)

    def begin_anew(self) -> None:
        """Begin without threads: the child of a fork has one, so no other waits."""
        self._whose = 0
        self._seen = self._until = 0.0
        self._waiting: deque[_Waiting] = deque()

    def take(self) -> None:
        """Go on with this thread's turn, or wait for one: seldom more than some milliseconds, never long."""
        now, me = perf_counter(), threading.get_ident()
        if self._whose == me:
            self._seen = now
            if now < self._until or not self._waiting:
                return
            self._pass_on(me, now)
        elif now - self._seen > _ABSENT:
            self._begin(me, now)
        else:
            self._wait(me, now)

    def leave(self) -> None:
        """Free the turn: the rest of the request needs the interpreter's lock for little of its time."""
        if self._whose == threading.get_ident():
            self._whose, self._seen = 0, 0.0
            self._wake_first()

    def _begin(self, who: int, now: float) -> None:
        self._whose, self._seen, self._until = who, now, now + _TURN

    def _pass_on(self, me: int, now: float) -> None:
        """Give the turn to the one who waits longest, and wait for the next."""
        with suppress(IndexError):
            following, bell = self._waiting.popleft()
            self._begin(following, now)
            bell.ring()
            self._wait(me, now)

    def _wait(self, me: int, now: float) -> None:
        bell, until = Bell(), now + _PATIENCE
        mine = me, bell
        self._waiting.append(mine)
        while True:
            # The first in the queue sees to it that it is somebody's turn.
            first = self._waiting and self._waiting[0] is mine
            bell.wait(_LOOK if first else _PATIENCE)
            now = perf_counter()
            if self._whose != me and (now - self._seen > _ABSENT or now > until):
                with suppress(ValueError):
                    self._waiting.remove(mine)
                self._begin(me, now)
            if self._whose == me:
                break
        self._wake_first()

    def _wake_first(self) -> None:
        """Let the next in the queue see to it that it is somebody's turn."""
        with suppress(IndexError):
            self._waiting[0][1].ring()


class _NoTurns(Turns):
    """For those who never let go of the interpreter's lock, or wait for others without it."""

    def take(self) -> None:
        """Go on."""

    def leave(self) -> None:
        """Go on."""


_NONE: Final = _NoTurns()
TURNS: Final = Turns() if getattr(sys, "_is_gil_enabled", lambda: True)() else _NONE
"""The turns of this process; without a lock of the interpreter no thread waits."""


def turns_for(store: object) -> Turns:
    """The turns of those who read a store: one that reads a file at once; not memory, and nothing behind a network."""
    instant = isinstance(store, Instant) and store.instant
    return TURNS if isinstance(store, ReadingAtOnce) and not instant else _NONE
