"""Sessions of several classes: a cache with base URLs, limiters, tokens and retries in one."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import warnings
from typing import Any

import aiohttp
import anyio
import pytest
import requests
from local_origin import Origin, Reply, fresh, redirect
from requests.adapters import HTTPAdapter

from sansio_cache import (
    AsyncCachedSession,
    CachedSession,
    CacheMixin,
    CacheWarning,
    MemoryStore,
    SettingError,
    TrioCachedSession,
)
from sansio_cache_adapters.trio.http.client import HTTPSession


class BaseUrl(requests.Session):
    """As in requests-toolbelt and many a client of one API."""

    def __init__(self, base_url: str = "") -> None:
        super().__init__()
        self.base_url = base_url

    def request(self, method: Any, url: Any, *arguments: Any, **keywords: Any) -> requests.Response:
        return super().request(method, self.base_url + url, *arguments, **keywords)


class Limiter:
    """As in requests-ratelimiter: a part that hands on what it knows to be taken, and counts what is sent."""

    def __init__(self, per_second: float = 5, **keywords: Any) -> None:
        self.per_second = per_second
        self.sent: list[str] = []
        self.count = 0
        names = inspect.signature(super().__init__).parameters
        super().__init__(**{name: value for name, value in keywords.items() if name in names})

    def send(self, request: Any, **keywords: Any) -> Any:
        self.sent.append(request.url)
        self.count += 1
        behind: Any = super()
        return behind.send(request, **keywords)


class Token(requests.Session):
    """Signs what it sends."""

    token: str | None = "t"

    def send(self, request: Any, **keywords: Any) -> Any:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return super().send(request, **keywords)


class Both(CachedSession, BaseUrl):
    pass


class Limited(CacheMixin, Limiter, requests.Session):
    pass


class LimitedBefore(Limiter, CacheMixin, requests.Session):
    pass


class Signed(CachedSession, Token):
    pass


@pytest.mark.parametrize("bases", [(CachedSession, BaseUrl), (CacheMixin, BaseUrl), (CacheMixin, Limiter, BaseUrl)])
def test_keywords_reach_the_class_that_takes_them(bases: tuple[type, ...], origin: Origin) -> None:
    kind: Any = type("Session", bases, {})
    origin.on("/a", fresh(b"x"))
    with kind(MemoryStore(), base_url=origin.url(""), expire_after=60) as session:
        assert [session.get("/a").from_cache for _ in "12"] == [False, True]
        assert (session.policy.expire_after, session.base_url) == (60, origin.url(""))


@pytest.mark.parametrize("kind", [Limited, LimitedBefore])
def test_settings_and_the_keywords_of_a_part_find_their_way(kind: Any, origin: Origin) -> None:
    """Before the cache or behind it: a part sees in our signature which settings there are."""
    url = origin.on("/a", Reply(b"x"))
    with kind(cache=MemoryStore(), per_second=3, allowable_methods=["GET"], expire_after=60) as session:
        assert [session.get(url).from_cache for _ in "12"] == [False, True]
        assert (session.per_second, session.policy.methods) == (3, {"GET"})


def test_what_is_left_to_nobody_is_refused_with_the_nearest_name() -> None:
    for kind, keywords, said in (
        (CachedSession, {"base_url": "x"}, "unexpected keyword argument 'base_url'"),
        (Both, {"base_ulr": "x"}, "did you mean base_url=?"),
        (Both, {"base_url": "x", "expires_after": 3}, "did you mean expire_after=?"),
        (Both, {"backend": "sqlite"}, "write cache="),
    ):
        with pytest.raises(TypeError) as caught:
            kind(MemoryStore(), **keywords)
        assert said in str(caught.value)
    with pytest.raises(SettingError):
        Both(MemoryStore(), base_url="x", expire_after=-7)


def test_what_a_part_may_drop_in_silence_is_warned_of() -> None:
    """A class that takes any keywords gets them; where one is like a setting, its author is told."""
    with pytest.warns(CacheWarning, match="Limited hands expires_after= on to Limiter.*did you mean expire_after"):
        Limited(MemoryStore(), expires_after=60).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Limited(MemoryStore(), burst=5).close()


def test_the_order_of_the_parts_is_looked_at() -> None:
    """Behind requests.Session, which calls no other class, it would cache nothing."""
    with pytest.raises(TypeError, match="CacheMixin belongs before"):

        class Wrong(BaseUrl, CacheMixin):
            pass

    with pytest.raises(TypeError, match=r"class Session\(CacheMixin, requests\.Session\)"):
        CacheMixin(MemoryStore())


def test_a_cached_session_may_stand_in_requests_place(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs put it there to cache all that a library does; the library derives classes from it."""
    url = origin.on("/a", fresh(b"x"))
    monkeypatch.setattr(requests, "Session", CachedSession)

    class Theirs(requests.Session):
        pass

    class Both(Theirs, CacheMixin):
        pass

    for kind in (requests.Session, Theirs, Both):
        with kind(MemoryStore()) as session:  # type: ignore[call-arg, arg-type]
            assert [session.get(url).from_cache for _ in "12"] == [False, True]  # type: ignore[attr-defined]


