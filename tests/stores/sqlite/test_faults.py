"""Somebody's lock, a full disk, a folder that may not be written to: bounded errors, and at full use when it heals."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sansio_cache.errors import SettingError, StoreBusy, StoreError
from sansio_cache.records import CHUNK_SIZE, Item
from sansio_cache_adapters.stores.protocol import Lease, new_entry
from sansio_cache_adapters.stores.sqlite.store import SQLiteStore
from sansio_cache_adapters.testing import make_item, name, put

NOW = time.time()
Raw = Callable[[], sqlite3.Connection]
Script = Callable[..., subprocess.Popen[str]]


class TestLocked:
    @pytest.fixture
    def store(self, path: Path, opened: Callable[..., SQLiteStore]) -> SQLiteStore:
        store = opened(busy_timeout=0.2)
        put(store, make_item("one", now=NOW), now=NOW)
        return store

    def test_writes_are_busy_and_reads_go_on(self, store: SQLiteStore, raw: Raw) -> None:
        """G20: the holder of the write lock holds no request up for longer than ``busy_timeout``."""
        other = raw()
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        for write in (
            lambda: store.commit(make_item("two", now=NOW), vary_limit=32, now=NOW),
            lambda: store.drop(name("resource"), now=NOW),
            lambda: store.write(new_entry(), 0, b"chunk"),
            lambda: store.sweep(now=NOW),
        ):
            with pytest.raises(StoreBusy):
                write()
        assert 4 * 0.2 <= time.monotonic() - began < 4 * 2.5
        assert len(store.load_nowait(name("one")) or ()) == 1
        assert store.load_nowait(name("two")) == []
        other.execute("ROLLBACK")
        put(store, make_item("two", resource="two", now=NOW), now=NOW)

    def test_whatever_never_raises_does_not_wait_either(
        self, store: SQLiteStore, opened: Callable[..., SQLiteStore], raw: Raw
    ) -> None:
        """Claims are taken and given back while another writes; what is given up is so later."""
        store = opened(busy_timeout=30)
        assert store.claim(name("one"), name("resource"), b"a", now=NOW, until=NOW + 50) is Lease.GRANTED
        other = raw()
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        store.release(name("one"), b"a")
        assert store.claim(name("one"), name("resource"), b"b", now=NOW, until=NOW + 50) is Lease.GRANTED
        store.abort(new_entry())
        store.touch(name("one"), b"entry", now=NOW)
        assert time.monotonic() - began < 10
        other.execute("ROLLBACK")

    def test_reads_of_a_file_locked_as_a_whole_are_busy(self, path: Path, store: SQLiteStore, raw: Raw) -> None:
        """G20: no other process may even read; what would have to wait says so at once."""
        store.close()
        other = raw()
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(StoreBusy):
            store.load(name("one"))
        with pytest.raises(StoreBusy):
            store.open(signed=False)
        assert store.load_nowait(name("one")) is None
        assert time.monotonic() - began < 10
        other.close()
        assert len(store.load(name("one"))) == 1

    def test_threads_wait_for_each_other_within_bounds(self, store: SQLiteStore, script: Script, path: Path) -> None:
        """Threads behind the one that waits for the file do not add up their times: the last would wait for 8 s."""
        holder = script(
            """
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("BEGIN IMMEDIATE")
            say("held")
            hear()
            """,
            path,
        )
        assert holder.stdout is not None
        holder.stdout.readline()
        from concurrent.futures import ThreadPoolExecutor

        def write(index: int) -> float:
            began = time.monotonic()
            with pytest.raises(StoreBusy):
                store.commit(make_item(f"{index}", now=NOW), vary_limit=32, now=NOW)
            return time.monotonic() - began

        with ThreadPoolExecutor(40) as pool:
            assert max(pool.map(write, range(40))) < 5


FULL = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = SQLiteStore(path)
    store.open(signed=False)
    limit = os.stat(path).st_size + 300_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    kept, errors = [], 0
    for index in range(100):
        item = make_item(str(index), os.urandom(50_000), resource=str(index), now=now)
        try:
            store.commit(item, vary_limit=32, now=now)
            kept.append(index)
        except StoreError:
            errors += 1
        store.load(name(str(index)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    healed = store.commit(make_item("healed", now=now), vary_limit=32, now=now)
    found = [index for index in kept if len(store.load(name(str(index)))) == 1]
    say([len(kept), errors, healed, found == kept, sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone()])
    store.close()
"""


def test_a_full_disk_is_a_store_error_until_there_is_room(path: Path, script: Script) -> None:
    """G20: no more fits into the file or its log (a limit on the size of files, which fails as a full disk does)."""
    process = script(FULL, path)
    output, _ = process.communicate()
    assert process.returncode == 0
    kept, errors, healed, all_found, integrity = json.loads(output)
    assert kept > 0
    assert errors > 50
    assert healed
    assert all_found
    assert integrity == ["ok"]


