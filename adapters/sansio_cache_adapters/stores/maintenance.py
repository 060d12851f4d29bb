"""The thread in which a store does what nobody need wait for."""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TypeVar
from weakref import ReferenceType, ref

__all__ = ["Housekeeper", "Housekept"]

logger = logging.getLogger("sansio_cache")

T = TypeVar("T")

_PAUSE: Final = 2.0
"""Seconds for which what can wait is gathered."""
_AGAIN: Final = 0.5
"""Seconds between two attempts at what must be done."""
_MOST_OWED: Final = 1024


class Housekept(Protocol):
    """What a housekeeper looks after."""

    def tend(self) -> float | None:
        """Do what can wait. In how many seconds to do so again; None for when there is something new."""
        ...


class _Stop:
    """The job after which the thread ends."""

    def __init__(self) -> None:
        self.done = threading.Event()


class _Insisted:
    """A job that is tried again as long as it fails, until a time."""

    def __init__(self, job: Callable[[], object], until: float) -> None:
        self._job = job
        self._until = until

    def is_over(self) -> bool:
        """Try it; whether it is done, or too late."""
        try:
            self._job()
        except Exception as error:
            logger.debug("housekeeping failed: %s", error, exc_info=error)
            return time.monotonic() >= self._until
        return True


class _Owed:
    """The jobs to be tried again, and when."""

    def __init__(self) -> None:
        self._jobs: deque[_Insisted] = deque(maxlen=_MOST_OWED)
        self.due = inf

    def take(self, job: _Insisted) -> None:
        """Do a job, or owe it."""
        if not job.is_over():
            self._jobs.append(job)
            self.due = min(self.due, time.monotonic() + _AGAIN)

    def settle(self) -> None:
        """Do what is owed, up to the first job that fails again: the others would, too."""
        while self._jobs and self._jobs[0].is_over():
            self._jobs.popleft()
        self.due = time.monotonic() + _AGAIN if self._jobs else inf


_Job = Callable[[], object] | _Stop | _Insisted | None


class Housekeeper:
    """Runs jobs one after the other in a thread, and :meth:`Housekept.tend` now and then.

    Jobs may be given from a finalizer, which may run in the midst of anything: so nothing here waits for a lock, and
    the thread is started without those that ``threading`` takes. It ends with :meth:`stop`, or when the store is no
    longer in use, and does not keep the interpreter from ending.
    """

    def __init__(self, store: Housekept) -> None:
        self._store = ref(store, lambda _: self._jobs.put(_Stop()))
        self.forget()

    def forget(self) -> None:
        """Begin anew; in the child of a fork the thread is not there."""
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._running = _thread.allocate_lock()
        self._expected = _thread.allocate_lock()

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._running.locked()

    def soon(self, job: Callable[[], object]) -> None:
        """Run a job as soon as possible; what goes wrong in it is left to the sweeps. Never blocks."""
        self._put(job)

    def surely(self, job: Callable[[], object], seconds: float) -> None:
        """Run a job as soon as possible, and if it fails again and again, for so many seconds. Never blocks."""
        self._put(_Insisted(job, time.monotonic() + seconds))

    def later(self) -> None:
        """Tend in a while. Never blocks, and wakes nobody who is to tend anyway."""
        if self._expected.acquire(blocking=False):
            self._put(None)

    def drain(self, timeout: float) -> bool:
        """Wait until all jobs given so far have run, at most ``timeout`` seconds; whether they have."""
        if not self.is_running and self._jobs.empty():
            return True
        done = threading.Event()
        self._put(done.set)
        return done.wait(timeout)

    def stop(self, timeout: float) -> bool:
        """Run what was given, then end the thread; whether it ended within ``timeout`` seconds."""
        if not self.is_running and self._jobs.empty():
            return True
        stop = _Stop()
        self._put(stop)
        return stop.done.wait(timeout)

    def _put(self, job: _Job) -> None:
        self._jobs.put(job)
        if self._running.acquire(blocking=False):
            try:
                _thread.start_new_thread(_live, (self._jobs, self._store, self._running, self._expected))
            except RuntimeError:
                # The interpreter is about to end.
                self._running.release()


def _live(
    jobs: SimpleQueue[_Job],
    store: ReferenceType[Housekept],
    running: _thread.LockType,
    expected: _thread.LockType,
) -> None:
    while True:
        stop = _serve(jobs, store, expected)
        running.release()
        stop.done.set()
        # Who gave a job just now may have found us running still.
        if jobs.empty() or not running.acquire(blocking=False):
            return


def _serve(jobs: SimpleQueue[_Job], store: ReferenceType[Housekept], expected: _thread.LockType) -> _Stop:
    """Do all jobs up to a stop, which is returned."""
    due = inf
    owed = _Owed()
    while True:
        job: _Job = None
        next_due = min(due, owed.due)
        with suppress(Empty):
            job = jobs.get(timeout=None if next_due == inf else max(next_due - time.monotonic(), 0.0))
        if owed.due <= time.monotonic() or isinstance(job, _Stop):
            owed.settle()
        if isinstance(job, _Stop):
            _let(expected)
            return job
        if isinstance(job, _Insisted):
            owed.take(job)
        elif job is not None:
            _do(job)
        elif due == inf:
            due = time.monotonic() + _PAUSE
        if due <= time.monotonic():
            _let(expected)
            due = _tend(store)


def _let(expected: _thread.LockType) -> None:
    if expected.locked():
        expected.release()


def _do(job: Callable[[], T]) -> T | None:
    """What a job returns. Its trouble is nobody's but the sweeps'."""
    try:
        return job()
    except Exception as error:
        logger.debug("housekeeping failed: %s", error, exc_info=error)
        return None


def _tend(store: ReferenceType[Housekept]) -> float:
    living = store()
    pause = None if living is None else _do(living.tend)
    return inf if pause is None else time.monotonic() + pause
