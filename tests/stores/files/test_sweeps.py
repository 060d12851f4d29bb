"""Maintenance of FileStore: sweeps, eviction, recency, and times that go wrong."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from file_store import in_folder, large, sweep_all

from sansio_cache.errors import StoreError
from sansio_cache_adapters.stores import maintenance
from sansio_cache_adapters.stores.files import sweep as files_sweep
from sansio_cache_adapters.stores.files.layout import Root
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import DEFAULT_MAX_BYTES, MARK_SECONDS, Lease
from sansio_cache_adapters.testing import make_item, name, put, stream

DAY = 86_400.0


# Sweeps


def test_a_sweep_looks_into_the_shards_that_there_are(
    store: FileStore, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not into 256 of each kind: what it costs goes by what is stored."""
    put(store, make_item("one", now=now), now=now)
    looked: list[tuple[str, ...]] = []
    reach = Root.reach

    def watched(root: Root, kind: str, *names: str, make: bool = False) -> Any:
        looked.append((kind, *names))
        return reach(root, kind, *names, make=make)

    monkeypatch.setattr(Root, "reach", watched)
    assert store.sweep(now=now) == 0
    assert [each.partition for each in store.listed()] == [name("one")]
    assert len(looked) < 30


def test_what_the_dead_left_behind_is_swept(store: FileStore, path: Path, now: float) -> None:
    """Temporary files, pending bodies, bodies without a head, links to nothing, empty folders, half-done drops."""
    put(store, make_item("kept", now=now), now=now)
    put(store, stream(store, large(1, now, resource="kept")), now=now)
    put(store, stream(store, large(2, now, resource="lost")), now=now)
    stream(store, large(3, now))
    (path / "pending" / f"{'0' * 32}.new").write_bytes(b"half a head")
    (path / "pending" / f"{'0' * 32}.gone").mkdir()
    (path / "pending" / f"{'0' * 32}.gone" / name("x").hex()).write_bytes(b"a head")
    head = path / "resources" / name("lost").hex()[:2] / name("lost").hex() / name("2").hex()
    head.unlink()
    sweep_all(store, now + 30)
    assert len(in_folder(path, "bodies/*/*")) == 2
    assert len(in_folder(path, "pending/*")) == 2
    assert sweep_all(store, time.time() + 61) == 4
    assert len(in_folder(path, "bodies/*/*")) == 1
    assert list(path.glob("pending/*")) == []
    assert len(in_folder(path, "partitions/*/*")) == len(in_folder(path, "resources/*/*/*")) == 2
    assert {each.name for each in path.glob("resources/*/*")} == {name("kept").hex(), name("resource").hex()}
    assert len(store.load(name("1"))) == len(store.load(name("kept"))) == 1


def test_a_round_broken_off_begins_anew(store: FileStore, path: Path, now: float) -> None:
    """Trouble in the midst of a sweep is told, and the next sweep finds everything."""
    for index in range(3):
        put(store, make_item(f"{index}", now=now, lifetime=10), now=now)
    [file] = path.glob("resources/*/*/" + name("1").hex())
    [folder] = path.glob("resources/*")
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(StoreError):
        store.sweep(now=now + 20)
    os.close(fd)
    assert file.exists()
    assert sweep_all(store, now + 20) == 3


def test_marks_are_swept(store: FileStore, path: Path, now: float) -> None:
    """When they count for nothing any more, and not before; and leases that an earlier version wrote."""
    store.drop(name("resource"), now=now)
    old = path / "leases" / name("one").hex()[:2] / name("one").hex()
    old.parent.mkdir()
    old.write_bytes(bytes(98))
    sweep_all(store, now + 31)
    assert in_folder(path, "leases/*/*") == []
    assert len(in_folder(path, "marks/*/*")) == 1
    sweep_all(store, now + MARK_SECONDS + 1)
    assert in_folder(path, "marks/*/*") == []


