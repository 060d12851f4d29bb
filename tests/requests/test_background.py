"""Stale responses: validated in the background, or in the place of an error (RFC 5861)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests
from clock import Clock
from local_origin import Conversation, Origin, Reply, Seen, fresh

from sansio_cache import CachedSession, MemoryStore

WHILE = {"Cache-Control": "max-age=10, stale-while-revalidate=100", "ETag": '"1"'}


def wait(event: threading.Event) -> None:
    event.wait(30)


def until(condition: Any) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def session(clock: Clock, cache_file: Any, key: str) -> Any:
    with CachedSession(cache_file, secret_key=key, clock=clock) as session:
        yield session


def test_a_stale_response_is_given_at_once_and_validated_behind(
    session: CachedSession, clock: Clock, origin: Origin
) -> None:
    """The next one gets the new."""
    go_on = threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.get("If-None-Match"):
            assert go_on.wait(20)
            return Reply(b"new", fields=WHILE | {"ETag": '"2"'})
        return Reply(b"old", fields=WHILE)

    url = origin.on("/a", answer)
    session.get(url)
    clock.advance(50)
    stale = session.get(url)
    assert (stale.content, stale.from_cache) == (b"old", True)
    assert "stale-while-revalidate" in stale.cache_status
    go_on.set()
    until(lambda: session.cache.stats.stored == 2)
    assert session.get(url).content == b"new"
    assert origin.count() == 2


def test_a_confirmation_behind_freshens(session: CachedSession, clock: Clock, origin: Origin) -> None:
    """For all who ask later."""
    url = origin.on("/a", Reply(b"x", fields=WHILE), Reply(status=304, fields=WHILE, framing="none"))
    session.get(url)
    clock.advance(50)
    session.get(url)
    until(lambda: session.cache.stats.validated == 1)
    until(lambda: "stale" not in session.get(url).cache_status)
    assert origin.count() == 2


def test_many_who_ask_start_one_validation(session: CachedSession, clock: Clock, origin: Origin) -> None:
    """And no request waits for it."""
    go_on = threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.get("If-None-Match"):
            assert go_on.wait(20)
            return Reply(status=304, fields=WHILE, framing="none")
        return Reply(b"x", fields=WHILE)

    url = origin.on("/a", answer)
    session.get(url)
    clock.advance(50)
    assert {session.get(url).content for _ in range(50)} == {b"x"}
    go_on.set()
    until(lambda: session.cache.stats.validated == 1)
    assert origin.count() == 2


def test_what_is_validated_behind_is_what_was_asked(session: CachedSession, clock: Clock, origin: Origin) -> None:
    """Though the user changes the request they got back."""
    url = origin.on("/a", lambda _: Reply(b"x", fields=WHILE))
    session.get(url, headers={"X-API-Key": "mine"})
    clock.advance(50)
    held = threading.Event()
    session._cache.background.submit("first", lambda: wait(held))
    for number in range(3):
        session._cache.background.submit(number, lambda: wait(held))
    stale = session.get(url, headers={"X-API-Key": "mine"}, hooks={"response": []}, stream=False)
    stale.request.headers["X-API-Key"] = "yours"
    held.set()
    until(lambda: origin.count() == 2)
    assert origin.last().get("X-API-Key") == "mine"


def test_a_validation_that_fails_leaves_the_entry(
    session: CachedSession, clock: Clock, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted, and the next asker tries again."""
    url = origin.on("/a", Reply(b"x", fields=WHILE))
    session.get(url)
    clock.advance(50)
    origin.script("/a", lambda _, peer: peer.reset())
    assert session.get(url).content == b"x"
    until(lambda: session.cache.stats.background_errors == 1)
    assert "background validation" in caplog.text
    assert session.get(url).content == b"x"
    until(lambda: session.cache.stats.background_errors == 2)


