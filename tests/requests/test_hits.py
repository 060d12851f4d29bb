"""Drop-in, points 2, 7 and 11: a hit is the client's own type and protocol, and outlives session and store."""

from __future__ import annotations

import copy
import io
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from clock import Clock
from local_origin import Origin, Reply, fresh
from urllib3 import HTTPResponse

from sansio_cache import CachedSession, MemoryStore

BODY = b'{"name": "\xc3\xa9"}'


def test_a_hit_has_what_a_response_has(session: CachedSession, origin: Origin) -> None:
    """Every attribute of requests.Response, with the same value as on the miss."""
    reply = fresh(BODY, content_type="application/json; charset=utf-8")
    reply.reason = "Very Fine"
    url = origin.on("/a", reply)
    miss, hit = session.get(url, params={"b": "2", "a": "1"}), session.get(url, params={"b": "2", "a": "1"})
    assert hit.from_cache
    assert isinstance(hit, requests.Response)
    assert type(hit) is type(miss)
    for name in (
        "status_code",
        "reason",
        "url",
        "encoding",
        "text",
        "content",
        "history",
        "ok",
        "is_redirect",
        "links",
    ):
        assert getattr(hit, name) == getattr(miss, name), name
    assert hit.url == url + "?b=2&a=1"
    assert hit.reason == "Very Fine"
    assert hit.json() == json.loads(BODY)
    assert isinstance(hit.elapsed, timedelta)
    assert isinstance(hit.cookies, requests.cookies.RequestsCookieJar)
    assert isinstance(hit.raw, HTTPResponse)
    # A response without a Date is stored with one (RFC 9110 §6.6.1).
    assert {*hit.headers} == {*miss.headers, "Age", "Date"}
    assert bool(hit)
    assert hit.next is None
    hit.raise_for_status()
    for name in dir(miss):
        assert hasattr(hit, name), name


def test_a_hit_says_what_the_cache_knows(clock: Clock, origin: Origin) -> None:
    """From where, since when, for how long, and why."""
    session = CachedSession(MemoryStore(), clock=clock)
    url = origin.on("/a", fresh(BODY, 100))
    miss = session.get(url)
    clock.advance(10)
    hit = session.get(url)
    received = datetime.fromtimestamp(clock() - 10, UTC)
    assert (miss.from_cache, miss.revalidated, miss.created_at) == (False, False, received)
    assert (hit.from_cache, hit.revalidated, hit.created_at) == (True, False, received)
    assert hit.expires is not None
    assert len(hit.cache_key) == 64
    assert miss.cache_key == hit.cache_key
    assert miss.cache_status == "sansio-cache;fwd=uri-miss;fwd-status=200;stored"
    assert hit.cache_status.startswith("sansio-cache;hit;ttl=")
    session.close()


@pytest.mark.parametrize("seconds", [-5, 3600])
def test_expiry_is_told(seconds: int, origin: Origin) -> None:
    """By the clock on the wall."""
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    with CachedSession(MemoryStore(), expire_after=at) as session:
        response = session.get(origin.on("/", fresh(BODY)))
        assert response.expires == at
        assert response.is_expired is (seconds < 0)


def test_a_time_beyond_the_calendar_is_no_time(origin: Origin) -> None:
    """What never expires has no date of expiry."""
    with CachedSession(MemoryStore(), expire_after=-1) as session:
        url = origin.on("/", fresh(BODY))
        session.get(url)
        hit = session.get(url)
        assert hit.from_cache
        assert hit.expires is None
        assert not hit.is_expired


