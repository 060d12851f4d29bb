"""``doctor``: what is looked at, what is wrong, and what is advised."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from command_line import Command

from sansio_cache import RedisStore
from sansio_cache_adapters.cli import health
from sansio_cache_adapters.cli.health import of_sqlite

every_store = pytest.mark.parametrize("place", ["sqlite", "files", "redis"], indirect=True)


def looked(command: Command, *arguments: str) -> dict[str, dict[str, Any]]:
    """The findings, by name; the last of each."""
    return {each["name"]: each for each in command("doctor", "--json", *arguments).json}


@every_store
def test_a_cache_that_is_well(command: Command, urls: dict[str, str], place: str) -> None:
    ran = command("doctor", "--bodies")
    assert ran.status == 0
    assert "\x1b" not in ran.out
    found = looked(command)
    assert found["stored"]["says"].startswith("6 responses")
    assert found["damage"]["level"] == "ok"
    assert found["signature"]["level"] == "note"
    assert "resign --sign-unsigned" in found["signature"]["advice"]
    if not place.startswith("redis"):
        assert found["permissions"]["says"] in ("mode 0600, yours", "mode 0700, yours")
        assert found["locks"]["level"] == "ok"
    else:
        assert "it answers in" in found["server"]["says"]
    assert "requests" in found["packages"]["says"]


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 40, 1), "warning"), ((3, 44, 5), "warning"), ((3, 44, 6), "ok"), ((3, 45, 0), "warning"),
        ((3, 50, 6), "warning"), ((3, 50, 7), "ok"), ((3, 51, 0), "warning"), ((3, 51, 2), "warning"),
        ((3, 51, 3), "ok"), ((3, 53, 0), "ok"), ((4, 0, 0), "ok"),
    ],
)  # fmt: skip
def test_the_faults_of_sqlite(version: tuple[int, ...], level: str) -> None:
    [found] = of_sqlite(version, 3)
    assert found.level == level
    assert bool(found.advice) == (level == "warning")


def test_a_sqlite_without_thread_safety() -> None:
    [found] = of_sqlite((3, 53, 0), 1)
    assert found.level == "wrong"


def test_damage_is_wrong(command: Command, urls: dict[str, str], place: str) -> None:
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE chunks SET data = zeroblob(length(data))")
    assert command("doctor").status == 0, "heads are well"
    ran = command("doctor", "--bodies")
    assert ran.status == 1
    assert "1 body" in ran.out
    assert "purge --invalid" in ran.out


def test_a_damaged_file_is_wrong(command: Command, urls: dict[str, str], place: str) -> None:
    command("ls")
    with closing(sqlite3.connect(place)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size: int = database.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray(Path(place).read_bytes())
    middle = len(data) // size // 2 * size
    data[middle : middle + 4 * size] = os.urandom(4 * size)
    Path(place).write_bytes(data)
    ran = command("doctor", "--json")
    assert ran.status in (0, 1)
    assert any(
        each["level"] in ("wrong", "warning") and each["name"] in ("file", "place", "damage") for each in ran.json
    )


def test_the_secret(command: Command, signed: dict[str, str], key: str, secret_file: Callable[..., str]) -> None:
    without = looked(command)
    assert without["signature"]["level"] == "note"
    assert without["damage"]["says"] == "not looked for, without the secret"
    with_it = looked(command, "--secret-file", secret_file(key))
    assert (with_it["signature"]["level"], with_it["damage"]["level"]) == ("ok", "ok")
    wrong = command("doctor", "--secret-file", secret_file("short"))
    assert wrong.status == 1
    assert "signed with another secret" in wrong.out
    assert "purge" not in wrong.out
    assert "shorter than 16 bytes" in wrong.out


def test_a_secret_for_what_is_not_signed(command: Command, urls: dict[str, str], key: str) -> None:
    command.env["SANSIO_CACHE_SECRET"] = key
    found = looked(command)
    assert found["signature"]["level"] == "wrong"
    assert found["damage"]["level"] == "ok"


def test_permissions(command: Command, urls: dict[str, str], place: str) -> None:
    Path(place).chmod(0o644)
    Path(place).parent.chmod(0o777)
    found = looked(command)
    assert found["permissions"]["level"] == "warning"
    assert found["folder"]["level"] == "warning"
    assert looked(command)["permissions"]["level"] == "ok", "opening it has made it private"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_a_file_is_checked_where_nothing_can_be_written(
    command: Command, urls: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite cannot lay its log beside it there."""
    looked(command)  # what is imported late may not be readable to others
    nobody, file = 65534, Path(place)
    for each in file.parents:
        if each != Path("/") and each.owner() == file.parent.owner():
            each.chmod(each.stat().st_mode | 0o055)
    with closing(sqlite3.connect(place)) as last:
        last.execute("SELECT count(*) FROM records")
    for each in file.parent.glob(f"{file.name}-*"):
        each.unlink()
    os.chown(file, nobody, nobody)
    file.chmod(0o400)
    file.parent.chmod(0o555)
    monkeypatch.chdir("/")
    os.seteuid(nobody)
    try:
        found = looked(command)
    finally:
        os.seteuid(0)
    assert found["file"]["says"] == "SQLite finds it whole"
    assert found["writing"]["level"] == "warning"


