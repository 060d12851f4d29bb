"""Events and counters: what each kind of answer counts as, what a listener is told, and what it may do."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from core_rows import DATE, record_of

from sansio_cache import SettingError
from sansio_cache.cache_status import CacheStatus, Fwd
from sansio_cache.decisions import Answer, FromNetwork, Given
from sansio_cache.messages import Headers
from sansio_cache.records import Flaw
from sansio_cache_adapters.cache.events import Event, Events, Reasons, Stats

NOW = 1_000_000.0
KEY = bytes(range(32))


def answer(status: CacheStatus, *, stored: bool = False, **more: Any) -> Answer:
    body = Given(b"") if stored else FromNetwork()
    return Answer(200, "OK", Headers([]), body, status, **{"key": KEY, **more})


ROWS: list[tuple[str, Answer, dict[str, Any]]] = [
    ("hit", answer(CacheStatus(hit=True, ttl=5), stored=True), {"hits": 1}),
    ("stale", answer(CacheStatus(hit=True, ttl=-5), stored=True), {"stale": 1}),
    ("hit", answer(CacheStatus(hit=True, ttl=-5, collapsed=True), stored=True), {"hits": 1, "collapsed": 1}),
    ("validated", answer(CacheStatus(fwd=Fwd.STALE, ttl=5), stored=True, revalidated=True), {"validated": 1}),
    (
        "miss",
        answer(CacheStatus(fwd=Fwd.URI_MISS, detail="no-store")),
        {"misses": 1, "not_stored": Reasons({"no-store": 1})},
    ),
    ("bypass", answer(CacheStatus(fwd=Fwd.METHOD, detail="method"), key=b""), {"bypassed": 1}),
]


@pytest.mark.parametrize(("kind", "given", "counted"), ROWS)
def test_an_answer_is_counted_and_told_as_one_thing(kind: str, given: Answer, counted: dict[str, Any]) -> None:
    told: list[Event] = []
    events = Events(told.append, lambda: NOW)
    events.answered("GET", "https://a.example/", given)
    assert events.stats() == Stats(**counted)
    status = given.cache_status
    assert told == [
        Event(kind, "GET", "https://a.example/", 200, status.detail or str(status.fwd or ""), given.key.hex(), NOW)
    ]


def test_bytes_are_those_answered_from_the_store() -> None:
    record = record_of(DATE, "Content-Length: 5")
    events = Events(None, lambda: NOW)
    for _ in range(3):
        events.answered("GET", "https://a.example/", answer(CacheStatus(hit=True, ttl=5), stored=True, record=record))
    assert events.stats().bytes == 3 * record.head.length


def test_flaws_on_the_way_are_told_too() -> None:
    told: list[Event] = []
    events = Events(told.append, lambda: NOW)
    events.answered("GET", "https://a.example/", answer(CacheStatus(fwd=Fwd.URI_MISS), flaws=[Flaw.SIGNATURE]))
    assert [each.kind for each in told] == ["flaw", "miss"]
    assert events.stats().flaws == 1


def test_why_something_was_not_stored_is_counted_by_reason() -> None:
    events = Events(None, lambda: NOW)
    for reason in ("filtered", "filtered", "too-large"):
        events.tell("not-stored", reason=reason)
    not_stored = events.stats().not_stored
    assert (int(not_stored), not_stored["filtered"], not_stored["vary"]) == (3, 2, 0)
    assert repr(not_stored) == "3 {'filtered': 2, 'too-large': 1}"
    assert repr(Reasons({})) == "0"


def test_a_url_is_told_without_its_secrets() -> None:
    told: list[Event] = []
    Events(told.append, lambda: NOW).tell("stored", "GET", "https://user:password@a.example/?access_token=abc")
    assert "password" not in told[0].url
    assert "abc" not in told[0].url


def test_a_listener_that_raises_ends_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def listener(event: Event) -> None:
        raise ValueError(event.kind)

    events = Events(listener, lambda: NOW)
    events.tell("stored")
    assert events.stats().stored == 1
    assert [(each.levelno, each.getMessage()) for each in caplog.records] == [
        (logging.ERROR, "on_event raised on stored")
    ]


@pytest.mark.parametrize("listener", [5, lambda: None, lambda a, b: None])
def test_a_listener_of_another_form_is_an_error_at_once(listener: Any) -> None:
    with pytest.raises(SettingError, match="on_event"):
        Events(listener, lambda: NOW)


def test_what_a_finalizer_notes_is_told_later_and_takes_no_lock() -> None:
    told: list[Event] = []
    events = Events(told.append, lambda: NOW)
    with events._lock:  # as if the collector ran in the midst of counting
        events.note("not-stored", "GET", "https://a.example/", 200, "body-not-read", KEY)
    assert told == []
    assert events.stats().not_stored["body-not-read"] == 1
    assert [each.reason for each in told] == ["body-not-read"]


def test_every_event_is_a_line_of_the_log_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    events = Events(None, lambda: NOW)
    events.tell("stored", "GET", "https://a.example/", 200, "")
    assert not caplog.records
    with caplog.at_level(logging.DEBUG, "sansio_cache"):
        events.tell("stored", "GET", "https://a.example/", 200, "")
    assert caplog.messages == ["stored GET https://a.example/: 200 "]
