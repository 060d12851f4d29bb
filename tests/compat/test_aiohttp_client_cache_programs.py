"""Kinds of programs written for aiohttp-client-cache, by its names over ours: each prints here what it prints there."""

from __future__ import annotations

import asyncio
import hashlib
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache.compat.aiohttp_client_cache import (
    CacheBackend,
    CachedResponse,
    CachedSession,
    FileBackend,
    SQLiteBackend,
)
from sansio_cache.compat.aiohttp_client_cache.cache_control import (
    CacheActions,
    compose_refresh_headers,
    get_cache_directives,
    split_kv_directive,
    try_int,
    url_match,
    utcnow,
)
from sansio_cache.compat.aiohttp_client_cache.response import UnsupportedExpiresError
from sansio_cache.compat.aiohttp_client_cache.session import CacheMixin


def tagged(seen: Seen) -> Reply:
    known = seen.get("If-None-Match") == '"a"'
    return Reply(b"" if known else b"tagged", status=304 if known else 200, fields={"ETag": '"a"'})


async def twice(session: CachedSession, url: str, **keywords: Any) -> list[bool]:
    return [(await session.get(url, **keywords)).from_cache for _ in range(2)]  # type: ignore[attr-defined]


def test_what_has_expired_is_fetched_anew(origin: Origin) -> None:
    """The origin is not asked whether it is still good, unless the program says so."""
    url = origin.on("/etag", tagged)

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(expire_after=1)) as session:
            assert await twice(session, url) == [False, True]
            await asyncio.sleep(1.05)
            assert await twice(session, url) == [False, True]

    asyncio.run(main())
    assert all(seen.get("If-None-Match") is None for seen in origin.seen)
    assert origin.count("/etag") == 2


def test_a_middleware_of_the_users_hears_of_each_request_once(origin: Origin) -> None:
    url, heard = origin.on("/x", Reply(b"x")), list[str]()

    async def listen(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        heard.append(request.method)
        answer: aiohttp.ClientResponse = await handler(request)
        return answer

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(expire_after=60), middlewares=[listen]) as session:
            assert await twice(session, url) == [False, True]

    asyncio.run(main())
    assert heard == ["GET", "GET"]


@pytest.mark.parametrize(
    ("said", "hits"),
    [
        ("no-cache", [False, False, True]),
        ("no-store", [False, False, False]),
        ("max-age=0", [False, False, False]),
        ("max-age=60", [False, True, True]),
    ],
)
def test_what_a_request_says_in_its_fields(said: str, hits: list[bool], origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(cache_control=True, expire_after=3600)) as session:
            found = await twice(session, url, headers={"Cache-Control": said})
            assert [*found, (await session.get(url)).from_cache] == hits  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_server_that_wants_nothing_stored(origin: Origin) -> None:
    unkept = [origin.on(f"/{n}", fresh(b"x", 0, **{"Cache-Control": said})) for n, said in enumerate(UNKEPT)]
    kept = origin.on("/kept", fresh(b"x", 1))

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(cache_control=True, expire_after=3600)) as session:
            for url in unkept:
                assert await twice(session, url) == [False, False]
            assert await twice(session, kept) == [False, True]

    asyncio.run(main())


UNKEPT = ("max-age=0", "no-store")


def test_an_address_is_shown_as_it_was_asked_for(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))

    async def main() -> list[str]:
        async with CachedSession(cache=CacheBackend(ignored_params=["page"])) as session:
            await session.get(url, params={"b": 2, "a": 1, "page": 7})
            assert (await session.get(url + "?page=8&a=1&b=2")).from_cache  # type: ignore[attr-defined]
            return [str(each).removeprefix(url) async for each in session.cache.get_urls()]

    assert asyncio.run(main())[0].startswith("?b=2&a=1&page=")


def test_deleting_a_redirect_deletes_all_that_it_leads_to(origin: Origin) -> None:
    origin.on("/end", Reply(b"end"))
    origin.on("/middle", redirect("/end"))
    start = origin.on("/start", redirect("/middle"))

    async def main() -> None:
        async with CachedSession() as session:
            await session.get(start)
            await session.cache.delete_url(start)
            assert (await session.cache.redirects.size(), await session.cache.responses.size()) == (0, 0)

    asyncio.run(main())


