"""What one request says to the cache, ``disabled()``, and what the session tells."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
import requests
from clock import Clock
from local_origin import Origin, Reply, fresh

from sansio_cache import DO_NOT_CACHE, CachedSession, MemoryStore, NotCached


def counting(origin: Origin, **fields: str) -> Any:
    """Bodies that count the fetches."""
    return lambda _: Reply(str(origin.count()).encode(), fields=fields)


def test_expire_after(clock: Clock, origin: Origin) -> None:
    """This request's own time wins over all."""
    with CachedSession(MemoryStore(), clock=clock, expire_after=1000) as session:
        url = origin.on("/a", counting(origin))
        session.get(url)
        clock.advance(50)
        assert session.get(url, expire_after=60).from_cache
        assert not session.get(url, expire_after=40).from_cache
        assert not session.get(url, expire_after=DO_NOT_CACHE).from_cache
        assert session.get(url).content == b"2"


def test_refresh_validates(session: CachedSession, origin: Origin) -> None:
    """However fresh the stored response is."""
    url = origin.on("/a", fresh(b"x", etag='"1"'), Reply(status=304, fields={"ETag": '"1"'}, framing="none"))
    session.get(url)
    response = session.get(url, refresh=True)
    assert (response.content, response.revalidated, response.from_cache) == (b"x", True, True)
    assert origin.last().get("If-None-Match") == '"1"'


def test_force_refresh_fetches(session: CachedSession, origin: Origin) -> None:
    """Without a look at the store, and what comes takes the old place."""
    url = origin.on("/a", counting(origin, **{"Cache-Control": "max-age=60", "ETag": '"1"'}))
    session.get(url)
    assert session.get(url, force_refresh=True).content == b"2"
    assert origin.last().get("If-None-Match") is None
    again = session.get(url)
    assert (again.content, again.from_cache) == (b"2", True)


def test_only_if_cached(session: CachedSession, origin: Origin) -> None:
    """Fresh or 504."""
    url = origin.on("/a", fresh(b"x"))
    missing = session.get(url, only_if_cached=True)
    assert (missing.status_code, missing.content, missing.from_cache) == (504, b"", False)
    session.get(url)
    assert session.get(url, only_if_cached=True).from_cache
    assert origin.count() == 1


def test_tags(session: CachedSession, origin: Origin) -> None:
    """To find entries by."""
    for path, tags in (("/a", ["red"]), ("/b", ["red", "blue"]), ("/c", [])):
        session.get(origin.on(path, fresh(b"x")), tags=tags)
    assert session.cache.delete(tags=["blue"]) == 1
    assert session.cache.delete(tags=["red"]) == 1
    assert session.cache.size().entries == 1


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
def test_every_method_takes_them(session: CachedSession, origin: Origin, method: str) -> None:
    """And none of them is sent."""
    url = origin.on("/a", fresh(b"x"))
    response = getattr(session, method)(url, expire_after=60, refresh=False, tags=["t"], force_refresh=True)
    assert response.status_code == 200
    assert origin.last().target == "/a"


def test_send_takes_them(session: CachedSession, origin: Origin) -> None:
    """With a prepared request."""
    request = session.prepare_request(requests.Request("GET", origin.on("/a", counting(origin))))
    assert session.send(request, expire_after=60).content == b"1"
    assert session.send(request, expire_after=60).from_cache
    assert session.send(request, expire_after=60, force_refresh=True).content == b"2"


def test_they_end_with_their_request(session: CachedSession, origin: Origin) -> None:
    """Neither the next request nor one of another session that is made within is told of them."""
    url, other = origin.on("/a", fresh(b"x")), origin.on("/b", counting(origin))
    with CachedSession(MemoryStore()) as inner:

        def hook(*_: Any, **__: Any) -> None:
            inner.send(requests.Request("GET", other).prepare())
            inner.get(other)

        session.get(url, expire_after=60, hooks={"response": hook})
        assert inner.cache.size().entries == 0
    with pytest.raises(requests.ConnectionError):
        session.get("http://127.0.0.1:1/", expire_after=60)
    session.get(other)
    assert not session.cache.contains(other)


