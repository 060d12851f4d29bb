"""A store over a table of names: the contract over a dict, and a table that is not well."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sansio_cache import SettingError, StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache.testing import StoreContract, make_item, name, put, stream
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, Seen, new_entry
from sansio_cache_adapters.stores.table import TableStore


class Names:
    """A table in memory, rolled back as a whole."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.trouble: Exception | None = None
        self.depth = 0

    @contextmanager
    def transaction(self) -> Generator[None]:
        assert self.depth == 0, "transactions are not nested"
        before, self.depth = dict(self.values), 1
        try:
            yield
        except BaseException:
            self.values = before
            raise
        finally:
            self.depth = 0

    def find(self, start: str) -> dict[str, bytes]:
        return {name: self.values[name] for name in sorted(self.values) if name.startswith(start)}

    def put(self, name: str, value: bytes) -> None:
        assert name.isascii()
        assert len(name) <= 150
        if self.trouble:
            raise self.trouble
        self.values[name] = value

    def delete(self, name: str) -> None:
        self.values.pop(name, None)

    def close(self) -> None:
        pass


class TestTableStore(StoreContract):
    shared = False

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> TableStore:
        return TableStore(Names(), location="names", max_bytes=max_bytes, max_entries=max_entries)


def test_trouble_of_the_table() -> None:
    """G20: what the table raises is a StoreError that names the place, and nothing was changed."""
    now = 1_000_000.0
    table = Names()
    store = TableStore(table, location="names", errors=(LookupError,))
    store.open(signed=True)
    put(store, make_item("one", now=now), now=now)
    before = dict(table.values)
    table.trouble = KeyError("lost")
    with pytest.raises(StoreError, match="names: 'lost'"):
        store.commit(make_item("two", now=now), vary_limit=32, now=now)
    store.release(b"p" * 32, b"t" * 16)
    assert table.values == before
    table.trouble = ValueError("a mistake, not trouble")
    with pytest.raises(ValueError, match="a mistake"):
        store.commit(make_item("two", now=now), vary_limit=32, now=now)
    table.trouble = None
    assert store.commit(make_item("two", now=now), vary_limit=32, now=now)


def test_bounds_are_checked() -> None:
    with pytest.raises(SettingError, match="max_bytes"):
        TableStore(Names(), location="names", max_bytes=0)


@pytest.fixture
def now() -> float:
    return time.time()


@pytest.fixture
def store() -> TableStore:
    return TableStore(Names(), location="names", errors=(LookupError,))


def test_who_is_refused_gives_up_nothing_of_others(store: TableStore, now: float) -> None:
    """A small body has no chunks; those that others are writing are none of its own."""
    entry = new_entry()
    store.write(entry, 0, bytes(CHUNK_SIZE))
    store.drop(name("resource"), now=now)
    assert not store.commit(make_item("small", resource="resource", now=now), vary_limit=32, now=now)
    store.sweep(now=now)
    store.write(entry, 1, b"more")


def test_a_body_that_is_half_swept_is_not_committed(store: TableStore, now: float) -> None:
    """Its writer was so slow that it was taken for dead; nor can that writer go on with it."""
    item = stream(store, make_item("large", bytes(3 * CHUNK_SIZE), now=now))
    assert store.sweep(now=now + 120, limit=2) == 2
    with pytest.raises(StoreError, match="given up"):
        store.write(item.entry, 3, b"more")
    assert not store.commit(item, vary_limit=32, now=now)
    while store.sweep(now=now):
        pass
    assert not store.table.find("body/")
    assert not store.table.find("chunk/")


def test_what_is_no_record(store: TableStore, now: float) -> None:
    """G20: a table that gives back something else is in trouble too."""
    put(store, make_item("one", now=now), now=now)
    for each in store.table.find("record/"):
        store.table.put(each, b"garbage")
    with pytest.raises(StoreError, match="names"):
        store.load(name("one"))


def test_what_expired_goes_before_what_is_used(store: TableStore, now: float) -> None:
    """Nothing is let go for room that the expired leave, be it what was used last."""
    for each in ("one", "two"):
        put(store, make_item(each, now=now), now=now - 5)
    # Not expired yet when it is stored: one commit in some sweeps too.
    old = put(store, make_item("old", now=now - 100, lifetime=50), now=now - 60)
    store.touch(name("old"), old.entry, now=now)
    store.max_entries = 2
    while store.sweep(now=now):
        pass
    assert {each.partition for each in store.listed()} == {name("one"), name("two")}


def test_uses_that_cannot_be_written(store: TableStore, now: float) -> None:
    """They are lost; flushing says so, and neither that nor closing raises."""
    stored = put(store, make_item("one", now=now), now=now)
    assert isinstance(store.table, Names)
    store.table.trouble = KeyError("lost")
    store.touch(name("one"), stored.entry, now=now)
    assert not store.flush(1.0)
    store.touch(name("one"), stored.entry, now=now)
    store.close()
    assert store.flush(1.0)


def test_trouble_at_closing(monkeypatch: pytest.MonkeyPatch, store: TableStore) -> None:
    """G20: it is a StoreError like any other."""

    def close() -> None:
        raise KeyError("lost")

    monkeypatch.setattr(store.table, "close", close)
    with pytest.raises(StoreError, match="lost"):
        store.close()


def test_uses_are_written_at_closing(store: TableStore, now: float) -> None:
    """The last ones too count when something has to go."""
    first = put(store, make_item("first", now=now), now=now - 9)
    store.touch(name("first"), first.entry, now=now)
    store.close()
    again = TableStore(store.table, location="names")
    put(again, make_item("second", now=now), now=now - 5)
    again.max_entries = 1
    while again.sweep(now=now):
        pass
    assert [each.partition for each in again.listed()] == [name("first")]


def test_revs_of_a_clock_that_stands_still(store: TableStore, monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    """A record is changed only as it was seen, however coarse the clock is."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    item = make_item("one", now=now)
    revs = [put(store, item, now=now).rev]
    for _ in range(3):
        assert store.change([Seen(item.partition, item.variant, revs[-1])], item)
        revs.append(store.load(name("one"))[0].rev)
    assert len(set(revs)) > 1
