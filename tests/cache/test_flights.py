"""Single flight within a process: who leads, who waits, and when they are released."""

from __future__ import annotations

import threading

import pytest

from sansio_cache.keys import Keys
from sansio_cache_adapters.cache import flights as module
from sansio_cache_adapters.cache.flights import Flight, Flights, NotStorable, OwnFlight, wait_blocking

STORE = b"store"


def keys(name: str = "a", resource: str = "r") -> Keys:
    return Keys(resource=resource.encode(), partition=name.encode())


def led(flights: Flights, keys: Keys, me: str = "leader") -> Flight:
    joined = flights.join(STORE, keys, me)
    assert isinstance(joined, tuple)
    leads, flight = joined
    assert leads
    return flight


def test_the_first_leads_and_the_others_wait_for_the_same() -> None:
    flights = Flights()
    flight = led(flights, keys())
    assert flights.join(STORE, keys(), "another") == (False, flight)
    assert flights.count() == 1


@pytest.mark.parametrize(("store", "name"), [(b"other", "a"), (STORE, "b")])
def test_another_store_or_partition_is_another_flight(store: bytes, name: str) -> None:
    flights = Flights()
    led(flights, keys())
    joined = flights.join(store, keys(name), "another")
    assert isinstance(joined, tuple)
    assert joined[0]


def test_a_leader_never_waits_for_itself() -> None:
    flights = Flights()
    led(flights, keys())
    assert isinstance(flights.join(STORE, keys(), "leader"), OwnFlight)


def test_an_end_releases_everyone_and_may_come_twice() -> None:
    flights = Flights()
    flight = led(flights, keys())
    assert not wait_blocking(flight.done, 0)
    flight.land()
    assert flight.head.done()
    assert not flight.done.done()
    for _ in range(2):
        flights.end(flight)
    assert wait_blocking(flight.done, 0)
    assert flights.count() == 0
    led(flights, keys(), "the next")


def test_who_asks_when_it_has_come_need_not_wait() -> None:
    """The futures are made for those who wait; before anyone does there are none."""
    flights = Flights()
    flight = led(flights, keys())
    flight.land()
    assert not {"_head", "_done"} & vars(flight).keys()
    assert flight.head.done()
    assert flight.done is flight.done
    flights.end(flight)
    assert flight.done.done()


def test_an_end_of_an_older_flight_leaves_the_newer() -> None:
    flights = Flights()
    old = led(flights, keys())
    flights.forget(STORE, b"r")
    new = led(flights, keys(), "the next")
    flights.end(old)
    assert flights.join(STORE, keys(), "another") == (False, new)


def test_not_storable_is_known_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request queues for an answer that cannot be shared."""
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    flights = Flights()
    flights.end(led(flights, keys()), storable=False)
    assert isinstance(flights.join(STORE, keys(), "another"), NotStorable)
    now += module.REMEMBERED + 1
    led(flights, keys(), "another")


def test_what_is_not_storable_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)
    flights = Flights()
    for name in "abcd":
        flights.end(led(flights, keys(name)), storable=False)
    led(flights, keys("a"))
    assert isinstance(flights.join(STORE, keys("d"), "another"), NotStorable)


@pytest.mark.parametrize(("resource", "joins"), [("r", False), ("another", True)])
def test_a_dropped_resource_is_waited_for_no_more(resource: str, joins: bool) -> None:
    flights = Flights()
    flight = led(flights, keys())
    flights.forget(STORE, resource.encode())
    joined = flights.join(STORE, keys(), "another")
    assert isinstance(joined, tuple)
    assert (joined[1] is flight) is joins


def test_a_child_begins_without_flights_even_if_the_lock_was_held() -> None:
    flights = Flights()
    flight = led(flights, keys())
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with flights._lock:
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    flights.begin_anew()
    led(flights, keys(), "child")
    release.set()
    thread.join()
    flights.end(flight)
    assert flights.count() == 1
