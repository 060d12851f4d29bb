"""Kinds of programs written for requests-cache, by its names over ours: each prints here what it prints there."""

from __future__ import annotations

import gzip
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache.compat import requests_cache
from sansio_cache.compat.requests_cache import (
    DO_NOT_CACHE,
    CacheActions,
    CachedHTTPResponse,
    CachedRequest,
    CachedResponse,
    CachedSession,
    CacheSettings,
    SerializerPipeline,
    Stage,
)


def test_a_reader_that_lets_servers_decide(origin: Origin) -> None:
    """A time of a server is shown in whole seconds, whatever part of one the response was under way."""
    url = origin.on("/60", fresh(b"x", 60))
    never = origin.on("/never", fresh(b"x", 0, **{"Cache-Control": "no-store"}))
    with CachedSession(backend="memory", cache_control=True, expire_after=3600) as session:
        for _ in range(2):
            response = session.get(url)
            assert response.expires is not None
            assert response.created_at is not None
            assert response.expires - response.created_at == timedelta(seconds=60)
        assert response.from_cache
        assert [session.get(never).from_cache for _ in range(2)] == [False, False]
        silent = origin.on("/silent", Reply(b"x"))
        session.get(silent)
        assert session.get(silent).expires_delta == 3600


@pytest.mark.parametrize(
    ("said", "statuses", "hits"),
    [
        ("no-cache", [200, 200, 200], [False, False, True]),
        ("no-store", [200, 200, 200], [False, False, False]),
        ("max-age=0", [200, 200, 200], [False, False, False]),
        ("max-age=60", [200, 200, 200], [False, True, True]),
        ("only-if-cached", [504, 504, 200], [True, True, False]),
    ],
)
def test_what_a_request_says_in_its_fields(said: str, statuses: list[int], hits: list[bool], origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))
    with CachedSession(backend="memory") as session:
        responses = [session.get(url, headers={"Cache-Control": said}) for _ in range(2)] + [session.get(url)]
    assert [each.status_code for each in responses] == statuses
    assert [each.from_cache for each in responses] == hits


def test_one_request_that_is_not_to_be_answered_from_the_cache(origin: Origin) -> None:
    """It is stored all the same, with the time of the session."""
    url = origin.on("/x", Reply(b"x"))
    with CachedSession(backend="memory") as session:
        assert [session.get(url, expire_after=DO_NOT_CACHE).from_cache for _ in range(2)] == [False, False]
        assert session.get(url).from_cache


def test_hooks_are_called_as_often_as_there(origin: Origin) -> None:
    """Twice for what came from the network, by requests and by the cache; once for a hit."""
    url, called = origin.on("/x", Reply(b"x")), list[bool | None]()
    with CachedSession(backend="memory") as session:
        session.hooks["response"].append(lambda response, **_: called.append(getattr(response, "from_cache", None)))
        for _ in range(2):
            session.get(url)
        assert called == [None, False, True]
        with session.cache_disabled():
            session.get(url)
        assert called[3:] == [None, False]
        called.clear()
        start = origin.on("/start", redirect("/x"))
        for _ in range(2):
            session.get(start)
        # The redirect, what it led to, and that given out; then all of it from the cache.
        assert called == [None, True, True, True]


@pytest.mark.parametrize("status", [404, 429, 500])
@pytest.mark.parametrize("grace", [True, timedelta(minutes=1)])
def test_a_stale_response_for_any_status_that_is_not_kept(status: int, grace: Any, origin: Origin) -> None:
    url = origin.on("/x", Reply(b"well"), Reply(b"ill", status=status))
    with CachedSession(backend="memory", expire_after=0.05, stale_if_error=grace) as session:
        session.get(url)
        time.sleep(0.06)
        for _ in range(3):
            again = session.get(url)
            assert (again.text, again.from_cache, again.is_expired, again.url) == ("well", True, True, url)
        session.settings.read_only = True
        assert session.get(url).text == "well"
    with CachedSession(backend="memory", stale_if_error=grace) as session:
        assert session.get(origin.on("/never", Reply(b"ill", status=status))).status_code == status


def test_a_stale_response_that_is_too_old_is_an_error(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"well"), Reply(b"gone", status=404))
    with CachedSession(backend="memory", expire_after=0.05, stale_if_error=1) as session:
        session.get(url)
        time.sleep(1.1)
        with pytest.raises(requests.HTTPError, match="404"):
            session.get(url)


