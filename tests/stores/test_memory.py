"""MemoryStore: the contract, and what is its own."""

from __future__ import annotations

import os
import pickle
import threading
import time
import warnings
from pathlib import Path

import pytest

from sansio_cache.errors import SettingError, StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache.sealing import make_sealer
from sansio_cache_adapters.stores.memory import MemoryStore
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, new_entry
from sansio_cache_adapters.testing import StoreContract, make_item, name, put, stream

NOW = time.time()
KEY = b"0123456789abcdef0123456789abcdef"


class TestMemoryStore(StoreContract):
    shared = False

    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> MemoryStore:
        return MemoryStore(max_bytes, max_entries=max_entries)


class TestBounds:
    def test_they_hold_at_every_moment(self) -> None:
        """G28: without a call of ``sweep``, records over the bound go with the commit that exceeds it."""
        store = MemoryStore(100_000, max_entries=7)
        for index in range(100):
            put(store, make_item(str(index), bytes(index * 500), resource=str(index), now=NOW), now=NOW)
            assert store.size().bytes <= 100_000
            assert store.size().entries <= 7

    def test_what_has_expired_goes_with_later_commits(self) -> None:
        """A commit calls ``sweep`` now and then; no other call is needed."""
        store = MemoryStore()
        for index in range(50):
            put(store, make_item(str(index), resource=str(index), lifetime=10, now=NOW), now=NOW)
        put(store, make_item("new", resource="new", now=NOW + 100), now=NOW + 100)
        assert [listed.partition for listed in store.listed()] == [name("new")]

    def test_bodies_let_go_do_not_pile_up(self) -> None:
        """G28: of those that wait for their last readers the first go early."""
        store = MemoryStore(8 * CHUNK_SIZE)
        item = make_item("one", bytes(CHUNK_SIZE), now=NOW)
        entries = [put(store, stream(store, item), now=NOW).entry for _ in range(6)]
        readable = [entry for entry in entries if _readable(store, entry)]
        assert readable == entries[-3:]

    def test_records_written_again_and_again_leave_nothing(self) -> None:
        """G28: what the heap of expiries remembers is bounded by what there is."""
        store = MemoryStore()
        for _ in range(5000):
            put(store, make_item("one", now=NOW), now=NOW)
        assert len(store._expiring) < 1100


def test_a_body_that_outgrows_the_store_is_refused() -> None:
    """G28: and a chunk that does not follow its last one."""
    store = MemoryStore(100_000)
    entry = new_entry()
    store.write(entry, 0, bytes(90_000))
    for index, size in ((1, 20_000), (7, 1)):
        with pytest.raises(StoreError):
            store.write(entry, index, bytes(size))


def test_a_use_of_what_is_gone_is_nothing() -> None:
    """``touch`` never raises."""
    MemoryStore().touch(name("one"), b"entry", now=NOW)


def _readable(store: MemoryStore, entry: bytes) -> bool:
    try:
        return bool(store.chunk(entry, 0))
    except StoreError:
        return False


def test_it_comes_back_empty_from_a_pickle() -> None:
    """dropin.md §8: another process begins with a store of the same bounds and secret."""
    store = MemoryStore(10**6, max_entries=7, secret_key=KEY)
    put(store, make_item("one", now=NOW), now=NOW)
    again: MemoryStore = pickle.loads(pickle.dumps(store))
    assert (again.max_bytes, again.max_entries, again.sealer) == (10**6, 7, make_sealer(KEY))
    assert again.size() == (0, 0)
    assert again.location == store.location == "memory"
    assert pickle.loads(pickle.dumps(MemoryStore())).sealer is None


def test_a_fork_has_a_copy(tmp_path: Path) -> None:
    """G24: the child begins with what there was, whatever other threads were doing, and goes its own way."""
    store = MemoryStore()
    put(store, make_item("one", now=NOW), now=NOW)
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            put(store, make_item("busy", resource="busy", now=NOW), now=NOW)

    thread = threading.Thread(target=busy)
    thread.start()
    statuses = []
    for _ in range(20):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of forks beside threads
            pid = os.fork()
        if pid == 0:
            status = 1
            try:
                put(store, make_item("two", resource="two", now=NOW), now=NOW)
                status = len(store.load(name("one"))) - 1
            finally:
                os._exit(status)
        statuses.append(os.waitpid(pid, 0)[1])
    stop.set()
    thread.join()
    assert statuses == [0] * 20
    assert list(store.load(name("two"))) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"max_bytes": 0},
        {"max_bytes": None},
        {"max_bytes": 1.5},
        {"max_entries": 0},
        {"secret_key": None},
        {"secret_key": ""},
    ],
)
def test_a_wrong_setting_is_an_error(settings: dict[str, object]) -> None:
    """At construction."""
    with pytest.raises(SettingError):
        MemoryStore(**settings)  # type: ignore[arg-type]


def test_marks_are_bounded() -> None:
    """G28: the oldest go, and one for all takes their place."""
    now = time.time()
    store = MemoryStore(100_000)
    for index in range(200):
        store.drop(name(f"resource {index}"), now=now + index / 1000)
    assert store._marks.weight <= 100_000 // 16
    assert not store.commit(make_item("late", resource="never dropped", now=now - 1), vary_limit=32, now=now + 1)