CUT_OFF = """
    store = SQLiteStore(path)
    store.open(signed=False)
    for index in range(100):
        store.commit(make_item(str(index), os.urandom(20_000), resource=str(index), now=now), vary_limit=32, now=now)
    other = sqlite3.connect(path)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    def read():
        found = errors = 0
        for index in range(100):
            try:
                found += len(store.load(name(str(index))))
            except StoreError:
                errors += 1
        return found, errors
    say(read())
    hear()
    read()
    store.commit(make_item("after", now=now), vary_limit=32, now=now)
    say(len(store.load(name("after"))))
    store.close()
"""


@pytest.mark.parametrize("left", [0, 1000, 1_000_000])
def test_a_file_that_is_cut_off_while_open(path: Path, script: Script, left: int) -> None:
    """G20: by another process: no reader dies of it (of a mapped file it would), and a new file is begun."""
    process = script(CUT_OFF, path)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == [100, 0]
    os.truncate(path, left)
    output, _ = process.communicate("go on\n")
    assert process.returncode == 0
    assert json.loads(output) == 1


READ_ONLY = """
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    store = SQLiteStore(path)
    acts = (
        lambda: store.open(signed=False),
        lambda: store.load(name("one")),
        lambda: store.commit(make_item("one", now=now), vary_limit=32, now=now),
    )
    for act in acts:
        try:
            act()
            say("done")
        except ForeignStore:
            say("foreign")
        except ReadOnlyStore:
            say("read only")
        except StoreError:
            say("store error")
"""


@pytest.mark.parametrize("there", [False, True], ids=["nothing in it", "a cache in it"])
def test_a_read_only_folder_can_be_read(tmp_path: Path, script: Script, there: bool) -> None:
    """G20: by a user who may not write there (a superuser may, so the process gives that up)."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for each in (tmp_path, *tmp_path.parents):
        if each.owner() == folder.owner() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o055)
    if there:
        store = SQLiteStore(folder / "cache.sqlite")
        put(store, make_item("one", now=NOW), now=NOW)
        store.close()
        (folder / "cache.sqlite").chmod(0o444)
    folder.chmod(0o555)
    output, _ = script(READ_ONLY, folder / "cache.sqlite").communicate()
    said = [json.loads(each) for each in output.splitlines()]
    assert said == (["done", "done", "read only"] if there else ["store error"] * 3)
    assert {each.name for each in folder.iterdir()} <= {"cache.sqlite"}


def test_values_that_sqlite_has_not_are_a_store_error(store: SQLiteStore) -> None:
    """Half a surrogate pair in a URL, a number of 80 bits, a time that is none."""
    from msgspec.structs import replace

    item = make_item("one", now=NOW)
    odd: list[Item] = [
        replace(item, url="http://x/\ud800"),
        replace(item, status=2**80),
        replace(item, stale_at=float("nan")),
    ]
    for each in odd:
        with pytest.raises(StoreError):
            store.commit(each, vary_limit=32, now=NOW)
    put(store, item, now=NOW)


def test_pending_bodies_larger_than_the_store_are_refused(opened: Callable[..., SQLiteStore]) -> None:
    """G28: a body of unknown length does not fill the disk."""
    store = opened(max_bytes=3 * CHUNK_SIZE)
    entry = new_entry()
    for index in range(3):
        store.write(entry, index, bytes(CHUNK_SIZE))
    with pytest.raises(StoreError):
        store.write(entry, 3, b"one more")
    assert store.size().bytes <= 3 * CHUNK_SIZE
    store.abort(entry)


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        (None, {}),
        (17, {}),
        ("", {}),
        (b"cache.sqlite", {}),
        ("a\0b", {}),
        (":memory:", {}),
        ("cache.sqlite", {"max_bytes": 0}),
        ("cache.sqlite", {"max_bytes": "1"}),
        ("cache.sqlite", {"max_bytes": True}),
        ("cache.sqlite", {"max_entries": 0}),
        ("cache.sqlite", {"max_entries": 1.5}),
        ("cache.sqlite", {"busy_timeout": -1}),
        ("cache.sqlite", {"busy_timeout": "1"}),
        ("cache.sqlite", {"busy_timeout": 1000}),
        ("cache.sqlite", {"secret_key": None}),
        ("cache.sqlite", {"secret_key": ""}),
        ("cache.sqlite", {"secret_key": []}),
    ],
)
def test_a_wrong_setting_is_an_error_at_construction(path: object, settings: dict[str, object]) -> None:
    """Types and values, never the state of the disk."""
    with pytest.raises(SettingError):
        SQLiteStore(path, **settings)  # type: ignore[arg-type]


def test_the_state_of_the_disk_is_no_error_at_construction(tmp_path: Path) -> None:
    """G20: it may heal."""
    SQLiteStore(tmp_path).close()
    assert os.listdir(tmp_path) == []
