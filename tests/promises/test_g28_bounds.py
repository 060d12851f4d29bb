"""G28: everything is bounded: entries, bytes, variants, heads, waiting for a leader and for a lock."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from clock import Clock
from local_origin import Origin, Reply, fresh

from sansio_cache import CachedSession, SQLiteStore
from sansio_cache_adapters.cache.flights import FLIGHTS
from sansio_cache_adapters.testing import make_item


def settled(session: CachedSession) -> None:
    while session.cache.store.sweep(now=time.time()):
        pass


def test_bytes(cache_file: Path, origin: Origin) -> None:
    """G28: the longest unused go; those used lately stay."""
    with CachedSession(SQLiteStore(cache_file, max_bytes=1_000_000)) as session:
        origin.on("/a", fresh(bytes(50_000)))
        for number in range(60):
            session.get(origin.url(f"/a?{number}"))
            session.get(origin.url("/a?0"))
        session.cache.store.flush(30)
        settled(session)
        size = session.cache.size()
        assert size.bytes <= 1_000_000
        assert 10 <= size.entries <= 20
        assert session.get(origin.url("/a?59")).from_cache
        assert not session.get(origin.url("/a?5")).from_cache


def test_large_bodies_count(cache_file: Path, origin: Origin) -> None:
    """G28: the file itself stays within what the bound allows, bodies under way included."""
    with CachedSession(SQLiteStore(cache_file, max_bytes=10_000_000), max_body=5_000_000) as session:
        origin.on("/a", fresh(bytes(3_000_000)))
        for number in range(10):
            session.get(origin.url(f"/a?{number}"))
        settled(session)
        assert session.cache.size().bytes <= 10_000_000


def test_entries(cache_file: Path, origin: Origin) -> None:
    """G28: where the user sets a bound."""
    with CachedSession(SQLiteStore(cache_file, max_entries=10)) as session:
        origin.on("/a", fresh(b"x"))
        for number in range(30):
            session.get(origin.url(f"/a?{number}"))
        settled(session)
        assert session.cache.size().entries <= 10


def test_a_head_too_large_is_not_kept(session: CachedSession, origin: Origin) -> None:
    """G28: 64 KiB."""
    fields = {"Cache-Control": "max-age=60"} | {f"X-{number}": "y" * 5_000 for number in range(14)}
    url = origin.on("/a", Reply(b"x", fields=fields))
    assert [session.get(url).from_cache for _ in range(2)] == [False, False]
    assert session.cache.size().entries == 0
    assert session.cache.stats.not_stored == 2


def test_expired_entries_go_by_themselves(sessions: Any, clock: Clock, origin: Origin) -> None:
    """G28: with room for stale use and validation."""
    session = sessions(clock=clock)
    session.get(origin.on("/plain", fresh(b"x", 10)))
    session.get(origin.on("/tagged", fresh(b"x", 10, etag='"1"')))
    store = session.cache.store
    store.sweep(now=clock() + 100)
    assert session.cache.size().entries == 2
    store.sweep(now=clock() + 2 * 86_400)
    assert session.cache.urls() == [origin.url("/tagged")]
    store.sweep(now=clock() + 40 * 86_400)
    assert session.cache.size() == (0, 0)


def test_what_flights_remember_is_bounded(session: CachedSession) -> None:
    """G28: keys that were not storable."""
    from sansio_cache.keys import Keys

    for number in range(10_000):
        key = number.to_bytes(32, "big")
        joined = FLIGHTS.join(b"a store", Keys(key, key), "me")
        assert isinstance(joined, tuple)
        FLIGHTS.end(joined[1], storable=False)
    assert FLIGHTS.count() == 0
    assert len(FLIGHTS._not_storable) <= 4096
    FLIGHTS._not_storable.clear()


def test_marks_of_unsafe_requests_are_few_and_none_is_forgotten(origin: Origin, cache_file: Path) -> None:
    """G28: anyone who may choose URLs may not fill the disk with them; what was on its way meanwhile is not kept."""
    origin.on("/a", fresh(b"x"))
    store = SQLiteStore(cache_file, max_bytes=100_000)
    with CachedSession(store) as session:
        for number in range(200):
            session.post(origin.url(f"/a?{number}"))
        settled(session)
        with closing(sqlite3.connect(cache_file)) as database:
            assert database.execute("SELECT count(*) FROM marks").fetchone()[0] <= 100_000 // 16 // 128
        early = make_item("early", resource="never dropped", now=time.time() - 30)
        assert not store.commit(early, vary_limit=32, now=time.time())
        session.get(origin.url("/a?0"))
        assert session.get(origin.url("/a?0")).from_cache


def test_marks_count_towards_the_bound(origin: Origin, cache_file: Path) -> None:
    """G28: they take the room of records."""
    with CachedSession(SQLiteStore(cache_file, max_bytes=1_000_000)) as session:
        origin.on("/a", fresh(bytes(16_000)))
        for number in range(60):
            session.get(origin.url(f"/a?{number}"))
        settled(session)
        assert session.cache.size().entries >= 55
        for number in range(1000, 1480):
            session.post(origin.url(f"/a?{number}"))
        settled(session)
        assert session.cache.size().entries < 60
        assert session.cache.size().bytes <= 1_000_000 - 480 * 128
