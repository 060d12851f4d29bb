"""RedisStore: the contract on a real server and a real cluster, blocking, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster

from sansio_cache_adapters.stores.protocol import (
    DEFAULT_MAX_BYTES,
    KEEP_REPLACED,
    LEASE_SECONDS,
    MARK_SECONDS,
    AsyncStore,
)
from sansio_cache_adapters.stores.redis import maintenance as redis_care
from sansio_cache_adapters.stores.redis.store import RedisStore
from sansio_cache_adapters.testing import AsyncStoreContract, StoreContract, make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen

DAY = 86_400.0


def prefix_of(tmp_path: Path) -> str:
    return hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]


class TestRedisStore(StoreContract):
    own_clock = True

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: Any) -> None:
        self.url = shared_redis.url

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> RedisStore:
        return RedisStore(
            self.url, prefix=prefix_of(tmp_path), max_bytes=max_bytes, max_entries=max_entries, timeout=20.0
        )


class TestAsyncRedisStore(AsyncStoreContract):
    own_clock = True

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: Any) -> None:
        self.url = shared_redis.url

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        store = RedisStore(
            self.url, prefix=prefix_of(tmp_path), max_bytes=max_bytes, max_entries=max_entries, timeout=20.0
        )
        return store.for_async()


class TestRedisCluster(StoreContract):
    own_clock = True

    @pytest.fixture(autouse=True)
    def server(self, redis_cluster: Any) -> Iterator[None]:
        with redis.cluster.RedisCluster(host="127.0.0.1", port=redis_cluster[0].port) as client:
            self.client = client
            yield

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> RedisStore:
        return RedisStore(
            self.client, prefix=prefix_of(tmp_path), max_bytes=max_bytes, max_entries=max_entries, timeout=20.0
        )


class TestAsyncRedisCluster(AsyncStoreContract):
    own_clock = True

    @pytest.fixture(autouse=True)
    def server(self, redis_cluster: Any) -> None:
        self.client = redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=redis_cluster[0].port)

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        store = RedisStore(
            self.client, prefix=prefix_of(tmp_path), max_bytes=max_bytes, max_entries=max_entries, timeout=20.0
        )
        return store.for_async()


# By the server's clock


@pytest.fixture
def store(redis_server: Any) -> Iterator[RedisStore]:
    made = RedisStore(redis_server.url)
    made.open(signed=False)
    yield made
    made.close()


def lifetimes(server: Any) -> dict[str, float]:
    """Seconds that the server will keep each key; infinite for ever."""
    with server.client() as client:
        found = {key.decode(): client.pttl(key) for key in client.scan_iter("sansio-cache:*")}
    return {key: inf if left < 0 else round(left / 1000) for key, left in found.items()}


def ends_with(keys: dict[str, float], end: str) -> list[float]:
    return [seconds for key, seconds in keys.items() if key.endswith(end)]


@pytest.mark.parametrize("skew", [0.0, -DAY, DAY], ids=["one clock", "ours is behind", "ours is ahead"])
def test_all_keys_expire_by_themselves(store: RedisStore, redis_server: Any, skew: float) -> None:
    """In the time that their record has, whatever our clock says; a body, and what leads to it, a minute later."""
    now = time.time() + skew
    put(store, stream(store, make_item("one", b"x" * 70_000, now=now, lifetime=300)), now=now)
    keys = lifetimes(redis_server)
    assert ends_with(keys, ":heads") == ends_with(keys, ":used") == [pytest.approx(300, abs=5)]
    assert ends_with(keys, ":parts") == [pytest.approx(360, abs=5)]
    assert [seconds for key, seconds in keys.items() if ":b:" in key] == [pytest.approx(360, abs=5)]
    assert inf not in keys.values()


def test_an_endless_record_stays(store: RedisStore, redis_server: Any) -> None:
    """Also if one that ends joins it in its partition."""
    now = time.time()
    endless = make_item("one", now=now, lifetime=inf)
    put(store, endless, now=now)
    other = put(store, make_item("one", variant="other", now=now, lifetime=10), now=now)
    keys = lifetimes(redis_server)
    assert ends_with(keys, ":heads") == ends_with(keys, ":parts") == [inf]
    assert store.change([seen("one", other.rev, "other")], make_item("one", variant="other", now=now, lifetime=500))
    assert ends_with(lifetimes(redis_server), ":heads") == [inf]


def test_freshening_lengthens_the_life_of_all_that_belongs_to_a_record(store: RedisStore, redis_server: Any) -> None:
    """The body must not go before its head."""
    now = time.time()
    body = b"x" * 70_000
    old = put(store, stream(store, make_item("one", body, now=now, lifetime=50)), now=now)
    assert store.change([seen("one", old.rev)], make_item("one", body, now=now + 10, lifetime=500))
    keys = lifetimes(redis_server)
    assert ends_with(keys, ":heads") == [pytest.approx(500, abs=5)]
    assert [seconds for key, seconds in keys.items() if ":b:" in key] == [pytest.approx(560, abs=5)]
    assert store.sweep(now=now + 60) == 0
    assert store.sweep(now=now + 600) == 1
    assert list(store.load(name("one"))) == []


def test_leases_marks_and_pending_bodies_are_bounded(store: RedisStore, redis_server: Any) -> None:
    """A dead leader's lease, a dead writer's chunks and a drop's mark end by the server's clock."""
    now = time.time()
    store.claim(name("one"), name("resource"), b"token", now=now, until=now + 10_000)
    stream(store, make_item("two", b"x" * 70_000, now=now))
    keys = lifetimes(redis_server)
    assert ends_with(keys, ":lease") == [pytest.approx(LEASE_SECONDS, abs=5)]
    assert [seconds for key, seconds in keys.items() if ":b:" in key] == [pytest.approx(LEASE_SECONDS, abs=5)]
    store.release(name("one"), b"token", open_until=now + 40)
    assert store.flush(5.0)
    assert ends_with(lifetimes(redis_server), ":open") == [pytest.approx(40, abs=5)]
    store.drop(name("resource"), now=now)
    assert ends_with(lifetimes(redis_server), ":mark") == [pytest.approx(MARK_SECONDS, abs=5)] * 2


@pytest.mark.parametrize("how", ["replaced", "dropped", "evicted"])
def test_a_body_let_go_ends_in_a_minute(redis_server: Any, how: str) -> None:
    """KEEP_REPLACED, and not when its record would have ended."""
    now = time.time()
    store = RedisStore(redis_server.url, max_bytes=1_000_000)
    store.open(signed=False)
    old = put(store, stream(store, make_item("one", b"x" * 70_000, now=now)), now=now)
    if how == "replaced":
        put(store, make_item("one", now=now), now=now)
    elif how == "dropped":
        store.drop(name("resource"), now=now)
    else:
        put(store, stream(store, make_item("two", b"x" * 950_000, now=now)), now=now + 1)
        assert list(store.load(name("one"))) == []
    keys = lifetimes(redis_server)
    assert keys[f"sansio-cache:b:{{{old.entry.hex()}}}"] == pytest.approx(KEEP_REPLACED, abs=5)
    store.close()


def test_replaced_bodies_are_bounded(redis_server: Any) -> None:
    """They take a quarter of the bound at most, however fast they are replaced."""
    now = time.time()
    store = RedisStore(redis_server.url, max_bytes=1_000_000)
    store.open(signed=False)
    for index in range(20):
        put(store, stream(store, make_item("one", bytes([index]) * 100_000, now=now)), now=now)
    assert len([key for key in lifetimes(redis_server) if ":b:" in key]) <= 4
    store.close()


def test_the_bound_on_replaced_bodies_is_for_a_minute(redis_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was let go longer ago no longer counts."""
    monkeypatch.setattr(redis_care, "KEEP_REPLACED", -1.0)
    now = time.time()
    store = RedisStore(redis_server.url, max_bytes=1_000_000)
    store.open(signed=False)
    for index in range(6):
        put(store, stream(store, make_item("one", bytes([index]) * 100_000, now=now)), now=now)
    assert len([key for key in lifetimes(redis_server) if ":b:" in key]) == 6
    store.close()