def test_a_lock_is_noted(command: Command, urls: dict[str, str], place: str) -> None:
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = looked(command)
        other.execute("ROLLBACK")
    assert found["locks"]["level"] == "note"
    assert "somebody is writing right now" in found["locks"]["says"]


def test_what_was_set_aside_and_a_long_log(
    command: Command, urls: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(f"{place}.corrupt-1").touch()
    with closing(sqlite3.connect(place)) as other:
        other.execute("CREATE TABLE mine (a)")
        other.execute("SELECT * FROM mine").fetchall()
        monkeypatch.setattr(health, "_LONG_LOG", 10)
        found = looked(command)
    assert "http.sqlite.corrupt-1" in found["set aside"]["says"]
    assert found["log"]["level"] == "warning"


def test_a_file_system_of_the_network(command: Command, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_file_system", lambda path: "nfs4")
    assert looked(command)["file system"]["level"] == "warning"


def test_little_room(command: Command, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(health.shutil, "disk_usage", lambda path: Usage)
    assert looked(command)["disk"]["level"] == "warning"


def test_clocks(command: Command, urls: dict[str, str], clock: Clock) -> None:
    clock.advance(-1000)
    assert looked(command)["clock"]["says"].startswith("6 were stored")
    clock.advance(5000)
    assert looked(command)["stale"]["says"].startswith("6 stale: ")


@pytest.mark.parametrize(
    ("memory", "policy", "level", "said"),
    [
        ("0", "noeviction", "warning", "maxmemory is not set"),
        ("0", "allkeys-lru", "warning", "maxmemory is not set"),
        ("100mb", "noeviction", "warning", "once it is full, nothing more is stored"),
        ("100mb", "allkeys-lru", "ok", "maxmemory-policy allkeys-lru"),
        ("100mb", "volatile-lru", "ok", "maxmemory-policy volatile-lru"),
    ],
)
def test_what_bounds_a_server(redis_server: Any, clock: Clock, memory: str, policy: str, level: str, said: str) -> None:
    """G28: nothing else bounds a cache in Redis."""
    store = RedisStore(redis_server.url)
    store.open(signed=False)
    store.close()
    with redis_server.client() as client:
        client.config_set("maxmemory", memory)
        client.config_set("maxmemory-policy", policy)
    found = looked(Command(redis_server.tcp_url, clock))["maxmemory"]
    assert (found["level"], said in found["says"]) == (level, True)
    assert ("allkeys-lru" in found["advice"]) == (level == "warning")


def test_a_server_that_does_not_say_what_bounds_it(redis_server: Any, clock: Clock) -> None:
    """Who hosts it may not let anyone ask."""
    store = RedisStore(redis_server.url)
    store.open(signed=False)
    store.close()
    with redis_server.client() as client:
        client.acl_setuser("default", enabled=True, nopass=True, commands=["-info"], keys="*")
    command = Command(redis_server.tcp_url, clock)
    assert looked(command)["maxmemory"]["level"] == "note"
    assert command("doctor").status == 0


@pytest.mark.parametrize(
    ("cache", "status", "said"),
    [
        ("nothing.sqlite", 0, "nothing is there yet"),
        ("letter", 1, "is a text"),
        ("memory:", 1, "lives in its program"),
        ("redis://127.0.0.1:1", 1, "redis://127.0.0.1:1/0"),
        ("http://x", 1, "names where responses are kept"),
    ],
)
def test_other_places(tmp_path: Path, clock: Clock, cache: str, status: int, said: str) -> None:
    (tmp_path / "letter").write_text("dear")
    command = Command(cache if ":" in cache else str(tmp_path / cache), clock)
    ran = command("doctor")
    assert ran.status == status
    assert said in ran.out
    assert [each.name for each in tmp_path.iterdir()] == ["letter"]


def test_the_default_cache_and_no_home(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = Command(None, clock)
    command.env["XDG_CACHE_HOME"] = str(tmp_path)
    assert "default.sqlite" in command("doctor").out
    assert command("ls").status == 3
    command.env["SANSIO_CACHE_SECRET"] = "a secret of some other cache of the user's"
    assert command("ls").status == 3, "the default cache is never signed"


@pytest.mark.parametrize(("place", "named"), [("sqlite", True), ("files", False)], indirect=["place"])
def test_faults_of_sqlite_are_told_of_a_sqlite_file(command: Command, urls: dict[str, str], named: bool) -> None:
    assert ("SQLite" in looked(command)) == named