def test_disabled(sessions: Any, origin: Origin) -> None:
    """Within the block the cache is bypassed; other threads and sessions are not touched."""
    url = origin.on("/a", counting(origin, **{"Cache-Control": "max-age=60"}))
    session, other = sessions(), sessions()
    session.get(url)
    seen: list[bytes] = []
    with session.disabled():
        response = session.get(url)
        assert (response.from_cache, response.cache_key, response.content) == (False, "", b"2")
        assert session.send(requests.Request("GET", url).prepare()).content == b"3"
        with session.disabled():
            assert session.get(url).content == b"4"
        assert session.get(url).content == b"5"
        assert other.get(url).content == b"1"
        thread = threading.Thread(target=lambda: seen.append(session.get(url).content))
        thread.start()
        thread.join(30)
    assert seen == [b"1"]
    assert session.get(url).content == b"1"


def test_offline(cache_file: Any, key: str, session: CachedSession, origin: Origin) -> None:
    """Any stored response of any age, and never the network."""
    url = origin.on("/a", fresh(b"x", 0))
    session.get(url)
    with CachedSession(cache_file, secret_key=key, offline=True) as offline:
        assert offline.get(url).content == b"x"
        with pytest.raises(NotCached, match="/b"):
            offline.get(origin.url("/b"))
        with pytest.raises(NotCached):
            offline.post(url)
    assert origin.count() == 1


def test_read_only(sessions: Any, origin: Origin) -> None:
    """Nothing is stored, nor invalidated."""
    url = origin.on("/a", fresh(b"x"))
    sessions().get(url)
    reader = sessions(read_only=True)
    assert reader.get(url).from_cache
    reader.post(url)
    reader.get(origin.on("/b", fresh(b"y")))
    assert reader.get(url).from_cache
    assert not reader.get(origin.url("/b")).from_cache


def test_events_tell_every_decision(origin: Origin) -> None:
    """With the reason, and secrets redacted."""
    events: list[Any] = []
    with CachedSession(MemoryStore(), on_event=events.append) as session:
        url = origin.on("/a", fresh(b"x"))
        session.get(url, params={"token": "hunter2"})
        session.get(url, params={"token": "hunter2"})
        session.post(url)
    assert [(event.kind, event.method, event.status) for event in events] == [
        ("miss", "GET", 200),
        ("stored", "GET", 200),
        ("hit", "GET", 200),
        ("bypass", "POST", 200),
    ]
    assert "hunter2" not in repr(events)


def test_a_listener_that_fails_is_no_trouble(origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged."""

    def fail(_: object) -> None:
        raise RuntimeError("listener")

    with CachedSession(MemoryStore(), on_event=fail) as session, caplog.at_level(logging.ERROR, "sansio_cache"):
        assert session.get(origin.on("/a", fresh(b"x"))).content == b"x"
    assert "on_event raised" in caplog.text


def test_a_filter_that_fails_keeps_nothing(origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    """The answer is not touched."""

    def fail(*_: object) -> bool:
        raise RuntimeError("filter")

    with CachedSession(MemoryStore(), filter_fn=fail) as session:
        url = origin.on("/a", fresh(b"x"))
        assert session.get(url).content == b"x"
        assert not session.cache.contains(url)
    assert "filter_fn raised" in caplog.text


def test_max_body(sessions: Any, origin: Origin) -> None:
    """A longer body passes through, whether its length was told or not."""
    session = sessions(max_body=100)
    for framing in ("length", "chunked"):
        for size, kept in ((100, True), (101, False)):
            reply = Reply(bytes(size), fields={"Cache-Control": "max-age=60"}, framing=framing)
            url = origin.on(f"/{framing}{size}", reply)
            assert session.get(url).content == bytes(size)
            assert session.cache.contains(url) is kept
