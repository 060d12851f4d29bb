"""G28, G29: what lies in the folder is read up to what it can have, and small files count, too."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from file_store import in_folder, sweep_all

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.files import heads, marks
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import MARK_SECONDS, Lease
from sansio_cache_adapters.stores.system import posix_folder
from sansio_cache_adapters.testing import make_item, name, put, stream

GIB = 1024**3
END = struct.Struct(">32s32sQQ8s")


def peak(call: Callable[[], object]) -> int:
    """Bytes that were taken at once meanwhile."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_huge_files_are_not_read(store: FileStore, path: Path, now: float) -> None:
    """In the place of a head, a mark, a pointer, of the file whose bytes are locked and of what tells the store."""
    put(store, make_item("one", now=now), now=now)
    store.claim(name("one"), name("resource"), b"token", now=now, until=now + 9)
    store.drop(name("other"), now=now)
    store.close()
    for each in path.rglob("*"):
        if each.is_file() and not each.is_symlink() and each.name not in ("meta", "CACHEDIR.TAG"):
            os.truncate(each, 4 * GIB)

    def use() -> None:
        store.open(signed=False)
        assert list(store.load(name("one"))) == []
        assert not store.load_nowait(name("one"))
        assert store.claim(name("two"), name("other"), b"other", now=now, until=now + 9) is Lease.GRANTED
        assert list(store.listed()) == []
        sweep_all(store, now)
        put(store, make_item("one", now=now, resource="other"), now=now)

    assert peak(use) < 2 * 1024**2
    for each in ("meta", "CACHEDIR.TAG"):
        os.truncate(path / each, 4 * GIB)

    def reopen() -> None:
        with pytest.raises(StoreError):
            FileStore(path).open(signed=False)

    assert peak(reopen) < 1024**2


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(CHUNK_SIZE + 1, 3_200_000_000), (CHUNK_SIZE + 1, 32), (CHUNK_SIZE + 1, 96), (GIB * 2**10, 32 * 2**20)],
    ids=["many hashes", "too few", "too many", "as many as a terabyte has"],
)
def test_a_list_of_hashes_is_as_long_as_the_body_says(
    store: FileStore, path: Path, now: float, size: int, hashes: int
) -> None:
    """And the body no longer than the store: a hole of gigabytes costs nothing to make."""
    stored = put(store, stream(store, make_item("one", b"x" * (CHUNK_SIZE + 1), now=now)), now=now)
    [file] = path.glob("bodies/*/*")
    resource, partition, _, _, magic = END.unpack(file.read_bytes()[-END.size :])
    os.truncate(file, size + hashes)
    with file.open("ab") as body:
        body.write(END.pack(resource, partition, size, hashes, magic))

    def read() -> None:
        with pytest.raises(StoreError, match="broken"):
            store.hashes(stored.entry)

    assert peak(read) < 1024**2


def test_a_partition_is_never_written_that_could_not_be_read(
    store: FileStore, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more variants than one file may hold the longest unused go, however high ``vary_limit`` is."""
    monkeypatch.setattr(heads, "_LARGEST", 100_000)
    for index in range(10):
        item = make_item("one", b"x" * 20_000, variant=f"{index}", now=now)
        assert store.commit(item, vary_limit=1000, now=now + index)
    assert [each.sealed for each in store.load(name("one"))] == [
        make_item("one", b"x" * 20_000, variant=f"{index}", now=now).sealed for index in (9, 8, 7, 6)
    ]


def test_a_record_that_says_it_is_huge_costs_itself_alone(path: Path, now: float) -> None:
    """Sizes lie outside the sealed head: one that is wrong must not have all others evicted."""
    store = FileStore(path, max_bytes=1_000_000)
    for index in range(5):
        put(store, make_item(f"{index}", now=now), now=now + index)
    large = put(store, stream(store, make_item("large", b"x" * 70_000, now=now)), now=now)
    [file] = path.glob("resources/*/*/" + name("large").hex())
    data = file.read_bytes()
    planted = data.replace((70_000).to_bytes(8, "big"), (1 << 62).to_bytes(8, "big"))
    assert planted != data
    file.write_bytes(planted)
    assert list(store.load(name("large"))) == [large]
    assert sweep_all(store, now) == 1
    assert store.size().entries == 5
    store.close()


def test_want_of_memory_is_trouble_of_the_store(store: FileStore, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session goes on without it."""
    put(store, make_item("one", now=now), now=now)

    def no_memory(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(posix_folder, "_whole", no_memory)
    calls: list[Callable[[], object]] = [
        lambda: store.load(name("one")),
        lambda: store.load_nowait(name("one")),
        lambda: store.commit(make_item("one", now=now), vary_limit=32, now=now),
        lambda: list(store.listed()),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="MemoryError"):
            call()


# Marks


def test_marks_are_folded_into_one(path: Path, now: float) -> None:
    """Many dropped resources take little room, and nothing that was requested before its drop comes in."""
    store = FileStore(path, max_bytes=1_000_000)
    put(store, make_item("kept", now=now, resource="kept"), now=now)
    for index in range(300):
        store.drop(name(f"{index}"), now=now + index / 1000)
    assert store.flush(30)
    assert sum(each.stat().st_blocks * 512 for each in in_folder(path, "marks/**/*")) < 100_000
    for index in (0, 150, 299):
        item = make_item(f"{index}", now=now + index / 1000, resource=f"{index}")
        assert not store.commit(item, vary_limit=32, now=now + 1)
        assert store.commit(make_item(f"{index}", now=now + 1, resource=f"{index}"), vary_limit=32, now=now + 2)
    assert len(store.load(name("kept"))) == 1
    later = now + MARK_SECONDS + 2
    assert store.commit(make_item("0", now=now, resource="0"), vary_limit=32, now=later)
    store.close()


def test_marks_count_towards_the_bound(path: Path, now: float) -> None:
    """By what they take on disk."""
    store = FileStore(path, max_bytes=2_000_000)
    for index in range(19):
        put(store, make_item(f"{index}", b"x" * 60_000, resource=f"{index}", now=now), now=now + index)
    body = stream(store, make_item("large", b"x" * 800_000, now=now))
    assert sweep_all(store, now) == 0
    for index in range(marks.most_marks(2_000_000) - 1):
        store.drop(name(f"u{index}"), now=now)
    assert store.flush(30)
    assert sweep_all(store, now) > 0
    assert store.size().bytes <= 2_000_000 - marks.most_marks(2_000_000) * marks.SMALL_FILE
    store.abort(body.entry)
    store.close()