@pytest.mark.parametrize("first", ["/start", "/end"])
def test_what_a_redirect_leads_to_is_apart_from_what_is_asked_for_by_itself(first: str, origin: Origin) -> None:
    origin.on("/end", Reply(b"end"))
    origin.on("/middle", redirect("/end"))
    origin.on("/start", redirect("/middle"))

    async def main() -> None:
        async with CachedSession() as session:
            for path in (first, "/start" if first == "/end" else "/end"):
                assert await twice(session, origin.url(path)) == [False, True]
            assert (await session.cache.responses.size(), await session.cache.redirects.size()) == (2, 2)
            assert [await session.has_url(origin.url(path)) for path in ("/start", "/middle", "/end")] == [True] * 3
            await session.delete_url(origin.url("/start"))
            found = [await session.has_url(origin.url(path)) for path in ("/start", "/middle", "/end")]
            assert found == [False, False, True]

    asyncio.run(main())
    assert [origin.count(path) for path in ("/start", "/middle", "/end")] == [1, 1, 2]


def test_a_session_of_several_parts_that_tries_again(origin: Origin) -> None:
    url = origin.on("/x", Reply(status=503), Reply(status=503), Reply(b"at last"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        class Trying(aiohttp.ClientSession):
            async def _request(self, *args: Any, **keywords: Any) -> aiohttp.ClientResponse:
                for _ in range(5):
                    response = await super()._request(*args, **keywords)
                    if response.status != 503:
                        break
                return response

        class Session(CacheMixin, Trying):
            """Both."""

    async def main() -> None:
        async with Session(cache=CacheBackend(expire_after=60)) as session:
            for cached in (False, True):
                response = await session.get(url)
                assert (await response.text(), response.from_cache) == ("at last", cached)  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_crawler_that_gathers(origin: Origin, tmp_path: Path) -> None:
    url = origin.on("/x", lambda seen: Reply(seen.target.encode()))

    async def main() -> None:
        async with CachedSession(cache=SQLiteBackend(str(tmp_path / "crawl"), autoclose=False)) as session:

            async def fetch(number: int) -> tuple[bool, str]:
                async with session.get(url, params={"n": number}) as response:
                    return response.from_cache, await response.text()  # type: ignore[attr-defined]

            for cached in (False, True):
                found = await asyncio.gather(*(fetch(number) for number in range(8)))
                assert found == [(cached, f"/x?n={number}") for number in range(8)]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetch(number)) for number in range(8)]
            assert all(task.result()[0] for task in tasks)
        await session.cache.close()

    asyncio.run(main())


def test_a_mirror_in_files(origin: Origin, tmp_path: Path) -> None:
    whole = b"a line of a large file\n" * 5000
    url = origin.on("/big", Reply([whole[:50_000], whole[50_000:]], framing="chunked"))

    async def main() -> None:
        async with CachedSession(cache=FileBackend(tmp_path / "mirror")) as session:
            for _ in range(2):
                digest = hashlib.sha256()
                async with session.get(url) as response:
                    async for piece in response.content.iter_chunked(8192):
                        digest.update(piece)
                assert digest.digest() == hashlib.sha256(whole).digest()
            assert [Path(path).is_file() async for path in session.cache.responses.paths()] == [True]

    for _ in range(2):
        asyncio.run(main())
    assert origin.count("/big") == 1


def test_a_response_made_by_hand_and_one_taken_from_the_client(origin: Origin) -> None:
    url = origin.on("/x", fresh(b'{"a": 1}', content_type="application/json"))
    made = CachedResponse(method="GET", reason="OK", status=200, url=url, version="1.1", body=b"x")  # without a loop
    assert (made.status, made.reason, str(made.url), made.ok, made.from_cache) == (200, "OK", url, True, True)

    async def main() -> None:
        async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as session:
            response = await session.get(url)
            expires = utcnow() + timedelta(seconds=60)
            taken = await CachedResponse.from_client_response(response, expires)
            assert (await taken.json(), taken.expires, taken.is_expired) == ({"a": 1}, expires, False)
            assert taken.request_headers["X-Mine"] == "yes"
            assert (taken.content_type, taken.method, taken.history) == ("application/json", "GET", ())
            assert await response.content.read() == await taken.content.read() == b'{"a": 1}'
            with pytest.raises(UnsupportedExpiresError, match="naive"):
                await CachedResponse.from_client_response(response, datetime.now(UTC))

    asyncio.run(main())


