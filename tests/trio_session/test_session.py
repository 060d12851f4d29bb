"""TrioCachedSession: misses, hits, what is kept, and what a nursery may expect."""

from __future__ import annotations

import gzip
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from local_origin import Conversation, Reply, Seen, fresh, redirect
from watched_origin import WatchedOrigin, tagged

from sansio_cache import (
    BadSignature,
    CachedSession,
    MemoryStore,
    NotCached,
    SettingError,
    SQLiteStore,
    StoreError,
    TrioCachedSession,
)
from sansio_cache_adapters.trio.http.errors import ReadError, SessionClosed

pytestmark = pytest.mark.anyio
KEY = "a secret of at least sixteen bytes"


def session_on(cache: Any, **settings: Any) -> TrioCachedSession:
    return TrioCachedSession(cache=cache, secret_key=KEY, **settings)


async def test_a_miss_then_hits(origin: WatchedOrigin, tmp_path: Path) -> None:
    """The second answer comes from the store, in the same or another session, with what the cache knows of it."""
    url = origin.on("/a", fresh(b"body", etag='"one"'))
    async with session_on(tmp_path / "c.sqlite") as session:
        miss, hit = await session.get(url), await session.get(url)
    assert (miss.from_cache, hit.from_cache) == (False, True)
    assert miss.content == hit.content == b"body"
    assert hit.headers["ETag"] == '"one"'
    assert hit.headers["Age"] == "0"
    assert hit.cache_key == miss.cache_key != ""
    assert hit.created_at is not None
    assert hit.expires is not None
    assert not hit.is_expired
    assert hit.cache_status.startswith("sansio-cache;hit;ttl=")
    assert miss.cache_status == "sansio-cache;fwd=uri-miss;fwd-status=200;stored"
    async with session_on(tmp_path / "c.sqlite") as session:
        assert (await session.get(url)).from_cache
    assert origin.count() == 1


async def test_a_stale_response_is_validated(origin: WatchedOrigin) -> None:
    """A 304 confirms it; its cookies reach the user and are not stored."""
    url = origin.on("/a", tagged(b"body", set_cookie="a=b"))
    async with session_on(MemoryStore()) as session:
        await session.get(url)
        confirmed = await session.get(url)
    assert (confirmed.status, confirmed.content, confirmed.revalidated) == (200, b"body", True)
    assert confirmed.cookies == {"a": "b"}
    assert origin.last().get("if-none-match") == '"tag"'


async def test_codings_and_large_bodies(origin: WatchedOrigin, tmp_path: Path) -> None:
    """What is stored is what came; each reader decodes; bodies of many chunks stream from the store."""
    large = bytes(range(256)) * 12_000
    urls = [origin.on("/gzip", fresh(b"text " * 1000, coded=True)), origin.on("/large", fresh(large))]
    async with session_on(tmp_path / "c.sqlite") as session:
        for _ in range(2):
            responses = [await session.get(url) for url in urls]
            assert [each.content for each in responses] == [b"text " * 1000, large]
        assert [each.from_cache for each in responses] == [True, True]
        async with session.stream("GET", urls[1]) as response:
            pieces = [len(piece) async for piece in response.iter_bytes()]
        assert response.from_cache
        assert (sum(pieces), len(pieces)) == (len(large), 3)
        async with session.stream("GET", urls[0]) as response:
            assert gzip.decompress(b"".join([piece async for piece in response.iter_raw()])) == b"text " * 1000


async def test_redirects_hop_by_hop(origin: WatchedOrigin) -> None:
    """Each hop is stored by itself, and says so in the history (G16)."""
    origin.on("/new", fresh(b"here"))
    url = origin.on("/old", redirect("/new"))
    async with session_on(MemoryStore()) as session:
        for expected in (False, True):
            response = await session.get(url)
            assert response.content == b"here"
            assert [hop.from_cache for hop in response.history] == [expected]
    assert origin.count() == 2