def test_the_request_of_a_hit_is_this_request(session: CachedSession, origin: Origin) -> None:
    """A real PreparedRequest with its own URL and fields, which the user may change."""
    url = origin.on("/a", fresh(BODY))
    session.get(url)
    first = session.get(url + "#part", headers={"X-Mine": "1"})
    second = session.get(url + "#part", headers={"X-Mine": "1"})
    assert first.from_cache
    assert second.from_cache
    for hit in (first, second):
        assert isinstance(hit.request, requests.PreparedRequest)
        assert hit.request.url == hit.url == url + "#part"
        assert hit.request.headers["X-Mine"] == "1"
        assert hit.request.body is None
        assert hit.request.method == "GET"
    first.request.headers["X-Mine"] = "2"
    assert session.get(url + "#part", headers={"X-Mine": "1"}).request.headers["X-Mine"] == "1"


def test_the_connection_of_a_hit_sends(session: CachedSession, origin: Origin) -> None:
    """Hooks use it to ask again."""
    url = origin.on("/a", fresh(BODY))
    for _ in range(3):
        response = session.get(url)
        again: Any = response.connection.send(response.request)
        assert again.content == BODY
        assert again.from_cache


def test_raw_of_a_hit_reads_streams_and_closes(session: CachedSession, origin: Origin) -> None:
    """As the network's does."""
    url = origin.on("/a", fresh(b"0123456789"))
    session.get(url)
    with session.get(url, stream=True) as hit:
        raw = hit.raw
        assert hit.from_cache
        assert raw.status == 200
        assert raw.headers["Cache-Control"] == "max-age=3600"
        assert raw.read(3) == b"012"
        assert not raw.closed
        assert raw.tell() == 3
        assert list(raw.stream(4)) == [b"3456", b"789"]
        assert raw.closed
        assert raw.read() == b""
    hit = session.get(url, stream=True)
    hit.close()
    assert hit.raw.closed
    assert hit.raw.read() == b""


def test_raw_is_at_its_end_once_the_content_was_read(session: CachedSession, origin: Origin) -> None:
    """Without ``stream`` nothing is left to read, on a hit as on a miss."""
    for path, coded in (("/plain", False), ("/coded", True)):
        url = origin.on(path, fresh(BODY, coded=coded))
        for _ in range(2):
            response = session.get(url)
            assert response.raw.read() == b""
            assert response.content == BODY


def test_raw_serves_the_standard_library(session: CachedSession, origin: Origin) -> None:
    """It is an ``io`` object."""
    url = origin.on("/a", fresh(b"line 1\nline 2\n"))
    session.get(url)
    with session.get(url, stream=True) as hit:
        hit.raw.auto_close = False
        assert io.BufferedReader(hit.raw).readlines() == [b"line 1\n", b"line 2\n"]


def test_content_consumed_in_a_stream_cannot_be_read_again(session: CachedSession, origin: Origin) -> None:
    """requests' own rule."""
    url = origin.on("/a", fresh(BODY))
    for _ in range(2):
        with session.get(url, stream=True) as response:
            assert b"".join(response.iter_content(3)) == BODY
            with pytest.raises(requests.exceptions.StreamConsumedError):
                response.iter_content(3)


def test_hooks_are_called_once_with_keywords(session: CachedSession, origin: Origin) -> None:
    """By requests' own ``send``, on a miss and on a hit; of the session, of the request, and of its auth."""
    calls: list[tuple[bool, list[str]]] = []

    def hook(response: Any, **keywords: Any) -> None:
        calls.append((response.from_cache, sorted(keywords)))

    url = origin.on("/a", fresh(BODY))
    given = ["cert", "proxies", "stream", "timeout", "verify"]
    for _ in range(2):
        session.get(url, hooks={"response": hook})
    assert calls == [(False, given), (True, given)]
    calls.clear()
    session.hooks["response"].append(hook)
    session.get(url, hooks={"response": hook})
    assert calls == [(True, given)]  # the request's own take the place of the session's
    session.get(url)
    assert calls == [(True, given)] * 2
    session.hooks["response"].clear()
    calls.clear()

    def auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.hooks["response"].append(hook)
        return request

    session.get(url, auth=auth)
    assert calls == [(True, given)]


