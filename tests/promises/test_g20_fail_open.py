"""G20: fail open. The request succeeds within about a second, the cache is bypassed, and recovers; more of it in
tests/requests/test_failing.py.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from local_origin import Origin, fresh
from patience import SOON

from sansio_cache import CachedSession


def until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def locked(path: Path) -> Any:
    lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")

    def end() -> None:
        lock.execute("ROLLBACK")
        lock.close()

    return end


def garbage(path: Path) -> Any:
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\x5a" * (len(data) - 100))
    return lambda: None


def emptied(path: Path) -> Any:
    path.write_bytes(b"")
    return lambda: None


def cut_off(path: Path) -> Any:
    with sqlite3.connect(path) as other:
        # What is in the log only would not be missed.
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    os.truncate(path, path.stat().st_size // 2)
    return lambda: None


def deleted(path: Path) -> Any:
    for each in path.parent.glob(path.name + "*"):
        each.unlink()
    return lambda: None


def replaced_by_a_folder(path: Path) -> Any:
    deleted(path)
    path.mkdir()
    return path.rmdir


def replaced_by_a_text(path: Path) -> Any:
    deleted(path)
    path.write_text("mine")
    return path.unlink


def overwritten(path: Path) -> Any:
    """In its place, by ``cp thesis cache.sqlite``: the same file, and not ours any more."""
    text = b"mine" * 100_000
    path.write_bytes(text)

    def end() -> None:
        if sys.version_info >= (3, 12):  # before, SQLite brings its log into it when we close it
            assert path.read_bytes() == text
        path.unlink()

    return end


def of_another_schema(path: Path) -> Any:
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE records")
    database.close()
    return lambda: None


def newer(path: Path) -> Any:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    return lambda: deleted(path)


FAULTS = [
    *(locked, garbage, emptied, cut_off, deleted, replaced_by_a_folder, replaced_by_a_text, overwritten),
    *(of_another_schema, newer),
]


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_a_second_at_most_and_heals(
    cache_file: Path, key: str, origin: Origin, fault: Any, opened: bool
) -> None:
    """G20: in a session that has the file open, and in a new one."""
    old, new = origin.on("/old", fresh(b"old")), origin.on("/new", fresh(b"new"))
    session = CachedSession(cache_file, secret_key=key)
    session.get(old)
    if not opened:
        session.close()
        session = CachedSession(cache_file, secret_key=key)
    end = fault(cache_file)
    started = time.monotonic()
    assert session.get(new).content == b"new"
    assert session.get(old).content == b"old"
    assert time.monotonic() - started < SOON
    started = time.monotonic()
    for _ in range(20):
        assert session.get(new).content == b"new"
    assert time.monotonic() - started < SOON
    end()
    until(lambda: session.get(new).from_cache)
    until(lambda: session.get(old).from_cache)
    session.close()
