"""The fast path gives what the long way gives: the same request, under the same key, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout
from hypothesis import given, settings
from hypothesis import strategies as st
from local_origin import Origin, fresh, redirect
from yarl import URL

from sansio_cache import AsyncCachedSession, MemoryStore

PATHS = ("/a", "/b", "/~c")
names = st.sampled_from(["X-A", "x-a", "Accept", "accept-encoding", "Cookie", "X-API-Key", "User-Agent"])
values = st.sampled_from(["", "1", "gzip", "é"])
fields: Any = st.one_of(
    st.none(),
    st.dictionaries(names, values, max_size=3),
    st.lists(st.tuples(names, values), max_size=3),
)
params: Any = st.one_of(
    st.none(),
    st.sampled_from(["", "a=1", {}, {"k": 1}, [("a", "1"), ("a", "2")]]),
    st.dictionaries(st.sampled_from(["a", "b"]), st.text("é /+1", max_size=3), max_size=2),
)
targets = st.sampled_from([*PATHS, "/a?q=1", "/a#f", "/a?", "/%7Ec", "/a?q=%2f", "/a?q=a+b", "/r"])
calls = st.fixed_dictionaries(
    {"target": targets, "as_url": st.booleans()},
    optional={
        "headers": fields,
        "params": params,
        "cookies": st.dictionaries(st.just("a"), st.sampled_from("12"), max_size=1),
        "allow_redirects": st.booleans(),
        "timeout": st.sampled_from([None, 5, ClientTimeout(total=5)]),
        "raise_for_status": st.sampled_from([None, True, False]),
        "ssl": st.sampled_from([True, False]),
        "auto_decompress": st.booleans(),
        "skip_auto_headers": st.just(["User-Agent"]),
    },
)
changes: Any = st.sampled_from(["nothing", "header", "cookie", "no cookie", "auto header"])
sessions = st.fixed_dictionaries(
    {},
    optional={
        "headers": st.dictionaries(names, values, max_size=2),
        "trust_env": st.just(True),
        "cookie_jar": st.just("dummy"),
        "match_headers": st.just(True),
        "raise_for_status": st.just(True),
        "skip_auto_headers": st.just(["Accept"]),
    },
)


@pytest.fixture(scope="module")
def answering() -> Iterator[Origin]:
    """An origin whose every answer may be kept."""
    origin = Origin()
    for path in (*PATHS, "/%7Ec"):
        origin.on(path, fresh(b"body"))
    origin.on("/r", redirect("/a"))
    yield origin
    origin.close()


async def long_way(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    return await handler(request)


def told(response: Any) -> tuple[Any, ...]:
    """What a response tells of its request."""
    info = response.request_info
    items = list(info.headers.items())
    return response.status, response.cache_key, info.url, info.method, items, info.real_url, response.url


async def change(session: AsyncCachedSession, what: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if what == "header":
        session.headers["X-Changed"] = str(number)
    elif what == "cookie":
        session.cookie_jar.update_cookies({"c": str(number)}, URL("http://127.0.0.1/"))
    elif what == "no cookie":
        session.cookie_jar.clear()
    elif what == "auto header":
        headers: Any = ClientRequest.DEFAULT_HEADERS
        monkeypatch.setitem(headers, "X-Auto", str(number))


@settings(max_examples=150, deadline=None)
@given(made=sessions, script=st.lists(st.tuples(changes, calls), min_size=1, max_size=5))
def test_both_ways_make_the_same_request(answering: Origin, made: dict[str, Any], script: list[Any]) -> None:
    """Over arbitrary sessions, arguments and changes in between, each request made three times."""

    async def main() -> None:
        arguments = dict(made)
        unsafe = aiohttp.CookieJar(unsafe=True)
        jar = aiohttp.DummyCookieJar() if arguments.pop("cookie_jar", None) else unsafe
        session = AsyncCachedSession(
            cache=MemoryStore(), cache_control=False, identity=["X-API-Key", "Cookie"], cookie_jar=jar, **arguments
        )
        with pytest.MonkeyPatch.context() as monkeypatch:
            async with session:
                for number, (what, call) in enumerate(script):
                    await change(session, what, number, monkeypatch)
                    keywords = dict(call)
                    url: Any = answering.url(keywords.pop("target"))
                    if keywords.pop("as_url"):
                        url = URL(url, encoded=True)
                    seen = [await once(session, url, keywords) for _ in range(3)]
                    expected = await once(session, url, {**keywords, "middlewares": [long_way]})
                    assert seen == [expected] * 3

    asyncio.run(main())


async def once(session: AsyncCachedSession, url: Any, keywords: dict[str, Any]) -> Any:
    try:
        async with session.get(url, **keywords) as response:
            await response.read()
            return told(response)
    except (aiohttp.ClientResponseError, ValueError, TypeError) as error:
        return type(error), str(error)


def test_it_is_taken(answering: Origin) -> None:
    """A plain GET is answered without a ClientRequest; so that the test above is about something."""
    made: list[str] = []

    class Request(ClientRequest):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            made.append("request")
            super().__init__(*arguments, **keywords)

    async def main() -> None:
        url = answering.url("/a")
        for keywords in ({}, {"headers": {"X": "1"}, "params": {"a": "1"}}, {"allow_redirects": False}):
            async with AsyncCachedSession(cache=MemoryStore()) as session:
                assert session._handler  # what it answers is settled by how the session was made
                session._request_class = Request
                for _ in range(4):
                    async with session.get(url, **keywords) as response:
                        assert await response.read() == b"body"
                assert response.from_cache
                assert made == ["request"]
                made.clear()

    asyncio.run(main())


def test_what_it_remembers_is_bounded(answering: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """G28: the oldest go, and take the long way again."""
    monkeypatch.setattr("sansio_cache_adapters.aiohttp.fast_path.PREPARED_BYTES", 100_000)

    async def main() -> None:
        async with AsyncCachedSession(cache=MemoryStore()) as session:
            for number in range(30):
                async with session.get(answering.url(f"/a?{number}")) as response:
                    await response.read()
            assert session._handler._fast._remembered.info().currsize <= 100_000
            assert 0 < session._handler._fast._remembered.info().entries < 30

    asyncio.run(main())


def test_a_loop_is_told_of_a_closed_session(answering: Origin) -> None:
    """What was remembered does not answer after close()."""

    async def main() -> None:
        session = AsyncCachedSession(cache=MemoryStore())
        for _ in range(2):
            async with session.get(answering.url("/a")) as response:
                await response.read()
        await session.close()
        with pytest.raises(RuntimeError, match="Session is closed"):
            await session.get(answering.url("/a"))

    asyncio.run(main())


def test_a_method_of_others_in_the_place_of_aiohttps_is_asked_each_time(
    answering: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may say who asks: what it made of one user's request answers no other."""
    replaced: Any = aiohttp.ClientSession._request
    asking = "ann"

    async def as_somebody(session: Any, method: str, url: Any, **keywords: Any) -> Any:
        return await replaced(session, method, url, **{**keywords, "headers": {"Authorization": asking}})

    async def got(session: AsyncCachedSession) -> bool:
        async with session.get(answering.url("/a")) as response:
            await response.read()
            return response.from_cache

    async def main() -> None:
        nonlocal asking
        async with AsyncCachedSession(cache=MemoryStore(), cache_control=False) as session:
            assert [await got(session), await got(session)] == [False, True]
            with monkeypatch.context() as patch:
                patch.setattr(aiohttp.ClientSession, "_request", as_somebody)
                assert [await got(session), await got(session)] == [False, True]
                asking = "bob"
                assert not await got(session)
            assert await got(session)

    asyncio.run(main())