def test_a_cache_is_asked_by_hand(origin: Origin) -> None:
    url = origin.on("/x", Reply(b"x"))

    async def main() -> None:
        async with CachedSession(cache=CacheBackend(expire_after=60)) as session:
            cache, response = session.cache, await session.get(url)
            key = cache.create_key("GET", url)
            assert await cache.is_cacheable(response)
            found = await cache.request(cache.create_cache_actions(key, url))
            assert await found.text() == "x"
            assert await cache.request(cache.create_cache_actions(key, url, expire_after=0)) is None
            cache.filter_fn = lambda response: response.status != 200
            assert await cache.get_response(key) is None
            assert await cache.responses.size() == 0
            cache.disabled = True
            assert not await cache.is_cacheable(response)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "headers", "expected"),
    [
        ({"session_expire_after": 9}, {}, (9, False, False, False)),
        ({"session_expire_after": 9, "urls_expire_after": {"*.example": 8}}, {}, (8, False, False, False)),
        ({"session_expire_after": 9, "request_expire_after": 7, "refresh": True}, {}, (7, False, False, True)),
        ({"session_expire_after": 0, "refresh": True}, {}, (0, True, True, False)),
        ({"cache_disabled": True}, {}, (None, True, True, False)),
        ({"cache_control": True}, {"Cache-Control": "no-cache"}, (None, True, False, False)),
        ({"cache_control": True}, {"Cache-Control": "max-age=0"}, (0, True, True, False)),
        ({"cache_control": False, "session_expire_after": 9}, {"Cache-Control": "no-store"}, (9, False, False, False)),
    ],
)
def test_the_steps_of_a_decision(settings: Any, headers: Any, expected: tuple[Any, ...]) -> None:
    actions = CacheActions.from_request("a key", url="http://a.example/x", headers=headers, **settings)
    assert (actions.expire_after, actions.skip_read, actions.skip_write, actions.revalidate) == expected


def test_small_tools() -> None:
    assert get_cache_directives({"Cache-Control": "max-age=60, no-store", "Expires": "x"}) == {
        "max-age": 60,
        "no-store": True,
        "expires": "x",
    }
    assert compose_refresh_headers({"A": "b"}, {"ETag": "c"}) == (True, {"A": "b", "If-None-Match": "c"})
    assert [split_kv_directive(each) for each in (" max-age=60", "public")] == [("max-age", 60), ("public", True)]
    assert [try_int(each) for each in ("1", "x", None, 2)] == [1, None, None, 2]
    assert url_match("https://a.example/x/1", "a.example/x")
    assert not url_match("https://a.example/x/1", "b.example")


def test_classes_behind_hear_of_what_goes_to_the_network(origin: Origin) -> None:
    heard = list[str]()
    origin.on("/end", Reply(b"end"))
    start, url = origin.on("/start", redirect("/end")), origin.on("/x", Reply(b"x"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        class Listening(aiohttp.ClientSession):
            async def _request(self, method: str, str_or_url: Any, **keywords: Any) -> aiohttp.ClientResponse:
                heard.append(str(str_or_url))
                return await super()._request(method, str_or_url, **keywords)

        class Session(CacheMixin, Listening):
            """Both."""

    async def main() -> None:
        async with Session(cache=CacheBackend(), raise_for_status=True) as session:
            assert [await twice(session, each) for each in (url, start)] == [[False, True]] * 2  # type: ignore[arg-type]
            with pytest.raises(aiohttp.ClientResponseError):
                await session.get(origin.on("/none", Reply(b"", status=404)))

    asyncio.run(main())
    assert heard == [url, start, f"{url.removesuffix('/x')}/none"]


def test_a_stored_response_looks_as_there(origin: Origin) -> None:
    url = origin.on(
        "/x", Reply(b"x", fields=[("Date", "Mon, 30 Nov 2026 19:00:00 GMT"), ("Set-Cookie", "a=1; Path=/")])
    )

    async def main() -> None:
        async with CachedSession(cache=CacheBackend()) as session:
            plain = await session.get(f"{url}?b=2&a=1")
            again = await session.get(f"{url}?a=1&b=2")
            assert (again.from_cache, again.url) == (True, plain.url)  # type: ignore[attr-defined]
            assert list(again.headers.items()) == list(plain.headers.items())
            assert again.raw_headers == plain.raw_headers
            assert await session.cache.responses.pop("nothing", 3) is None

    asyncio.run(main())


def test_a_text_that_is_no_date_is_no_end(origin: Origin) -> None:
    async def main() -> None:
        async with CachedSession(cache=CacheBackend(expire_after="tomorrow")) as session:
            assert await twice(session, origin.on("/x", Reply(b"x"))) == [False, True]

    asyncio.run(main())
