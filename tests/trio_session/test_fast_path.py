"""The fast path: the same request as the long way makes, one checkpoint for a hit, and no shared state given out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any

import pytest
from cancelling import CancelAt
from hypothesis import given, settings
from hypothesis import strategies as st
from local_origin import Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import MemoryStore, TrioCachedSession
from sansio_cache.messages import Request
from sansio_cache_adapters.trio.http.client import HTTPSession
from sansio_cache_adapters.trio.http.content import OutgoingRequest
from sansio_cache_adapters.trio.http.errors import TransportError
from sansio_cache_adapters.trio.http.sending import with_cookies
from sansio_cache_adapters.trio.keywords import CachedOptions

# What one request may say

NAMES = st.sampled_from(["Accept", "accept", "X-One", "Authorization", "Cookie", "Accept-Encoding", "User-Agent"])
FIELDS = st.dictionaries(NAMES, st.sampled_from(["a", "b;q=1", "é", "", None]), max_size=3)
URLS = st.sampled_from(
    ["http://a.test/", "http://a.test/x?y#z", "http://me:pw@a.test/", "http://b.test", "/x", "", "https://a.test/é"]
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "headers": st.one_of(st.none(), FIELDS, FIELDS.map(lambda fields: list(fields.items()))),
        "params": st.sampled_from([None, {}, {"q": "1"}, [("q", 2), ("q", 3)]]),
        "auth": st.sampled_from([None, ("me", "pw")]),
        "timeout": st.sampled_from([None, 1, 0]),
        "follow_redirects": st.booleans(),
        "expire_after": st.sampled_from([None, 60, "soon"]),
        "refresh": st.sampled_from([True, False, 1]),
        "tags": st.sampled_from([["one"], [], "one"]),
        "content": st.sampled_from([None, b"", b"x"]),
        "json": st.just({"a": 1}),
        "nonsense": st.just(1),
    },
)
# What a user may do to a session between two requests


def _set(name: str, value: Any) -> Callable[[HTTPSession], None]:
    return lambda session: setattr(session, name, copy.copy(value))


def _put(name: str, key: str, value: Any) -> Callable[[HTTPSession], None]:
    def change(session: HTTPSession) -> None:
        mapping = getattr(session, name)
        if mapping is None:
            setattr(session, name, {key: value})
        elif isinstance(mapping, dict):
            mapping[key] = value

    return change


def _take_cookie(session: HTTPSession) -> None:
    url = "http://a.test/"
    jar = HTTPSession(base_url=url, cookies={"c": "d"}).cookies
    for cookie in jar:
        session.cookies.set_cookie(cookie)


CHANGES = st.sampled_from(
    [
        lambda session: None,
        _set("base_url", "http://a.test/base/"),
        _set("base_url", None),
        _set("params", {"s": "1"}),
        _set("params", None),
        _put("params", "s", "2"),
        _put("headers", "Accept", "text/plain"),
        _put("headers", "X-One", None),
        _set("headers", {"Authorization": "token"}),
        _set("auth", ("you", "pw")),
        _set("auth", ["you", "pw"]),
        _set("auth", None),
        _take_cookie,
        lambda session: session.cookies.clear(),
        _set("cookies", CookieJar()),
    ]
)


def _long_way(session: TrioCachedSession, url: str, options: Any) -> tuple[OutgoingRequest, Request] | str:
    options = {name: value for name, value in options.items() if name != "follow_redirects"}
    try:
        prepared = session.prepare("GET", url, options)
        sent = with_cookies(session, prepared)
    except (TransportError, TypeError, ValueError) as error:
        return repr(error)
    return sent, session._handler.core_request(sent)  # pyright: ignore[reportPrivateUsage]


def _fast(session: TrioCachedSession, url: str, options: Any) -> Request | str | None:
    try:
        ready = session._handler.fast.ready(session, url, options)  # pyright: ignore[reportPrivateUsage]
    except (TransportError, TypeError, ValueError) as error:
        return repr(error)
    return None if ready is None else ready.asked


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.tuples(CHANGES, URLS, OPTIONS), min_size=1, max_size=6), verify=st.booleans())
def test_it_asks_for_what_the_long_way_asks_for(steps: list[tuple[Any, str, Any]], verify: bool) -> None:
    """Whatever is said to the session and to the request, in any order, with what was remembered before."""
    session = TrioCachedSession(cache=MemoryStore(), verify=verify)
    for change, url, options in steps:
        change(session)
        fast = _fast(session, url, options)
        if fast is not None:
            expected = _long_way(session, url, options)
            # Of two errors either may be the first.
            assert isinstance(fast, str) is isinstance(expected, str)
            assert isinstance(expected, str) or fast == expected[1]


def test_plain_requests_take_it() -> None:
    """And are remembered; what could change behind its back, or was changed by a subclass, is not."""
    session = TrioCachedSession(cache=MemoryStore(), auth=("me", "pw"), headers={"X": "1"})
    url = "http://a.test/"
    first = session._handler.fast.ready(session, url, {})
    assert first is not None
    assert session._handler.fast.ready(session, url, {}) is first
    options: CachedOptions = {"refresh": True, "headers": {}}
    refreshed = session._handler.fast.ready(session, url, options)
    assert refreshed is not None
    assert refreshed.outgoing is first.outgoing
    assert refreshed.asked.options.refresh
    assert session._handler.fast.ready(session, url, {"params": {"a": "b"}}) is None

    class Own(TrioCachedSession):
        def prepare(self, method: str, url: str, options: Any) -> OutgoingRequest:
            return super().prepare(method, url + "?own", options)

    own = Own(cache=MemoryStore())
    assert own._handler.fast.ready(own, url, {}) is None


# Hits


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("options", [{}, {"expire_after": 60}, {"headers": {"X": "1"}, "timeout": 3}])
@pytest.mark.anyio
async def test_a_hit_is_one_checkpoint(origin: WatchedOrigin, options: Any, coded: bool) -> None:
    """Others get their turn once, whatever the coding."""
    url = origin.on("/a", fresh(b"body" * 100, coded=coded))
    async with TrioCachedSession(cache=MemoryStore()) as session:
        await session.get(url)
        for times, expected in ((1, True), (2, False)):
            probe = CancelAt(session.get(url, **options), lambda: None, times)
            response = await probe
            assert (response.from_cache, response.content) == (True, b"body" * 100)
            assert probe.reached is expected


@pytest.mark.anyio
async def test_a_hit_is_as_the_long_way_gives_it(origin: WatchedOrigin) -> None:
    """All that a user can look at, but for the time it took."""
    url = origin.on("/a", fresh(b'{"a": 1}', content_type="application/json; charset=latin-1")) + "?b=c#d"

    class Long(TrioCachedSession):
        def prepare(self, method: str, url: str, options: Any) -> OutgoingRequest:
            return super().prepare(method, url, options)

    store = MemoryStore()
    async with TrioCachedSession(cache=store) as session, Long(cache=store) as long:
        await session.get(url)
        fast, slow = await session.get(url), await long.get(url)
        for name in (
            *("status", "reason", "url", "history", "cookies", "content", "text", "encoding", "request"),
            *("from_cache", "created_at", "is_expired", "cache_key", "revalidated"),
        ):
            assert getattr(fast, name) == getattr(slow, name), name
        assert dict(fast.headers) == dict(slow.headers)
        assert fast.json() == slow.json() == {"a": 1}
        assert await fast.read() == fast.content
        with pytest.raises(TransportError):
            fast.iter_raw()
        await fast.aclose()


@pytest.mark.anyio
async def test_what_is_given_out_is_a_copy(origin: WatchedOrigin) -> None:
    """A user who changes a response's request changes no later one."""
    url = origin.on("/a", fresh(b"body", vary="X-Own"))
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for _ in range(3):
            response = await session.get(url)
            response.request.headers.append(("X-Own", "mine"))
    assert response.from_cache
    assert origin.count() == 1


