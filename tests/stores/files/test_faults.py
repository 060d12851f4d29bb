"""FileStore when its folder is somebody else's, deleted, replaced, read-only, full or locked.

Trouble is a StoreError within about a second; once it has healed the store works again (G20).
"""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from file_store import picture, vanish, works
from patience import SOON
from small_disk import run_on_small_disk

from sansio_cache.errors import ForeignStore, StoreBusy, StoreError
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.stores.protocol import Lease, new_entry
from sansio_cache_adapters.testing import make_item, name, put, stream
from sansio_cache_adapters.testing.opening import seen

# Somebody else's


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.docx": b"years of work"},
        {"CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55\n# another program's\n"},
        {"CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55\n", "resources": b""},
        {"meta": b'{"store_id": "00000000000000000000000000000000", "salt": "' + b"00" * 32 + b'"}'},
        {"meta": b""},
    ],
    ids=["a document", "another cache", "a tag and more", "a meta record without a tag", "an empty meta record"],
)
def test_a_folder_of_somebody_else_is_left_alone(path: Path, files: dict[str, bytes]) -> None:
    path.mkdir()
    for each, content in files.items():
        (path / each).write_bytes(content)
    before = picture(path)
    store = FileStore(path)
    for call in (
        lambda: store.open(signed=True),
        lambda: store.load(name("one")),
        lambda: store.commit(make_item("one", now=0.0), vary_limit=32, now=0.0),
        store.clear,
        lambda: store.sweep(now=0.0),
    ):
        with pytest.raises(ForeignStore, match="left as it is"):
            call()
    store.close()
    assert picture(path) == before
    assert {each.name for each in path.iterdir()} == set(files)


def test_a_file_in_its_place_is_left_alone(path: Path) -> None:
    path.write_bytes(b"years of work")
    store = FileStore(path)
    with pytest.raises(ForeignStore, match=str(path)):
        store.open(signed=False)
    assert path.read_bytes() == b"years of work"
    path.unlink()
    works(store)
    store.close()


def test_below_a_file_there_is_no_folder(path: Path) -> None:
    path.write_bytes(b"years of work")
    with pytest.raises(StoreError):
        FileStore(path / "below").open(signed=False)
    assert path.read_bytes() == b"years of work"


@pytest.mark.parametrize("tag", [None, b"", b"Signature: 8a477f59"], ids=["empty", "tag begun", "tag half written"])
def test_a_folder_whose_beginner_died_is_begun(path: Path, tag: bytes | None) -> None:
    path.mkdir()
    if tag is not None:
        (path / "CACHEDIR.TAG").write_bytes(tag)
    store = FileStore(path)
    works(store)
    store.close()