def test_eviction_spares_what_was_used_meanwhile(path: Path, now: float) -> None:
    """Small batches: what is touched between two of them stays."""
    store = FileStore(path, max_entries=5)
    store.open(signed=False)
    entries = [put(store, make_item(f"{index}", now=now), now=now + index).entry for index in range(10)]
    assert store.sweep(now=now + 20, limit=1) == 1
    store.touch(name("1"), entries[1], now=now + 30)
    assert store.flush(30)
    sweep_all(store, now + 40)
    assert [len(store.load(name(f"{index}"))) for index in range(10)] == [0, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    store.close()


def test_a_store_that_grows_is_swept_by_itself(path: Path, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The maintenance thread calls ``sweep``, off the hot path; no other call is needed."""
    monkeypatch.setattr(maintenance, "_PAUSE", 0.01)
    store = FileStore(path, max_bytes=100_000)
    store.open(signed=False)
    for index in range(20):
        put(store, make_item(f"{index}", b"x" * 20_000, now=now), now=now + index)
    end = time.monotonic() + 20
    while store.size().bytes > 100_000:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert len(store.load(name("19"))) == 1
    store.close()


def test_short_scripts_keep_the_bound_too(path: Path, now: float) -> None:
    """At close, and at exit without a close, a store is swept that no process has swept for a minute."""
    script = (
        "import sys, time\n"
        "from sansio_cache_adapters.stores.files.store import FileStore\n"
        "from sansio_cache_adapters.testing import make_item\n"
        f"store = FileStore({str(path)!r}, max_bytes=100_000)\n"
        "store.open(signed=False)\n"
        "now = float(sys.argv[1])\n"
        "for index in range(20):\n"
        "    item = make_item(f'{index}', b'x' * 20_000, now=now)\n"
        "    assert store.commit(item, vary_limit=32, now=now + index)\n"
    )
    for end in ("store.close()\n", ""):
        subprocess.run([sys.executable, "-c", script + end, str(now)], check=True)
        now += 100
        store = FileStore(path, max_bytes=100_000)
        assert store.size().bytes <= 100_000
        store.close()


def test_several_processes_do_not_sweep_at_once(store: FileStore, path: Path, now: float) -> None:
    """Who has swept says so, by the time of a file; a clock set back does not stop the sweeps."""
    sweeper = files_sweep.Sweeper(DEFAULT_MAX_BYTES, float("inf"))
    put(store, make_item("one", now=now, lifetime=10), now=now)
    root = store._reopened()
    sweeper.maintain(root, now)
    assert (path / "swept").stat().st_mtime == pytest.approx(now)
    files_sweep.Sweeper(DEFAULT_MAX_BYTES, float("inf")).maintain(root, now + 20)
    assert store.size().entries == 1
    sweeper.maintain(root, now + 61)
    assert store.size().entries == 0
    sweeper.maintain(root, now - DAY)
    assert (path / "swept").stat().st_mtime == pytest.approx(now - DAY)


def test_a_round_evicts_few_of_many(path: Path, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a round remembers is bounded; the next round goes on, the longest unused always first."""
    monkeypatch.setattr(files_sweep, "_CANDIDATES", 3)
    store = FileStore(path, max_entries=4)
    store.open(signed=False)
    for index in range(15):
        put(store, make_item(f"{index}", now=now), now=now + (index * 7) % 15)
    assert store.sweep(now=now) == 3
    sweep_all(store, now)
    kept = [index for index in range(15) if store.load(name(f"{index}"))]
    assert sorted((index * 7) % 15 for index in kept) == [11, 12, 13, 14]
    store.close()


def test_clearing_removes_bodies_that_no_head_names(store: FileStore, path: Path, now: float) -> None:
    """Also those that were let go a moment ago."""
    put(store, stream(store, large(1, now)), now=now)
    put(store, make_item("1", now=now), now=now)
    store.clear()
    assert in_folder(path, "bodies/*/*") == in_folder(path, "resources/*/*/*") == []


def test_a_large_partition_is_not_read_on_a_loop(store: FileStore, now: float) -> None:
    """``load_nowait`` leaves to a thread what takes longer than a small record."""
    assert FileStore(store.location).load_nowait(name("one")) is None
    for index in range(4):
        put(store, make_item("one", b"x" * 60_000, variant=f"{index}", now=now), now=now)
        assert (store.load_nowait(name("one")) is None) is (index == 3)
    assert len(store.load(name("one"))) == 4


# Recency


def test_recency_outlives_close(path: Path, now: float) -> None:
    """What was touched is written at close, and at exit."""
    store = FileStore(path, max_entries=2)
    store.open(signed=False)
    entries = [put(store, make_item(f"{index}", now=now), now=now + index).entry for index in range(2)]
    store.touch(name("0"), entries[0], now=now + 9)
    store.close()
    other = FileStore(path, max_entries=2)
    put(other, make_item("2", now=now), now=now + 10)
    sweep_all(other, now + 11)
    assert [len(other.load(name(f"{index}"))) for index in range(3)] == [1, 0, 1]
    other.close()


def test_touching_what_is_gone_is_nothing(store: FileStore, now: float) -> None:
    """Neither a partition nor an entry need be there; an older time changes nothing."""
    stored = put(store, make_item("one", now=now), now=now)
    store.touch(name("none"), stored.entry, now=now)
    store.touch(name("one"), b"\0" * 16, now=now + 9)
    store.touch(name("one"), stored.entry, now=now - 9)
    assert store.flush(30)
    assert list(store.load(name("one"))) == [stored]


# Time


def test_a_clock_set_back_locks_nobody_out(store: FileStore, now: float) -> None:
    """G25: claims and marks from a day ahead count for nothing."""
    store.claim(name("one"), name("resource"), b"ahead", now=now + DAY, until=now + DAY + 30)
    assert store.claim(name("one"), name("resource"), b"token", now=now, until=now + 30) is Lease.GRANTED
    store.release(name("one"), b"token", open_until=now + DAY)
    assert store.flush(30)
    assert store.claim(name("one"), name("resource"), b"other", now=now, until=now + 30) is Lease.GRANTED
    store.drop(name("resource"), now=now + DAY)
    put(store, make_item("one", now=now), now=now)
    store.drop(name("resource"), now=now)
    assert not store.commit(make_item("one", now=now - 1), vary_limit=32, now=now)


def test_clocks_of_two_hosts_may_differ_a_little(store: FileStore, now: float) -> None:
    """Half a minute between two writers: marks hold. Claims are not told by a clock."""
    store.drop(name("resource"), now=now + 30)
    store.drop(name("resource"), now=now)
    assert not store.commit(make_item("one", now=now + 29), vary_limit=32, now=now + 31)
    assert store.commit(make_item("one", now=now + 31), vary_limit=32, now=now + 31)
