"""RedisStore when the server is frozen, gone, full, a replica, locked, flushed, or holds what is not ours.

Each trouble is a StoreError within about a second, and once it has healed the store works again (G20).
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
import redis.asyncio
import redis.cluster

from sansio_cache.errors import CacheWarning, ForeignStore, StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.protocol import Lease, Seen, new_entry
from sansio_cache_adapters.stores.redis import runners as redis_runners
from sansio_cache_adapters.stores.redis import verbs as redis_verbs
from sansio_cache_adapters.stores.redis.store import RedisStore
from sansio_cache_adapters.testing import make_item, name, put, stream

pytestmark = pytest.mark.once

T = TypeVar("T")
LARGE = 20_000_000

BOUND = 12.0
"""Seconds: about one, and room for a machine that is busy; a frozen server never answers."""


@pytest.fixture
def now() -> float:
    return time.time()


def fails_in_time(call: Callable[[], object], match: str = ".") -> None:
    began = time.monotonic()
    with pytest.raises(StoreError, match=match):
        call()
    assert time.monotonic() - began < BOUND


def fails_in_every_way(store: RedisStore, now: float) -> None:
    """Reading, writing and claiming, and the same from a task."""
    tasks = store.for_async()
    item = make_item("two", now=now)
    fails_in_time(lambda: store.load(name("one")))
    fails_in_time(lambda: store.commit(item, vary_limit=32, now=now))
    fails_in_time(lambda: store.claim(name("one"), name("resource"), b"token", now=now, until=now + 9))
    fails_in_time(lambda: store.open(signed=False))

    async def in_a_task() -> None:
        try:
            await tasks.load(name("one"))
        finally:
            await tasks.close()

    fails_in_time(lambda: asyncio.run(in_a_task()))


def in_the_end(call: Callable[[], T]) -> T:
    """What a call gives: on a busy machine not always within the second that a store waits."""
    end = time.monotonic() + 30
    while True:
        try:
            return call()
        except StoreError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def works(store: RedisStore) -> None:
    in_the_end(lambda: _works(store))


def _works(store: RedisStore) -> None:
    store.open(signed=False)
    now = time.time()
    put(store, make_item("works", b"body", resource="works", now=now), now=now)
    big = put(store, stream(store, make_item("large", b"x" * 70_000, resource="works", now=now)), now=now)
    assert store.chunk(big.entry, 0) == b"x" * 70_000
    assert store.claim(name("works"), name("works"), b"token", now=now, until=now + 9) is Lease.GRANTED
    assert store.drop(name("works"), now=now) == 2


@pytest.fixture
def store(redis_server: Any, now: float) -> Iterator[RedisStore]:
    made = RedisStore(redis_server.url)
    in_the_end(lambda: made.open(signed=False))
    in_the_end(lambda: put(made, make_item("one", now=now), now=now))
    yield made
    made.close()


@pytest.fixture
def patient(redis_server: Any, now: float) -> Iterator[RedisStore]:
    """A store that waits for a server which has much to do, on a machine that is busy."""
    made = RedisStore(redis_server.url, timeout=30.0)
    made.open(signed=False)
    put(made, make_item("one", now=now), now=now)
    yield made
    made.close()


def test_a_frozen_server(store: RedisStore, redis_server: Any, now: float) -> None:
    """Its sockets are open and nothing comes: neither a connection in use nor a new one hangs."""
    unused = RedisStore(redis_server.tcp_url)
    redis_server.freeze()
    fails_in_every_way(store, now)
    fails_in_every_way(unused, now)
    redis_server.thaw()
    assert len(in_the_end(lambda: store.load(name("one")))) == 1
    works(store)
    works(unused)
    unused.close()


@pytest.mark.parametrize("colour", ["blocking", "asyncio"])
def test_a_frozen_server_of_a_client_without_limits(redis_server: Any, now: float, colour: str) -> None:
    """A client handed in that would wait for ever, and decode what it reads, does neither here."""
    module = redis if colour == "blocking" else redis.asyncio
    client = module.Redis(
        host="127.0.0.1",
        port=redis_server.port,
        decode_responses=True,
        socket_timeout=None,
        socket_connect_timeout=None,
    )
    store = RedisStore(client)
    works(store)
    redis_server.freeze()
    fails_in_every_way(store, now)
    redis_server.thaw()
    works(store)
    store.close()


def test_more_threads_than_connections(redis_server: Any, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds no connection free in time is told so."""
    monkeypatch.setattr(redis_runners, "_MOST_AT_ONCE", 1)
    store = RedisStore(redis_server.url, timeout=0.4)
    works(store)
    redis_server.freeze()
    first = threading.Thread(target=lambda: fails_in_time(lambda: [store.load(name("one")) for _ in range(9)]))
    first.start()
    for _ in range(3):
        fails_in_time(lambda: store.load(name("one")))
    first.join()
    redis_server.thaw()
    works(store)
    store.close()


