"""Details of requests-cache that programs have been seen to count on, by its names over ours."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, Reply, fresh

from sansio_cache.compat.requests_cache import CachedRequest, CachedResponse, CachedSession


def test_an_ignored_parameter_counts_by_being_there(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))

    def hits(**settings: Any) -> list[bool]:
        with CachedSession(backend="memory", allowable_methods=["GET", "POST"], **settings) as session:
            queries = ["?a=1&t=1", "?a=1&t=2", "?a=1", "?t=3&a=1"]
            found = [session.get(url + query).from_cache for query in queries]
            forms = [{"a": 1, "t": 1}, {"t": 2, "a": 1}, {"a": 1}]
            found += [session.post(url, data=form).from_cache for form in forms]
            found += [session.post(url, json=form).from_cache for form in forms]
            return found + [session.post(url, json={"of": form}).from_cache for form in forms]

    ignoring = [False, True, False]
    assert hits(ignored_parameters=["t"]) == [*ignoring, True, *ignoring, *ignoring, False, False, False]
    rooted = hits(ignored_parameters=["t"], content_root_key="of")
    assert rooted == [*ignoring, True, *ignoring, *ignoring, *ignoring]


def test_lists_in_request_fields_that_are_matched(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))
    said = ["text/html, application/json", "application/json,text/html", "application/json"]
    with CachedSession(backend="memory", match_headers=["Accept", "X-Team"]) as session:
        assert [session.get(url, headers={"Accept": each}).from_cache for each in said] == [False, True, False]
        teams = [session.get(url, headers={"Accept": "x", "X-Team": each}).from_cache for each in "aba"]
        assert teams == [False, False, True]


def test_a_stored_response_looks_as_there(origin: Origin) -> None:
    fields = [("X-Z", "z"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    url = origin.on("/x", Reply(b"x", fields=fields))
    with CachedSession(backend="memory") as session:
        plain = session.get(url, params={"t": "\u00fc"})
        again = session.get(url, params={"t": "\u00fc"})
        assert list(again.headers) == sorted({*plain.headers, "Date"})
        assert again.headers["Set-Cookie"] == "a=1, b=2"
        assert isinstance(again.request, CachedRequest)
        assert (again.request.method, again.request.url, again.request.body) == ("GET", plain.url, b"")
        assert again.request.headers["User-Agent"] == plain.request.headers["User-Agent"]
        with session.cache_disabled():
            assert session.get(url).cache_key is None
        unanswered = session.get(url, params={"t": "2"}, only_if_cached=True)
        assert (unanswered.status_code, unanswered.content, unanswered.text) == (504, None, "")


def test_a_forced_refresh_gets_the_error_whatever_is_stored(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"well"), Reply(b"ill", status=503))
    with CachedSession(backend="memory", expire_after=0.05, stale_if_error=True) as session:
        session.get(url)
        time.sleep(0.06)
        assert session.get(url, force_refresh=True).status_code == 503


def test_what_a_server_gives_no_time_is_not_kept(origin: Origin) -> None:
    url = origin.on("/x", fresh(b"x", 0))
    with CachedSession(backend="memory", cache_control=True) as session:
        assert session.get(url).expires is None
        assert len(session.cache.responses) == 0


def test_a_servers_time_goes_before_all_of_the_programs(origin: Origin) -> None:
    """Whatever is said later: what is stored has a time, which it keeps."""
    own, none = origin.on("/own", fresh(b"x", 60)), origin.on("/none", Reply(b"x"))
    with CachedSession(backend="memory", cache_control=True, urls_expire_after={"*/own": 5}) as session:
        session.settings.expire_after = 30
        times = [session.get(own, expire_after=each).expires_delta for each in (9, None, 9)]
        assert times == [60, 60, 60]
        assert [session.get(none).expires_delta for _ in range(2)] == [30, 30]
        session.settings.expire_after = 90
        assert session.get(none, expire_after=9).expires_delta == 30
        stored = {each.url: each.expires_delta for each in session.cache.filter()}
        assert stored == {own: 60, none: 30}


def test_a_part_of_a_second_of_grace_is_a_second(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"well"), Reply(b"ill", status=404))
    with CachedSession(backend="memory", expire_after=0.05, stale_if_error=timedelta(milliseconds=1)) as session:
        session.get(url)
        time.sleep(0.1)
        assert session.get(url).text == "well"


def test_a_serializer_that_nobody_knows(tmp_path: Path) -> None:
    """In memory nothing is serialized, so the serializer is not used."""
    with pytest.raises(KeyError, match="nope") as raised:
        CachedSession(tmp_path / "x", serializer="nope")
    assert "There are bson, json" in raised.value.__notes__[0]
    CachedSession(backend="memory", serializer="nope").close()


def test_a_key_of_the_programs_own_says_what_of_a_body_counts(origin: Origin) -> None:
    """G10: users stay separate all the same."""
    url = origin.on("/graphql", lambda seen: Reply(seen.body))

    def by_query(request: Any, **_: Any) -> str:
        return f"{request.method} {json.loads(request.body)['query']}"

    with CachedSession(backend="memory", allowable_methods=["POST"], key_fn=by_query) as session:
        asked = [{"query": "a", "at": 1}, {"query": "a", "at": 2}, {"query": "b", "at": 2}]
        assert [session.post(url, json=each).from_cache for each in asked] == [False, True, False]
        session.headers["Authorization"] = "Bearer x"
        assert [session.post(url, json=each).from_cache for each in asked] == [False, True, False]


def test_what_is_not_stored_has_no_key(origin: Origin) -> None:
    url, none = origin.on("/x", Reply(b"x")), origin.on("/none", Reply(b"", status=404))
    with CachedSession(backend="memory") as session:
        assert session.get(none).cache_key is None
        assert session.get(url).cache_key == session.cache.create_key(session.get(url).request)
        session.settings.filter_fn = lambda _: False
        assert session.get(url, force_refresh=True).cache_key is None
        assert len(session.cache.responses) == 0


def test_a_time_of_one_request_is_whole_seconds(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))
    with CachedSession(backend="memory") as session:
        session.get(url, expire_after=timedelta(milliseconds=10))
        time.sleep(0.02)
        assert session.get(url).from_cache


def test_what_differs_by_vary_has_one_key_and_is_removed_by_it(origin: Origin) -> None:
    url = origin.on("/x", fresh(b"x", Vary="Accept-Language"))
    with CachedSession(backend="memory") as session:
        for language in ("de", "fr"):
            session.get(url, headers={"Accept-Language": language})
        responses = session.cache.responses
        assert (len(responses), len(list(responses))) == (2, 1)
        for key in list(responses):
            del responses[key]
        assert len(responses) == 0


def test_a_url_is_shown_as_it_was_asked_for_where_nothing_is_ignored(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))
    for ignored, shown in (([], "?t=6&a=1"), (["t"], "?a=1&t=REDACTED"), (None, "?a=1&t=6")):
        with CachedSession(backend="memory", ignored_parameters=ignored) as session:
            assert session.get(f"{url}?t=6&a=1").url == f"{url}?t=6&a=1"
            assert session.get(f"{url}?a=1&t=6").url == url + shown
            assert session.cache.urls() == [url + shown]


def test_what_may_not_go_out_does_not_where_the_cache_is_off(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))
    with CachedSession(backend="memory") as session, session.cache_disabled():
        assert session.get(url, only_if_cached=True).status_code == 504
        assert session.get(url).status_code == 200
    assert origin.count("/x") == 1


def test_no_time_at_all_is_not_kept_where_servers_decide(origin: Origin) -> None:
    """They have the first word, and said nothing."""
    url = origin.on("/x", Reply(b"x"))
    with CachedSession(backend="memory", cache_control=True, expire_after=0) as session:
        assert session.get(url).cache_key is None
        assert len(session.cache.responses) == 0


def test_an_old_name_warns_as_there() -> None:
    with CachedSession(backend="memory") as session, pytest.warns(DeprecationWarning, match="delete\\(expired=True\\)"):
        session.cache.remove_expired_responses()


def test_a_response_by_itself() -> None:
    assert str(CachedResponse(status_code=404)).startswith("<CachedResponse [404]: ")
