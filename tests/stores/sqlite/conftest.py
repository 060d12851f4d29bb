"""What the tests of the SQLite store share: other processes, and waiting for what a thread does by itself."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from sansio_cache_adapters.stores.sqlite import maintenance
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore

HEAD = """
import json, os, sqlite3, sys, threading, time
from sansio_cache.errors import ForeignStore, ReadOnlyStore, StoreBusy, StoreError
from sansio_cache.records import CHUNK_SIZE, chunk_hashes
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, stream
path = sys.argv[1]
now = time.time()
def say(value):
    print(json.dumps(value), flush=True)
def hear():
    return sys.stdin.readline()
"""


class Script(Protocol):
    def __call__(self, code: str, *arguments: object) -> subprocess.Popen[str]: ...


@pytest.fixture
def script() -> Iterator[Script]:
    """Runs code in another process, with its output and input at hand; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", HEAD + textwrap.dedent(code), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture(autouse=True)
def _only_when_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maintenance begins half a second after a write, in which not every machine comes to a test's end."""
    if "by_itself" not in request.fixturenames:
        monkeypatch.setattr(maintenance, "_REST", 600.0)


@pytest.fixture
def by_itself() -> None:
    """For tests of what maintenance does without being asked."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store of a test lies."""
    return tmp_path / "cache.sqlite"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., SQLiteStore]]:
    """Makes stores on ``path`` and closes them."""
    made: list[SQLiteStore] = []

    def make(**settings: object) -> SQLiteStore:
        made.append(SQLiteStore(path, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(opened: Callable[..., SQLiteStore]) -> SQLiteStore:
    """An open store."""
    made = opened()
    made.open(signed=False)
    return made


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for something that another thread or process does by itself, for half a minute at most."""

    def wait(happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not happened():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.01)

    return wait


@pytest.fixture
def raw(path: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Plain connections to the file, as a stranger has them."""
    made: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        made.append(sqlite3.connect(path, isolation_level=None, timeout=10))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()
