"""What finalizers leave behind, done by threads of its own.

A finalizer runs wherever the collector happens to: in the midst of a commit, of ``Thread.start``, of the very method
whose lock it would need. So it rings or leaves a job, and goes: it waits for nothing, joins nothing and closes nothing.
Whatever here may be called by one takes no lock, and starts threads without those that ``threading`` takes.
"""

from __future__ import annotations

import _thread
import atexit
import heapq
import itertools
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from .forking import follow_forks

__all__ = ["CLOSING", "LETTING_GO", "Afterwards", "Bell", "is_closing"]

logger = logging.getLogger("sansio_cache")

_IDLE: Final = 1.0
"""Seconds after which a thread without a job ends."""
_AT_EXIT: Final = 5.0
_REST: Final = 1.0


def is_closing() -> bool:
    """Whether a generator or coroutine is being closed, and its ``finally`` run: perhaps by the collector."""
    return isinstance(sys.exception(), GeneratorExit)


class _Due(NamedTuple):
    """A job, when it is due by the monotonic clock (0: at once), and its number among all, which keeps their order."""

    at: float
    number: int
    job: Callable[[], object]


_numbers = itertools.count()


class Bell:
    """Wakes one who waits, now or when they next wait. Unlike an Event it may be rung by a finalizer."""

    __slots__ = ("_silent",)

    def __init__(self) -> None:
        self._silent = _thread.allocate_lock()
        self._silent.acquire()

    def ring(self) -> None:
        """Let who waits go on; rung already it stays so."""
        with suppress(RuntimeError):
            self._silent.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it rings, some seconds at most; whether it has rung."""
        return self._silent.acquire(timeout=seconds)


class Afterwards:
    """Jobs that are done one after the other, soon or in a while. Jobs may be given by a finalizer, and must not fail.

    :param drains: whether what is left at exit is done then, for 5 s at most.
    """

    def __init__(self, *, drains: bool = False) -> None:
        self._begin()
        follow_forks(self)
        if drains:
            atexit.register(self._at_exit)

    def _begin(self) -> None:
        self._jobs: SimpleQueue[_Due] = SimpleQueue()
        self._runs = _thread.allocate_lock()
        self._works = _thread.allocate_lock()
        self._rests = False

    def __call__(self, job: Callable[[], object]) -> None:
        """Do a job in a moment. Never waits."""
        self.after(0.0, job)

    def after(self, seconds: float, job: Callable[[], object]) -> None:
        """Do a job in so many seconds, not before. Never waits."""
        self._jobs.put(_Due(time.monotonic() + seconds if seconds > 0 else 0.0, next(_numbers), job))
        self._start()

    def _start(self) -> bool:
        if self._runs.acquire(blocking=False):
            try:
                _thread.start_new_thread(_serve, (self._jobs, self._runs, self._works))
            except RuntimeError:
                # There are too many threads, and the next job tries again; or the interpreter is about to end.
                self._runs.release()
                return False
        return True

    def wait(self, seconds: float) -> bool:
        """Wait until all that was given so far is done, some seconds at most; whether it is."""
        done = Bell()
        self._jobs.put(_Due(0.0, next(_numbers), done.ring))
        if self._start():
            return done.wait(seconds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                _do(self._jobs.get_nowait().job)
            except Empty:
                return True
        return False

    def _at_exit(self) -> None:
        if self._runs.locked() or not self._jobs.empty():
            self.wait(_AT_EXIT)

    def before_fork(self) -> None:
        """Let no job be in the midst: what SQLite and others lock for it would be locked in the child for ever."""
        self._rests = self._works.acquire(timeout=_REST)

    def after_fork(self, *, child: bool) -> None:
        """Go on; in the child without a thread, and without jobs: they are the parent's."""
        if child:
            self._begin()
        elif self._rests:
            self._works.release()


def _serve(jobs: SimpleQueue[_Due], runs: _thread.LockType, works: _thread.LockType) -> None:
    later: list[_Due] = []
    while True:
        _serve_until_idle(jobs, works, later)
        runs.release()
        # Who gave a job just now may have found us running still.
        if jobs.empty() or not runs.acquire(blocking=False):
            return


def _serve_until_idle(jobs: SimpleQueue[_Due], works: _thread.LockType, later: list[_Due]) -> None:
    """Do jobs as they fall due.

    :param later: a heap of those that are not due yet.
    """
    while True:
        pause = max(later[0].at - time.monotonic(), 0.0) if later else _IDLE
        try:
            heapq.heappush(later, jobs.get(timeout=pause))
        except Empty:
            if not later:
                return
        while later and later[0].at <= time.monotonic():
            with works:
                _do(heapq.heappop(later).job)


def _do(job: Callable[[], object]) -> None:
    try:
        job()
    except Exception as error:
        logger.debug("what a finalizer left to do failed: %s", error, exc_info=error)


LETTING_GO: Final = Afterwards()
"""Short jobs: those who wait for what was dropped are set free."""
CLOSING: Final = Afterwards(drains=True)
"""Jobs that may take their time: files and connections are closed."""
