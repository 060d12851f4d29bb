"""G29: anyone who can write to the folder makes us neither read, change nor delete a file that lies elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from file_store import large, sweep_all, works

from sansio_cache.errors import ForeignStore, StoreError
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import Seen
from sansio_cache_adapters.testing import make_item, name, put, stream

pytestmark = pytest.mark.once

KINDS = ("resources", "partitions", "bodies", "pending", "marks", "leases")
OLD = 1_000_000_000.0


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A stranger's folder: papers, and a cache of the stranger's own, so that names and contents look like ours."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    theirs = FileStore(home / "cache")
    theirs.open(signed=False)
    now = time.time()
    put(theirs, make_item("one", b"theirs", now=now, lifetime=10), now=now)
    put(theirs, stream(theirs, large(1, now)), now=now)
    stream(theirs, large(2, now))
    theirs.claim(name("one"), name("resource"), b"token", now=now, until=now + 9)
    theirs.drop(name("dropped"), now=now)
    theirs.close()
    for kind in KINDS:
        for shard in (home / "cache" / kind).iterdir():
            if not (home / shard.name).exists():
                shard.rename(home / shard.name)
    for each in [*home.rglob("*"), home]:
        os.utime(each, (OLD, OLD), follow_symlinks=False)
    return home


def seen(home: Path) -> dict[str, tuple[float, int, bytes]]:
    """All of a folder, its times and modes too. Not that of the folders above it."""
    found = {str(each): each.lstat() for each in [home, *sorted(home.rglob("*"))]}
    return {
        each: (at.st_mtime, at.st_mode, Path(each).read_bytes() if Path(each).is_file() else b"")
        for each, at in found.items()
    }


def fill(path: Path, now: float) -> None:
    """One of everything."""
    store = FileStore(path)
    store.open(signed=True)
    put(store, make_item("one", b"body", now=now, lifetime=10), now=now)
    put(store, stream(store, large(1, now)), now=now)
    stream(store, large(2, now))
    store.claim(name("one"), name("resource"), b"token", now=now, until=now + 9)
    store.drop(name("dropped"), now=now)
    store.sweep(now=now)
    store.close()
    (path / "swept").touch()


def use(store: FileStore, now: float) -> None:
    """Every verb, whatever becomes of it."""
    entries = [b"\0" * 16]
    calls: list[Callable[[], object]] = [
        lambda: store.open(signed=True),
        lambda: entries.extend(each.entry for each in store.load(name("one"))),
        lambda: entries.extend(each.entry for each in store.load(name("1"))),
        lambda: store.touch(name("one"), entries[-1], now=now + 5),
        lambda: store.flush(30),
        lambda: store.chunk(entries[-1], 0),
        lambda: store.claim(name("one"), name("resource"), b"other", now=now + 100, until=now + 109),
        lambda: store.release(name("one"), b"other", open_until=now + 120),
        lambda: store.release(name("one"), b"token"),
        lambda: store.flush(30),
        lambda: put(store, make_item("one", b"new", now=now), now=now),
        lambda: put(store, stream(store, large(1, now)), now=now),
        lambda: store.change(
            [Seen(name("one"), name("variant"), store.load(name("one"))[0].rev)], make_item("one", now=now)
        ),
        lambda: list(store.listed()),
        store.size,
        store.check,
        lambda: store.drop(name("dropped"), now=now + 1),
        lambda: store.change([Seen(name("1"), name("variant"), store.load(name("1"))[0].rev)], None),
        lambda: sweep_all(store, now + 30),
        lambda: sweep_all(store, now + 10_000),
        lambda: store.drop(name("resource"), now=now + 1),
        store.maintain,
        store.clear,
        store.unsign,
        store.close,
    ]
    for call in calls:
        with suppress(StoreError, IndexError, AssertionError):
            call()


def places(path: Path) -> list[Path]:
    """Every file and folder below a folder."""
    return sorted(path.rglob("*"), reverse=True)


FILLED = [
    *KINDS,
    *(f"{kind}/??" for kind in KINDS if kind != "pending"),
    "resources/??/*",
    *("meta", "signed", "swept", "CACHEDIR.TAG"),
    *("resources/??/*/*", "partitions/??/*", "bodies/??/*", "pending/*", "marks/??/*", "leases/??/*"),
]


@pytest.mark.parametrize("moment", ["before it is opened", "while it is open"])
@pytest.mark.parametrize("pattern", FILLED)
def test_a_symbolic_link_in_any_place(path: Path, now: float, victim: Path, pattern: str, moment: str) -> None:
    """To a folder in place of a folder, to a file in place of a file."""
    fill(path, now)
    store = FileStore(path)
    if moment == "while it is open":
        store.open(signed=True)
        store.load(name("one"))
    before = seen(victim)
    theirs = {each.name: each for each in sorted(victim.rglob("*")) if each.is_file()}
    for index, each in enumerate(sorted(path.glob(pattern))):
        is_folder = each.is_dir()
        each.rename(path.parent / f"away-{index}")
        if is_folder:
            each.symlink_to(victim)
        else:
            each.symlink_to(theirs.get(each.name, victim / "thesis.txt"))
    use(store, now)
    use(FileStore(path), now)
    assert seen(victim) == before


@pytest.mark.parametrize("pattern", [each for each in FILLED if each not in KINDS and each[-2:] != "??"])
def test_a_hard_link_in_the_place_of_a_file(path: Path, now: float, victim: Path, pattern: str) -> None:
    """Another name of a stranger's file: at most that name goes; neither times, modes nor contents change."""
    fill(path, now)
    before = seen(victim)
    theirs = {each.name: each for each in sorted(victim.rglob("*")) if each.is_file() and not each.is_symlink()}
    for each in sorted(path.glob(pattern)):
        if each.is_dir():
            continue
        each.unlink()
        os.link(theirs.get(each.name, victim / "thesis.txt"), each, follow_symlinks=False)
    use(FileStore(path), now)
    use(FileStore(path), now)
    assert seen(victim) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["home", "nowhere", "cache/elsewhere"])
