"""Sessions of aiohttp on caches of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sansio_cache import AsyncCachedSession
from sansio_cache_adapters.cache.flights import FLIGHTS

Sessions = Callable[..., AsyncCachedSession]


@pytest.fixture
def anyio_backend() -> str:
    """aiohttp runs on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy or netrc of the machine's."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    """Where the default session keeps its responses."""
    return tmp_path / "cache.sqlite"


@pytest.fixture
async def sessions(cache_file: Path, key: str) -> AsyncIterator[Sessions]:
    """Makes sessions, signed and on one file unless the test says otherwise; closes them."""
    made: list[AsyncCachedSession] = []

    def make(base_url: Any = None, *, cache: Any = cache_file, **keywords: Any) -> AsyncCachedSession:
        keywords.setdefault("secret_key", key)
        session = AsyncCachedSession(base_url, cache=cache, **keywords)
        made.append(session)
        return session

    yield make
    for session in made:
        await session.close()


@pytest.fixture
async def session(sessions: Sessions) -> AsyncCachedSession:
    """A signed session."""
    return sessions()


@pytest.fixture
def no_flight_is_left() -> Callable[[], None]:
    """Fails where a leader is still waited for."""

    def check() -> None:
        assert FLIGHTS.count() == 0

    return check


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for what happens in another thread, or a moment later."""

    async def wait(happens: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not happens():
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def gathered(eventually: Callable[[Callable[[], bool]], Awaitable[None]]) -> Callable[[int], Awaitable[None]]:
    """Waits until so many wait for flights of others."""

    def waiting() -> int:
        with FLIGHTS._lock:
            flights = list(FLIGHTS._flights.values())
        return sum(len((each.done if each.head.done() else each.head)._done_callbacks) for each in flights)

    async def wait(count: int) -> None:
        await eventually(lambda: waiting() >= count)

    return wait
