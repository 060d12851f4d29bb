"""Claims: one holder at a time, over stores, threads and processes; free when the holder dies; never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sansio_cache_adapters.stores import claims as module
from sansio_cache_adapters.stores.byte_locks import BYTE_LOCKS, ByteLocks, FcntlLocks, MsvcrtLocks
from sansio_cache_adapters.stores.claims import CHECKPOINT, Claims
from sansio_cache_adapters.stores.lock_places import AtPath, InFolder
from sansio_cache_adapters.stores.protocol import LEASE_SECONDS, Lease
from sansio_cache_adapters.stores.system import posix_folder

NOW = time.time()
ONE, TWO = b"1" * 32, b"2" * 32
RESOURCE = b"r" * 32
GRANTED, HELD, OPEN = Lease


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock by which a timer is set stands at the time of all these tests."""
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: NOW))


class Asked(Claims):
    """Claims that are asked at one time, for one resource."""

    def __init__(self, path: str, locks: ByteLocks | None = BYTE_LOCKS) -> None:
        super().__init__(lambda: AtPath(path), locks)

    def take(self, partition: bytes, token: bytes, now: float = NOW) -> Lease:
        return self.claim(partition, RESOURCE, token, now=now, until=now + 30)

    def give_back(self, partition: bytes, token: bytes) -> None:
        self.release(partition, token)

    def say_open(self, partition: bytes, token: bytes) -> None:
        self.release(partition, token, open_until=NOW + 10)


def _of_the_process() -> ByteLocks:
    """POSIX locks without those of an open file, as on macOS."""
    import fcntl

    names = ("lockf", "LOCK_EX", "LOCK_NB", "LOCK_UN")
    return FcntlLocks(SimpleNamespace(**{name: getattr(fcntl, name) for name in names}))


def _of_windows() -> ByteLocks:
    """What ``msvcrt`` would do, by the locks of this system: at the descriptor's position, one byte."""
    import fcntl

    def locking(descriptor: int, mode: int, count: int) -> None:
        kind = fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.lockf(descriptor, kind, count, os.lseek(descriptor, 0, os.SEEK_CUR))
        except BlockingIOError as error:
            raise PermissionError(13, "Permission denied") from error

    return MsvcrtLocks(SimpleNamespace(LK_UNLCK=0, LK_NBLCK=2, locking=locking))


KINDS: dict[str, Callable[[], ByteLocks | None]] = {
    "this system's": lambda: BYTE_LOCKS,
    "of a process": _of_the_process,
    "of Windows": _of_windows,
}


@pytest.fixture(params=KINDS)
def locks(request: pytest.FixtureRequest) -> ByteLocks | None:
    """Every implementation."""
    return KINDS[request.param]()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the lock file is made."""
    return str(tmp_path / "lock")


OTHER = """
import sys
sys.path[:0] = {paths!r}
sys.path.insert(0, {here!r})
import test_claims
claims = test_claims.Asked({path!r}, test_claims.KINDS[{kind!r}]())
for line in sys.stdin:
    verb, partition = line.split()
    print(getattr(claims, verb)(partition.encode() * 32, b"other"), flush=True)
