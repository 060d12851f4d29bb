"""FileStore: the contract, what lies in its folder, and its maintenance."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from file_store import in_folder, large, sweep_all

from sansio_cache.errors import SettingError, StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import (
    DEFAULT_MAX_BYTES,
    KEEP_REPLACED,
    AsyncStore,
    Lease,
    new_entry,
)
from sansio_cache_adapters.stores.threaded import Threaded
from sansio_cache_adapters.testing import AsyncStoreContract, StoreContract, make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen


class TestFileStore(StoreContract):
    def make_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> FileStore:
        return FileStore(tmp_path / "cache", max_bytes=max_bytes, max_entries=max_entries)


class TestThreadedFiles(AsyncStoreContract):
    queues = True

    def make_async_store(
        self, tmp_path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, max_entries: int | None = None
    ) -> AsyncStore:
        return Threaded(FileStore(tmp_path / "cache", max_bytes=max_bytes, max_entries=max_entries))


# What lies there


def test_nobody_else_can_read_it(path: Path, now: float) -> None:
    """G26: files 0600, directories 0700, temporary ones too, whatever the umask."""
    before = os.umask(0)
    try:
        store = FileStore(path / "below")
        store.open(signed=True)
        put(store, make_item("one", now=now), now=now)
        put(store, stream(store, large(2, now)), now=now)
        stream(store, large(3, now))
        store.claim(name("one"), name("resource"), b"token", now=now, until=now + 9)
        store.drop(name("other"), now=now)
        assert store.sweep(now=now) == 0
    finally:
        os.umask(before)
    modes = {
        (each.is_dir(), stat.S_IMODE(each.stat().st_mode))
        for each in (path / "below").rglob("*")
        if not each.is_symlink()
    }
    assert modes == {(True, 0o700), (False, 0o600)}
    assert stat.S_IMODE((path / "below").stat().st_mode) == 0o700
    store.close()


def test_a_small_record_is_one_file(store: FileStore, path: Path, now: float) -> None:
    """Head and body lie in one file, under the resource's folder; a link leads there from the partition."""
    put(store, make_item("one", b"the body", now=now), now=now)
    [file] = in_folder(path, "resources/*/*/*")
    assert (file.parent.name, file.name) == (name("resource").hex(), name("one").hex())
    assert b"the body" in file.read_bytes()
    [link] = in_folder(path, "partitions/*/*")
    assert link.resolve() == file
    assert in_folder(path, "bodies/*/*") == in_folder(path, "pending/*") == []


def test_a_large_body_is_one_file_and_never_changed(store: FileStore, path: Path, now: float) -> None:
    """Freshening a record does not touch its body."""
    item = stream(store, large(1, now))
    assert len(in_folder(path, "pending/*")) == 1
    stored = put(store, item, now=now)
    assert in_folder(path, "pending/*") == []
    [body] = in_folder(path, "bodies/*/*")
    before = body.stat()
    assert store.change([seen("1", stored.rev)], make_item("1", now=now + 1))
    after = body.stat()
    assert (before.st_ino, before.st_mtime_ns, before.st_size) == (after.st_ino, after.st_mtime_ns, after.st_size)


def test_a_hit_writes_nothing(store: FileStore, path: Path, now: float) -> None:
    """Recency is written later, in a batch."""
    stored = put(store, make_item("one", now=now), now=now)
    before = {each: each.stat().st_mtime_ns for each in path.rglob("*")}
    for index in range(100):
        assert list(store.load(name("one"))) == [stored]
        store.touch(name("one"), stored.entry, now=now + index)
    assert {each: each.stat().st_mtime_ns for each in path.rglob("*")} == before


