"""Programs written for requests-cache, by its names over ours: what they see of sessions and of caches."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache.compat import requests_cache
from sansio_cache.compat.requests_cache import (
    DO_NOT_CACHE,
    EXPIRE_IMMEDIATELY,
    NEVER_EXPIRE,
    CachedResponse,
    CachedSession,
    OriginalResponse,
)


@pytest.fixture
def counter(origin: Origin) -> str:
    """The URL of a page that counts its requests."""
    seen: list[Seen] = []

    def count(request: Seen) -> Reply:
        seen.append(request)
        return Reply(b"%d" % len(seen), fields={"Content-Type": "text/plain"})

    return origin.on("/counter", count)


@pytest.fixture
def session() -> Iterator[CachedSession]:
    """A session with a cache in memory."""
    with CachedSession(backend="memory") as made:
        yield made


def test_its_modules_have_two_names_and_are_one() -> None:
    import sansio_cache.compat.requests_cache.backends.sqlite as ours
    from sansio_cache_adapters.compat.requests_cache.backends import SQLiteCache

    assert ours.SQLiteCache is SQLiteCache is requests_cache.SQLiteCache


@pytest.mark.parametrize(
    "make",
    [
        lambda: CachedSession("cache"),
        lambda: CachedSession("cache", "sqlite", use_temp=False, wal=True, fast_save=True, timeout=3),
        lambda: CachedSession("cache", backend="filesystem", serializer="json", decode_content=False),
        lambda: CachedSession(backend="memory"),
        lambda: CachedSession(backend=requests_cache.SQLiteCache("cache", busy_timeout=500)),
        lambda: CachedSession(backend=requests_cache.FileCache("cache", max_cache_bytes=10_000_000)),
        lambda: CachedSession("cache", use_memory=True),
    ],
    ids=["default", "sqlite", "filesystem", "memory", "a SQLiteCache", "a FileCache", "SQLite in memory"],
)
def test_a_cache_of_every_kind(make: Any, counter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with make() as session:
        first, second = session.get(counter), session.get(counter)
        assert (first.from_cache, second.from_cache, second.text) == (False, True, "1")
        assert isinstance(first, OriginalResponse)
        assert isinstance(second, CachedResponse)
        assert list(session.cache.urls()) == [counter]


@pytest.mark.parametrize("backend", ["mongodb", "gridfs", "dynamodb"])
def test_what_there_is_not_says_what_there_is(backend: str) -> None:
    with pytest.raises(NotImplementedError, match="backend='sqlite', 'filesystem' or 'redis'"):
        CachedSession(backend=backend)
    with pytest.raises(ValueError, match="Invalid backend: nope"):
        CachedSession(backend="nope")


def test_a_file_of_theirs_stays_as_it_is(counter: str, tmp_path: Path) -> None:
    """A program keeps its responses beside it, and is told."""
    import sqlite3

    theirs = tmp_path / "cache.sqlite"
    with sqlite3.connect(theirs) as db:
        db.execute("CREATE TABLE responses (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
        db.execute("CREATE TABLE redirects (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)")
    db.close()
    before = theirs.read_bytes()
    with CachedSession(theirs) as session:
        assert [session.get(counter).from_cache for _ in range(2)] == [False, True]
        assert Path(session.cache.db_path).name == "cache.sansio-cache.sqlite"
    assert theirs.read_bytes() == before


@pytest.mark.parametrize(
    ("expire_after", "hit", "expires"),
    [
        (NEVER_EXPIRE, True, False),
        (60, True, True),
        (60.5, True, True),
        (timedelta(minutes=1), True, True),
        (datetime.now(UTC) + timedelta(days=900), True, True),
        (datetime.now() + timedelta(days=900), True, True),  # noqa: DTZ005
        ("Wed, 21 Oct 2099 07:28:00 GMT", True, True),
        (DO_NOT_CACHE, False, False),
        (EXPIRE_IMMEDIATELY, False, False),
    ],
)
def test_a_time_in_every_spelling(expire_after: Any, hit: bool, expires: bool, counter: str) -> None:
    for of_request in (False, True):
        with CachedSession(backend="memory", **({} if of_request else {"expire_after": expire_after})) as session:
            said = {"expire_after": expire_after} if of_request else {}
            session.get(counter, **said)
            again = session.get(counter)
            if of_request and expire_after == DO_NOT_CACHE:
                continue  # it means not to read alone
            assert again.from_cache is hit
            assert (again.expires is not None) is expires


def test_what_is_kept_keeps_its_time(origin: Origin, counter: str) -> None:
    """Settings that change later, and requests with another, count for what comes after."""
    with CachedSession(backend="memory", expire_after=3600) as session:
        first = session.get(counter)
        session.settings.expire_after = 0
        second = session.get(counter, expire_after=5)
        assert second.from_cache
        assert abs((second.expires - first.expires).total_seconds()) < 1  # type: ignore[operator]


def test_patterns_of_urls(origin: Origin) -> None:
    patterns = {
        re.compile(r"/a\d$"): 60,
        f"{origin.url('').removeprefix('http://').rstrip('/')}/b": DO_NOT_CACHE,
        "*/c*": 1,
    }
    with CachedSession(backend="memory", urls_expire_after=patterns) as session:
        for path, kept, seconds in (("/a1", True, 60), ("/b/x", False, None), ("/c/y", True, 1), ("/d", True, None)):
            url = origin.on(path, Reply(b"x"))
            session.get(url)
            again = session.get(url)
            assert again.from_cache is kept, path
            left = None if again.expires_delta is None else again.expires_delta
            assert left == seconds or (seconds is not None and left in (seconds, seconds - 1)), path


def test_settings_may_be_changed_at_any_time(origin: Origin) -> None:
    url = origin.on("/404", Reply(b"none", status=404))
    with CachedSession(backend="memory") as session:
        assert [session.get(url).from_cache for _ in range(2)] == [False, False]
        session.settings.allowable_codes = [200, 404]
        assert [session.get(url).from_cache for _ in range(2)] == [False, True]
        session.settings.disabled = True
        assert not session.get(url).from_cache
        session.settings.disabled = False
        session.settings.only_if_cached = True
        assert session.get(url).from_cache
        other = session.get(origin.on("/other", Reply(b"x")))
        assert (other.status_code, other.reason, origin.count("/other")) == (504, "Not Cached", 0)
        with session.cache_disabled():
            assert session.get(url).status_code == 504
            session.settings.only_if_cached = False
            assert session.get(url).status_code == 404


def test_parameters_in_any_order_are_one_request_and_methods_are_not(origin: Origin) -> None:
    url = origin.on("/p", Reply(b"x"))
    methods = ["GET", "HEAD", "POST"]
    with CachedSession(backend="memory", allowable_methods=methods, ignored_parameters=["key", "now"]) as session:
        assert [session.get(url + query).from_cache for query in ("?b=2&a=1&key=1", "?a=1&key=2&b=2")] == [False, True]
        assert [session.head(url + "?a=1&b=2").from_cache for _ in range(2)] == [False, True]
        forms = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}]
        assert [session.post(url, data=form).from_cache for form in forms] == [False, True, False]
        bodies = [{"a": [1, 2], "now": 1}, {"now": 2, "a": [1, 2]}, {"a": [2, 1]}]
        assert [session.post(url, json=body).from_cache for body in bodies] == [False, True, False]
        # Its value does not count; that it is there does, as in requests-cache.
        assert not session.get(url + "?a=1&b=2").from_cache
        assert session.get(url + "?b=2&a=1").from_cache
        assert any("key=REDACTED" in each for each in session.cache.urls())


def test_credentials_separate_users_whatever_is_ignored(origin: Origin) -> None:
    """G10: that is not theirs, and stays ours."""
    url = origin.on("/me", lambda seen: Reply((seen.get("Authorization") or "").encode()))
    with CachedSession(backend="memory", ignored_parameters=["Authorization"]) as session:
        said = [session.get(url, headers={"Authorization": f"Bearer {who}"}).text for who in ("a", "b", "a")]
        assert said == ["Bearer a", "Bearer b", "Bearer a"]
        assert origin.count("/me") == 2


def test_functions_of_the_user(origin: Origin) -> None:
    url = origin.on("/f", lambda seen: Reply(seen.target.encode()))
    with CachedSession(backend="memory", key_fn=lambda request, **_: request.url.partition("?")[0]) as session:
        assert [session.get(f"{url}?n={n}").text for n in range(3)] == ["/f?n=0"] * 3
    large = origin.on("/large", Reply(b"x" * 100_000))
    with CachedSession(backend="memory", filter_fn=lambda response: len(response.content) < 50) as session:
        assert [session.get(url).from_cache for _ in range(2)] == [False, True]
        assert [session.get(url + "?" + "n" * 60).from_cache for _ in range(2)] == [False, False]
        assert [session.get(large).from_cache for _ in range(2)] == [False, False]
        assert session.cache.urls() == [url]


def test_a_stale_response_instead_of_an_error(origin: Origin) -> None:
    well = Reply(b"well")
    for status in (500, 503):
        url = origin.on(f"/{status}", well, Reply(b"ill", status=status))
        with CachedSession(backend="memory", expire_after=0.2, stale_if_error=True) as session:
            session.get(url)
            time.sleep(0.25)
            again = session.get(url)
            assert (again.from_cache, again.is_expired, again.text) == (True, True, "well")
            assert session.get(url, only_if_cached=True).text == "well"
            session.settings.stale_if_error = False
            assert session.get(url).status_code == status
            assert session.get(url, only_if_cached=True).status_code == 504


def test_refreshing_asks_the_origin_where_there_is_a_validator(origin: Origin, counter: str) -> None:
    def answer(seen: Seen) -> Reply:
        known = seen.get("If-None-Match") == '"a"'
        return Reply(b"" if known else b"tagged", status=304 if known else 200, fields={"ETag": '"a"'})

    url = origin.on("/etag", answer)
    with CachedSession(backend="memory") as session:
        session.get(url)
        again = session.get(url, refresh=True)
        assert (again.from_cache, again.revalidated, again.text) == (True, True, "tagged")
        session.get(counter)
        assert session.get(counter, refresh=True).text == "1"
        assert session.get(counter, force_refresh=True).text == "2"
        assert session.get(counter).text == "2"


def test_redirects_are_one_with_what_they_lead_to(origin: Origin) -> None:
    final = origin.on("/end", Reply(b"end"))
    middle = origin.on("/middle", redirect("/end"))
    start = origin.on("/start", redirect("/middle"))
    with CachedSession(backend="memory") as session:
        for cached in (False, True):
            response = session.get(start)
            assert (response.from_cache, response.url, len(response.history)) == (cached, final, 2)
        cache = session.cache
        assert (len(cache.responses), len(cache.redirects), cache.urls()) == (2, 2, [final])
        assert cache.contains(url=start)
        assert cache.contains(url=middle)
        assert [len(each.history) for each in cache.responses.values()] == [0, 2]
        assert not session.get(start, allow_redirects=False).from_cache


def test_a_cache_is_looked_into(origin: Origin, session: CachedSession) -> None:
    url = origin.on("/a", fresh(b'{"a": 1}', coded=True, content_type="application/json"))
    key = session.get(url).cache_key
    session.get(url, params={"b": 2}, expire_after=-1)
    session.settings.expire_after = timedelta(milliseconds=1)
    session.get(url, params={"old": 1})
    session.settings.expire_after = -1
    time.sleep(0.01)
    cache = session.cache
    assert cache.create_key(requests.Request("GET", url)) == key
    found = cache.responses[key]
    assert (found.json(), found.url, found.status_code, found.size) == ({"a": 1}, url, 200, 8)
    assert (found.request.method, found.from_cache, found.cache_key) == ("GET", True, key)
    assert found.raw.read() == b'{"a": 1}'
    assert [len(list(cache.filter(**said))) for said in ({}, {"expired": False}, {"valid": False})] == [3, 2, 1]
    assert cache.responses.get("nothing") is None
    assert (cache.count(), cache.count(expired=False), len(cache.responses)) == (3, 2, 3)
    cache.delete(expired=True)
    assert sorted(each.expires is None for each in cache.filter()) == [True, True]
    cache.reset_expiration(timedelta(hours=1))
    assert all(3500 < each.expires_delta <= 3600 for each in cache.filter())
    assert session.get(url).from_cache
    cache.delete(requests=[requests.Request("GET", url)], urls=[f"{url}?b=2"])
    assert len(cache.responses) == 0


def test_a_stream_is_read_before_it_is_given_out(origin: Origin, session: CachedSession) -> None:
    url = origin.on("/s", Reply([b"a" * 10, b"b" * 10], framing="chunked"))
    session.get(url, stream=True)
    for cached in (True, True):
        again = session.get(url, stream=True)
        assert again.from_cache is cached
        assert b"".join(again.iter_content(3)) == again.content == b"a" * 10 + b"b" * 10
    assert session.get(url, stream=True).raw.read() == b"a" * 10 + b"b" * 10


def test_cookies_are_shown_and_go_into_no_jar(origin: Origin, session: CachedSession) -> None:
    """G13."""
    url = origin.on("/c", Reply(b"", fields=[("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")]))
    assert session.get(url).cookies == {"a": "1", "b": "2"}
    session.cookies.clear()
    again = session.get(url)
    assert (again.from_cache, dict(again.cookies), dict(session.cookies)) == (True, {"a": "1", "b": "2"}, {})


def test_a_signature_by_its_serializer(origin: Origin, tmp_path: Path, counter: str) -> None:
    from sansio_cache import KeyRequired

    signed = requests_cache.safe_pickle_serializer(secret_key="sixteen bytes of it")
    with CachedSession(tmp_path / "s.sqlite", serializer=signed) as session:
        session.get(counter)
        assert session.get(counter).from_cache
    with CachedSession(tmp_path / "s.sqlite") as session, pytest.raises(KeyRequired):
        session.get(counter)


def test_classes_of_several_parts(counter: str) -> None:
    class Counting(requests.Session):
        def __init__(self, *, start: int = 0) -> None:
            super().__init__()
            self.sent = start

        def send(self, request: Any, **keywords: Any) -> requests.Response:
            self.sent += 1
            return super().send(request, **keywords)

    class Mine(requests_cache.CacheMixin, Counting):
        pass

    with Mine(backend="memory", start=5, expire_after=60) as session:
        assert [session.get(counter).from_cache for _ in range(2)] == [False, True]
        assert session.sent >= 6


def test_wrapping_keeps_what_a_session_has(origin: Origin) -> None:
    url = origin.on("/w", lambda seen: Reply((seen.get("X-Mine") or "").encode()))
    plain = requests.Session()
    plain.headers["X-Mine"] = "yes"
    session = CachedSession.wrap(plain, backend="memory")
    assert [session.get(url).text for _ in range(2)] == ["yes", "yes"]
    assert origin.count("/w") == 1
    assert session.headers is plain.headers


def test_one_cache_for_a_whole_program(counter: str, tmp_path: Path) -> None:
    requests_cache.install_cache(tmp_path / "all", expire_after=60)
    try:
        assert requests_cache.is_installed()
        assert [requests.get(counter).text for _ in range(2)] == ["1", "1"]
        with requests_cache.disabled():
            assert not requests_cache.is_installed()
            assert requests.get(counter).text == "2"
        cache = requests_cache.get_cache()
        assert cache is not None
        assert cache.urls() == [counter]
        requests_cache.delete(urls=[counter])
        assert requests.get(counter).text == "3"
        requests_cache.clear()
        assert len(cache.responses) == 0
    finally:
        requests_cache.uninstall_cache()
        cache = requests_cache.get_cache()
    assert cache is None
    assert not hasattr(requests.get(counter), "from_cache")


def test_differences_are_told_once_with_the_page() -> None:
    program = (
        "from sansio_cache.compat import requests_cache\n"
        "for _ in range(3): requests_cache.CachedSession(backend='memory', cache_control=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.count("DifferenceWarning") == 1
    assert "docs/howto/move-from-requests-cache.md" in done.stderr


@pytest.mark.parametrize(("name", "client"), [("requests_cache", "requests"), ("aiohttp_client_cache", "aiohttp")])
def test_a_client_that_is_missing_is_named_with_its_extra(name: str, client: str) -> None:
    program = f"""
import sys
class Missing:
    def find_spec(self, module, path=None, target=None):
        if module.partition(".")[0] == {client!r}:
            raise ModuleNotFoundError(module, name=module)
sys.meta_path.insert(0, Missing())
try:
    from sansio_cache.compat import {name}
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"pip install 'sansio-cache[{client}]'" in done.stdout


def test_storage_of_a_users_own_is_refused() -> None:
    for make in (requests_cache.SQLiteDict, requests_cache.DictStorage, requests_cache.BaseStorage):
        with pytest.raises(NotImplementedError, match="own-store"):
            make("x")
    with pytest.raises(NotImplementedError, match="own-store"):
        requests_cache.BaseCache().responses = {}  # type: ignore[assignment]
