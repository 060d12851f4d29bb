"""The circuit breaker before a store: open after a failure, closed again once a probe succeeds."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

from sansio_cache import ForeignStore, ReadOnlyStore, SettingError, StoreError
from sansio_cache_adapters.cache import circuit_breaker
from sansio_cache_adapters.cache.circuit_breaker import CircuitBreaker
from sansio_cache_adapters.cache.events import Events
from sansio_cache_adapters.stores.work import do


class Probe:
    """A store that is well or not, and tells when it was asked."""

    def __init__(self) -> None:
        self.error: Exception | None = StoreError("locked")
        self.asked = threading.Semaphore(0)

    def __call__(self) -> None:
        self.asked.release()
        if self.error is not None:
            raise type(self.error)(*self.error.args)  # a new one: an error holds the frames it went through


@pytest.fixture
def probe() -> Probe:
    """Not well."""
    return Probe()


@pytest.fixture
def events() -> Events:
    """Tells no listener."""
    return Events(None, lambda: 0.0)


@pytest.fixture
def breaker(probe: Probe, events: Events, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A breaker that does not wait long between probes."""
    monkeypatch.setattr(circuit_breaker, "_FIRST_PAUSE", 0.001)
    made = CircuitBreaker("here", probe, events)
    yield made
    made.close()


def fails(error: BaseException) -> Callable[[], Any]:
    def call() -> None:
        raise error

    return call


def attempted(breaker: CircuitBreaker, otherwise: Any, call: Callable[[], Any]) -> Any:
    return do(breaker.attempting(otherwise, call))


def test_calls_pass_while_the_store_is_well(breaker: CircuitBreaker) -> None:
    assert attempted(breaker, "otherwise", lambda: "result") == "result"
    assert breaker.refusal == ""


@pytest.mark.parametrize("error", [StoreError("full"), OSError("gone"), ZeroDivisionError()])
def test_a_failure_opens_it_and_nothing_is_asked_any_more(
    error: Exception, breaker: CircuitBreaker, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "_pause", 60.0)
    monkeypatch.setattr(circuit_breaker, "_FIRST_PAUSE", 60.0)
    assert attempted(breaker, "otherwise", fails(error)) == "otherwise"
    asked: list[int] = []
    assert attempted(breaker, "otherwise", lambda: asked.append(1)) == "otherwise"
    assert not asked
    assert (breaker.down, breaker.refusal, events.stats().store_troubles) == (True, "store-unavailable", 1)


def test_a_wrong_setting_is_the_users_to_know(breaker: CircuitBreaker) -> None:
    with pytest.raises(SettingError):
        attempted(breaker, "otherwise", fails(SettingError("no such store")))
    assert not breaker.down


def test_a_probe_that_succeeds_closes_it(
    breaker: CircuitBreaker, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sansio_cache")
    breaker.trip(StoreError("locked"))
    assert probe.asked.acquire(timeout=30)
    assert breaker.down
    probe.error = None
    while breaker.down:
        assert probe.asked.acquire(timeout=30)
        time.sleep(0.001)
    assert caplog.messages == ["the cache at here is bypassed: locked", "the cache at here is in use again"]


def test_a_store_that_cannot_be_written_is_still_read(breaker: CircuitBreaker) -> None:
    breaker.trip(ReadOnlyStore("read only"))
    assert (breaker.down, breaker.read_only, breaker.refusal) == (False, True, "read-only")
    assert attempted(breaker, "otherwise", lambda: "result") == "result"


def test_pauses_double_up_to_two_seconds_and_for_what_is_not_ours_up_to_thirty(
    breaker: CircuitBreaker, probe: Probe
) -> None:
    breaker._pause = 0.25
    assert [breaker.heal() for _ in range(5)] == [0.5, 1.0, 2.0, 2.0, 2.0]
    probe.error = ForeignStore("a text")
    assert [breaker.heal() for _ in range(5)] == [4.0, 8.0, 16.0, 30.0, 30.0]
    probe.error = None
    assert breaker.heal() is None


def test_a_relapse_is_said_quietly(breaker: CircuitBreaker, probe: Probe, caplog: pytest.LogCaptureFixture) -> None:
    """A probe does not see all that ails a store: the log does not fill with the same line."""
    probe.error = None
    breaker.heal()
    with caplog.at_level(logging.WARNING, "sansio_cache"):
        breaker.trip(StoreError("full"))
    assert not caplog.messages
    assert breaker._pause == 2 * 0.001, "and it is bypassed for longer"


def test_a_dropped_breaker_ends_its_probing(probe: Probe, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "_FIRST_PAUSE", 0.001)
    breaker = CircuitBreaker("here", probe, events)
    breaker.trip(StoreError("locked"))
    assert probe.asked.acquire(timeout=30)
    gone = ref(breaker)
    del breaker
    gc.collect()
    assert gone() is None
    monkeypatch.setattr(circuit_breaker, "PROBES", None)
    circuit_breaker._heal(gone, circuit_breaker._Stop())


def test_no_thread_to_be_had_closes_it_at_once(breaker: CircuitBreaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker.PROBES, "after", lambda *_: False)
    breaker.trip(StoreError("locked"))
    assert not breaker.down
