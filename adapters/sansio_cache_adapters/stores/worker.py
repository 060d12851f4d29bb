"""The only class that begins threads, for work that can wait: jobs soon, in a while, or until they succeed.

A finalizer may call any method here, and runs wherever the collector happens to: so none waits or takes a lock, and
threads are started without the locks that ``threading`` takes.
"""

from __future__ import annotations

import _thread
import atexit
import heapq
import itertools
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, TypeVar

from .forking import follow_forks

__all__ = ["Bell", "Worker"]

logger = logging.getLogger("sansio_cache")

T = TypeVar("T")
Job = Callable[[], object]

_IDLE: Final = 1.0
"""Seconds after which a thread without a job ends."""
_AT_EXIT: Final = 5.0
_REST: Final = 1.0
_AGAIN: Final = 0.5
"""Seconds between two attempts at what must be done."""
_MOST_OWED: Final = 1024
_numbers = itertools.count()


class Bell:
    """Wakes a waiting thread, now or at its next wait. Unlike an Event it may be rung by a finalizer."""

    __slots__ = ("_silent",)

    def __init__(self) -> None:
        self._silent = _thread.allocate_lock()
        self._silent.acquire()

    def ring(self) -> None:
        """Wake the waiting thread; ringing twice is ringing once."""
        with suppress(RuntimeError):
            self._silent.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it rings, some seconds at most; whether it has rung."""
        return self._silent.acquire(timeout=seconds)


class _Due(NamedTuple):
    """A job for later, when it is due by the monotonic clock, and its number among all, which keeps their order."""

    at: float
    number: int
    job: Job


class _Queue:
    """The part of a worker that its threads hold, so that the worker itself and its owner can be collected."""

    def __init__(self, made: _Made) -> None:
        self.made = made
        # None ends the thread that gets it.
        self.jobs: SimpleQueue[Job | _Due | None] = SimpleQueue()
        # Each held by a thread as long as it serves. So one thread serves after the other where there is one place.
        self.places = [_thread.allocate_lock() for _ in range(made.size)]
        self.works = _thread.allocate_lock()
        self.hurry = Bell()

    def serve(self, place: _thread.LockType) -> None:
        """Do jobs until none comes for a while, or an end was asked for."""
        if self.made.name:
            threading.current_thread().name = self.made.name
        while True:
            self._serve_until_idle()
            place.release()
            # A job given just now may have found us here still.
            if self.jobs.empty() or not place.acquire(blocking=False):
                break
        if sys.version_info < (3, 13):
            # There a thread that ``threading`` did not start, and was asked for its name, is listed after its end.
            vars(threading)["_active"].pop(threading.get_ident(), None)

    def _serve_until_idle(self) -> None:
        group, later = self.made.group, list[_Due]()
        while True:
            pause = max(later[0].at - time.monotonic(), 0.0) if later else self.made.idle
            soon: list[Job | _Due | None] = []
            try:
                soon.append(self.jobs.get(timeout=pause))
                if self.made.lingers and 1 + self.jobs.qsize() < group:
                    self.hurry.wait(self.made.lingers)
                while len(soon) < group:
                    soon.append(self.jobs.get_nowait())
            except Empty:
                if not soon and not later:
                    return
            if self._do_due(soon, later):
                return

    def _do_due(self, soon: list[Job | _Due | None], later: list[_Due]) -> bool:
        """Do what is due; whether it ends with that."""
        due: list[Job] = []
        for at, each in enumerate(soon):
            if each is None:
                self._perform(due)
                # Jobs that others gave after the end are for the next thread; jobs that are not due yet are dropped.
                for other in soon[at + 1 :]:
                    if not isinstance(other, _Due):
                        self.jobs.put(other)
                return True
            if isinstance(each, _Due):
                heapq.heappush(later, each)
            else:
                due.append(each)
        while later and later[0].at <= time.monotonic():
            due.append(heapq.heappop(later).job)
        group = self.made.group
        for at in range(0, len(due), group):
            self._perform(due[at : at + group])
        return False

    def _perform(self, jobs: list[Job]) -> None:
        try:
            if self.made.rests:
                with self.works:
                    self.made.perform(jobs)
            else:
                self.made.perform(jobs)
        except BaseException as error:
            logger.debug("a background job failed: %s", error, exc_info=error)


def _one_by_one(jobs: list[Job]) -> None:
    for job in jobs:
        try:
            job()
        except Exception as error:
            logger.debug("a background job failed: %s", error, exc_info=error)


class _Made(NamedTuple):
    """The settings of a worker; see :class:`Worker`."""

    name: str
    size: int
    group: int
    perform: Callable[[list[Job]], object]
    idle: float
    rests: bool
    lingers: float


class Worker:
    """Does jobs in threads that begin with the first, and end when there is none for a while or after :meth:`stop`.

    They do not keep the interpreter from ending. After a fork the child has no threads and no jobs.

    :param size: how many threads at most. One does its jobs in their order.
    :param group: how many jobs are given to ``perform`` together.
    :param perform: does jobs, and must not raise; by default one after the other, errors being only logged.
    :param idle: seconds without a job after which a thread ends.
    :param rests: whether a fork waits, a second at most, for the job that is being done: what it has locked would be
        locked in the child for ever.
    :param drains: whether what is left at exit is done then, for 5 s at most.
    :param lingers: seconds for which jobs that can wait (:meth:`must`) are gathered, until one comes that cannot.
    """

    def __init__(
        self,
        name: str = "",
        *,
        size: int = 1,
        group: int = 1,
        perform: Callable[[list[Job]], object] = _one_by_one,
        idle: float = _IDLE,
        rests: bool = False,
        drains: bool = False,
        lingers: float = 0.0,
    ) -> None:
        self._made = _Made(name, size, group, perform, idle, rests, lingers)
        self._resting = False
        self.begin_anew()
        follow_forks(self)
        if drains:
            atexit.register(self._at_exit)

    def begin_anew(self) -> None:
        """Begin without jobs and threads."""
        self._queue = _Queue(self._made)
        self._owed: deque[tuple[Job, float]] = deque(maxlen=_MOST_OWED)
        self._next_try = 0.0

    @property
    def works(self) -> bool:
        """Whether there are threads, so that there may be jobs left."""
        return any(place.locked() for place in self._queue.places)

    # Giving jobs

    def __call__(self, job: Job) -> bool:
        """Do a job in a moment; whether there is a thread for it now. Never waits."""
        return self._put(0.0, job)

    def after(self, seconds: float, job: Job) -> bool:
        """Do a job in so many seconds, not before; whether there is a thread for it now. Never waits."""
        if seconds > 0 and self._made.size > 1:
            # A thread that is kept waiting by a job must not keep what was given for later from the others.
            return _TIMER.after(seconds, partial(self._put, 0.0, job))
        return self._put(seconds, job)

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Do a job; its result. The future can be cancelled until the job has begun.

        :raises RuntimeError: no thread can be started: the interpreter is about to end.
        """
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = job()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        self.must(run)
        return future

    def must(self, job: Job, *, waits: bool = False) -> None:
        """The same as a call.

        :param waits: it can wait a little for others (``lingers``).
        :raises RuntimeError: no thread can be started: the interpreter is about to end.
        """
        if not self._put(0.0, job, waits=waits):
            raise RuntimeError("no thread can be started")

    def insist(self, job: Job, seconds: float) -> None:
        """Do a job in a moment; while it fails, do it again for so many seconds. Never waits."""
        self._owed.append((job, time.monotonic() + seconds))
        self(self._settle)

    def _settle(self) -> None:
        """Do what is owed, up to the first job that fails again: the others would, too."""
        with suppress(IndexError):
            while True:
                owed = job, until = self._owed.popleft()
                try:
                    job()
                except Exception as error:
                    logger.debug("a background job failed, and is tried again: %s", error, exc_info=error)
                    if time.monotonic() < until:
                        self._owed.appendleft(owed)
                        self._try_again()
                        return

    def _try_again(self) -> None:
        now = time.monotonic()
        if now >= self._next_try:
            self._next_try = now + _AGAIN
            self.after(_AGAIN, self._settle)

    def _put(self, seconds: float, job: Job | None, *, waits: bool = False) -> bool:
        """Whether there is a thread that will do it."""
        queue, serves = self._queue, False
        queue.jobs.put(job if job is None or seconds <= 0 else _Due(time.monotonic() + seconds, next(_numbers), job))
        if not waits:
            queue.hurry.ring()
        for place in queue.places:
            if place.locked() or not place.acquire(blocking=False):
                serves = True
                continue
            try:
                _thread.start_new_thread(queue.serve, (place,))
                serves = True
            except (RuntimeError, MemoryError):
                # There are too many threads, and the next job tries again; or the interpreter is about to end.
                place.release()
        return serves

    # Coming to an end

    def wait(self, seconds: float) -> bool:
        """Wait until all that was given so far and is due is done, some seconds at most; whether it is."""
        if not self.works and self._queue.jobs.empty():
            return True
        done = Bell()
        if self._put(0.0, done.ring):
            return done.wait(seconds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                job = self._queue.jobs.get_nowait()
                _one_by_one([job.job if isinstance(job, _Due) else job or done.ring])
            except Empty:
                return True
        return False

    def stop(self) -> None:
        """Let the threads end when all due jobs are done; jobs that are not due yet are dropped. Never waits."""
        for place in self._queue.places:
            if place.locked():
                self._put(0.0, None)

    def end(self, seconds: float) -> bool:
        """Do all that is due and try what is owed, then end the threads; whether that took some seconds at most."""
        if self._owed:
            self(self._settle)
        done = self.wait(seconds)
        self.stop()
        return done

    def _at_exit(self) -> None:
        if self.works or not self._queue.jobs.empty():
            self.wait(_AT_EXIT)

    def before_fork(self) -> None:
        """Wait until no job is running, where that matters."""
        self._resting = self._made.rests and self._queue.works.acquire(timeout=_REST)

    def after_fork(self, *, child: bool) -> None:
        """Go on; in the child without a thread, and without jobs: they are the parent's."""
        if child:
            self.begin_anew()
        elif self._resting:
            self._queue.works.release()


_TIMER: Final = Worker()
"""Hands jobs to workers of several threads when they are due."""