"""


class Other:
    """Another process that claims."""

    def __init__(self, path: str, kind: str) -> None:
        code = OTHER.format(paths=sys.path, here=str(Path(__file__).parent), path=path, kind=kind)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, verb: str, partition: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{verb} {partition}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def other(path: str, kind: str) -> Iterator[Other]:
    started = Other(path, kind)
    with started.process:
        yield started
        started.process.kill()


def test_one_holder_at_a_time(path: str, locks: ByteLocks) -> None:
    claims = Asked(path, locks)
    assert claims.take(ONE, b"a") is GRANTED
    assert claims.take(ONE, b"b") is HELD
    assert claims.take(ONE, b"a") is GRANTED, "to claim again is to have it"
    assert claims.take(TWO, b"b") is GRANTED
    claims.give_back(ONE, b"b")
    assert claims.take(ONE, b"b") is HELD, "only the holder gives back"
    claims.give_back(ONE, b"a")
    claims.give_back(ONE, b"a")
    assert claims.take(ONE, b"b") is GRANTED


def test_several_stores_of_a_process_share_a_file(path: str, locks: ByteLocks) -> None:
    one, two = Asked(path, locks), Asked(path, locks)
    assert one.take(ONE, b"a") is GRANTED
    assert two.take(ONE, b"b") is HELD
    two.close()
    with_a_lock = Asked(path, locks)
    assert with_a_lock.take(ONE, b"b") is HELD, "closing a store gave up nothing of another's"
    one.give_back(ONE, b"a")
    assert with_a_lock.take(ONE, b"b") is GRANTED


@pytest.mark.parametrize("kind", KINDS)
def test_processes_keep_each_other_out(path: str, kind: str) -> None:
    claims = Asked(path, KINDS[kind]())
    with other(path, kind) as second:
        assert second.do("take", "1") == "Lease.GRANTED"
        assert claims.take(ONE, b"a") is HELD
        assert claims.take(TWO, b"a") is GRANTED
        assert second.do("take", "2") == "Lease.HELD"
        second.do("give_back", "1")
        assert claims.take(ONE, b"a") is GRANTED


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_open_to_all_is_so_in_every_process(path: str, kind: str) -> None:
    """G28: an answer that is not storable is queued for nowhere; until its time, or until the one who said so ends."""
    claims = Asked(path, KINDS[kind]())
    with other(path, kind) as second:
        assert second.do("take", "1") == "Lease.GRANTED"
        second.do("say_open", "1")
        assert claims.take(ONE, b"a") is OPEN
        assert claims.take(TWO, b"a") is GRANTED
        claims.say_open(TWO, b"a")
        assert second.do("take", "2") == "Lease.OPEN"
        assert claims.take(TWO, b"b", NOW + 11) is GRANTED
        second.process.kill()
        second.process.wait()
        assert claims.take(ONE, b"a") is GRANTED


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_is_free_when_its_holder_is_killed(path: str, kind: str) -> None:
    """At once, and without a clock."""
    claims = Asked(path, KINDS[kind]())
    with other(path, kind) as second:
        assert second.do("take", "1") == "Lease.GRANTED"
        second.process.send_signal(signal.SIGKILL)
        second.process.wait()
        assert claims.take(ONE, b"a") is GRANTED


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_forked_child_neither_holds_nor_drops_what_its_parent_claimed(path: str, kind: str) -> None:
    """G24: a lock lives as long as any copy of its open file: the child closes its copy."""
    claims = Asked(path, KINDS[kind]())
    assert claims.take(ONE, b"a") is GRANTED
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        mine = claims.take(ONE, b"child")
        claims.give_back(ONE, b"a")
        os.write(ready[1], b"0" if mine is HELD else b"1")
        os.read(go[0], 1)
        os._exit(0)
    assert os.read(ready[0], 1) == b"0"
    with other(path, kind) as second:
        assert second.do("take", "1") == "Lease.HELD", "the parent still has it"
        claims.give_back(ONE, b"a")
        assert second.do("take", "1") == "Lease.GRANTED", "the child, which lives, keeps no copy"
    os.write(go[1], b"x")
    os.waitpid(child, 0)
    for end in (*ready, *go):
        os.close(end)


def test_a_deleted_lock_file_is_made_again(path: str, locks: ByteLocks) -> None:
    """Who held a byte of the old one gives that back; claims go on by the new one."""
    claims, second = Asked(path, locks), Asked(path, locks)
    assert claims.take(ONE, b"a") is GRANTED
    os.unlink(path)
    assert second.take(ONE, b"b") is GRANTED
    assert claims.take(ONE, b"a") is HELD
    claims.give_back(ONE, b"a")
    assert claims.take(ONE, b"a") is HELD
    second.give_back(ONE, b"b")
    assert claims.take(ONE, b"a") is GRANTED


@pytest.mark.parametrize("wrong", ["a folder", "no folder above", "a link", "a second name", "a pipe", "no locks"])
def test_without_a_lock_file_there_are_no_claims(tmp_path: Path, path: str, wrong: str) -> None:
    """G20, G29: and nothing is raised, nothing waits, and no link is followed."""
    stranger = tmp_path / "stranger"
    stranger.write_bytes(b"x")
    locks = BYTE_LOCKS
    if wrong == "a folder":
        os.mkdir(path)
    elif wrong == "no folder above":
        path = str(tmp_path / "gone" / "lock")
    elif wrong == "a link":
        os.symlink(stranger, path)
    elif wrong == "a second name":
        os.link(stranger, path)
    elif wrong == "a pipe":
        os.mkfifo(path)
    else:
        locks = None
    claims = Asked(path, locks)
    for token in (b"a", b"b"):
        assert claims.take(ONE, token) is OPEN
        claims.give_back(ONE, token)
    claims.close()
    assert stranger.read_bytes() == b"x"


def test_the_lock_file_is_the_owners_alone(path: str) -> None:
    """G26."""
    Asked(path).take(ONE, b"a")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(path).st_size == 0


def open_below(folder: Path) -> int:
    """How many descriptors of this process are of files in this folder."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, by somebody else
            found += os.readlink(each).startswith(f"{folder}/")
    return found