async def test_one_request_says_otherwise(origin: WatchedOrigin) -> None:
    """The cache's keywords work for single requests and are never sent."""
    url = origin.on("/a", fresh(b"body", etag='"tag"'))
    async with session_on(MemoryStore()) as session:
        assert (await session.get(url, only_if_cached=True)).status == 504
        await session.get(url, tags=["one"])
        assert not (await session.get(url, force_refresh=True)).from_cache
        assert not (await session.get(url, refresh=True)).from_cache
        assert (await session.get(url, expire_after=60)).from_cache
        assert await session.cache.contains(url)
        with session.disabled():
            assert not hasattr(await session.get(url), "nothing")
            assert origin.count() == 4
        with pytest.raises(SettingError, match="HTTP-date"):
            await session.get(url, expire_after="soon")
    assert all("expire" not in name.lower() for seen in origin.seen for name, _ in seen.fields)


async def test_settings_are_checked() -> None:
    """A wrong setting is an error that says what it takes; an unknown one is refused."""
    for settings, error in (
        ({"vary_limit": 0}, SettingError),
        ({"cache": 7}, SettingError),
        ({"secret_key": ""}, SettingError),
        ({"nonsense": 1}, TypeError),
    ):
        with pytest.raises(error):
            TrioCachedSession(**{"cache": MemoryStore(), **settings})  # type: ignore[arg-type]
    session = TrioCachedSession(cache=MemoryStore())
    with pytest.raises(SessionClosed, match="async with"):
        await session.get("http://127.0.0.1:9/")


async def test_errors_come_out_as_they_are(origin: WatchedOrigin) -> None:
    """What is raised in the block, or by a request, is no group of errors."""
    with pytest.raises(ZeroDivisionError):
        async with session_on(MemoryStore()):
            _ = 1 // 0
    async with session_on(MemoryStore(), offline=True) as session:
        with pytest.raises(NotCached):
            await session.get(origin.url("/never"))


async def test_a_tampered_record(origin: WatchedOrigin, tmp_path: Path) -> None:
    """A record signed with another key raises BadSignature; force_refresh is a way out (G5)."""
    url = origin.on("/a", fresh(b"body"))
    async with TrioCachedSession(cache=tmp_path / "c.sqlite", secret_key="another secret of that size") as session:
        await session.get(url)
    async with session_on(tmp_path / "c.sqlite") as session:
        with pytest.raises(BadSignature):
            await session.get(url)
        await session.get(url, force_refresh=True)
        assert (await session.get(url)).from_cache


async def test_a_stored_body_that_is_gone(origin: WatchedOrigin) -> None:
    """The client's own read error."""
    url = origin.on("/a", fresh(bytes(3_000_000)))
    store = MemoryStore()
    async with session_on(store) as session:
        await session.get(url)
        async with session.stream("GET", url) as response:
            store.clear()
            with pytest.raises(ReadError):
                await response.read()


class Unflushable(MemoryStore):
    """A store whose trouble begins at the end."""

    def flush(self, timeout: float) -> bool:
        raise StoreError(f"could not be written within {timeout} s")


async def test_a_store_that_cannot_be_flushed(origin: WatchedOrigin, caplog: pytest.LogCaptureFixture) -> None:
    """G20: who leaves the block hears of it in the log."""
    url = origin.on("/a", fresh(b"body"))
    async with session_on(Unflushable()) as session:
        assert (await session.get(url)).content == b"body"
    assert "could not be written" in caplog.text


def take_the_chunks(path: Path, but: int = 0) -> None:
    """Let a body lose its chunks, but for the first so many."""
    with closing(sqlite3.connect(path)) as thief:
        thief.execute("DELETE FROM chunks WHERE id % 1048576 >= ?", (but,))
        thief.commit()


