"""The thread in which a store does what nobody need wait for, and what stores leave to it."""

from __future__ import annotations

import _thread
import atexit
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol
from weakref import WeakSet, ref

from sansio_cache.errors import StoreError

from .shown import Shown
from .worker import Worker

__all__ = ["Housekeeper", "Housekept", "Tended"]

_PAUSE: Final = 2.0
"""Seconds for which what can wait is gathered."""
_MOST_USES: Final = 10_000
_AT_EXIT: Final = 5.0


class Housekept(Protocol):
    """What a housekeeper looks after."""

    def tend(self) -> float | None:
        """Do what can wait. In how many seconds to do so again; None for when there is something new."""
        ...


class Housekeeper:
    """Runs jobs one after the other in a thread, and :meth:`Housekept.tend` now and then.

    Jobs may be given from a finalizer. It ends with :meth:`stop`, or when the store is no longer in use.
    """

    def __init__(self, store: Housekept) -> None:
        worker = self._worker = Worker()
        self._store = ref(store, lambda _: worker.stop())
        self.forget()

    def forget(self) -> None:
        """Begin anew: in the child of a fork nothing is expected."""
        self._expected = _thread.allocate_lock()

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._worker.works

    def soon(self, job: Callable[[], object]) -> None:
        """Run a job as soon as possible; what goes wrong in it is left to the sweeps. Never blocks."""
        self._worker(job)

    def surely(self, job: Callable[[], object], seconds: float) -> None:
        """Run a job as soon as possible, and if it fails again and again, for so many seconds. Never blocks."""
        self._worker.insist(job, seconds)

    def later(self, seconds: float | None = None) -> None:
        """Tend in a while. Never blocks, and does nothing if that is to be anyway."""
        expects = self._expected.acquire(blocking=False)
        if expects and not self._worker.after(_PAUSE if seconds is None else seconds, self._tend):
            # There is no thread to be had now: the next time tries again.
            self._expect_nothing()

    def _tend(self) -> None:
        self._expect_nothing()
        living = self._store()
        pause = None if living is None else living.tend()
        if pause is not None:
            self.later(pause)

    def _expect_nothing(self) -> None:
        with suppress(RuntimeError):
            self._expected.release()

    def drain(self, timeout: float) -> bool:
        """Wait until all jobs given so far have run, at most ``timeout`` seconds; whether they have."""
        return self._worker.wait(timeout)

    def stop(self, timeout: float) -> bool:
        """Run what was given, then end the thread; whether that took ``timeout`` seconds at most."""
        done = self._worker.end(timeout)
        self._expect_nothing()
        return done


class Tended(Shown):
    """A store that notes when records were used, and writes that down in its housekeeper's thread.

    The thread has no clock of its own: it goes on from the time that a caller has said last.
    """

    def __init__(self) -> None:
        self._housekeeper = Housekeeper(self)
        self._uses: dict[tuple[bytes, bytes], float] = {}
        self._clock = (0.0, 0.0)
        _living.add(self)

    def before_fork(self) -> None:
        """Nothing is held in memory that a child could not do without."""

    def after_fork(self, *, child: bool) -> None:
        """In the child, begin with a thread of its own."""
        if child:
            self._housekeeper.forget()

    def see(self, now: float) -> None:
        """Take over a caller's time."""
        self._clock = (now, time.monotonic())

    @property
    def now(self) -> float:
        """The time that it is by then; 0.0 where nobody has said any."""
        seen, at = self._clock
        return seen + time.monotonic() - at if at else 0.0

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used; the housekeeper writes it down."""
        uses = self._uses
        if not uses:
            self._housekeeper.later()
        if len(uses) < _MOST_USES:
            uses[partition, entry] = now

    def write_uses(self, uses: dict[tuple[bytes, bytes], float]) -> None:
        """Write down when the entries of partitions were used."""
        raise NotImplementedError

    def tend(self) -> float | None:
        """Write down what was used. In how many seconds to do so again; None for when there is something new."""
        uses, self._uses = self._uses, {}
        if uses:
            noted = uses.copy()  # who was about to note one more may do so still
            self.see(max(noted.values()))
            self.write_uses(noted)
        return None

    def flush(self, timeout: float) -> bool:
        """Wait until all that was left to the housekeeper is done, at most ``timeout`` seconds; whether it is."""
        self._housekeeper.soon(partial(Tended.tend, self))
        return self._housekeeper.drain(timeout)

    def close_within(self, seconds: float) -> None:
        """Do what was left to the housekeeper, in so many seconds at most: at exit, where there may be many stores."""
        if self._housekeeper.stop(max(seconds, 0.0)):
            with suppress(StoreError):
                self.tend()


_living: WeakSet[Tended] = WeakSet()
"""Added to in one step by any thread; read at exit, when no others run."""


@atexit.register
def _close_all() -> None:
    deadline = time.monotonic() + _AT_EXIT  # of all together
    for store in list(_living):
        with suppress(StoreError):
            store.close_within(deadline - time.monotonic())
