"""Background work of blocking sessions: few daemon threads, each key once, bounded; and what is due in a while."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

from sansio_cache_adapters.stores.forking import follow_forks

__all__ = ["ALARMS", "Alarms", "Background"]

_THREADS: Final = 4
_MOST_WAITING: Final = 256


class Background:
    """Runs jobs in at most four threads, which end when there is nothing to do."""

    def __init__(self) -> None:
        self._begin()
        follow_forks(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._running: set[Hashable] = set()
        self._threads = 0

    def submit(self, key: Hashable, job: Callable[[], None]) -> bool:
        """Run a job, unless its key is waiting or running, or too much waits; whether it will be run."""
        with self._changed:
            if key in self._running or key in self._waiting or len(self._waiting) >= _MOST_WAITING:
                return False
            self._waiting[key] = job
            if self._threads < _THREADS:
                self._threads += 1
                threading.Thread(target=self._work, name="sansio-cache-background", daemon=True).start()
            return True

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._threads -= 1
                    self._changed.notify_all()
                    return
                key = next(iter(self._waiting))
                job = self._waiting.pop(key)
                self._running.add(key)
            try:
                job()
            finally:
                with self._changed:
                    self._running.discard(key)
                    self._changed.notify_all()

    def close(self, seconds: float) -> bool:
        """Wait until all is done, at most so long; what still waits then is dropped. Whether all was done."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._waiting or self._running:
                left = deadline - time.monotonic()
                if left <= 0:
                    self._waiting.clear()
                    return False
                self._changed.wait(left)
            return True

    def before_fork(self) -> None:
        """Nothing to bring to rest: the child does without what waits."""

    def after_fork(self, *, child: bool) -> None:
        """The threads have stayed in the parent; the lock may be held there."""
        if child:
            self._begin()


class Alarms:
    """Calls functions after a while, in one daemon thread, which ends when there is nothing to wait for."""

    def __init__(self) -> None:
        self._begin()
        follow_forks(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._runs = False

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        """Call something that neither blocks nor raises."""
        with self._changed:
            self._count += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._count, call))
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="sansio-cache-alarms", daemon=True).start()
            elif self._due[0][1] == self._count:
                self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._due:
                    self._runs = False
                    return
                left = self._due[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                call = heapq.heappop(self._due)[2]
            call()

    def before_fork(self) -> None:
        """Nothing to bring to rest."""

    def after_fork(self, *, child: bool) -> None:
        """What was due is the parent's."""
        if child:
            self._begin()


ALARMS: Final = Alarms()
"""Those of this process."""
