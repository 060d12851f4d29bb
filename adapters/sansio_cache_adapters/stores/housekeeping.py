"""The thread in which a store does what nobody need wait for."""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TypeVar
from weakref import ReferenceType, ref

__all__ = ["Housekeeper", "Housekept"]

logger = logging.getLogger("sansio_cache")

T = TypeVar("T")

_PAUSE: Final = 2.0
"""Seconds for which what can wait is gathered."""


class Housekept(Protocol):
    """What a housekeeper looks after."""

    def tend(self) -> float | None:
        """Do what can wait. In how many seconds to do so again; None for when there is something new."""
        ...


class _Stop:
    """The job after which the thread ends."""

    def __init__(self) -> None:
        self.done = threading.Event()


_Job = Callable[[], object] | _Stop | None


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
    due: float | None = None
    while True:
        job: _Job = None
        with suppress(Empty):
            job = jobs.get(timeout=None if due is None else max(due - time.monotonic(), 0.0))
        if isinstance(job, _Stop):
            _let(expected)
            return job
        if job is not None:
            _do(job)
        elif due is None:
            due = time.monotonic() + _PAUSE
        if due is not None and due <= time.monotonic():
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


def _tend(store: ReferenceType[Housekept]) -> float | None:
    living = store()
    pause = None if living is None else _do(living.tend)
    return None if pause is None else time.monotonic() + pause