def test_a_limiter_behind_the_cache_counts_what_is_fetched(origin: Origin) -> None:
    """Hits cost nothing of its rate, redirects neither, streamed or not."""
    url = origin.on("/a", fresh(b"x"))
    origin.on("/r", redirect("/a"))
    with Limited(MemoryStore()) as session:
        assert [session.get(url).from_cache for _ in range(4)] == [False, True, True, True]
        assert session.sent == [url]
        response = session.get(url, stream=True, params={})
        assert (response.from_cache, response.raw.read(), response.request.url) == (True, b"x", url)
        assert session.send(session.prepare_request(requests.Request("GET", url))).from_cache
        assert session.sent == [url]
        assert session.get(url, force_refresh=True).from_cache is False
        assert session.post(url).from_cache is False
        assert session.sent == [url] * 3
        assert [session.get(origin.url("/r")).content for _ in range(2)] == [b"x", b"x"]
        assert session.sent.count(url) == 4, "the post has invalidated it; the second redirect led to a hit"
        with session.disabled():
            assert session.get(url).from_cache is False
        assert session.sent.count(url) == 5


def test_a_limiter_before_the_cache_counts_every_request(origin: Origin) -> None:
    url = origin.on("/a", fresh(b"x"))
    with LimitedBefore(cache=MemoryStore()) as session:
        assert [session.get(url).from_cache for _ in range(3)] == [False, True, True]
        assert session.sent == [url] * 3


def test_hits_of_a_second_run_cost_a_limiter_one_request_for_each_host(origin: Origin) -> None:
    """One must have come through it before its host is answered from the store alone."""
    store = MemoryStore()
    urls = [origin.on(f"/{number}", fresh(b"x")) for number in range(5)]
    for fetched in (5, 1):
        with Limited(store) as session:
            for url in urls:
                session.get(url)
            assert len(session.sent) == fetched
    assert origin.count() == 5


def test_a_part_that_signs_requests_never_gets_the_answers_of_strangers(origin: Origin) -> None:
    """G10: what it sends is known only once it is sent; a stored answer to the plain request is somebody else's."""
    url = origin.on("/a", lambda seen: fresh(b"for " + (seen.get("authorization") or "nobody").encode()))
    store = MemoryStore()
    with CachedSession(store) as plain:
        assert plain.get(url).content == b"for nobody"
    with Signed(store) as signed:
        assert [signed.get(url).content for _ in range(3)] == [b"for Bearer t"] * 3
        signed.token = None
        assert signed.get(url).content == b"for nobody"
        signed.token = "u"
        assert [signed.get(url).content for _ in range(3)] == [b"for Bearer u"] * 3
    assert origin.count("/a") == 3
    with Signed(store) as later:
        later.token = None
        assert [later.get(url).content for _ in range(3)] == [b"for nobody"] * 3
        later.token = "u"
        assert later.get(url).content == b"for Bearer u"


def test_hooks_adapters_and_errors_are_the_clients_own(origin: Origin) -> None:
    """Nothing that a request says is passed over on the way before the parts."""
    url = origin.on("/a", fresh(b"x"))
    seen: list[bool] = []
    with Limited(MemoryStore()) as session:
        for _ in range(3):
            session.get(url, hooks={"response": lambda response, **_: seen.append(response.from_cache)})
        assert seen == [False, True, True]
        with pytest.raises(requests.exceptions.InvalidSchema):
            session.get("nothing://x/")
        session.mount("http://", HTTPAdapter(max_retries=2))
        assert session.get(url).from_cache
        assert not session.get(origin.on("/b", fresh(b"y")), headers={"Authorization": "mine"}).from_cache


