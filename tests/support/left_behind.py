"""What a request that was cancelled or broke off must not leave in a store."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import Any

from sansio_cache import MemoryStore
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.stores.protocol import AsyncFlushing, Lease
from sansio_cache_adapters.stores.sqlite.schema import PENDING

__all__ = ["half_bodies", "no_flight_is_left", "nothing_is_held"]


def half_bodies(store: Any) -> int:
    """How many bodies in a memory or SQLite store were begun, and neither committed nor given up."""
    if isinstance(store, MemoryStore):
        return len(vars(store)["_pending"].keys() - set(vars(store)["_aborted"]))
    with closing(sqlite3.connect(store.path)) as db:
        return int(db.execute("SELECT count(*) FROM bodies WHERE state = ?", (PENDING,)).fetchone()[0])


def no_flight_is_left() -> None:
    """No flight goes on; those that were dropped are ended by a thread that may have its turn still to come."""
    deadline = time.monotonic() + 10
    while FLIGHTS.count() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert FLIGHTS.count() == 0


async def nothing_is_held(engine: Any, store: Any, key: bytes) -> None:
    """There is no flight, no lease of this partition, and no half-written body.

    :param engine: of the session, which gives leases back in its own time.
    """
    assert FLIGHTS.count() == 0
    if isinstance(engine.store, AsyncFlushing):
        assert await engine.store.flush(5)
    now = engine.clock()
    assert store.claim(key, b"r" * 32, b"probe", now=now, until=now + 1) is not Lease.HELD
    store.release(key, b"probe")
    assert half_bodies(store) == 0
