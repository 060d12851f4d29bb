"""Single flight within a process: one of several requests for one cold key fetches, and the others wait.

Serves threads, asyncio and trio alike, and all sessions on one store: they wait for a
``concurrent.futures.Future``; threads wait on it, tasks on an event of their loop that its callback sets.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import wait as wait_for
from contextlib import suppress
from typing import Any, Final, Protocol

from sansio_cache.keys import Keys
from sansio_cache_adapters.stores.forking import follow_forks

__all__ = ["FLIGHTS", "Duty", "Flight", "Flights", "NotStorable", "OwnFlight", "wait_blocking"]

REMEMBERED: Final = 10.0
"""Seconds for which a key is known as not storable: no request queues for it."""
_MOST_REMEMBERED: Final = 4096


class Duty(Protocol):
    """The duty of a leader towards the waiting requests."""

    def release(self, *, storable: bool) -> None:
        """Release everyone who waits. Never blocks for long, never raises. Idempotent."""
        ...

    def rest(self) -> None:
        """The same where the body is only not waited for any longer: to wait for the next one would be no better."""
        ...


class OwnFlight:
    """The caller leads this flight already: to wait would be to wait for oneself."""


class NotStorable:
    """The answer was not storable a moment ago: no request queues for it."""


class Flight:
    """One fetch that others may wait for. What they wait on is made when a caller waits, which is seldom.

    :ivar lead: the leader's duty, once there is one.
    :ivar rests: it has ended for those who wait only because its body takes too long.
    """

    has_landed: bool = False
    has_ended: bool = False
    rests: bool = False
    lead: Duty | None = None
    _head: Future[None] | None = None
    _done: Future[None] | None = None

    def __init__(self, key: tuple[bytes, bytes], resource: bytes, leader: object) -> None:
        self.key: tuple[bytes, bytes] = key
        self.resource: bytes = resource
        self.leader: object = leader

    @property
    def head(self) -> Future[None]:
        """Done when the response's head has come, or the flight has ended."""
        # Of threads that make one at the same time all get the same.
        future: Future[None] = vars(self).setdefault("_head", Future())
        if self.has_landed:
            _resolve(future)
        return future

    @property
    def done(self) -> Future[None]:
        """Done when the flight has ended for those who wait."""
        future: Future[None] = vars(self).setdefault("_done", Future())
        if self.has_ended:
            _resolve(future)
        return future

    def land(self) -> None:
        """The head of the response has come."""
        self.has_landed = True
        if self._head is not None:
            _resolve(self._head)

    def end(self) -> None:
        """No caller need wait any longer."""
        self.lead = None
        self.has_landed = self.has_ended = True
        for future in (self._head, self._done):
            if future is not None:
                _resolve(future)


class Flights:
    """The flights of a process, by store and partition."""

    def __init__(self) -> None:
        self.begin_anew()
        follow_forks(self)

    def begin_anew(self) -> None:
        """Forget everything: in the child of a fork the leaders are in another process."""
        # A finalizer may end a flight in the midst of anything, this lock's own holder included.
        self._lock = threading.RLock()
        self._flights: dict[tuple[bytes, bytes], Flight] = {}
        self._not_storable: dict[tuple[bytes, bytes], float] = {}

    def join(self, store_id: bytes, keys: Keys, me: object) -> tuple[bool, Flight] | OwnFlight | NotStorable:
        """A flight for these keys, and whether we lead it.

        :param me: the thread or task that asks.
        """
        key = (store_id, keys.partition)
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return OwnFlight() if flight.leader == me else (False, flight)
            until = self._not_storable.get(key)
            if until is not None:
                if time.monotonic() < until:
                    return NotStorable()
                del self._not_storable[key]
            flight = self._flights[key] = Flight(key, keys.resource, me)
            return True, flight

    def end(self, flight: Flight, *, storable: bool = True) -> None:
        """Release everyone who waits. Idempotent."""
        with self._lock:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
            if not storable:
                if len(self._not_storable) >= _MOST_REMEMBERED:
                    self._not_storable.clear()
                self._not_storable[flight.key] = time.monotonic() + REMEMBERED
        flight.end()

    def forget(self, store_id: bytes, resource: bytes) -> None:
        """A resource was dropped: no request joins a flight that began before."""
        with self._lock:
            for key, flight in list(self._flights.items()):
                if key[0] == store_id and flight.resource == resource:
                    del self._flights[key]

    def count(self) -> int:
        """How many flights there are."""
        with self._lock:
            return len(self._flights)


def _resolve(future: Future[None]) -> None:
    if not future.done():
        # Two may end it at once; the first one did.
        with suppress(InvalidStateError):
            future.set_result(None)


def wait_blocking(future: Future[Any], seconds: float) -> bool:
    """Wait for a future as a thread; whether it was done in time."""
    wait_for([future], timeout=seconds)
    return future.done()


FLIGHTS: Final = Flights()
"""The flights of this process."""
