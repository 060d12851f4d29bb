"""The implementation for Windows, on this machine: what only POSIX has is taken away, and what is open is not moved.

Nothing here is Windows. ``tests/support/other_system.py`` says what is stood in for, ``docs/topics/platforms.md`` what
that shows and what it does not.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_origin import Origin, fresh
from thorough import extent

import sansio_cache
import sansio_cache_adapters
from sansio_cache_adapters.cache import locations
from sansio_cache_adapters.stores import system
from sansio_cache_adapters.stores.system.posix import POSIX
from sansio_cache_adapters.stores.system.posix_folder import runs_as_root
from sansio_cache_adapters.stores.system.windows import WINDOWS, lock_file

TESTS = Path(__file__).parents[1]
SUPPORT = TESTS / "support"
CHOSEN = {
    "stores/test_sqlite.py": "",
    "stores/sqlite/test_place.py": "Corrupt",
    "stores/files/test_store.py": "FileStore",
}
"""Tests that are run for the Windows implementation, and which of them if there is no time for all."""
NEEDS_POSIX = ("pipe", "socket", "nobodys", "fork", "is_one_file", "in_use_keeps_its_locks", "without_its_meta_record")
"""Tests that make what there is none of on Windows, or keep a file open that ours is to move away."""


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, command)],
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(250)
@pytest.mark.parametrize("tests", CHOSEN)
def test_a_store_keeps_its_promises_there(tests: str) -> None:
    """The same tests as here, the contract of all stores among them."""
    chosen = extent(0, 1) == 0 and CHOSEN[tests]
    wanted = " and ".join([*([chosen] if chosen else []), *(f"not {each}" for each in NEEDS_POSIX)])
    said = run("-m", "pytest", "-q", "-x", "-p", "other_system", "-p", "no:cacheprovider", TESTS / tests, "-k", wanted)
    assert " passed" in said


SESSION = """
import importlib, pkgutil, sys
import aiohttp, anyio, h11, httpx2, redis, requests, trio, truststore  # noqa: what a client needs is its own affair
import other_system

import sansio_cache, sansio_cache_adapters
from sansio_cache import CachedSession, FileStore, SQLiteStore
from sansio_cache_adapters.stores.system.windows import WINDOWS
from local_origin import Origin, fresh

for package in (sansio_cache, sansio_cache_adapters):
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
assert sansio_cache_adapters.stores.system.SYSTEM is WINDOWS

origin = Origin()
url = origin.on("/a", fresh(b"a" * 200_000))
for store in (SQLiteStore(f"{sys.argv[1]}/cache.sqlite"), FileStore(f"{sys.argv[1]}/files")):
    for hit in (False, True):
        with CachedSession(store, secret_key="k" * 32) as session:
            reply = session.get(url)
            assert (reply.from_cache, len(reply.content)) == (hit, 200_000), (store, hit)
origin.close()
"""


def test_every_module_is_imported_and_a_session_hits(tmp_path: Path) -> None:
    """On SQLite and in a folder of files, in a process without what only POSIX has."""
    run("-c", SESSION, tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"cache.sqlite", "cache.sqlite-lock", "files"}
    assert not list(tmp_path.rglob("*.lock")), "a process that began a file or changed a shard has released its lock"


# Where what differs may be named


ONLY_THERE = {"fcntl", "msvcrt", "pwd", "grp", "resource", "winreg"}
NAMED = {"geteuid", "getuid", "getgid", "chown", "fchmod", "pread", "pwrite", "statvfs", "mkfifo", "fchdir", "fork"}
NAMED |= {"O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_TMPFILE", "O_BINARY", "O_TEMPORARY"}
MAY = ("stores/system/", "stores/byte_locks.py")


def sources() -> Iterator[tuple[str, ast.AST]]:
    for package in (sansio_cache, sansio_cache_adapters):
        root = Path(package.__path__[0])
        for path in root.rglob("*.py"):
            name = path.relative_to(root).as_posix()
            if not name.startswith(MAY):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def test_what_only_one_system_has_is_named_in_one_place() -> None:
    found: list[str] = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [f"{name}: {each.name}" for each in node.names if each.name in ONLY_THERE]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                if node.attr in NAMED:
                    found.append(f"{name}: os.{node.attr}")
            elif isinstance(node, ast.keyword) and node.arg in ("dir_fd", "src_dir_fd", "effective_ids"):
                found.append(f"{name}: {node.arg}=")
    assert found == []


# The URI of a file


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (r"C:\Users\Me\cache.sqlite", "file:///C:/Users/Me/cache.sqlite"),
        (r"C:\a b\50% ?#.sqlite", "file:///C:/a%20b/50%25%20%3F%23.sqlite"),
        (r"\\server\share\cache.sqlite", "file:////server/share/cache.sqlite"),
        ("\\\\?\\C:\\long\\cache.sqlite", "file:%5C%5C%3F%5CC%3A%5Clong%5Ccache.sqlite"),
        ("C:\\\u00e9.sqlite", "file:///C:/%C3%A9.sqlite"),
    ],
)
def test_a_path_of_windows_is_a_uri_that_sqlite_reads(path: str, uri: str) -> None:
    """As https://sqlite.org/uri.html has it: slashes, one before the drive, and no authority."""
    assert WINDOWS.uri(path) == uri


