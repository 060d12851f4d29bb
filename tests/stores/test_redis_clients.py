"""RedisStore: where it connects to and how, in every way that a user can say it."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.sentinel
import redis.cluster
import redis.sentinel
import trio
import trustme

from sansio_cache.errors import CacheWarning, SettingError
from sansio_cache.records import Stored
from sansio_cache_adapters.stores.protocol import Lease
from sansio_cache_adapters.stores.redis.store import RedisStore
from sansio_cache_adapters.testing import make_item, name, put, stream


def round_trip(store: RedisStore, text: str = "one") -> Stored:
    store.open(signed=False)
    now = time.time()
    return put(store, make_item(text, now=now), now=now)


async def round_trip_async(store: RedisStore, text: str = "one") -> Stored:
    tasks = store.for_async()
    await tasks.open(signed=False)
    now = time.time()
    assert await tasks.commit(make_item(text, now=now), vary_limit=32, now=now)
    [stored] = await tasks.load(name(text))
    await tasks.close()
    return stored


def both_ways(given: Any) -> None:
    """Blocking and as a task, by one and the same URL or client."""
    store = RedisStore(given, timeout=20.0)
    round_trip(store)
    asyncio.run(round_trip_async(store))
    store.close()


@pytest.mark.parametrize(
    "form", ["redis://127.0.0.1:{port}", "redis://127.0.0.1:{port}/1", "unix://{path}", "unix://{path}?db=2"]
)
def test_a_url(redis_server: Any, form: str) -> None:
    both_ways(form.format(port=redis_server.port, path=redis_server.path))


def test_databases_are_stores_of_their_own(redis_server: Any) -> None:
    here, there = (RedisStore(f"{redis_server.tcp_url}/{number}", timeout=20.0) for number in (1, 2))
    round_trip(here)
    assert list(there.load(name("one"))) == []
    assert here.location != there.location
    here.close()
    there.close()


def test_prefixes_are_stores_of_their_own(redis_server: Any) -> None:
    """Also where one begins like the other, or looks like a pattern: clearing one leaves the others."""
    prefixes = ["a", "a:b", "*", "[ab]", "a?", "\\"]
    stores = [RedisStore(redis_server.url, prefix=prefix, timeout=20.0) for prefix in prefixes]
    for store in stores:
        round_trip(store)
    for index, store in enumerate(stores):
        store.clear()
        left = [len(each.load(name("one"))) for each in stores]
        assert left == [0] * (index + 1) + [1] * (len(stores) - index - 1)
        store.close()


@pytest.mark.parametrize("module", [redis, redis.asyncio], ids=["blocking", "asyncio"])
def test_a_client(redis_server: Any, module: Any) -> None:
    """Either colour serves both; it is neither used nor closed."""
    client = module.Redis(unix_socket_path=str(redis_server.path), decode_responses=True)
    both_ways(client)
    assert client.connection_pool.connection_kwargs["decode_responses"]


def test_the_users_client_stays_open(redis_server: Any) -> None:
    with redis.Redis(port=redis_server.port) as client:
        client.ping()
        store = RedisStore(client, timeout=20.0)
        round_trip(store)
        store.close()
        end = time.monotonic() + 20
        while client.info("clients")["connected_clients"] > 1:
            assert time.monotonic() < end
        assert client.ping()


@pytest.mark.parametrize("module", [redis.cluster, redis.asyncio.cluster], ids=["blocking", "asyncio"])
def test_a_cluster(redis_cluster: Any, module: Any) -> None:
    both_ways(module.RedisCluster(host="127.0.0.1", port=redis_cluster[0].port))


@pytest.mark.slow
@pytest.mark.parametrize("module", [redis.sentinel, redis.asyncio.sentinel], ids=["blocking", "asyncio"])
def test_sentinels(redis_server: Any, make_redis: Callable[..., Any], short_path: Path, module: Any) -> None:
    """What sentinels watch over, asked for with a password for them and one for the server."""
    with redis_server.client() as client:
        client.config_set("requirepass", "sesame")
    configuration = short_path / "sentinel.conf"
    configuration.write_text(
        f"sentinel monitor main 127.0.0.1 {redis_server.port} 1\nsentinel auth-pass main sesame\n"
        "sentinel down-after-milliseconds main 1000\n"
    )
    watcher = make_redis("--requirepass", "open", first=(str(configuration), "--sentinel"))
    sentinels = module.Sentinel(
        [("127.0.0.1", watcher.port)], sentinel_kwargs={"password": "open"}, password="sesame", db=3
    )
    store = RedisStore(sentinels.master_for("main"), timeout=20.0)
    stored = round_trip(store)
    with redis_server.client(password="sesame", db=3) as client:
        assert client.exists(f"sansio-cache:p:{{{name('one').hex()}}}:heads")
    assert list(store.load(name("one"))) == [stored]
    asyncio.run(round_trip_async(store))
    store.close()


def certify(folder: Path) -> dict[str, Path]:
    """An authority's certificate, and one of its for this machine, with the key."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    files = {each: folder / f"{each}.pem" for each in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    certificate.cert_chain_pems[0].write_to_path(files["cert"])
    certificate.private_key_pem.write_to_path(files["key"])
    return files