def test_what_is_fresh_is_used_where_the_origin_cannot_be_asked(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x", fields={"ETag": '"a"'}))
    with CachedSession(backend="memory", expire_after=60) as session:
        session.get(url)
        origin.close()
        again = session.get(url, refresh=True, timeout=5)
        assert (again.from_cache, again.revalidated) == (True, False)
        with pytest.raises(requests.ConnectionError):
            session.get(url, force_refresh=True, timeout=5)


def test_a_session_of_several_parts_with_a_limiter(origin: Origin) -> None:
    limiting = pytest.importorskip("requests_ratelimiter")

    class Limited(requests_cache.CacheMixin, limiting.LimiterMixin, requests.Session):  # type: ignore[misc, name-defined]
        """Both."""

    url = origin.on("/x", Reply(b"x"))
    with Limited(per_second=100, backend="memory") as session:
        assert [session.get(url).from_cache for _ in range(3)] == [False, True, True]


def test_a_query_language_over_post(origin: Origin) -> None:
    url = origin.on("/graphql", lambda seen: Reply(seen.body))

    def ask(number: int) -> bool:
        asked = {"query": "query($id: Int) { thing(id: $id) }", "variables": {"id": number}}
        return session.post(url, json=asked).from_cache

    with CachedSession(backend="memory", allowable_methods=["GET", "POST"]) as session:
        assert [ask(number) for number in (1, 1, 2, 1)] == [False, True, False, True]
        parts = {"file": ("a.txt", b"hello")}
        assert [session.post(url, files=parts).from_cache for _ in range(2)] == [False, True]


def test_downloads_in_pieces(origin: Origin, tmp_path: Path) -> None:
    whole = b"a line of a large file\n" * 5000
    url = origin.on("/big", Reply([whole[:50_000], whole[50_000:]], framing="chunked"))
    with CachedSession(tmp_path / "downloads") as session:
        for cached in (False, True, True):
            with session.get(url, stream=True) as response:
                assert response.from_cache is cached
                assert b"".join(response.iter_content(8192)) == whole
            assert sum(1 for _ in session.get(url, stream=True).iter_lines()) == 5000
            assert session.get(url, stream=True).raw.read() == whole


def test_a_janitor_and_a_copy(origin: Origin, tmp_path: Path) -> None:
    """What is copied brings along the redirects that lead to it."""
    origin.on("/end", Reply(b"the end"))
    start = origin.on("/start", redirect("/end"))
    with CachedSession(tmp_path / "one", expire_after=60) as session, CachedSession(backend="memory") as other:
        session.get(start)
        session.get(origin.on("/long", Reply(b"x" * 1000)))
        sorted_by_size = [each.url for each in session.cache.sorted("size", reversed=True)]
        assert sorted_by_size[0].endswith("/long")
        other.cache.update(session.cache)
        assert len(other.cache.responses) == len(session.cache.responses) == 3
        assert other.get(start).from_cache
        assert [each.expires is not None for each in other.cache.filter()] == [True] * 3


def test_a_report_of_a_file_lists_by_time_and_leaves_out_errors(origin: Origin, tmp_path: Path) -> None:
    """As requests-cache does of SQLite, and of no other cache."""
    well, ill = [origin.on(f"/{n}", Reply(b"x")) for n in range(3)], origin.on("/ill", Reply(b"x", status=404))
    for backend, expected in (("sqlite", [2, 0, 1]), ("memory", [0, 1, 2, None])):
        with CachedSession(tmp_path / "cache", backend, allowable_codes=(200, 404), expire_after=60) as session:
            for url, seconds in zip(well, (60, 90, 30), strict=True):
                session.get(url, expire_after=seconds)
            session.get(ill)
            listed = [each.url for each in session.cache.filter()]
            assert listed == [ill if n is None else well[n] for n in expected]
            assert session.cache.urls() == sorted(listed)
            assert (len(session.cache.responses), session.get(ill).from_cache) == (4, True)


def test_a_library_that_knows_nothing_of_the_cache(origin: Origin) -> None:
    """python-gitlab makes sessions of its own."""
    gitlab = pytest.importorskip("gitlab")
    asked = list[str]()

    def answer(seen: Seen) -> Reply:
        asked.append(seen.path)
        return Reply(b'{"id": 1}', fields={"Content-Type": "application/json"})

    base = origin.on("/api/v4/projects/1", answer).removesuffix("/api/v4/projects/1")
    with requests_cache.enabled(backend="memory", expire_after=60):
        client = gitlab.Gitlab(base, private_token="a token")
        assert [client.projects.get(1).id for _ in range(3)] == [1, 1, 1]
        client.session.close()
    assert len(asked) == 1


def test_after_a_block_sessions_are_plain(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))
    requests_cache.install_cache(backend="memory")
    with requests_cache.enabled("inner", backend="memory"):
        assert str(requests_cache.get_cache()) == "<BaseCache(name=inner)>"
        assert [requests.get(url).from_cache for _ in range(2)] == [False, True]  # type: ignore[attr-defined]
    assert not requests_cache.is_installed()
    assert not hasattr(requests.get(url), "from_cache")


