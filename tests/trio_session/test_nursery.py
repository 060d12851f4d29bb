"""A nursery full of requests: over every store, each cold URL is fetched once for all who ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from local_origin import Reply, Seen, fresh
from redis_servers import RedisServer, shared_redis
from watched_origin import WatchedOrigin

from sansio_cache import FileStore, RedisStore, SQLiteStore, TrioCachedSession

__all__ = ["shared_redis"]

REQUESTS, AT_ONCE, URLS = 1000, 100, 20

Open = Callable[[], Any]


@pytest.fixture(params=["sqlite", "files", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens an empty store."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("shared_redis")
        return lambda: RedisStore(server.url, prefix=tmp_path.name, timeout=30)
    if request.param == "sqlite":
        return lambda: SQLiteStore(tmp_path / "cache", busy_timeout=30)
    return lambda: FileStore(tmp_path / "cache")


@pytest.mark.anyio
async def test_a_thousand_requests_on_twenty_urls_make_twenty_fetches(
    origin: WatchedOrigin, open_store: Open, key: str
) -> None:
    """100 at once. The origin gives no answer before 20 requests have come, so that all others have to wait."""
    all_asked = threading.Barrier(URLS)

    def together(seen: Seen) -> Reply:
        all_asked.wait(60)
        return fresh(seen.target.encode() * 1000)

    origin.on("/cold", together)
    limiter = anyio.CapacityLimiter(AT_ONCE)
    store = open_store()
    async with TrioCachedSession(cache=store, secret_key=key, timeout=90) as session:

        async def one(number: int) -> None:
            target = f"/cold?{number % URLS}"
            response = await session.get(origin.url(target))
            limiter.release_on_behalf_of(number)
            assert response.content == target.encode() * 1000

        async with anyio.create_task_group() as nursery:
            for number in range(REQUESTS):
                # In order: trio starts tasks in none, and the first hundred must ask for all of the URLs.
                await limiter.acquire_on_behalf_of(number)
                nursery.start_soon(one, number)
        assert session.pool.counts.active == session.pool.counts.waiting == 0
        stats = session.cache.stats
        assert (stats.misses, stats.hits, stats.stored) == (URLS, REQUESTS - URLS, URLS)
        assert stats.store_troubles == 0
    store.close()
    assert sorted(seen.target for seen in origin.seen) == sorted(f"/cold?{number}" for number in range(URLS))
    await anyio.to_thread.run_sync(origin.wait_for_none)