def test_a_pending_body_that_is_gone(store: RedisStore, redis_server: Any, now: float) -> None:
    """Its next chunk is refused, and it is not committed; one larger than the store is refused, too."""
    entry = new_entry()
    store.write(entry, 0, b"x" * CHUNK_SIZE)
    with redis_server.client() as client:
        client.delete(f"sansio-cache:b:{{{entry.hex()}}}")
    fails_in_time(lambda: store.write(entry, 1, b"x"), "given up")
    item = stream(store, make_item("two", b"x" * 70_000, now=now))
    with redis_server.client() as client:
        client.delete(f"sansio-cache:b:{{{item.entry.hex()}}}")
    assert not store.commit(item, vary_limit=32, now=now)
    with pytest.warns(CacheWarning):
        small = RedisStore(redis_server.url, max_bytes=CHUNK_SIZE)
    fails_in_time(lambda: small.write(new_entry(), 1, b"x"), "larger than a record")
    small.close()


def test_a_server_killed_and_started_again(store: RedisStore, redis_server: Any, now: float) -> None:
    """It comes back empty, without our scripts; the connections in the pool are dead."""
    redis_server.stop()
    fails_in_every_way(store, now)
    redis_server.start()
    assert list(in_the_end(lambda: store.load(name("one")))) == []
    works(store)


def test_a_server_that_never_was(short_path: Path, now: float) -> None:
    """Tells no listener."""
    for url in ("redis://127.0.0.1:1", f"unix://{short_path}/none"):
        store = RedisStore(url)
        fails_in_every_way(store, now)
        store.close()


def test_a_full_server(make_redis: Any, now: float) -> None:
    """``noeviction``: what is there can be read, nothing can be added, until there is room."""
    server = make_redis("--maxmemory-policy", "noeviction")
    store = RedisStore(server.url)
    works(store)
    put(store, make_item("one", now=now), now=now)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        fails_in_time(lambda: store.commit(make_item("two", now=now), vary_limit=32, now=now), "maxmemory")
        fails_in_time(lambda: stream(store, make_item("two", b"x" * 70_000, now=now)), "maxmemory")
        assert len(store.load(name("one"))) == 1
        assert store.sweep(now=now) == 0
        client.config_set("maxmemory", 0)
    works(store)
    store.close()


def test_a_server_that_evicts(make_redis: Any, now: float) -> None:
    """``allkeys-lru``: whatever the server throws away, the store goes on, bounded by the server."""
    server = make_redis("--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru")
    store = RedisStore(server.url)
    store.open(signed=False)
    for index in range(300):
        item = make_item(f"{index}", b"x" * 60_000, resource=f"{index}", now=now)
        put(store, item, now=now + index)
    assert len(store.load(name("299"))) == 1
    with server.client() as client:
        assert client.info("stats")["evicted_keys"] > 0
    works(store)
    assert 0 < store.size().entries < 300
    # To read a long answer evicts, too.
    assert len(list(store.listed())) >= store.size().entries > 0
    store.close()