def test_threads_share_a_session(origin: Origin, tmp_path: Path) -> None:
    url, found = origin.on("/x", Reply(b"x")), list[bool]()
    with CachedSession(tmp_path / "shared") as session:
        session.get(url)
        threads = [threading.Thread(target=lambda: found.append(session.get(url).from_cache)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 8


def test_a_double_of_the_network_is_below_the_cache() -> None:
    doubles = pytest.importorskip("requests_mock")
    with doubles.Mocker() as network, CachedSession(backend="memory") as session:
        network.get("http://double.example/x", text="from the double")
        assert [session.get("http://double.example/x").from_cache for _ in range(2)] == [False, True]
        network.post("http://double.example/x", text="plain")
        assert [session.post("http://double.example/x").from_cache for _ in range(2)] == [False, False]
        assert network.call_count == 3


def test_a_cache_that_is_given_takes_another_name() -> None:
    cache = requests_cache.BaseCache()
    with pytest.warns(DeprecationWarning, match="does not move it"), CachedSession("mine", backend=cache) as session:
        assert session.cache.cache_name == "mine"


def test_objects_show_what_is_not_as_usual() -> None:
    assert repr(CacheSettings()) == "CacheSettings()"
    assert repr(CacheSettings(expire_after=3, read_only=True)) == "CacheSettings(expire_after=3, read_only=True)"
    assert repr(CachedRequest(method="GET", url="http://a/")) == "CachedRequest(method='GET', url='http://a/')"
    assert repr(CachedResponse(status_code=200, url="http://a/")).startswith("CachedResponse(created_at='")
    assert repr(CacheActions(expire_after=3)) == "CacheActions(expire_after=3)"


def test_a_body_is_read_again_after_a_reset() -> None:
    raw = CachedHTTPResponse(b"a body", status=200)
    assert (raw.read(2), raw.read(), raw.read(1)) == (b"a ", b"body", b"")
    raw.reset()
    assert b"".join(raw.stream(1)) == b"a body"
    raw.reset(b"another")
    assert raw.read() == b"another"


def test_steps_of_a_users_own_serializer_do_their_work_and_records_are_not_theirs(origin: Origin) -> None:
    squeezed = SerializerPipeline([Stage(dumps=str.encode, loads=bytes.decode), Stage(gzip, "compress", "decompress")])
    assert squeezed.loads(squeezed.dumps("a text")) == "a text"
    with pytest.raises(NotImplementedError, match="data only"):
        requests_cache.json_serializer.dumps(CachedResponse())
    with CachedSession(backend="memory", serializer=squeezed) as session:
        url = origin.on("/x", Reply(b"x"))
        assert [session.get(url).from_cache for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("settings", "fields", "expected"),
    [
        ({}, {}, (None, False, False)),
        ({"expire_after": 9}, {}, (9, False, False)),
        ({"expire_after": 9, "urls_expire_after": {"*.example": 8}}, {}, (8, False, False)),
        ({"expire_after": 9, "urls_expire_after": {"*.example": 8}}, {"Cache-Control": "max-age=7"}, (7, False, False)),
        ({"disabled": True}, {}, (None, True, False)),
        ({"expire_after": DO_NOT_CACHE}, {}, (DO_NOT_CACHE, True, False)),
        ({"allowable_methods": ["POST"]}, {}, (None, True, False)),
        ({}, {"Cache-Control": b"no-store"}, (None, True, True)),
    ],
)
def test_the_steps_of_a_decision(settings: Any, fields: Any, expected: tuple[Any, bool, bool]) -> None:
    request = requests.Request("GET", "http://a.example/x", headers=fields).prepare()
    actions = CacheActions.from_request("a key", request, CacheSettings(**settings))
    assert (actions.expire_after, actions.skip_read, actions.skip_write) == expected
    assert actions.cache_key == "a key"


def test_a_decision_goes_on_with_what_is_stored_and_what_comes() -> None:
    request = requests.Request("GET", "http://a.example/x").prepare()
    old = CachedResponse(
        expires=requests_cache.utcnow() - timedelta(seconds=9), headers={"ETag": '"a"'}, status_code=200
    )
    actions = CacheActions.from_request("", request, CacheSettings(stale_if_error=60, cache_control=True))
    assert (actions.is_usable(None), actions.is_usable(old), actions.is_usable(old, error=True)) == (False, False, True)
    actions.update_from_cached_response(old)
    assert (actions.send_request, actions.resend_request) == (False, True)
    assert actions.update_request(request).headers["If-None-Match"] == '"a"'
    answer = CachedResponse(headers={"Cache-Control": "max-age=60"}, status_code=304, request=request)
    actions.update_from_response(answer)
    assert (actions.expire_after, actions.skip_write) == (60, True)  # 304 is not kept by itself
    again = actions.update_revalidated_response(answer, old)
    assert (again.revalidated, again.is_expired, actions.skip_write) == (True, False, False)
    alone = CacheActions.from_request("", request, CacheSettings(only_if_cached=True))
    alone.update_from_cached_response(None)
    assert alone.error_504