def test_they_travel_as_sessions_do(tmp_path: Any, origin: Origin) -> None:
    url = origin.on("/a", fresh(b"x"))
    with CachedSession(tmp_path / "cache.sqlite") as session:
        session.get(url)
        again = pickle.loads(pickle.dumps(session))
        assert again.get(url).from_cache
        again.close()


def test_the_limiter_of_requests_ratelimiter(origin: Origin) -> None:
    """The class that people put there."""
    theirs = pytest.importorskip("requests_ratelimiter")

    class Session(CacheMixin, theirs.LimiterMixin, requests.Session):  # type: ignore[misc, name-defined]
        pass

    url = origin.on("/a", fresh(b"x"))
    with Session(MemoryStore(), per_second=1000, expire_after=60) as session:
        assert [session.get(url).from_cache for _ in range(3)] == [False, True, True]


def test_the_base_url_of_requests_toolbelt(origin: Origin) -> None:
    """The class that people put there."""
    theirs = pytest.importorskip("requests_toolbelt.sessions")

    class Session(CacheMixin, theirs.BaseUrlSession):  # type: ignore[misc, name-defined]
        pass

    origin.on("/v1/a", fresh(b"x"))
    with Session(MemoryStore(), base_url=origin.url("/v1/")) as session:
        assert [session.get("a").from_cache for _ in range(3)] == [False, True, True]


# aiohttp and trio

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # aiohttp discourages inheritance

    class Api(aiohttp.ClientSession):
        """Asks one API, with a token."""

        def __init__(self, base_url: Any = None, *, token: str = "t", **keywords: Any) -> None:
            super().__init__(base_url, **keywords)
            object.__setattr__(self, "token", token)

        async def _request(self, method: str, str_or_url: Any, **keywords: Any) -> Any:
            keywords["headers"] = {"Authorization": self.token}  # type: ignore[attr-defined]
            return await super()._request(method, f"/v1{str_or_url}", **keywords)

    class CachedApi(AsyncCachedSession, Api):
        pass


def test_a_session_of_aiohttp_of_several_classes(origin: Origin) -> None:
    """Keywords find their way, and what the class behind does, it does for every request (G10)."""
    origin.on("/v1/a", lambda seen: fresh((seen.get("authorization") or "nobody").encode()))

    async def get(session: Any) -> tuple[bytes, bool]:
        async with session.get("/a") as response:
            return await response.read(), response.from_cache

    async def main() -> None:
        async with CachedApi(origin.url(""), cache=MemoryStore(), token="t", expire_after=60) as session:
            assert [await get(session) for _ in range(3)] == [(b"t", False), (b"t", True), (b"t", True)]
            object.__setattr__(session, "token", "u")
            assert [await get(session) for _ in range(3)] == [(b"u", False), (b"u", True), (b"u", True)]
        with pytest.raises(TypeError, match=r"did you mean token=\?"):
            CachedApi(origin.url(""), cache=MemoryStore(), tokn="t")

    asyncio.run(main())


def test_a_session_of_trio_of_several_classes(origin: Origin) -> None:
    """The same."""
    url = origin.on("/a", lambda seen: fresh((seen.get("authorization") or "nobody").encode()))

    class Tokens(HTTPSession):
        def __init__(self, *, token: str, **keywords: Any) -> None:
            super().__init__(**keywords)
            self.token = token

        def prepare(self, method: str, url: str, options: Any) -> Any:
            return super().prepare(method, url, {**options, "headers": {"Authorization": self.token}})

    class Session(TrioCachedSession, Tokens):
        pass

    async def main() -> None:
        async with Session(cache=MemoryStore(), token="t", expire_after=60) as session:
            seen = [await session.get(url) for _ in range(3)]
            session.token = "u"
            seen += [await session.get(url) for _ in range(3)]
        assert [(each.content, each.from_cache) for each in seen] == [
            *((b"t", False), (b"t", True), (b"t", True)),
            *((b"u", False), (b"u", True), (b"u", True)),
        ]

    anyio.run(main, backend="trio")