def test_files_that_no_store_uses_are_closed(tmp_path: Path) -> None:
    """G32: stores that were dropped too, by the next that opens one; never one that holds a claim."""
    holding = Asked(str(tmp_path / "held"))
    assert holding.take(ONE, b"a") is GRANTED
    for index in range(100):
        dropped = Asked(str(tmp_path / str(index)))
        assert dropped.take(ONE, b"a") is GRANTED
        dropped.give_back(ONE, b"a")
        del dropped
    assert open_below(tmp_path) <= 2
    again = Asked(str(tmp_path / "held"))
    del holding
    assert again.take(ONE, b"b") is HELD


def test_threads_agree(path: str, locks: ByteLocks) -> None:
    """Of all who claim at once one has it."""
    claims = [Asked(path, locks) for _ in range(2)]
    together = threading.Barrier(8)
    had: list[Any] = []

    def claim(number: int) -> None:
        for round_ in range(50):
            together.wait()
            had.append((round_, claims[number % 2].take(ONE, bytes([number]))))
            together.wait()
            claims[number % 2].give_back(ONE, bytes([number]))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(taken is GRANTED for number, taken in had if number == round_) for round_ in range(50)] == [1] * 50


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    for each in module._open.values():
        os.close(each.descriptor)
    module._open.clear()


