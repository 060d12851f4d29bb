"""What a single request says to the cache of a script: ``requests.get(url, expire_after=60)``."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
import requests
from local_origin import Origin, Reply

from sansio_cache import CacheAdapter, CachedSession, CacheMixin, MemoryStore, SettingError
from sansio_cache_adapters.patch import disabled, enabled, install_cache, uninstall_cache


@pytest.fixture
def installed() -> Iterator[None]:
    install_cache(MemoryStore())
    yield
    uninstall_cache()


def by_session(url: str, **options: Any) -> Any:
    with requests.Session() as session:
        return session.get(url, **options)


def by_aiohttp(url: str, **options: Any) -> Any:
    async def main() -> Any:
        async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
            await response.read()
            return response

    return asyncio.run(main())


def by_aiohttp_alone(url: str, **options: Any) -> Any:
    async def main() -> Any:
        async with aiohttp.request("GET", url, **options) as response:
            await response.read()
            return response

    return asyncio.run(main())


WAYS: list[Callable[..., Any]] = [
    requests.get,
    lambda url, **options: requests.request("GET", url, **options),
    lambda url, **options: requests.request(method="GET", url=url, **options),
    by_session,
    lambda url, **options: requests.Session().request("GET", url, None, **options),
    by_aiohttp,
    by_aiohttp_alone,
]


@pytest.mark.parametrize("get", WAYS)
@pytest.mark.usefixtures("installed")
def test_its_options_reach_the_cache(get: Callable[..., Any], origin: Origin) -> None:
    """All that a request of a cached session takes."""
    url = origin.on("/a", Reply(b"x"))
    assert not get(url, only_if_cached=False).from_cache
    assert get(url, only_if_cached=True).from_cache is False
    assert [get(url, expire_after=60, tags=["t"]).from_cache for _ in range(2)] == [False, True]
    assert not get(url, force_refresh=True, expire_after=60).from_cache
    assert get(url, refresh=False, expire_after=60).from_cache
    assert all(origin.last().get(name) is None for name in ("expire_after", "expire-after", "tags"))


@pytest.mark.parametrize("get", WAYS)
@pytest.mark.usefixtures("installed")
def test_a_wrong_option_is_an_error(get: Callable[..., Any], origin: Origin) -> None:
    with pytest.raises(SettingError, match="expire_after takes seconds"):
        get(origin.url("/a"), expire_after=-7)


@pytest.mark.parametrize("get", WAYS)
@pytest.mark.usefixtures("installed")
def test_where_the_cache_is_off_they_are_taken_and_mean_nothing(get: Callable[..., Any], origin: Origin) -> None:
    url = origin.on("/a", Reply(b"x"))
    with disabled():
        responses = [get(url, expire_after=60) for _ in range(2)]
    assert [(each.from_cache, "disabled" in each.cache_status) for each in responses] == [(False, True)] * 2


@pytest.mark.parametrize("get", WAYS[:-1])  # the last leaves a session unclosed then, by itself
def test_where_there_is_no_cache_they_are_unknown_as_ever(get: Callable[..., Any], origin: Origin) -> None:
    """In a thread, say, that is not in the block of another."""
    seen: list[object] = []

    def ask() -> None:
        with pytest.raises(TypeError, match="expire_after") as caught:
            get(origin.url("/a"), expire_after=60)
        seen.append(caught.type)

    with enabled(MemoryStore()):
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    ask()
    assert seen == [TypeError, TypeError]


@pytest.mark.usefixtures("installed")
def test_sessions_of_ours_keep_their_own_cache(origin: Origin) -> None:
    """And an adapter mounted by hand is told what a request says."""
    url = origin.on("/a", Reply(b"x"))

    class Session(CacheMixin, requests.Session):
        pass

    for kind in (CachedSession, Session):
        with kind(MemoryStore(), expire_after=60) as session:
            assert [session.get(url).from_cache for _ in range(2)] == [False, True]
            assert session.cache.stats.hits == 1
    with requests.Session() as plain:
        plain.mount("http://", CacheAdapter(cache=MemoryStore()))
        assert [plain.get(url, expire_after=60).from_cache for _ in range(2)] == [False, True]


def test_what_was_replaced_comes_back() -> None:
    before = (requests.Session.request, inspect.signature(requests.Session.request))
    with enabled(MemoryStore()):
        assert inspect.signature(requests.Session.request) == before[1]
    assert requests.Session.request is before[0]
