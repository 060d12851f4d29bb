"""A user's times and ``offline``, with every client: what is kept, for how long, for whom, and what goes."""

from __future__ import annotations

from typing import Any

import pytest
from asking import CLIENTS, Asking
from clock import Clock
from local_origin import Origin, Reply

from sansio_cache import CachedSession, NotCached, SQLiteStore

OFFLINE: dict[str, Any] = {"offline": True}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("settings", [{"cache_control": False}, {"expire_after": 3600}])
def test_errors_are_not_kept_by_a_users_time(
    client: str, clock: Clock, origin: Origin, settings: dict[str, Any]
) -> None:
    for status in (403, 404, 405, 410, 414, 500, 501, 503):
        url = origin.on(f"/{status}", Reply(b"", status, {"ETag": '"a"'}))
        asking = Asking(client, clock, **settings)
        assert [asking.get(url).from_cache for _ in "12"] == [False, False], status
    for status in (200, 203, 301, 302, 307):
        url = origin.on(f"/{status}", Reply(b"", status, {"Location": "/x"}))
        asking = Asking(client, clock, **settings)
        assert [asking.get(url).from_cache for _ in "12"] == [False, True], status


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("settings", [{"cache_control": False}, {"expire_after": 3600}, {}])
def test_a_time_given_once_is_remembered(client: str, clock: Clock, origin: Origin, settings: dict[str, Any]) -> None:
    url = origin.on("/a", Reply(b"1"), Reply(b"2"))
    asking = Asking(client, clock, **settings)
    asking.get(url, expire_after=60)
    clock.advance(59)
    assert asking.get(url).from_cache
    clock.advance(2)
    assert asking.get(url).body == b"2"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("kept_under", "fields"),
    [
        ({"cache_control": False}, {"Cache-Control": "no-store"}),
        ({"cache_control": False}, {"Cache-Control": "private"}),
        ({"expire_after": 5}, {}),
        ({"expire_after": 0}, {}),
        ({"allowed_codes": [200]}, {"Cache-Control": "max-age=1"}),
        ({"shared": True}, {"Cache-Control": "max-age=1"}),
        ({}, {"Cache-Control": "max-age=1, must-revalidate"}),
        ({}, {"Cache-Control": "no-cache", "ETag": '"a"'}),
    ],
)
def test_offline_serves_what_was_kept_under_any_settings(
    client: str, clock: Clock, origin: Origin, kept_under: dict[str, Any], fields: dict[str, str]
) -> None:
    url = origin.on("/a", Reply(b"kept", fields=fields))
    asking = Asking(client, clock)
    asking.get(url, settings=kept_under)
    clock.advance(1e6)
    assert asking.get(url, settings=OFFLINE).body == b"kept"
    assert origin.count() == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_offline_serves_a_method_that_was_opted_in(client: str, clock: Clock, origin: Origin) -> None:
    url = origin.on("/a", Reply(b"kept", fields={"Cache-Control": "max-age=60"}))
    asking = Asking(client, clock)
    body = {"json": {"q": 1}}
    asking.get(url, method="POST", settings={"allowed_methods": ["GET", "POST"]}, **body)
    assert asking.get(url, method="POST", settings=OFFLINE, **body).body == b"kept"
    for other in ({}, {"json": {"q": 2}}):
        with pytest.raises(NotCached):
            asking.get(url, method="POST", settings=OFFLINE, **other)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("fields", "asked"),
    [({"Cache-Control": "private, max-age=60"}, {}), ({"Cache-Control": "max-age=60"}, {"Authorization": "ann"})],
)
def test_a_shared_session_serves_nothing_that_is_one_users(
    client: str, clock: Clock, origin: Origin, fields: dict[str, str], asked: dict[str, str]
) -> None:
    """G10: offline, too, and anyone who kept it."""
    for kept_under in ({}, {"cache_control": False}, {"shared": True, "cache_control": False}):
        url = origin.on("/a", Reply(b"ann's", fields=fields))
        asking = Asking(client, clock)
        asking.get(url, headers=asked, settings=kept_under)
        with pytest.raises(NotCached):
            asking.get(url, headers=asked, settings={"shared": True, **OFFLINE})


@pytest.mark.parametrize("client", CLIENTS)
def test_offline_separates_users_and_variants(client: str, clock: Clock, origin: Origin) -> None:
    """G10, G12."""
    fields = {"Cache-Control": "max-age=60", "Vary": "Accept-Language"}
    url = origin.on("/a", Reply(b"ann's", fields=fields))
    asking = Asking(client, clock)
    ann = {"Authorization": "ann", "Accept-Language": "en"}
    asking.get(url, headers=ann)
    assert asking.get(url, headers=ann, settings=OFFLINE).body == b"ann's"
    for other in ({**ann, "Authorization": "bob"}, {**ann, "Accept-Language": "fr"}):
        with pytest.raises(NotCached):
            asking.get(url, headers=other, settings=OFFLINE)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_janitor_removes_what_is_stale_for_whom_it_was_kept(
    client: str, clock: Clock, origin: Origin, tmp_path: Any
) -> None:
    """Without an ``expire_after`` of its own it removed all."""
    store = SQLiteStore(tmp_path / "cache.sqlite")
    asking = Asking(client, clock, store)
    for path, seconds in (("/short", 10), ("/long", 1000), ("/never", -1)):
        asking.get(origin.on(path, Reply(path.encode())), expire_after=seconds)
    asking.get(origin.on("/session", Reply(b"session")), settings={"expire_after": 1000})
    clock.advance(100)
    with CachedSession(store, clock=clock) as janitor:
        assert janitor.cache.delete(expired=True) == 1
        assert len(janitor.cache.urls()) == 3
    with CachedSession(store, clock=clock, expire_after=1) as janitor:
        assert janitor.cache.delete(expired=True) == 0
    clock.advance(1000)
    with CachedSession(store, clock=clock, expire_after=-1) as janitor:
        assert janitor.cache.delete(expired=True) == 2
        assert [url.rpartition("/")[2] for url in janitor.cache.urls()] == ["never"]
    store.close()