def test_tls(make_redis: Callable[..., Any], short_path: Path) -> None:
    """``rediss://`` verifies the server: with the authority's certificate it works, without it does not."""
    files = certify(short_path)
    server = make_redis(
        *("--tls-cert-file", str(files["cert"]), "--tls-key-file", str(files["key"])),
        *("--tls-ca-cert-file", str(files["ca"]), "--tls-auth-clients", "no"),
        tls=True,
    )
    both_ways(f"rediss://localhost:{server.tls_port}?ssl_ca_certs={files['ca']}")
    both_ways(redis.Redis(port=server.tls_port, ssl=True, ssl_ca_certs=str(files["ca"])))
    both_ways(redis.asyncio.Redis(port=server.tls_port, ssl=True, ssl_ca_certs=str(files["ca"])))
    stranger = RedisStore(f"rediss://localhost:{server.tls_port}")
    with pytest.raises(Exception, match=r"(?i)certificate"):
        stranger.open(signed=False)
    assert stranger.location.startswith("rediss://localhost:")
    stranger.close()


def test_a_cluster_over_tls(make_redis: Callable[..., Any], short_path: Path) -> None:
    """The settings for TLS are taken over from the cluster's client, of either colour."""
    files = certify(short_path)
    server = make_redis(
        *("--cluster-enabled", "yes", "--tls-cluster", "yes"),
        *("--tls-cert-file", str(files["cert"]), "--tls-key-file", str(files["key"])),
        *("--tls-ca-cert-file", str(files["ca"]), "--tls-auth-clients", "no"),
        tls=True,
    )
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        end = time.monotonic() + 30
        while "ok" not in str(client.cluster("INFO")["cluster_state"]):
            assert time.monotonic() < end
            time.sleep(0.02)
    options: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(files["ca"])}
    with redis.cluster.RedisCluster(host="127.0.0.1", port=server.tls_port, **options) as blocking:
        both_ways(blocking)
    both_ways(redis.asyncio.cluster.RedisCluster(host="127.0.0.1", port=server.tls_port, **options))


def test_settings_of_the_socket_are_taken_over(redis_server: Any) -> None:
    both_ways(redis.Redis(port=redis_server.port, socket_keepalive_options={4: 60}, client_name="a-name"))


def test_threads_asyncio_and_trio_share_a_store(redis_server: Any) -> None:
    """One object, three kinds of callers at once; each finds what the others wrote."""
    store = RedisStore(redis_server.url, timeout=20.0)
    store.open(signed=False)
    kinds: list[Callable[[], object]] = [
        lambda: [round_trip(store, f"thread {index}") for index in range(20)],
        lambda: asyncio.run(_many(store, "asyncio")),
        lambda: trio.run(_many, store, "trio"),
    ]
    failed: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for kind in ("thread", "asyncio", "trio"):
        assert all(len(store.load(name(f"{kind} {index}"))) == 1 for index in range(20))
    assert store.size().entries == 60
    store.close()


async def _many(store: RedisStore, kind: str) -> None:
    tasks = store.for_async()
    for index in range(20):
        now = time.time()
        item = make_item(f"{kind} {index}", now=now)
        assert await tasks.commit(item, vary_limit=32, now=now)
        assert len(await tasks.load(item.partition)) == 1


def test_a_thousand_tasks_at_once(redis_server: Any) -> None:
    """They take turns on a bounded number of connections."""
    store = RedisStore(redis_server.tcp_url, timeout=20.0)

    async def main() -> int:
        tasks = store.for_async()
        await tasks.open(signed=False)
        await asyncio.gather(*(tasks.load(name(f"{index}")) for index in range(1000)))
        with redis.Redis(port=redis_server.port) as client:
            connections = int(client.info("clients")["connected_clients"])
        await tasks.close()
        return connections

    assert asyncio.run(main()) <= 60
    store.close()


def test_a_loop_that_ends_closes_its_connections(redis_server: Any) -> None:
    """Also where the store was not closed; and the next loop opens its own. No warning: those are errors here."""
    store = RedisStore(redis_server.tcp_url, timeout=20.0)

    tasks = store.for_async()

    async def use() -> int:
        await tasks.open(signed=False)
        return len(await tasks.load(name("one")))

    with redis.Redis(port=redis_server.port) as client:
        for _ in range(3):
            asyncio.run(use())
        end = time.monotonic() + 20
        while client.info("clients")["connected_clients"] > 1:
            assert time.monotonic() < end
    store.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_of_a_fork(redis_server: Any) -> None:
    """G24: it opens connections of its own, while the parent goes on with his."""
    store = RedisStore(redis_server.url, timeout=20.0)
    round_trip(store)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=round_trip, args=(store, f"child {index}")) for index in range(3)]
    for child in children:
        child.start()
    for index in range(30):
        round_trip(store, f"parent {index}")
    for child in children:
        child.join(20)
        assert child.exitcode == 0
    assert store.size().entries == 34
    store.close()