def test_a_folder_with_a_link_where_a_folder_belongs_is_foreign(
    path: Path, now: float, victim: Path, kind: str, target: str
) -> None:
    """And said to be so; when the link has gone, it is in use again."""
    fill(path, now)
    (path / kind).rename(path / "elsewhere")
    (path / kind).symlink_to(path.parent / target)
    store = FileStore(path)
    with pytest.raises(ForeignStore, match=f"{kind} is not a folder of ours"):
        store.open(signed=True)
    (path / kind).unlink()
    works(store)
    store.close()


def test_a_link_put_there_while_it_is_used(path: Path, store: FileStore, now: float, victim: Path) -> None:
    """The sweep that comes next does not go through it."""
    before = seen(victim)
    put(store, make_item("one", now=now), now=now)
    (path / "pending").rename(path / "away")
    (path / "pending").symlink_to(victim)
    store._reopened().forget()  # what was opened a moment ago is used for a second
    with pytest.raises(ForeignStore):
        sweep_all(store, now + 10_000)
    assert seen(victim) == before


def test_what_is_removed_with_a_dropped_resource(path: Path, store: FileStore, now: float, victim: Path) -> None:
    """Its folder goes with the records in it; what somebody has put beside them stays, below pending."""
    put(store, make_item("one", now=now), now=now)
    [folder] = path.glob("resources/??/*")
    (folder / "papers").mkdir()
    (folder / "papers" / "thesis.txt").write_text("years of work")
    (folder / "letter.txt").write_text("dear")
    (folder / name("other").hex()).symlink_to(victim)
    before = seen(victim)
    assert store.drop(name("resource"), now=now) == 1
    assert store.flush(30)
    sweep_all(store, now + 10_000)
    store.clear()
    assert seen(victim) == before
    [away] = path.glob("pending/*")
    assert sorted(each.name for each in away.iterdir()) == ["letter.txt", "papers"]
    assert (away / "papers" / "thesis.txt").read_text() == "years of work"


def test_names_that_are_not_ours_are_left(path: Path, store: FileStore, now: float) -> None:
    """In no folder of ours does a sweep, or even clear, remove what we would not have named so."""
    put(store, stream(store, large(1, now)), now=now)
    store.claim(name("1"), name("resource"), b"token", now=now, until=now + 9)
    store.drop(name("other"), now=now)
    folders = [path, *(each for each in path.rglob("*") if each.is_dir() and not each.is_symlink())]
    strange = ["notes.txt", "0" * 31, "A" * 64, "0" * 32 + ".txt", " " + "0" * 63]
    for folder in folders:
        for each in strange:
            (folder / each).write_text("mine")
            os.utime(folder / each, (OLD, OLD))
    sweep_all(store, now + 10_000)
    store.clear()
    gone = [folder / each for folder in folders for each in strange if not (folder / each).exists()]
    # The folder of a resource with nothing of ours in it is no longer in its place, but what was put there is.
    assert gone == []


# The folder itself


def test_a_link_to_a_cache_of_ours_is_followed(path: Path, now: float) -> None:
    """The path given is the user's to choose, links in it included, as long as a cache is there already."""
    fill(path, now)
    (path.parent / "link").symlink_to(path)
    (path.parent / "above").symlink_to(path.parent)
    for given in (path.parent / "link", path.parent / "above" / "cache", path.parent / "above" / "new"):
        store = FileStore(given)
        works(store)
        store.close()


@pytest.mark.parametrize("what", ["an empty folder", "a full folder", "nothing", "a file"])
def test_through_a_link_nothing_is_begun(path: Path, victim: Path, what: str) -> None:
    """Somebody else may have put it there, to have a folder of the user's taken for a cache."""
    target = {
        "an empty folder": victim / "empty",
        "a full folder": victim,
        "nothing": victim / "nothing",
        "a file": victim / "thesis.txt",
    }[what]
    (victim / "empty").mkdir()
    before = seen(victim)
    path.symlink_to(target)
    store = FileStore(path)
    with pytest.raises(ForeignStore):
        store.open(signed=False)
    assert seen(victim) == before
    path.unlink()
    works(store)
    store.close()