def test_close_waits_for_it(cache_file: Any, key: str, clock: Clock, origin: Origin) -> None:
    """Five seconds at most."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.get("If-None-Match"):
            asked.set()
            assert go_on.wait(20)
            return Reply(b"new", fields=WHILE)
        return Reply(b"old", fields=WHILE)

    url = origin.on("/a", answer)
    with CachedSession(cache_file, secret_key=key, clock=clock) as session:
        session.get(url)
        clock.advance(50)
        session.get(url)
        assert asked.wait(30)
        threading.Timer(0.2, go_on.set).start()
    with CachedSession(cache_file, secret_key=key, clock=clock) as session:
        assert session.get(url).content == b"new"
    assert origin.count() == 2


FAILURES: dict[str, Any] = {
    "reset": lambda seen, peer: peer.reset(),
    "500": lambda seen, peer: peer.reply(Reply(b"e", 500), seen.method),
    "502": lambda seen, peer: peer.reply(Reply(b"e", 502), seen.method),
    "503": lambda seen, peer: peer.reply(Reply(b"e", 503), seen.method),
    "504": lambda seen, peer: peer.reply(Reply(b"e", 504), seen.method),
    "no answer": lambda seen, peer: peer.wait_for_end(),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_stale_if_error(clock: Clock, origin: Origin, failure: str) -> None:
    """In the place of an error, for the time allowed, by the session or by the response."""
    patience = 0.3 if failure == "no answer" else 30
    ways: list[tuple[dict[str, Any], str]] = [({"stale_if_error": 100}, ""), ({}, ", stale-if-error=100")]
    for settings, fields in ways:
        with CachedSession(MemoryStore(), clock=clock, **settings) as session:
            origin._scripts.clear()
            url = origin.on("/a", Reply(b"good", fields={"Cache-Control": "max-age=10" + fields, "ETag": '"1"'}))
            session.get(url)
            origin.script("/a", FAILURES[failure])
            clock.advance(50)
            for _ in range(2):
                stale = session.get(url, timeout=patience)
                assert (stale.content, stale.from_cache) == (b"good", True)
                assert "stale-if-error" in stale.cache_status
            clock.advance(100)
            try:
                late = session.get(url, timeout=patience)
            except requests.RequestException:
                assert failure in ("reset", "no answer")
            else:
                assert str(late.status_code) == failure


@pytest.mark.parametrize("directive", ["must-revalidate", "no-cache"])
def test_stale_is_not_used_where_the_response_forbids_it(clock: Clock, origin: Origin, directive: str) -> None:
    """RFC 9111 §4.2.4."""
    with CachedSession(MemoryStore(), clock=clock, stale_if_error=True, stale_while_revalidate=True) as session:
        fields = {"Cache-Control": f"max-age=10, {directive}", "ETag": '"1"'}
        url = origin.on("/a", Reply(b"x", fields=fields), Reply(b"e", 500))
        session.get(url)
        clock.advance(50)
        assert session.get(url).status_code == 500


def test_a_failed_validation_keeps_the_good_entry(clock: Clock, origin: Origin) -> None:
    """An error replaces no stored response."""
    with CachedSession(MemoryStore(), clock=clock) as session:
        fields = {"Cache-Control": "max-age=10", "ETag": '"1"'}
        error = Reply(b"e", 503, {"Cache-Control": "max-age=60"})
        url = origin.on("/a", Reply(b"x", fields=fields), error, Reply(status=304, fields=fields, framing="none"))
        session.get(url)
        clock.advance(50)
        assert session.get(url).status_code == 503
        assert session.get(url).content == b"x"


def test_an_error_without_anything_stored_is_the_clients(origin: Origin) -> None:
    """As without a cache."""
    url = origin.script("/a", lambda seen, peer: peer.reset())
    with CachedSession(MemoryStore(), stale_if_error=True) as session, pytest.raises(requests.ConnectionError):
        session.get(url)


def test_a_stale_answer_given_for_an_error_leaves_no_connection_behind(clock: Clock, origin: Origin) -> None:
    """The error's own response is given up."""

    def script(seen: Seen, peer: Conversation) -> None:
        peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\nnever ends")
        peer.wait_for_end()
        gone.set()

    gone = threading.Event()
    with CachedSession(MemoryStore(), clock=clock, stale_if_error=True) as session:
        url = origin.on("/a", fresh(b"x", 10, etag='"1"'))
        session.get(url)
        clock.advance(50)
        origin.script("/a", script)
        assert session.get(url, timeout=30).content == b"x"
        assert gone.wait(30)