def test_a_pickled_store_comes_back_on_the_same_place(redis_server: Any) -> None:
    """With its prefix, its bound and its secret."""
    with pytest.warns(CacheWarning):
        store = RedisStore(
            redis_server.url, prefix="mine", max_bytes=10**6, secret_key=["k" * 32, "l" * 32], timeout=0.5
        )
    stored = round_trip(store)
    with pytest.warns(CacheWarning):
        again: RedisStore = pickle.loads(pickle.dumps(store))
    assert list(again.load(name("one"))) == [stored]
    assert (again.max_bytes, again.sealer) == (10**6, store.sealer)
    assert again.location == store.location
    store.close()
    again.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: RedisStore(None),
        lambda: RedisStore(""),
        lambda: RedisStore("http://localhost"),
        lambda: RedisStore("localhost:6379"),
        lambda: RedisStore("redis://localhost:port"),
        lambda: RedisStore(b"redis://localhost"),
        lambda: RedisStore(redis.Redis),
        lambda: RedisStore(prefix=""),
        lambda: RedisStore(prefix="a{b}"),
        lambda: RedisStore(prefix=b"bytes"),  # type: ignore[arg-type]
        lambda: RedisStore(timeout=0),
        lambda: RedisStore(timeout=-1.0),
        lambda: RedisStore(timeout=float("inf")),
        lambda: RedisStore(timeout=float("nan")),
        lambda: RedisStore(timeout=True),
        lambda: RedisStore(timeout="1"),  # type: ignore[arg-type]
        lambda: RedisStore(max_bytes=0),
        lambda: RedisStore(max_entries=1.5),  # type: ignore[arg-type]
        lambda: RedisStore(secret_key=None),  # type: ignore[arg-type]
        lambda: RedisStore(secret_key=[]),
    ],
)
def test_a_wrong_setting_is_an_error_at_once(make: Callable[[], RedisStore]) -> None:
    with pytest.raises(SettingError):
        make()


def test_no_password_is_shown() -> None:
    """Neither in ``location`` nor in the error of a URL that cannot be read."""
    store = RedisStore("redis://user:hunter2@localhost:1/0")
    assert "hunter2" not in store.location
    with pytest.raises(SettingError) as caught:
        RedisStore("redis://user:hunter2@localhost:port")
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_without_redis_py_the_error_says_what_to_install() -> None:
    script = (
        "import sys\nsys.modules['redis'] = None\n"
        "from sansio_cache_adapters.stores.redis.store import RedisStore\n"
        "try:\n    RedisStore()\nexcept ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'sansio-cache[redis]'" in done.stdout


def test_importing_it_loads_no_redis_py() -> None:
    script = (
        "import sys, sansio_cache_adapters.stores.redis.store\nprint('redis' in sys.modules, 'anyio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


class TestLookAlikes:
    """Clients that lead to no server are used themselves, or refused in a sentence."""

    @pytest.fixture
    def client(self) -> Any:
        fakeredis = pytest.importorskip("fakeredis", reason="fakeredis is not installed")
        pytest.importorskip("lupa", reason="fakeredis runs scripts with lupa")
        return fakeredis.FakeRedis()

    def test_fakeredis_is_a_store(self, client: Any) -> None:
        now = time.time()
        store = RedisStore(client)
        store.open(signed=False)
        put(store, make_item("one", b"body", now=now), now=now)
        large = put(store, stream(store, make_item("large", b"x" * 70_000, now=now)), now=now)
        assert store.chunk(large.entry, 0) == b"x" * 70_000
        assert len(asyncio.run(store.for_async().load(name("one")))) == 1
        assert store.size().entries == len(list(store.listed())) == 2
        assert asyncio.run(store.for_async().size()) == store.size()
        assert store.claim(name("one"), name("one"), b"t" * 16, now=now, until=now + 9) is Lease.GRANTED
        assert store.drop(name("resource"), now=now) == 2
        store.close()
        assert client.ping()

    def test_what_cannot_be_used_is_refused(self, client: Any) -> None:
        fakeredis = importlib.import_module("fakeredis")
        with pytest.raises(SettingError, match="blocking client"):
            RedisStore(fakeredis.FakeAsyncRedis())
        with pytest.raises(SettingError, match="without decode_responses"):
            RedisStore(fakeredis.FakeRedis(decode_responses=True))

    @pytest.mark.parametrize(
        ("made", "match"),
        [(("Redis", False), None), (("Asynchronous", False), "blocking client"), (("Redis", True), "decode_responses")],
    )
    def test_whose_connections_are_not_of_redis_py(self, made: tuple[str, bool], match: str | None) -> None:
        """By what their pools make, not by their names."""

        class Connection(redis.Connection):
            pass

        class Client(redis.Redis if made[0] == "Redis" else redis.asyncio.Redis):  # type: ignore[misc]
            pass

        client: Any = Client(decode_responses=made[1])
        client.connection_pool.connection_class = Connection
        if match is None:
            assert RedisStore(client).location.endswith("://Client#sansio-cache")
            return
        with pytest.raises(SettingError, match=match):
            RedisStore(client)
