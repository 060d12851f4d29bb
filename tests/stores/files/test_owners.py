"""G26: a folder is for its owner only, what was there already too; what another user owns is foreign."""

from __future__ import annotations

import multiprocessing
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from file_store import large, picture, works

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache.records import CHUNK_SIZE
from sansio_cache_adapters.stores.files import layout
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.testing import make_item, name, put, stream

NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def fill(path: Path, now: float) -> None:
    store = FileStore(path)
    store.open(signed=True)
    for index in range(3):
        put(store, make_item(f"{index}", now=now), now=now)
    put(store, stream(store, large(4, now)), now=now)
    stream(store, large(5, now))
    store.claim(name("one"), name("resource"), b"token", now=now, until=now + 9)
    store.drop(name("other"), now=now)
    store.sweep(now=now)
    store.close()


def modes(path: Path) -> set[tuple[bool, int]]:
    every = [path, *(each for each in path.rglob("*") if not each.is_symlink())]
    return {(each.is_dir(), stat.S_IMODE(each.stat().st_mode)) for each in every}


def open_up(path: Path) -> None:
    for each in [path, *path.rglob("*")]:
        if not each.is_symlink():
            each.chmod(0o777 if each.is_dir() else 0o666)


@pytest.mark.parametrize("opened", [True, False], ids=["all of it", "but not the folder itself"])
def test_what_is_there_already_is_closed_to_others(path: Path, now: float, opened: bool) -> None:
    """It was copied, restored, or made by hand."""
    fill(path, now)
    open_up(path)
    if not opened:
        path.chmod(0o700)
    store = FileStore(path)
    store.open(signed=True)
    assert modes(path) == {(True, 0o700), (False, 0o600)}
    assert len(store.load(name("1"))) == 1
    works(store)
    store.close()


def test_an_empty_folder_is_closed_to_others(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)
    store = FileStore(path)
    store.open(signed=False)
    assert modes(path) == {(True, 0o700), (False, 0o600)}
    store.close()


def test_of_many_files_the_last_are_left_to_the_sweep(path: Path, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening does not take long; no other user can reach them, once the folder is closed."""
    fill(path, now)
    open_up(path)
    monkeypatch.setattr(layout, "_LOOKED_AT", 3)
    store = FileStore(path)
    store.open(signed=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert len(modes(path)) > 2
    store.sweep(now=now)
    assert modes(path) == {(True, 0o700), (False, 0o600)}
    store.close()


def test_what_others_know_by_another_name_keeps_its_mode(path: Path, now: float) -> None:
    """A stranger's file that was linked into the folder is not ours alone."""
    fill(path, now)
    page = path.parent / "index.html"
    page.write_text("for all to read")
    page.chmod(0o644)
    os.link(page, path / "resources" / "page")
    FileStore(path).open(signed=True)
    assert stat.S_IMODE(page.stat().st_mode) == 0o644


def test_folders_made_above_it_are_closed_too(path: Path) -> None:
    before = os.umask(0)
    try:
        FileStore(path / "a" / "b").open(signed=False)
    finally:
        os.umask(before)
    assert modes(path) == {(True, 0o700), (False, 0o600)}


# Another user's


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o777])
@pytest.mark.parametrize("filled", [True, False], ids=["a cache", "an empty folder"])
def test_a_folder_of_another_user_is_foreign(path: Path, now: float, mode: int, filled: bool) -> None:
    """It is neither used nor written to. Root does for a cache what its owner would do at opening, and no more."""
    path.mkdir()
    if filled:
        fill(path, now)
    for each in [path, *path.rglob("*")]:
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
        if each.is_dir() and not each.is_symlink():
            each.chmod(mode)
    before = picture(path), path.stat().st_mtime_ns
    left = modes(path)
    store = FileStore(path)
    calls: list[Callable[[], object]] = [
        lambda: store.open(signed=False),
        lambda: store.load(name("1")),
        lambda: store.commit(make_item("1", now=now), vary_limit=32, now=now),
        lambda: store.sweep(now=now + 1000),
        store.clear,
    ]
    for call in calls:
        with pytest.raises(ForeignStore, match="another user"):
            call()
    store.close()
    assert (picture(path), path.stat().st_mtime_ns) == before
    assert modes(path) == ({(True, 0o700), (False, 0o600)} if filled else left)
    assert {each.lstat().st_uid for each in [path, *path.rglob("*")]} == {NOBODY}