def test_it_is_marked_as_a_cache(store: FileStore, path: Path) -> None:
    """https://bford.info/cachedir/: backups may leave it out."""
    assert (path / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


# Readers


def test_a_body_can_be_read_while_it_is_replaced(store: FileStore, now: float) -> None:
    """A reader between two chunks goes on, anyone who replaces, drops or evicts."""
    stored = put(store, stream(store, large(1, now)), now=now)
    assert store.chunk(stored.entry, 0) == b"\1" * CHUNK_SIZE
    put(store, stream(store, make_item("1", b"new" * CHUNK_SIZE, now=now)), now=now)
    sweep_all(store, now + KEEP_REPLACED - 1)
    assert store.chunk(stored.entry, 1) == b"\1"


def test_replaced_bodies_are_bounded(path: Path, now: float) -> None:
    """They take a quarter of the bound at most, however fast they are replaced."""
    store = FileStore(path, max_bytes=12 * CHUNK_SIZE)
    store.open(signed=False)
    for index in range(20):
        put(store, stream(store, make_item("one", bytes([index]) * CHUNK_SIZE, now=now)), now=now)
    assert len(in_folder(path, "bodies/*/*")) <= 4
    store.close()


def test_a_pending_body_is_bounded(path: Path) -> None:
    """A body that is larger than the store is refused while it comes in."""
    store = FileStore(path, max_bytes=3 * CHUNK_SIZE)
    store.open(signed=False)
    entry = new_entry()
    for index in range(3):
        store.write(entry, index, b"x" * CHUNK_SIZE)
    with pytest.raises(StoreError):
        store.write(entry, 3, b"x" * CHUNK_SIZE)
    store.close()


def test_chunks_come_in_order(store: FileStore) -> None:
    """A chunk whose predecessor is missing is refused."""
    entry = new_entry()
    with pytest.raises(StoreError):
        store.write(entry, 1, b"x")
    store.write(entry, 0, b"x" * CHUNK_SIZE)
    with pytest.raises(StoreError):
        store.write(entry, 2, b"x")
    with pytest.raises(StoreError):
        store.write(entry, 0, b"x")


# Forks, pickles, settings


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_of_a_fork(store: FileStore, now: float) -> None:
    """G24: both go on."""
    put(store, make_item("parent", now=now), now=now)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_in_a_child, args=(store, f"child {index}")) for index in range(3)]
    for child in children:
        child.start()
    for index in range(30):
        put(store, make_item(f"{index}", now=now), now=now)
    for child in children:
        child.join(20)
        assert child.exitcode == 0
    assert store.size().entries == 34


def _in_a_child(store: FileStore, text: str) -> None:
    now = time.time()
    stored = put(store, make_item(text, now=now), now=now)
    store.touch(name(text), stored.entry, now=now)
    store.claim(name(text), name(text), b"token", now=now, until=now + 9)
    store.release(name(text), b"token")
    assert store.flush(30)
    assert store.claim(name(text), name(text), b"other", now=now, until=now + 9) is Lease.GRANTED
    store.close()


def test_a_pickled_store_comes_back_on_the_same_place(path: Path, now: float) -> None:
    """With its bounds and its secret."""
    store = FileStore(path, max_bytes=10**6, max_entries=9, secret_key=["k" * 32, "l" * 32])
    stored = put(store, make_item("one", now=now), now=now)
    again: FileStore = pickle.loads(pickle.dumps(store))
    assert list(again.load(name("one"))) == [stored]
    assert (again.max_bytes, again.max_entries, again.sealer) == (10**6, 9, store.sealer)
    assert again.location == store.location == str(path)
    store.close()
    again.close()


def test_a_store_nobody_holds_ends_its_thread(path: Path, now: float) -> None:
    """Forgetting to close it keeps nothing alive."""
    store = FileStore(path)
    store.touch(name("one"), b"x" * 16, now=now)
    thread = store._maintenance
    assert thread.works
    del store
    end = time.monotonic() + 30
    while thread.works:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FileStore(""),
        lambda: FileStore(None),  # type: ignore[arg-type]
        lambda: FileStore(b"bytes"),  # type: ignore[arg-type]
        lambda: FileStore(3),  # type: ignore[arg-type]
        lambda: FileStore("with\0nul"),
        lambda: FileStore("x", max_bytes=0),
        lambda: FileStore("x", max_bytes=1.5),  # type: ignore[arg-type]
        lambda: FileStore("x", max_entries=0),
        lambda: FileStore("x", secret_key=None),  # type: ignore[arg-type]
        lambda: FileStore("x", secret_key=""),
    ],
)
def test_a_wrong_setting_is_an_error_at_once(make: Callable[[], FileStore]) -> None:
    with pytest.raises(SettingError):
        make()


def test_the_home_folder_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = FileStore("~/cache")
    store.open(signed=False)
    assert (tmp_path / "cache" / "meta").exists()
    store.close()
