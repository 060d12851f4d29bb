"""What happens by itself and off the hot path, and what the file looks like from outside."""

from __future__ import annotations

import os
import pickle
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT
from sansio_cache.sealing import make_sealer
from sansio_cache_adapters.stores.claims import CHECKPOINT, Claims
from sansio_cache_adapters.stores.lock_places import beside
from sansio_cache_adapters.stores.protocol import Lease, new_entry
from sansio_cache_adapters.stores.sqlite import maintenance, place
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put, stream

NOW = time.time()
Raw = Callable[[], sqlite3.Connection]
Opened = Callable[..., SQLiteStore]
Until = Callable[[Callable[[], bool]], None]
KEY = b"0123456789abcdef0123456789abcdef"


@pytest.mark.usefixtures("by_itself")
class TestByItself:
    def test_what_has_expired_goes(self, store: SQLiteStore, until: Until) -> None:
        """A thread calls ``sweep`` a moment after the write; no other call is needed."""
        put(store, make_item("old", now=NOW - 100, lifetime=50), now=NOW)
        put(store, make_item("new", resource="new", now=NOW), now=NOW)
        until(lambda: store.size().entries == 1)
        assert len(store.load(name("new"))) == 1

    def test_what_is_over_the_bound_goes(self, opened: Opened, until: Until) -> None:
        """G28: the longest unused first, and some more than must."""
        store = opened(max_bytes=500_000)
        for index in range(40):
            put(store, make_item(str(index), bytes(20_000), resource=str(index), now=NOW), now=NOW + index)
        until(lambda: store.size().bytes <= 450_000)
        assert len(store.load(name("39"))) == 1
        assert list(store.load(name("0"))) == []

    def test_the_log_is_brought_into_the_file(self, path: Path, store: SQLiteStore, until: Until) -> None:
        """G28: a log that is never checkpointed would grow for ever. Two writers at once, 160 MiB in all."""

        def write(number: int) -> None:
            for index in range(20):
                text = f"{number} {index}"
                body = bytes(4 * CHUNK_SIZE)
                put(store, stream(store, make_item(text, body, resource=text, now=NOW)), now=NOW)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(write, range(2)))
        until(lambda: path.stat().st_size > 160 * CHUNK_SIZE)
        assert path.with_name(path.name + "-wal").stat().st_size < 110 * CHUNK_SIZE

    def test_one_checkpoints_at_a_time(self, path: Path, store: SQLiteStore, opened: Opened, until: Until) -> None:
        """G21: over all processes, by a byte of the lock file; a process that finds it taken leaves the log alone."""
        put(store, make_item("one", bytes(60_000), now=NOW), now=NOW)
        second = opened()
        second.open(signed=False)
        size = path.stat().st_size
        claims = Claims(lambda: beside(str(path)))
        with claims.alone(CHECKPOINT) as alone:
            assert alone
            second._maintenance._checkpoint()
            assert path.stat().st_size == size
        until(lambda: second._maintenance._checkpoint() is None and path.stat().st_size > size + 50_000)

    @pytest.mark.parametrize("is_mended", [False, True], ids=["before SQLite 3.51.3", "since"])
    def test_nobody_commits_during_a_checkpoint(
        self, store: SQLiteStore, raw: Raw, is_mended: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """G21: where SQLite does not see to it itself; a log begun anew meanwhile could end in a broken file."""
        put(store, make_item("one", bytes(60_000), now=NOW), now=NOW)
        other, found = raw(), set[str]()
        other.execute("PRAGMA busy_timeout = 0")
        checkpoint = maintenance._checkpoint

        def watched(db: sqlite3.Connection, how: str) -> tuple[int, int, int]:
            try:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
                found.add("free")
            except sqlite3.OperationalError as error:
                found.add(error.sqlite_errorname)
            return checkpoint(db, how)

        monkeypatch.setattr(maintenance, "_checkpoint", watched)
        monkeypatch.setattr(maintenance, "_IS_MENDED", is_mended)
        store._maintenance._checkpoint()
        assert found == {"free" if is_mended else "SQLITE_BUSY"}
        put(store, make_item("two", now=NOW), now=NOW)

    @pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="this system has no such call")
    @pytest.mark.parametrize("names", [1, 2])
    def test_others_commit_while_the_log_is_written_to_the_disk(
        self, store: SQLiteStore, path: Path, names: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which takes most of the time of a checkpoint. A log under a second name is left to SQLite."""
        put(store, make_item("one", now=NOW), now=NOW)
        log = path.with_name(f"{path.name}-wal")
        if names > 1:
            os.link(log, path.with_name("second"))
        synced: list[int] = []

        def committing(descriptor: int) -> None:
            synced.append(os.fstat(descriptor).st_ino)
            put(store, make_item("two", now=NOW), now=NOW)

        monkeypatch.setattr(place, "_fdatasync", committing)
        monkeypatch.setattr(maintenance, "_IS_MENDED", False)
        store._maintenance._checkpoint()
        assert synced == ([log.stat().st_ino] if names == 1 else [])
        assert len(store.load(name("two"))) == len(synced)

    def test_totals_stay_true_when_the_last_records_go(self, store: SQLiteStore) -> None:
        """Ids are given again: what was counted must not be taken for what comes in its place."""
        now = time.time()
        for round_ in range(3):
            for index in range(10):
                put(store, make_item(f"{index}", bytes(100), resource=f"{index}", now=now), now=now)
            store._maintenance.once(now)
            assert store.size().entries == 10
            for index in (9, 8, 3):
                assert store.drop(name(f"{index}"), now=now - 1) == 1
            assert store.size().entries == 7
            put(store, make_item("8", bytes(100), resource="8", now=now), now=now)
            store._maintenance.once(now)
            listed = list(store.listed())
            assert store.size() == (8, sum(each.size + len(each.stored.sealed) for each in listed)), round_

    def test_bodies_let_go_do_not_pile_up(self, opened: Opened, raw: Raw) -> None:
        """G28: replaced bodies take a quarter of the bound at most while they wait for their last readers."""
        store = opened(max_bytes=8 * CHUNK_SIZE)
        for _ in range(8):
            put(store, stream(store, make_item("one", bytes(CHUNK_SIZE), now=NOW)), now=NOW)
            while store.sweep(now=NOW):
                pass
        assert raw().execute("SELECT count(*) FROM chunks").fetchone()[0] <= 3


class TestRecency:
    def used_at(self, raw: Raw) -> float:
        value: float = raw().execute("SELECT used_at FROM records").fetchone()[0]
        return value

    def test_uses_are_written_at_most_once_a_minute(self, store: SQLiteStore, raw: Raw) -> None:
        """No write per hit."""
        stored = put(store, make_item("one", now=NOW), now=NOW)
        for seconds, expected in ((100, 100), (130, 100), (159, 100), (161, 161)):
            store.touch(name("one"), stored.entry, now=NOW + seconds)
            assert store.flush(1.0)
            assert self.used_at(raw) == pytest.approx(NOW + expected)

    def test_a_clock_set_back_makes_nothing_older(self, store: SQLiteStore, raw: Raw) -> None:
        """G25: the latest use counts."""
        stored = put(store, make_item("one", now=NOW), now=NOW)
        store.touch(name("one"), stored.entry, now=NOW - 86_400)
        assert store.flush(1.0)
        assert self.used_at(raw) == pytest.approx(NOW)

    def test_closing_writes_them(self, store: SQLiteStore, raw: Raw) -> None:
        """What was noted survives."""
        stored = put(store, make_item("one", now=NOW), now=NOW)
        store.touch(name("one"), stored.entry, now=NOW + 100)
        store.close()
        assert self.used_at(raw) == pytest.approx(NOW + 100)

    @pytest.mark.usefixtures("by_itself")
    def test_a_store_that_only_reads_writes_them_too(
        self, path: Path, store: SQLiteStore, until: Until, raw: Raw
    ) -> None:
        """Hits alone begin maintenance."""
        stored = put(store, make_item("one", now=NOW), now=NOW)
        store.close()
        reader = SQLiteStore(path)
        reader.load(name("one"))
        reader.touch(name("one"), stored.entry, now=NOW + 100)
        until(lambda: self.used_at(raw) > NOW)
        reader.close()

    def test_that_they_cannot_be_written_is_said_by_flush(self, opened: Opened, raw: Raw) -> None:
        """And does no harm."""
        store = opened(busy_timeout=0.1)
        stored = put(store, make_item("one", now=NOW), now=NOW)
        other = raw()
        other.execute("BEGIN IMMEDIATE")
        store.touch(name("one"), stored.entry, now=NOW + 100)
        assert not store.flush(1.0)


class Slow:
    """A file at which every row takes so many seconds, as where another thread never rests."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.batches: list[int] = []

    def write(self, work: Callable[[Any], float], *, longest: float) -> float:
        return work(self)

    def executemany(self, _: str, rows: list[object]) -> None:
        self.batches.append(len(rows))
        self.now += self.seconds * len(rows)

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("seconds", "batches"),
    [(0.005, [16] * 62 + [8]), (0.000_001, [16, 32, 64, 128, 256, 500, 4]), (0.0, [16, 32, 64, 128, 256, 500, 4])],
)
def test_uses_are_written_in_batches_that_hold_the_lock_for_a_moment(
    seconds: float, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five hundred at once held it for seconds beside a busy loop; writers that waited took the store for broken."""
    file: Any = Slow(seconds)
    monkeypatch.setattr(maintenance, "time", file)
    backlog = maintenance.Backlog()
    for number in range(1_000):
        backlog.note_use(name(str(number)), new_entry(), 1.0)
    backlog.write(file)
    assert file.batches == batches


def test_what_is_left_from_before_the_clock_was_set_back_goes(store: SQLiteStore) -> None:
    """G25: chunks of a dead writer, and a body that was replaced, with times a day ahead."""
    put(store, stream(store, make_item("one", bytes(CHUNK_SIZE), now=NOW)), now=NOW)
    stream(store, make_item("two", bytes(CHUNK_SIZE), now=NOW))
    put(store, make_item("one", b"", now=NOW), now=NOW)
    while store.sweep(now=time.time() - 86_400):
        pass
    assert store.size() == (1, len(make_item("one", b"", now=NOW).sealed))


class TestForgotten:
    def test_marks_that_ended_are_swept(self, store: SQLiteStore, raw: Raw) -> None:
        """G28: resources that are never asked for again leave nothing."""
        for index in range(20):
            store.drop(name(str(index)), now=NOW)
        while store.sweep(now=NOW + 1000, limit=7):
            pass
        assert raw().execute("SELECT count(*) FROM marks").fetchone() == (0,)

    def test_a_claim_writes_nothing(self, store: SQLiteStore, path: Path, raw: Raw) -> None:
        """Neither when it is taken nor when it is given back; the marks of an earlier version hold no request up."""
        now = time.time()  # by the system's own clock a timer ends what is told
        raw().execute("INSERT INTO leases VALUES (?, x'', x'01', ?, 0)", (name("one"), now + 50))
        before = Path(f"{path}-wal").read_bytes()
        assert store.claim(name("one"), name("one"), b"a", now=now, until=now + 50) is Lease.GRANTED
        store.release(name("one"), b"a", open_until=now + 40)
        assert store.claim(name("one"), name("one"), b"b", now=now, until=now + 50) is Lease.OPEN
        assert Path(f"{path}-wal").read_bytes() == before


class TestAtOnce:
    def test_many_small_variants_are_read_at_once(self, store: SQLiteStore) -> None:
        """More rows than are read blindly."""
        for index in range(10):
            put(store, make_item("one", b"x" * 1000, variant=str(index), now=NOW), now=NOW)
        assert len(store.load_nowait(name("one")) or ()) == 10

    def test_many_large_variants_are_not(self, store: SQLiteStore) -> None:
        """They would hold up a loop; ``load`` reads them, and the next reads are well."""
        for index in range(10):
            put(store, make_item("one", bytes(INLINE_LIMIT), variant=str(index), now=NOW), now=NOW)
        put(store, make_item("two", resource="two", now=NOW), now=NOW)
        assert store.load_nowait(name("one")) is None
        assert len(store.load(name("one"))) == 10
        assert len(store.load_nowait(name("two")) or ()) == 1

    def test_before_it_is_open_nothing_is_known(self, path: Path, store: SQLiteStore) -> None:
        """To open a file takes too long for a loop."""
        put(store, make_item("one", now=NOW), now=NOW)
        other = SQLiteStore(path)
        assert other.load_nowait(name("one")) is None
        other.open(signed=False)
        assert len(other.load_nowait(name("one")) or ()) == 1
        other.close()

    def test_a_broken_log_of_readers_does_not_raise(self, path: Path, store: SQLiteStore, raw: Raw) -> None:
        """What cannot be read at once is None: anyone who may wait finds out why."""
        put(store, make_item("one", now=NOW), now=NOW)
        raw().execute("DROP TABLE small")
        assert store.load_nowait(name("one")) is None
        assert list(store.load(name("one"))) == []
        assert path.with_name(path.name + ".corrupt-1").exists()


class TestTogether:
    def test_many_writes_are_one_transaction(self, store: SQLiteStore, raw: Raw) -> None:
        """Others see all or nothing."""
        other = raw()

        def work() -> int:
            for text in ("one", "two"):
                assert store.commit(make_item(text, now=NOW), vary_limit=32, now=NOW)
            assert store.claim(name("one"), name("one"), b"a", now=NOW, until=NOW + 30) is Lease.GRANTED
            return int(other.execute("SELECT count(*) FROM records").fetchone()[0])

        assert store.together(work) == 0
        assert store.size().entries == 2

    def test_one_that_fails_takes_all_back(self, store: SQLiteStore) -> None:
        """Nothing of it is written, and the store is free."""

        def work() -> None:
            store.commit(make_item("one", now=NOW), vary_limit=32, now=NOW)
            store.write(new_entry(), 7, b"a chunk without a beginning")

        with pytest.raises(StoreError):
            store.together(work)
        assert store.size() == (0, 0)
        put(store, make_item("one", now=NOW), now=NOW)


class TestFromOutside:
    def test_a_person_can_read_it(self, store: SQLiteStore, raw: Raw) -> None:
        """Which responses lie there, by any SQLite tool."""
        put(store, replace(make_item("one", now=1_700_000_000), stale_at=float("inf")), now=NOW)
        columns = "method, url, status, size, stored_at, expires_at, tags"
        assert raw().execute(f"SELECT {columns} FROM responses").fetchall() == [
            ("GET", "http://example.org/one", 200, 4, "2023-11-14 22:13:20", "9999-12-31 23:59:59", '["tag","one"]')
        ]

    def test_sqlite_utils_reads_it(self, store: SQLiteStore, path: Path) -> None:
        """Its users look at the view by name."""
        from sqlite_utils import Database

        put(store, make_item("one", now=NOW), now=NOW)
        db = Database(path)
        assert [row["url"] for row in db["responses"].rows] == ["http://example.org/one"]
        db.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE records SET url = 'x', status = 999, method = 'POST', tags = '[', size = -1, weight = 7",
            "UPDATE records SET url = x'ff', tags = x'00', status = 'many', stale_at = 'never'",
            "UPDATE records SET partition_64 = 0",
            "UPDATE records SET small_id = 77, body = NULL",
            "UPDATE records SET body_id = 77, body = NULL",
            "UPDATE records SET entry = 'text', variant = 3.5",
            "UPDATE records SET rev = 'x'",
            "UPDATE meta SET entries = -5, bytes = 'many'",
            "UPDATE meta SET store_id = 'x', salt = 5, signed = 'yes'",
            "DELETE FROM small",
        ],
    )
    def test_nothing_outside_the_sealed_head_can_hurt(self, store: SQLiteStore, raw: Raw, statement: str) -> None:
        """G3: anyone who writes into the plain columns makes a miss, or makes it look odd."""
        put(store, make_item("one", now=NOW), now=NOW)
        put(store, make_item("two", bytes(5000), resource="two", now=NOW), now=NOW)
        raw().execute(statement)
        try:
            store.open(signed=False)
            for text in ("one", "two"):
                for stored in store.load(name(text)):
                    store.touch(name(text), stored.entry, now=NOW + 100)
            listed = list(store.listed())
            store.change(listed, None)
            store.flush(1.0)
            store.sweep(now=NOW)
            store.commit(make_item("three", resource="three", now=NOW), vary_limit=32, now=NOW)
        except StoreError:
            return

    def test_it_comes_back_from_a_pickle(self, path: Path) -> None:
        """dropin.md §8: on the same file, with its settings and its secret."""
        store = SQLiteStore(path, max_bytes=10**6, max_entries=77, secret_key=KEY, busy_timeout=0.5)
        put(store, make_item("one", now=NOW), now=NOW)
        again: SQLiteStore = pickle.loads(pickle.dumps(store))
        assert (again.location, again.max_bytes, again.max_entries, again.busy_timeout) == (str(path), 10**6, 77, 0.5)
        assert again.sealer == store.sealer == make_sealer(KEY)
        assert again.load(name("one")) == store.load(name("one"))
        for each in (store, again):
            each.close()
        assert pickle.loads(pickle.dumps(SQLiteStore(path))).sealer is None
