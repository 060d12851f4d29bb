"""A store whose lock a stranger can hold, and both async libraries to queue writes from."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from sansio_cache_adapters.stores.sqlite.store import SQLiteStore


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[object]]], object]:
    """Runs an async function on either library."""
    return lambda function: anyio.run(function, backend=str(request.param))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


@pytest.fixture
def inner(path: Path) -> Iterator[SQLiteStore]:
    """A store that waits for others for 0.3 s."""
    store = SQLiteStore(path, busy_timeout=0.3)
    store.open(signed=False)
    yield store
    store.close()


@pytest.fixture
def other(path: Path, inner: SQLiteStore) -> Iterator[sqlite3.Connection]:
    """A stranger who can hold the lock."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    yield connection
    connection.close()