@pytest.mark.anyio
async def test_what_it_cannot_answer_goes_on(origin: WatchedOrigin) -> None:
    """Misses, stale responses and redirects are the long way's; the options go along."""
    moved = origin.on("/moved", redirect("/new"))
    origin.on("/new", fresh(b"new"))
    stale = origin.on("/stale", tagged(b"stale"))
    late = origin.on("/late", fresh(b"late"))
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for _ in range(3):
            response = await session.get(moved)
            assert (response.content, len(response.history)) == (b"new", 1)
            assert (await session.get(moved, follow_redirects=False)).status == 302
            assert (await session.get(stale)).content == b"stale"
        assert origin.count("/moved") == origin.count("/new") == 1
        assert (await session.get(stale)).revalidated
        assert (await session.get(late, only_if_cached=True)).status == 504
        assert origin.count("/late") == 0
        await session.get(late, tags=["one"])
        assert await session.cache.delete(tags=["one"]) == 1


@pytest.mark.anyio
async def test_cookies_and_credentials_count(origin: WatchedOrigin) -> None:
    """They may come after a URL was remembered."""

    def own(seen: Seen) -> Any:
        return fresh(f"{seen.get('cookie')} {seen.get('authorization')}".encode(), vary="Cookie")

    url = origin.on("/own", own)
    origin.on("/login", fresh(b"welcome", 0, set_cookie="a=b"))
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for _ in range(2):
            assert (await session.get(url)).text == "None None"
        await session.get(origin.url("/login"))
        for _ in range(2):
            response = await session.get(url)
            assert response.text == "a=b None"
            assert ("Cookie", "a=b") in response.request.headers
        session.auth = ("me", "pw")
        for _ in range(2):
            assert (await session.get(url)).text == "a=b Basic bWU6cHc="
        session.auth = None
        session.cookies.clear()
        response = await session.get(url)
    assert (response.text, response.from_cache) == ("None None", True)
    assert origin.count("/own") == 3
