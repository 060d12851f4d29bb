"""RedisStore: the contract on a real server and a real cluster, blocking, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
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
from patience import SOON

from sansio_cache.errors import CacheWarning, SettingError
from sansio_cache_adapters.stores.protocol import (
    DEFAULT_MAX_BYTES,
    KEEP_REPLACED,
    LEASE_SECONDS,
    MARK_SECONDS,
    AsyncStore,
)
from sansio_cache_adapters.stores.redis.store import RedisStore
from sansio_cache_adapters.testing import AsyncStoreContract, StoreContract, make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen

DAY = 86_400.0


def made(given: Any, tmp_path: Path, max_bytes: int) -> RedisStore:
    """A store with a prefix that belongs to ``tmp_path``."""
    prefix = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]
    if max_bytes == DEFAULT_MAX_BYTES:
        return RedisStore(given, prefix=prefix, timeout=20.0)
    with pytest.warns(CacheWarning, match="maxmemory"):
        return RedisStore(given, prefix=prefix, max_bytes=max_bytes, timeout=20.0)


class TestRedisStore(StoreContract):
    own_clock = True
    bounded = False

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: Any) -> None:
        self.url = shared_redis.url

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> RedisStore:
        return made(self.url, tmp_path, max_bytes)


class TestAsyncRedisStore(AsyncStoreContract):
    own_clock = True
    bounded = False

    @pytest.fixture(autouse=True)
    def server(self, shared_redis: Any) -> None:
        self.url = shared_redis.url

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        return made(self.url, tmp_path, max_bytes).for_async()


@pytest.mark.once
class TestRedisCluster(StoreContract):
    own_clock = True
    bounded = False

    @pytest.fixture(autouse=True)
    def server(self, redis_cluster: Any) -> Iterator[None]:
        with redis.cluster.RedisCluster(host="127.0.0.1", port=redis_cluster[0].port) as client:
            self.client = client
            yield

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> RedisStore:
        return made(self.client, tmp_path, max_bytes)


@pytest.mark.once
class TestAsyncRedisCluster(AsyncStoreContract):
    own_clock = True
    bounded = False

    @pytest.fixture(autouse=True)
    def server(self, redis_cluster: Any) -> None:
        self.client = redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=redis_cluster[0].port)

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        return made(self.client, tmp_path, max_bytes).for_async()


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
    assert ends_with(keys, ":parts") == [pytest.approx(560, abs=5)]


def test_leases_marks_and_pending_bodies_are_bounded(store: RedisStore, redis_server: Any) -> None:
    """A dead leader's lease, a dead writer's chunks and a drop's mark end by the server's clock."""
    now = time.time()
    store.claim(name("one"), name("resource"), b"token", now=now, until=now + 10_000)
    stream(store, make_item("two", b"x" * 70_000, now=now))
    keys = lifetimes(redis_server)
    assert ends_with(keys, ":lease") == [pytest.approx(LEASE_SECONDS, abs=5)]
    assert [seconds for key, seconds in keys.items() if ":b:" in key] == [pytest.approx(LEASE_SECONDS, abs=5)]
    store.release(name("one"), b"token", open_until=now + 40)
    assert store.flush(30)
    assert ends_with(lifetimes(redis_server), ":lease") == [pytest.approx(40, abs=5)]
    store.drop(name("resource"), now=now)
    assert ends_with(lifetimes(redis_server), ":mark") == [pytest.approx(MARK_SECONDS, abs=5)] * 2


@pytest.mark.parametrize("how", ["replaced", "dropped", "removed", "one variant too many"])
def test_a_body_let_go_ends_in_a_minute(store: RedisStore, redis_server: Any, how: str) -> None:
    """KEEP_REPLACED, and not when its record would have ended."""
    now = time.time()
    old = put(store, stream(store, make_item("one", b"x" * 70_000, now=now)), now=now)
    if how == "replaced":
        put(store, make_item("one", now=now), now=now)
    elif how == "dropped":
        store.drop(name("resource"), now=now)
    elif how == "removed":
        assert store.change([seen("one", old.rev)], None) == 1
    else:
        put(store, make_item("one", variant="other", now=now), now=now, vary_limit=1)
    keys = lifetimes(redis_server)
    assert keys[f"sansio-cache:b:{{{old.entry.hex()}}}"] == pytest.approx(KEEP_REPLACED, abs=5)


# In all


def test_all_keys_but_the_meta_record_expire(store: RedisStore, redis_server: Any) -> None:
    """G28: whatever is done, nothing that is of no use any more stays, and nothing counts what there is."""
    now = time.time()
    for index in range(3):
        put(store, stream(store, make_item(f"{index}", b"x" * 70_000, now=now)), now=now)
        store.touch(name(f"{index}"), store.load(name(f"{index}"))[0].entry, now=now)
        store.claim(name(f"{index}"), name("resource"), b"t" * 16, now=now, until=now + 9)
    store.release(name("1"), b"t" * 16, open_until=now + 9)
    store.drop(name("other"), now=now)
    stream(store, make_item("never committed", b"x" * 70_000, now=now))
    assert store.flush(30)
    store.sweep(now=now)
    keys = lifetimes(redis_server)
    assert {key.rpartition(":")[2] for key in keys} >= {"heads", "used", "parts", "lease", "mark"}
    assert max(keys.values()) < 3700
    with redis_server.client() as client:
        assert [key for key in client.scan_iter() if client.ttl(key) < 0] == [b"{sansio-cache}:meta"]


def test_many_resources_are_dropped_in_bounded_room(store: RedisStore, redis_server: Any) -> None:
    """G28: a mark each, of ten minutes, and nothing else."""
    now = time.time()
    for index in range(100):
        store.drop(name(f"resource {index}"), now=now + index / 1000)
    keys = lifetimes(redis_server)
    assert len(keys) == 100
    assert max(keys.values()) <= MARK_SECONDS


def test_bounds_are_the_servers(redis_server: Any) -> None:
    """Who gives one hears that, and what to set: it is neither kept nor forgotten without a word."""
    with pytest.warns(CacheWarning, match=r"max_bytes=5000 bounds one response.*maxmemory-policy"):
        store = RedisStore(redis_server.url, max_bytes=5000)
    store.open(signed=False)
    now = time.time()
    assert not store.commit(make_item("large", b"x" * 6000, now=now), vary_limit=32, now=now)
    for index in range(5):
        put(store, make_item(f"{index}", b"x" * 3000, now=now), now=now)
    assert store.size().entries == 5
    store.close()
    with pytest.raises(SettingError, match="maxmemory-policy"):
        RedisStore(redis_server.url, max_entries=5)


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_the_server_says_what_bounds_it(make_redis: Any, policy: str) -> None:
    """Bytes and policy, as set there."""
    server = make_redis("--maxmemory", "50mb", "--maxmemory-policy", policy)
    store = RedisStore(server.url)
    assert store.bound() == (50 * 1024**2, policy)
    store.close()


def test_a_cluster_says_what_bounds_it(redis_cluster: Any) -> None:
    """A node of it does."""
    with redis.cluster.RedisCluster(host="127.0.0.1", port=redis_cluster[0].port) as client:
        store = RedisStore(client)
        assert store.bound() == (0, "noeviction")
        store.close()


def test_a_body_in_a_row_is_not_listed(store: RedisStore, redis_server: Any) -> None:
    """Listing and counting read heads, however large the bodies are."""
    now = time.time()
    for index in range(50):
        put(store, make_item(f"{index}", b"x" * 60_000, now=now), now=now)
    with redis_server.client() as client:
        before = int(client.info("stats")["total_net_output_bytes"])
        assert len(list(store.listed())) == store.size().entries == 50
        assert int(client.info("stats")["total_net_output_bytes"]) - before < 200_000


def test_counting_is_of_this_prefix(store: RedisStore, redis_server: Any) -> None:
    """Among any number of keys of others."""
    now = time.time()
    put(store, make_item("one", now=now), now=now)
    with redis_server.client() as client:
        client.mset({f"sansio-cache:others:{index}": "x" for index in range(3000)})
    other = RedisStore(redis_server.url, prefix="sansio-cache:p")
    assert (store.size().entries, other.size().entries) == (1, 0)
    assert len(list(store.listed(batch=1))) == 1
    other.clear()
    assert store.size().entries == 1
    store.clear()
    with redis_server.client() as client:
        assert client.dbsize() == 3001
    other.close()


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


@pytest.mark.parametrize("gone", ["partitions", "last uses", "body"])
def test_what_leads_to_a_record_may_be_evicted(store: RedisStore, redis_server: Any, gone: str) -> None:
    """A record that a drop would not find goes soon after it was used; one without its body is a miss."""
    now = time.time()
    old = put(store, stream(store, make_item("one", b"x" * 70_000, now=now)), now=now)
    key = {
        "partitions": f"sansio-cache:r:{{{name('resource').hex()}}}:parts",
        "last uses": f"sansio-cache:p:{{{name('one').hex()}}}:used",
        "body": f"sansio-cache:b:{{{old.entry.hex()}}}",
    }[gone]
    with redis_server.client() as client:
        assert client.delete(key) == 1
    [stored] = store.load(name("one"))
    store.touch(name("one"), stored.entry, now=now + 1)
    assert store.flush(30)
    assert len(store.load(name("one"))) == (gone != "partitions")
    put(store, stream(store, make_item("one", b"y" * 70_000, now=now)), now=now)
    assert inf not in lifetimes(redis_server).values()
    assert store.drop(name("resource"), now=now) == 1


def test_a_process_does_not_see_what_it_has_dropped(store: RedisStore, redis_server: Any) -> None:
    """Though the server has evicted what would have led the drop to it; what came later is seen."""
    now = time.time()
    put(store, make_item("one", now=now), now=now)
    put(store, make_item("one", variant="later", now=now + 2), now=now + 2)
    with redis_server.client() as client:
        client.delete(f"sansio-cache:r:{{{name('resource').hex()}}}:parts")
    assert store.drop(name("resource"), now=now + 1) == 0
    assert [each.sealed.split()[2] for each in store.load(name("one"))] == [b"later"]
    other = RedisStore(redis_server.url)
    assert len(other.load(name("one"))) == 2
    other.touch(name("one"), b"e" * 16, now=now + 3)
    assert other.flush(30)
    assert list(other.load(name("one"))) == []
    other.close()


def first(steps: Any, count: int) -> Any:
    """No more of a verb than its first steps."""
    replies = None
    for _ in range(count):
        try:
            replies = yield steps.send(replies)
        except StopIteration:
            return


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("what", ["commit", "change"])
def test_a_process_that_dies_between_two_steps(store: RedisStore, redis_server: Any, what: str, count: int) -> None:
    """G21: a record has its body, and no body without a record lasts longer than a minute."""
    now = time.time()
    old = put(store, stream(store, make_item("one", b"x" * 70_000, now=now, lifetime=100)), now=now)
    item = make_item("one", b"y" * 70_000, now=now, lifetime=inf)
    if what == "commit":
        steps: Any = store.verbs.commit(stream(store, item), vary_limit=1, now=now)
    else:
        steps = store.verbs.change([seen("one", old.rev)], item)
    store._runner.run(first(steps, count))
    [stored] = store.load(name("one"))
    assert store.chunk(stored.entry, 0) == (b"x" if stored.entry == old.entry else b"y") * 70_000
    bodies = {key: seconds for key, seconds in lifetimes(redis_server).items() if ":b:" in key}
    bodies.pop(f"sansio-cache:b:{{{stored.entry.hex()}}}")
    old_ends = bodies.pop(f"sansio-cache:b:{{{old.entry.hex()}}}", 0)
    assert old_ends <= 160
    assert max(bodies.values(), default=0) <= 60


def test_hosts_agree_on_the_servers_clock(store: RedisStore) -> None:
    """A host that is a day ahead forgets no partition that others have entered: a drop finds them all."""
    now = time.time()
    put(store, make_item("one", now=now, lifetime=300), now=now)
    put(store, make_item("two", now=now + DAY, lifetime=300), now=now + DAY)
    assert store.drop(name("resource"), now=now) == 2


ENDS = """
import sys
from sansio_cache_adapters.stores.redis.store import RedisStore
from sansio_cache_adapters.testing import name
url, now = sys.argv[1], float(sys.argv[2])
store = RedisStore(url)
for index in range(30):
    store.claim(name(f"{index}"), name("resource"), b"t" * 16, now=now, until=now + 50)
store.touch(name("one"), store.load(name("one"))[0].entry, now=now + 7)
print("ready", flush=True)
sys.stdin.readline()
for index in range(30):
    store.release(name(f"{index}"), b"t" * 16)
"""


@pytest.mark.parametrize("frozen", [False, True])
def test_a_process_that_ends_gives_its_claims_back(store: RedisStore, redis_server: Any, frozen: bool) -> None:
    """G28, G32: no other waits for a store dropped unclosed; nor does the store, where the server does not answer."""
    now = time.time()
    entry = put(store, make_item("one", now=now), now=now).entry
    given = [sys.executable, "-c", ENDS, redis_server.url, str(now)]
    with subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if frozen:
            redis_server.freeze()
        began = time.monotonic()
        process.communicate("go\n", timeout=60)
    assert time.monotonic() - began < SOON
    if frozen:
        redis_server.thaw()
        return
    keys = lifetimes(redis_server)
    assert ends_with(keys, ":lease") == []
    with redis_server.client() as client:
        assert client.zscore(f"sansio-cache:p:{{{name('one').hex()}}}:used", entry) == now + 7
