"""Programs written for aiohttp-client-cache, by its names over ours: what they see of sessions and of caches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from local_origin import Origin, Reply, Seen, redirect

from sansio_cache.compat import aiohttp_client_cache
from sansio_cache.compat.aiohttp_client_cache import (
    CacheBackend,
    CachedResponse,
    CachedSession,
    FileBackend,
    SQLiteBackend,
)


@pytest.fixture
def counter(origin: Origin) -> str:
    """The URL of a page that counts its requests."""
    seen: list[Seen] = []

    def count(request: Seen) -> Reply:
        seen.append(request)
        return Reply(b"%d" % len(seen), fields={"Content-Type": "text/plain"})

    return origin.on("/counter", count)


def naive_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


async def of_two(session: CachedSession, url: str, **keywords: Any) -> list[bool]:
    """Whether two requests in turn were answered from the cache; their bodies are not read."""
    return [(await session.get(url, **keywords)).from_cache for _ in range(2)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "make",
    [
        lambda: None,
        lambda: CacheBackend("name", expire_after=60),
        lambda: SQLiteBackend("cache", fast_save=True, timeout=3),
        lambda: SQLiteBackend("signed", secret_key="sixteen bytes of it", expire_after=timedelta(hours=1)),
        lambda: FileBackend("cache", use_temp=False),
    ],
    ids=["default", "memory", "SQLite", "signed", "files"],
)
def test_a_cache_of_every_kind(make: Any, counter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        async with CachedSession(cache=make()) as session:
            assert await of_two(session, counter) == [False, True]
            async with session.get(counter) as hit:
                assert isinstance(hit, CachedResponse)
                assert isinstance(hit, aiohttp.ClientResponse)
                assert (await hit.text(), hit.status, hit.url.path) == ("1", 200, "/counter")
            assert await hit.text() == "1"
            assert await hit.read() == b"1"
            assert [str(each) async for each in session.cache.get_urls()] == [counter]

    asyncio.run(main())


def test_the_cache_of_one_loop_serves_the_next(counter: str, tmp_path: Path) -> None:
    backend = SQLiteBackend(str(tmp_path / "cache"))

    async def main() -> list[bool]:
        async with CachedSession(cache=backend) as session:
            return await of_two(session, counter)

    assert [asyncio.run(main()) for _ in range(2)] == [[False, True], [True, True]]


def test_what_there_is_not_says_what_there_is() -> None:
    for make in (aiohttp_client_cache.MongoDBBackend, aiohttp_client_cache.DynamoDBBackend):
        with pytest.raises(NotImplementedError, match="take SQLiteBackend, FileBackend or RedisBackend"):
            make()
    with pytest.raises(NotImplementedError, match="own-store"):
        aiohttp_client_cache.BaseCache()
    with pytest.raises(NotImplementedError, match="own-store"):
        CacheBackend().responses = {}  # type: ignore[assignment]


def test_times_and_patterns(origin: Origin, counter: str) -> None:
    patterns = {"*/never*": 0, "*/counter": 3600, "*/short": 1}
    never, short = origin.on("/never/x", Reply(b"x")), origin.on("/short", Reply(b"x"))

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(expire_after=-1, urls_expire_after=patterns)) as session:
            assert await of_two(session, never) == [False, False]
            assert await of_two(session, counter) == [False, True]
            assert await of_two(session, short, expire_after=60) == [False, True]
            hit = await session.get(counter)
            assert timedelta(seconds=3590) < hit.expires - naive_now() <= timedelta(hours=1)  # type: ignore[attr-defined]
            assert hit.created_at <= naive_now()  # type: ignore[attr-defined]
            assert not hit.is_expired  # type: ignore[attr-defined]
            session.cache.urls_expire_after = None
            session.cache.expire_after = 0
            assert await of_two(session, counter + "?") == [False, False]

    asyncio.run(main())


def test_what_is_kept(origin: Origin) -> None:
    url = origin.on("/p", Reply(b"x"))
    missing = origin.on("/404", Reply(b"none", status=404))

    async def main() -> None:
        backend = CacheBackend(allowed_codes=(200, 404), allowed_methods=("GET", "POST"), ignored_params=["key"])
        async with CachedSession(cache=backend) as session:
            assert await of_two(session, missing) == [False, True]
            assert await of_two(session, url, params={"b": 2, "a": 1, "key": 3}) == [False, True]
            assert (await session.get(url + "?a=1&key=9&b=2")).from_cache  # type: ignore[attr-defined]
            bodies = [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}]
            posted = [(await session.post(url, json=body)).from_cache for body in bodies]  # type: ignore[attr-defined]
            assert posted == [False, True, False]
            put = [(await session.put(url)).from_cache for _ in range(2)]  # type: ignore[attr-defined]
            assert put == [False, False]
            with pytest.raises(aiohttp.ClientResponseError):
                (await session.get(missing)).raise_for_status()

    asyncio.run(main())


@pytest.mark.parametrize("is_async", [False, True])
def test_a_filter(origin: Origin, is_async: bool) -> None:
    draft, page = origin.on("/draft", Reply(b"a draft")), origin.on("/page", Reply(b"a page"))

    async def by_text(response: Any) -> bool:
        return "draft" not in await response.text()

    keep: Any = by_text if is_async else lambda response: response.url.path != "/draft"

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(filter_fn=keep)) as session:
            assert await of_two(session, draft) == [False, False]
            assert await of_two(session, page) == [False, True]
            assert await session.cache.responses.size() == 1

    asyncio.run(main())


def test_bodies_are_there_as_a_whole_and_as_a_stream(origin: Origin) -> None:
    url = origin.on("/s", Reply([b"ab\n"] * 1000, framing="chunked", fields={"Set-Cookie": "a=1"}))

    async def main() -> None:
        async with CachedSession() as session:
            for cached in (False, True):
                response = await session.get(url)
                assert response.from_cache is cached  # type: ignore[attr-defined]
                assert len([line async for line in response.content]) == 1000
                assert len(await response.read()) == 3000
                assert response.cookies["a"].value == "1"
                session.cookie_jar.clear()
            assert len(session.cookie_jar) == 0

    asyncio.run(main())


def test_redirects(origin: Origin) -> None:
    origin.on("/end", Reply(b"end"))
    origin.on("/middle", redirect("/end"))
    start = origin.on("/start", redirect("/middle"))

    async def main() -> None:
        async with CachedSession() as session:
            for cached in (False, True):
                response = await session.get(start)
                assert response.from_cache is cached  # type: ignore[attr-defined]
                assert [hop.status for hop in response.history] == [302, 302]
            cache = session.cache
            assert (await cache.responses.size(), await cache.redirects.size()) == (1, 2)
            assert await session.has_url(start)
            await session.delete_url(start)
            assert await cache.responses.size() == 0

    asyncio.run(main())


def test_refreshing_and_switching_off(origin: Origin, counter: str) -> None:
    def answer(seen: Seen) -> Reply:
        known = seen.get("If-None-Match") == '"a"'
        return Reply(b"" if known else b"tagged", status=304 if known else 200, fields={"ETag": '"a"'})

    url = origin.on("/etag", answer)

    async def main() -> None:
        async with CachedSession() as session:
            await session.get(url)
            assert (await session.get(url, refresh=True)).from_cache  # type: ignore[call-arg, attr-defined]
            assert origin.count("/etag") == 2
            await session.get(counter)
            assert await (await session.get(counter, refresh=True)).text() == "1"  # type: ignore[call-arg]
            async with session.disabled():
                assert await of_two(session, counter) == [False, False]
                assert session.cache.disabled
            assert await (await session.get(counter)).text() == "1"

    asyncio.run(main())


def test_a_cache_is_looked_into(origin: Origin, counter: str) -> None:
    async def main() -> None:
        async with CachedSession(cache=CacheBackend(urls_expire_after={"*/short": 0.01})) as session:
            await session.get(counter)
            await session.get(origin.on("/short", Reply(b"x")))
            cache = session.cache
            key = cache.create_key("GET", counter)
            assert await cache.responses.contains(key)
            found = await cache.responses.read(key)
            assert found is not None
            assert (found.status, await found.text(), found.is_expired, found.method) == (200, "1", False, "GET")
            assert sorted([each.url.path async for each in cache.responses.values()]) == ["/counter", "/short"]
            assert (await cache.get_response(key)) is not None
            assert await cache.responses.read("nothing") is None
            await asyncio.sleep(0.02)
            await session.delete_expired_responses()
            assert [each async for each in cache.responses.keys()] == [key]  # noqa: SIM118
            assert (await cache.responses.pop(key)).status == 200
            assert not await cache.has_url(counter)
            await session.get(counter)
            await cache.clear()
            assert await cache.responses.size() == 0

    asyncio.run(main())
