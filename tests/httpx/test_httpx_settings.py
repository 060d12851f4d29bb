"""The settings of a transport, and the options of a single request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from clock import Clock
from httpx_answers import hit
from local_origin import Reply, Seen, fresh
from watched_origin import WatchedOrigin

from sansio_cache import NEVER_EXPIRE, CacheTransport, CacheWarning, MemoryStore, NotCached, Policy, SettingError


@pytest.fixture
def client(store: MemoryStore, clock: Clock) -> Iterator[httpx2.Client]:
    with httpx2.Client(transport=CacheTransport(cache=store, clock=clock)) as client:
        yield client


# Options of a request


def options(**given: Any) -> dict[str, Any]:
    return {"sansio_cache": given}


def test_a_requests_own_options(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello"))
    client.get(url, extensions=options(expire_after=60))
    assert hit(client.get(url, extensions=options(expire_after=60)))
    assert not hit(client.get(url, extensions=options(expire_after=60, refresh=True)))
    assert not hit(client.get(url, extensions=options(force_refresh=True)))
    assert client.get(url, extensions=options(expire_after=NEVER_EXPIRE)).extensions["expires"] is None
    assert client.get(origin.url("/no"), extensions=options(only_if_cached=True)).status_code == 504
    assert origin.count("/no") == 0


def test_options_are_kept_over_redirects_and_left_alone(client: httpx2.Client, origin: WatchedOrigin) -> None:
    url = origin.on("/old", Reply(status=302, fields={"Location": "/new"}))
    origin.on("/new", Reply(b"here"))
    mine = options(expire_after=60)
    for _ in range(2):
        response = client.get(url, extensions=mine, follow_redirects=True)
    assert [hit(each) for each in (*response.history, response)] == [True, True]
    assert mine == options(expire_after=60)


@pytest.mark.parametrize(
    "given", ["expire_after=60", {"expire_afer": 60}, {"expire_after": "soon"}, {"refresh": 1}, {"tags": "one"}]
)
def test_wrong_options_are_errors(client: httpx2.Client, origin: WatchedOrigin, given: Any) -> None:
    with pytest.raises(SettingError):
        client.get(origin.url(), extensions={"sansio_cache": given})
    assert origin.count() == 0


def test_the_cache_is_looked_after_by_the_transport(store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    with CacheTransport(cache=store) as transport, httpx2.Client(transport=transport) as client:
        client.get(url, extensions=options(tags=["greeting"]))
        assert transport.cache.store is store
        assert transport.cache.urls() == [url]
        assert transport.cache.delete(tags=["greeting"]) == 1
        assert not hit(client.get(url))
        assert transport.cache.stats.misses == 2


def test_the_transport_below_does_not_see_the_options() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, content=b"hello")

    with httpx2.Client(transport=CacheTransport(httpx2.MockTransport(handler), MemoryStore())) as client:
        client.get("http://a.example/", extensions=options(expire_after=60) | {"trace": None})
    assert "sansio_cache" not in seen[0].extensions
    assert seen[0].extensions["trace"] is None


# Settings


@pytest.mark.parametrize(
    ("error", "given"),
    [
        (SettingError, {"cache": 7}),
        (SettingError, {"cache": MemoryStore(), "expire_after": "soon"}),
        (SettingError, {"cache": MemoryStore(), "secret_key": None}),
        (SettingError, {"cache": MemoryStore(), "secret_key": ""}),
        (SettingError, {"secret_key": "a key without a place"}),
        (SettingError, {"cache": MemoryStore(), "policy": {"shared": True}}),
        (SettingError, {"cache": MemoryStore(), "policy": Policy(), "shared": True}),
        (SettingError, {"cache": MemoryStore(), "peer": 7}),
        (SettingError, {"cache": MemoryStore(), "on_event": 7}),
        (SettingError, {"cache": MemoryStore(), "clock": 7}),
        (SettingError, {"inner": "cache.sqlite"}),
        (SettingError, {"inner": httpx2.AsyncHTTPTransport()}),
        (TypeError, {"cache": MemoryStore(), "verify": False}),
    ],
)
def test_wrong_settings_are_errors(error: type[Exception], given: dict[str, Any]) -> None:
    with pytest.raises(error):
        CacheTransport(**given)


def test_settings_are_the_policys(store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", Reply(b"hello"))
    transport = CacheTransport(cache=store, policy=Policy(expire_after=60))
    assert transport.policy == Policy(expire_after=60)
    with httpx2.Client(transport=transport) as client:
        client.get(url)
        assert hit(client.get(url))


def test_offline_never_asks_the_origin(store: MemoryStore, origin: WatchedOrigin) -> None:
    with httpx2.Client(transport=CacheTransport(cache=store, offline=True)) as client, pytest.raises(NotCached):
        client.get(origin.url())
    assert origin.count() == 0


def test_disabled_is_for_this_context_only(store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    transport = CacheTransport(cache=store)
    with httpx2.Client(transport=transport) as client:
        client.get(url)
        elsewhere: list[bool] = []
        with transport.disabled():
            assert not client.get(url).extensions["from_cache"]
            thread = threading.Thread(target=lambda: elsewhere.append(hit(client.get(url))))
            thread.start()
            thread.join()
        assert elsewhere == [True]
        assert hit(client.get(url))
    assert origin.count() == 2


def test_every_decision_is_told(store: MemoryStore, origin: WatchedOrigin) -> None:
    url = origin.on("/", fresh(b"hello"))
    told: list[str] = []
    transport = CacheTransport(cache=store, on_event=lambda event: told.append(event.kind))
    with httpx2.Client(transport=transport) as client:
        client.get(url)
        client.get(url)
    assert told == ["miss", "stored", "hit"]


def test_options_beside_their_extension_are_told(origin: WatchedOrigin) -> None:
    """They would be without effect, in silence."""
    url = origin.on("/misplaced", fresh(b"x"))
    with httpx2.Client(transport=CacheTransport(cache=MemoryStore())) as client:
        with pytest.warns(
            CacheWarning, match=r'"refresh": …\} says nothing to the cache: write extensions=\{"sansio_cache"'
        ):
            client.get(url, extensions={"refresh": True})
        client.get(url, extensions={"sansio_cache": {"refresh": True}, "theirs": 1})


def test_cookies_of_a_confirmation_are_this_exchanges_own(origin: WatchedOrigin) -> None:
    """G13: also where those of the stored response are kept to be looked at; no hit gives any."""
    number = iter(range(9))

    def answer(seen: Seen) -> Reply:
        known = seen.get("If-None-Match") == '"a"'
        fields = {"ETag": '"a"', "Set-Cookie": f"n={next(number)}", "Cache-Control": "max-age=0"}
        return Reply(b"" if known else b"x", status=304 if known else 200, fields=fields)

    url = origin.on("/", answer)
    transport = CacheTransport(cache=MemoryStore(), keep_set_cookie=True)
    with httpx2.Client(transport=transport) as client:
        assert client.get(url).cookies["n"] == "0"
        confirmed = client.get(url)
        assert confirmed.extensions["revalidated"]
        assert confirmed.cookies["n"] == "1"
        client.cookies.clear()
        hit = client.get(url, headers={"Cache-Control": "only-if-cached, max-stale=60"})
        assert hit.extensions["from_cache"]
        assert not hit.cookies
        assert not client.cookies