def test_what_is_open_ends_by_itself(path: str, locks: ByteLocks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is never asked again tells the others no longer than it said."""
    claims, due = Asked(path, locks), list[Callable[[], object]]()
    monkeypatch.setattr(module.RELEASING, "after", lambda seconds, job: due.append(job))
    assert claims.take(ONE, b"a") is GRANTED
    claims.say_open(ONE, b"a")
    assert claims.take(ONE, b"b") is OPEN
    [job] = due
    job()
    assert claims.take(ONE, b"b") is GRANTED
    job()
    assert claims.take(ONE, b"c") is HELD


def test_what_is_open_is_bounded(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """G28: the oldest ends first."""
    monkeypatch.setattr(module, "_MOST_OPEN", 2)
    claims = Asked(path)
    for number in range(3):
        partition = bytes([number]) * 32
        assert claims.take(partition, b"a") is GRANTED
        claims.say_open(partition, b"a")
    assert [claims.take(bytes([number]) * 32, b"b") for number in range(3)] == [GRANTED, OPEN, OPEN]


def test_a_claim_that_nobody_gives_back_ends_for_its_own_process(path: str, locks: ByteLocks) -> None:
    """At its time, a minute ahead at most; and one from before a clock was set back counts for nothing (G25)."""
    claims, second = Asked(path, locks), Asked(path, locks)
    claims.claim(ONE, RESOURCE, b"a", now=NOW, until=NOW + 10_000)
    assert second.take(ONE, b"b", NOW + LEASE_SECONDS - 1) is HELD
    assert second.take(ONE, b"b", NOW + LEASE_SECONDS + 1) is GRANTED
    claims.give_back(ONE, b"a")
    assert claims.take(ONE, b"a", NOW + LEASE_SECONDS + 2) is HELD
    assert claims.take(ONE, b"a", NOW - 86_400) is GRANTED


@pytest.mark.parametrize("kind", KINDS)
def test_two_hosts_clocks_decide_nothing(path: str, kind: str) -> None:
    """G25: a byte stays held by its holder, however far apart the clocks are."""
    claims = Asked(path, KINDS[kind]())
    with other(path, kind) as second:
        assert second.do("take", "1") == "Lease.GRANTED"
        for ahead in (-86_400, -30, 30, 86_400):
            assert claims.take(ONE, b"a", NOW + ahead) is HELD


def test_a_drop_frees_what_its_process_claimed(path: str, locks: ByteLocks) -> None:
    """No request waits for a fetch that began before; other resources stay claimed."""
    claims, second = Asked(path, locks), Asked(path, locks)
    assert claims.take(ONE, b"a") is GRANTED
    assert claims.claim(TWO, b"o" * 32, b"a", now=NOW, until=NOW + 9) is GRANTED
    second.take(TWO, b"b")
    second.free(RESOURCE)
    assert second.take(ONE, b"b") is GRANTED
    assert second.take(TWO, b"b") is HELD
    claims.give_back(ONE, b"a")
    assert claims.take(ONE, b"a") is HELD


def test_one_at_a_time_may_be_alone(path: str, locks: ByteLocks) -> None:
    """For what one process does for all; where there are no locks no process is kept from it."""
    one, two = Asked(path, locks), Asked(path, locks)
    with one.alone(CHECKPOINT) as first, two.alone(CHECKPOINT) as second:
        assert (first, second) == (True, False)
    with two.alone(CHECKPOINT) as second, Asked(path, None).alone(CHECKPOINT) as third:
        assert (second, third) == (True, True)


def test_a_lock_file_in_a_folder_is_looked_for_by_its_descriptor(tmp_path: Path) -> None:
    """G29: a link in its place is not followed, and a folder that is not open has none."""
    folder = posix_folder.Folder(posix_folder.open_root(str(tmp_path / "cache"))[0])
    stranger = tmp_path / "stranger"
    stranger.touch(mode=0o644)
    opened: list[posix_folder.Folder | None] = [folder]
    claims = Claims(lambda: InFolder(lambda: opened[0], "claims"))

    def take(token: bytes) -> Lease:
        return claims.claim(ONE, RESOURCE, token, now=NOW, until=NOW + 9)

    (tmp_path / "cache" / "claims").symlink_to(stranger)
    assert [take(b"a"), take(b"b")] == [OPEN, OPEN]
    assert stranger.stat().st_mode & 0o777 == 0o644
    (tmp_path / "cache" / "claims").unlink()
    assert [take(b"a"), take(b"b")] == [GRANTED, HELD]
    assert (tmp_path / "cache" / "claims").stat().st_mode & 0o777 == 0o600
    opened[0] = None
    assert take(b"b") is OPEN


def test_what_others_may_open_is_closed_to_them(path: str) -> None:
    """G26: all who may read a file may hold its bytes."""
    Path(path).touch(mode=0o666)
    os.chmod(path, 0o666)
    assert Asked(path).take(ONE, b"a") is GRANTED
    assert os.stat(path).st_mode & 0o777 == 0o600
