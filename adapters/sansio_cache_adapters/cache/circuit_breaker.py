"""The circuit breaker before a store: after any error there the user's request goes on (fail open).

After a failure the store is bypassed, without further delay, until a probe in a thread of its own succeeds.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

from sansio_cache.errors import ForeignStore, NoPlace, ReadOnlyStore, SettingError, StoreError
from sansio_cache_adapters.stores.forking import follow_forks
from sansio_cache_adapters.stores.worker import Worker

from .events import Events, logger
from .notices import warn_once

__all__ = ["CircuitBreaker"]

D = TypeVar("D")
T = TypeVar("T")
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 2.0
"""Seconds between two probes at most: within these a healed store is in use again."""
_RELAPSE: Final = 10.0
"""Seconds within which new trouble is the old one: a probe does not see all that ails a store, a full disk for one."""
_LASTING: Final = (ForeignStore, NoPlace, ReadOnlyStore)
"""Trouble that lasts until its user does something about it."""


class CircuitBreaker:
    """Lets calls through to a store while it is well.

    :ivar down: it is bypassed.
    :ivar read_only: it is read, and nothing is written: it cannot be where it lies.

    :param probe: raises while the store is not well, and takes it as it then is (it may be another one: a file that was
        deleted and made anew); blocking, called from a thread of its own.
    """

    def __init__(self, location: str, probe: Callable[[], object], events: Events) -> None:
        self.down: bool = False
        self.read_only: bool = False
        self._location = location
        self._probe = probe
        self._events = events
        self._lock = threading.RLock()
        self._stop = _Stop()
        self._pause = _FIRST_PAUSE
        self._well_since = float("-inf")
        follow_forks(self)

    @property
    def refusal(self) -> str:
        """Why nothing can be stored now; empty if it can."""
        return "store-unavailable" if self.down else "read-only" if self.read_only else ""

    async def attempting(self, otherwise: D, call: Callable[[], T | Awaitable[T]]) -> T | D:
        """The result of a call to the store, or ``otherwise`` while the store is in trouble; as work."""
        if self.down:
            return otherwise
        try:
            result: Any = call()
            there: T = await result if hasattr(result, "__await__") else result
            return there
        except SettingError:
            raise
        except Exception as error:  # a store of the user's own may raise anything
            self.trip(error)
            return otherwise

    def trip(self, error: BaseException) -> None:
        """Bypass the store from now on, until it works again; said once for each time, and for longer in a relapse."""
        read_only = isinstance(error, ReadOnlyStore)
        if read_only and self.read_only:
            return
        self._events.tell("store-trouble", reason=str(error) or type(error).__name__)
        with self._lock:
            if self.down or (read_only and self.read_only) or self._stop.rung:
                return
            if read_only:
                self.read_only = True
            else:
                self.down = True
            relapsed = time.monotonic() - self._well_since < _RELAPSE
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) if relapsed else _FIRST_PAUSE
        logger.log(
            logging.DEBUG if relapsed else logging.WARNING,
            "the cache at %s is read only: %s" if read_only else "the cache at %s is bypassed: %s",
            self._location,
            str(error) or type(error).__name__,
        )
        if isinstance(error, _LASTING):
            # Nothing but its user's own hand makes this well.
            warn_once(str(error))
        if not isinstance(error, StoreError):
            logger.debug("unexpected error of the store", exc_info=error)
        if not PROBES.after(self._pause, partial(_heal, weakref.ref(self), self._stop)):
            # No thread can be begun now: the next call asks the store itself.
            self.down = self.read_only = False

    def heal(self) -> float | None:
        """Probe. After how many seconds to do so again, or None if the store is well."""
        try:
            self._probe()
        except Exception as again:
            # Its owner may move a file away that is not ours, but not in a hurry.
            longest = 15 * _LONGEST_PAUSE if isinstance(again, _LASTING) else _LONGEST_PAUSE
            self._pause = min(2 * self._pause, longest)
            return self._pause
        self._well_since = time.monotonic()
        self.down = self.read_only = False
        logger.info("the cache at %s is in use again", self._location)
        return None

    def close(self) -> None:
        """Stop probing."""
        self._stop.ring()

    def reopen(self) -> None:
        """Allow probing again, after close."""
        # The thread that probed has gone: the next call finds out how the store is.
        self.down = self.read_only = False
        self._stop = _Stop()

    def begin_anew(self) -> None:
        """In the child of a fork: a probing thread stays in the parent, and may hold the lock there."""
        self._lock = threading.RLock()
        self.reopen()


class _Stop:
    """The end of probing."""

    rung = False

    def ring(self) -> None:
        """Stop."""
        self.rung = True


PROBES: Final = Worker("sansio-cache-probe", size=8)
"""Opens stores that are not well; each may keep its thread waiting for as long as the store does."""


def _heal(breaker: weakref.ref[CircuitBreaker], stop: _Stop) -> None:
    """Probe until the store is well, or the session is gone."""
    living = None if stop.rung else breaker()
    pause = None if living is None else living.heal()
    if pause is not None:
        PROBES.after(pause, partial(_heal, breaker, stop))
