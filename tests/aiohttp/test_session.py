"""Drop-in, points 5, 6, 9 and 10: constructors, WebSockets, switching off, closing; the loop is never blocked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, web
from local_origin import Origin, Reply, Seen, fresh
from measured import step

from sansio_cache import (
    AsyncCachedSession,
    CachedSession,
    CacheMiddleware,
    KeyRequired,
    MemoryStore,
    NotCached,
    Policy,
    SettingError,
    SQLiteStore,
)
from sansio_cache_adapters.cache.stored_responses import AsyncStoredResponses

pytestmark = pytest.mark.anyio
Sessions = Callable[..., AsyncCachedSession]


async def text(session: ClientSession, url: Any, **keywords: Any) -> str:
    async with session.get(url, **keywords) as response:
        return await response.text()


async def test_a_session_is_aiohttps(session: AsyncCachedSession, origin: Origin) -> None:
    """Libraries that ask for a ClientSession accept ours."""
    assert isinstance(session, ClientSession)
    assert session.auto_decompress
    assert isinstance(session.cache, AsyncStoredResponses)
    assert isinstance(session.cache.store, SQLiteStore)
    assert session.policy == Policy()
    assert await text(session, origin.on("/a", fresh(b"a"))) == "a"


def test_importing_and_using_it_warns_of_nothing() -> None:
    """aiohttp discourages inheritance and attributes of one's own; users run with ``-W error`` and in dev mode."""
    program = """
import asyncio
from sansio_cache import AsyncCachedSession, MemoryStore
async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is not what is looked for
    async with AsyncCachedSession(cache=MemoryStore()) as session:
        with session.disabled():
            pass
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_every_keyword_of_aiohttp_is_taken(tmp_path: Path) -> None:
    """With the exact value, None too; unknown ones are refused as aiohttp refuses them."""
    names = [name for name in signature(ClientSession.__init__).parameters if name not in ("self", "base_url")]
    for name in names:
        default = signature(ClientSession.__init__).parameters[name].default
        async with AsyncCachedSession(cache=MemoryStore(), **{name: default}):
            pass
    with pytest.raises(TypeError, match="unexpected keyword argument 'unheard_of'"):
        AsyncCachedSession(cache=MemoryStore(), unheard_of=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'unheard_of'"):
        CacheMiddleware(MemoryStore(), unheard_of=1)


async def test_the_first_argument_stays_the_base_url(sessions: Sessions, origin: Origin) -> None:
    """A path there is an error that says where the cache's place is."""
    origin.on("/base/a", fresh(b"a"))
    session = sessions(origin.url("/base/"))
    for _ in range(2):
        assert await text(session, "a") == "a"
    assert origin.count() == 1
    for wrong in ("cache.sqlite", Path("cache.sqlite"), MemoryStore()):
        with pytest.raises(SettingError, match="the place of the cache is cache="):
            AsyncCachedSession(wrong)  # type: ignore[arg-type]


async def test_settings_are_checked_when_given(tmp_path: Path) -> None:
    """Wrong ones are errors at construction; a Policy and a setting beside it too."""
    for keywords in (
        {"expire_after": "soon"},
        {"cache": 7},
        {"secret_key": ""},
        {"secret_key": b"x" * 20},
        {"policy": Policy(), "expire_after": 1},
        {"policy": "strict"},
    ):
        with pytest.raises(SettingError):
            AsyncCachedSession(**keywords)
    policy = Policy(expire_after=60)
    async with AsyncCachedSession(cache=MemoryStore(), policy=policy) as session:
        assert session.policy is policy