def test_all_beginners_get_one_meta_record(path: Path) -> None:
    """First writer wins, anyone who begins at the same moment."""
    script = (
        "import sys\nfrom sansio_cache_adapters.stores.files.store import FileStore\n"
        f"print(FileStore({str(path)!r}).open(signed=False))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(6)]
    assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
    assert list(path.glob("meta*")) == [path / "meta"]


# Deleted and replaced


def test_a_folder_deleted_while_in_use(store: FileStore, path: Path, now: float) -> None:
    """What was there is a miss; the next record begins the folder anew, with the same id."""
    meta = store.open(signed=False)
    old = put(store, stream(store, make_item("1", b"x" * 70_000, now=now)), now=now)
    pending = stream(store, make_item("2", b"x" * 70_000, now=now))
    vanish(path)
    assert list(store.load(name("1"))) == []
    with pytest.raises(StoreError):
        store.chunk(old.entry, 0)
    assert not store.commit(pending, vary_limit=32, now=now)
    assert store.size() == (0, 0)
    works(store)
    assert store.open(signed=False) == meta
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_what_a_claim_left_in_a_deleted_folder_is_nothing(path: Path, now: float) -> None:
    """Made by another process while somebody deleted the folder; a file with something in it is somebody's."""
    path.mkdir()
    (path / "claims").touch()
    store = FileStore(path)
    works(store)
    store.close()
    shutil.rmtree(path)
    path.mkdir()
    (path / "claims").write_text("mine")
    with pytest.raises(ForeignStore):
        FileStore(path).open(signed=False)


def test_every_verb_survives_a_deleted_folder(store: FileStore, path: Path, now: float) -> None:
    stored = put(store, make_item("one", now=now), now=now)
    [listed] = store.listed()
    calls: list[Callable[[], object]] = [
        lambda: store.commit(make_item("one", now=now), vary_limit=32, now=now),
        lambda: store.change([seen("one", stored.rev)], make_item("one", now=now)),
        lambda: store.change([listed], b"sealed"),
        lambda: store.change([seen("one", stored.rev)], None),
        lambda: store.change([listed], None),
        lambda: store.drop(name("other"), now=now),
        lambda: store.claim(name("one"), name("one"), b"token", now=now, until=now + 9),
        lambda: stream(store, make_item("one", b"x" * 70_000, now=now)),
        lambda: list(store.listed()),
        lambda: store.sweep(now=now),
        store.size,
        store.clear,
        store.unsign,
        lambda: store.flush(30),
    ]
    for call in calls:
        store.flush(30)  # the maintenance thread would begin the folder anew before the call does
        vanish(path)
        call()
        works(store)


def test_a_folder_replaced_by_another_store(store: FileStore, path: Path, now: float) -> None:
    """Records of the old id would be worth nothing there: they are refused, until the store is opened again."""
    meta = store.open(signed=False)
    vanish(path)
    other = FileStore(path)
    assert other.open(signed=False) != meta
    with pytest.raises(StoreError, match="taken the place"):
        store.commit(make_item("one", now=now), vary_limit=32, now=now)
    assert store.open(signed=False) == other.open(signed=False)
    works(store)
    other.close()


def test_a_folder_replaced_by_somebody_elses(store: FileStore, path: Path, now: float) -> None:
    """Nothing is written into it."""
    vanish(path)
    path.mkdir()
    (path / "thesis.docx").write_bytes(b"years of work")
    with pytest.raises(ForeignStore):
        store.commit(make_item("one", now=now), vary_limit=32, now=now)
    assert [each.name for each in path.iterdir()] == ["thesis.docx"]


# Locks


def test_somebodys_lock_is_waited_for_briefly(store: FileStore, path: Path, now: float) -> None:
    """Reading needs no lock; writing gives up in time, and works when the lock is gone."""
    put(store, make_item("one", now=now), now=now)
    [folder] = path.glob("resources/*")
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    began = time.monotonic()
    with pytest.raises(StoreBusy):
        store.commit(make_item("one", now=now), vary_limit=32, now=now)
    assert time.monotonic() - began < SOON
    assert len(store.load(name("one"))) == 1
    with pytest.raises(StoreBusy):
        store.check()
    os.close(fd)
    store.check()
    works(store)
    put(store, make_item("one", now=now), now=now)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_a_lock_is_held(store: FileStore, path: Path, now: float) -> None:
    """The child has a copy of the descriptor; the lock ends all the same when its holder gives it back."""
    context = multiprocessing.get_context("fork")
    end = context.Event()
    with store._reopened().locked("resources", name("resource").hex()[:2]):
        child = context.Process(target=end.wait, args=(60,))
        child.start()
    put(store, make_item("one", now=now), now=now)
    end.set()
    child.join(60)
    assert child.exitcode == 0


# Read-only and full


def test_too_many_open_files(store: FileStore, now: float) -> None:
    """No descriptor is left: an error in time, and no more than that."""
    put(store, make_item("one", now=now), now=now)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        refused(lambda: store.load(name("one")))
        refused(lambda: store.load_nowait(name("one")))
        refused(lambda: store.commit(make_item("one", now=now), vary_limit=32, now=now))
        refused(lambda: store.open(signed=False))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert len(store.load(name("one"))) == 1
    works(store)


class Failing:
    """A function of ``os`` that fails once, at one of its calls."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self._real = getattr(os, name)
        self.left = -1
        patch.setattr(os, name, self)

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OSError(errno.EMFILE, "too many open files")
        return self._real(*args, **options)


@pytest.mark.once
@pytest.mark.parametrize("name_of_call", ["open", "stat", "readlink", "fstat", "pread", "listdir"])
def test_a_sweep_that_fails_at_any_step_loses_nothing(
    store: FileStore, path: Path, now: float, monkeypatch: pytest.MonkeyPatch, name_of_call: str
) -> None:
    """What could not be looked at is not taken for gone."""
    put(store, make_item("one", now=now), now=now)
    big = put(store, stream(store, make_item("two", b"x" * 70_000, now=now, resource="two")), now=now)
    failing = Failing(monkeypatch, name_of_call)
    failed = 0
    for step in [*range(1, 25), *range(25, 400, 41), *range(400, 3000, 400)]:
        failing.left = step
        try:
            store.sweep(now=now + 100)
        except StoreError:
            failed += 1
        failing.left = -1
        assert len(FileStore(path).load(name("one"))) == 1
        assert store.chunk(big.entry, 0) == b"x" * 70_000
        assert len(FileStore(path).load(name("two"))) == 1
    assert failed


def refused(call: Callable[[], object]) -> None:
    began = time.monotonic()
    with pytest.raises(StoreError):
        call()
    assert time.monotonic() - began < SOON


NOBODY = 65_534


def _without_rights(path: str) -> None:
    if os.geteuid() == 0:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    store, now = FileStore(path), time.time()
    assert not store.open(signed=False).signed
    assert [each.body for each in store.load(name("one"))] == [b"body"]
    refused(lambda: store.open(signed=True))
    refused(store.check)
    refused(lambda: store.commit(make_item("one", now=now), vary_limit=32, now=now))
    refused(lambda: store.commit(make_item("two", resource="two", now=now), vary_limit=32, now=now))
    refused(lambda: stream(store, make_item("two", b"x" * 70_000, now=now)))
    refused(lambda: store.drop(name("resource"), now=now))
    assert store.claim(name("one"), name("one"), b"token", now=now, until=now + 9) is Lease.OPEN
    refused(lambda: FileStore(f"{path}/below").open(signed=False))
    store.touch(name("one"), b"x" * 16, now=now)
    store.abort(new_entry())
    store.release(name("one"), b"token")
    store.close()


def _set_modes(path: Path, folder: int, file: int, owner: int) -> None:
    for each in [path, *path.rglob("*")]:
        if os.geteuid() == 0:
            os.chown(each, owner, owner, follow_symlinks=False)
        if not each.is_symlink():
            each.chmod(folder if each.is_dir() else file)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_read_only_folder(now: float) -> None:
    """It serves what it has and takes nothing; in a process without the right to write, anyone who runs the tests."""
    with tempfile.TemporaryDirectory(prefix="sc-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "cache"
        store = FileStore(path)
        store.open(signed=False)
        put(store, make_item("one", now=now), now=now)
        store.close()
        _set_modes(path, 0o555, 0o444, NOBODY)
        child = multiprocessing.get_context("fork").Process(target=_without_rights, args=(str(path),))
        child.start()
        child.join(60)
        _set_modes(path, 0o700, 0o600, os.geteuid())
        assert child.exitcode == 0
        works(store)
        store.close()


LIMITED = """
import os, sys, time
from sansio_cache.errors import StoreError
from sansio_cache_adapters.stores.files.store import FileStore
from sansio_cache_adapters.testing import make_item, name, put, stream

def refused(call):
    began = time.monotonic()
    try:
        call()
    except StoreError as error:
        assert time.monotonic() - began < 12
        return
    raise SystemExit("nothing was refused")

store = FileStore(sys.argv[1])
now = time.time()
"""

FULL = (
    LIMITED
    + """
import resource, signal
store.open(signed=False)
put(store, make_item("one", now=now), now=now)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
refused(lambda: store.commit(make_item("one", b"x" * 5_000, now=now), vary_limit=32, now=now))
refused(lambda: store.commit(make_item("two", b"x" * 70_000, now=now), vary_limit=32, now=now))
refused(lambda: stream(store, make_item("two", b"x" * 70_000, now=now)))
assert [each.body for each in store.load(name("one"))] == [b"body"]
assert os.listdir(sys.argv[1] + "/pending") == []
resource.setrlimit(resource.RLIMIT_FSIZE, before)
put(store, make_item("one", b"x" * 5_000, now=now), now=now)
put(store, stream(store, make_item("two", b"x" * 70_000, now=now)), now=now)
store.close()
"""
)


def test_no_room_for_another_byte(path: Path) -> None:
    """A write that breaks off leaves nothing behind, and what was there stays."""
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


TMPFS = (
    LIMITED
    + """
store.open(signed=False)
put(store, make_item("one", now=now), now=now)
fill(sys.argv[1] + ".junk")
refused(store.check)
refused(lambda: store.commit(make_item("one", b"x" * 50_000, now=now), vary_limit=32, now=now))
refused(lambda: stream(store, make_item("two", b"x" * 70_000, now=now)))
assert [each.body for each in store.load(name("one"))] == [b"body"]
os.unlink(sys.argv[1] + ".junk")
put(store, make_item("one", b"x" * 50_000, now=now), now=now)
put(store, stream(store, make_item("two", b"x" * 70_000, now=now)), now=now)
store.close()
"""
)


def test_a_full_disk(tmp_path: Path) -> None:
    """A file system of one mebibyte, mounted for the test alone where the system lets us."""
    run_on_small_disk(tmp_path, TMPFS, f"{tmp_path}/cache")
