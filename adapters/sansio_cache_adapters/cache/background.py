"""Background work of blocking sessions: few daemon threads, each key once, bounded; and delayed jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.worker import Worker

__all__ = ["ALARMS", "Background"]

_THREADS: Final = 4
_MOST_WAITING: Final = 256


class Background:
    """Runs jobs in at most four threads, each key once at a time."""

    def __init__(self) -> None:
        self._worker = Worker("sansio-cache-background", size=_THREADS)
        self.begin_anew()
        follow_forks(self)

    def begin_anew(self) -> None:
        """Begin without jobs: in the child of a fork, too, which needs none of those that wait."""
        self._changed = threading.Condition()
        self._waiting: dict[Hashable, Callable[[], None]] = {}
        self._running: set[Hashable] = set()

    def submit(self, key: Hashable, job: Callable[[], None]) -> bool:
        """Run a job, unless its key is waiting or running, or too much waits; whether it will be run."""
        with self._changed:
            if key in self._running or key in self._waiting or len(self._waiting) >= _MOST_WAITING:
                return False
            self._waiting[key] = job
        self._worker(self._do_next)
        return True

    def _do_next(self) -> None:
        with self._changed:
            if not self._waiting:
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


ALARMS: Final = Worker()
"""Jobs that are due in a while; they neither block nor raise."""
