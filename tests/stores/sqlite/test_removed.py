"""Records that maintenance removed are as good as gone at once; their rows go by and by."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

import pytest

from sansio_cache import SQLiteStore, StoreError
from sansio_cache.records import CHUNK_SIZE, INLINE_LIMIT
from sansio_cache.testing import make_item, name, put, stream
from sansio_cache_adapters.stores.protocol import Listed, Seen
from sansio_cache_adapters.stores.sqlite import schema as sql

Raw = Callable[[], sqlite3.Connection]


def fill(store: SQLiteStore, count: int, now: float, *, size: int = 100) -> None:
    for index in range(count):
        put(store, make_item(f"{index}", bytes(size), resource=f"{index}", now=now), now=now)


def remove(store: SQLiteStore, *partitions: str) -> int:
    names = {name(each) for each in partitions}
    return store.change([each for each in store.listed() if each.partition in names], None)


def rows(raw: Raw, table: str = "records") -> int:
    count: int = raw().execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


@pytest.fixture
def now() -> float:
    return time.time()


class TestAtOnce:
    def test_no_verb_sees_them(self, store: SQLiteStore, raw: Raw, now: float) -> None:
        """The rows are still there; who loads, lists, counts, drops, changes or looks at the file sees the others."""
        fill(store, 3, now)
        [seen] = [each for each in store.listed() if each.partition == name("1")]
        assert remove(store, "1") == 1
        assert rows(raw) == 3
        assert list(store.load(name("1"))) == []
        assert {each.partition for each in store.listed()} == {name("0"), name("2")}
        assert store.size().entries == 2
        assert not store.change([seen], b"sealed anew")
        assert not store.change([seen], make_item("1", now=now))
        assert not store.change([Seen(seen.partition, seen.variant, seen.rev)], None)
        assert store.change([seen], None) == 0
        assert store.drop(name("1"), now=now - 1) == 0
        assert rows(raw, "responses") == 2

    @pytest.mark.parametrize("counted", [False, True])
    def test_totals_leave_them_out_once(self, store: SQLiteStore, now: float, counted: bool) -> None:
        """Whether maintenance had counted them or not, and when their rows have gone too."""
        fill(store, 10, now)
        if counted:
            store._maintenance.once(now)
        assert remove(store, "9", "8", "3") == 3
        held = (7, sum(each.size + len(each.stored.sealed) for each in store.listed()))
        assert store.size() == held
        store._maintenance.once(now)
        assert store.size() == held

    def test_ids_that_are_given_again(self, store: SQLiteStore, now: float) -> None:
        """The last rows went, and the next record has the id of one that was removed."""
        fill(store, 5, now)
        store._maintenance.once(now)
        assert remove(store, "4", "3") == 2
        while store.sweep(now=now):
            pass
        put(store, make_item("new", b"new", now=now), now=now)
        assert [each.body for each in store.load(name("new"))] == [b"new"]
        assert store.size().entries == 4

    def test_rows_that_somebody_else_took(self, store: SQLiteStore, raw: Raw, now: float) -> None:
        """A note without its row is forgotten; a record that is given its id is not taken for it."""
        fill(store, 2, now)
        assert remove(store, "1") == 1
        raw().execute("DELETE FROM records WHERE id = 2")
        put(store, make_item("new", b"new", now=now), now=now)
        assert [each.body for each in store.load(name("new"))] == [b"new"]
        while store.sweep(now=now):
            pass
        assert [each.body for each in store.load(name("new"))] == [b"new"]
        assert rows(raw, "removed") == 0
        assert remove(store, "new") == 1
        assert list(store.load(name("new"))) == []

    def test_the_same_is_stored_again_before_the_row_goes(self, store: SQLiteStore, raw: Raw, now: float) -> None:
        """The new record of the same variant is not taken for the removed one, nor deleted with it."""
        fill(store, 1, now)
        assert remove(store, "0") == 1
        put(store, make_item("0", b"again", resource="0", now=now), now=now)
        assert rows(raw) == 2
        while store.sweep(now=now):
            pass
        assert [each.body for each in store.load(name("0"))] == [b"again"]
        assert rows(raw) == 1
        assert rows(raw, "removed") == 0


class TestByAndBy:
    def test_the_rows_go_in_batches(self, store: SQLiteStore, raw: Raw, now: float) -> None:
        """``sweep`` takes at most ``limit``; bodies that lie elsewhere go too."""
        fill(store, 25, now, size=sql.IN_ROW + 1)
        assert remove(store, *map(str, range(20))) == 20
        assert store.sweep(now=now, limit=8) == 8
        assert (rows(raw), rows(raw, "small")) == (17, 17)
        while store.sweep(now=now, limit=8):
            pass
        assert (rows(raw), rows(raw, "small"), rows(raw, "removed")) == (5, 5, 0)
        assert store.size().entries == 5

    @pytest.mark.usefixtures("by_itself")
    def test_nobody_has_to_call(self, store: SQLiteStore, raw: Raw, until: Callable[..., None], now: float) -> None:
        """The store's thread does, when no more are being removed."""
        fill(store, 30, now)
        assert remove(store, *map(str, range(30))) == 30
        until(lambda: rows(raw) == rows(raw, "removed") == 0)

    @pytest.mark.usefixtures("by_itself")
    def test_closing_does_not_wait_until_it_may_go_on(self, store: SQLiteStore, raw: Raw, now: float) -> None:
        """The sweep is put off by who removes records, and not the end of its thread with it."""
        took: list[float] = []
        while len(took) < 5 and min(took, default=1.0) > 0.3:  # a busy machine may take its time for some of them
            store.clear()
            fill(store, 500, now)
            doomed = list(store.listed())
            while rows(raw) == 500:
                store.change(doomed[:40], None)
            began = time.perf_counter()
            store.close()
            took.append(time.perf_counter() - began)
        assert min(took) < 0.4  # a rest is half a second

    def test_not_while_another_store_goes_on_removing(
        self, store: SQLiteStore, opened: Callable[..., SQLiteStore], raw: Raw, now: float
    ) -> None:
        """Anyone who has seen the last note at its last look takes the rows out, be it the hundredth look."""
        fill(store, 3, now)
        other = opened()
        looks = [store._maintenance._are_being_removed()]
        for each in ("0", "1"):
            assert remove(other, each) == 1
            looks += [store._maintenance._are_being_removed(), store._maintenance._are_being_removed()]
        assert looks == [False, True, False, True, False]
        store._maintenance.once(now)
        assert (rows(raw), rows(raw, "removed")) == (1, 0)

    def test_a_large_body_stays_readable_for_a_minute(self, store: SQLiteStore, now: float) -> None:
        """From its removal on, not from the burial of its row."""
        body = bytes(INLINE_LIMIT + CHUNK_SIZE)
        stored = put(store, stream(store, make_item("large", body, now=now)), now=now)
        assert remove(store, "large") == 1
        assert store.chunk(stored.entry, 0) == body[:CHUNK_SIZE]
        while store.sweep(now=time.time() + 61):
            pass
        with pytest.raises(StoreError):
            store.chunk(stored.entry, 0)

    def test_what_has_expired_waits_for_them(self, store: SQLiteStore, now: float) -> None:
        """The expired go after the removed, in the same row of sweeps."""
        fill(store, 5, now)
        put(store, make_item("old", now=now - 100, lifetime=50, resource="old"), now=now)
        assert remove(store, *map(str, range(5))) == 5
        assert store.sweep(now=now) == 5
        assert store.sweep(now=now) == 1
        assert store.size().entries == 0

    def test_clear_takes_them_along(self, store: SQLiteStore, raw: Raw, now: float) -> None:
        """Nothing is left that a new record's id could be taken for."""
        fill(store, 5, now)
        assert remove(store, "4") == 1
        store.clear()
        assert (rows(raw), rows(raw, "removed")) == (0, 0)
        fill(store, 5, now)
        assert store.size().entries == 5


