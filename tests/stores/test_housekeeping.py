"""The thread in which stores do what nobody need wait for."""

from __future__ import annotations

import _thread
import gc
import threading
import time
from queue import SimpleQueue
from weakref import ref

import pytest

from sansio_cache.errors import StoreError
from sansio_cache_adapters.stores import maintenance as housekeeping
from sansio_cache_adapters.stores.maintenance import Housekeeper


class Place:
    """Something to look after, which notes each visit and may have trouble."""

    def __init__(self, *pauses: float | None) -> None:
        self.pauses = list(pauses)
        self.visits = 0
        self.visited = threading.Event()

    def tend(self) -> float | None:
        self.visits += 1
        self.visited.set()
        if not self.pauses:
            raise StoreError("trouble")
        return self.pauses.pop(0)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_PAUSE", 0.0)


def serve(place: Place, *jobs: object) -> None:
    """All jobs, done here and not in a thread."""
    queue: SimpleQueue[object] = SimpleQueue()
    stop = housekeeping._Stop()
    for job in (*jobs, stop):
        queue.put(job)
    running = _thread.allocate_lock()
    running.acquire()
    housekeeping._live(queue, ref(place), running, _thread.allocate_lock())  # type: ignore[arg-type]
    assert stop.done.is_set()
    assert not running.locked()


def test_jobs_run_in_their_order_and_trouble_ends_nothing() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("a bug")

    serve(Place(None), lambda: done.append(1), fail, lambda: done.append(2))
    assert done == [1, 2]


def test_tending_goes_on_as_long_as_there_is_more() -> None:
    """And trouble while tending is no reason to stop for ever."""
    place = Place(0.0, 0.0, None)
    serve(place, None, lambda: place.visited.wait(5), lambda: None, lambda: None, None)
    assert place.visits == 4


def test_jobs_given_while_it_ends_are_done() -> None:
    """They would wait for ever otherwise: anyone who gave them saw a thread that was still running."""
    queue: SimpleQueue[object] = SimpleQueue()
    done: list[int] = []
    for job in (housekeeping._Stop(), lambda: done.append(1), housekeeping._Stop()):
        queue.put(job)
    running = _thread.allocate_lock()
    running.acquire()
    place = Place()
    housekeeping._live(queue, ref(place), running, _thread.allocate_lock())  # type: ignore[arg-type]
    assert done == [1]


def test_what_must_be_done_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it fails, for as long as it is worth anything; others do not wait for it."""
    monkeypatch.setattr(housekeeping, "_AGAIN", 0.0)
    done: list[str] = []
    keeper = Housekeeper(Place())
    well = threading.Event()
    tried = threading.Event()

    def fail_until_well(name: str) -> None:
        if not well.is_set():
            tried.set()
            raise StoreError("trouble")
        done.append(name)

    keeper.surely(lambda: fail_until_well("one"), 20)
    keeper.surely(lambda: fail_until_well("too late"), -1)
    keeper.surely(lambda: fail_until_well("two"), 20)
    keeper.soon(lambda: done.append("another"))
    assert keeper.drain(5.0)
    assert tried.is_set()
    assert done == ["another"]
    well.set()
    assert keeper.stop(5.0)
    assert done == ["another", "one", "two"]


def test_it_works_in_a_thread_of_its_own() -> None:
    place = Place(None)
    keeper = Housekeeper(place)
    assert not keeper.is_running
    assert keeper.drain(0.0)
    assert keeper.stop(0.0)
    threads: list[int] = []
    keeper.soon(lambda: threads.append(threading.get_ident()))
    assert keeper.drain(5.0)
    assert threads != [threading.get_ident()]
    keeper.later()
    keeper.later()
    assert place.visited.wait(5)
    assert keeper.is_running
    assert keeper.stop(5.0)
    keeper.soon(lambda: threads.append(0))
    assert keeper.drain(5.0)
    assert threads[-1] == 0
    assert keeper.stop(5.0)


def test_draining_takes_no_longer_than_allowed() -> None:
    keeper = Housekeeper(Place())
    go_on = threading.Event()
    keeper.soon(lambda: go_on.wait(20))
    began = time.monotonic()
    assert not keeper.drain(0.05)
    assert not keeper.stop(0.05)
    assert time.monotonic() - began < 5
    go_on.set()
    assert keeper.drain(5.0)
    keeper.stop(5.0)


def test_it_ends_with_what_it_looks_after() -> None:
    place = Place(None)
    keeper = Housekeeper(place)
    keeper.later()
    assert place.visited.wait(5)
    del place
    gc.collect()
    end = time.monotonic() + 5
    while keeper.is_running:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_jobs_may_be_given_by_finalizers() -> None:
    """Which run in the midst of anything, of giving a job, too."""

    class Forgotten:
        def __del__(self) -> None:
            keeper.soon(lambda: done.append(1))

    done: list[int] = []
    keeper = Housekeeper(Place())
    for _ in range(500):
        cycle = [Forgotten()]
        cycle.append(cycle)  # type: ignore[arg-type]
        keeper.soon(gc.collect)
    del cycle
    gc.collect()
    assert keeper.drain(20.0)
    assert len(done) == 500
    keeper.stop(5.0)
