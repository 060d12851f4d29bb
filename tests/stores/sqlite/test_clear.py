"""``clear()`` leaves no body behind: neither in a table, nor in pages that are free, nor in the log."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sansio_cache.errors import StoreBusy
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put, stream

NOW = time.time()
BODIES = {"in the row": b"a secret in the row" * 20, "beside it": b"a secret beside it" * 1000}


@pytest.mark.parametrize("removed_before", [False, True], ids=["", "some of it removed before"])
def test_nothing_is_left(path: Path, store: SQLiteStore, removed_before: bool) -> None:
    """G26: bodies in rows, beside them and in chunks; of records that went before, too."""
    for title, body in BODIES.items():
        put(store, make_item(title, body, resource=title, now=NOW), now=NOW)
    large = b"a secret in chunks" * (3 * CHUNK_SIZE // 18)
    put(store, stream(store, make_item("large", large, resource="large", now=NOW)), now=NOW)
    if removed_before:
        store.change(list(store.listed()), None)
    else:
        put(store, make_item("in the row", b"another", resource="in the row", now=NOW), now=NOW)
    id_ = store.open(signed=False).store_id
    store.clear()
    for each in path.parent.iterdir():
        assert b"a secret" not in each.read_bytes(), each
    assert path.stat().st_size < 200_000
    assert store.size() == (0, 0)
    assert store.open(signed=False).store_id == id_
    assert store.load(name("large")) == []
    put(store, make_item("after", now=NOW), now=NOW)
    assert len(store.load_nowait(name("after")) or store.load(name("after"))) == 1
    assert len(store.load_nowait(name("after")) or ()) == 1
    assert os.listdir(path.parent).count("cache.sqlite") == 1


def test_who_cannot_be_waited_for_is_named(
    path: Path, opened: Callable[..., SQLiteStore], raw: Callable[[], sqlite3.Connection]
) -> None:
    """A reader elsewhere holds on to the log: the records are gone, and the caller hears that not all is."""
    store = opened(busy_timeout=0.2)
    put(store, make_item("one", b"a secret" * 100, now=NOW), now=NOW)
    other = raw()
    other.execute("BEGIN")
    other.execute("SELECT * FROM records").fetchall()
    with pytest.raises(StoreBusy, match="clear it once more"):
        store.clear()
    assert store.size() == (0, 0)
    other.execute("COMMIT")
    store.clear()
    assert b"a secret" not in b"".join(each.read_bytes() for each in path.parent.iterdir())
