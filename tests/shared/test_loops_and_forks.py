"""G24: two event loops in two threads, and both sides of a fork, share one store; G25: a clock revives nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from clock import Clock
from local_origin import Origin, fresh

from sansio_cache import AsyncCachedSession, CachedSession, FileStore, MemoryStore, RedisStore, SQLiteStore

DAY = 86_400.0
PATIENCE = 30.0
"""Seconds that a store waits for others: on a busy machine the holder of a lock may be off the processor for long."""
MAKERS: dict[str, Callable[[str], Any]] = {
    "sqlite": lambda path: SQLiteStore(path, busy_timeout=PATIENCE),
    "files": FileStore,
    "redis": lambda url: RedisStore(url, timeout=PATIENCE),
}


@pytest.fixture(params=["sqlite", "files", "redis", "memory"])
def store(request: pytest.FixtureRequest, place: Any) -> Any:
    """A store object of each kind, for all sessions of a test."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "redis":
        server: Any = request.getfixturevalue("shared_redis")
        with server.client() as client:
            client.flushall()
        return MAKERS["redis"](server.tcp_url)
    return MAKERS[request.param](str(place / "cache"))


def test_two_event_loops_and_a_thread_share_a_store(store: Any, origin: Origin) -> None:
    """G24: three sessions on one store object, each in a thread of its own, two with a loop; all see what one kept."""
    urls = [
        origin.on(f"/{index}", fresh(f"body {index}".encode() * (9_000 if index % 7 == 0 else 1)))
        for index in range(20)
    ]
    kept = threading.Barrier(3, timeout=60)
    results: dict[str, list[tuple[bool, bytes]]] = {}
    errors: list[BaseException] = []

    async def on_a_loop(name: str) -> None:
        async with AsyncCachedSession(cache=store) as session:

            async def get(url: str) -> tuple[bool, bytes]:
                async with session.get(url) as response:
                    return response.from_cache, await response.read()

            await asyncio.gather(*map(get, urls))
            await asyncio.to_thread(kept.wait)
            results[name] = list(await asyncio.gather(*map(get, urls)))

    def blocking() -> None:
        with CachedSession(store) as session:
            for url in urls:
                assert session.get(url).ok
            kept.wait()
            results["blocking"] = [(one.from_cache, one.content) for one in map(session.get, urls)]

    def run(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
            kept.abort()

    works = [lambda: asyncio.run(on_a_loop("here")), lambda: asyncio.run(on_a_loop("there")), blocking]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive()
    assert errors == []
    assert origin.count() == len(urls)
    for got in results.values():
        assert all(from_cache for from_cache, _ in got)
        assert [body for _, body in got] == [
            f"body {index}".encode() * (9_000 if index % 7 == 0 else 1) for index in range(20)
        ]
    assert len(results) == 3


FORK = """
import faulthandler, os, sys, threading, warnings
from sansio_cache import CachedSession, FileStore, RedisStore, SQLiteStore
warnings.simplefilter("ignore", DeprecationWarning)
kind, location, base = sys.argv[1:]
store = {
    "sqlite": lambda: SQLiteStore(location, busy_timeout=30),
    "files": lambda: FileStore(location),
    "redis": lambda: RedisStore(location, timeout=30),
}[kind]()
session = CachedSession(store)
assert not session.get(base + "/before").from_cache

busy = threading.Thread(target=lambda: [session.get(f"{base}/busy?{number}") for number in range(60)])
busy.start()
children = []
for name in range(3):
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(45, exit=True)
        try:
            assert session.get(base + "/before").from_cache
            assert not session.get(f"{base}/child?{name}").from_cache
            assert session.get(f"{base}/child?{name}").from_cache
            session.close()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
busy.join()
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
assert all(session.get(f"{base}/child?{name}").from_cache for name in range(3))
assert all(session.get(f"{base}/busy?{number}").from_cache for number in range(60))
session.close()
"""


def test_a_fork_in_the_middle(kind: str, location: str, origin: Origin) -> None:
    """G24: three forks while a thread reads and writes; each child hits, writes, and its parent hits that."""
    for path in ("/before", "/busy", "/child"):
        origin.on(path, fresh(b"body"))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FORK, kind, location, origin.url("")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


def test_a_clock_set_back_a_day_revives_nothing(store: Any, origin: Origin, clock: Clock) -> None:
    """G25: what had expired before the clock was set back is fetched anew, on every store, by threads and on a loop."""
    url = origin.on("/a", fresh(b"body", 3600))

    async def get(now: float) -> bool:
        async with AsyncCachedSession(cache=store, clock=lambda: now) as session, session.get(url) as response:
            await response.read()
            return response.from_cache

    with CachedSession(store, clock=clock) as session:
        session.get(url)
        assert session.get(url).from_cache
        clock.advance(3601)
        stale = clock()
        clock.advance(-DAY)
        count = origin.count()
        assert not session.get(url).from_cache
        assert origin.count() == count + 1
        # That one was received a day ago, as seen from the time before; it is as old as it says.
        clock.advance(DAY)
        assert not session.get(url).from_cache
    assert asyncio.run(get(stale + 60))
    assert not asyncio.run(get(stale - DAY))


def test_hosts_whose_clocks_differ_share_a_store(store: Any, origin: Origin, clock: Clock) -> None:
    """G25, G28: half a minute apart they hit each other's entries, and no lease is for ever."""
    ahead = Clock(clock() + 30)
    url, other = origin.on("/a", fresh(b"body")), origin.on("/b", fresh(b"body"))
    with CachedSession(store, clock=clock) as behind, CachedSession(store, clock=ahead) as before:
        before.get(url)
        assert behind.get(url).from_cache
        behind.get(other)
        assert before.get(other).from_cache