def test_a_hook_may_replace_the_response(session: CachedSession, origin: Origin) -> None:
    """On a hit too."""
    url = origin.on("/a", fresh(BODY))
    session.get(url)

    def hook(response: requests.Response, **_: Any) -> requests.Response:
        mine = copy.copy(response)
        mine.reason = "mine"
        return mine

    assert session.get(url, hooks={"response": [hook]}).reason == "mine"
    assert session.get(url).reason == "OK"


@pytest.mark.parametrize("size", [10, 200_000, 3_000_000])
@pytest.mark.parametrize("store", ["sqlite", "memory"])
def test_the_body_of_a_hit_outlives_its_session(
    tmp_path: Path, key: str, origin: Origin, size: int, store: str
) -> None:
    """``requests.get(url, stream=True)`` closes its session before the body is read."""
    body = bytes(range(250)) * (size // 250) + b"end"
    url = origin.on("/a", fresh(body))
    cache: Any = tmp_path / "cache.sqlite" if store == "sqlite" else MemoryStore()
    with CachedSession(cache, secret_key=key) as session:
        session.get(url)
    for coming in ("stream", "content"):
        with CachedSession(cache, secret_key=key) as session:
            hit = session.get(url, stream=coming == "stream")
            assert hit.from_cache
        assert hit.content == body
    assert origin.count() == 1


def test_the_body_of_a_miss_outlives_its_session(sessions: Any, origin: Origin) -> None:
    """The session is closed, the rest comes, and it is stored even so."""
    url = origin.on("/a", fresh(bytes(1_000_000)))
    with sessions() as session:
        response = session.get(url, stream=True)
    assert response.content == bytes(1_000_000)
    assert sessions().get(url).from_cache


def test_a_closed_session_can_be_used_again(session: CachedSession, origin: Origin) -> None:
    """As requests allows."""
    url = origin.on("/a", fresh(BODY))
    session.close()
    session.get(url)
    session.close()
    session.close()
    assert session.get(url).from_cache


def test_a_stored_error_is_an_answer(session: CachedSession, origin: Origin) -> None:
    """A response that is false is a response."""
    url = origin.on("/a", Reply(b"no", 404, {"Cache-Control": "max-age=60"}))
    session.get(url)
    hit = session.get(url)
    assert not hit
    assert hit.from_cache
    with pytest.raises(requests.HTTPError):
        hit.raise_for_status()
    assert origin.count() == 1


def test_repeated_fields_are_kept(session: CachedSession, origin: Origin) -> None:
    """As urllib3 has them, and joined as requests does."""
    fields = [("Cache-Control", "max-age=60"), ("X-Many", "1"), ("x-many", "2"), ("Link", "<a>"), ("Link", "<b>")]
    url = origin.on("/a", Reply(BODY, fields=fields))
    miss, hit = session.get(url), session.get(url)
    assert hit.headers["X-Many"] == miss.headers["X-Many"] == "1, 2"
    assert hit.raw.headers.getlist("x-many") == ["1", "2"]


def test_age_is_that_of_the_moment(clock: Clock, origin: Origin) -> None:
    """RFC 9111 §4."""
    with CachedSession(MemoryStore(), clock=clock) as session:
        date = format_datetime(datetime.fromtimestamp(clock(), UTC), usegmt=True)
        url = origin.on("/a", fresh(BODY, 1000, date=date, age="7"))
        assert session.get(url).headers["Age"] == "7"
        clock.advance(20.5)
        assert session.get(url).headers["Age"] == "27"


def test_head_of_a_stored_get_has_no_body(session: CachedSession, origin: Origin) -> None:
    """A stored GET answers HEAD (RFC 9110 §9.3.2), a stored HEAD no GET."""
    url = origin.on("/a", fresh(BODY))
    session.head(url)
    assert not session.get(url).from_cache
    head = session.head(url)
    assert head.from_cache
    assert head.content == b""
    assert head.headers["Content-Length"] == str(len(BODY))
