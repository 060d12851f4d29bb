"""What single requests say, to whichever method: each keyword is the cache's own, and is never sent."""

from __future__ import annotations

from typing import Any

import pytest
from clock import Clock
from local_origin import Origin, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import MemoryStore, Policy, SettingError, TrioCachedSession

pytestmark = pytest.mark.anyio

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")


async def ask(session: TrioCachedSession, how: str, url: str, **options: Any) -> Any:
    """By a method, by ``request``, or streamed."""
    if how == "stream":
        async with session.stream("GET", url, **options) as response:
            await response.read()
        return response
    if how == "request":
        return await session.request("get", url, **options)
    return await getattr(session, how)(url, **options)


@pytest.mark.parametrize("how", [*METHODS, "request", "stream"])
async def test_each_method_takes_them(origin: WatchedOrigin, how: str) -> None:
    """And gives the cache's own response."""
    url = origin.on("/a", fresh(b"body", etag='"tag"'))
    settings: Any = {"expire_after": 60, "refresh": True, "force_refresh": True, "tags": ["one"]}
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for name, value in settings.items():
            response = await ask(session, how, f"{url}?{name}", **{name: value})
            assert (response.status, response.from_cache) == (200, False)
            assert response.cache_status.startswith("sansio-cache;fwd=")
        assert origin.count() == len(settings)
        with pytest.raises(SettingError, match="takes True or False"):
            await ask(session, how, url, refresh="yes")
        with pytest.raises(TypeError, match=r"takes no nonsense; there are auth, .*, only_if_cached, params, refresh"):
            await ask(session, how, url, nonsense=1)
        with pytest.raises(SettingError, match="follow_redirects takes True or False"):
            await ask(session, how, url, follow_redirects="no")
    names = {name.lower() for seen in origin.seen for name, _ in seen.fields}
    assert names <= {"host", "user-agent", "accept", "accept-encoding", "content-length", "if-none-match"}


@pytest.mark.parametrize("how", ["get", "request", "stream"])
async def test_what_they_do(origin: WatchedOrigin, clock: Clock, how: str) -> None:
    """One after the other, on one URL."""
    url = origin.on("/a", tagged(b"body"))
    async with TrioCachedSession(cache=MemoryStore(), clock=clock) as session:
        refused = await ask(session, how, url, only_if_cached=True)
        assert (refused.status, refused.from_cache, origin.count()) == (504, False, 0)
        await ask(session, how, url, tags=["one"], expire_after=100)
        clock.advance(10)
        assert (await ask(session, how, url, expire_after=100)).from_cache
        assert (await ask(session, how, url, only_if_cached=True, expire_after=100)).from_cache
        assert (await ask(session, how, url)).from_cache
        assert (await ask(session, how, url, expire_after=5)).revalidated
        assert (await ask(session, how, url, refresh=True, expire_after=100)).revalidated
        forced = await ask(session, how, url, force_refresh=True)
        assert (forced.from_cache, forced.revalidated) == (False, False)
        assert origin.count() == 4
        assert origin.last().get("if-none-match") is None
        await ask(session, how, url, tags=["two"], force_refresh=True)
        assert await session.cache.delete(tags=["two"]) == 1


@pytest.mark.parametrize("how", ["get", "stream"])
async def test_disabled(origin: WatchedOrigin, how: str) -> None:
    """The cache is bypassed within the block, and says so."""
    url = origin.on("/a", fresh(b"body"))
    async with TrioCachedSession(cache=MemoryStore()) as session, TrioCachedSession(cache=MemoryStore()) as other:
        for each in (session, other):
            await each.get(url)
        with session.disabled():
            response = await ask(session, how, url)
            assert (response.from_cache, response.cache_status, response.cache_key) == (
                False,
                'sansio-cache;fwd=bypass;fwd-status=200;detail="disabled"',
                "",
            )
            assert (response.created_at, response.expires, response.is_expired) == (None, None, False)
            assert (await ask(other, how, url)).from_cache
        assert (await ask(session, how, url)).from_cache
    assert origin.count() == 3


async def test_unsafe_methods(origin: WatchedOrigin) -> None:
    """They invalidate what is stored of a URL; opted in, they are stored by what they send, but not streams (G14)."""
    url = origin.on("/a", fresh(b"body"))

    async def pieces() -> Any:
        yield b"x"

    async with TrioCachedSession(cache=MemoryStore()) as session:
        await session.get(url)
        await session.post(url, content=b"x")
        assert not (await session.get(url)).from_cache
    async with TrioCachedSession(cache=MemoryStore(), allowed_methods=["GET", "POST"]) as session:
        for expected in (False, True):
            for options in ({"content": b"x"}, {"json": {"a": 1}}, {"data": {"a": "1"}}):
                assert (await session.post(url, **options)).from_cache is expected
        response = await session.post(url, content=pieces())
        assert (response.from_cache, response.content) == (False, b"body")
        assert "body-not-known" in response.cache_status
    assert origin.last().body == b"x"