def test_many_records_are_listed_in_batches(store: RedisStore) -> None:
    """Each once."""
    now = time.time()
    for index in range(300):
        put(store, make_item(f"{index}", now=now), now=now)
    listed = [each.partition for each in store.listed(batch=20)]
    assert sorted(listed) == sorted(name(f"{index}") for index in range(300))

    async def from_a_task() -> list[bytes]:
        tasks = store.for_async()
        found = [each.partition async for each in tasks.listed(batch=20)]
        await tasks.close()
        return found

    assert sorted(asyncio.run(from_a_task())) == sorted(listed)


def test_processes_sweep_in_turn(store: RedisStore, redis_server: Any) -> None:
    """Who has swept says so for a minute; more than a batch is gone on with."""
    now = time.time()
    for index in range(5):
        put(store, make_item(f"{index}", now=now, lifetime=100), now=now)
    verbs, run = store.verbs, store._runner.run
    assert run(verbs.sweep_in_turn(now=now + 101, limit=3))
    assert not run(verbs.sweep_in_turn(now=now + 101, limit=3))
    assert store.size().entries == 0
    put(store, make_item("late", now=now, lifetime=100), now=now)
    assert not run(verbs.sweep_in_turn(now=now + 101, limit=3))
    assert store.size().entries == 1
    with redis_server.client() as client:
        client.delete("{sansio-cache}:swept")
    assert not run(verbs.sweep_in_turn(now=now + 101, limit=3))
    assert store.size().entries == 0


def test_what_the_dead_left_in_the_index_is_forgotten(store: RedisStore, redis_server: Any) -> None:
    """A record that is counted but not there, and its body, go with the sweeps; not while it may be on its way."""
    now = time.time()
    for index in range(3):
        put(store, stream(store, make_item(f"{index}", b"x" * 70_000, now=now)), now=now)
    with redis_server.client() as client:
        client.delete(
            *(f"sansio-cache:p:{{{name(f'{index}').hex()}}}:{key}" for index in (0, 1) for key in ("heads", "used"))
        )
    assert store.sweep(now=now + 30) == 0
    assert store.sweep(now=now + 100) == 2
    assert store.size().entries == 1
    assert len(store.load(name("2"))) == 1
    keys = lifetimes(redis_server)
    assert sorted(seconds < 70 for key, seconds in keys.items() if ":b:" in key) == [False, True, True]