@pytest.mark.parametrize("options", [{}, {"params": {"b": "c"}}], ids=["fast", "long"])
@pytest.mark.parametrize("left", [0, 1])
async def test_a_stored_body_that_is_gone_is_fetched_again(
    origin: WatchedOrigin, tmp_path: Path, options: dict[str, Any], left: int
) -> None:
    """G20: anyone who is given the body whole does not see that it was."""
    url = origin.on("/a", fresh(bytes(3_000_000)))
    async with session_on(tmp_path / "c.sqlite") as session:
        await session.get(url, **options)
        await session._cache.flush()
        take_the_chunks(tmp_path / "c.sqlite", left)
        response = await session.get(url, **options)
        assert (response.from_cache, len(response.content)) == (False, 3_000_000)
        assert origin.count() == 2
        assert (await session.get(url, **options)).from_cache


async def test_what_led_to_a_body_that_is_gone_is_not_asked_twice(origin: WatchedOrigin, tmp_path: Path) -> None:
    """Redirects may have done something."""
    url = origin.on("/a", fresh(bytes(3_000_000)))
    led = origin.on("/led", redirect("/a", 302, 0))
    async with session_on(tmp_path / "c.sqlite") as session:
        await session.get(url)
        await session._cache.flush()
        take_the_chunks(tmp_path / "c.sqlite", but=1)
        with pytest.raises(ReadError, match="gone"):
            await session.get(led)
        assert origin.count("/led") == 1
        assert (await session.get(led)).url == url


async def test_stale_while_revalidate_runs_in_the_session(origin: WatchedOrigin, clock: Clock) -> None:
    """The stale answer comes at once; one validation runs beside, ended before the session does."""
    gate = threading.Event()
    confirms = tagged(b"body")

    def validates(seen: Seen) -> Reply:
        gate.wait(30)
        return confirms(seen)

    url = origin.on("/a", confirms, validates)
    async with session_on(MemoryStore(), stale_while_revalidate=60, clock=clock) as session:
        await session.get(url)
        clock.advance(5)
        responses = [await session.get(url) for _ in range(3)]
        assert all(each.from_cache for each in responses)
        gate.set()
    assert origin.count() == 2
    assert origin.last().get("if-none-match") == '"tag"'


async def test_three_clients_share_one_file(origin: WatchedOrigin, tmp_path: Path) -> None:
    """What requests stored is a hit, and the other way round."""
    first, second = origin.on("/1", fresh(b"1", vary="Accept-Encoding")), origin.on("/2", fresh(b"2"))
    path = tmp_path / "c.sqlite"
    with CachedSession(path, secret_key=KEY) as blocking:
        blocking.get(first)
        async with session_on(path) as session:
            offered = {"Accept-Encoding": str(blocking.headers["Accept-Encoding"])}
            assert (await session.get(first, headers=offered)).from_cache
            await session.get(second)
        assert getattr(blocking.get(second), "from_cache") is True  # noqa: B009
    assert origin.count() == 2


@pytest.mark.parametrize("kind", ["folder", "text"])
async def test_a_store_that_is_none_is_passed_by(origin: WatchedOrigin, tmp_path: Path, kind: str) -> None:
    """Requests succeed, and what lies there is left alone (G20)."""
    path = tmp_path / "thesis.docx"
    path.mkdir() if kind == "folder" else path.write_text("my thesis")
    url = origin.on("/a", fresh(b"body"))
    async with TrioCachedSession(cache=SQLiteStore(path)) as session:
        for _ in range(2):
            response = await session.get(url)
            assert (response.content, response.from_cache) == (b"body", False)
            assert "store-unavailable" in response.cache_status
    assert path.is_dir() if kind == "folder" else path.read_text() == "my thesis"


async def test_unread_bodies(origin: WatchedOrigin) -> None:
    """A body left unread that has arrived is kept; one that has not is not, and its connection is not reused."""
    held = threading.Event()

    def partly(_: Seen, conversation: Conversation) -> None:
        conversation.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 9\r\n\r\nbegun")
        held.wait(30)

    small, slow = origin.on("/small", fresh(b"small")), origin.script("/slow", partly)
    async with session_on(MemoryStore()) as session:
        async with session.stream("GET", small):
            pass
        assert (await session.get(small)).from_cache
        async with session.stream("GET", slow):
            pass
        assert not await session.cache.contains(slow)
        held.set()