@as_root
def test_root_changes_no_modes_of_files_that_others_know(path: Path, now: float) -> None:
    """Anyone who owns such a folder may have linked a file of root's, or of anybody's, into it."""
    fill(path, now)
    passwords, theirs = path.parent / "passwords", path.parent / "page"
    for each in (passwords, theirs):
        each.write_text("for all to read")
        each.chmod(0o644)
    for each in [path, *path.rglob("*")]:
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
    os.chown(theirs, NOBODY, NOBODY)
    os.link(passwords, path / "resources" / "passwords")
    os.link(theirs, path / "resources" / "page")
    (path / "resources" / "link").symlink_to(path.parent)
    above = path.parent.stat().st_mode
    with pytest.raises(ForeignStore):
        FileStore(path).open(signed=True)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (passwords, theirs)] == [0o644, 0o644]
    assert path.parent.stat().st_mode == above


@as_root
@pytest.mark.parametrize("kind", ["resources", "pending", "leases"])
def test_a_folder_within_that_another_user_owns_is_foreign(path: Path, now: float, kind: str) -> None:
    fill(path, now)
    os.chown(path / kind, NOBODY, NOBODY)
    with pytest.raises(ForeignStore, match=kind):
        FileStore(path).open(signed=True)


@as_root
def test_what_another_user_put_into_it_is_left(path: Path, now: float) -> None:
    """One URL's folder, or a file in the place of one: that URL is a miss, and the modes there are not ours to set."""
    fill(path, now)
    [folder] = path.glob("resources/??/*")
    for each in [folder.parent, folder, *folder.iterdir()]:
        os.chown(each, NOBODY, NOBODY)
        each.chmod(0o777)
    before = modes(folder)
    store = FileStore(path)
    store.open(signed=True)
    assert list(store.load(name("1"))) == []
    assert not store.commit(make_item("1", now=now), vary_limit=32, now=now)
    store.sweep(now=now + 100_000)
    store.clear()
    assert modes(folder) == before
    works(store)
    store.close()


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that every user can come to."""
    with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def _unreadable(path: Path) -> None:
    if os.geteuid() == 0:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    store, now = FileStore(path), time.time()
    put(store, make_item("good", now=now, resource="good"), now=now)
    put(store, make_item("bad", now=now), now=now)
    big = put(store, stream(store, make_item("big", b"x" * (CHUNK_SIZE + 1), now=now, resource="big")), now=now)
    store.claim(name("bad"), name("resource"), b"token", now=now, until=now + 9)
    store.drop(name("dropped"), now=now)
    head = path / "resources" / name("resource").hex()[:2] / name("resource").hex() / name("bad").hex()
    for each in [head, *path.glob("leases/*/*"), *path.glob("marks/*/*"), *path.glob("bodies/*/*")]:
        each.chmod(0)
    assert list(store.load(name("bad"))) == []
    try:
        store.chunk(big.entry, 0)
    except StoreError:
        pass
    else:
        raise AssertionError("an unreadable body was read")
    store.claim(name("bad"), name("resource"), b"other", now=now, until=now + 9)
    assert store.commit(make_item("bad", now=now), vary_limit=32, now=now)
    assert not store.commit(make_item("bad", now=now - 9, resource="dropped"), vary_limit=32, now=now)
    store.sweep(now=now)
    head.parent.chmod(0)
    assert list(store.load(name("bad"))) == []
    assert not store.commit(make_item("bad", now=now), vary_limit=32, now=now)
    assert len(store.load(name("good"))) == 1
    works(store)
    for each in (head.parent, head.parent.parent, *path.glob("leases/*"), *path.glob("marks/*")):
        each.chmod(0o500)
    store.claim(name("bad"), name("resource"), b"third", now=now + 99, until=now + 108)
    assert not store.commit(make_item("bad", now=now), vary_limit=32, now=now)
    store.drop(name("dropped"), now=now)
    store.check()
    store.sweep(now=now + 100)
    works(store)
    store.clear()
    assert list(store.load(name("good"))) == []
    head.parent.chmod(0o700)
    store.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_what_cannot_be_read_costs_one_key(common: Path) -> None:
    """G29: a file or folder of one URL without the right to read it, for who is not root."""
    child = multiprocessing.get_context("fork").Process(target=_unreadable, args=(common / "cache",))
    child.start()
    child.join(20)
    assert child.exitcode == 0