@pytest.mark.parametrize(
    ("path", "uri"),
    [("/var/a b?#%.sqlite", "file:///var/a%20b%3F%23%25.sqlite"), ("//var/a.sqlite", "file:////var/a.sqlite")],
)
def test_a_path_of_posix_is_a_uri_that_sqlite_reads(path: str, uri: str) -> None:
    """A path may begin with two slashes, which are no authority."""
    assert POSIX.uri(path) == uri


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        (r"C:\Users\Me\cache.sqlite", ""),
        (r"\\server\share\cache.sqlite", ""),
        ("\\\\?\\C:\\cache.sqlite", ""),
        (r"C:\a\cache:b.sqlite", "':'"),
        (r"C:\a?\cache.sqlite", "'?'"),
        (r"C:\a\cache.", "ends with '.'"),
        (r"C:\a \cache", "ends with ' '"),
        (r"C:\a\nul.sqlite", "device"),
        (r"C:\com1", "device"),
    ],
)
def test_a_name_that_windows_has_not_is_refused(path: str, fault: str) -> None:
    """It would be a stream of another file, another name, or a device."""
    found = WINDOWS.fault_of(path)
    assert fault in found if fault else not found
    assert not POSIX.fault_of(path)


def test_such_a_name_is_an_error_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SYSTEM", WINDOWS)
    with pytest.raises(sansio_cache.SettingError, match=r"no name has ':' in it on Windows: a:b\.sqlite"):
        sansio_cache.SQLiteStore("/tmp/a:b.sqlite")


@pytest.mark.parametrize(
    ("url", "there", "here"),
    [
        ("sqlite:///C:/Users/Me/cache.sqlite", "C:/Users/Me/cache.sqlite", "/C:/Users/Me/cache.sqlite"),
        ("sqlite:////C:/Users/a%20b.sqlite", "C:/Users/a b.sqlite", "/C:/Users/a b.sqlite"),
        ("sqlite:///var/cache.sqlite", "/var/cache.sqlite", "/var/cache.sqlite"),
    ],
)
def test_a_drive_in_a_url_is_one(monkeypatch: pytest.MonkeyPatch, url: str, there: str, here: str) -> None:
    assert locations._file_of(url) == here
    monkeypatch.setattr(system, "SYSTEM", WINDOWS)
    assert locations._file_of(url) == there


def test_all_names_of_ours_can_be_had_anywhere(tmp_path: Path) -> None:
    """No colon, no final dot, no device, and none that differs from another by case alone."""
    origin = Origin()
    url = origin.on("/a", fresh(b"a" * 200_000))
    try:
        for store in (sansio_cache.SQLiteStore(tmp_path / "cache.sqlite"), sansio_cache.FileStore(tmp_path / "files")):
            with sansio_cache.CachedSession(store) as session:
                for number in range(5):
                    session.get(f"{url}?{number}")
                paths = [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*")]
                assert len(paths) == len({each.lower() for each in paths}) > 1
                assert [each for each in paths if WINDOWS.fault_of(each)] == []
    finally:
        origin.close()


# The lock


def test_a_lock_that_a_loss_of_power_left_is_removed(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    with lock_file(str(lock), 0.5, "busy"):
        assert lock.exists()
    assert not lock.exists()


def test_a_lock_is_waited_for_and_no_longer_than_said(tmp_path: Path) -> None:
    with (
        lock_file(str(tmp_path / "a.lock"), 0.5, "busy"),
        pytest.raises(sansio_cache.StoreBusy, match="busy"),
        lock_file(str(tmp_path / "a.lock"), 0.0, "busy"),
    ):
        raise AssertionError


def test_where_nothing_may_be_made_is_not_called_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError), lock_file(str(tmp_path / "a.lock"), 0.0, "busy"):
        raise AssertionError


def test_a_system_without_users_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """WebAssembly has ``fcntl``, and no ``geteuid``: what lies there belongs to 0."""
    monkeypatch.delattr(os, "geteuid")
    assert POSIX.owns(os.stat_result((0o600, 1, 1, 1, 0, 0, 0, 0, 0, 0)))
    assert not POSIX.owns(os.stat_result((0o600, 1, 1, 1, 1000, 0, 0, 0, 0, 0)))
    assert runs_as_root()