async def test_a_signed_store_wants_its_key_at_first_use(cache_file: Path, origin: Origin, key: str) -> None:
    """``async with`` raises, or the first request; the session is closed, or can be."""
    url = origin.on("/a", fresh(b"a"))
    async with AsyncCachedSession(cache=cache_file, secret_key=key) as session:
        assert await text(session, url) == "a"
    keyless = AsyncCachedSession(cache=cache_file)
    with pytest.raises(KeyRequired):
        await keyless.get(url)
    with pytest.raises(KeyRequired):
        await keyless.get(url)
    await keyless.close()
    entered = AsyncCachedSession(cache=cache_file)
    with pytest.raises(KeyRequired):
        async with entered:
            pass
    assert entered.closed
    middleware = CacheMiddleware(cache_file)
    with pytest.raises(KeyRequired):
        async with middleware:
            pass
    await middleware.close()
    assert origin.count() == 1


async def test_single_requests_say_more(sessions: Sessions, origin: Origin) -> None:
    """``expire_after``, ``only_if_cached``, ``refresh``, ``force_refresh`` and ``tags``; none reaches the origin."""
    session = sessions()
    url = origin.on("/a", lambda seen: Reply(b"%d" % origin.count(), fields={"ETag": '"1"'}))
    missing = await session.get(url, only_if_cached=True)
    assert missing.status == 504
    assert await text(session, url, expire_after=60, tags=["one"]) == "1"
    assert await text(session, url, expire_after=60) == "1"
    assert await text(session, url, expire_after=60, force_refresh=True) == "2"
    assert await text(session, url, expire_after=60, refresh=True) == "3"
    assert origin.last().get("if-none-match") == '"1"'
    assert await text(session, url, expire_after=0) == "4"
    for wrong in ({"refresh": 1}, {"tags": "one"}, {"expire_after": "soon"}):
        with pytest.raises(SettingError):
            await session.get(url, **wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        await session.get(url, unheard_of=1)  # type: ignore[call-arg]
    assert {name.lower() for seen in origin.seen for name, _ in seen.fields} <= {
        *("host", "accept", "accept-encoding", "user-agent", "if-none-match"),
    }


async def test_offline_never_asks(sessions: Sessions, origin: Origin) -> None:
    """A stored response of any age, else NotCached."""
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'))
    store = MemoryStore()
    await text(sessions(cache=store), url)
    offline = sessions(cache=store, offline=True)
    for _ in range(2):
        assert await text(offline, url) == "a"
    with pytest.raises(NotCached):
        await offline.get(origin.url("/b"))
    assert origin.count() == 1


async def test_a_session_is_switched_off_for_a_block_and_a_task(session: AsyncCachedSession, origin: Origin) -> None:
    """Others go on through the cache meanwhile; the block's own tasks inherit it."""
    url = origin.on("/a", fresh(b"a"))
    await text(session, url)
    inside, outside = asyncio.Event(), asyncio.Event()

    async def off() -> None:
        with session.disabled():
            inside.set()
            await outside.wait()
            assert await text(session, url, expire_after=60) == "a"
            await asyncio.create_task(text(session, url))
            with session.disabled():
                pass
            await text(session, url)
        await text(session, url)

    task = asyncio.create_task(off())
    await inside.wait()
    await text(session, url)
    assert origin.count() == 1
    outside.set()
    await task
    assert origin.count() == 4


async def test_two_sessions_of_a_process_and_requests_share_one_file(
    sessions: Sessions, cache_file: Path, key: str, origin: Origin
) -> None:
    """What one client stores, the other answers from, both ways."""
    urls = [origin.on("/a", fresh(b"a" * 100, coded=True)), origin.on("/b", fresh(b"b" * 3_000_000, coded=True))]
    session = sessions()
    await (await session.get(urls[0])).read()
    await session.close()
    with CachedSession(cache_file, secret_key=key) as blocking:
        assert (await asyncio.to_thread(blocking.get, urls[0])).from_cache
        await asyncio.to_thread(blocking.get, urls[1])
    again = sessions()
    response = await again.get(urls[1])
    assert response.from_cache
    assert await response.read() == b"b" * 3_000_000
    assert origin.count() == 2


async def test_websockets_pass_beside_cached_urls(session: AsyncCachedSession) -> None:
    """A handshake is a GET through the same door, to a URL that may be stored."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") != "websocket":
            return web.Response(text="plain", headers={"Cache-Control": "max-age=60"})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    for _ in range(2):
        assert await text(session, url) == "plain"
        async with session.ws_connect(url) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "echo hello"
    assert session.cache.stats.hits == 1
    cache = CacheMiddleware(MemoryStore())
    async with cache, ClientSession(middlewares=[cache]) as client, client.ws_connect(url) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str() == "echo hello"
    await runner.cleanup()


async def test_another_protocol_that_is_declined_is_an_answer(session: AsyncCachedSession, origin: Origin) -> None:
    """``Upgrade`` bypasses the cache, and what comes instead is decoded as ever."""
    url = origin.on("/a", fresh(b"plain" * 100, coded=True))
    for headers in ({"Upgrade": "h2c", "Connection": "Upgrade"}, [("Upgrade", "h2c")]):
        for _ in range(2):
            assert await text(session, url, headers=headers) == "plain" * 100
    assert origin.count() == 4


async def test_the_users_own_preconditions_are_answered(session: AsyncCachedSession, origin: Origin) -> None:
    """``If-None-Match`` and ``If-Modified-Since`` give 304 on a fresh hit; others go to the origin."""
    url = origin.on("/a", fresh(b"a", etag='"1"', last_modified="Mon, 01 Jan 2024 00:00:00 GMT"))
    await text(session, url)
    for headers in ({"If-None-Match": '"1"'}, {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}):
        response = await session.get(url, headers=headers)
        assert (response.status, await response.read()) == (304, b"")
    assert origin.count() == 1
    await text(session, url, headers={"If-Match": '"1"'})
    assert origin.count() == 2


@pytest.mark.serial
async def test_the_loop_is_not_blocked(sessions: Sessions, origin: Origin) -> None:
    """Misses and hits, small and large, never keep the loop for long in its thread's own time (G22)."""
    session = sessions()
    urls = [origin.on(f"/{size}", fresh(bytes(size))) for size in (1000, 60_000, 70_000, 5_000_000)]
    spans: list[float] = []

    async def tick() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            spans.append(time.thread_time() - before)

    for url in urls:
        await text(session, url)
    ticking = asyncio.create_task(tick())
    for _ in range(5):
        for url in urls:
            async with session.get(url) as response:
                async for _ in response.content.iter_any():
                    pass
            async with session.get(url, force_refresh=True) as response:
                async for _ in response.content.iter_any():
                    pass
    ticking.cancel()
    assert sorted(spans)[-3] < step(), sorted(spans)[-5:]


async def test_closing_writes_what_is_queued(cache_file: Path, key: str, origin: Origin) -> None:
    """Every entry is there for the next process; closing twice is nothing; a closed session refuses as aiohttp does."""
    session = AsyncCachedSession(cache=cache_file, secret_key=key)
    urls = [origin.on(f"/{number}", fresh(b"%d" % number)) for number in range(200)]
    await asyncio.gather(*(text(session, url) for url in urls))
    await session.close()
    await session.close()
    assert session.closed
    with pytest.raises(RuntimeError, match="Session is closed"):
        await session.get(urls[0])
    with CachedSession(cache_file, secret_key=key) as blocking:
        assert all(blocking.get(url).from_cache for url in urls)


async def test_a_store_of_the_users_own_stays_open(origin: Origin, tmp_path: Path) -> None:
    """A session closes only the store that it made; to the user's own it writes what is queued."""
    store = SQLiteStore(tmp_path / "own.sqlite")
    urls = [origin.on(f"/{number}", fresh(b"a")) for number in range(20)]
    async with AsyncCachedSession(cache=store) as session:
        await asyncio.gather(*(text(session, url) for url in urls))
    assert store.size().entries == 20
    store.close()


async def test_on_event_is_told(sessions: Sessions, origin: Origin) -> None:
    """Every decision, with its reason."""
    told: list[str] = []
    session = sessions(on_event=lambda event: told.append(event.kind))
    url = origin.on("/a", fresh(b"a"))
    for _ in range(2):
        await text(session, url)
    assert told == ["miss", "stored", "hit"]


async def test_a_store_that_cannot_be_opened_is_passed_by(tmp_path: Path, origin: Origin) -> None:
    """A user's own file is left alone, and requests succeed (G20)."""
    path = tmp_path / "thesis.docx"
    path.write_bytes(b"PK a thesis")
    url = origin.on("/a", fresh(b"a"))
    async with AsyncCachedSession(cache=path) as session:
        for _ in range(2):
            assert await text(session, url) == "a"
    assert path.read_bytes() == b"PK a thesis"
    assert origin.count() == 2


async def test_errors_of_validation_are_the_clients(session: AsyncCachedSession) -> None:
    """URLs and arguments are not looked at before aiohttp does."""
    for url in ("mailto:a@b", "http://", "//", ""):
        with pytest.raises((aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
            await session.get(url)
    with pytest.raises(ValueError, match="data and json"):
        await session.get("http://127.0.0.1:1/", data=b"1", json=1)
    with pytest.raises(TypeError):
        await session.get("http://127.0.0.1:1/", ssl="yes")  # type: ignore[arg-type]


def test_the_class_may_be_inherited_as_aiohttps() -> None:
    """aiohttp discourages it by a warning, ours does so too; it works."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        class Mine(AsyncCachedSession):
            async def _request(self, method: str, str_or_url: Any, **keywords: Any) -> Any:
                return await super()._request(method, str_or_url, **keywords)

    async def main() -> None:
        async with Mine(cache=MemoryStore()) as session:
            assert isinstance(session, AsyncCachedSession)

    asyncio.run(main())


async def test_a_kept_connection_that_was_closed_is_tried_again(sessions: Sessions, origin: Origin) -> None:
    """aiohttp's own second try comes before a stale response stands in for the error."""
    session = sessions(stale_if_error=True)
    other = origin.on("/other", fresh(b"x", 0))

    def drop_once(seen: Seen, connection: Any) -> None:
        if origin.count("/a") == 2:
            connection.close()
        else:
            connection.reply(fresh(b"%d" % origin.count("/a"), 0, etag=f'"{origin.count("/a")}"'), seen.method)

    url = origin.script("/a", drop_once)
    assert await text(session, url) == "1"
    await text(session, other)
    assert await text(session, url) == "3"
    assert origin.count("/a") == 3


async def test_a_stale_response_stands_in_for_an_error(sessions: Sessions, origin: Origin) -> None:
    """With ``stale_if_error``, when the second try fails too; else the client's error comes through."""
    url = origin.on("/a", fresh(b"a", 0, etag='"1"'))
    session, strict = sessions(stale_if_error=True), sessions()
    await text(session, url)
    origin.close()
    response = await session.get(url)
    assert response.from_cache
    assert await response.read() == b"a"
    with pytest.raises(aiohttp.ClientConnectionError):
        await strict.get(url)


async def test_a_session_that_exists_is_wrapped(origin: Origin) -> None:
    """Its connector, cookies and headers go along, and are still its own."""
    url = origin.on("/wrapped", lambda seen: fresh((seen.get("X-Mine") or "").encode()))
    async with aiohttp.ClientSession(headers={"X-Mine": "yes"}) as plain:
        async with AsyncCachedSession.wrap(plain, cache=MemoryStore()) as session:
            for cached in (False, True):
                async with session.get(url) as response:
                    assert (response.from_cache, await response.text()) == (cached, "yes")
            assert session.cookie_jar is plain.cookie_jar
            assert session.connector is plain.connector
        async with plain.get(url) as response:
            assert response.status == 200
    with pytest.raises(SettingError, match=r"aiohttp\.ClientSession"):
        AsyncCachedSession.wrap(object())  # type: ignore[arg-type]