class TestOverTheBound:
    def test_it_goes_down_to_low_water_in_small_batches(self, opened: Callable[..., SQLiteStore], now: float) -> None:
        """Once over, a store goes on until it holds a tenth less, however small the batches are."""
        store = opened(max_entries=100)
        fill(store, 101, now)
        while store.sweep(now=now, limit=2):
            pass
        assert store.size().entries == 90
        fill(store, 5, now)
        assert store.sweep(now=now, limit=2) == 0
        assert store.size().entries == 95

    @pytest.mark.usefixtures("by_itself")
    def test_it_does_so_however_fast_others_write(self, opened: Callable[..., SQLiteStore], now: float) -> None:
        """Who goes on writing all the time leaves the lock free for the sweep too."""
        store = opened(max_entries=500, busy_timeout=30)
        written, ends = 0, time.monotonic() + 60
        while written < 1500 or written % 100 or store.size().entries >= written / 2:
            assert time.monotonic() < ends
            item = make_item(f"{written}", resource=f"{written}", now=now)
            assert store.commit(item, vary_limit=32, now=now)
            written += 1

    def test_before_the_rows_of_what_was_removed(
        self, opened: Callable[..., SQLiteStore], raw: Raw, now: float
    ) -> None:
        """Those weigh nothing any more."""
        store = opened(max_entries=20)
        fill(store, 31, now)
        assert remove(store, *map(str, range(10))) == 10
        assert store.sweep(now=now, limit=5) == 3
        assert (store.size().entries, rows(raw, "removed")) == (18, 10)
        assert store.sweep(now=now, limit=50) == 10
        assert (store.size().entries, rows(raw), rows(raw, "removed")) == (18, 18, 0)


def test_a_clock_that_stands_still(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, raw: Raw, now: float) -> None:
    """Tests of others stop every clock; the sweep goes on all the same."""
    fill(store, 3, now)
    assert remove(store, "1", "2") == 2
    with monkeypatch.context() as stopped:
        stopped.setattr(time, "perf_counter", lambda: 1.0)
        store._maintenance.once(now)
    assert rows(raw) == 1


def test_records_that_somebody_copied(store: SQLiteStore, now: float) -> None:
    """What was listed may come back as a plain copy, from another process or store."""
    fill(store, 3, now)
    plain = [Listed(*each) for each in store.listed()]
    assert store.change(plain[:2], None) == 2
    assert store.change(plain, None) == 1
    assert list(store.listed()) == []
