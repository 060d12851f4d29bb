"""A session's own task group: what runs in it, what leaves it, and what is left when it ends."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from clock import Clock
from local_origin import Reply, Seen, fresh
from watched_origin import WatchedOrigin, tagged

from sansio_cache import KeyRequired, MemoryStore, NotCached, SQLiteStore, TrioCachedSession
from sansio_cache_adapters.cache.engine import CLOSE_SECONDS
from sansio_cache_adapters.trio.http.errors import ConnectError, SessionClosed

pytestmark = pytest.mark.anyio


class Held:
    """An answer that is stale at once, and waits before it confirms itself until it is let go."""

    def __init__(self, *later: Reply) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()
        self._later = list(later)

    def __call__(self, seen: Seen) -> Reply:
        if seen.get("if-none-match") is not None:
            self.asked.set()
            self.let_go.wait(20)
            if self._later:
                return self._later.pop(0)
        return tagged(b"body")(seen)


CUT = Reply(b"cut", fields={"Cache-Control": "max-age=60", "Content-Length": "9"}, framing="close")


def stale_session(clock: Clock, **settings: Any) -> TrioCachedSession:
    return TrioCachedSession(cache=MemoryStore(), stale_while_revalidate=3600, clock=clock, **settings)


async def grown_stale(session: TrioCachedSession, url: str, clock: Clock) -> None:
    assert (await session.get(url)).content == b"body"
    clock.advance(10)


async def test_of_many_only_one_validates(origin: WatchedOrigin, clock: Clock) -> None:
    """While it is under way, all others get the stale answer and ask nothing."""
    held = Held()
    url = origin.on("/a", held)
    async with stale_session(clock) as session:
        await grown_stale(session, url, clock)
        async with anyio.create_task_group() as nursery:
            for _ in range(20):
                nursery.start_soon(session.get, url)
        await anyio.to_thread.run_sync(held.asked.wait, 10)
        assert (await session.get(url)).from_cache
        held.let_go.set()
    assert origin.count() == 2
    assert session.cache.stats.stale == 21


async def test_a_validation_that_fails_keeps_the_entry(origin: WatchedOrigin, clock: Clock) -> None:
    """The error is counted and told, raised nowhere, and the next asker tries again (G27)."""
    held = Held(Reply(b"broken", status=500), CUT)
    held.let_go.set()
    told: list[str] = []
    url = origin.on("/a", held)
    async with stale_session(clock, on_event=lambda event: told.append(event.kind)) as session:
        await grown_stale(session, url, clock)
        for count in (2, 3, 4):
            response = await session.get(url)
            assert (response.content, response.from_cache) == (b"body", True)
            with anyio.fail_after(30):
                while origin.count() < count or session._jobs:  # pyright: ignore[reportPrivateUsage]
                    await anyio.sleep(0.001)
        origin.close()
        with anyio.fail_after(30):
            while "background-error" not in told:
                assert (await session.get(url)).content == b"body"
                await anyio.sleep(0.001)
    assert session.pool.counts.active == 0


async def test_the_end_waits_for_validation(origin: WatchedOrigin, clock: Clock) -> None:
    """What is under way is stored before the block ends."""
    held = Held()
    url = origin.on("/a", held)
    store = MemoryStore()
    async with TrioCachedSession(cache=store, stale_while_revalidate=3600, clock=clock) as session:
        await grown_stale(session, url, clock)
        await session.get(url)
        await anyio.to_thread.run_sync(held.asked.wait, 10)
        threading.Timer(0.1, held.let_go.set).start()
    assert held.let_go.is_set()
    assert session.cache.stats.validated == 1


async def test_the_end_waits_no_longer_than_it_says(
    origin: WatchedOrigin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A validation that hangs is ended, and its connection with it."""
    assert CLOSE_SECONDS == 5.0
    monkeypatch.setattr("sansio_cache_adapters.trio.handling.Handler.close_seconds", 0.2)
    held = Held()
    url = origin.on("/a", held)
    with anyio.fail_after(4):
        async with stale_session(clock) as session:
            await grown_stale(session, url, clock)
            await session.get(url)
            await anyio.to_thread.run_sync(held.asked.wait, 10)
    assert session.pool.counts == (0, 0, 0)
    held.let_go.set()
    await anyio.to_thread.run_sync(origin.wait_for_none)


@pytest.mark.parametrize("kind", ["raised", "cancelled"])
async def test_leaving_in_a_hurry_leaves_nothing(origin: WatchedOrigin, clock: Clock, kind: str) -> None:
    """An error comes out as it is, and at once; neither it nor a cancellation leaves a task or a connection."""
    held = Held()
    url, other = origin.on("/a", held), origin.on("/b", fresh(b"b"))
    leaving = pytest.raises(ZeroDivisionError) if kind == "raised" else nullcontext()
    with anyio.fail_after(4), anyio.CancelScope() as scope, leaving:
        async with stale_session(clock) as session:
            await grown_stale(session, url, clock)
            await session.get(url)
            await session.get(other)
            await anyio.to_thread.run_sync(held.asked.wait, 10)
            if kind == "raised":
                raise ZeroDivisionError
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught is (kind == "cancelled")
    assert session.pool.counts == (0, 0, 0)
    assert not session._jobs  # pyright: ignore[reportPrivateUsage]
    held.let_go.set()
    await anyio.to_thread.run_sync(origin.wait_for_none)


async def test_errors_of_requests_come_out_as_they_are(origin: WatchedOrigin) -> None:
    """Of the network, and of the cache."""
    origin.close()
    with pytest.raises(ConnectError):
        async with TrioCachedSession(cache=MemoryStore()) as session:
            await session.get(origin.url("/a"))
    with pytest.raises(NotCached):
        async with TrioCachedSession(cache=MemoryStore(), offline=True) as session:
            await session.get(origin.url("/a"))


async def test_before_and_after_its_block(origin: WatchedOrigin) -> None:
    """A session that is used there says so, also where a stored answer would do."""
    url = origin.on("/a", fresh(b"body"))
    session = TrioCachedSession(cache=MemoryStore())
    with pytest.raises(SessionClosed, match="async with"):
        await session.get(url)
    with pytest.raises(SessionClosed, match="async with"):
        async with session.stream("GET", url):
            pass
    async with session:
        await session.get(url)
        assert (await session.get(url)).from_cache
        with pytest.raises(SessionClosed, match="make another"):
            await session.__aenter__()
        assert (await session.get(url)).from_cache
    with pytest.raises(SessionClosed):
        await session.get(url)
    with pytest.raises(SessionClosed, match="make another"):
        async with session:
            raise AssertionError
    await session.aclose()


async def test_a_signed_store_without_its_secret(tmp_path: Path) -> None:
    """Is an error on entering (G6)."""
    path = tmp_path / "c.sqlite"
    async with TrioCachedSession(cache=path, secret_key="a secret of at least sixteen bytes"):
        pass
    with pytest.raises(KeyRequired):
        async with TrioCachedSession(cache=SQLiteStore(path)):
            raise AssertionError


async def test_two_sessions_share_a_store_object(origin: WatchedOrigin, tmp_path: Path) -> None:
    """One that ends leaves it open to the other."""
    url = origin.on("/a", fresh(b"body"))
    store = SQLiteStore(tmp_path / "c.sqlite")
    async with TrioCachedSession(cache=store) as one:
        async with TrioCachedSession(cache=store) as two:
            await two.get(url)
        assert (await one.get(url)).from_cache
        assert one.cache.store is store
    store.close()
