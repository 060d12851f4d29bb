"""User middlewares run above the cache; the cache is a middleware itself for sessions that are not ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession
from local_origin import Origin, Reply, Seen, fresh, redirect

from sansio_cache import AsyncCachedSession, BadSignature, CacheMiddleware, MemoryStore, SettingError, SQLiteStore
from sansio_cache_adapters.aiohttp.response import CachedClientResponse
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]


async def text(session: ClientSession, url: Any, **keywords: Any) -> str:
    async with session.get(url, **keywords) as response:
        return await response.text()


class Noting:
    """Notes each request and the answer to it."""

    def __init__(self) -> None:
        self.noted: list[Any] = []

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        assert isinstance(response, CachedClientResponse)
        self.noted.append(response.from_cache)
        return response


@pytest.mark.parametrize("where", ["session", "request", "both"])
async def test_middlewares_run_above_the_cache(sessions: Sessions, origin: Origin, where: str) -> None:
    """The session's, or the request's in their place: they see hits too, and the cache does not vanish."""
    of_session, of_request = Noting(), Noting()
    session = sessions(middlewares=(of_session,) if where != "request" else ())
    keywords: dict[str, Any] = {} if where == "session" else {"middlewares": [of_request]}
    url = origin.on("/a", fresh(b"a"))
    for _ in range(3):
        await text(session, url, **keywords)
    assert of_session.noted == ([False, True, True] if where == "session" else [])
    assert of_request.noted == ([] if where == "session" else [False, True, True])
    assert origin.count() == 1
    await text(session, url, middlewares=[])
    assert origin.count() == 1


async def test_a_middleware_may_change_the_request_and_retry(session: AsyncCachedSession, origin: Origin) -> None:
    """What it makes of the request is what is looked up; each call of the handler is a request of its own."""

    async def negotiate(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        if response.status == 401:
            response.release()
            request.headers["Authorization"] = "Bearer token"
            response = await handler(request)
        return response

    def answer(seen: Seen) -> Reply:
        return fresh(b"secret") if seen.get("authorization") else Reply(status=401)

    url = origin.on("/a", answer)
    for _ in range(2):
        assert await text(session, url, middlewares=[negotiate]) == "secret"
    assert [seen.get("authorization") for seen in origin.seen] == [None, "Bearer token", None]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_digest_authentication_works(session: AsyncCachedSession, origin: Origin) -> None:
    """aiohttp's own middleware, above the cache."""
    if not hasattr(aiohttp, "DigestAuthMiddleware"):
        pytest.skip("this aiohttp has none")
    challenge = Reply(status=401, fields={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    url = origin.on("/a", lambda seen: fresh(b"in") if seen.get("authorization") else challenge)
    digest = aiohttp.DigestAuthMiddleware("user", "password")
    assert await text(session, url, middlewares=[digest]) == "in"


async def test_a_middleware_may_ask_the_session_itself(sessions: Sessions, origin: Origin) -> None:
    """For a token, say: with its own list of middlewares, and through the cache."""
    token = origin.on("/token", fresh(b"token"))

    async def authorize(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers["Authorization"] = await text(request.session, token, middlewares=())
        return await handler(request)

    session = sessions(middlewares=[authorize])
    url = origin.on("/a", lambda seen: fresh((seen.get("authorization") or "").encode()))
    for _ in range(2):
        assert await text(session, url) == "token"
    assert (origin.count("/token"), origin.count("/a")) == (1, 1)


async def test_the_cache_is_a_middleware(origin: Origin, tmp_path: Any, key: str) -> None:
    """For a session that is not ours: redirects, options of single requests, maintenance."""
    url = origin.on("/r", redirect("/a"))
    origin.on("/a", fresh(b"a"))
    cache = CacheMiddleware(tmp_path / "cache.sqlite", secret_key=key)
    assert isinstance(cache.cache, AsyncStoredResponses)
    async with cache, ClientSession(auto_decompress=False, middlewares=[cache]) as client:
        for number in range(2):
            async with client.get(url) as response:
                assert isinstance(response, CachedClientResponse)
                assert await response.text() == "a"
                assert response.from_cache == (number == 1)
                assert response.history[0].from_cache == (number == 1)  # type: ignore[attr-defined]
        anew = cache.with_options(force_refresh=True, tags=["one"])
        assert await text(client, url, middlewares=[anew]) == "a"
        assert cache.cache.stats.hits == 2
    assert origin.count("/a") == 2
    with pytest.raises(SettingError):
        cache.with_options(refresh="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unheard_of"):
        cache.with_options(unheard_of=1)  # type: ignore[call-arg]
    with pytest.raises(SettingError):
        CacheMiddleware(7)


async def test_something_below_the_cache_may_answer(origin: Origin) -> None:
    """A handler below that returns a response of its own making is passed on; one that has read it, kept."""

    async def nothing_more(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = await handler(request)
        await response.read()
        return response

    url = origin.on("/a", fresh(b"a" * 1000))
    cache = CacheMiddleware(MemoryStore())
    async with cache, ClientSession(auto_decompress=False, middlewares=[cache, nothing_more]) as client:
        for _ in range(2):
            assert await text(client, url) == "a" * 1000
    assert origin.count() == 1


async def test_a_tampered_record_raises(sessions: Sessions, cache_file: Any, origin: Origin) -> None:
    """BadSignature from ``get()``, on both paths; ``force_refresh=True`` is a way out; "miss" goes on by itself."""
    url = origin.on("/a", fresh(b"a"))
    session = sessions()
    await text(session, url)
    await session.close()
    with sqlite3.connect(cache_file) as database:
        (sealed,) = database.execute("SELECT sealed FROM records").fetchone()
        database.execute("UPDATE records SET sealed = ?", (sealed[:-1] + bytes([sealed[-1] ^ 1]),))
    database.close()
    session = sessions()
    for _ in range(2):
        with pytest.raises(BadSignature) as caught:
            await session.get(url)
        assert caught.value.url == url
    assert await text(sessions(on_bad_signature="miss"), url) == "a"
    assert origin.count() == 2


async def test_a_tampered_chunk_raises_while_reading(sessions: Sessions, cache_file: Any, origin: Origin) -> None:
    """From ``read()``, before a byte of that chunk is given; the record is dropped."""
    body = bytes(range(256)) * 12_000
    url = origin.on("/a", fresh(body))
    session = sessions()
    await (await session.get(url)).read()
    await session.close()
    with sqlite3.connect(cache_file) as database:
        second = "(SELECT id FROM chunks ORDER BY id LIMIT 1 OFFSET 1)"
        database.execute(f"UPDATE chunks SET data = zeroblob(length(data)) WHERE id = {second}")
    database.close()
    session = sessions()
    response = await session.get(url)
    assert response.from_cache
    assert len(await response.content.readany()) == 2**20
    with pytest.raises(BadSignature):
        await response.read()
    assert response.closed
    again = await session.get(url)
    assert not again.from_cache
    assert await again.read() == body


async def test_a_body_that_is_gone_is_a_payload_error(sessions: Sessions, origin: Origin, tmp_path: Any) -> None:
    """The store lost it: the client's own kind of error from ``read()``."""
    store = SQLiteStore(tmp_path / "own.sqlite")
    session = sessions(cache=store)
    url = origin.on("/a", fresh(bytes(3_000_000)))
    await (await session.get(url)).read()
    await session.close()
    session = sessions(cache=store)
    response = await session.get(url)
    assert response.from_cache
    store.clear()
    store.sweep(now=9e9)
    store.sweep(now=9e9)
    with pytest.raises(aiohttp.ClientPayloadError, match="the stored body is gone"):
        await response.read()
    store.close()
