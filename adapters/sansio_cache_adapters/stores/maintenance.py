"""The thread in which a store does work that can wait, and the base of stores that have one."""

from __future__ import annotations

import _thread
import atexit
import time
from contextlib import suppress
from functools import partial
from typing import Final, Protocol
from weakref import ref

from sansio_cache.errors import StoreError

from .forking import Living
from .store_repr import StoreRepr
from .worker import Worker

__all__ = ["CLOSE_SECONDS", "Closing", "MaintenanceThread", "Maintained", "MaintainedStore", "close_at_exit"]

_PAUSE: Final = 2.0
"""Seconds for which what can wait is gathered."""
_MOST_USES: Final = 10_000
CLOSE_SECONDS: Final = 5.0


class Maintained(Protocol):
    """A store that needs maintenance."""

    def maintain(self) -> float | None:
        """Do the work that can wait. Returns the seconds until it is due again; None: when there is something new."""
        ...


class Closing(Protocol):
    """A store, or what closes one."""

    def close_within(self, seconds: float) -> None:
        """Write what is left, and close: at exit there may be many stores. No time may be left."""
        ...


_living: Living[Closing] = Living()
"""Shared by threads without a lock: each step on its dict is one."""


def close_at_exit(each: Closing) -> None:
    """Close ``each`` at exit, if it lives then; for all together there are 5 s."""
    _living.add(each)


@atexit.register
def _close_all() -> None:
    deadline = time.monotonic() + CLOSE_SECONDS
    for each in _living.all():
        with suppress(StoreError):
            each.close_within(deadline - time.monotonic())


class MaintenanceThread(Worker):
    """Does jobs one after the other in a thread, and :meth:`Maintained.maintain` now and then.

    A job that fails is only logged: a sweep does its work later. It ends when the store is no longer in use.
    """

    def __init__(self, store: Maintained) -> None:
        super().__init__()
        self._store = ref(store, lambda _: self.stop())

    def begin_anew(self) -> None:
        """Begin without jobs, and with no maintenance that is due: in the child of a fork, too."""
        super().begin_anew()
        self._expected = _thread.allocate_lock()

    def later(self, seconds: float | None = None) -> None:
        """Run :meth:`Maintained.maintain` in a while, unless it is due already. Never blocks."""
        expects = self._expected.acquire(blocking=False)
        if expects and not self.after(_PAUSE if seconds is None else seconds, self._maintain):
            # No thread can be started now: the next call tries again.
            self._expect_nothing()

    def _maintain(self) -> None:
        self._expect_nothing()
        living = self._store()
        pause = None if living is None else living.maintain()
        if pause is not None:
            self.later(pause)

    def _expect_nothing(self) -> None:
        with suppress(RuntimeError):
            self._expected.release()

    def end(self, seconds: float) -> bool:
        """See :meth:`.Worker.end`. What was expected is expected no more."""
        done = super().end(seconds)
        self._expect_nothing()
        return done


class MaintainedStore(StoreRepr):
    """A store that notes when records were used, and writes that down in its maintenance thread.

    The thread has no clock of its own: it counts on from the last time that a caller gave.
    """

    def __init__(self) -> None:
        self._maintenance = MaintenanceThread(self)
        self._uses: dict[tuple[bytes, bytes], float] = {}
        self._clock = (0.0, 0.0)
        close_at_exit(self)

    def see(self, now: float) -> None:
        """Note the time that a caller gave."""
        self._clock = (now, time.monotonic())

    @property
    def now(self) -> float:
        """The present time; 0.0 until a caller has given one."""
        seen, at = self._clock
        return seen + time.monotonic() - at if at else 0.0

    def touch(self, partition: bytes, entry: bytes, *, now: float) -> None:
        """Note that a record was used; the maintenance thread writes it down."""
        uses = self._uses
        if not uses:
            self._maintenance.later()
        if len(uses) < _MOST_USES:
            uses[partition, entry] = now

    def write_uses(self, uses: dict[tuple[bytes, bytes], float]) -> None:
        """Write down when entries were used."""
        raise NotImplementedError

    def maintain(self) -> float | None:
        """Write down which records were used. Returns as :meth:`Maintained.maintain`."""
        uses, self._uses = self._uses, {}
        if uses:
            noted = uses.copy()  # another thread may be about to note one more
            self.see(max(noted.values()))
            self.write_uses(noted)
        return None

    def flush(self, timeout: float) -> bool:
        """Wait until the maintenance thread has done all its jobs, at most ``timeout`` seconds; whether it has."""
        self._maintenance(partial(MaintainedStore.maintain, self))
        return self._maintenance.wait(timeout)

    def close(self) -> None:
        """Write what is left (at most 5 s) and close what is open. Using the store again reopens it."""
        self.close_within(CLOSE_SECONDS)

    def close_within(self, seconds: float) -> None:
        """Do all jobs of the maintenance thread, in so many seconds at most."""
        if self._maintenance.end(max(seconds, 0.0)):
            with suppress(StoreError):
                self.maintain()
