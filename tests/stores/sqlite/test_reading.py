"""A store that is opened to be read: it writes nothing, makes nothing, and says whether there is anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from sansio_cache.errors import ForeignStore, ReadOnlyStore, StoreError
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put

NOW = 1_700_000_000.0


def filled(path: Path) -> SQLiteStore:
    store = SQLiteStore(path)
    store.open(signed=False)
    put(store, make_item("one", now=NOW), now=NOW)
    store.close()
    return store


def test_it_reads_what_is_there(path: Path) -> None:
    meta = filled(path).open(signed=False)
    reader = SQLiteStore(path).for_reading()
    assert reader.open(signed=False) == meta
    assert len(reader.load(name("one"))) == 1
    assert [each.partition for each in reader.listed()] == [name("one")]
    assert reader.size().entries == 1
    reader.close()


def test_it_writes_nothing(path: Path) -> None:
    filled(path)
    before = path.read_bytes()
    reader = SQLiteStore(path).for_reading()
    assert not reader.open(signed=True).signed, "it is not marked"
    with pytest.raises(ReadOnlyStore):
        put(reader, make_item("two", now=NOW), now=NOW)
    with pytest.raises(ReadOnlyStore):
        reader.clear()
    reader.touch(name("one"), bytes(16), now=NOW)
    reader.close()
    assert path.read_bytes() == before


def test_it_sees_what_others_write_meanwhile(path: Path) -> None:
    writer = filled(path)
    reader = SQLiteStore(path).for_reading()
    reader.open(signed=False)
    put(writer, make_item("two", now=NOW), now=NOW)
    assert len(reader.load(name("two"))) == 1
    writer.close()
    reader.close()


def test_it_makes_nothing(path: Path) -> None:
    reader = SQLiteStore(path).for_reading()
    with pytest.raises(StoreError, match="there is no cache"):
        reader.open(signed=False)
    assert not list(path.parent.iterdir())


def test_a_broken_file_stays_where_it_is(path: Path) -> None:
    filled(path)
    data = path.read_bytes()
    path.write_bytes(data[:100] + bytes(len(data) - 100))
    reader = SQLiteStore(path).for_reading()
    with pytest.raises(StoreError):
        reader.open(signed=False)
    assert [each.name for each in path.parent.iterdir() if "corrupt" in each.name] == []


def test_whether_there_is_one(path: Path) -> None:
    store = SQLiteStore(path)
    assert not store.exists()
    path.touch()
    assert not store.exists()
    assert path.stat().st_size == 0
    path.unlink()
    filled(path)
    assert store.exists()
    path.unlink()
    path.write_text("a letter")
    with pytest.raises(ForeignStore, match="is a text"):
        store.exists()


def test_a_bound_of_any_size(path: Path) -> None:
    """SQLite's own bound of a value is a C int."""
    store = SQLiteStore(path, max_bytes=2**62)
    store.open(signed=False)
    put(store, make_item("one", now=NOW), now=NOW)
    assert len(store.load(name("one"))) == 1
    store.close()
