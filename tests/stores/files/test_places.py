"""A key whose place is taken by something else is that key's miss (G3, G29); a folder that is missed is made again."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from file_store import sweep_all, works

from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import Lease
from sansio_cache_adapters.testing import make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen

pytestmark = pytest.mark.once

KINDS = ("resources", "partitions", "bodies", "pending", "marks", "leases")


def _a_full_folder(place: Path) -> None:
    (place / "full" / "of").mkdir(parents=True)
    (place / "papers").write_text("years of work")


def _an_empty_folder(place: Path) -> None:
    place.mkdir()


def _a_file(place: Path) -> None:
    place.write_text("no folder")


def _a_pipe(place: Path) -> None:
    os.mkfifo(place)


def _a_socket(place: Path) -> None:
    before = os.open(".", os.O_RDONLY)
    os.chdir(place.parent)  # such paths may have no more than a hundred letters
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.fchdir(before)
        os.close(before)


def _a_loop(place: Path) -> None:
    place.symlink_to(place)


def _nobodys_file(place: Path) -> None:
    place.write_text("theirs")
    place.chmod(0)
    if os.geteuid() == 0:
        os.chown(place, 65_534, 65_534)


def _nobodys_folder(place: Path) -> None:
    place.mkdir()
    place.chmod(0)
    if os.geteuid() == 0:
        os.chown(place, 65_534, 65_534)


TAKEN = [
    *(_a_full_folder, _an_empty_folder, _a_file, _a_pipe, _a_socket, _a_loop),
    *(_nobodys_file, _nobodys_folder),
]


def places_of(path: Path, text: str, resource: str) -> dict[str, Path]:
    """All that belongs to one key."""
    partition, of_resource = name(text).hex(), name(resource).hex()
    return {
        "head": path / "resources" / of_resource[:2] / of_resource / partition,
        "resource": path / "resources" / of_resource[:2] / of_resource,
        "shard": path / "resources" / of_resource[:2],
        "pointer": path / "partitions" / partition[:2] / partition,
        "pointers": path / "partitions" / partition[:2],
        "mark": path / "marks" / of_resource[:2] / of_resource,
        "marks": path / "marks" / of_resource[:2],
        "lease": path / "leases" / partition[:2] / partition,
        "leases": path / "leases" / partition[:2],
    }


@pytest.mark.parametrize("take", TAKEN)
@pytest.mark.parametrize("place", list(places_of(Path(), "bad", "bad")))
def test_a_taken_place_costs_one_key(
    store: FileStore, path: Path, now: float, place: str, take: Callable[[Path], None]
) -> None:
    """No verb raises, neither for that key nor for others, and others lose nothing."""
    good = put(store, make_item("good", now=now, resource="good"), now=now)
    put(store, make_item("bad", now=now, resource="bad"), now=now)
    store.claim(name("bad"), name("bad"), b"token", now=now, until=now + 9)
    store.drop(name("bad"), now=now - 30)
    where = places_of(path, "bad", "bad")[place]
    if where.is_dir():
        shutil.rmtree(where)
    else:
        where.unlink(missing_ok=True)
    where.parent.mkdir(exist_ok=True)
    take(where)
    for each in (store, FileStore(path)):
        each.open(signed=False)
        assert each.claim(name("bad"), name("bad"), b"a", now=now + 99, until=now + 108) is Lease.GRANTED
        kept = each.commit(make_item("bad", now=now, resource="bad"), vary_limit=32, now=now)
        assert len(each.load(name("bad"))) == kept
        large = stream(each, make_item("bad", b"x" * (CHUNK_SIZE + 1), now=now, resource="bad"))
        assert each.commit(large, vary_limit=32, now=now) == kept
        for stored in each.load(name("bad")):
            assert each.change([seen("bad", stored.rev)], make_item("bad", now=now, resource="bad"))
            each.change([seen("bad", stored.rev)], None)
        each.release(name("bad"), b"a")
        each.touch(name("bad"), b"x" * 16, now=now + 9)
        assert each.flush(30)
        assert name("good") in [listed.partition for listed in each.listed()]
        each.check()
        each.drop(name("bad"), now=now - 1)
        sweep_all(each, now)
        assert list(each.load(name("good"))) == [good]
        works(each)
        assert each.size().entries >= 1
    store.clear()
    assert store.size().entries == 0
    put(store, make_item("good", now=now, resource="good"), now=now)


@pytest.mark.parametrize("take", [_a_full_folder, _a_pipe, _a_loop, _nobodys_file])
def test_a_mark_that_cannot_be_read_keeps_answers_out(
    store: FileStore, path: Path, now: float, take: Callable[[Path], None]
) -> None:
    """What was dropped must not return: where that cannot be known nothing is kept."""
    where = places_of(path, "bad", "bad")["mark"]
    where.parent.mkdir()
    take(where)
    store.drop(name("bad"), now=now)
    if where.exists() and not where.is_file():
        assert not store.commit(make_item("bad", now=now - 1, resource="bad"), vary_limit=32, now=now)
    assert store.commit(make_item("good", now=now - 1, resource="good"), vary_limit=32, now=now)


def test_it_is_said_once(store: FileStore, path: Path, now: float, caplog: pytest.LogCaptureFixture) -> None:
    """A key that is not cached for such a reason leaves a trace."""
    _a_full_folder(places_of(path, "bad", "bad")["shard"])
    places_of(path, "bad", "bad")["resource"].write_text("no folder")
    for _ in range(3):
        assert not store.commit(make_item("bad", now=now, resource="bad"), vary_limit=32, now=now)
    said = [each for each in caplog.records if each.levelname == "WARNING"]
    assert len(said) == 1
    assert str(path) in said[0].getMessage()


# What is missed


@pytest.mark.parametrize("moment", ["closed", "open", "just read"])
@pytest.mark.parametrize("missing", [*KINDS, *(f"{kind}/*" for kind in KINDS), "resources/*/*"])
def test_a_missing_folder_is_made_again(path: Path, now: float, missing: str, moment: str) -> None:
    """Cleaners of temporary files, archives and version control remove empty folders, one by one."""
    store = FileStore(path)
    store.open(signed=False)
    put(store, make_item("one", now=now), now=now)
    old = put(store, stream(store, make_item("two", b"x" * (CHUNK_SIZE + 1), now=now)), now=now)
    store.claim(name("one"), name("resource"), b"token", now=now, until=now + 9)
    store.drop(name("other"), now=now)
    if moment == "closed":
        store.close()
    if moment == "just read":
        assert store.load(name("one"))
    for each in path.glob(missing):
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    big = put(store, stream(store, make_item("two", b"y" * (CHUNK_SIZE + 1), now=now)), now=now)
    works(store)
    for text in ("one", "three"):
        put(store, make_item(text, now=now), now=now)
    assert big.entry != old.entry
    assert list(store.load(name("two"))) == [big]
    assert store.chunk(big.entry, 1) == b"y"
    assert store.claim(name("3"), name("resource"), b"token", now=now, until=now + 9) is Lease.GRANTED
    assert store.drop(name("resource"), now=now) == 3
    assert not store.commit(make_item("one", now=now - 1), vary_limit=32, now=now)
    store.check()
    store.sweep(now=now)
    store.clear()
    store.close()


def test_what_another_process_makes_again_is_found(store: FileStore, path: Path, now: float) -> None:
    """A folder that was deleted and made anew is another one, though of the same name."""
    put(store, make_item("one", now=now), now=now)
    assert store.load(name("one"))
    for each in ("resources", "partitions"):
        shutil.rmtree(path / each)
    other = FileStore(path)
    again = put(other, make_item("one", now=now), now=now)
    store._reopened().forget()  # or a second later
    assert list(store.load(name("one"))) == [again]
    other.close()
