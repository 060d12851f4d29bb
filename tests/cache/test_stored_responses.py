"""``session.cache`` for sessions that block and for sessions that await: one table of its verbs for both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from core_rows import ask, fields, got

from sansio_cache import MemoryStore, SQLiteStore
from sansio_cache.errors import SettingError
from sansio_cache.messages import Request
from sansio_cache.policy import Policy
from sansio_cache.sealing import UNSIGNED
from sansio_cache_adapters.cache.asynchronous import AsyncCache
from sansio_cache_adapters.cache.blocking import BlockingCache
from sansio_cache_adapters.cache.maintenance import Verified
from sansio_cache_adapters.cache.opening import KeptUnder, awaitable
from sansio_cache_adapters.cache.putting import GivenResponse, Put
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses, StoredResponses

URL = "https://example.org/a"
HEADERS = fields("Cache-Control: max-age=60", 'ETag: "a"')


def asked(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
    return ask(*keywords.get("headers", ()), method=method, url=str(thing))


async def asked_later(thing: Any, method: str, keywords: dict[str, Any]) -> Request:
    return asked(thing, method, keywords)


def taken(response: Any) -> GivenResponse:
    return GivenResponse(200, "OK", HEADERS, str(response).encode())


async def taken_later(response: Any) -> GivenResponse:
    return taken(response)


class Cached:
    """The stored responses of one session, blocking or awaiting; each verb is asked alike.

    :ivar responses: ``session.cache``.
    """

    def __init__(self, *, awaits: bool, clock: Clock, store: Any = None, policy: Policy | None = None) -> None:
        clock.now = got().received_at
        self.store = MemoryStore() if store is None else store
        settings = Policy() if policy is None else policy
        self.responses: Any
        if awaits:
            usable, probe = awaitable(self.store), partial(self.store.open, signed=False)
            inner = AsyncCache(settings, usable, UNSIGNED, probe=probe, spawn=lambda *_: None, clock=clock)
            self.responses = AsyncStoredResponses(inner, asked_later, taken_later)
        else:
            cache = BlockingCache(settings, self.store, UNSIGNED, clock=clock)
            self.responses = StoredResponses(cache, asked, taken)

    def __call__(self, verb: str, *arguments: Any, **keywords: Any) -> Any:
        async def result() -> Any:
            found = getattr(self.responses, verb)(*arguments, **keywords)
            return await found if isawaitable(found) else found

        return asyncio.run(result())


@pytest.fixture(params=[False, True], ids=["blocking", "awaiting"])
def cached(request: pytest.FixtureRequest, clock: Clock) -> Cached:
    return Cached(awaits=request.param, clock=clock)


def put(cached: Cached, url: str = URL, **keywords: Any) -> Put:
    found: Put = cached("put", url, got(*[": ".join(each) for each in HEADERS.items]), b"body", **keywords)
    return found


def test_nothing_is_there_at_first(cached: Cached) -> None:
    assert not cached("contains", URL)
    assert cached("get", URL) is None
    assert cached("entries") == cached("urls") == cached("filter") == []
    assert cached("size").entries == cached("delete", URL) == 0
    assert bool(cached.responses), "one that is empty is there all the same"


def test_what_was_put_is_found_under_every_name(cached: Cached) -> None:
    assert put(cached, expire_after=600, tags=["t"])
    assert cached("contains", URL)
    assert cached("contains", url=URL)
    assert not cached("contains", URL, "HEAD", force_refresh=True)
    found = cached("get", url=URL)
    assert (found.url, found.content, found.tags) == (URL, b"body", ("t",))
    assert found.expires_at - found.stored_at == timedelta(seconds=600)
    [entry] = cached("entries")
    assert cached("contains", entry)
    assert cached("get", entry) == found
    assert (cached("urls"), cached("size").entries) == ([URL], 1)
    assert cached("verify") == Verified(1, {})


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, 2), ({"expired": True}, 0), ({"tags": ["t"]}, 1), ({"keep": lambda each: each.url == URL}, 1)],
)
def test_filter(cached: Cached, given: dict[str, Any], count: int) -> None:
    put(cached)
    put(cached, "https://example.org/b", tags=["t"])
    assert len(cached("filter", **given)) == count


@pytest.mark.parametrize(
    ("of", "given"),
    [([URL], {}), ([], {"urls": [URL]}), ([], {"requests": [URL]}), ([], {"tags": ["t"]})],
)
def test_delete(cached: Cached, of: list[str], given: dict[str, Any]) -> None:
    put(cached, tags=["t"])
    put(cached, "https://example.org/b")
    assert cached("delete", *of, **given) == 1
    assert cached("urls") == ["https://example.org/b"]


def test_delete_leaves_what_is_only_stale(cached: Cached, clock: Clock) -> None:
    put(cached)
    put(cached, "https://example.org/b")
    clock.advance(100)
    assert cached("delete", URL) == 1
    assert cached("urls") == ["https://example.org/b"]
    assert cached("delete", expired=True) == 1


def test_clear(cached: Cached) -> None:
    put(cached)
    cached("clear")
    assert cached("size").entries == 0


def test_a_clients_own_response_is_read(cached: Cached) -> None:
    assert cached("put", URL, "of a client", method="GET")
    assert cached("get", URL).body == b"of a client"


def test_resign_needs_a_secret(cached: Cached) -> None:
    with pytest.raises(SettingError, match="needs the session's secret_key"):
        cached("resign")


def test_what_a_session_keeps_its_responses_in(cached: Cached) -> None:
    assert cached.responses.store is cached.store
    assert cached.responses.kept_under() == KeptUnder(cached.store, UNSIGNED, Policy())
    put(cached)
    assert cached.responses.stats.stored == 1


@pytest.mark.parametrize("awaits", [False, True])
def test_a_copy_has_all_of_it(awaits: bool, clock: Clock, tmp_path: Path) -> None:
    """Of a store that writes later, too: what is queued is written first."""
    cached = Cached(awaits=awaits, clock=clock, store=SQLiteStore(tmp_path / "a.sqlite"))
    put(cached)
    with_copy = SQLiteStore(tmp_path / "b.sqlite")
    assert cached("copy_to", with_copy) == 1
    assert with_copy.size().entries == 1
    assert cached.responses.store is cached.store
    for each in (cached.store, with_copy):
        each.close()


def test_a_blocking_cache_is_a_collection(clock: Clock) -> None:
    cached = Cached(awaits=False, clock=clock)
    put(cached)
    assert URL in cached.responses
    assert len(cached.responses) == 1
    assert [each.url for each in cached.responses] == [URL]


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        (lambda cache: URL in cache, "await session.cache.contains"),
        (len, r"await session.cache.size\(\)"),
        (iter, "async for entry in session.cache"),
    ],
    ids=["in", "len", "for"],
)
def test_an_awaiting_cache_says_how_it_is_asked(operation: Callable[[Any], Any], advice: str, clock: Clock) -> None:
    with pytest.raises(TypeError, match=advice):
        operation(Cached(awaits=True, clock=clock).responses)


def test_an_awaiting_cache_is_gone_through(clock: Clock) -> None:
    cached = Cached(awaits=True, clock=clock)
    put(cached)

    async def urls() -> list[str]:
        return [entry.url async for entry in cached.responses]

    assert asyncio.run(urls()) == [URL]
