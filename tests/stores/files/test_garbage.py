"""FileStore when there is garbage in the place of its files: at worst a miss, never a hang (G3, G20)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from file_store import works

from sansio_cache.errors import StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.testing import make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen

pytestmark = pytest.mark.once

# Garbage


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"store_id": 1}', b"\xff" * 50, b'{"store_id": "00", "salt": ""}']
)
def test_a_broken_meta_record_is_set_aside(store: FileStore, path: Path, now: float, content: bytes) -> None:
    """The folder is ours by its tag, so that it is begun anew; what is in it is of another id."""
    put(store, make_item("one", now=now), now=now)
    before = store.open(signed=False)
    store.close()
    (path / "meta").write_bytes(content)
    other = FileStore(path)
    assert other.open(signed=False) != before
    [aside] = path.glob("meta.broken-*")
    assert aside.read_bytes() == content
    works(other)
    other.close()


def _truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _emptied(file: Path) -> None:
    os.truncate(file, 0)


def _overwritten(file: Path) -> None:
    file.write_bytes(b"garbage" * 100)


def _a_header_and_nothing(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:8])


def _a_header_and_garbage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:8] + b"\xff" * 500)


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _a_link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def _endless(file: Path) -> None:
    os.truncate(file, 10 * 1024**3)


BREAKING = [
    *(_truncated, _emptied, _overwritten, _a_header_and_nothing, _a_header_and_garbage),
    *(_a_folder, _a_pipe, _a_link_to_itself, _endless),
]


@pytest.mark.parametrize("break_it", BREAKING)
def test_a_broken_head_is_a_miss(store: FileStore, path: Path, now: float, break_it: Callable[[Path], None]) -> None:
    """Whatever lies in the place of our file: no error, no waiting, no endless reading."""
    put(store, make_item("one", now=now), now=now)
    put(store, make_item("two", now=now), now=now)
    [file] = path.glob(f"resources/*/*/{name('one').hex()}")
    break_it(file)
    assert list(store.load(name("one"))) == []
    assert not store.load_nowait(name("one"))
    assert [each.partition for each in store.listed()] == [name("two")]
    assert store.size().entries == 1
    if break_it is _a_folder:
        assert not store.commit(make_item("one", now=now), vary_limit=32, now=now)
    else:
        put(store, make_item("one", now=now), now=now)
        break_it(file)
    assert store.sweep(now=now) == 1
    assert store.sweep(now=now) == 0
    put(store, make_item("one", now=now), now=now)
    assert len(store.load(name("two"))) == 1


@pytest.mark.parametrize("at", range(0, 240, 7))
def test_a_flipped_bit_is_at_worst_a_miss(store: FileStore, path: Path, now: float, at: int) -> None:
    """G3: nothing outside the sealed head makes the store raise, or give a head that it did not get."""
    item = make_item("one", now=now)
    put(store, item, now=now)
    [file] = path.glob("resources/*/*/*")
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    for stored in store.load(name("one")):
        assert stored.sealed in item.sealed or len(stored.sealed) == len(item.sealed)
    list(store.listed())
    store.sweep(now=now)
    assert store.commit(item, vary_limit=32, now=now)
    assert item.sealed in {stored.sealed for stored in store.load(name("one"))}


@pytest.mark.parametrize("break_it", [each for each in BREAKING if each is not _a_header_and_nothing])
def test_a_broken_body_is_an_error_and_is_swept(
    store: FileStore, path: Path, now: float, break_it: Callable[[Path], None]
) -> None:
    """Its reader is told; what no head can name goes with the sweeps."""
    stored = put(store, stream(store, make_item("one", b"x" * (CHUNK_SIZE + 1), now=now)), now=now)
    [file] = path.glob("bodies/*/*")
    break_it(file)
    with pytest.raises(StoreError):
        store.hashes(stored.entry)
    with pytest.raises(StoreError):
        store.chunk(stored.entry, 0)
    works(store)
    if not file.is_dir() and not file.is_symlink():
        os.utime(file, (now - 100, now - 100))
        store.sweep(now=now)
        assert not file.exists()


def test_a_bent_pointer_is_a_miss_and_mended(store: FileStore, path: Path, now: float) -> None:
    """One that leads elsewhere leads nowhere; the next commit puts it right."""
    for text in ("one", "two"):
        put(store, make_item(text, now=now), now=now)
    [link] = path.glob(f"partitions/*/{name('one').hex()}")
    for target in ("/etc/passwd", "nowhere", f"../{name('two').hex()[:2]}/{name('two').hex()}", "."):
        link.unlink()
        link.symlink_to(target)
        assert list(FileStore(path).load(name("one"))) == []
        assert not store.change([seen("one", 1)], None)
        store.touch(name("one"), b"x" * 16, now=now)
        store.flush(30)
        store.sweep(now=now)
        stored = put(store, make_item("one", now=now), now=now)
        assert list(store.load(name("one"))) == [stored]


def test_garbage_among_marks_counts_for_nothing(store: FileStore, path: Path, now: float) -> None:
    store.drop(name("resource"), now=now)
    for file in path.glob("marks/*/*"):
        file.write_bytes(b"garbage")
    put(store, make_item("one", now=now - 1), now=now)
    for file in path.glob("*/*/*"):
        if not file.is_dir():
            (file.parent / "strange").write_bytes(b"garbage")
    list(store.listed())
    store.sweep(now=now + 1000)
    works(store)