async def test_settings_say_what_they_take() -> None:
    """In words."""
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"vary_limit": 0}, "vary_limit"),
        ({"expire_after": "soon"}, "HTTP-date"),
        ({"allowed_codes": "200"}, "allowed_codes"),
        ({"cache": 7}, "cache takes a path or a store"),
        ({"policy": 7}, "policy takes a Policy"),
        ({"policy": Policy(), "offline": True}, "offline"),
        ({"peer": 7}, "peer takes a str"),
        ({"on_event": 7}, r"on_event takes a plain function of \(event\), not 7"),
        ({"clock": 7}, "clock takes a plain function of no arguments, not 7"),
        ({"timeout": -1}, "above zero seconds"),
        ({"limits": 7}, "limits takes a Limits"),
        ({"cache": None, "secret_key": "a secret of at least sixteen bytes"}, "Name a path or a store"),
    )
    for settings, words in wrong:
        with pytest.raises(SettingError, match=words):
            TrioCachedSession(**{"cache": MemoryStore(), **settings})
    with pytest.raises(
        TypeError, match=r"^TrioCachedSession\(\) got an unexpected keyword argument 'proxy': .* httpx2's"
    ):
        TrioCachedSession(cache=MemoryStore(), proxy="http://h/")
    with pytest.raises(ValueError, match="verify"):
        TrioCachedSession(cache=MemoryStore(), verify=False, ssl_context=object())


async def test_variants_are_stored_side_by_side(origin: WatchedOrigin) -> None:
    """By what the request says of the fields that Vary names (G12)."""

    def by_language(seen: Seen) -> Reply:
        return fresh((seen.get("accept-language") or "none").encode(), vary="Accept-Language")

    url = origin.on("/a", by_language)
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for expected in (False, True):
            for language in ("de", "en"):
                response = await session.get(url, headers={"Accept-Language": language})
                assert (response.text, response.from_cache) == (language, expected)
            response = await session.get(url)
            assert (response.text, response.from_cache) == ("none", expected)
    assert origin.count() == 3


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_what_a_reader_decodes(origin: WatchedOrigin, coding: str) -> None:
    """The stored bytes are those that came; each way of reading gives what it gives without a cache."""
    if coding == "br":
        brotli = pytest.importorskip("brotli")
        body = brotli.compress(b"line one\nline two" * 50)
        reply = Reply(body, fields={"Cache-Control": "max-age=60", "Content-Encoding": "br"})
    else:
        reply = fresh(b"line one\nline two" * 50, coded=True)
    url = origin.on("/a", reply)
    async with TrioCachedSession(cache=MemoryStore()) as session:
        for expected in (False, True):
            response = await session.get(url)
            assert (response.content, response.from_cache) == (b"line one\nline two" * 50, expected)
            assert response.headers["Content-Length"] == str(len(reply.body))  # type: ignore[arg-type]
            async with session.stream("GET", url) as streamed:
                raw = b"".join([piece async for piece in streamed.iter_raw()])
            assert raw == reply.body
            async with session.stream("GET", url) as streamed:
                lines = [line async for line in streamed.iter_lines()]
            assert len(lines) == 51
    assert origin.count() == 1


async def test_credentials_stay_with_their_origin(origin: WatchedOrigin) -> None:
    """Also where the redirect comes from the store (G16); another user's answer is another's (G10)."""
    elsewhere = Origin()
    try:
        moved = origin.on("/moved", redirect(elsewhere.url("/new")))
        elsewhere.on("/new", fresh(b"new", 0))
        async with TrioCachedSession(cache=MemoryStore()) as session:
            for expected in (False, True):
                response = await session.get(moved, auth=("me", "pw"), headers={"X-API-Key": "k", "Cookie": "a=b"})
                assert [hop.from_cache for hop in response.history] == [expected]
                assert response.text == "new"
            await session.get(moved, auth=("you", "pw"))
        assert origin.count() == 2
        for seen in elsewhere.seen:
            assert not {"authorization", "x-api-key", "cookie"} & {name.lower() for name, _ in seen.fields}
    finally:
        elsewhere.close()


async def test_one_who_does_not_follow_gets_the_redirect(origin: WatchedOrigin) -> None:
    """As it was stored."""
    moved = origin.on("/moved", redirect("/new"))
    async with TrioCachedSession(cache=MemoryStore(), follow_redirects=False) as session:
        for expected in (False, True):
            response = await session.get(moved)
            assert (response.status, response.content, response.from_cache) == (302, b"moved", expected)
            async with session.stream("GET", moved) as streamed:
                assert await streamed.read() == b"moved"
    assert origin.count() == 1
