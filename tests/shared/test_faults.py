"""G20: whatever happens to a store, requests and aiohttp go on, in two processes that share it, and hit it again."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh
from redis_servers import RedisServer
from remotes import Remote, ask_all

Fault = Callable[..., Any]
AT_ONCE = 1.6
"""Seconds that the first request may be late: one in which the store fails, and what a busy machine adds."""
AFTERWARDS = 1.0
"""Seconds for ten requests of two processes that pass the store by."""
HEALED = 7.0
"""Probes come every two seconds at most; a second for the test's own questions."""


def lives_through(fault: Fault, pair: list[Remote], origin: Origin, *given: Any) -> None:
    """Ask before, during and after a fault."""
    old = origin.on("/old", fresh(b"old"))
    ask_all(pair, old)
    until_hits(pair, old)
    with fault(*given):
        got = ask_all(pair, origin.on("/new", fresh(b"new")))
        assert [one.body for one in got] == ["new", "new"]
        assert max(one.seconds for one in got) < AT_ONCE, got
        began = time.monotonic()
        for index in range(5):
            got = ask_all(pair, origin.on(f"/more/{index}", fresh(b"more")), old)
            assert {one.body for one in got} == {"more", "old"}
        assert time.monotonic() - began < AFTERWARDS
    began = time.monotonic()
    until_hits(pair, old)
    until_hits(pair, origin.on("/after", fresh(b"after")))
    assert time.monotonic() - began < HEALED
    count = origin.count()
    assert all(one.from_cache for _ in range(5) for one in ask_all(pair, old))
    assert origin.count() == count


def until_hits(pair: list[Remote], url: str) -> None:
    """Ask until both hit."""
    deadline = time.monotonic() + 15
    while not all(one.from_cache for one in ask_all(pair, url)):
        assert time.monotonic() < deadline, f"{url} is never hit"
        time.sleep(0.02)


# SQLite


@contextmanager
def locked(path: Path, pair: list[Remote]) -> Generator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(path: Path, pair: list[Remote]) -> Generator[None]:
    for each in pair:
        each.do("limit", 1)
    yield
    for each in pair:
        each.do("limit", -1)


@contextmanager
def read_only(path: Path, pair: list[Remote]) -> Generator[None]:
    for each in pair:
        each.do("close")
    give_rights(path, 0o555, 0o444)
    for each in pair:
        each.do("be", 65_534)
        each.do("open", "files" if path.is_dir() else "sqlite", str(path))
    yield
    give_rights(path, 0o700, 0o600)
    for each in pair:
        each.do("be", 0)


def give_rights(path: Path, folders: int, files: int) -> None:
    for each in [path.parent, *path.parent.rglob("*")]:
        if not each.is_symlink():
            each.chmod(folders if each.is_dir() else files)


@contextmanager
def garbage(path: Path, pair: list[Remote]) -> Generator[None]:
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\x5a" * (len(data) - 100))
    yield


@contextmanager
def deleted(path: Path, pair: list[Remote]) -> Generator[None]:
    remove(path)
    yield


def remove(path: Path) -> None:
    for each in path.parent.glob(path.name + "*"):
        shutil.rmtree(each) if each.is_dir() else each.unlink()


@contextmanager
def of_another_schema(path: Path, pair: list[Remote]) -> Generator[None]:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE records")
        database.commit()
    yield


@contextmanager
def a_folder_in_its_place(path: Path, pair: list[Remote]) -> Generator[None]:
    remove(path)
    path.mkdir()
    (path / "mine").write_text("mine")
    yield
    assert (path / "mine").read_text() == "mine"
    shutil.rmtree(path)


@contextmanager
def anothers_database_in_its_place(path: Path, pair: list[Remote]) -> Generator[None]:
    remove(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE mine (id)")
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before
    remove(path)


SQLITE = [locked, full, garbage, deleted, of_another_schema, read_only]
PLACES = [a_folder_in_its_place, anothers_database_in_its_place]


@pytest.mark.parametrize("fault", [*SQLITE, *PLACES])
def test_sqlite(place: Path, remotes: Any, origin: Origin, fault: Fault) -> None:
    """G20: on one file."""
    path = place / "in" / "cache.sqlite"
    path.parent.mkdir()
    pair = remotes("sqlite", str(path), "requests", "aiohttp")
    lives_through(fault, pair, origin, path, pair)


# Files


@contextmanager
def not_a_folder(path: Path, pair: list[Remote]) -> Generator[None]:
    shutil.rmtree(path)
    path.write_text("mine")
    yield
    assert path.read_text() == "mine"
    path.unlink()


@pytest.mark.parametrize("fault", [deleted, read_only, full, not_a_folder])
def test_files(place: Path, remotes: Any, origin: Origin, fault: Fault) -> None:
    """G20: on one folder."""
    path = place / "in" / "cache"
    path.parent.mkdir()
    pair = remotes("files", str(path), "requests", "aiohttp")
    lives_through(fault, pair, origin, path, pair)


# Redis


@contextmanager
def frozen(server: RedisServer) -> Generator[None]:
    server.freeze()
    yield
    server.thaw()


@contextmanager
def killed(server: RedisServer) -> Generator[None]:
    server.stop()
    yield
    server.start()


@contextmanager
def out_of_memory(server: RedisServer) -> Generator[None]:
    with server.client() as client:
        client.config_set("maxmemory", 1)
        yield
        client.config_set("maxmemory", 0)


@contextmanager
def a_replica(server: RedisServer) -> Generator[None]:
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        yield
        client.replicaof("NO", "ONE")


@contextmanager
def behind_a_password(server: RedisServer) -> Generator[None]:
    with server.client() as client:
        client.config_set("requirepass", "sesame")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        yield
        client.execute_command("AUTH", "sesame")
        client.config_set("requirepass", "")


@contextmanager
def flushed(server: RedisServer) -> Generator[None]:
    with server.client() as client:
        client.flushall()
        client.script_flush()
    yield


@contextmanager
def of_wrong_types(server: RedisServer) -> Generator[None]:
    with server.client() as client:
        for each in client.keys("*"):
            wrong = client.lpush if client.type(each) == b"string" else client.set
            client.delete(each)
            wrong(each, "mine")
        yield
        client.flushall()


REDIS = [frozen, killed, out_of_memory, a_replica, behind_a_password, flushed, of_wrong_types]


@pytest.mark.parametrize("fault", REDIS)
def test_redis(redis_server: RedisServer, remotes: Any, origin: Origin, fault: Fault) -> None:
    """G20: on one server."""
    pair = remotes("redis", redis_server.tcp_url, "requests", "aiohttp")
    lives_through(fault, pair, origin, redis_server)