def test_a_replica(make_redis: Any, store: RedisStore, redis_server: Any, now: float) -> None:
    """A replica can be read; writing to it is refused, until it is a master."""
    replica = make_redis("--replicaof", "127.0.0.1", str(redis_server.port))
    with replica.client() as client:
        end = time.monotonic() + 20
        while client.info("replication").get("master_link_status") != "up":
            assert time.monotonic() < end
            time.sleep(0.02)
        follower = RedisStore(replica.url)
        assert follower.open(signed=False) == store.open(signed=False)
        assert len(follower.load(name("one"))) == 1
        fails_in_time(lambda: follower.commit(make_item("two", now=now), vary_limit=32, now=now), "replica")
        client.replicaof("NO", "ONE")
    works(follower)
    follower.close()


def test_a_locked_server(make_redis: Any, now: float) -> None:
    """Without the password, or with a wrong one, which no message repeats; with it the store works."""
    server = make_redis("--requirepass", "sesame")
    for url in (server.url, f"redis://:wr0ng@127.0.0.1:{server.port}"):
        store = RedisStore(url)
        fails_in_every_way(store, now)
        with pytest.raises(StoreError) as caught:
            store.load(name("one"))
        assert "wr0ng" not in f"{caught.value} {store.location}"
        store.close()
    store = RedisStore(f"redis://:sesame@127.0.0.1:{server.port}")
    works(store)
    assert "sesame" not in store.location
    store.close()


