"""The thread in which stores do work that can wait."""

from __future__ import annotations

import gc
import threading
import time
from functools import partial

import pytest

from sansio_cache.errors import StoreError
from sansio_cache_adapters.stores import maintenance
from sansio_cache_adapters.stores.maintenance import MaintenanceThread


class Place:
    """Something to look after, which notes each visit and may have trouble."""

    def __init__(self, *pauses: float | None) -> None:
        self.pauses = list(pauses)
        self.visits = 0
        self.visited = threading.Event()

    def maintain(self) -> float | None:
        self.visits += 1
        self.visited.set()
        if not self.pauses:
            raise StoreError("trouble")
        return self.pauses.pop(0)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_PAUSE", 0.0)


def test_tending_goes_on_as_long_as_there_is_more() -> None:
    """It goes on after an error in maintenance."""
    place = Place(0.0, 0.0, None)
    keeper = MaintenanceThread(place)
    for visits in (3, 4):
        keeper.later()
        end = time.monotonic() + 30
        while place.visits < visits:
            assert time.monotonic() < end
            time.sleep(0.001)
    assert keeper.end(30)
    assert place.visits == 4


def test_it_tends_again_after_it_was_stopped() -> None:
    """What was expected when it ended is expected no more."""
    place = Place(600.0, None)
    keeper = MaintenanceThread(place)
    keeper.later()
    assert place.visited.wait(30)
    assert keeper.end(30)
    place.visited.clear()
    keeper.later()
    assert place.visited.wait(30)
    keeper.end(30)


def test_it_works_in_a_thread_of_its_own() -> None:
    place = Place(None)
    keeper = MaintenanceThread(place)
    assert not keeper.works
    assert keeper.wait(0.0)
    assert keeper.end(0.0)
    threads: list[int] = []
    keeper(lambda: threads.append(threading.get_ident()))
    assert keeper.wait(30)
    assert threads != [threading.get_ident()]
    keeper.later()
    keeper.later()
    assert place.visited.wait(30)
    assert keeper.works
    assert keeper.end(30)
    keeper(lambda: threads.append(0))
    assert keeper.wait(30)
    assert threads[-1] == 0
    assert keeper.end(30)


def test_draining_takes_no_longer_than_allowed() -> None:
    keeper = MaintenanceThread(Place())
    go_on = threading.Event()
    keeper(lambda: go_on.wait(20))
    began = time.monotonic()
    assert not keeper.wait(0.05)
    assert not keeper.end(0.05)
    assert time.monotonic() - began < 5
    go_on.set()
    assert keeper.wait(30)
    keeper.end(30)


def test_it_ends_with_what_it_looks_after() -> None:
    place = Place(None)
    keeper = MaintenanceThread(place)
    keeper.later()
    assert place.visited.wait(30)
    del place
    gc.collect()
    end = time.monotonic() + 30
    while keeper.works:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_jobs_may_be_given_by_finalizers() -> None:
    """Which run in the midst of anything, of giving a job, too."""

    class Forgotten:
        def __del__(self) -> None:
            keeper(lambda: done.append(1))

    done: list[int] = []
    keeper = MaintenanceThread(Place())
    for _ in range(500):
        cycle = [Forgotten()]
        cycle.append(cycle)  # type: ignore[arg-type]
        keeper(partial(gc.collect, 1))  # what is young: all of it takes long after thousands of tests
    del cycle
    gc.collect()
    assert keeper.wait(60)
    assert len(done) == 500
    keeper.end(30)
