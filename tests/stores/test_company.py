"""Stores that several processes share: files and Redis. No process disturbs the others, not even by dying."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from patience import SOON
from thorough import extent

from sansio_cache.records import chunk_hashes
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import Lease, Store
from sansio_cache_adapters.stores.redis.store import RedisStore
from sansio_cache_adapters.testing import make_item, name, put

pytestmark = pytest.mark.once

SCRIPT = str(Path(__file__).with_name("company.py"))


@pytest.fixture(params=["files", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def location(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return str(tmp_path / "cache") if kind == "files" else str(request.getfixturevalue("redis_server").url)


@pytest.fixture
def store(kind: str, location: str) -> Any:
    made: Store = FileStore(location, max_bytes=64 * 1024 * 1024) if kind == "files" else RedisStore(location)
    made.open(signed=False)
    yield made
    made.close()


@pytest.fixture
def join_company(kind: str, location: str) -> Any:
    """Starts processes that use the store, and kills those that are left at the end."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, SCRIPT, kind, location, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def body_of(store: Store, partition: bytes) -> tuple[bytes, bytes] | None:
    """The sealed head and the whole body of the one record of a partition."""
    loaded = list(store.load(partition))
    if not loaded:
        return None
    [stored] = loaded
    if stored.body is not None:
        return stored.sealed, stored.body
    hashes = store.hashes(stored.entry)
    body = b"".join(store.chunk(stored.entry, index) for index in range(len(hashes) // 32))
    assert chunk_hashes(body) == hashes
    return stored.sealed, body


@pytest.mark.slow
@pytest.mark.timeout(extent(180, 1200))
def test_a_process_killed_at_any_moment(store: Store, join_company: Any, kind: str) -> None:
    """G21: what was committed is there, nothing is partial, and what was left over is swept."""
    chance = random.Random(7)
    states: dict[str, str | None] = {}
    unsure: str | None = None
    for number in range(extent(7, 100)):
        process = join_company("commit", f"round {number}")
        states, unsure = {}, None
        end = chance.randrange(1, 60)
        for count, line in enumerate(process.stdout, 1):
            what, text, *sealed = json.loads(line)
            unsure = text if what in ("dropping", "committing") else None
            states[text] = sealed[0] if sealed else (None if what == "dropping" else states.get(text))
            if count == end:
                time.sleep(chance.random() * 0.002)
                process.kill()
        process.wait()
        for text, sealed in states.items():
            found = body_of(store, name(text))
            if text != unsure:
                assert (found[0].decode() if found else None) == sealed
            if found:
                assert found[0].endswith(sha256(found[1]).hexdigest().encode())
    sure = {name(text) for text, sealed in states.items() if sealed and text != unsure}
    assert sure <= {each.partition for each in store.listed()}
    while store.sweep(now=time.time() + 200):
        pass
    listed = list(store.listed())
    kept = sum(each.size + len(each.stored.sealed) for each in listed)
    size = store.size()
    # A server forgets the chunks of the dead by a clock of its own.
    assert size == (len(listed), kept if kind == "files" else max(kept, size.bytes))
    put(store, make_item("after", now=time.time()), now=time.time())


@pytest.mark.slow
def test_four_processes_of_two_threads(store: Store, join_company: Any, kind: str) -> None:
    """G22: mixed work on the same URLs: no error, no wait for long, the bound holds."""
    processes = [join_company("mixed", f"{number}", str(extent(1, 20))) for number in range(4)]
    results = [json.loads(process.communicate(timeout=100)[0]) for process in processes]
    assert [result["errors"][:3] for result in results] == [[]] * 4
    assert all(result["count"] > 20 for result in results)
    assert max(result["p999"] for result in results) < SOON
    while store.sweep(now=time.time()):
        pass
    assert kind == "redis" or store.size().bytes <= store.max_bytes
    assert all(len(store.load(name(f"{index}"))) <= 1 for index in range(20))


def test_one_of_four_processes_is_granted_a_lease(store: Store, join_company: Any, kind: str) -> None:
    """Each partition by exactly one. A holder that dies leaves no lock behind, and its lease ends in time."""
    processes = [join_company("claim", f"{number}") for number in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    granted = [index for process in processes for index in json.loads(process.stdout.readline())]
    assert sorted(granted) == list(range(30))
    now = time.time()
    assert store.claim(name("1"), name("1"), b"me", now=now, until=now + 30) is Lease.HELD
    for process in processes:
        process.communicate("done\n", timeout=20)
    after = Lease.HELD if kind == "redis" else Lease.GRANTED
    assert store.claim(name("1"), name("1"), b"me", now=now, until=now + 30) is after


def test_what_one_process_drops_the_others_miss(store: Store, join_company: Any, kind: str, location: str) -> None:
    """A drop by another process reaches a store object that was open all the time."""
    now = time.time()
    for index in range(10):
        put(store, make_item(f"{index}", resource=f"{index}", now=now), now=now)
    script = (
        f"import sys; sys.path.insert(0, {str(Path(SCRIPT).parent)!r}); import company, time\n"
        f"store = company.open_store({kind!r}, {location!r})\n"
        "store.open(signed=False)\n"
        "print([store.drop(company.name(f'{index}'), now=time.time()) for index in range(5)])\nstore.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1, 1, 1, 1, 1]"
    assert [len(store.load(name(f"{index}"))) for index in range(10)] == [0] * 5 + [1] * 5
    assert not store.commit(make_item("1", resource="1", now=now), vary_limit=32, now=time.time())