def test_a_flushed_server(store: RedisStore, redis_server: Any, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there is a miss; id, salt and mark come back, so that what is written next can be read by all."""
    meta = store.open(signed=True)
    other = RedisStore(redis_server.url)
    with redis_server.client() as client:
        client.flushall()
        client.script_flush()
    assert list(store.load(name("one"))) == []
    monkeypatch.setattr(redis_verbs, "_CHECK_EVERY", 0.0)
    put(store, make_item("one", now=now), now=now)
    assert other.open(signed=False) == meta
    other.close()


def test_another_store_after_a_flush(
    store: RedisStore, redis_server: Any, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes first after a flush decides; the other notices, and takes over the new id when it opens again."""
    meta = store.open(signed=False)
    with redis_server.client() as client:
        client.flushall()
    other = RedisStore(redis_server.url)
    assert other.open(signed=False) != meta
    monkeypatch.setattr(redis_verbs, "_CHECK_EVERY", 0.0)
    fails_in_time(lambda: store.commit(make_item("one", now=now), vary_limit=32, now=now), "taken the place")
    assert store.open(signed=False) == other.open(signed=False)
    works(store)
    other.close()


KEYS = {
    "heads": "sansio-cache:p:{{{one}}}:heads",
    "used": "sansio-cache:p:{{{one}}}:used",
    "mark of a partition": "sansio-cache:p:{{{one}}}:mark",
    "lease": "sansio-cache:p:{{{one}}}:lease",
    "partitions": "sansio-cache:r:{{{resource}}}:parts",
    "mark": "sansio-cache:r:{{{resource}}}:mark",
    "body": "sansio-cache:b:{{{entry}}}",
}


def uses_all_of(store: RedisStore, now: float) -> None:
    """Every verb on one URL, whatever comes of it: no error."""
    one, resource, token = name("one"), name("resource"), b"t" * 16
    store.load(one)
    assert store.claim(one, resource, token, now=now, until=now + 9) is not Lease.HELD
    item = make_item("one", now=now)
    store.commit(item, vary_limit=32, now=now)
    for each in store.load(one):
        store.change([Seen(one, item.variant, each.rev)], item)
        store.change([Seen(one, item.variant, each.rev)], None)
        store.touch(one, each.entry, now=now)
    store.release(one, token)
    assert store.flush(30)
    store.size()
    list(store.listed())
    store.sweep(now=now)
    store.drop(resource, now=now)


@pytest.mark.parametrize("colour", ["list", "string", "hash"])
@pytest.mark.parametrize("which", KEYS)
def test_a_key_of_another_type_costs_its_own_url_a_miss(
    store: RedisStore, redis_server: Any, now: float, which: str, colour: str
) -> None:
    """G29: and other URLs nothing; the key that holds a record stays as it is."""
    entry = store.load(name("one"))[0].entry
    put(store, make_item("two", resource="two", now=now), now=now)
    key = KEYS[which].format(one=name("one").hex(), resource=name("resource").hex(), entry=entry.hex())
    with redis_server.client() as client:
        client.delete(key)
        match colour:
            case "list":
                client.rpush(key, "somebody's")
            case "string":
                client.set(key, "somebody's")
            case _:
                client.hset(key, "total", "somebody's")
        uses_all_of(store, now)
        assert len(store.load(name("two"))) == 1
        put(store, make_item("three", resource="three", now=now), now=now)
        tasks = store.for_async()
        assert len(asyncio.run(tasks.load(name("two")))) == 1
        if which == "heads" and colour != "hash":
            assert client.type(key) == colour.encode()
        client.flushall()
    store.open(signed=False)
    works(store)


@pytest.mark.parametrize("which", [*KEYS, "meta", "signed"])
def test_any_key_may_be_evicted(store: RedisStore, redis_server: Any, now: float, which: str) -> None:
    """G20: the server takes what it likes; nothing fails, and what is stored after that is found and dropped."""
    big = put(store, stream(store, make_item("big", b"x" * 70_000, now=now)), now=now)
    store.claim(name("one"), name("resource"), b"t" * 16, now=now, until=now + 9)
    store.drop(name("another"), now=now)
    known = {"one": name("one").hex(), "resource": name("resource").hex(), "entry": big.entry.hex()}
    with redis_server.client() as client:
        client.delete(KEYS[which].format(**known) if which in KEYS else f"{{sansio-cache}}:{which}")
        if which == "body":
            with pytest.raises(StoreError, match="gone"):
                store.chunk(big.entry, 0)
        uses_all_of(store, now)
        put(store, make_item("one", now=now + 1), now=now + 1)
        assert store.drop(name("resource"), now=now + 1) == 1
        assert list(store.load(name("one"))) == []
        assert [key for key in client.scan_iter() if client.ttl(key) < 0] in ([], [b"{sansio-cache}:meta"])
    works(store)


@pytest.mark.parametrize("ends", [None, 3_600_000])
@pytest.mark.parametrize("planted", [b"s" * 16, b"open"])
def test_a_lease_of_nobody_is_free(
    store: RedisStore, redis_server: Any, now: float, planted: bytes, ends: int | None
) -> None:
    """G28, G29: none of ours lasts for ever, nor beyond twice its time."""
    key = KEYS["lease"].format(one=name("one").hex())
    with redis_server.client() as client:
        client.set(key, planted, px=ends)
    assert store.claim(name("one"), name("resource"), b"t" * 16, now=now, until=now + 9) is Lease.GRANTED
    assert store.claim(name("one"), name("resource"), b"u" * 16, now=now, until=now + 9) is Lease.HELD


def test_a_value_larger_than_ours_is_not_read(patient: RedisStore, redis_server: Any, now: float) -> None:
    """G28, G29: neither beside a record, nor in its place, nor as the meta record or somebody's lease."""
    store = patient
    large = put(store, stream(store, make_item("large", b"x" * 70_000, resource="large", now=now)), now=now)
    heads = KEYS["heads"].format(one=name("one").hex())
    tracemalloc.start()
    with redis_server.client() as client:
        made = f"for i, k in ipairs(KEYS) do redis.call('HSET', k, ARGV[i], string.rep('x', {LARGE})) end"
        client.eval(made, 1, heads, "stray")
        client.eval(made, 1, KEYS["body"].format(entry=large.entry.hex()), "0")
        client.eval(
            f"redis.call('SET', KEYS[1], string.rep('x', {LARGE}), 'PX', 9000)",
            1,
            KEYS["lease"].format(one=name("one").hex()),
        )
        assert len(store.load(name("one"))) == 1
        with pytest.raises(StoreError, match="gone"):
            store.chunk(large.entry, 0)
        assert store.claim(name("one"), name("resource"), b"t" * 16, now=now, until=now + 9) is Lease.GRANTED
        client.eval(f"redis.call('SET', KEYS[1], string.rep('x', {LARGE}))", 1, "{sansio-cache}:meta")
    with pytest.raises(ForeignStore):
        RedisStore(redis_server.url, timeout=30.0).open(signed=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < LARGE // 4


@pytest.mark.parametrize(("rows", "size"), [(20_000, 1), (200, 100_000), (3, 5_000_000)])
def test_more_rows_than_there_are_of_ours(
    patient: RedisStore, redis_server: Any, now: float, rows: int, size: int
) -> None:
    """G29, G31: a server does nothing else while it gathers them."""
    store = patient
    put(store, make_item("one", now=now), now=now)
    heads = KEYS["heads"].format(one=name("one").hex())
    with redis_server.client() as client:
        made = f"for i = 1, {rows} do redis.call('HSET', KEYS[1], i, string.rep('x', {size})) end"
        client.eval(made, 1, heads)
        assert len(store.load(name("one"))) <= 1
        put(store, make_item("one", now=now), now=now)
        assert len(store.load(name("one"))) == 1
        assert client.hlen(heads) <= 32
        client.eval(made, 1, heads)
        store.drop(name("resource"), now=now + 1)
        assert client.hlen(heads) == 0


def test_a_foreign_meta_record(redis_server: Any, now: float) -> None:
    """Text in its place is somebody else's: named, and left as it is."""
    with redis_server.client() as client:
        client.set("{sansio-cache}:meta", "somebody's")
        store = RedisStore(redis_server.url)
        with pytest.raises(ForeignStore, match="sansio-cache}:meta"):
            store.open(signed=False)
        assert client.get("{sansio-cache}:meta") == b"somebody's"
        client.delete("{sansio-cache}:meta")
        client.rpush("{sansio-cache}:meta", "somebody's")
        fails_in_time(lambda: store.open(signed=False))
        client.delete("{sansio-cache}:meta")
    works(store)
    store.close()


@pytest.mark.parametrize("junk", [b"", b"x", b"junk" * 100, bytes(200)], ids=["empty", "short", "long", "zeros"])
def test_garbage_in_a_row_is_a_miss(store: RedisStore, redis_server: Any, now: float, junk: bytes) -> None:
    """G3: what is broken is not there; the next answer takes its place."""
    heads = f"sansio-cache:p:{{{name('one').hex()}}}:heads"
    with redis_server.client() as client:
        client.hset(heads, name("variant"), junk)
        client.hset(heads, name("other"), junk)
    assert store.load(name("one")) == [] or all(not each.sealed for each in store.load(name("one")))
    list(store.listed())
    put(store, make_item("one", now=now), now=now)
    put(store, make_item("one", variant="other", now=now), now=now)
    assert len(store.load(name("one"))) == 2


@pytest.fixture
def given_up() -> Iterator[None]:
    """redis-py leaves connections to nodes that it gives up to the collector, which may meet their sockets first."""
    yield
    gc.collect()


@pytest.mark.slow
@pytest.mark.usefixtures("given_up")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_node_of_a_cluster_is_frozen(make_redis: Any, join: Callable[[list[Any]], None], now: float) -> None:
    """What lies on the others may be read, the rest fails in time; later all of it is there again."""
    nodes = [make_redis("--cluster-enabled", "yes", "--cluster-node-timeout", "1000") for _ in range(3)]
    join(nodes)
    with redis.cluster.RedisCluster(host="127.0.0.1", port=nodes[0].port) as client:
        store = RedisStore(client)
    works(store)
    for index in range(12):
        item = make_item(f"{index}", resource=f"{index}", now=now)
        in_the_end(partial(put, store, item, now=now))
    for break_it, heal in ((nodes[1].freeze, nodes[1].thaw), (nodes[2].stop, nodes[2].start)):
        break_it()
        failed = 0
        for index in range(12):
            began = time.monotonic()
            try:
                store.load(name(f"{index}"))
            except StoreError:
                failed += 1
            assert time.monotonic() - began < BOUND
        assert failed
        assert _failed_in_tasks(store) > 0
        heal()
        works(store)
        assert sum(len(in_the_end(partial(store.load, name(f"{index}")))) for index in range(12)) > 0
    store.close()


def _failed_in_tasks(store: RedisStore) -> int:
    async def main() -> int:
        tasks, failed = store.for_async(), 0
        for index in range(6):
            began = time.monotonic()
            try:
                await tasks.load(name(f"{index}"))
            except StoreError:
                failed += 1
            assert time.monotonic() - began < BOUND
        await tasks.close()
        return failed

    return asyncio.run(main())
