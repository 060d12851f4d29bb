"""A file that goes, or another in its place, while several use it: all of them end up with one store (G20)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sansio_cache.errors import StoreError
from sansio_cache_adapters.stores.sqlite import place
from sansio_cache_adapters.stores.sqlite.connections import Connections
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put

NOW = time.time()
Opened = Callable[..., SQLiteStore]


def remove(path: Path) -> None:
    for each in path.parent.glob(path.name + "*"):
        each.unlink()


def test_a_file_begun_anew_has_the_same_ids(path: Path, opened: Opened) -> None:
    """Who had the old one open can read what another writes there."""
    first, second = opened(), opened()
    meta = first.open(signed=False)
    second.open(signed=False)
    remove(path)
    put(first, make_item("one", now=NOW), now=NOW)
    put(second, make_item("two", resource="two", now=NOW), now=NOW)
    assert len(first.load(name("two"))) == 1
    assert len(second.load(name("one"))) == 1
    assert first.open(signed=False) == second.open(signed=False) == meta


def test_a_file_replaced_by_another_store(path: Path, opened: Opened) -> None:
    """Records of the old id would be worth nothing there: they are refused, until the store is opened again."""
    store, other = opened(), opened()
    meta = store.open(signed=False)
    remove(path)
    assert other.open(signed=False) != meta
    for _ in range(2):
        with pytest.raises(StoreError, match="taken the place"):
            store.commit(make_item("one", now=NOW), vary_limit=32, now=NOW)
    store.clear()  # whatever lies there
    with pytest.raises(StoreError, match="taken the place"):
        store.drop(name("resource"), now=NOW)
    assert store.open(signed=False) == other.open(signed=False)
    put(store, make_item("one", now=NOW), now=NOW)
    assert len(other.load(name("one"))) == 1


def test_what_two_threads_find_broken_is_set_aside_once(
    path: Path, store: SQLiteStore, raw: Callable[[], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time the second comes to it there is a new file, which is sound."""
    raw().execute("DROP TABLE records")
    both, first_is_done = threading.Barrier(2), threading.Event()
    mend = Connections._mend

    def mend_in_turn(self: Connections, *arguments: Any) -> None:
        if both.wait(30):
            first_is_done.wait(30)
        mend(self, *arguments)

    monkeypatch.setattr(Connections, "_mend", mend_in_turn)

    def use(resource: str) -> None:
        store.load(name(resource))
        monkeypatch.setattr(Connections, "_mend", mend)
        put(store, make_item(resource, resource=resource, now=NOW), now=NOW)
        first_is_done.set()

    threads = [threading.Thread(target=use, args=(resource,)) for resource in ("one", "two")]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert [each.name for each in path.parent.glob("*.corrupt-?")] == [f"{path.name}.corrupt-1"]
    assert len(store.load(name("one"))) == len(store.load(name("two"))) == 1


@pytest.mark.parametrize("look", ["state_of", "inode_at"])
def test_it_goes_while_it_is_opened(path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    """Another process sets a broken file aside just then: it is no trouble, and no request waits."""
    put(opened(), make_item("one", now=NOW), now=NOW)
    real, goes = getattr(place, look), iter([True])

    def looks(at: str, **options: Any) -> Any:
        if next(goes, False):
            path.rename(path.with_name("aside"))
        return real(at, **options)

    store = opened()
    monkeypatch.setattr(place, look, looks)
    put(store, make_item("two", now=NOW), now=NOW)
    assert path.with_name("aside").exists()
